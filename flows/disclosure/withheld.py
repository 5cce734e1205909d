"""Tables without the values that not everybody may see."""

from collections.abc import Mapping
from typing import Final, TypeVar

import polars as pl

from flows.disclosure.small_counts import SmallCounts
from flows.published_tables import PublishedTables
from transforms.observations.confidentiality import CONFIDENTIAL
from transforms.package.disclosure import Disclosure

VALUE_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "observations": ("value", "decimals"),
    "sources": ("value", "original", "decimals"),
    "conflicts": ("value", "lower", "upper", "decimals"),
    "changes": ("value_before", "value_after"),
    "history": ("value",),
    "derivable": ("value", "decimals", "reported"),
}
"""Table -> its columns that show the value of an item."""
FORMER: Final = ("changes", "history")
"""The tables that show values of earlier releases."""
_ITEMS: Final = "observations"
_STATUS: Final = "conf_status"
_Rows = TypeVar("_Rows", pl.DataFrame, pl.LazyFrame)


def without_small_counts(rows: _Rows, table: str, small: SmallCounts) -> _Rows:
    """Return rows of a published table, or of `history`, without small counts; they have the status C."""
    found = withheld_in(table, small)
    return rows if found is None else without_values(rows, table, found[0])


def withheld_in(table: str, small: SmallCounts) -> tuple[pl.Series, dict[str, str | None]] | None:
    """Return the items of small counts in a published table, and what its columns have instead; None if it has none."""
    if table not in VALUE_COLUMNS or not _hidden_in(table, small).len():
        return None
    status = {_STATUS: CONFIDENTIAL} if table == _ITEMS else {}
    return _hidden_in(table, small), dict[str, str | None].fromkeys(VALUE_COLUMNS[table]) | status


def _hidden_in(table: str, small: SmallCounts) -> pl.Series:
    return small.ever if table in FORMER else small.current


def without_values(rows: _Rows, table: str, hidden: pl.Series) -> _Rows:
    """Return rows of a table without the values of these items; their observations have the status C."""
    is_hidden = pl.col("item_id").is_in(hidden.implode())
    masked = [pl.when(~is_hidden).then(pl.col(name)).alias(name) for name in VALUE_COLUMNS[table]]
    if table == _ITEMS:
        masked.append(pl.when(is_hidden).then(pl.lit(CONFIDENTIAL)).otherwise(pl.col(_STATUS)).alias(_STATUS))
    return rows.with_columns(masked)


def confidential_items(published: PublishedTables, months: list[str]) -> pl.Series:
    """Return the items of these months whose value is confidential now, however free it was before."""
    rows = published.live("observations", months).filter(pl.col("conf_status") == CONFIDENTIAL)
    return rows.select("item_id").collect()["item_id"]


def closed_items(published: PublishedTables, months: list[str], disclosure: Disclosure) -> pl.Series:
    """Return the items of these months of which a claim is personal, or of a contract that not everybody may see."""
    if not disclosure.closed and not disclosure.personal:
        return pl.Series("item_id", dtype=pl.String)
    concepts = published.live("observations", months).select("item_id", "concept")
    claims = published.live("sources", months).select("item_id", "contract").join(concepts, on="item_id")
    closed = pl.col("contract").is_in(list(disclosure.closed)) | disclosure.is_personal()
    return claims.filter(closed).select("item_id").unique().collect()["item_id"]


def former_confidential_items(published: PublishedTables, months: list[str], history: pl.DataFrame) -> pl.Series:
    """Return the items that no release has any more and of which some state had no value: it may have been withheld."""
    now = published.live("observations", months).select("item_id").collect()["item_id"]
    valueless = history.filter(pl.col("value").is_null() & (pl.col("change") != "removed"))["item_id"].unique()
    return valueless.filter(~valueless.is_in(now.implode()))


def without_concepts(rows: pl.DataFrame, table: str, concepts: list[str]) -> pl.DataFrame:
    """Return rows of a table that has a column `concept` without the values of these, and of items of none."""
    if not concepts:
        return rows
    is_shown = (~pl.col("concept").is_in(concepts)).fill_null(value=False)
    return rows.with_columns(pl.when(is_shown).then(pl.col(name)).alias(name) for name in VALUE_COLUMNS[table])
