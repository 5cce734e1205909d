"""A release as plain files: Parquet by month, records in one file, and a release.json that describes them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.published_tables import PublishedTables, kinds_of, released_tables
from infra.files import atomic_folder, write_parquet
from infra.lake import access as lake_access
from infra.lake import delta as lake
from infra.ledger.releases import Release
from schemas.claims import empty
from schemas.dictionary import dictionary
from schemas.errors import UsageError
from schemas.kind import Kind
from schemas.record_tables import SINGLE_PARTITION

EMPTY_FILE: Final = "empty.parquet"
AUTO_ITEMS: Final = 1_000_000
"""Up to this many items, the nightly exports by itself."""


@lake.opened_once()
@lake_access.scan_errors()
def export_release(installation: Installation, release: Release, to: Path | None = None) -> Path:
    """Write a release's tables as `<table>/<month>.parquet` and `release.json`, all or nothing; return the folder.

    The tables of a record kind are `<table>/all.parquet`. An earlier export is replaced; `UsageError` for a folder that
    holds anything else. A table without rows is one file without rows, so that all can be read alike.
    """
    folder = (to or installation.settings.exports / str(release["release"])).resolve()
    if folder.exists() and not (folder / "release.json").exists():
        raise UsageError(f"{folder} already exists and holds no release: name a new folder, `--to {folder}/release`")
    kinds = kinds_of(installation, release)
    with atomic_folder(folder) as temporary:
        for published in released_tables(installation, release):
            for name in published.tables.published:
                _write_table(published, name, temporary / name)
        (temporary / "release.json").write_text(json.dumps(describe(release, kinds), ensure_ascii=False, indent=1))
    return folder


def _write_table(published: PublishedTables, name: str, folder: Path) -> None:
    folder.mkdir()
    tables, number = published.tables, published.release["release"]
    for partition in published.partitions(name):
        rows = published.live(name, [partition])
        if name == f"{tables.prefix}changes":
            rows = rows.filter(pl.col("release") == number)
        if partition == SINGLE_PARTITION:  # months of observations are written in the order of the lake
            rows = rows.sort("item_id")
        frame = rows.select(c.name for c in tables.published[name]).collect()
        if frame.height:
            write_parquet(frame, folder / f"{partition}.parquet")
    if not any(folder.iterdir()):
        write_parquet(empty(tables.published[name]), folder / EMPTY_FILE)


def describe(release: Release, kinds: Iterable[Kind] = ()) -> dict[str, Any]:
    """Return the content of release.json: number, digest, counts, table versions, the data dictionary."""
    return {
        "release": release["release"],
        "published_at": f"{release['published_at'].isoformat()}Z",
        "digest": release["digest"],
        "counts": release["counts"],
        "tables": release["tables"],
        "register_digest": release["register_digest"],
        "dictionary": dictionary(kinds),
    }
