"""A file of what is known to be true of delivered rows: which rows are of one item. Parquet or CSV."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from schemas.errors import UsageError

REPORT: Final = "report_id"
"""A column of this name holds ids of reports instead of a delivery's keys of rows."""
LABELS: Final = ("label", "cluster", "cluster_id")
PARQUET: Final = {".parquet", ".pq"}
DELIMITERS: Final = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Truth:
    """What a file tells: rows (key, label; text, each once) and the columns they were taken from.

    key: what the delivery calls a row, or a report's id. label: rows with one label are one item.
    """

    rows: pl.DataFrame
    key: str
    label: str


def read_truth(file: Path, keys: Iterable[str], kind: str, key: str | None = None, label: str | None = None) -> Truth:
    """Read a truth; rows without a key or a label are left out.

    keys: what the kind's contracts call a row's own key, of which one is taken as the key's column unless `key` names
    it; `label` names the column of the label where it cannot be told. Raises `UsageError`, with the columns there are.
    """
    frame = _read(file)
    by = _column(file, frame, key, "--key") if key else _key(file, frame, keys)
    of = _column(file, frame, label, "--label") if label else _label(file, frame, by, kind)
    told = frame.select(_text(file, frame, by).alias("key"), _text(file, frame, of).alias("label"))
    return Truth(told.drop_nulls().unique(), by, of)


def _read(file: Path) -> pl.DataFrame:
    try:
        if file.suffix.lower() in PARQUET:
            return pl.read_parquet(file, hive_partitioning=False)
        return pl.read_csv(file, infer_schema=False, separator=_delimiter(file))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or 'it is no file'}") from error
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"{file} is neither Parquet (.parquet) nor CSV in UTF-8 with a header") from error


def _delimiter(file: Path) -> str:
    with file.open(encoding="utf-8-sig") as lines:
        header = next(lines, "")
    return max(DELIMITERS, key=header.count)


def _column(file: Path, frame: pl.DataFrame, name: str, option: str) -> str:
    if name not in frame.columns:
        raise UsageError(f"{option}: {file} has no column {name!r}: found {', '.join(frame.columns)}")
    return name


def _key(file: Path, frame: pl.DataFrame, keys: Iterable[str]) -> str:
    expected = sorted({*keys, REPORT})
    found = [name for name in frame.columns if name in expected]
    return _one(file, frame, found, f"a row's own key, {' or '.join(expected)}", "--key")


def _label(file: Path, frame: pl.DataFrame, key: str, kind: str) -> str:
    others = [name for name in frame.columns if name != key]
    called = [name for name in others if name in {*LABELS, f"{kind}_id"}]
    ending = [name for name in others if name.endswith("_id")]
    found = next((names for names in (called, others, ending) if len(names) == 1), called)
    return _one(file, frame, found, f"the item, {', '.join((*LABELS, f'{kind}_id'))}", "--label")


def _one(file: Path, frame: pl.DataFrame, found: Sequence[str], what: str, option: str) -> str:
    if len(found) != 1:
        told = f"several: {', '.join(found)}" if found else f"none among {', '.join(frame.columns)}"
        raise UsageError(f"{file}: expected one column of {what}; found {told}: name it with {option}")
    return found[0]


def _text(file: Path, frame: pl.DataFrame, name: str) -> pl.Expr:
    """Return a column as text, as a delivery would write it: whole numbers without a point, no white space around."""
    dtype = frame.schema[name]
    if dtype.is_nested() or dtype == pl.Binary:
        raise UsageError(f"{file}: column {name!r} is {dtype}: expected text or numbers")
    column = pl.col(name)
    if dtype.is_float() and (frame[name].drop_nulls() % 1 == 0).all():
        column = column.cast(pl.Int64)
    text = column.cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text)
