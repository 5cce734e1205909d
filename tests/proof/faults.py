"""What goes wrong in a night of the storm, drawn by a seeded generator and let loose while the night runs."""

import contextlib
import errno
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from botocore.config import Config
from botocore.retries import adaptive, standard

from infra.inbox import sqs as inbox_sqs
from infra.lake import delta as lake
from infra.ledger import sql as ledger_sql
from infra.storage import landing
from infra.storage import s3 as landing_s3
from tests.proof.servers import FaultyS3, Postgres

KINDS = ("500", "503", "reset", "reset after", "slow", "cut") * 4 + ("timeout", "timeout after")
"""Of requests that go wrong; those that time out take seconds."""
LIMITS = {"timeout": "2s", "connect_timeout": "1s", "retry_timeout": "6s"}
LIMITS |= {"backoff_config.init_backoff": "10ms", "backoff_config.max_backoff": "80ms"}
DISK_BYTES = 48 * 2**20


@dataclass(frozen=True)
class Fate:
    """What is to go wrong in one night."""

    http: float = 0.0
    """Share of requests to S3 and SQS that go wrong."""
    database: str | None = None
    """PostgreSQL: restarted, or its sessions ended ("sessions")."""
    after: float = 0.0
    """Seconds into the night at which that happens."""
    clock: timedelta = timedelta(0)
    disk: int | None = None
    """Bytes that are left on the disk."""
    lost: float = 0.0
    doubled: float = 0.0
    shuffled: bool = False
    together: str | None = None
    """What a second host does at the same time: nightly, or claim."""

    def names(self, *, s3: bool, database: bool) -> list[str]:
        """Return what of it can go wrong in such an installation."""
        fields = {
            "S3 and SQS failing": s3 and self.http > 0,
            "notifications lost": s3 and self.lost > 0,
            "notifications doubled": s3 and self.doubled > 0,
            "notifications reordered": s3 and self.shuffled,
            "PostgreSQL restarted": database and self.database == "restart",
            "sessions of PostgreSQL ended": database and self.database == "sessions",
            "clock moved": bool(self.clock),
            "disk full": self.disk is not None,
            "two nightlies at once": self.together == "nightly",
            "two hosts claiming": self.together == "claim",
        }
        return [name for name, so in fields.items() if so]


def draw(chance: random.Random) -> Fate:
    """Draw a night's fate: one fault in most nights, several in some, none in one of ten."""
    if chance.random() < 0.1:
        return Fate()
    share = chance.choice((0.25, 0.25, 0.6))

    def so() -> bool:
        return chance.random() < share

    return Fate(
        http=chance.choice((0.02, 0.1, 0.3)) if so() else 0.0,
        database=chance.choice(("sessions", "sessions", "sessions", "restart")) if so() else None,
        after=chance.uniform(0, 0.8),
        clock=timedelta(hours=chance.choice((-30, -1, 1, 30))) if so() else timedelta(0),
        disk=int(10 ** chance.uniform(2, 5.6)) if so() else None,
        lost=0.5 if so() else 0.0,
        doubled=0.5 if so() else 0.0,
        shuffled=so(),
        together=chance.choice(("nightly", "claim")) if so() else None,
    )


@contextlib.contextmanager
def hurried() -> Iterator[None]:
    """Let clients wait hundredths of a second where they wait seconds, and time out after two."""
    real = lake.storage_options
    for module in (landing_s3, inbox_sqs):
        module._client.cache_clear()  # noqa: SLF001  clients that were made before wait longer

    def options(root: Any) -> dict[str, str] | None:
        real_options = real(root)
        return None if real_options is None else real_options | LIMITS

    with (
        patch.object(standard.ExponentialBackoff, "delay_amount", lambda *_: 0.01),
        patch.object(adaptive.ClientRateLimiter, "on_sending_request", lambda *_, **__: None),
        patch.object(boto3.Session, "client", _hasty(boto3.Session.client)),
        patch.object(lake, "storage_options", options),
    ):
        yield


def _hasty(real: Callable[..., Any]) -> Callable[..., Any]:
    """Return boto3's `Session.client`, but of clients that give up soon."""

    def client(session: Any, service: str, *args: Any, config: Config | None = None, **options: Any) -> Any:
        if config is not None:  # the product's own clients; the test's wait
            config = config.merge(Config(connect_timeout=1, read_timeout=2))
        return real(session, service, *args, config=config, **options)

    return client


@contextlib.contextmanager
def clock(offset: timedelta) -> Iterator[None]:
    """Move the product's clocks: what tells the time of deliveries, and what tells that of the ledger."""
    with contextlib.ExitStack() as stack:
        if offset:
            for real in (landing.receipt_time, ledger_sql.utc_now):
                shifted = _shifted(real, offset)
                for name, module in list(sys.modules.items()):
                    if name.startswith(("infra", "flows")):
                        for attribute in [each for each, value in vars(module).items() if value is real]:
                            stack.enter_context(patch.object(module, attribute, shifted))
        yield


def _shifted(real: Callable[[], datetime], by: timedelta) -> Callable[[], datetime]:
    return lambda: real() + by


class Disk:
    """A small disk of its own where the machine lets one be mounted; else the calls that write say it is full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
        try:
            self.real = subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            self.real = False

    def remove(self) -> None:
        """Take the disk away."""
        if self.real:
            subprocess.run(["umount", "-l", str(self.folder)], check=False)

    @contextlib.contextmanager
    def full(self, free_bytes: int | None) -> Iterator[None]:
        """Leave so many bytes free while the block runs."""
        if free_bytes is None:
            yield
        elif self.real:
            with _ballast(self.folder, free_bytes):
                yield
        else:
            with _refusing(free_bytes):
                yield


@contextlib.contextmanager
def _ballast(folder: Path, free_bytes: int) -> Iterator[None]:
    usage = os.statvfs(folder)
    ballast = folder / ".ballast"
    try:
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(usage.f_bavail * usage.f_frsize - free_bytes, 1))
        yield
    finally:
        ballast.unlink()


@contextlib.contextmanager
def _refusing(free_bytes: int) -> Iterator[None]:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    calls = {"left": free_bytes % 7}

    def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls["left"] -= 1
            if calls["left"] < 0:
                raise full
            return real(*args, **kwargs)

        return call

    writes = refusing(lake._write)  # noqa: SLF001  the one place where Delta writes
    with patch.object(os, "fsync", refusing(os.fsync)), patch.object(lake, "_write", writes):
        yield


@contextlib.contextmanager
def database(server: Postgres | None, name: str, fate: Fate) -> Iterator[list[str]]:
    """Let the database fail a while into the block; what is given is not empty once it did."""
    failed: list[str] = []
    if server is None or fate.database is None:
        yield failed
        return

    def fail() -> None:
        failed.append(str(fate.database))
        if fate.database == "restart":
            server.restart()
        else:
            server.terminate(name)

    timer = threading.Timer(fate.after, fail)
    timer.start()
    try:
        yield failed
    finally:
        timer.cancel()
        timer.join()


@contextlib.contextmanager
def requests(s3: FaultyS3 | None, fate: Fate, seed: int) -> Iterator[dict[str, int]]:
    """Let requests to S3 and SQS fail while the block runs; the drawn ones are counted in what is given."""
    drawn: dict[str, int] = {}
    if s3 is None or not fate.http:
        yield drawn
        return
    s3.send("faults", seed=seed, rate=fate.http, kinds=KINDS)
    try:
        yield drawn
    finally:
        drawn |= s3.send("calm")


def without_disk(fate: Fate) -> Fate:
    """Return the fate of a night whose disk is another's."""
    return replace(fate, disk=None)
