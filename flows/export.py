"""A release as plain files: Parquet by month, and a release.json that says what they are."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from infra import lake, ledger
from schemas.claims import PUBLISHED
from schemas.dictionary import dictionary
from schemas.errors import UsageError

AUTO_ITEMS: Final = 1_000_000
"""Up to this many items the nightly exports by itself."""


def export_release(installation: Installation, release: ledger.Release, to: Path | None = None) -> Path:
    """Write a release's tables as `<table>/<month>.parquet` and `release.json`, whole or not at all; return the folder.

    An earlier export is replaced; `UsageError` for a folder that holds anything else.
    """
    folder = (to or installation.settings.exports / str(release["release"])).resolve()
    if folder.exists() and not (folder / "release.json").exists():
        raise UsageError(
            f"{folder} is there already and holds no release: name a folder to make, `--to {folder}/release`"
        )
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    root = installation.settings.lake
    for name in PUBLISHED:
        (partial / name).mkdir(parents=True)
        for month in lake.partitions(root, name, release["tables"][name]):
            rows = lake.live(root, name, release["tables"], [month])
            own = rows.filter(pl.col("release") == release["release"]) if name == "changes" else rows
            frame = own.select(c.name for c in PUBLISHED[name]).collect()
            if frame.height:
                frame.write_parquet(partial / name / f"{month}.parquet")
    (partial / "release.json").write_text(json.dumps(describe(release), ensure_ascii=False, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    return folder


def describe(release: ledger.Release) -> dict[str, Any]:
    """Return what release.json holds: number, digest, counts, table versions, and the data dictionary."""
    return {
        "release": release["release"],
        "published_at": f"{release['published_at'].isoformat()}Z",
        "digest": release["digest"],
        "counts": release["counts"],
        "tables": release["tables"],
        "register_digest": release["register_digest"],
        "dictionary": dictionary(),
    }
