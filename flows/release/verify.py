"""The proof that incremental is full: a rebuild from the landing zone, in a scratch folder, has the same digest."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Any

import polars as pl

from flows.installation import Installation, Presets
from flows.intake.deliveries import Delivery
from flows.intake.registration import receive
from flows.published_tables import overlap_lanes, released_tables
from flows.release.build import night
from flows.release.tree.check import check_tree
from flows.releases import find_release
from infra import telemetry
from infra.lake import access as lake_access
from infra.lake import delta as lake
from infra.ledger import decisions as ledger_decisions
from infra.ledger import models as ledger_models
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.ledger.open import open_ledger
from infra.ledger.releases import Release
from infra.settings import Settings
from infra.storage import landing
from schemas.contract import Contract
from transforms import identity


@dataclass(frozen=True)
class Verdict:
    """The digest of the current release by the ledger, by what the lake holds, and by a rebuild.

    overlap_*: the same of its tables of overlap; empty for a release of an older version of Engang, which has none.
    register_changed: whether the register of units is another one than when the release was published. The rebuild
    reads by today's: rows of units that are known only now make a difference until a backfill has read them again.
    tree_heads: how many releases have the signed head of a tree; tree_faults: what is wrong with it or its leaves.
    fates_*: digests of the bucket of each row, by the leaves and by the rebuild; empty without a tree.
    """

    release: int
    ledger: str
    lake: str
    rebuilt: str
    submissions: int
    register_changed: bool
    overlap_ledger: str = ""
    overlap_lake: str = ""
    overlap_rebuilt: str = ""
    tree_heads: int = 0
    tree_faults: tuple[str, ...] = ()
    fates_ledger: str = ""
    fates_rebuilt: str = ""

    @property
    def same(self) -> bool:
        """Whether all three are equal, of facts and of overlap, and the tree is sound and states the same."""
        if self.tree_faults or self.fates_ledger != self.fates_rebuilt:
            return False
        measured = not self.overlap_ledger or self.overlap_ledger == self.overlap_lake == self.overlap_rebuilt
        return measured and self.ledger == self.lake == self.rebuilt

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as plain values."""
        return {**asdict(self), "same": self.same}


