"""The tables of a package as one DuckDB file, made in bounded memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import duckdb

DUCKDB_MEMORY: Final = "1GB"
"""What DuckDB takes at most; what does not fit goes to temporary files."""
DUCKDB_THREADS: Final = 2


def write_duckdb_file(file: Path, statements: Iterable[str]) -> None:
    """Make a DuckDB file by running these statements of our own; it refers to no other file."""
    spill = file.with_suffix(".tmp")
    settings: dict[str, str | bool | int | float | list[str]] = {}
    settings |= {"memory_limit": DUCKDB_MEMORY, "threads": DUCKDB_THREADS, "temp_directory": str(spill)}
    with duckdb.connect(str(file), config=settings) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.execute("CHECKPOINT")
    if spill.exists():
        spill.rmdir()
