"""Verdicts on suspected double reporting: the last one on two series counts, in whichever order they are given."""

import json
from typing import Any, Final

import polars as pl

from schemas.overlap import SUSPECTED

_PAIR: Final = ("series_a", "series_b")


def with_verdicts(suspected: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """Return table `suspected` with the verdict that counts for each row. verdicts: as the ledger has them."""
    found = _unordered(last_verdicts(verdicts)).select(*_PAIR, decided="verdict")
    rows = _unordered(suspected.with_row_index("row")).select("row", *_PAIR)
    decided = rows.join(found, on=_PAIR, how="left").sort("row")["decided"]
    return suspected.with_columns(decided.alias("verdict")).select(column.name for column in SUSPECTED)


def last_verdicts(verdicts: pl.DataFrame) -> pl.DataFrame:
    """Return the verdict of each two series that counts, oldest first."""
    pair = [pl.min_horizontal(_PAIR), pl.max_horizontal(_PAIR)]
    last = verdicts.sort("id").with_columns(key=pl.concat_str(pair, separator=" "))
    return last.unique("key", keep="last", maintain_order=True).drop("key")


def suspected_row(suspected: pl.DataFrame, a: str, b: str) -> dict[str, Any] | None:
    """Return the row of two series, given by their ids in either order; None if there is none."""
    pair = sorted((a, b))
    rows = suspected.filter(pl.min_horizontal(_PAIR) == pair[0], pl.max_horizontal(_PAIR) == pair[1])
    return rows.row(0, named=True) if rows.height else None


def evidence_of(verdicts: pl.DataFrame, verdict: str) -> list[dict[str, Any]]:
    """Return the rows of `suspected` on which a verdict was given that counts."""
    return [json.loads(text) for text in last_verdicts(verdicts).filter(pl.col("verdict") == verdict)["evidence"]]


def _unordered(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(series_a=pl.min_horizontal(_PAIR), series_b=pl.max_horizontal(_PAIR))
