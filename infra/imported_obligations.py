"""Imported obligations: one Parquet file for each import, in the folder `obligations` of the home."""

from pathlib import Path

import polars as pl

from infra.files import atomic_path, write_parquet


def write_import(home: Path, name: str, obligations: pl.DataFrame) -> None:
    """Store an import; one of the same name is replaced."""
    folder = _folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / f"{name}.parquet") as path:
        write_parquet(obligations, path)


def read_imports(home: Path) -> list[pl.DataFrame]:
    """Return the stored imports, in order of name."""
    return [pl.read_parquet(path) for path in sorted(_folder(home).glob("*.parquet"))]


def _folder(home: Path) -> Path:
    return home / "obligations"
