"""Code-list snapshots: the files of a folder, recognised by their headers, as the two frames of a register.

Recognised are a plain list (kind, code, name, valid_from, valid_to and, optionally, aliases and the codes of other
systems in columns `code:SYSTEM`), a KLASS table of changes
(old_code ... new_valid_to) and a KLASS code list (code, parentCode, level, name ...). Any other file is ignored.
"""

from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl
from polars.exceptions import PolarsError

from schemas.errors import RegisterError

CORE_LIST: Final = Path(__file__).parent.parent / "schemas" / "codelists" / "core.csv"
"""The nation, its counties and its electoral districts, with the county codes of before 2018: always loaded."""
CORE_CHANGES: Final = CORE_LIST.with_name("core-changes.csv")
"""Which counties became which."""
PLAIN_LIST_COLUMNS: Final = ("kind", "code", "name", "valid_from", "valid_to")
CHANGE_TABLE_COLUMNS: Final = tuple(
    f"{side}_{f}" for side in ("old", "new") for f in ("code", "name", "valid_from", "valid_to")
)
KLASS_COLUMNS: Final = ("code", "parentCode", "level", "name", "validFrom", "validTo")
_UNITS: Final = pl.Schema([
    *((name, pl.Date if name.startswith("valid") else pl.String) for name in PLAIN_LIST_COLUMNS),
    ("aliases", pl.String), ("codes", pl.String),
])  # fmt: skip
_CHANGES: Final = pl.Schema(
    [("kind", pl.String), *((c, pl.Date if "valid" in c else pl.String) for c in CHANGE_TABLE_COLUMNS)]
)
UNSPECIFIED_CODE: Final = "9999"
"""KLASS's code for "not stated": no municipality."""


class CodeLists(NamedTuple):
    """A snapshot: the arguments of `transforms.register.build.build_register`, in its order."""

    units: pl.DataFrame
    changes: pl.DataFrame


def read_codelists(folder: Path, *, core: bool = True) -> CodeLists:
    """Read the recognised files in and under the folder and, unless `core` is false, the core list.

    Raises `RegisterError` for a folder without a recognised file, and for a recognised file that cannot be read.
    """
    frames = [frame for path in sorted(folder.rglob("*.csv")) if (frame := _read(path)) is not None]
    if not frames:
        raise RegisterError(
            f"found no code list in {folder}, expected a CSV file with the header {','.join(PLAIN_LIST_COLUMNS)} or "
            f"{','.join(CHANGE_TABLE_COLUMNS)}; set ENGANG_CODELISTS to the folder that holds one"
        )
    own = (CORE_LIST, CORE_CHANGES) if core else ()
    every = [f for f in (*map(_read, own), *frames) if f is not None]
    units, changes = ([f for f in every if ("code" in f.columns) is plain] for plain in (True, False))
    return CodeLists(pl.concat([_UNITS.to_frame(), *units]), pl.concat([_CHANGES.to_frame(), *changes]))


def codelists_fingerprint(folder: Path, *, core: bool = True) -> str:
    """Return a digest of the names, sizes and times of the files that `read_codelists` reads; none is opened."""
    files = [*((CORE_LIST, CORE_CHANGES) if core else ()), *sorted(folder.rglob("*.csv"))]
    stats = [(str(file), stat.st_size, stat.st_mtime_ns) for file in files if (stat := file.stat())]
    return sha256(repr(stats).encode()).hexdigest()


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
        return _dated(table.select(*PLAIN_LIST_COLUMNS, aliases, _other_codes(table.columns).alias("codes")))
    municipalities = table.filter(pl.col("code").str.contains(r"^\d{4}$") & (pl.col("code") != UNSPECIFIED_CODE))
    dates = {"valid_from": "validFrom", "valid_to": "validTo"}
    nothing = (pl.lit(None, pl.String).alias(name) for name in ("aliases", "codes"))
    return _dated(
        municipalities.select(pl.lit("municipality").alias("kind"), "code", "name", *nothing, **dates)
    ).select(_UNITS.names())


def _other_codes(columns: list[str]) -> pl.Expr:
    """Return the codes of a unit in other systems, each as `code:SYSTEM=CODE`, separated by `|`; null for none."""
    systems = [column for column in columns if column.startswith("code:")]
    codes = [pl.format("{}={}", pl.lit(column), pl.col(column)) for column in systems]
    joined = pl.concat_str(codes, separator="|", ignore_nulls=True) if codes else pl.lit(None, pl.String)
    return joined.replace("", None)


def _dated(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col("^(.*_)?valid_(from|to)$").str.to_date("%Y-%m-%d"))
