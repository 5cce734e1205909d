"""The verdict on an obligation: which of its items are known without it, how surely, and what would be lost.

Terms: an item is covered if another obligation has a standing claim of it, or if it is the sum of items that others
have by a declared roll-up. n covered items were compared, in k of them what would replace the obligation has its very
value. The bounds are one-sided 95 % Clopper-Pearson bounds of the share k/n, by item and by unit: errors of one unit
come together, so the smaller one counts. A column is a concept and breakdown; it is known elsewhere if each of its
items is, with the same value and no less exactly.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

import polars as pl

DropVerdict = Literal[
    "droppable_exact", "droppable_within_tolerance", "droppable_in_part", "not_droppable", "not_enough_history"
]
CONFIDENCE: Final = 0.95
FEWEST_COMPARED: Final = 20
"""An agreement of fewer items proves nothing."""
TOLERATED_SHARE: Final = 0.01
"""A value within one percent, or whose interval shares a number, is within tolerance."""
MOST_LISTED: Final = 1000
"""So many items that differ are listed; all are counted."""
ITEM_COUNTS: Final = (
    "covered", "summed", "compared", "agreeing", "tolerated", "more_accurate", "earlier", "second_opinions",
    "own_checks", "own_checks_agreeing",
)  # fmt: skip
"""What is counted of the items of an obligation and of each column."""
A_DAY: Final = pl.duration(days=1)
"""What is received less than that before is no earlier."""
_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True)
class ColumnCoverage:
    """What is known elsewhere of one column of an obligation: a concept and breakdown. Counts as in `Dossier`."""

    concept: str
    breakdown: str
    items: int
    covered: int
    summed: int
    compared: int
    agreeing: int
    tolerated: int
    more_accurate: int
    earlier: int
    second_opinions: int
    own_checks: int
    own_checks_agreeing: int

    def known_elsewhere(self) -> bool:
        """Return whether others have all of the column, with the same values and no less exactly."""
        return self.agreeing == self.items and not self.more_accurate

    def can_be_dropped(self) -> bool:
        """Return whether enough items prove that it is known elsewhere."""
        return self.known_elsewhere() and self.items >= FEWEST_COMPARED

    def loss(self) -> dict[str, Any]:
        """Return what would be lost with the column."""
        return {
            "concept": self.concept,
            "breakdown": self.breakdown,
            "items": self.items - self.covered,
            "differing": self.covered - self.agreeing,
            "more_accurate": self.more_accurate,
            "earlier": self.earlier,
            "second_opinions": self.second_opinions,
        }


@dataclass(frozen=True)
class Dossier:
    """Whether an obligation can be dropped, with the numbers behind the verdict.

    items: those that the obligation has standing claims of. covered: those known without it; summed: of these, those
    known as a sum only. compared: covered ones whose values are not withheld. agreeing, tolerated: those of equal
    value, and those within tolerance. more_accurate, earlier: covered items that the obligation has more exactly than
    any other, and those received a day earlier or more; days_earlier: by how many, the median. second_opinions:
    covered items that one other obligation states, of which no independent check would remain. own_checks: items that
    several reporters state under the obligation itself; own_checks_agreeing: with one value.

    units, units_agreeing: those compared, and those of which every item agrees. bound_items, bound_units: the bounds of
    the share that agrees; bound: the smaller. columns_known of columns_all are known elsewhere. lost: an entry per
    column that would lose values or accuracy: concept, breakdown, items (how many nobody else has), differing, and
    counts as above. differing_items: those whose values differ, `MOST_LISTED` at most. replaced_by: the obligations
    that have its items: obligation, items, agreeing. hours: of its reports, and the part that would be freed, null if
    not known.
    """

    obligation: str
    verdict: DropVerdict
    items: int
    covered: int
    summed: int
    compared: int
    agreeing: int
    tolerated: int
    more_accurate: int
    earlier: int
    second_opinions: int
    own_checks: int
    own_checks_agreeing: int
    days_earlier: float | None
    units: int
    units_agreeing: int
    bound_items: float | None
    bound_units: float | None
    bound: float | None
    columns_all: int
    columns_known: int
    hours_low: float | None
    hours_high: float | None
    hours_freed_low: float | None
    hours_freed_high: float | None
    columns: tuple[ColumnCoverage, ...]
    lost: tuple[dict[str, Any], ...]
    differing_items: tuple[dict[str, Any], ...] = field(default=())
    replaced_by: tuple[dict[str, Any], ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        columns = tuple({**asdict(column), "known_elsewhere": column.known_elsewhere()} for column in self.columns)
        return {**asdict(self), "columns": columns}


def draw_verdict(
    replaced: pl.DataFrame,
    obligation: str,
    hours: tuple[float | None, float | None],
    alone: pl.DataFrame | None = None,
    reports: float | None = None,
) -> Dossier:
    """Return the dossier of an obligation from its `replacements` and the hours of its reports, low and high.

    alone: counts of its items that are not among them (`transforms.overlap.statements.StatedItems`), by default none.
    reports: how many it has, by default as many as the items that are replaced are.
    """
    marked = _marked(replaced)
    columns = _columns(marked, alone)
    total = {name: sum(getattr(column, name) for column in columns) for name in ("items", *ITEM_COUNTS)}
    units = marked.filter("compared").group_by("unit_id").agg(pl.col("agreeing").all())
    units_agreeing = int(units["agreeing"].sum())
    bounds = lower_bound(total["agreeing"], total["compared"]), lower_bound(units_agreeing, units.height)
    lost = tuple(column.loss() for column in columns if column.agreeing < column.items or column.more_accurate)
    verdict = _verdict(total, columns)
    share = _freed_share(marked, columns, verdict, float(marked["weight"].sum()) if reports is None else reports)
    freed = [_freed(each, share) for each in hours]
    return Dossier(
        obligation,
        verdict,
        **total,
        days_earlier=_days_earlier(marked),
        units=units.height,
        units_agreeing=units_agreeing,
        bound_items=bounds[0],
        bound_units=bounds[1],
        bound=_least(*bounds),
        columns_all=len(columns),
        columns_known=sum(column.known_elsewhere() for column in columns),
        hours_low=hours[0],
        hours_high=hours[1],
        hours_freed_low=freed[0],
        hours_freed_high=freed[1],
        columns=columns,
        lost=lost,
        differing_items=_differing(marked),
        replaced_by=_replaced_by(marked),
    )


def _freed(hours: float | None, share: float | None) -> float | None:
    return None if share is None or hours is None else round(hours * share, 6)


def _least(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else min(a, b)


def _marked(replaced: pl.DataFrame) -> pl.DataFrame:
    """Return the items with a Boolean column for each of `ITEM_COUNTS`."""
    own, other = pl.col("own"), pl.col("other")
    compared = pl.col("covered") & own.is_not_null() & other.is_not_null()
    size = pl.max_horizontal(own.cast(pl.Float64).abs(), other.cast(pl.Float64).abs())
    near = (own - other).abs().cast(pl.Float64) <= TOLERATED_SHARE * size
    meets = pl.max_horizontal("lower", "other_lower") <= pl.min_horizontal("upper", "other_upper")
    return replaced.with_columns(
        compared=compared,
        agreeing=compared & (own == other),
        tolerated=compared & ((own == other) | near | meets.fill_null(value=False)),
        more_accurate=compared & (pl.col("width") < pl.col("other_width")),
        earlier=(pl.col("covered") & (pl.col("other_first") - pl.col("first") >= A_DAY)).fill_null(value=False),
        second_opinions=pl.col("opinions") == 1,
        own_checks=pl.col("checked"),
        own_checks_agreeing=pl.col("checked") & own.is_not_null(),
    )


def _columns(marked: pl.DataFrame, alone: pl.DataFrame | None) -> tuple[ColumnCoverage, ...]:
    """Return the counts of each column; what is alone is covered by nobody, and its own checks agree."""
    key = ["concept", "breakdown"]
    parts = [marked.group_by(key).agg(items=pl.len(), **{name: pl.col(name).sum() for name in ITEM_COUNTS})]
    if alone is not None:
        parts.append(alone.with_columns(own_checks_agreeing="own_checks"))
    counts = pl.concat(parts, how="diagonal").group_by(key).agg(pl.col("items", *ITEM_COUNTS).sum())
    return tuple(ColumnCoverage(**row) for row in counts.sort(key).iter_rows(named=True))


def _verdict(total: dict[str, int], columns: tuple[ColumnCoverage, ...]) -> DropVerdict:
    """Return the verdict; agreement of few items is no proof, a difference or an item of its own always is."""
    exact = total["agreeing"] == total["items"] and not total["more_accurate"]
    if exact and total["items"] >= FEWEST_COMPARED:
        return "droppable_exact"
    if total["tolerated"] == total["items"] >= FEWEST_COMPARED:
        return "droppable_within_tolerance"
    if total["tolerated"] == total["items"] or not total["items"]:
        return "not_enough_history"
    return "droppable_in_part" if any(column.can_be_dropped() for column in columns) else "not_droppable"


def _freed_share(
    marked: pl.DataFrame, columns: tuple[ColumnCoverage, ...], verdict: DropVerdict, reports: float
) -> float | None:
    """Return the part of its hours that would be freed: the figures of a report cost the same; None if none is."""
    if verdict in {"not_droppable", "not_enough_history"}:
        return None
    if verdict != "droppable_in_part":
        return 1.0
    known = [(column.concept, column.breakdown) for column in columns if column.can_be_dropped()]
    freed = pl.DataFrame(known, schema=["concept", "breakdown"], orient="row")
    weights = marked.join(freed, on=["concept", "breakdown"], how="semi")["weight"]
    return float(weights.sum()) / reports


def _days_earlier(marked: pl.DataFrame) -> float | None:
    days = (pl.col("other_first") - pl.col("first")).dt.total_seconds() / _DAY_SECONDS
    median = marked.filter("earlier").select(days.median()).item()
    return None if median is None else round(float(median), 2)


def _differing(marked: pl.DataFrame) -> tuple[dict[str, Any], ...]:
    """Return the items whose values differ, those of most difference first."""
    differing = marked.filter(pl.col("compared") & ~pl.col("agreeing"))
    names = ["item_id", "concept", "breakdown", "unit_id", "unit_code", "period_start", "own", "other", "by"]
    order = (pl.col("own") - pl.col("other")).abs()
    return tuple(
        differing.sort(-order.cast(pl.Float64), "item_id").select(names).head(MOST_LISTED).iter_rows(named=True)
    )


def _replaced_by(marked: pl.DataFrame) -> tuple[dict[str, Any], ...]:
    each = marked.filter("covered").explode("by").group_by(obligation="by")
    counts = each.agg(items=pl.len(), agreeing=pl.col("agreeing").sum())
    return tuple(counts.sort("items", "obligation", descending=[True, False]).iter_rows(named=True))


def lower_bound(agreeing: int, compared: int) -> float | None:
    """Return the one-sided 95 % Clopper-Pearson lower bound of a share; None where nothing was compared."""
    if not compared:
        return None
    if not agreeing:
        return 0.0
    from scipy.special import betaincinv  # a third of a second, and half a second less than the whole of scipy.stats

    return float(betaincinv(agreeing, compared - agreeing + 1, 1 - CONFIDENCE))
