"""Installations of the storm: in a folder or on S3, with SQLite or PostgreSQL; several hosts share one."""

import contextlib
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from flows.installation import Installation, Presets
from infra.codelists import read_codelists
from infra.lake import delta as lake
from infra.ledger import tables
from infra.ledger.open import open_ledger
from infra.settings import DEMO_CODELISTS, Settings, read_settings
from infra.storage.places import S3Place
from infra.storage.store import content_hash
from tests.proof.servers import AWS, FaultyS3, Postgres
from tests.support.observation_deliveries import Sent, contracts, file_of
from transforms import identity
from transforms.register.build import build_register
from transforms.register.lookup import Register

LONG_AGO = 1_700_000_000


def submission_of(sent: Sent) -> str:
    """Return the id that a delivery must bear."""
    return identity.submission_id(sent.contract, sent.sender, None, content_hash(file_of(sent)))


@dataclass
class World:
    """One installation, what its senders did, and the ways to it."""

    settings: Settings
    register: Register
    s3: FaultyS3 | None = None
    server: Postgres | None = None
    database: str = ""
    bucket: str = ""
    lake: Path | None = None
    puts: int = 0
    opened: list[Installation] = field(default_factory=list)

    def open(self, *, direct: bool = False) -> Installation:
        """Open the installation as one more host; `direct` is one to whom nothing happens."""
        settings = self.settings
        if direct and self.s3 is not None:
            settings = replace(settings, **self.places(self.s3.direct))
        given = Presets(contracts=contracts(), register=self.register, kinds={})
        host = Installation(settings, open_ledger(settings.ledger_url), given)
        self.opened.append(host)
        return host

    def places(self, endpoint: str) -> dict[str, Any]:
        """Return where things are, for settings."""
        by_name = {name: S3Place(self.bucket, name, endpoint) for name in ("arrivals", "landing", "lake")}
        return {f"{name}_at": place for name, place in by_name.items()} | ({"lake_at": self.lake} if self.lake else {})

    def put(self, sent: Sent) -> None:
        """Deliver, as a sender does: an object of its own."""
        self.puts += 1
        key = f"{sent.sender}/{sent.contract}/{self.puts:04}.csv"
        if self.s3 is not None:
            self.s3.client().put_object(Bucket=self.bucket, Key=f"arrivals/{key}", Body=file_of(sent))
            return
        path = self.settings.home / "arrivals" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file_of(sent))
        os.utime(path, (LONG_AGO + self.puts, LONG_AGO + self.puts))

    def mangle(self, chance: random.Random, lost: float, doubled: float, *, shuffled: bool) -> None:
        """Let notifications get lost, come twice and out of order."""
        if self.s3 is None or not (lost or doubled or shuffled):
            return
        sqs, url, bodies = self.s3.client("sqs"), self.queue_url(self.s3.direct), []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                bodies.append(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        delivered = [body for body in bodies if chance.random() >= lost]
        delivered += [body for body in delivered if chance.random() < doubled]
        if shuffled:
            chance.shuffle(delivered)
        for body in delivered:
            sqs.send_message(QueueUrl=url, MessageBody=body)

    def queue_url(self, endpoint: str) -> str:
        """Return the queue's URL."""
        return f"{endpoint}/123456789012/{self.bucket}"

    def pass_time(self) -> None:
        """Let every lease and every back-off be over."""
        self.do(sa.update(tables.inbox).where(tables.inbox.c.status == "waiting").values(not_before=None))
        self.do(
            sa.update(tables.inbox)
            .where(tables.inbox.c.status == "leased")
            .values(status="waiting", lease_by=None, lease_until=None)
        )

    def do(self, statement: Any) -> None:
        """Do one statement in the ledger."""
        with self.opened[0].engine.begin() as connection:
            connection.execute(statement)

    def inbox(self) -> list[tuple[str, str | None]]:
        """Return status and submission of every object."""
        with self.opened[0].engine.connect() as connection:
            rows = connection.execute(sa.select(tables.inbox.c.status, tables.inbox.c.submission_id)).all()
        return [(str(status), submission) for status, submission in rows]

    def close(self) -> None:
        """Let go of everything."""
        for host in self.opened:
            host.engine.dispose()
        for folder in (self.settings.home, *([self.lake] if self.lake else [])):
            shutil.rmtree(folder)  # the disk is small
        if self.server is not None:
            self.server.drop(self.database)


def new_world(
    home: Path, register: Register, s3: FaultyS3 | None, server: Postgres | None, lake_at: Path | None
) -> World:
    """Make an empty installation; its lake may be elsewhere."""
    home.mkdir()
    database = "" if server is None else server.new()
    url = f"sqlite:///{home / 'ledger.db'}" if server is None else server.url(database)
    settings = replace(read_settings(home), codelists=DEMO_CODELISTS, ledger_url=url)
    world = World(settings, register, s3, server, database, home.name, lake_at)
    if s3 is not None:
        world.settings = replace(settings, **world.places(s3.proxy), queue=world.queue_url(s3.proxy))
        _notifying(s3, world.bucket)
    host = world.open(direct=True)
    lake.open_lake(host.settings.lake)
    return world


def _notifying(s3: FaultyS3, bucket: str) -> None:
    """Make a versioned bucket that notifies a queue of arrivals."""
    client, sqs = s3.client(), s3.client("sqs")
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    url = sqs.create_queue(QueueName=bucket, Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    notification = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
    notification["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "arrivals/"}]}}
    client.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [notification]}
    )


@contextlib.contextmanager
def credentials() -> Iterator[None]:
    """Let the product find credentials the AWS way."""
    previous = dict(os.environ)
    os.environ.update(AWS)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(previous)


def register() -> Register:
    """Return the demo's register of units."""
    return build_register(*read_codelists(DEMO_CODELISTS))
