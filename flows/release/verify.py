"""The proof that incremental is full: a rebuild from the landing zone, in a scratch folder, gives the same digest."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from flows.installation import Installation
from flows.intake.registration import Delivery, receive
from flows.release.build import night
from flows.releases import kinds_of, released
from infra import telemetry
from infra.lake import access as lake_places
from infra.lake import delta as lake
from infra.lake import kind_tables as lake_records
from infra.ledger import records as ledger_records
from infra.ledger import submissions as ledger
from infra.storage import landing
from schemas.contract import Contract
from transforms import identity as identify
from transforms.observations.consolidate import lane_sums
from transforms.records.content import record_content, record_lane_sums


@dataclass(frozen=True)
class Verdict:
    """What the current release's digest is by the ledger, by the lake as it stands, and by a rebuild."""

    release: int
    ledger: str
    lake: str
    rebuilt: str
    submissions: int

    @property
    def same(self) -> bool:
        """Whether all three are one."""
        return self.ledger == self.lake == self.rebuilt

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as plain values."""
        return {**asdict(self), "same": self.same}


@lake_places.reading()
def verify(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> Verdict:
    """Rebuild the current release from the landing zone and compare digests; raises `UsageError` without a release.

    Every submission is read with the contract it was first read with; the register of units is today's.
    """
    release = released(installation)
    progress("reading the lake")
    standing = lake_digest(installation, release)
    with telemetry.bound(rebuild=True), tempfile.TemporaryDirectory(prefix="engang-verify-") as scratch:
        rebuilt = rebuild(installation, release, Path(scratch), progress)
    counted = ledger.submission_counts(installation.engine, in_release=True)["submissions"].sum()
    return Verdict(release["release"], release["digest"], standing, rebuilt, int(counted))


def lake_digest(installation: Installation, release: ledger.Release) -> str:
    """Return the digest of what the lake really holds of a release."""
    root, sums = installation.settings.lake, [0] * len(identify.LANES)
    for month in lake.partitions(root, "observations", release["tables"]["observations"]):
        tables = (lake.live(root, name, release["tables"], [month]).collect() for name in ("observations", "sources"))
        sums = [s + x for s, x in zip(sums, lane_sums(*tables), strict=True)]
    for kind in kinds_of(installation, release):
        names = (kind.kind, f"{kind.kind}_sources")
        items, sources = (lake_records.live(root, kind, name, release["tables"]).collect() for name in names)
        sums = [s + x for s, x in zip(sums, record_lane_sums(record_content(items, sources, kind)), strict=True)]
    return identify.digest(tuple(sums))


def rebuild(installation: Installation, release: ledger.Release, scratch: Path, progress: Callable[[str], None]) -> str:
    """Receive what a release counts from the landing zone into a new installation and return its release's digest."""
    submissions = ledger.submissions(installation.engine, in_release=True)
    settings = installation.settings.alone_in(scratch)
    lake.open_lake(settings.lake)
    fresh = Installation(settings, ledger.open_ledger(settings.ledger_url))
    fresh.__dict__["register"] = installation.register  # a cached property, given instead of read again
    fresh.__dict__["kinds"] = installation.kinds
    _know(installation, fresh, release)
    texts = {row["digest"]: row["text"] for row in ledger.contracts(installation.engine).iter_rows(named=True)}
    done = 0
    for (digest,), group in submissions.group_by("contract_digest", maintain_order=True):
        contract = Contract.model_validate_json(texts[str(digest)])
        fresh.__dict__["contracts"] = {contract.contract: contract}
        for receipts in receive(fresh, _deliveries(installation, group)):
            done += len(receipts)
            progress(f"read {done} of {submissions.height} submissions again")
    return night(fresh, progress).digest or identify.digest((0,) * len(identify.LANES))


def _know(installation: Installation, fresh: Installation, release: ledger.Release) -> None:
    """Tell the new ledger the decisions and models of the release: all that records follow from but deliveries."""
    told = ledger_records.decisions(installation.engine).filter("in_release")
    ledger_records.add_decisions(fresh.engine, told.select(ledger_records.SAID))
    for kind, matched in release["models"].items():
        model = ledger_records.model(installation.engine, matched["model_digest"])
        if model is not None:  # else it is the one that ships with the kind, or there was none
            ledger_records.add_model(fresh.engine, model)
            ledger_records.pin_model(fresh.engine, kind, model["digest"], who="verify", why="as in the release")


def _deliveries(installation: Installation, submissions: pl.DataFrame) -> Iterator[Delivery]:
    wanted = submissions.select("contract", "sender", "sha256", "bytes").iter_rows()
    each = landing.get_each(installation.landing, wanted)
    for row, data in zip(submissions.iter_rows(named=True), each, strict=True):
        yield Delivery(row["filename"], data, row["contract"], row["sender"], row["period"])
