"""Erase a submission everywhere: landing zone, ledger, lake with its older versions, exports, the mart of the setting.

What stays is a tombstone: who erased it and why, and the hash by which the same bytes are refused. Each step can be
repeated, so an erasure that was cut off is completed by asking for it again.
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.attribution import attribution
from flows.installation import Installation
from flows.mart.nights import sync_after_night
from flows.package.publish import write_package
from flows.published_tables import all_item_tables
from flows.release.build import night
from flows.release.export import export_release, remove_export
from flows.release.overlap.measures import compact_measures
from flows.release.publish import publishing_run
from flows.releases import find_release, find_sites
from infra.lake import delta as lake
from infra.lake.item_tables import ItemTables, overlap_tables, versioned_tables
from infra.ledger import erasures
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.package.place import list_packages, remove_packages
from infra.storage import landing
from schemas.contract import IDENTIFIER
from schemas.errors import UsageError
from schemas.record_tables import SINGLE_PARTITION

RUN_KIND: Final = "nightly"
"""An erasure holds the publishing lock as a night does."""


@dataclass(frozen=True)
class Erasure:
    """What erasing a submission removes, and what it leaves to people.

    same_bytes: other submissions with the same bytes, which therefore stay in the landing zone. same_content: others
    that state the same: they count instead. arrivals: the objects that the sender may still have in the arrivals.
    exports, packages, sites: the folders of exported releases, of packages for analysts and of pages that are removed.
    release: the first one without it, None before it is erased.
    """

    submission: dict[str, Any]
    same_bytes: list[str]
    same_content: list[str]
    arrivals: list[str]
    exports: list[str]
    packages: list[str]
    sites: list[str]
    release: int | None = None


def plan_erasure(installation: Installation, submission: str) -> Erasure:
    """Return what erasing a submission would do; `UsageError` if there is no such submission."""
    engine = installation.engine
    ids = [submission] if re.fullmatch(IDENTIFIER, submission) else []
    known = ledger_submissions.read_submissions(engine, ids=ids)
    if known.is_empty():
        raise UsageError(f"no submission {submission!r}: ask `engang query` for the submission_id of submissions")
    row = known.row(0, named=True)
    erased = erasures.read_erasures(engine)["submission_id"].implode()
    others = pl.col("submission_id") != submission
    contract, sender, content = row["contract"], row["sender"], row["content_digest"]
    same = ledger_submissions.read_submissions(engine, sha256=row["sha256"], contract=contract, sender=sender)
    same = same.filter(others, ~pl.col("submission_id").is_in(erased))
    alike = known.clear()
    if content is not None:
        alike = ledger_submissions.read_submissions(engine, content_digest=content, contract=contract, sender=sender)
    shown = ("submission_id", "contract", "sender", "filename", "received_at", "status", "delivered", "sha256")
    exports = sorted(str(path) for path in installation.settings.exports.glob("*") if path.name.isdecimal())
    return Erasure(
        {name: row[name] for name in shown},
        same["submission_id"].to_list(),
        alike.filter(others)["submission_id"].to_list(),
        erasures.inbox_objects(engine, submission),
        exports,
        list_packages(installation.settings.packages),
        [str(folder) for folder in find_sites(installation)],
    )


def erase(
    installation: Installation,
    submission: str,
    *,
    why: str,
    who: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Erasure:
    """Erase a submission: withdraw it, publish a release without it, then remove every trace of what it holds.

    Raises `ReleaseRefused` if that release is refused: the bytes are deleted by then, and the erasure is completed when
    it is asked for again.
    """
    plan = plan_erasure(installation, submission)
    erasures.begin_erasure(installation.engine, plan.submission, **attribution(who, why))
    landing.erase_delivery(installation.landing, plan.submission, with_bytes=not plan.same_bytes)
    progress("deleted from the landing zone")
    night(installation, progress)
    with publishing_run(installation.engine, RUN_KIND):
        last = ledger_releases.current_release(installation.engine)
        _purge(installation, submission, last)
    for folder in plan.exports:
        remove_export(Path(folder))
    for folder in plan.sites:
        shutil.rmtree(folder)
    remove_packages(installation.settings.packages)
    number = None if last is None else last["release"]
    erasures.finish_erasure(installation.engine, submission, number)
    if plan.exports and number is not None:
        export_release(installation, find_release(installation))
    if number is not None:
        sync_after_night(installation, progress)
    if plan.packages and number is not None:
        write_package(installation, find_release(installation), progress=progress)
    return replace(plan, release=number)


def _purge(installation: Installation, submission: str, last: ledger_releases.Release | None) -> None:
    """Remove a submission's rows from the lake, and every older version of its tables."""
    root = installation.lake
    found = ledger_submissions.read_submission_partitions(installation.engine, ids=[submission])["partition"]
    months = [partition for partition in found if "/" not in partition]
    for tables in all_item_tables(installation):
        lake.delete_submission(root, "claims" if tables.fixed else f"{tables.items}_records", submission)
        partitions = months if tables.fixed else [SINGLE_PARTITION]
        if last is not None and partitions:
            _forget_claims(tables, partitions, last["release"])
    compact_measures(installation, months)
    if last is not None:
        # The release names the versions without the rows before the files of older ones are deleted: a night that
        # follows a crash in between restores the tables to versions that still have all their files.
        names = versioned_tables(installation.kinds.values())
        ledger_releases.update_tables(installation.engine, last["release"], lake.newest_versions(root, names))
    for name in chain(*(tables.columns for tables in (*all_item_tables(installation), overlap_tables(root)))):
        lake.remove_old_files(root, name)


def _forget_claims(tables: ItemTables, partitions: list[str], release: int) -> None:
    """Remove all that is retired from these partitions, and the values of older releases from their changes."""
    tables.compact(partitions, every=True)
    if tables.fixed:
        _forget_values(tables, partitions, release)


def _forget_values(tables: ItemTables, months: list[str], release: int) -> None:
    """Remove what older releases had published from the changes of these months; those of the release stay."""
    for month in months:
        rows = tables.scan("changes", partitions=[month]).filter(pl.col("release") >= release).collect()
        current = rows.with_columns(pl.lit(None, dtype=rows.schema["value_before"]).alias("value_before"))
        lake.overwrite(tables.root, "changes", [month], current)
