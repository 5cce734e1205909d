"""What the metadata of one package is made of: its release, its tables, its files."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas.package_tables import PackageTable
from schemas.publication import Publication

LICENCE_ADDRESSES: Final = {
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "NLOD-2.0": "https://data.norge.no/nlod/no/2.0",
}
"""Licences by their SPDX id, and where their text is."""
PARQUET_FORM: Final = "parquet"
CSV_FORM: Final = "csv"
MEDIA_TYPES: Final = {
    PARQUET_FORM: "application/vnd.apache.parquet",
    CSV_FORM: "text/csv",
    "duckdb": "application/vnd.duckdb",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True)
class PackageFile:
    """One file of a package: its path in it, its size and SHA-256, and its table with the number of rows, if any."""

    path: str
    form: str
    bytes: int
    sha256: str
    table: str | None = None
    rows: int = 0


@dataclass(frozen=True)
class PackageContent:
    """One package: the release that it is of, its tables with the number of their rows, and its files."""

    release: int
    published_at: datetime
    digest: str
    counts: dict[str, Any]
    publication: Publication
    tables: tuple[PackageTable, ...]
    rows: dict[str, int]
    files: tuple[PackageFile, ...]

    @property
    def version(self) -> str:
        """The version of the package."""
        return f"{self.release}.0.0"

    def file_of(self, table: str, form: str) -> PackageFile | None:
        """Return the file of a table in this form; None if it has none."""
        return next((file for file in self.files if (file.table, file.form) == (table, form)), None)
