"""Releases: find one, list them, read their tables and reporting units."""

import json
import re
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.published_tables import all_item_tables, released_tables
from infra.lake.item_tables import description_tables, overlap_tables
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.ledger.erasures import oldest_readable_release
from infra.ledger.releases import Release
from schemas.claims import EXPORTED_SUBMISSION, PUBLISHED_TABLES, frame_schema
from schemas.description_tables import DESCRIPTION_TABLES
from schemas.errors import UsageError
from schemas.overlap import MEASURED_TABLES

SITE_MARK: Final = "site.json"
"""The file by which a folder is recognised as a site, so that nothing else is ever replaced or removed."""
PAGE_LANGUAGE: Final = "en"
"""The language of the commands, and so of the pages that they and events name."""


def find_sites(installation: Installation) -> list[Path]:
    """Return the folders of the release site that hold pages: one a release, that of the newest, unfinished ones."""
    folder = installation.settings.site_folder
    unfinished = (path for end in ("partial", "previous") for path in folder.glob(f".*.{end}"))
    ours = re.compile(r"\.(release-[0-9]+|latest)\.[a-z]+")
    found = {path for path in unfinished if ours.fullmatch(path.name)}
    return sorted(found | {mark.parent for mark in folder.glob(f"*/{SITE_MARK}")})


def site_of(installation: Installation, release: int) -> Path | None:
    """Return the folder of a release's site, None if it has none."""
    folder = installation.settings.site_folder.resolve() / f"release-{release}"
    return folder if (folder / SITE_MARK).is_file() else None


def find_page(installation: Installation, path: str, number: int | None = None) -> Path | None:
    """Return a page of the site of a release, by default the current one; None if it is not there.

    path: within the folder of a language (`flows.site.find.page_path`).
    """
    current = ledger_releases.current_release(installation.engine)
    if number is None and current is not None:
        number = current["release"]
    site = None if number is None else site_of(installation, number)
    page = site / PAGE_LANGUAGE / path if site else None
    return page if page and page.is_file() else None


def page_note(installation: Installation, path: str) -> dict[str, str]:
    """Return the key `page` of an event: the page of the current release's site about it; nothing if there is none."""
    page = find_page(installation, path)
    return {"page": str(page)} if page else {}


def find_release(installation: Installation, number: int | None = None) -> Release:
    """Return release `number`, the current one by default; `UsageError` if there is none."""
    if number is None:
        current = ledger_releases.current_release(installation.engine)
        if current is None:
            raise UsageError("nothing is released yet: `engang submit` some files, then `engang nightly`")
        return current
    oldest = oldest_readable_release(installation.engine)
    if 0 < number < oldest:
        reason = "a submission was erased, or the lake rebuilt"
        raise UsageError(f"release {number} cannot be read any more: {reason}; the oldest is {oldest}")
    oldest = ledger_releases.oldest_kept_release(installation.engine)
    if 0 < number < oldest:
        raise UsageError(f"release {number} was removed (ENGANG_KEEP_RELEASES): the oldest that is kept is {oldest}")
    return published_release(installation, number)


def published_release(installation: Installation, number: int) -> Release:
    """Return what the ledger has of a release, whether or not its tables can still be read; `UsageError` if nothing."""
    rows = ledger_releases.read_releases(installation.engine).filter(pl.col("release") == number)
    for row in rows.iter_rows(named=True):
        return ledger_releases.as_release(row)
    raise UsageError(f"there is no release {number}: `engang releases` lists them")


def read_table(installation: Installation, name: str, release: Release) -> pl.LazyFrame:
    """Return the rows of one published table that belong to a release, lazily.

    The table of a record kind without records is empty; `UsageError` for a table that is not published.
    """
    root = installation.settings.lake
    for tables in (*all_item_tables(installation), overlap_tables(root), description_tables(root)):
        if name in tables.published:
            return tables.live(name, release["tables"])
    kinds = ", ".join(installation.kinds)
    names = ", ".join((*PUBLISHED_TABLES, *MEASURED_TABLES, *DESCRIPTION_TABLES))
    raise UsageError(f"no table {name!r}: a release has {names} and those of the kinds {kinds}")


def list_releases(installation: Installation) -> list[dict[str, Any]]:
    """Return every release: release, published_at, digest, counts."""
    rows = ledger_releases.read_releases(installation.engine).iter_rows(named=True)
    return [
        {**{k: r[k] for k in ("release", "published_at", "digest")}, "counts": json.loads(r["counts"])} for r in rows
    ]


def files_behind(installation: Installation, release: Release) -> pl.DataFrame:
    """Return the submissions that the release's sources name, in the order of their receipt: `EXPORTED_SUBMISSION`."""
    found = [
        published.live(f"{published.tables.prefix}sources").select("submission_id").unique().collect()
        for published in released_tables(installation, release)
    ]
    ids, schema = pl.concat(found)["submission_id"].unique().to_list(), frame_schema(EXPORTED_SUBMISSION)
    rows = ledger_submissions.read_submissions(installation.engine, ids=ids, columns=schema.names())
    return rows.sort("received_at", "submission_id").cast(schema)


def list_registered_units(installation: Installation) -> pl.DataFrame:
    """Return the register's units, one row per validity: unit_id, kind, code, name, valid_from, valid_to."""
    return installation.register.units.sort("kind", "code", "valid_from")


def list_provisional_units(installation: Installation) -> pl.DataFrame:
    """Return the units that are known only by name and not in a register: unit_id, kind, name."""
    return ledger_submissions.read_provisional_units(installation.engine)
