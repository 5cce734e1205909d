"""A lake that was lost, made again from ledger and landing zone: every claim, and the current release under its digest.

Deliveries are read into the lake's place through a ledger of its own, in the folder `rebuild` of the home, which makes
it resumable: what that ledger has is not read again. When the night there ends with the digest of the current release,
the installation's ledger names the new tables and batches, in one transaction. Before that, it has not changed.

What only the lost lake had is not made again: older releases, and what they changed.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.release.build import night
from flows.release.verify import fresh_installation, receive_again
from flows.releases import find_release
from infra import telemetry
from infra.files import write_atomic
from infra.lake import delta as lake
from infra.lake.item_tables import versioned_tables
from infra.ledger import backfills as ledger_backfills
from infra.ledger import erasures
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from infra.ledger.runs import publishing_lock
from infra.storage.places import Place
from schemas.errors import StoreError, UsageError

FOLDER: Final = "rebuild"
LAKE_FILE: Final = "lake.json"
"""States which lake the folder is about: a rebuild that was given up says nothing of another lake."""


@dataclass(frozen=True)
class LakeRebuild:
    """What a rebuild reads: submissions, and bytes of them; what an earlier try has read; the release, its digest.

    tables: how many tables the new release names; 0 before it is made.
    """

    release: int
    digest: str
    submissions: int
    bytes: int
    read: int
    tables: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def plan_rebuild(installation: Installation) -> LakeRebuild:
    """Return what a rebuild would read; `UsageError` where there is nothing to rebuild or something is in the way."""
    release = find_release(installation)
    unfinished = ledger_backfills.newest_unfinished(installation.engine)
    if unfinished is not None:
        raise UsageError(f"backfill {unfinished} is not finished, and what it read is lost: `engang backfills discard`")
    folder, root = installation.settings.home / FOLDER, installation.settings.lake
    known = _lake_of(folder)
    begun = known is not None and known == _identity(root)
    if not begun and (written := _written_tables(installation, root)):
        found = f"the lake {root} holds {', '.join(written[:3])}"
        raise UsageError(f"{found}; a rebuild needs an empty place: move the lake away, or set ENGANG_LAKE to another")
    wanted = _submissions(installation)
    done = _read_so_far(folder) if begun else 0
    return LakeRebuild(release["release"], release["digest"], wanted.height, int(wanted["bytes"].sum()), done)


def rebuild_lake(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> LakeRebuild:
    """Fill an empty lake with all claims and the current release; killed, it goes on where it was.

    Raises `StoreError`, and changes nothing, if a delivery cannot be read or the release would have another digest.
    """
    folder, root = installation.settings.home / FOLDER, installation.settings.lake
    with publishing_lock(installation.engine), telemetry.bound(rebuild=True), lake.opened_once():
        plan = plan_rebuild(installation)
        release, wanted = find_release(installation), _submissions(installation)
        lake.open_lake(root)
        if _lake_of(folder) != _identity(root):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_atomic(folder / LAKE_FILE, json.dumps(_identity(root)))
        fresh = _fresh(installation, release, folder)
        known = ledger_submissions.read_submissions(fresh.engine, columns=["submission_id"])
        receive_again(installation, fresh, wanted.join(known, on="submission_id", how="anti"), progress)
        batches = _batches(fresh, wanted)
        uncounted = wanted.filter(~pl.col("in_release"))["submission_id"]
        for submission in uncounted.to_list():
            ledger_submissions.set_status(fresh.engine, submission, "withdrawn")
        made = night(fresh, progress)
        if made.digest != release["digest"]:
            message = (
                f"rebuilt, release {release['release']} has the digest {made.digest}, expected {release['digest']}"
            )
            raise StoreError(f"{message}; nothing was changed. Its code lists, or its version of Engang, are needed")
        tables = find_release(fresh)["tables"]
        ledger_releases.name_rebuilt(installation.engine, release["release"], tables, batches)
    fresh.engine.dispose()
    shutil.rmtree(folder)
    return replace(plan, tables=len(tables))


def _fresh(installation: Installation, release: Release, folder: Path) -> Installation:
    """Return the installation that reads into the lake, and from the landing zone without a copy."""
    settings = installation.settings
    isolated = replace(settings.isolated_in(folder), lake_at=settings.lake, landing_at=settings.landing)
    return fresh_installation(installation, release, isolated).with_presets(first_release=release["release"])


def _submissions(installation: Installation) -> pl.DataFrame:
    """Return all submissions that have claims, or may have them again."""
    erased = erasures.read_erasures(installation.engine)["submission_id"]
    submissions = ledger_submissions.read_submissions(installation.engine)
    return submissions.filter(pl.col("status") != "rejected", ~pl.col("submission_id").is_in(erased.implode()))


def _batches(fresh: Installation, wanted: pl.DataFrame) -> pl.DataFrame:
    """Return the new batch of each submission; `StoreError` if one was not read as before."""
    read = ledger_submissions.read_submissions(fresh.engine, columns=["submission_id", "batch", "status"])
    read = read.filter(pl.col("status") != "rejected")
    missing = wanted.join(read, on="submission_id", how="anti")["submission_id"]
    if missing.len():
        message = f"{missing.len()} submissions could not be read again, the first {missing[0]}"
        raise StoreError(f"{message}; nothing was changed: `engang status` names damaged files of the landing zone")
    return read.select("submission_id", "batch")


def _read_so_far(folder: Path) -> int:
    ledger = folder / "ledger.db"
    if not ledger.exists():
        return 0
    from infra.ledger.open import open_ledger

    engine = open_ledger(f"sqlite:///{ledger}")
    try:
        return ledger_submissions.read_submissions(engine, columns=["submission_id"]).height
    finally:
        engine.dispose()


def _lake_of(folder: Path) -> list[str] | None:
    """Return the identity of the lake that the folder is about, None without one."""
    file = folder / LAKE_FILE
    return list(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def _identity(root: Place) -> list[str] | None:
    """Return what no other lake has: its place and the id that Delta gave to its table of claims."""
    return [str(root), str(lake.open_table(root, "claims").metadata().id)] if lake.exists(root, "claims") else None


def _written_tables(installation: Installation, root: Place) -> list[str]:
    """Return the tables that something was written to."""
    names = ["claims", *versioned_tables(installation.kinds.values())]
    return [name for name, version in lake.newest_versions(root, names).items() if version > 0]
