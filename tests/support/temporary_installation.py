"""Installations that live as long as one example: what those of observations and those of records have in common."""

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from flows import releases as reading
from flows.installation import Installation
from flows.intake import registration as receiving
from flows.intake.deliveries import Delivery
from flows.intake.receipt import Receipt
from flows.release import build as nights
from flows.release.verify import lake_digest
from infra.checks import engine as checks
from infra.lake import delta as lake
from infra.lake import item_tables
from infra.ledger import releases as ledger_releases
from infra.ledger.open import open_ledger
from infra.ledger.tree import read_leaves
from infra.settings import DEMO_CODELISTS, read_settings
from transforms.receipts.leaves import stated_rows, unpacked


def opened(home: Path) -> Installation:
    """Open an installation, made where it is not there yet."""
    home.mkdir(exist_ok=True)
    settings = replace(read_settings(home), codelists=DEMO_CODELISTS, ledger_url=f"sqlite:///{home / 'ledger.db'}")
    lake.open_lake(settings.lake)
    return Installation(settings, open_ledger(settings.ledger_url))


def as_file(lines: Iterable[Sequence[str]], wrapping: Any) -> bytes:
    """Return lines of cells as they are delivered: quoted or not, ended and begun as the wrapping says."""
    mark, end = '"' if wrapping.quoted else "", "\r\n" if wrapping.crlf else "\n"
    text = "".join(";".join(f"{mark}{cell}{mark}" for cell in line) + end for line in lines)
    return text.encode("utf-8-sig" if wrapping.bom else "utf-8")


RECEIPT_MINUTES = 40
"""Deliveries are received within so many minutes, so some at the same time."""


def receipt_of(data: bytes, contract: str, sender: str) -> datetime:
    """Return when a file is received: a landing note is never written again, so the same file has the same time."""
    known = hashlib.sha256(b"\0".join((data, contract.encode(), sender.encode()))).digest()
    return datetime(2026, 2, 1, tzinfo=UTC) + timedelta(minutes=int.from_bytes(known[:4]) % RECEIPT_MINUTES)


class Life:
    """An installation to which anything comes; `file_of` writes what is sent to it."""

    file_of: Callable[[Any], bytes]

    def __init__(self, installation: Installation, **known: object) -> None:
        """Take an installation and spare it the reading of what is known: of what never changes."""
        self.installation = installation.with_presets(**known)
        self.read_since_night: dict[tuple[str, int], Any] = {}
        """Tables by name and release, so that each is read once between two nights."""

    def deliver(self, several: Iterable[Any]) -> list[Receipt]:
        """Deliver, the product deciding what is one batch."""
        files = [self._delivery(f"{n}.csv", self.file_of(s), s) for n, s in enumerate(several)]
        return [receipt for batch in receiving.receive(self.installation, files) for receipt in batch]

    @staticmethod
    def _delivery(name: str, data: bytes, sent: Any) -> Delivery:
        stated = {"as_of": getattr(sent, "as_of", None), "replaces": getattr(sent, "replaces", None)}
        at = receipt_of(data, sent.contract, sent.sender)
        return Delivery(name, data, sent.contract, sent.sender, received_at=at, **stated)

    def withdraw(self, submission: str) -> bool:
        """Withdraw one submission."""
        return receiving.withdraw(self.installation, submission)

    def publish(self) -> nights.Night:
        """Publish; the digest is that of what the lake holds."""
        self.read_since_night.clear()
        done = nights.night(self.installation)
        if done.release is not None:
            assert done.digest == lake_digest(self.installation, reading.find_release(self.installation))
        return done

    def night(self) -> nights.Night:
        """Publish; and the leaves state each row that the release counts, always."""
        done = self.publish()
        if done.release is not None:
            assert_stated(self.installation, done.release)
        return done


def assert_stated(installation: Installation, release: int) -> None:
    """See that the leaves state a bucket for as many rows of each submission as the release counts in it."""
    head = reading.find_release(installation, release)["tree_head"]
    assert head is not None
    stated: dict[str, list[dict[str, Any]]] = {}
    for leaf in read_leaves(installation.engine, None, head["size"]).iter_rows(named=True):
        stated.setdefault(leaf["submission_id"], []).append(json.loads(unpacked(leaf["content"])))
    counts: dict[str, dict[str, int]] = {}
    rows = ledger_releases.read_row_counts(installation.engine, release)
    for submission, bucket, count in rows.select("submission_id", "bucket", "rows").iter_rows():
        counts.setdefault(submission, {})[bucket] = count
    for submission, leaves in stated.items():
        known = {bucket: count for bucket, count in counts[submission].items() if count}
        assert leaves[-1]["buckets"] == known
        buckets, rest = stated_rows(leaves)
        claimed = Counter({name: count for name, count in known.items() if name not in {"rejected", "ignored"}})
        found = Counter(bucket for bucket in buckets.values() if bucket != "rejected")
        assert (found if rest is None or rest == "rejected" else Counter({rest: claimed.total()})) == claimed
    assert stated.keys() == {submission for submission, known in counts.items() if any(known.values())}


A = TypeVar("A", bound=Life)


@contextlib.contextmanager
def lived(template: Path, alive: Callable[[Installation], A]) -> Iterator[A]:
    """Give a copy of an installation to live in; it is gone after the block."""
    with tempfile.TemporaryDirectory(prefix="engang-law-") as folder:
        shutil.copytree(template, Path(folder) / "home")
        home = alive(opened(Path(folder) / "home"))
        try:
            yield home
        finally:
            home.installation.engine.dispose()


def in_batches(sent: Sequence[Any], chance: Any) -> Iterator[list[Any]]:
    """Yield deliveries in any order, a few at a time."""
    rest = chance.sample(sent, len(sent))
    while rest:
        size = chance.randint(1, len(rest))
        yield rest[:size]
        del rest[:size]


@contextlib.contextmanager
def unchecked() -> Iterator[None]:
    """Leave Great Expectations out: it takes a second a night."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nights, "check_staged", lambda *_: [])
        patch.setattr(checks, "preload", lambda: None)
        yield


@contextlib.contextmanager
def compacting(rows: int, share: float, chunk: int = nights.CHUNK_CLAIMS) -> Iterator[None]:
    """Set what a night finds too small to keep, what too much retired, and how much it takes at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(item_tables, "COMPACT_ROWS", rows)
        patch.setattr(item_tables, "COMPACT_SHARE", share)
        patch.setattr(nights, "CHUNK_CLAIMS", chunk)
        yield
