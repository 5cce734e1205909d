"""Match weights in bits: of each comparison level of a model, and of one pair as a waterfall."""

import math
from typing import Any, Final

import polars as pl

from transforms.linkage.model import MatchModel

PRIOR: Final = "(prior)"
"""The first step: the odds of a match before anything is compared."""
TOTAL: Final = "(sum)"
RARITY_STEP: Final = "rarity of {}"
MODEL_LEVEL: Final = {
    "field": pl.String, "level": pl.String, "matches": pl.Float64, "others": pl.Float64, "bits": pl.Float64,
}  # fmt: skip
"""matches: share of the matching pairs that are at this level (m). others: share of the other pairs (u). bits: log2 of
their ratio. All null where training saw no such pair."""
WATERFALL_STEP: Final = {
    "step": pl.String,
    "level": pl.String,
    "bits": pl.Float64,
    "before": pl.Float64,
    "after": pl.Float64,
}
"""One step of a pair's match weight: its bits, and the sum before and after it."""
MIN_RARITY_BITS: Final = 0.005
"""Bits from which the rarity of a value is a separate step."""


def model_levels(model: MatchModel) -> pl.DataFrame:
    """Return the match weight of each level of each field (`MODEL_LEVEL`), in the order of the model."""
    share = model.settings["probability_two_random_records_match"]
    rows: list[tuple[object, ...]] = [
        (PRIOR, "before anything is compared", None, None, math.log2(share / (1 - share)))
    ]
    for comparison in model.settings["comparisons"]:
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        rows += [
            (comparison["output_column_name"], level["label_for_charts"], *_probabilities(level)) for level in levels
        ]
    return pl.DataFrame(rows, schema=MODEL_LEVEL, orient="row")


def _probabilities(level: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    matches, others = level.get("m_probability"), level.get("u_probability")
    if isinstance(matches, float) and isinstance(others, float) and matches > 0 and others > 0:
        return matches, others, math.log2(matches / others)
    return None, None, None


def waterfall_steps(weights: pl.DataFrame) -> pl.DataFrame:
    """Return one pair's match weight in steps (`WATERFALL_STEP`): the prior, the fields (strongest first), the sum.

    weights: field, level, bits, frequency_bits of one pair, from `transforms.linkage.scoring.field_weights`. The rarity
    of a value is a separate step after its field.
    """
    fields = weights.filter(pl.col("field") != PRIOR)
    prior = weights.filter(pl.col("field") == PRIOR).select(pl.col("field").alias("step"), "level", "bits")
    ordered = fields.with_columns((pl.col("bits") + pl.col("frequency_bits")).abs().alias("all")).sort(
        "all", "field", descending=[True, False]
    )
    own = ordered.select("field", pl.col("field").alias("step"), "level", "bits").with_row_index("place")
    rarity = ordered.select(
        "field", pl.format(RARITY_STEP, "field").alias("step"), "level", pl.col("frequency_bits").alias("bits")
    ).with_row_index("place").filter(pl.col("bits").abs() >= MIN_RARITY_BITS)  # fmt: skip
    both = pl.concat([own, rarity]).sort("place", maintain_order=True).select("step", "level", "bits")
    steps = pl.concat([prior, both]).with_columns(pl.col("bits").cum_sum().alias("after"))
    steps = steps.with_columns((pl.col("after") - pl.col("bits")).alias("before"))
    total = steps["bits"].sum()
    last = pl.DataFrame(
        {"step": TOTAL, "level": "all together", "bits": total, "before": 0.0, "after": total}, WATERFALL_STEP
    )
    return pl.concat([steps.select(*WATERFALL_STEP), last])
