"""Obligations that registers and inventories describe: no contract answers them here, and no data is needed.

Each import is one Parquet file in the folder `obligations` of the home, replaced when it is imported again. The table
`obligations` of the next release has its rows too.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from infra.files import check_input
from infra.imported_obligations import read_imports, write_import
from schemas.errors import UsageError
from transforms.descriptions import obligation_rows
from transforms.overlap.imports.declared import contained_elsewhere, declared_overlap, items_of_agencies, unanswered
from transforms.overlap.imports.eba import read_eba, read_rules, stated_sums
from transforms.overlap.imports.kostra import read_kostra
from transforms.overlap.imports.matrix import read_matrix
from transforms.overlap.imports.oppgaveregisteret import read_oppgaveregisteret
from transforms.overlap.imports.us_inventory import read_us_inventory

MOST_BYTES: Final = 200 * 2**20
READERS: Final[dict[str, Callable[[bytes, str], pl.DataFrame]]] = {
    "oppgaveregisteret": lambda data, _: read_oppgaveregisteret(data),
    "us-inventory": lambda data, _: read_us_inventory(data),
    "matrix": read_matrix,
    "eba": lambda data, _: read_eba(data),
    "kostra": lambda data, _: read_kostra(data),
}
"""What a file may be from -> its reader, of the bytes and the name of the import."""
_NAME: Final = r"[a-z0-9][a-z0-9_.-]{0,40}"


def import_obligations(
    installation: Installation, file: Path, source: str, name: str | None = None, *, dry_run: bool = False
) -> dict[str, Any]:
    """Read the obligations of a file and store them; return what they ask. Raises `UsageError`.

    name: of the import, by default the file's. It comes to: name, obligations, items, cells, shared (items that two
    agencies or more ask for), contained (obligations that ask nothing that one obligation of another agency does not).
    """
    import_name = name or re.sub(r"[^a-z0-9_.-]+", "-", file.stem.lower())
    if source not in READERS or not re.fullmatch(_NAME, import_name):
        names = ", ".join(READERS)
        raise UsageError(f"an import is from one of {names}, and its name is of small letters, digits, '.', '_', '-'")
    found = _read(file, source, import_name)
    if found.is_empty() or found["obligation"].is_duplicated().any() or found["register_id"].null_count():
        raise UsageError(f"{file}: no obligation in it, one twice, or one without a number")
    if not dry_run:
        write_import(installation.settings.home, import_name, found)
    asked = items_of_agencies(found)
    return {
        "name": import_name,
        "obligations": found.height,
        "items": asked.height,
        "cells": int(found["items"].list.n_unique().sum()),
        "shared": asked.filter(pl.col("agencies") > 1).height,
        "contained": contained_elsewhere(found).height,
        "stored": not dry_run,
    }


def _read(file: Path, source: str, import_name: str) -> pl.DataFrame:
    """Return the obligations of a file, which others wrote: whatever its reader fails by is an error of the file."""
    data = _bytes_of(file)
    try:
        return READERS[source](data, import_name)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    except (ArithmeticError, RecursionError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        problem = f"found a value that no file of {source} has ({type(error).__name__})"
        raise UsageError(f"{file}: {problem}: import it as its register gives it") from error


def _bytes_of(file: Path) -> bytes:
    try:
        check_input(file, MOST_BYTES)
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None


def list_stated_sums(file: Path) -> list[dict[str, Any]]:
    """Return the rules of a data point model that state a sum or an equality: code, kind, total, parts."""
    return stated_sums(read_rules(_bytes_of(file))).to_dicts()


def declared_pairs(installation: Installation) -> list[dict[str, Any]]:
    """Return the pairs of imported obligations that ask for a common item, those with most first."""
    own = obligation_rows(installation.contracts.values())
    return declared_overlap(unanswered(read_imports(installation.settings.home), own)).to_dicts()
