"""What workers of a cluster save: `python tests/bench/cluster.py`. Measures a night, and computes larger ones from it.

The night of so many claims is run by one process, then with 1 and 2 workers of this machine, each in a home of its own.
From the runs come the seconds of a task, what the night itself does for each (the share that no worker takes over), and
what remains after intake. The model takes them to more workers and claims, with the requests to S3 that the code makes.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import generate

HERE: Final = Path(__file__).parent
ENGANG: Final = Path(sys.executable).with_name("engang")
WORKERS: Final = (8, 16, 32, 64)
REQUEST: Final = 0.05
"""Seconds that a request to S3 is assumed to take: of AWS's median of some 30 ms for small objects, rounded up."""
THROUGHPUT: Final = 80e6
"""Bytes a second of one connection to S3, assumed."""
AT_ONCE: Final = 8
"""Requests that a worker, and each thread of the night, makes at once."""
READ_REQUESTS: Final = 2
"""Requests of a task for each submission: its note, its bytes. Each file of claims, and its answer, is one more."""
LAND_REQUESTS: Final = 3
"""Requests of the night for each submission: get it, put its bytes and its note."""
ANSWER_REQUESTS: Final = 2
"""Requests of the night for each task: get its answer, delete it."""
COMMIT_REQUESTS: Final = 5
"""Requests of a commit: list the log, read what is new, write the next version, twice a look at the checkpoint."""


@dataclass(frozen=True)
class Used:
    """Processor seconds that a process has used, and all that it has started with it; seconds by the clock."""

    own: float
    tree: float
    wall: float

    def since(self, before: "Used") -> "Used":
        """Return what was used between two looks."""
        return Used(self.own - before.own, self.tree - before.tree, self.wall - before.wall)


@dataclass(frozen=True)
class Ran:
    """A night: what it used in all, for its intake (after a cluster has started) and after that; its tasks' seconds."""

    workers: int
    whole: Used
    intake: Used
    rest: Used
    tasks: tuple[float, ...]
    digest: str


