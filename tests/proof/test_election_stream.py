"""The 4,289 real election deliveries of 2021 as a stream of S3 events, out of order, some lost, some twice.

Every so many deliveries a nightly publishes, and its party sums are those of the files that had come by then; the last
release is that of a quiet `submit` of all.

    pytest -m slow tests/proof/test_election_stream.py -s
"""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake import arrivals as intake
from flows.intake import worker
from flows.intake.deliveries import make_delivery
from flows.release import build as nights
from flows.release.verify import verify
from flows.releases import find_release, read_table
from infra.checks import engine as checks
from infra.lake import delta as lake
from infra.ledger import submissions as ledger_submissions
from infra.ledger.open import open_ledger
from infra.settings import Settings, read_settings
from infra.storage.places import S3Place
from tests.proof import election
from tests.proof.election import Count
from tests.proof.servers import FaultyS3, faulty_s3, postgres
from tests.proof.worlds import credentials

SEED = 2021
LOST = DOUBLED = 0.05
EVERY = 500
TOGETHER = 100
"""After so many objects the queue is heard."""
BUCKET = "election"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not election.FILES.is_file(), reason=f"real input is absent: {election.FILES}"),
]


@dataclass
class Stream:
    """Objects that arrive in a bucket, whose events are lost and doubled on their way."""

    s3: FaultyS3
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.client, self.sqs = self.s3.client(), self.s3.client("sqs")
        self.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
        self.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.first, self.queue = (self._queue(name) for name in ("from-s3", "to-engang"))
        arn = self.sqs.get_queue_attributes(QueueUrl=self.first, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        notification = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
        notification["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "arrivals/"}]}}
        self.client.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [notification]}
        )

    def _queue(self, name: str) -> str:
        return str(self.sqs.create_queue(QueueName=name)["QueueUrl"])

    def put(self, some: Sequence[Count]) -> None:
        """Let objects arrive, and hand their events on: lost, doubled, out of order."""
        for count in some:
            key = f"arrivals/valgdirektoratet/valg-resultat/{count.name}"
            self.client.put_object(Bucket=BUCKET, Key=key, Body=count.data)
        self.counts["objects"] += len(some)
        bodies: list[str] = []
        while found := self.sqs.receive_message(QueueUrl=self.first, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in found]
            entries = [{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in found]
            self.sqs.delete_message_batch(QueueUrl=self.first, Entries=entries)
        sent = []
        for body in bodies:
            drawn = self.chance.random()
            times = 0 if drawn < LOST else 2 if drawn < LOST + DOUBLED else 1
            self.counts["lost"] += times == 0
            self.counts["doubled"] += times == 2
            sent += [body] * times
        self.chance.shuffle(sent)
        for n in range(0, len(sent), 10):
            some_bodies = [{"Id": str(k), "MessageBody": body} for k, body in enumerate(sent[n : n + 10])]
            self.sqs.send_message_batch(QueueUrl=self.queue, Entries=some_bodies)

    def places(self) -> dict[str, Any]:
        """Return settings under which everything is in the bucket."""
        places = {f"{n}_at": S3Place(BUCKET, n, self.s3.direct) for n in ("arrivals", "landing", "lake")}
        return places | {"queue": self.queue}


@pytest.fixture
def stream() -> Iterator[Stream]:
    with faulty_s3() as s3, credentials():
        yield Stream(s3, random.Random(SEED))


def opened(settings: Settings) -> Installation:
    settings.home.mkdir(exist_ok=True)
    lake.open_lake(settings.lake)
    return Installation(settings, open_ledger(settings.ledger_url))


def sums(home: Installation) -> dict[tuple[str, str], int]:
    """Return votes by level and party, as the current release publishes them."""
    votes = read_table(home, "observations", find_release(home)).filter(pl.col("concept") == "votes")
    party = pl.col("breakdown").str.json_path_match("$.party").alias("party")
    totals = votes.group_by("unit_kind", party).agg(pl.col("value").sum()).collect()
    return {(level, name): int(value) for level, name, value in totals.iter_rows()}


def replay(home: Installation, stream: Stream, every: Sequence[Count], each: int) -> list[str]:
    """Let everything come, with a nightly every so many; return the digests."""
    digests, known, found = [], 0, 0
    for start in range(0, len(every), each):
        coming = every[start : start + each]
        for n in range(0, len(coming), TOGETHER):
            stream.put(coming[n : n + TOGETHER])
            intake.receive_notifications(home)
            worker.process_inbox(home)
        known += len(coming)
        heard = submissions(home)
        done = steps.nightly(home, export="never")  # it lists the arrivals and finds what no event reported
        found += submissions(home) - heard
        assert done.published
        assert submissions(home) == known
        assert sums(home) == election.party_sums(every[:known])
        digests.append(str(done.digest))
    assert found == stream.counts["lost"]
    return digests


def submissions(home: Installation) -> int:
    return ledger_submissions.read_submissions(home.engine, columns=["submission_id"], status="live").height


def quiet(folder: Path, every: Sequence[Count]) -> str | None:
    """Submit everything at once, in order of name, to a plain installation; return its release's digest."""
    home = opened(replace(read_settings(folder), codelists=election.DATA / "codelists", queue=None))
    files = [make_delivery(home, c.name, c.data, "valg-resultat", sender=None, period=None) for c in sorted(every)]
    assert all(r.status == "registered" for receipts in steps.receive(home, files) for r in receipts)
    return steps.nightly(home, export="never").digest


def settings_of(folder: Path, stream: Stream, ledger_url: str) -> Settings:
    settings = replace(read_settings(folder), codelists=election.DATA / "codelists", ledger_url=ledger_url)
    return replace(settings, **stream.places())


def shuffled(few: int | None = None) -> list[Count]:
    every = election.counts()
    random.Random(SEED).shuffle(every)
    return every[:few]


def test_300_deliveries(stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nights, "check_staged", lambda *_: [])  # it takes seconds a night, and only reads
    monkeypatch.setattr(checks, "preload", lambda: None)
    every = shuffled(300)
    settings = settings_of(tmp_path / "home", stream, f"sqlite:///{tmp_path}/home/ledger.db")
    home = opened(replace(settings, lake_at=None))  # in a folder: a night on S3 is hundreds of requests
    digests = replay(home, stream, every, 150)
    assert digests[-1] == quiet(tmp_path / "quiet", every)
    assert stream.counts["lost"]
    assert stream.counts["doubled"]


@pytest.mark.slow
def test_all_deliveries(stream: Stream, tmp_path: Path) -> None:
    every, began = shuffled(), time.monotonic()
    with postgres() as server:
        home = opened(settings_of(tmp_path / "home", stream, server.url(server.new())))
        digests = replay(home, stream, every, EVERY)
        took = time.monotonic() - began
        digest = quiet(tmp_path / "quiet", every)
        print(
            f"\nelection stream on S3 and PostgreSQL: {len(every)} deliveries, {dict(stream.counts)}, {len(digests)} "
            f"releases, each with the party sums of the files known by then, in {took:.0f} s; digest {digests[-1]}, "
            f"of a quiet submit {digest}"
        )
        assert digests[-1] == digest
        assert verify(home).same
