"""Counts of statements: what some items add to the tables of overlap.

Each count is a sum over items, so what a night changes is what the items that it reaches add now, less what they added
before: no other item is read, and the order does not matter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Final

import polars as pl

from schemas.overlap import REPORT_KEY
from transforms.identity import order_ids
from transforms.overlap.statements import interval_width

OVERLAP_KEY: Final = ("obligation_a", "obligation_b", "concept", "period_start")
REPORTER_KEY: Final = ("reporter_a", "reporter_b", "concept", "period_start")
MOST_REPORTERS: Final = 30
"""Reporters of an item that more than so many state are not compared in pairs."""
NAME_SEPARATOR: Final = " "
"""Between the names of obligations in one text: no name has a blank."""
KEYS: Final = {
    "pairs": (*OVERLAP_KEY, "partition"),
    "reporter_pairs": (*REPORTER_KEY, "partition"),
    "reports": REPORT_KEY,
    "sets": ("obligations", "most_accurate", "concept", "period_start", "partition"),
    "scopes": ("scope", "name"),
}
"""The columns that identify the rows of each frame of `OverlapCounts`."""
ROW_KEYS: Final = {**KEYS, "scope_reports": ("scope", "name", "obligation")}
"""The same, and of the reports of scopes (`transforms.overlap.measures.scope_reports`)."""
_NAMES: Final = ("obligation", "sender", "reported_by", "unit_id", "unit_kind", "concept")
_SINGLE: Final = ("obligation", "concept", "period_start")
_CELL: Final = ("item", "obligation", "reported_by")


@dataclass(frozen=True)
class OverlapCounts:
    """Signed counts (Int64) of some items, by the columns of `KEYS`.

    pairs, reporter_pairs: items, agreeing, consistent, conflicting of two obligations, and of two reporters. reports:
    figures, figures_elsewhere, items of each report. sets: items that exactly these obligations have, and those of them
    that have the items most accurately (their names in one text each). scopes: items, figures, figures_elsewhere of
    each sender and unit.
    """

    pairs: pl.DataFrame
    reporter_pairs: pl.DataFrame
    reports: pl.DataFrame
    sets: pl.DataFrame
    scopes: pl.DataFrame


def count_statements(statements: pl.DataFrame) -> OverlapCounts:
    """Return what statements of whole items count: all that counting statements say of each of the items.

    Columns: those of `transforms.observations.consolidate.STATEMENT`, and others, which are not read.
    """
    coded = _coded(statements)
    several, once = (coded.filter(reports) for reports in (pl.col("reports") > 1, pl.col("reports") == 1))
    numbered = _numbered(several.drop("reports"))
    alone, shared = _by_obligations(numbered)
    single = pl.concat([rows.select(_SINGLE) for rows in (once, alone.filter(_begins("item")))])
    counts = OverlapCounts(
        pairs=_dated(_pairs(shared, "obligation", OVERLAP_KEY)),
        reporter_pairs=_dated(_pairs(numbered, "reported_by", REPORTER_KEY, most=MOST_REPORTERS)),
        reports=_dated(_summed(list(_reports(once, alone, shared)), REPORT_KEY[:-1])),
        sets=_dated(_summed([_single_sets(single), _shared_sets(shared)], KEYS["sets"][:-1])),
        scopes=_summed(list(_scopes(once, alone, shared)), KEYS["scopes"]),
    )
    return OverlapCounts(**{f.name: getattr(counts, f.name).cast({pl.Enum: pl.String}) for f in fields(counts)})


def add_counts(several: Iterable[OverlapCounts]) -> OverlapCounts:
    """Return the sums of several counts; rows that count nothing are left out."""
    counts = list(several)
    frames = {name: _summed([getattr(each, name) for each in counts], key) for name, key in KEYS.items()}
    return OverlapCounts(**frames)


def subtracted(counts: OverlapCounts) -> OverlapCounts:
    """Return the counts with the opposite sign."""
    frames = {f.name: getattr(counts, f.name) for f in fields(counts)}
    return OverlapCounts(**{name: rows.with_columns(-pl.col(_counted(rows, name))) for name, rows in frames.items()})


def sum_rows(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the rows of one of the frames of `ROW_KEYS` added up, sorted; those that count nothing are left out."""
    return _summed([rows], ROW_KEYS[name])


