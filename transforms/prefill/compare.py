"""Drafts of earlier periods compared with what was reported then: how much was filled in, how much exactly right."""

from typing import Any, Final

import polars as pl

from schemas.contract import Contract
from schemas.contract_terms import breakdowns
from transforms.overlap.breakdowns import fixed_codes, may_be_equal
from transforms.overlap.dossier import lower_bound
from transforms.prefill.known import DERIVED, FILLED

DRAFT_COUNTS: Final = ("cells", "filled", "derived", "compared", "exact", "within")
"""Cells that the form asked for, that could be filled in, and as sums; compared, exactly right, within accuracy."""
_COARSEST: Final = 28


def compare_drafts(known: pl.DataFrame, own: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return the items that a contract reported with a Boolean for each of `DRAFT_COUNTS`.

    known: what was known of them (`transforms.prefill.known.KNOWN_ITEM`). own: as reported: item_id, concept,
    breakdown, unit_id, period_start, value (null where withheld), lower, upper. A value that is known less exactly than
    the form states its figures is not filled in, as in a draft.
    """
    stated = known.select("item_id", "state", given="value", least="lower", most="upper")
    rows = own.join(stated, on="item_id", how="left").join(
        _accuracies(own, contract), on=["concept", "breakdown"], how="left"
    )
    spread = (pl.col("most") - pl.col("least")).cast(pl.Float64) / 2
    filled = (pl.col("state").is_in(FILLED) & (spread <= pl.col("accuracy"))).fill_null(value=False)
    compared = filled & pl.col("value").is_not_null()
    meets = pl.max_horizontal("lower", "least") <= pl.min_horizontal("upper", "most")
    return rows.select(
        "unit_id",
        "concept",
        "breakdown",
        "period_start",
        cells=pl.lit(value=True),
        filled=filled,
        derived=filled & (pl.col("state") == DERIVED),
        compared=compared,
        exact=compared & (pl.col("value") == pl.col("given")),
        within=compared & meets.fill_null(value=False),
    )


def _accuracies(own: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return by concept and breakdown how far at most a figure may be from what the form states: 0 for exact ones."""
    found = []
    for concept, breakdown in own.select("concept", "breakdown").unique().sort("concept", "breakdown").rows():
        claims = [c for c in contract.claims if c.concept == concept]
        fitting = [c for c in claims if may_be_equal(fixed_codes(breakdowns(contract, c)), breakdown)]
        accuracy = max((_accuracy(claim.decimals, float(claim.scale)) for claim in fitting), default=0.0)
        found.append((concept, breakdown, accuracy))
    schema = {"concept": pl.String, "breakdown": pl.String, "accuracy": pl.Float64}
    return pl.DataFrame(found, schema=schema, orient="row")


def _accuracy(decimals: object, scale: float) -> float:
    if isinstance(decimals, int):
        return 0.5 * 10.0**-decimals
    if decimals == "exact" or (decimals is None and scale <= 1):
        return 0.0
    return scale / 2 if decimals in {None, "as_written"} else 10.0**_COARSEST


def counts_of(compared: pl.DataFrame | None) -> dict[str, Any]:
    """Return the counts of compared items by period and by column, and of all with shares and bounds.

    The bounds are those of a dossier: one-sided 95 % Clopper-Pearson bounds of the share that is exactly right, by
    figure and by unit (all of whose compared figures are right); bound is the smaller.
    """
    if compared is None or compared.is_empty():
        empty = {**dict.fromkeys(DRAFT_COUNTS, 0), "share_filled": None, "share_exact": None}
        return {"periods": [], "columns": [], **empty, **dict.fromkeys(("bound_items", "bound_units", "bound"))}
    sums = [pl.col(name).sum().cast(pl.Int64) for name in DRAFT_COUNTS]
    periods = compared.group_by(period="period_start", due="due").agg(sums).sort("period").to_dicts()
    columns = compared.group_by("concept", "breakdown").agg(sums).sort("concept", "breakdown").to_dicts()
    total = compared.select(sums).row(0, named=True)
    units = compared.filter("compared").group_by("unit_id").agg(pl.col("exact").all())
    bounds = lower_bound(total["exact"], total["compared"]), lower_bound(int(units["exact"].sum()), units.height)
    return {
        "periods": periods,
        "columns": columns,
        **total,
        "share_filled": total["filled"] / total["cells"],
        "share_exact": total["exact"] / total["compared"] if total["compared"] else None,
        "bound_items": bounds[0],
        "bound_units": bounds[1],
        "bound": None if bounds[0] is None or bounds[1] is None else min(bounds[0], bounds[1]),
    }
