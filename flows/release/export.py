"""A release as plain files: Parquet by month, of records whole, and a release.json that says what they are."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.releases import kinds_of
from infra.lake import access as lake_places
from infra.lake import delta as lake
from infra.lake import kind_tables as lake_records
from infra.ledger import submissions as ledger
from infra.parquet import write_parquet
from infra.storage.places import Place
from schemas.claims import PUBLISHED
from schemas.dictionary import dictionary
from schemas.errors import UsageError
from schemas.kind import Kind
from schemas.record_tables import ALL, published

AUTO_ITEMS: Final = 1_000_000
"""Up to this many items the nightly exports by itself."""


@lake_places.reading()
def export_release(installation: Installation, release: ledger.Release, to: Path | None = None) -> Path:
    """Write a release's tables as `<table>/<month>.parquet` and `release.json`, whole or not at all; return the folder.

    The tables of a record kind are `<table>/all.parquet`.
    An earlier export is replaced; `UsageError` for a folder that holds anything else.
    """
    folder = (to or installation.settings.exports / str(release["release"])).resolve()
    if folder.exists() and not (folder / "release.json").exists():
        raise UsageError(
            f"{folder} is there already and holds no release: name a folder to make, `--to {folder}/release`"
        )
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    kinds = kinds_of(installation, release)
    for name in PUBLISHED:
        _write_months(installation.settings.lake, name, release, partial / name)
    for kind in kinds:
        _write_records(installation.settings.lake, kind, release, partial)
    (partial / "release.json").write_text(json.dumps(describe(release, kinds), ensure_ascii=False, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    return folder


def _write_months(root: Place, name: str, release: ledger.Release, folder: Path) -> None:
    folder.mkdir(parents=True)
    for month in lake.partitions(root, name, release["tables"][name]):
        rows = lake.live(root, name, release["tables"], [month])
        own = rows.filter(pl.col("release") == release["release"]) if name == "changes" else rows
        frame = own.select(c.name for c in PUBLISHED[name]).collect()
        if frame.height:
            write_parquet(frame, folder / f"{month}.parquet")


def _write_records(root: Place, kind: Kind, release: ledger.Release, folder: Path) -> None:
    for name in published(kind):
        (folder / name).mkdir()
        rows = lake_records.live(root, kind, name, release["tables"])
        own = rows.filter(pl.col("release") == release["release"]) if name.endswith("_changes") else rows
        frame = own.sort("item_id").collect()
        if frame.height:
            write_parquet(frame, folder / name / f"{ALL}.parquet")


def describe(release: ledger.Release, kinds: Iterable[Kind] = ()) -> dict[str, Any]:
    """Return what release.json holds: number, digest, counts, table versions, the data dictionary."""
    return {
        "release": release["release"],
        "published_at": f"{release['published_at'].isoformat()}Z",
        "digest": release["digest"],
        "counts": release["counts"],
        "tables": release["tables"],
        "register_digest": release["register_digest"],
        "dictionary": dictionary(kinds),
    }
