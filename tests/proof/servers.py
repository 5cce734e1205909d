"""The servers of the proofs: S3 and SQS behind a proxy that can fail, and a PostgreSQL that can be restarted."""

import json
import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg

from tests.support import module_process

PROGRAMS = Path("/usr/lib/postgresql")
HASTY = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB -c max_connections=60"
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-north-1"}
AWS |= {"AWS_DEFAULT_REGION": "eu-north-1", "AWS_EC2_METADATA_DISABLED": "true"}


@dataclass(frozen=True)
class FaultyS3:
    """The two ways to the same store: through the proxy, and past it."""

    proxy: str
    direct: str

    def send(self, command: str, **fields: Any) -> dict[str, Any]:
        """Command the proxy (see `fault_proxy`)."""
        url, body = f"{self.proxy}/-proxy/{command}", json.dumps(fields).encode()
        with urllib.request.urlopen(url, body, timeout=60) as answer:  # noqa: S310  our own
            given: dict[str, Any] = json.loads(answer.read())
        return given

    @lru_cache  # noqa: B019  one or two a run, and a client takes a tenth of a second to make
    def client(self, service: str = "s3") -> Any:
        """Return a client past the proxy: what senders and the test itself do never fails."""
        import boto3

        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-north-1"}
        return boto3.session.Session(**keys).client(service, endpoint_url=self.direct)


@contextmanager
def faulty_s3() -> Iterator[FaultyS3]:
    """Start the store and its proxy; both end with the block."""
    command, env = module_process.command("tests.proof.fault_proxy"), module_process.environment()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdin
        assert process.stdout
        ports = json.loads(process.stdout.readline())
        try:
            yield FaultyS3(**{name: f"http://127.0.0.1:{port}" for name, port in ports.items()})
        finally:
            process.stdin.close()
            process.kill()


class Postgres:
    """A PostgreSQL of the proof's own, on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.programs = max(PROGRAMS.glob("*/bin"), key=lambda p: int(p.parent.name))
        if os.geteuid() == 0:  # initdb refuses root
            shutil.chown(folder, "postgres", pwd.getpwnam("postgres").pw_gid)
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        options = f"{HASTY} -c listen_addresses= -c unix_socket_directories={folder}"
        self.control("-o", options, "start")

    def control(self, *arguments: str) -> None:
        """Run pg_ctl: start, stop or restart, and wait for it."""
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", self.folder / "log", *arguments)

    def restart(self) -> None:
        """Stop it in the middle of whatever it does, and start it again: its sessions end, its data stays."""
        self.control("-m", "immediate", "restart")

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self.programs / program), *map(str, arguments)]
        if os.geteuid() == 0:
            command = ["su", "postgres", "-c", shlex.join(command)]
        with tempfile.TemporaryFile("w+") as log:  # the server inherits it: a pipe would never end
            done = subprocess.run(command, cwd="/", stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=False)
            log.seek(0)
            assert done.returncode == 0, log.read()

    def url(self, database: str = "postgres") -> str:
        """Return a database's URL."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Do one statement as the superuser."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def new(self, template: str | None = None) -> str:
        """Make a database, empty or a copy; return its name."""
        name = f"p_{uuid.uuid4().hex[:12]}"
        if template is not None:
            self.terminate(template)
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'} STRATEGY file_copy")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, even while it is in use."""
        self.ask(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def terminate(self, database: str) -> int:
        """End every session of a database; return how many there were."""
        one = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"  # noqa: S608
        return len(self.ask(one))


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a PostgreSQL; it is gone after the block."""
    folder = Path(tempfile.mkdtemp(prefix="engang-proof-", dir="/tmp"))  # a socket's path must be short
    server = None
    try:
        server = Postgres(folder)
        yield server
    finally:
        if server is not None:
            server.control("-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
