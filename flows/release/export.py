"""A release as plain files: Parquet by month, records in one file, and a release.json that describes them."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.disclosure.small_counts import SmallCounts
from flows.disclosure.withheld import without_small_counts
from flows.installation import Installation
from flows.published_tables import PublishedTables, kinds_of, released_tables, tables_of_overlap, tables_that_describe
from flows.releases import files_behind
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

    The tables of a record kind are `<table>/all.parquet`, and so is `submissions`, the deliveries behind the release. A
    table without rows is one file without rows, so that all can be read alike. Counts below the least of their concept,
    and what would give them away, are withheld. The metadata of each file names release,
    digest and table, and describes its columns. An earlier export is replaced; `UsageError` for a folder that holds
    anything else.
    """
    folder = (to or installation.settings.exports / str(release["release"])).resolve()
    if folder.exists() and not (folder / "release.json").exists():
        raise UsageError(f"{folder} already exists and holds no release: name a new folder, `--to {folder}/release`")
    kinds = kinds_of(installation, release)
    description, small = describe(release, kinds), SmallCounts(installation, release)
    with atomic_folder(folder) as temporary:
        others = (tables_of_overlap(installation, release), tables_that_describe(installation, release))
        for published in (*released_tables(installation, release), *others):
            for name in published.tables.published:
                _write_table(published, name, small, temporary / name, _metadata(description, name))
        (temporary / "submissions").mkdir()
        file = temporary / "submissions" / f"{SINGLE_PARTITION}.parquet"
        write_parquet(files_behind(installation, release), file, _metadata(description, "submissions"))
        (temporary / "release.json").write_text(json.dumps(description, ensure_ascii=False, indent=1))
    return folder


def remove_export(folder: Path) -> None:
    """Remove an exported release; of a link, what it leads to, if that is one, and the link."""
    if not folder.is_symlink():
        shutil.rmtree(folder)
        return
    if (folder / "release.json").exists():
        shutil.rmtree(folder.resolve())
    folder.unlink()


def _metadata(description: dict[str, Any], table: str) -> dict[str, str]:
    """Return the metadata of a table's files; Parquet has none of its own for a column."""
    columns = {entry["column"]: entry["means"] for entry in description["dictionary"][table]}
    values = {"release": description["release"], "digest": description["digest"], "table": table}
    texts = {name: str(value) for name, value in values.items()}
    texts["columns"] = json.dumps(columns, ensure_ascii=False)
    return {f"engang.{name}": text for name, text in texts.items()}


def _write_table(
    published: PublishedTables, name: str, small: SmallCounts, folder: Path, metadata: dict[str, str]
) -> None:
    folder.mkdir()
    tables, number = published.tables, published.release["release"]
    for partition in published.partitions(name):
        rows = without_small_counts(published.live(name, [partition]), name, small)
        if name == f"{tables.prefix}changes":
            rows = rows.filter(pl.col("release") == number)
        if partition == SINGLE_PARTITION and any(c.name == "item_id" for c in tables.published[name]):
            # all others are in the lake's order
            rows = rows.sort("item_id")
        frame = rows.select(c.name for c in tables.published[name]).collect()
        if frame.height:
            write_parquet(frame, folder / f"{partition}.parquet", metadata)
    if not any(folder.iterdir()):
        write_parquet(empty(tables.published[name]), folder / EMPTY_FILE, metadata)


def describe(release: Release, kinds: Iterable[Kind] = ()) -> dict[str, Any]:
    """Return the content of release.json: number, digest, counts, table versions, the data dictionary."""
    head = release.get("tree_head")
    return {
        "release": release["release"],
        "published_at": f"{release['published_at'].isoformat()}Z",
        "digest": release["digest"],
        "counts": release["counts"],
        "tables": release["tables"],
        "register_digest": release["register_digest"],
        "tree_head": {name: head[name] for name in ("head", "signature", "public_key")} if head else None,
        "dictionary": dictionary(kinds),
    }
