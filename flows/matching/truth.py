"""A truth file, Parquet or CSV: which delivered rows are known to be of one item."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from flows.matching.tables import read_rows_of
from schemas.errors import UsageError

REPORT_COLUMN: Final = "report_id"
"""A column of this name holds report ids instead of the row keys of a delivery."""
PLACE_COLUMNS: Final = ("contract", "sender", "reported_by")
"""Columns that distinguish rows with the same key: each body may number its own from 1."""
LABEL_COLUMNS: Final = ("label", "cluster", "cluster_id")


@dataclass(frozen=True)
class TruthFile:
    """The content of a truth file: distinct rows (key, label and `places`; text) and the columns that they come from.

    key: a row's own key in its delivery, or a report id. label: rows with the same label are one item. places: those of
    `PLACE_COLUMNS` that distinguish equal keys.
    """

    rows: pl.DataFrame
    key: str
    label: str
    places: tuple[str, ...] = ()


def read_truth(
    file: Path, keys: Iterable[str], kind: str, key: str | None = None, label: str | None = None
) -> TruthFile:
    """Read a truth file; rows without a key or a label are skipped.

    keys: the columns that the kind's contracts use as a row's own key; one of them must be in the file, unless `key`
    names a column. label: the label's column, where its name does not show it. Raises `UsageError` with the columns
    found.
    """
    frame = read_rows_of(file)
    key_column = _column(file, frame, key, "--key") if key else _key(file, frame, keys)
    label_column = _column(file, frame, label, "--label") if label else _label(file, frame, key_column, kind)
    places = [name for name in PLACE_COLUMNS if name in frame.columns and name not in {key_column, label_column}]
    rows = frame.select(
        _text(file, frame, key_column).alias("key"),
        _text(file, frame, label_column).alias("label"),
        *(_text(file, frame, name).alias(name) for name in places),
    )
    rows = rows.drop_nulls(["key", "label"]).unique()
    if not _repeats(rows, ["key"]):
        return TruthFile(rows.select("key", "label").unique(), key_column, label_column)
    if not places or _repeats(rows, ["key", *places]):
        raise UsageError(
            f"{file}: keys of column {key_column!r} have several labels: several contracts number their rows alike. "
            f"Add a column that distinguishes them ({', '.join(PLACE_COLUMNS)}), or give {REPORT_COLUMN!r} as the key"
        )
    return TruthFile(rows, key_column, label_column, tuple(places))


def _repeats(rows: pl.DataFrame, key: list[str]) -> bool:
    """Return whether a key has several labels."""
    return rows.select(*key, "label").n_unique() > rows.select(key).n_unique()


def _column(file: Path, frame: pl.DataFrame, name: str, option: str) -> str:
    if name not in frame.columns:
        raise UsageError(f"{option}: {file} has no column {name!r}: found {', '.join(frame.columns)}")
    return name


def _key(file: Path, frame: pl.DataFrame, keys: Iterable[str]) -> str:
    expected = sorted({*keys, REPORT_COLUMN})
    found = [name for name in frame.columns if name in expected]
    return _one(file, frame, found, f"a row's own key, {' or '.join(expected)}", "--key")


def _label(file: Path, frame: pl.DataFrame, key: str, kind: str) -> str:
    others = [name for name in frame.columns if name != key and name not in PLACE_COLUMNS]
    usual = [name for name in others if name in {*LABEL_COLUMNS, f"{kind}_id"}]
    ending = [name for name in others if name.endswith("_id")]
    found = next((names for names in (usual, others, ending) if len(names) == 1), usual)
    return _one(file, frame, found, f"the item, {', '.join((*LABEL_COLUMNS, f'{kind}_id'))}", "--label")


def _one(file: Path, frame: pl.DataFrame, found: Sequence[str], what: str, option: str) -> str:
    if len(found) != 1:
        columns = f"several: {', '.join(found)}" if found else f"none among {', '.join(frame.columns)}"
        raise UsageError(f"{file}: expected one column of {what}; found {columns}: name it with {option}")
    return found[0]


def _text(file: Path, frame: pl.DataFrame, name: str) -> pl.Expr:
    """Return a column as text as a delivery would have it: integers without a decimal point, no outer white space."""
    dtype = frame.schema[name]
    if dtype.is_nested() or dtype == pl.Binary:
        raise UsageError(f"{file}: column {name!r} is {dtype}: expected text or numbers")
    column = pl.col(name)
    if dtype.is_float() and (frame[name].drop_nulls() % 1 == 0).all():
        column = column.cast(pl.Int64)
    text = column.cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text)
