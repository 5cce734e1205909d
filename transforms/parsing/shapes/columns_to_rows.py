"""Columns that become rows, as a contract's `unpivot` declares: wide rows of the raw frame to one row a cell.

A row that is made has the delivered row's number and cells, the cell itself, what the column's name states, and its
address: `cell_column`, the delivered column, and `cell`, the number of that column among those that become rows.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from schemas.contract import Contract, Unpivot
from schemas.errors import SubmissionError

MOST_POSITIONS: Final = 32_767
"""The most claims that one delivered row may make: their positions are whole numbers of 16 bits."""


def mapped_columns(found: Iterable[str], contract: Contract) -> list[str]:
    """Return the columns of a file that the contract maps: those that it names, and those that its pattern matches."""
    known = contract.file_columns()
    if contract.unpivot is None or contract.unpivot.pattern is None:
        return known
    taken = {*known, *contract.ignored_columns(), ""}
    others = [name for name in dict.fromkeys(found) if name not in taken]
    return [*known, *_matches(others, contract.unpivot.pattern)]


def _matches(names: list[str], pattern: str) -> list[str]:
    texts = pl.Series("name", names, pl.String)
    return texts.filter(texts.str.contains(f"^(?:{pattern})$")).to_list()


def columns_to_rows(raw: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return the raw frame of a file with a row for each cell of the columns that become rows, in order.

    Raises `SubmissionError` missing-column if the file has no such column, too-large if it has too many.
    """
    unpivot = contract.unpivot
    if unpivot is None:
        return raw
    names = set(contract.columns()) - set(unpivot.made())
    columns = [name for name in raw.columns if name != "row" and (name not in names or name in unpivot.listed())]
    _check_number(columns, contract)
    texts = _stated(columns, unpivot).join(
        pl.DataFrame({"cell_column": columns}).with_row_index("cell"), on="cell_column"
    )
    fixed = [name for name in raw.columns if name in names]
    long = raw.lazy().unpivot(columns, index=["row", *fixed], variable_name="cell_column", value_name=unpivot.value)
    rows = long.join(texts.lazy(), on="cell_column", how="left").sort("row", "cell", maintain_order=True)
    return rows.select("row", *contract.columns(), pl.col("cell").cast(pl.Int32), "cell_column").collect()


def _check_number(columns: Sequence[str], contract: Contract) -> None:
    if not columns:
        expected = f"columns whose names match {contract.unpivot.pattern!r}" if contract.unpivot else ""
        raise SubmissionError("missing-column", "none", expected, "Deliver them, or correct unpivot in the contract.")
    most = MOST_POSITIONS // len(contract.claims)
    if len(columns) > most:
        hint = "Deliver them in several files."
        raise SubmissionError("too-large", f"{len(columns)} columns that become rows", f"at most {most}", hint)


def _stated(columns: list[str], unpivot: Unpivot) -> pl.DataFrame:
    """Return `cell_column` and the new columns but `value`: what each column's name states, "" for nothing."""
    frame = pl.DataFrame({"cell_column": columns}, {"cell_column": pl.String})
    stated = {name: pl.lit("") for name in unpivot.made() if name != unpivot.value}
    if unpivot.pattern is not None:
        groups = pl.col("cell_column").str.extract_groups(f"^(?:{unpivot.pattern})$")
        stated |= {name: groups.struct.field(name).fill_null("") for name in unpivot.groups()}
    if isinstance(unpivot.columns, dict):
        for name in dict.fromkeys(name for texts in unpivot.columns.values() for name in texts):
            listed = {column: texts[name] for column, texts in unpivot.columns.items() if name in texts}
            before = stated[name]
            stated[name] = pl.col("cell_column").replace_strict(listed, default=before, return_dtype=pl.String)
    if unpivot.name:
        stated[unpivot.name] = pl.col("cell_column")
    return frame.with_columns(**stated)
