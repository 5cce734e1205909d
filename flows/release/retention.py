"""Retention: the newest releases can be read, what only older ones have is removed from lake, exports, site, packages.

The landing zone and the ledger are never touched: receipts and their proofs, `engang verify` and a rebuild need nothing
else of the past. What a backfill has read waits in the table of claims, of which only replaced files go.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.release.export import remove_export
from flows.releases import site_of
from infra.lake import delta as lake
from infra.lake import retention as lake_retention
from infra.lake.item_tables import versioned_tables
from infra.lake.retention import SupersededFiles
from infra.ledger import releases as ledger_releases
from infra.ledger.releases import Release, as_release
from infra.ledger.runs import publishing_lock
from infra.ledger.sql import utc_now
from infra.package.place import list_packages, remove_versions
from infra.storage.places import Place

FEWEST_KEPT: Final = 2
"""The current release, and the one before: what it changed can be looked at."""


@dataclass(frozen=True)
class Removal:
    """What is removed, or would be.

    releases: the numbers of all that cannot be read afterwards, those removed before included. files, bytes: of the
    lake. exports, sites: folders. packages: numbers of releases.
    """

    releases: list[int]
    files: int
    bytes: int
    exports: list[str]
    sites: list[str]
    packages: list[int]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def plan_removal(installation: Installation, keep: int | None = None) -> Removal:
    """Return what `remove_old_releases` would remove now."""
    return _removal(installation, keep, lake_retention.superseded_files)


def remove_old_releases(installation: Installation, keep: int | None = None) -> Removal:
    """Keep the newest releases, by default ENGANG_KEEP_RELEASES of them (0 is all), and remove what only others have.

    Nothing is removed while another run publishes: raises `StoreError`. Killed, it is completed by the next one.
    """
    with publishing_lock(installation.engine):
        # Readers are refused before a file goes. Who reads a release at that moment has a day to end.
        old, first = _old_releases(installation, keep)
        if old:
            ledger_releases.mark_removed(installation.engine, first)
        done = _removal(installation, keep, lake_retention.remove_superseded)
        for path in done.exports:
            remove_export(Path(path))
        for path in done.sites:
            shutil.rmtree(path)
        if done.packages:
            remove_versions(installation.settings.packages, done.packages)
    return done


def _old_releases(installation: Installation, keep: int | None) -> tuple[list[int], int]:
    """Return the releases that are not kept, those removed before included, and the oldest one that is."""
    number = installation.settings.keep_releases if keep is None else keep
    numbers = ledger_releases.read_releases(installation.engine)["release"].to_list()
    newest = numbers if number == 0 else numbers[-max(number, FEWEST_KEPT) :]
    first = max([ledger_releases.oldest_kept_release(installation.engine), *newest[:1]])
    return [release for release in numbers if release < first], first


def _releases_with_files(installation: Installation, first: int) -> list[Release]:
    """Return the releases whose files stay now: those that are kept, and those that `GRACE` ago could still be read."""
    rows = ledger_releases.read_releases(installation.engine)
    recently = (pl.col("removed_at") > utc_now() - lake_retention.GRACE).fill_null(True)
    return [as_release(row) for row in rows.filter((pl.col("release") >= first) | recently).to_dicts()]


def _removal(
    installation: Installation,
    keep: int | None,
    files_of: Callable[[Place, str, int | None, datetime], SupersededFiles],
) -> Removal:
    old, first = _old_releases(installation, keep)
    settings, staying = installation.settings, _releases_with_files(installation, first)
    found = [files_of(settings.lake, *each) for each in _oldest_needed(installation, staying)]
    files = [file for each in found for file in each.every]
    packaged = {place.rstrip("/").rpartition("/")[2] for place in list_packages(settings.packages)}
    return Removal(
        releases=old,
        files=len(files),
        bytes=sum(each.bytes for each in files),
        exports=_exports(installation, old),
        sites=[str(site) for number in old if (site := site_of(installation, number)) is not None],
        packages=[number for number in old if str(number) in packaged],
    )


def _exports(installation: Installation, numbers: list[int]) -> list[str]:
    folders = (installation.settings.exports / str(number) for number in numbers)
    return [str(folder) for folder in folders if folder.is_symlink() or folder.exists()]


def _oldest_needed(installation: Installation, staying: list[Release]) -> Iterator[tuple[str, int | None, datetime]]:
    """Yield each table with the oldest version that is needed, None where releases name none, and since when it is."""
    for name in versioned_tables(installation.kinds.values()):
        oldest = next((each for each in staying if name in each["tables"]), None)
        if oldest is not None:
            yield name, oldest["tables"][name], oldest["published_at"]
    for name in ("claims", *(f"{kind}_records" for kind in installation.kinds)):
        if staying and lake.exists(installation.settings.lake, name):
            yield name, None, staying[0]["published_at"]
