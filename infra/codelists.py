"""Code-list snapshots: the folder's files, each known by its header, as the two frames a register is built from.

Known are a plain list (kind, code, name, valid_from, valid_to and, optionally, aliases), a KLASS table of changes
(old_code ... new_valid_to) and a KLASS code list (code, parentCode, level, name ...). Any other file is left alone.
"""

from pathlib import Path
from typing import Final, NamedTuple

import polars as pl
from polars.exceptions import PolarsError

from schemas.errors import RegisterError

CORE: Final = Path(__file__).parent.parent / "schemas" / "codelists" / "core.csv"
"""The nation and its counties (the electoral districts among them): always loaded."""
LISTED: Final = ("kind", "code", "name", "valid_from", "valid_to")
CHANGED: Final = tuple(f"{side}_{f}" for side in ("old", "new") for f in ("code", "name", "valid_from", "valid_to"))
KLASS: Final = ("code", "parentCode", "level", "name", "validFrom", "validTo")
MUNICIPALITY: Final = "municipality"
NOT_STATED: Final = "9999"
"""KLASS's code for a municipality that is not stated: no unit."""


class CodeLists(NamedTuple):
    """A snapshot as read: what `transforms.register.lookup.build_register` takes, in its order."""

    units: pl.DataFrame
    changes: pl.DataFrame


def read_codelists(folder: Path) -> CodeLists:
    """Read the known files in and under the folder, and the core list.

    A folder without a known file, or a known file that cannot be read, is a RegisterError.
    """
    frames = [frame for path in sorted(folder.rglob("*.csv")) if (frame := _read(path)) is not None]
    if not frames:
        raise RegisterError(
            f"found no code list in {folder}, expected a CSV file with the header {','.join(LISTED)} or "
            f"{','.join(CHANGED)}; set ENGANG_CODELISTS to the folder that holds one"
        )
    core = _read(CORE)
    units = [f for f in (core, *frames) if f is not None and "code" in f.columns]
    nothing = _dated(pl.DataFrame(schema=dict.fromkeys(("kind", *CHANGED), pl.String)))
    changes = [nothing, *(f for f in frames if "code" not in f.columns)]
    return CodeLists(pl.concat(units), pl.concat(changes))


def _read(path: Path) -> pl.DataFrame | None:
    """Return a file's units or changes, as its header says which; None for a header that is not known."""
    text = _text(path.read_bytes())
    header = text.split("\n", 1)[0]
    separator = ";" if header.count(";") > header.count(",") else ","
    columns = {name.strip().strip('"') for name in header.split(separator)}
    if not any(columns.issuperset(known) for known in (LISTED, CHANGED, KLASS)):
        return None
    try:
        table = pl.read_csv(text.encode(), separator=separator, infer_schema=False)
        return _shaped(table.with_columns(pl.all().str.strip_chars().replace("", None)))
    except PolarsError as error:
        raise RegisterError(f"cannot read the code list {path}: {error}; dates are written YYYY-MM-DD") from error


def _text(data: bytes) -> str:
    """Return a list's text: UTF-8, or Latin-1 as the older exports are."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _shaped(table: pl.DataFrame) -> pl.DataFrame:
    if set(CHANGED) <= set(table.columns):
        kind = "kind" if "kind" in table.columns else pl.lit(MUNICIPALITY).alias("kind")
        return _dated(table.select(kind, *CHANGED))
    if set(LISTED) <= set(table.columns):
        aliases = "aliases" if "aliases" in table.columns else pl.lit(None, pl.String).alias("aliases")
        return _dated(table.select(*LISTED, aliases))
    municipalities = table.filter(pl.col("code").str.contains(r"^\d{4}$") & (pl.col("code") != NOT_STATED))
    dates = {"valid_from": "validFrom", "valid_to": "validTo"}
    nothing = pl.lit(None, pl.String).alias("aliases")
    return _dated(municipalities.select(pl.lit(MUNICIPALITY).alias("kind"), "code", "name", nothing, **dates)).select(
        *LISTED, "aliases"
    )


def _dated(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col("^(.*_)?valid_(from|to)$").str.to_date("%Y-%m-%d"))
