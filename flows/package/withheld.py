"""What a package leaves out: what not everybody may see, what is confidential now, counts below the least of a concept.

A release's own tables have such values, for those who work with it; a package is for anybody.
"""

from collections.abc import Collection, Mapping
from typing import Final

import polars as pl

from flows.published_tables import PublishedTables
from transforms.observations.confidentiality import CONFIDENTIAL
from transforms.package.disclosure import Disclosure

VALUE_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "observations": ("value", "decimals"),
    "sources": ("value", "original", "decimals"),
    "conflicts": ("value", "lower", "upper", "decimals"),
    "changes": ("value_before", "value_after"),
    "history": ("value",),
}
"""Table -> its columns that show the value of an item."""


def read_limits(described: PublishedTables) -> dict[str, int]:
    """Return concept -> the least count of it that may be published, of the tables that describe a release."""
    rows = described.live("concepts").filter(pl.col("suppress_below").is_not_null())
    return dict(rows.select("concept", "suppress_below").collect().iter_rows())


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


def small_items(published: PublishedTables, months: list[str], limits: Mapping[str, int]) -> pl.Series:
    """Return the items of these months that are counts below the least of their concept, by any of their claims."""
    if not limits:
        return pl.Series("item_id", dtype=pl.String)
    counted = published.live("observations", months).select("item_id", "value", _limit(limits).alias("_limit"))
    claims = published.live("sources", months).select("item_id", pl.col("value").alias("_claim"))
    stated = counted.filter(pl.col("_limit").is_not_null()).join(claims, on="item_id", how="left")
    small = stated.filter(pl.min_horizontal("value", "_claim") < pl.col("_limit"))
    return small.select("item_id").unique().collect()["item_id"]


def without_values(rows: pl.DataFrame, table: str, hidden: pl.Series) -> pl.DataFrame:
    """Return rows of a table without the values of these items; their observations have the status C."""
    is_hidden = pl.col("item_id").is_in(hidden.implode())
    masked = [pl.when(~is_hidden).then(pl.col(name)).alias(name) for name in VALUE_COLUMNS[table]]
    if table == "observations":
        status = pl.when(is_hidden).then(pl.lit(CONFIDENTIAL)).otherwise(pl.col("conf_status"))
        masked.append(status.alias("conf_status"))
    return rows.with_columns(masked)


def without_small(rows: pl.DataFrame, table: str, limits: Mapping[str, int]) -> pl.DataFrame:
    """Return rows of a table that has a column `concept` without each value below the least of its concept."""
    if not limits:
        return rows
    limit, known = _limit(limits), pl.col("concept").is_not_null()
    names = [name for name in VALUE_COLUMNS[table] if rows.schema[name].is_decimal()]
    is_shown = [((pl.col(name) >= limit) | limit.is_null()) & known for name in names]
    return rows.with_columns(
        pl.when(shown).then(pl.col(name)).alias(name) for name, shown in zip(names, is_shown, strict=True)
    )


def without_concepts(rows: pl.DataFrame, table: str, concepts: Collection[str]) -> pl.DataFrame:
    """Return rows of a table that has a column `concept` without the values of these, and of items of none."""
    if not concepts:
        return rows
    is_shown = (~pl.col("concept").is_in(list(concepts))).fill_null(value=False)
    return rows.with_columns(pl.when(is_shown).then(pl.col(name)).alias(name) for name in VALUE_COLUMNS[table])


def _limit(limits: Mapping[str, int]) -> pl.Expr:
    return pl.col("concept").replace_strict(dict(limits), default=None, return_dtype=pl.Int64)