def used(pid: int) -> Used:
    """Return what a living process has used until now."""
    ticks, parents, seconds = os.sysconf("SC_CLK_TCK"), {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        number = int(stat.parent.name)
        parents[number] = int(fields[1])
        seconds[number] = sum(map(int, fields[11:15])) / ticks, sum(map(int, fields[11:13])) / ticks
    tree = {pid}
    while more := {number for number, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return Used(seconds[pid][1], sum(seconds[number][0] for number in tree), time.perf_counter())


def night(folder: Path, workers: int) -> Ran:
    """Run a night in a home of its own on the history of a folder, with so many workers, 0 for none."""
    home = folder / f"home-{workers}"
    for sender in generate.SENDERS:
        arrived = home / "arrivals" / sender / "bench"
        arrived.mkdir(parents=True)
        for file in (folder / "history" / sender).glob("*.csv"):
            os.utime(shutil.copy(file, arrived), (1.7e9, 1.7e9))
    own = {
        "ENGANG_HOME": str(home), "ENGANG_CONTRACTS": str(HERE / "contracts"), "ENGANG_LOG": "json",
        "ENGANG_CODELISTS": str(folder / "codelists"),
    }  # fmt: skip
    command = [str(ENGANG), "nightly", "--export", "never", *(["--workers", str(workers)] if workers else [])]
    start = Used(0, 0, time.perf_counter())
    process = subprocess.Popen(command, env=os.environ | own, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stdout is not None
    looks, tasks = [start], []
    for line in process.stderr:
        if re.match("found .* arrived objects|consolidating|checking the staged", line):
            looks.append(used(process.pid))
        if line.startswith("{") and (fields := json.loads(line)).get("message") == "a worker read a batch":
            tasks.append(float(fields["seconds"]))
    output = process.stdout.read()
    if process.wait():
        sys.exit(f"{command} failed")
    found = re.findall(r"digest (\w+)", output)
    began, read, last = looks[1], looks[2], looks[-1]
    whole = last.since(start)
    return Ran(workers, whole, read.since(began), last.since(read), tuple(tasks), found[0])


def model(figures: Mapping[str, float], claims: float, workers: int) -> dict[str, float]:
    """Return the hours that a night of so many claims takes on S3 with so many workers.

    figures: of one million claims, in processor seconds: `task` in workers, `own` of the night for its tasks, `rest`
    after intake; and how many `submissions`, `tasks`, `files` written, `bytes` delivered. A processor is a worker.
    """
    millions = claims / 1e6
    reading = figures["task"] + figures["bytes"] / THROUGHPUT
    requests = figures["files"] + figures["tasks"] + READ_REQUESTS * figures["submissions"]
    # Commits take the files of all tasks that ended since the last one, and the night has as many threads as there are
    # workers for what it asks of S3: its own processor seconds are the ceiling of intake.
    own = millions * figures["own"]
    asked = LAND_REQUESTS * figures["submissions"] / AT_ONCE + ANSWER_REQUESTS * figures["tasks"]
    parallel = millions * (reading + REQUEST * (requests / AT_ONCE + asked)) / workers
    intake = max(parallel, own) + COMMIT_REQUESTS * REQUEST
    rest = millions * figures["rest"]
    hours = {"intake": intake, "of which the night's own": own, "rest": rest, "night": intake + rest}
    # What would move the ceiling: groups of months as tasks too, so that the rest is shared like the reading.
    hours["night if months were tasks"] = intake + rest / workers
    return {name: seconds / 3600 for name, seconds in hours.items()}


def main() -> None:
    """Run the nights, print each, the serial share and the model."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--claims", type=int, default=2_000_000)
    options.add_argument("--keep", type=Path, help="work here and leave it")
    given = options.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="engang-cluster-"))
    large, small = folder / "large", folder / "small"
    for part, claims in ((large, given.claims), (small, given.claims // 10)):
        generate.history(part / "history", claims)
        generate.codelist(part / "codelists")
    runs = [night(large, workers) for workers in (0, 1, 2)]
    tenth = night(small, 1)
    for ran in (*runs, tenth):
        parts = ("whole", ran.whole), ("intake", ran.intake), ("rest", ran.rest)
        figures = "; ".join(f"{n} {p.wall:.1f} s wall {p.tree:.1f} s cpu (night {p.own:.1f})" for n, p in parts)
        print(f"{ran.workers} workers: {figures}; {len(ran.tasks)} tasks of {sum(ran.tasks):.1f} s; {ran.digest}")
    assert len({ran.digest for ran in runs}) == 1
    print_model(measured(large, runs[1], tenth, given.claims * 0.9 / 1e6, given.claims / 1e6))
    if not given.keep:
        shutil.rmtree(folder)


def measured(folder: Path, one: Ran, tenth: Ran, more: float, millions: float) -> dict[str, float]:
    """Return the figures of `model` from two nights with one worker: what a million more claims take.

    What a night takes however small it is, imports above all, is in both and so in none of the figures. more: the
    millions of claims by which the two differ, of which the larger has `millions`.
    """
    table, delivered = folder / "home-1" / "lake" / "claims", list((folder / "history").rglob("*.csv"))
    return {
        "task": (one.intake.tree - one.intake.own - tenth.intake.tree + tenth.intake.own) / more,
        "own": (one.intake.own - tenth.intake.own) / more,
        "rest": (one.rest.tree - tenth.rest.tree) / more,
        "submissions": len(delivered) / millions,
        "tasks": len(one.tasks) / millions,
        "files": len(list(table.glob("partition=*/*.parquet"))) / millions,
        "bytes": sum(file.stat().st_size for file in delivered) / millions,
    }


def print_model(figures: Mapping[str, float]) -> None:
    """Print the figures of a million claims, the share of the night that no worker takes over, and larger nights."""
    print("of a million claims:", {name: round(figure, 3) for name, figure in figures.items()})
    intake = figures["task"] + figures["own"]
    for name, serial, whole in (
        ("intake", figures["own"], intake),
        ("night", figures["own"] + figures["rest"], intake + figures["rest"]),
    ):
        print(f"serial share of the {name}: {serial / whole:.1%}, so at most {whole / serial:.1f} times as fast")
    for workers in (1, *WORKERS):
        hours = model(figures, 1e9, workers)
        print(f"1 billion claims, {workers:3} workers: " + ", ".join(f"{n} {h:.2f} h" for n, h in hours.items()))


if __name__ == "__main__":
    main()
