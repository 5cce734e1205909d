"""Installations that can be copied as they stand: in a folder with SQLite, or on S3 with PostgreSQL."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.proof.servers import AWS, FaultyS3, Postgres
from tests.support import module_process
from tests.support.paths import CONTRACTS, ROOT

BUCKET = "engang-proof"
CALM = {"POLARS_MAX_THREADS": "1", "TOKIO_WORKER_THREADS": "1", "ENGANG_CONTRACTS": str(CONTRACTS)}
"""A child lives a tenth of a second."""
CALM["ENGANG_KINDS"] = str(ROOT / "tests" / "no-kinds")
"""No folder: these contracts speak of no records."""
LONG_AGO_NS = 1_700_000_000_000_000_000

Message = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """An installation in a certain state, and the environment of a process that works on it."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)
    """For who is killed; a reader goes past the proxy."""

    def direct(self, s3: FaultyS3 | None) -> dict[str, str]:
        """Return the environment of one to whom nothing happens."""
        return self.env if s3 is None else self.env | {"ENGANG_S3_ENDPOINT": s3.direct}


class Folders:
    """Installations in folders, with SQLite."""

    s3 = None

    def __init__(self, root: Path, env: Mapping[str, str] | None = None) -> None:
        self.root, self.env, self.made = root, dict(env or {}), 0

    def new(self) -> Stage:
        """Return a stage where nothing is yet."""
        self.made += 1
        (self.root / str(self.made)).mkdir(parents=True)
        return Stage(self.root / str(self.made), self.env)

    def copy(self, stage: Stage) -> Stage:
        """Return a copy of a stage."""
        self.made += 1
        return Stage(Path(shutil.copytree(stage.home, self.root / str(self.made))), self.env)

    def put(self, stage: Stage, files: Mapping[str, str]) -> None:
        """Deliver files; their times are old, so that they count as whole."""
        for key, text in files.items():
            path = stage.home / "arrivals" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))

    def drop(self, stage: Stage) -> None:
        """Remove a stage."""
        shutil.rmtree(stage.home)


class Buckets:
    """Installations on S3, a prefix each, with PostgreSQL, a database each."""

    def __init__(self, root: Path, s3: FaultyS3, server: Postgres) -> None:
        self.root, self.s3, self.server, self.made = root, s3, server, 0
        self.client = s3.client()
        self.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})

    def new(self) -> Stage:
        return self._stage(self.server.new())

    def _stage(self, database: str) -> Stage:
        self.made += 1
        home = self.root / f"s3-{self.made}"
        home.mkdir(parents=True)
        places = {n: f"s3://{BUCKET}/{home.name}/{n.lower()}" for n in ("ARRIVALS", "LANDING", "LAKE")}
        env = {f"ENGANG_{name}": place for name, place in places.items()}
        return Stage(
            home, AWS | env | {"ENGANG_LEDGER": self.server.url(database), "ENGANG_S3_ENDPOINT": self.s3.proxy}
        )

    def copy(self, stage: Stage) -> Stage:
        made = self._stage(self.server.new(self._database(stage)))
        for key in self._keys(stage):
            to = key.replace(stage.home.name, made.home.name, 1)
            self.client.copy_object(Bucket=BUCKET, Key=to, CopySource={"Bucket": BUCKET, "Key": key})
        return made

    def put(self, stage: Stage, files: Mapping[str, str]) -> None:
        for key, text in files.items():
            self.client.put_object(Bucket=BUCKET, Key=f"{stage.home.name}/arrivals/{key}", Body=text.encode())

    def drop(self, stage: Stage) -> None:
        self.server.drop(self._database(stage))
        for key in self._keys(stage):
            self.client.delete_object(Bucket=BUCKET, Key=key)

    def _keys(self, stage: Stage) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{stage.home.name}/")
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def _database(self, stage: Stage) -> str:
        return stage.env["ENGANG_LEDGER"].partition("@/")[2].partition("?")[0]


Places = Folders | Buckets


class Talk:
    """A helper process that is asked, a line of JSON at a time."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def ask(self, command: Message) -> Message:
        """Return its answer."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(command), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        assert line, "the helper process ended: see its error above"
        answer: Message = json.loads(line)
        return answer


@contextmanager
def helper(module: str) -> Iterator[Talk]:
    """Start `life` or `reader` as a process; it ends with the block."""
    command = module_process.command(f"tests.proof.{module}")
    env = module_process.environment(**CALM)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        yield Talk(process)
        assert process.stdin
        process.stdin.close()
