"""Rows that are cells: what `unpivot` made of delivered rows is read cell by cell, then counted by delivered row.

Each cell has a row number of its own while it is read: everything that holds for rows then holds for cells. A delivered
row is rejected if one of its cells is, ignored if all are, else claimed: the claims of its sound cells count in either
case, and one of them leads the row only where it is claimed.
"""

import polars as pl

from schemas.contract import Contract
from transforms.normalisation.problems import Findings

_ROW = ("submission_id", "row")


def number_cells(batch: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with a number for each cell as `row`, and the delivered one as `delivered_row`."""
    return batch.with_columns(pl.col("row").alias("delivered_row"), pl.int_range(pl.len(), dtype=pl.Int32).alias("row"))


def cell_column_of(contract: Contract) -> str | None:
    """Return the column that holds the cells of columns that became rows; None where none did."""
    return contract.unpivot.value if contract.unpivot else None


def count_by_row(
    cells: pl.DataFrame, claims: pl.DataFrame, findings: Findings, contract: Contract
) -> tuple[pl.DataFrame, pl.DataFrame, Findings]:
    """Return the three with the numbers and columns of the delivered file: rows, claims, and what is wrong.

    The first has submission_id, row and `_ignored`, one row per delivered row.
    """
    places = cells.select("row", "delivered_row", "cell", "cell_column")
    rejected = _delivered(findings.rejected, places).select(_ROW).unique()
    rejects = _delivered(findings.rejects, places).with_columns(
        pl.when((pl.col("column") == cell_column_of(contract)) & pl.col("cell_column").is_not_null())
        .then("cell_column")
        .otherwise("column")
        .alias("column")
    )
    rejects = rejects.select(findings.rejects.columns).sort(
        "submission_id", "row", "column", "reason", maintain_order=True
    )
    rows = cells.group_by("submission_id", pl.col("delivered_row").alias("row")).agg(pl.col("_ignored").all())
    return (
        rows,
        _with_lead(_delivered(claims, places), rejected, len(contract.claims)),
        Findings(rejects, rejected, findings.warned),
    )


def _delivered(rows: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    joined = rows.join(places, on="row", how="left", maintain_order="left")
    return joined.with_columns(pl.col("delivered_row").alias("row"))


def _with_lead(claims: pl.DataFrame, rejected: pl.DataFrame, kinds: int) -> pl.DataFrame:
    """Return the claims with their positions in the delivered row, the first of a row that is not rejected leading."""
    claims = claims.with_columns((pl.col("cell") * kinds + pl.col("position")).alias("position"))
    first = pl.col("position") == pl.col("position").min().over(_ROW)
    marked = claims.join(rejected.with_columns(bad=True), on=_ROW, how="left", maintain_order="left")
    return marked.with_columns(lead=first & pl.col("bad").is_null(), position=pl.col("position").cast(pl.Int16))
