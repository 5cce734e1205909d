"""The proof that incremental is full: a rebuild from the landing zone, in a scratch folder, gives the same digest."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from flows.installation import Installation
from flows.night import night
from flows.reading import released
from flows.receiving import Delivery, receive
from infra import lake, landing, ledger
from schemas.contract import Contract
from transforms import identify
from transforms.consolidate import lane_sums


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


def verify(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> Verdict:
    """Rebuild the current release from the landing zone and compare digests; raises `UsageError` without a release.

    Every submission is read with the contract it was first read with; the register of units is today's.
    """
    release = released(installation)
    progress("reading the lake")
    standing = lake_digest(installation, release)
    counted = ledger.submissions(installation.engine, in_release=True)
    with tempfile.TemporaryDirectory(prefix="engang-verify-") as scratch:
        rebuilt = rebuild(installation, counted, Path(scratch), progress)
    return Verdict(release["release"], release["digest"], standing, rebuilt, counted.height)


def lake_digest(installation: Installation, release: ledger.Release) -> str:
    """Return the digest of what the lake really holds of a release."""
    root, sums = installation.settings.lake, [0] * len(identify.LANES)
    for month in lake.partitions(root, "observations", release["tables"]["observations"]):
        tables = (lake.live(root, name, release["tables"], [month]).collect() for name in ("observations", "sources"))
        sums = [s + x for s, x in zip(sums, lane_sums(*tables), strict=True)]
    return identify.digest(tuple(sums))


def rebuild(
    installation: Installation, submissions: pl.DataFrame, scratch: Path, progress: Callable[[str], None]
) -> str:
    """Receive these submissions from the landing zone into a new installation and return its release's digest."""
    lake.open_lake(scratch / "lake")
    settings = replace(installation.settings, home=scratch, ledger_url=f"sqlite:///{scratch / 'ledger.db'}")
    fresh = Installation(settings, ledger.open_ledger(settings.ledger_url))
    fresh.__dict__["register"] = installation.register  # a cached property, given instead of read again
    texts = {row["digest"]: row["text"] for row in ledger.contracts(installation.engine).iter_rows(named=True)}
    done = 0
    for (digest,), group in submissions.group_by("contract_digest", maintain_order=True):
        contract = Contract.model_validate_json(texts[str(digest)])
        fresh.__dict__["contracts"] = {contract.contract: contract}
        for receipts in receive(fresh, _deliveries(installation, group)):
            done += len(receipts)
            progress(f"read {done} of {submissions.height} submissions again")
    return night(fresh, progress).digest or identify.digest((0,) * len(identify.LANES))


def _deliveries(installation: Installation, submissions: pl.DataFrame) -> Iterator[Delivery]:
    for row in submissions.iter_rows(named=True):
        data = landing.get(installation.settings.landing, row["contract"], row["sender"], row["sha256"])
        yield Delivery(row["filename"], data, row["contract"], row["sender"], row["period"])
