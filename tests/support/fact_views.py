"""What `judge_claims` decides, one row per item."""

import polars as pl

from schemas.claims import CLAIM, frame_schema
from transforms.observations.agreement import TIE_BREAKERS, judge_claims


def agreements_of(statements: pl.DataFrame) -> pl.DataFrame:
    """Return item_id, reports, agreement, in order of first mention; statements may lack columns of `TIE_BREAKERS`."""
    types = frame_schema(CLAIM)
    lacking = [pl.lit(None, dtype=types[c]).alias(c) for c in TIE_BREAKERS if c not in statements.columns]
    judged = judge_claims(statements.with_columns(lacking))
    items = judged.select("item_id", "reports", "agreement").unique(maintain_order=True)
    assert items["item_id"].is_unique().all(), "claims of one item have different verdicts"
    return items


def published_facts(judged: pl.DataFrame) -> pl.DataFrame:
    """Return item_id, value and decimals (null where withheld), agreement."""
    return judged.filter("represents").select(
        "item_id",
        pl.when("chosen").then("value").alias("value"),
        pl.when("chosen").then("decimals").alias("decimals"),
        "agreement",
    )