def _counted(rows: pl.DataFrame, name: str) -> list[str]:
    return [column for column in rows.columns if column not in KEYS[name]]


def _summed(frames: list[pl.DataFrame], key: tuple[str, ...]) -> pl.DataFrame:
    """Return the frames added up by their key, sorted; rows of zeros are left out."""
    rows = pl.concat(frames)
    counts = [column for column in rows.columns if column not in key]
    summed = rows.group_by(key).agg(pl.col(counts).sum())
    return summed.filter(pl.any_horizontal(pl.col(counts) != 0)).select(*key, *counts).sort(key)


def _dated(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with their partition: the month in which the period begins."""
    at = rows.columns.index("period_end" if "period_end" in rows.columns else "period_start") + 1
    return rows.insert_column(at, rows["period_start"].dt.strftime("%Y-%m").alias("partition"))


def _coded(statements: pl.DataFrame) -> pl.DataFrame:
    """Return statements in one chunk, their names as numbers in the order of the texts: cheaper to group by."""
    names = [statements[name].cast(pl.Enum(statements[name].unique().sort())) for name in _NAMES]
    return statements.with_columns(names).rechunk()


def _numbered(several: pl.DataFrame) -> pl.DataFrame:
    """Return statements with the number of their item instead of its id, sorted by item, obligation and reporter."""
    order = order_ids(several["item_id"])
    item = order["first"].cum_sum().cast(pl.UInt32).alias("item")
    return several.drop("item_id")[order["at"]].with_columns(item).sort(_CELL)


def _begins(*columns: str) -> pl.Expr:
    """Mark the rows, sorted by these columns, that differ in one of them from the row before."""
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in columns)


def _by_obligations(several: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the statements of items that one obligation has, and of those that several have."""
    changes = several.select("item", "obligation").filter(~_begins("item") & _begins("obligation"))
    shared = pl.col("item").is_in(changes["item"].unique().implode())
    return several.filter(~shared), several.filter(shared)


def _count(name: str) -> pl.Expr:
    return pl.len().cast(pl.Int64).alias(name)


def _reports(once: pl.DataFrame, alone: pl.DataFrame, shared: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the counts of reports: figures, those that another obligation has, and those that no earlier reporter has.

    The last add up to the items of an obligation: of several reporters of one, the first by name has it.
    """
    place = list(REPORT_KEY[:-1])
    figures = once.group_by(place).agg(_count("figures"))
    yield figures.with_columns(figures_elsewhere=pl.lit(0, pl.Int64), items=pl.col("figures"))
    for rows, elsewhere in ((alone, False), (shared, True)):
        cells = _cells(rows.select("item", *place))
        counts = cells.group_by(place).agg(_count("figures"), pl.col("earliest").sum().cast(pl.Int64).alias("items"))
        part = pl.col("figures") if elsewhere else pl.lit(0, pl.Int64)
        yield counts.select(*place, "figures", part.alias("figures_elsewhere"), "items")


def _cells(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each item, obligation and reporter, the first sender's; `earliest`: the first reporter's."""
    if not rows.select(_begins(*_CELL).all()).item():
        others = [name for name in rows.columns if name not in {*_CELL, "sender"}]
        rows = rows.group_by(_CELL).agg(pl.col(others).first(), pl.col("sender").min()).sort(_CELL)
    return rows.with_columns(_begins("item", "obligation").alias("earliest"))


def _pairs(rows: pl.DataFrame, who: str, key: tuple[str, ...], most: int | None = None) -> pl.DataFrame:
    """Return the counts of each two obligations, or reporters (`who`), that state the same items.

    agreeing: all claims of both have one value; consistent: their intervals share a number; an item of which a value is
    withheld is counted in `items` only. most: items of which more of them state are left out.
    """
    stated = _stated_by(rows, who)
    several = pl.len().over("item")
    stated = stated.filter(several > 1, *([] if most is None else [several <= most]))
    one, other = _pair_rows(stated["item"])
    pairs = stated[one].hstack(stated.drop("item", "concept", "period_start")[other].select(pl.all().name.suffix("_b")))
    known = pl.col("known") & pl.col("known_b")
    agreeing = known & (pl.min_horizontal("least", "least_b") == pl.max_horizontal("greatest", "greatest_b"))
    meets = pl.max_horizontal("lower", "lower_b") <= pl.min_horizontal("upper", "upper_b")
    kinds = {"agreeing": agreeing, "consistent": known & ~agreeing & meets, "conflicting": known & ~agreeing & ~meets}
    counts = [rows.sum().cast(pl.Int64).alias(name) for name, rows in kinds.items()]
    return pairs.rename({who: key[0], f"{who}_b": key[1]}, strict=False).group_by(key).agg(_count("items"), *counts)


def _stated_by(rows: pl.DataFrame, who: str) -> pl.DataFrame:
    """Return what each obligation or reporter (`who`) states of each item, in order: the ends of its claims."""
    ordered = rows.select("item", who, "concept", "period_start", "value", "lower", "upper").sort("item", who)
    known, value = pl.col("value").is_not_null(), pl.col("value")
    if ordered.select(_begins("item", who).all()).item():  # each states an item once, as most do: there is no group
        return ordered.select(pl.exclude("value"), known=known, least=value, greatest=value)
    ends = {"lower": pl.col("lower").max(), "upper": pl.col("upper").min()}
    ends |= {"known": known.all(), "least": value.min(), "greatest": value.max()}
    return ordered.group_by("item", who, maintain_order=True).agg(pl.col("concept", "period_start").first(), **ends)


def _pair_rows(items: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the row numbers of each two rows of one item; rows of an item are neighbours."""
    found: list[pl.Series] = []
    same = items == items.shift(-1)
    while same.any():  # once for each distance of two rows of an item
        found.append(same.arg_true())
        same = items == items.shift(-len(found) - 1)
    none = pl.Series([], dtype=pl.UInt32)
    return pl.concat([none, *found]), pl.concat([none, *(rows + distance for distance, rows in enumerate(found, 1))])


def _single_sets(single: pl.DataFrame) -> pl.DataFrame:
    """Return how many items one obligation has alone."""
    counts = single.group_by("obligation", "concept", "period_start").agg(_count("items"))
    return counts.select(
        pl.col("obligation").cast(pl.String).alias("obligations"),
        pl.col("obligation").cast(pl.String).alias("most_accurate"),
        "concept",
        "period_start",
        "items",
    )


def _shared_sets(shared: pl.DataFrame) -> pl.DataFrame:
    """Return how many items each set of several obligations has."""
    cells = shared.group_by("item", "obligation").agg(
        pl.col("concept", "period_start").first(), width=interval_width().fill_null(float("inf")).min()
    )
    best = pl.when(pl.col("width") == pl.col("width").min().over("item")).then("obligation")
    names = {"obligations": pl.col("obligation"), "most_accurate": pl.col("best")}
    texts = {column: name.cast(pl.String) for column, name in names.items()}
    sets = (
        cells.with_columns(best.alias("best"))
        .sort("obligation")
        .group_by("item")
        .agg(
            *(text.str.join(NAME_SEPARATOR, ignore_nulls=True).alias(column) for column, text in texts.items()),
            pl.col("concept", "period_start").first(),
        )
    )
    return sets.group_by(*names, "concept", "period_start").agg(_count("items"))


def _scopes(once: pl.DataFrame, alone: pl.DataFrame, shared: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the counts of senders and units."""
    for scope, column in (("sender", "sender"), ("unit", "unit_id")):
        name = [pl.lit(scope).alias("scope"), pl.col(column).cast(pl.String).alias("name")]
        for items in (once.group_by(column).agg(_count("items")), _distinct_items(alone, column)):
            yield items.select(*name, "items", figures="items", figures_elsewhere=pl.lit(0, pl.Int64))
        items = shared.group_by("item", column).agg(pl.col("obligation").n_unique().cast(pl.Int64).alias("figures"))
        counts = items.group_by(column).agg(_count("items"), pl.col("figures").sum())
        yield counts.select(*name, "items", "figures", figures_elsewhere="figures")


def _distinct_items(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the number of items of each value of a column."""
    return rows.group_by(column).agg(pl.col("item").n_unique().cast(pl.Int64).alias("items"))
