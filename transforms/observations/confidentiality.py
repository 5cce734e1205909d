"""Confidential claims: what a release publishes of items whose values their senders marked as confidential.

A value is published if a claim states it that is free. If only confidential claims state it, the fact has no value and
the status C. A confidential claim is published with its address and without its value.
"""

from typing import Final

import polars as pl

FREE: Final = "F"
CONFIDENTIAL: Final = "C"
HIDDEN: Final = "_hidden"
"""Name of the column that marks the chosen claims whose value is withheld."""
_STATED: Final = ("item_id", "value", "decimals")


def mark_hidden(judged: pl.DataFrame) -> pl.DataFrame:
    """Return the judged claims with `HIDDEN` (Boolean): chosen, confidential, and no free claim states the value."""
    if not judged["confidential"].any():
        return judged.with_columns(pl.lit(False).alias(HIDDEN))
    free = judged.filter(~pl.col("confidential")).select(*_STATED, pl.lit(True).alias("_free")).unique()
    joined = judged.join(free, on=_STATED, how="left", nulls_equal=True, maintain_order="left")
    hidden = pl.col("chosen") & pl.col("confidential") & pl.col("_free").is_null()
    return joined.with_columns(hidden.alias(HIDDEN)).drop("_free")


def without_confidential(*columns: str) -> list[pl.Expr]:
    """Return these columns with null in the rows of confidential claims or reports."""
    return [pl.when(~pl.col("confidential")).then(pl.col(name)).alias(name) for name in columns]


def conf_status(withheld: pl.Expr) -> pl.Expr:
    """Return the SDMX confidentiality status: C where `withheld` is true, else F."""
    status = pl.when(withheld.fill_null(False)).then(pl.lit(CONFIDENTIAL)).otherwise(pl.lit(FREE))
    return status.alias("conf_status")
