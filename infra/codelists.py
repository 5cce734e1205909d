"""Code-list snapshots: the files of a folder, recognised by their headers, as the two frames of a register.

Recognised are a plain list (kind, code, name, valid_from, valid_to and, optionally, aliases), a KLASS table of changes
(old_code ... new_valid_to) and a KLASS code list (code, parentCode, level, name ...). Any other file is ignored.
"""

from pathlib import Path
from typing import Final, NamedTuple

import polars as pl
from polars.exceptions import PolarsError

from schemas.errors import RegisterError

CORE_LIST: Final = Path(__file__).parent.parent / "schemas" / "codelists" / "core.csv"
"""The nation and its counties (the electoral districts among them): always loaded."""
PLAIN_LIST_COLUMNS: Final = ("kind", "code", "name", "valid_from", "valid_to")
CHANGE_TABLE_COLUMNS: Final = tuple(
    f"{side}_{f}" for side in ("old", "new") for f in ("code", "name", "valid_from", "valid_to")
)
KLASS_COLUMNS: Final = ("code", "parentCode", "level", "name", "validFrom", "validTo")
UNSPECIFIED_CODE: Final = "9999"
"""KLASS's code for "not stated": no municipality."""


class CodeLists(NamedTuple):
    """A snapshot: the arguments of `transforms.register.build.build_register`, in its order."""

    units: pl.DataFrame
    changes: pl.DataFrame


def read_codelists(folder: Path) -> CodeLists:
    """Read the recognised files in and under the folder, and the core list.

    Raises `RegisterError` for a folder without a recognised file, and for a recognised file that cannot be read.
    """
    frames = [frame for path in sorted(folder.rglob("*.csv")) if (frame := _read(path)) is not None]
    if not frames:
        raise RegisterError(
            f"found no code list in {folder}, expected a CSV file with the header {','.join(PLAIN_LIST_COLUMNS)} or "
            f"{','.join(CHANGE_TABLE_COLUMNS)}; set ENGANG_CODELISTS to the folder that holds one"
        )
    core = _read(CORE_LIST)
    units = [f for f in (core, *frames) if f is not None and "code" in f.columns]
    no_changes = _dated(pl.DataFrame(schema=dict.fromkeys(("kind", *CHANGE_TABLE_COLUMNS), pl.String)))
    changes = [no_changes, *(f for f in frames if "code" not in f.columns)]
    return CodeLists(pl.concat(units), pl.concat(changes))


def _read(path: Path) -> pl.DataFrame | None:
    """Return a file's units or changes, by its header; None for an unrecognised header."""
    text = _text(path.read_bytes())
    header = text.split("\n", 1)[0]
    separator = ";" if header.count(";") > header.count(",") else ","
    columns = {name.strip().strip('"') for name in header.split(separator)}
    if not any(
        columns.issuperset(header_columns)
        for header_columns in (PLAIN_LIST_COLUMNS, CHANGE_TABLE_COLUMNS, KLASS_COLUMNS)
    ):
        return None
    try:
        table = pl.read_csv(text.encode(), separator=separator, infer_schema=False)
        return _shaped(table.with_columns(pl.all().str.strip_chars().replace("", None)))
    except PolarsError as error:
        raise RegisterError(f"cannot read the code list {path}: {error}; dates are written YYYY-MM-DD") from error


def _text(data: bytes) -> str:
    """Return a list's text: UTF-8, or Latin-1 like older exports."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _shaped(table: pl.DataFrame) -> pl.DataFrame:
    if set(CHANGE_TABLE_COLUMNS) <= set(table.columns):
        kind = "kind" if "kind" in table.columns else pl.lit("municipality").alias("kind")
        return _dated(table.select(kind, *CHANGE_TABLE_COLUMNS))
    if set(PLAIN_LIST_COLUMNS) <= set(table.columns):
        aliases = "aliases" if "aliases" in table.columns else pl.lit(None, pl.String).alias("aliases")
        return _dated(table.select(*PLAIN_LIST_COLUMNS, aliases))
    municipalities = table.filter(pl.col("code").str.contains(r"^\d{4}$") & (pl.col("code") != UNSPECIFIED_CODE))
    dates = {"valid_from": "validFrom", "valid_to": "validTo"}
    no_aliases = pl.lit(None, pl.String).alias("aliases")
    return _dated(
        municipalities.select(pl.lit("municipality").alias("kind"), "code", "name", no_aliases, **dates)
    ).select(*PLAIN_LIST_COLUMNS, "aliases")


def _dated(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col("^(.*_)?valid_(from|to)$").str.to_date("%Y-%m-%d"))
