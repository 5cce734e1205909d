"""What a match model says, in bits: of each level of each field, and of one pair step by step."""

import math
from typing import Any, Final

import polars as pl

from transforms.linkage.model import Model

PRIOR: Final = "(prior)"
"""The step before any field: the odds of a match before anything is compared."""
SUM: Final = "(sum)"
RARITY: Final = "rarity of {}"
LEVELS: Final = {
    "field": pl.String, "level": pl.String, "matches": pl.Float64, "others": pl.Float64, "bits": pl.Float64,
}  # fmt: skip
"""matches: share of the pairs of one item that are at this level (m); others: of the other pairs (u); bits: log2 of
their ratio; null where training saw no such pair."""
STEPS: Final = {"step": pl.String, "level": pl.String, "bits": pl.Float64, "before": pl.Float64, "after": pl.Float64}
"""One step of a pair's weight: its bits, and the sum before and after it."""
SEEN: Final = 0.005
"""Bits from which the rarity of a value is a step of its own."""


def model_levels(model: Model) -> pl.DataFrame:
    """Return what a model says of each level of each field (`LEVELS`), fields as they are compared, nearest first."""
    share = model.settings["probability_two_random_records_match"]
    rows: list[tuple[object, ...]] = [
        (PRIOR, "before anything is compared", None, None, math.log2(share / (1 - share)))
    ]
    for comparison in model.settings["comparisons"]:
        told = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        rows += [(comparison["output_column_name"], level["label_for_charts"], *_said(level)) for level in told]
    return pl.DataFrame(rows, schema=LEVELS, orient="row")


def _said(level: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    matches, others = level.get("m_probability"), level.get("u_probability")
    if isinstance(matches, float) and isinstance(others, float) and matches > 0 and others > 0:
        return matches, others, math.log2(matches / others)
    return None, None, None


def steps(weights: pl.DataFrame) -> pl.DataFrame:
    """Return one pair's weight step by step (`STEPS`): the prior, the strongest field first, then the sum.

    weights: field, level, bits, frequency_bits of one pair, as `transforms.linkage.scoring.weigh` gives them. What the
    rarity of a value adds is a step of its own, after its field.
    """
    fields = weights.filter(pl.col("field") != PRIOR)
    prior = weights.filter(pl.col("field") == PRIOR).select(pl.col("field").alias("step"), "level", "bits")
    ordered = fields.with_columns((pl.col("bits") + pl.col("frequency_bits")).abs().alias("all")).sort(
        "all", "field", descending=[True, False]
    )
    own = ordered.select("field", pl.col("field").alias("step"), "level", "bits").with_row_index("place")
    rarity = ordered.select(
        "field", pl.format(RARITY, "field").alias("step"), "level", pl.col("frequency_bits").alias("bits")
    ).with_row_index("place").filter(pl.col("bits").abs() >= SEEN)  # fmt: skip
    both = pl.concat([own, rarity]).sort("place", maintain_order=True).select("step", "level", "bits")
    told = pl.concat([prior, both]).with_columns(pl.col("bits").cum_sum().alias("after"))
    told = told.with_columns((pl.col("after") - pl.col("bits")).alias("before"))
    total = told["bits"].sum()
    last = pl.DataFrame({"step": SUM, "level": "all together", "bits": total, "before": 0.0, "after": total}, STEPS)
    return pl.concat([told.select(*STEPS), last])