@lake_access.scan_errors()
def verify(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> Verdict:
    """Rebuild the current release from the landing zone and compare digests; raises `UsageError` without a release.

    Every submission is read with the contract it was first read with; the register of units is today's.
    """
    release = find_release(installation)
    progress("reading the lake")
    in_lake = lake_digest(installation, release)
    with telemetry.bound(rebuild=True), tempfile.TemporaryDirectory(prefix="engang-verify-") as scratch:
        rebuilt, overlap, fates = rebuild(installation, release, Path(scratch), progress)
    counted = ledger_submissions.count_submissions(installation.engine, in_release=True)["submissions"].sum()
    changed = release["register_digest"] != installation.register.digest
    digests = (release["digest"], in_lake, rebuilt)
    measured = overlap_digest(release)
    overlaps = (measured, identity.digest(overlap_lanes(installation, release)), overlap) if measured else ("",) * 3
    verdict = Verdict(release["release"], *digests, int(counted), changed, *overlaps)
    if release.get("tree_head") is None:
        return verdict
    progress("checking the tree")
    tree = check_tree(installation.engine, _counted_ids(installation))
    return replace(
        verdict,
        tree_heads=tree.heads,
        tree_faults=tuple(tree.faults),
        fates_ledger=tree.fates,
        fates_rebuilt=fates,
    )


def _counted_ids(installation: Installation) -> list[str]:
    ids = ledger_submissions.read_submissions(installation.engine, in_release=True, columns=["submission_id"])
    return ids["submission_id"].to_list()


def overlap_digest(release: Release | None) -> str:
    """Return the digest of a release's tables of overlap; that of nothing without one, empty if it has none."""
    if release is None:
        return identity.digest((0,) * len(identity.LANES))
    lanes = release["digest_lanes"].split(",")[len(identity.LANES) :]
    return identity.digest(tuple(map(int, lanes))) if lanes else ""


@lake.opened_once()
def lake_digest(installation: Installation, release: Release) -> str:
    """Return the digest of what the lake really holds of a release."""
    lanes = (published.digest_lanes() for published in released_tables(installation, release))
    return identity.digest(tuple(map(sum, zip(*lanes, strict=True))))


def rebuild(
    installation: Installation, release: Release, scratch: Path, progress: Callable[[str], None]
) -> tuple[str, str, str]:
    """Receive what a release counts from the landing zone into a new installation; return its release's digests.

    They are that of its items, that of its tables of overlap, and that of the bucket of each row.
    """
    submissions = ledger_submissions.read_submissions(installation.engine, in_release=True)
    fresh, digest = rebuild_from(installation, release, submissions, scratch, progress)
    fates = check_tree(fresh.engine, submissions["submission_id"].to_list()).fates
    return digest, overlap_digest(ledger_releases.current_release(fresh.engine)), fates


def rebuild_from(
    installation: Installation,
    release: Release,
    submissions: pl.DataFrame,
    scratch: Path,
    progress: Callable[[str], None],
) -> tuple[Installation, str]:
    """Receive these submissions from the landing zone into a new installation; return it and its release's digest."""
    fresh = fresh_installation(installation, release, installation.settings.isolated_in(scratch))
    receive_again(installation, fresh, submissions, progress)
    return fresh, night(fresh, progress).digest or identity.digest((0,) * len(identity.LANES))


def fresh_installation(installation: Installation, release: Release, settings: Settings) -> Installation:
    """Return an installation without deliveries that knows what the release followed from besides; made if missing."""
    compared = release["counts"].get("figures_compared_at_most", 0)  # an older release has no table `suspected`
    settings = replace(settings, discovery_figures=compared)
    lake.open_lake(settings.lake)
    given = Presets(contracts={}, kinds=installation.kinds, register=installation.register)
    fresh = Installation(settings, open_ledger(settings.ledger_url), given)
    _copy_knowledge(installation, fresh, release)
    return fresh


def receive_again(
    installation: Installation, fresh: Installation, submissions: pl.DataFrame, progress: Callable[[str], None]
) -> None:
    """Receive these submissions from the landing zone into a fresh installation, each by the contract that read it."""
    texts = {
        row["digest"]: row["text"]
        for row in ledger_submissions.read_contracts(installation.engine).iter_rows(named=True)
    }
    done = 0
    for (digest,), group in submissions.group_by("contract_digest", maintain_order=True):
        contract = Contract.model_validate_json(texts[str(digest)])
        reader = fresh.with_presets(contracts={contract.contract: contract})
        for receipts in receive(reader, _deliveries(installation, group)):
            done += len(receipts)
            progress(f"read {done} of {submissions.height} submissions again")


def _copy_knowledge(installation: Installation, fresh: Installation, release: Release) -> None:
    """Copy the decisions and models of the release: besides deliveries, all that records follow from."""
    decisions = ledger_decisions.read_decisions(installation.engine).filter("in_release")
    ledger_decisions.add_decisions(fresh.engine, decisions.select(ledger_decisions.DECISION_CONTENT))
    for kind, matched in release["models"].items():
        model = ledger_models.find_model(installation.engine, matched["model_digest"])
        if model is not None:  # else it ships with the kind, or there was none
            ledger_models.add_model(fresh.engine, model)
            ledger_models.write_pin(fresh.engine, kind, model["digest"], who="verify", why="as in the release")


def _deliveries(installation: Installation, submissions: pl.DataFrame) -> Iterator[Delivery]:
    wanted = submissions.select("contract", "sender", "sha256", "bytes").iter_rows()
    each = landing.get_each(installation.landing, wanted)
    for row, data in zip(submissions.iter_rows(named=True), each, strict=True):
        stated = {name: row[name] for name in ("period", "as_of", "replaces")}
        received_at = row["received_at"].replace(tzinfo=UTC)
        yield Delivery(row["filename"], data, row["contract"], row["sender"], received_at=received_at, **stated)
