"""The burst: `python -m tests.bench.inbox`. 10,000 small files, put to S3, announced by SQS, registered in PostgreSQL.

9,000 are one sender's flood, 1,000 another's. Prints files a second, where the time goes, memory over time, and how
much the flood delays the other sender, against the same 1,000 alone. S3 and SQS are moto_server, over HTTP: it takes
some 10 ms of a processor for each request, on the same machine, so that the landing zone is a folder here unless
`--landing s3` is given; and it copies the whole queue for each message it gives, so that the queue is read whenever 200
messages are in it. The inbox then holds all of the burst when the first is claimed. `--files 1000` is a quick look.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import boto3

from infra.settings import tune_allocator

tune_allocator()

from flows.installation import Installation
from flows.intake import arrivals as intake
from flows.intake import worker
from infra.inbox import work_queue as inbox
from infra.ledger import submissions as ledger_submissions
from infra.ledger.open import open_ledger
from infra.storage.places import S3Place
from tests.support import module_process
from tests.support.paths import ROOT
from tests.support.servers import endpoint_of, new_bucket, postgresql
from tests.support.small_installation import HEADER, open_small

ROOMS = tuple(str(ROOT / room) for room in ("flows", "infra", "transforms", "schemas"))
QUEUED = 200
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def moto() -> Iterator[str]:
    """Run an S3 and SQS server; give its endpoint."""
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(
            module_process.command("tests.support.moto_server", "-H", "127.0.0.1", "-p", "0"),
            stdout=log,
            stderr=log,
            env=module_process.environment(),
        )
        try:
            yield endpoint_of(server, log)
        finally:
            server.kill()
            server.wait()


def home(folder: Path, url: str, endpoint: str, *, in_s3: bool) -> Installation:
    """Make an installation of its own: a bucket, a queue that the bucket tells, a database."""
    at = new_bucket(endpoint, versions=False)
    sqs, name = boto3.client("sqs", endpoint_url=endpoint), f"q-{uuid.uuid4().hex[:8]}"
    queue = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "120"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    notification = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": (at / "in").prefix}]}}}  # fmt: skip
    boto3.client("s3", endpoint_url=endpoint).put_bucket_notification_configuration(
        Bucket=at.bucket, NotificationConfiguration={"QueueConfigurations": [notification]}
    )
    small = open_small(folder)
    places = at / "kept" if in_s3 else None
    settings = replace(small.settings, arrivals_at=at / "in", landing_at=places, queue=queue, ledger_url=url)
    return Installation(settings, open_ledger(url))


def arrive(installation: Installation, sender: str, count: int) -> float:
    """Put so many small files of a sender, sixteen at a time, and note what the queue tells; return its seconds."""
    at = installation.settings.arrivals
    assert isinstance(at, S3Place)
    client, seconds = boto3.client("s3", endpoint_url=at.endpoint), 0.0

    def one(number: int) -> None:
        day = f"{1 + number % 28:02}.{1 + number // 28 % 12:02}.2024"
        body = f"{HEADER}0301;{day};{sender}{number // 336};{number};\n".encode()
        client.put_object(Bucket=at.bucket, Key=at.key(f"{sender}/folketall/{number}.csv"), Body=body)

    with ThreadPoolExecutor(16) as pool:
        for start in range(0, count, QUEUED):
            some = range(start, min(start + QUEUED, count))
            list(pool.map(one, some))
            seconds += listen_all(installation, len(some))
    print(f"{count} files of {sender} are noted", flush=True)
    return seconds


def place(frame: FrameType | None) -> str:
    """Return what our code is calling in a stack: a package's name, `own code` if it is at work itself."""
    called = "own code"
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(ROOMS):
            return "files, fsync" if called == "own code" and name.endswith("landing_folder.py") else called
        parts = Path(name).parts
        called = parts[parts.index("site-packages") + 1] if "site-packages" in parts else f"python {Path(name).stem}"
        frame = frame.f_back
    return "idle"


