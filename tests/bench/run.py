"""The benchmark: `python tests/bench/run.py`. Prints ratios against the bare Polars script, measured in the same run.

The full run and the night on top of it are made by one process (`worker.py`) that has its imports behind it: a night in
a process of its own takes some 7 to 10 s more. Every other figure is that of the command `engang`, whole. Takes about
three minutes and 4 GB of disk at full size; `--claims 1000000` is a quick look.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import generate

HERE = Path(__file__).parent
UNTOLD = ("_RJEM_MALLOC_CONF", "PYTHONDONTWRITEBYTECODE")
ENGANG = Path(sys.executable).with_name("engang")


@dataclass(frozen=True)
class Cost:
    """Wall seconds, processor seconds, and the greatest resident memory in GB of one or several processes."""

    wall: float
    cpu: float
    memory: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.wall + other.wall, self.cpu + other.cpu, max(self.memory, other.memory))

    def __str__(self) -> str:
        return f"{self.wall:7.2f} s wall {self.cpu:7.2f} s cpu {self.memory:5.2f} GB"


def cost(command: Sequence[str | Path], env: dict[str, str]) -> tuple[Cost, str]:
    """Run a command to its end and return what it cost and what it printed; stops at a failure."""
    started = time.perf_counter()
    # Polars, imported here too, writes its allocator's settings down for every process that follows. An installation
    # has its modules compiled: where the shell forbids to keep what is compiled, each process would compile again.
    own = {name: value for name, value in os.environ.items() if name not in UNTOLD}
    process = subprocess.Popen([str(c) for c in command], env={**own, **env}, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed with status {os.waitstatus_to_exitcode(status)}")
    wall = time.perf_counter() - started
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20), output


def history(folder: Path, claims: int, late: int) -> dict[str, float]:
    """Build a history of so many claims, then one night of `late` more, in a folder of its own; return seconds."""
    generate.history(folder / "history", claims)
    generate.night(folder / "night", late, claims)
    generate.codelist(folder / "codelists")
    env = {
        "ENGANG_HOME": str(folder / "home"),
        "ENGANG_CONTRACTS": str(HERE / "contracts"),
        "ENGANG_CODELISTS": str(folder / "codelists"),
    }
    script = [sys.executable, HERE / "bare.py", folder / "history", folder / "bare.parquet"]
    bare = [cost(script, {})[0].wall for _ in range(3)]
    whole, output = cost([sys.executable, HERE / "worker.py", folder], env)
    figures = json.loads(output.splitlines()[-1])
    _, found = cost([ENGANG, "query", "SELECT item_id FROM observations WHERE reports > 2 LIMIT 1", "-f", "csv"], env)
    explain = [cost([ENGANG, "explain", found.split()[-1]], env)[0].wall for _ in range(5)]
    return {
        "bare": statistics.median(bare),
        "full: submit": figures["full"]["submit"],
        "full: nightly": figures["full"]["nightly"],
        "full": figures["start"] + figures["full"]["all"],
        "night: submit": figures["night"]["submit"],
        "night: nightly": figures["night"]["nightly"],
        "night": figures["night"]["all"],
        "explain": statistics.median(explain),
        "memory": whole.memory,
    }


def elections(folder: Path, env: dict[str, str]) -> str | None:
    """Return what submitting the 4,289 election deliveries of 2021 costs; None where they are absent."""
    archive = HERE.parents[2] / "shared" / "data" / "valg" / "deliveries-2021.tar.xz"
    if not archive.exists():
        return None
    lists = HERE.parents[2] / "shared" / "data" / "codelists"
    figures, output = cost(
        [ENGANG, "submit", archive, "-c", "valg-resultat"],
        {**env, "ENGANG_HOME": str(folder / "valg"), "ENGANG_CODELISTS": str(lists)},
    )
    files = int(re.findall(r"^(\d+) files", output, re.MULTILINE)[0])
    return f"{files} election files: {figures}, {files / figures.wall:.0f} files a second (at least 100)"


def main() -> None:
    """Run all, print each cost and the ratios that the product promises."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--claims", type=int, default=10_000_000, help="claims in the long history")
    options.add_argument("--late", type=int, default=100_000, help="claims of the night on top")
    options.add_argument("--keep", type=Path, help="work here and leave it")
    given = options.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="engang-bench-"))
    long = history(folder / "long", given.claims, given.late)
    short = history(folder / "short", given.claims // 10, given.late)
    for name, figures in (("long", long), ("short", short)):
        for what, figure in figures.items():
            print(f"{name:6} {what:16} {figure:7.2f} {'GB' if what == 'memory' else 's'}")
    starts = [cost([ENGANG, "--help"], {})[0].wall for _ in range(5)]
    print(f"engang --help: {statistics.median(starts):.2f} s (under 0.5)")
    print(f"explain: {long['explain']:.2f} s (under 1)")
    print(elections(folder, {}) or "no election files here")
    print(f"full / bare:            {long['full'] / long['bare']:5.2f} (at most 11)")
    print(f"peak memory:            {long['memory']:5.2f} GB (under 4)")
    print(f"night / full:           {long['night'] / long['full']:5.1%} (at most 15 %)")
    print(f"night, long / short:    {long['night'] / short['night']:5.2f} (at most 1.5)")
    if not given.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