class Sampler(threading.Thread):
    """Looks at the stacks of this process a hundred times a second, and at its memory."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.places, self.memory, self.over = Counter[str](), list[float](), threading.Event()

    def run(self) -> None:
        """Sample until stopped; while the first thread waits for others, their places are the time's."""
        main = threading.main_thread().ident
        while not self.over.wait(0.01):
            frames = sys._current_frames()  # noqa: SLF001  documented, for specialised use
            first = place(frames.get(main or 0))
            others = [place(f) for i, f in frames.items() if i not in {main, self.ident}]
            busy = [p for p in others if p not in {"idle", "python threading"}]
            if first in {"python threading", "python _base"} and busy:
                for each in busy:
                    self.places[each] += 1 / len(busy)
            else:
                self.places[first] += 1
            resident = int(Path("/proc/self/statm").read_text().split()[1])
            self.memory.append(resident * os.sysconf("SC_PAGE_SIZE") / 2**20)


def listen_all(installation: Installation, count: int) -> float:
    """Note all that the queue tells of; return the seconds."""
    begun, new = time.perf_counter(), 0
    while new < count:
        received = intake.receive_notifications(installation, wait=1)
        new += received.new
        if not received.messages and new < count:  # the server lost an event
            lost = intake.reconcile_arrivals(installation)
            print(f"{lost} of {count} had no event and were found by listing", flush=True)
            new += lost
    return time.perf_counter() - begun


def drain_until(installation: Installation, done: Callable[[Counter[str]], bool]) -> float:
    """Work off the inbox until `done` of the registered files by sender; return the seconds."""
    begun, seen = time.perf_counter(), Counter[str]()
    while True:
        seen.update(r.sender for r in worker.process_inbox(installation, limit=worker.CLAIM_SIZE))
        if done(seen):
            return time.perf_counter() - begun


def main(files: int, *, in_s3: bool) -> None:
    """Measure and print."""
    os.environ.update(KEYS)
    quiet = files // 10
    with tempfile.TemporaryDirectory() as folder, postgresql() as url_of, moto() as endpoint:
        import psycopg

        with psycopg.connect(url_of("postgres"), autocommit=True) as connection:
            for name in ("alone", "flooded"):
                connection.execute(f"CREATE DATABASE {name}".encode())
        alone = home(Path(folder) / "alone", url_of("alone"), endpoint, in_s3=in_s3)
        drain_until(alone, lambda _: True)  # what is imported and read once is behind it
        arrive(alone, "quiet", quiet)
        seconds_alone = drain_until(alone, lambda seen: seen["quiet"] == quiet)

        flooded = home(Path(folder) / "flooded", url_of("flooded"), endpoint, in_s3=in_s3)
        noted = arrive(flooded, "flood", files - quiet) + arrive(flooded, "quiet", quiet)
        sampler = Sampler()
        sampler.start()
        until_quiet = drain_until(flooded, lambda seen: seen["quiet"] == quiet)
        rest = drain_until(flooded, lambda _: inbox.count_done(flooded.engine) == files)
        sampler.over.set()
        report(flooded, sampler, (files, quiet), (seconds_alone, noted, until_quiet, rest))


def report(
    installation: Installation, sampler: Sampler, files: tuple[int, int], seconds: tuple[float, float, float, float]
) -> None:
    """Print the figures, after a look whether each file is registered once."""
    alone, noted, until_quiet, rest = seconds
    counts = ledger_submissions.count_submissions(installation.engine)
    assert counts["submissions"].sum() == files[0]
    assert counts["claims"].sum() == files[0]
    assert inbox.count_done(installation.engine) == files[0]
    whole = noted + until_quiet + rest
    total = sampler.places.total()
    own = sampler.places["own code"] / total
    print(f"{files[0]} files registered once each in {whole:.1f} s: {files[0] / whole:.0f} a second")
    print(f"  noting them from the queue {noted:.1f} s, receiving {until_quiet + rest:.1f} s")
    print(f"  receiving, outside our own code: {1 - own:.0%} of the time")
    for name, count in sampler.places.most_common(12):
        print(f"    {name:24} {count / total:6.1%}")
    tenth = max(1, len(sampler.memory) // 10)
    memory = [f"{max(sampler.memory[n : n + tenth]):.0f}" for n in range(0, len(sampler.memory), tenth)]
    print(f"  memory, MB, the greatest in each tenth of the time: {' '.join(memory)}")
    delay = until_quiet / alone - 1
    print(f"  the other sender's {files[1]}: {alone:.2f} s alone, {until_quiet:.2f} s in the flood: {delay:+.0%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--landing", choices=("folder", "s3"), default="folder")
    options = parser.parse_args()
    main(options.files, in_s3=options.landing == "s3")
