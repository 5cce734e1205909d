"""The records' benchmark: `python tests/bench/records.py`. Prints ratios against Splink alone, of the same run.

Processor seconds of whole processes count, so other work on the machine says little; memory is each process's greatest.
A night is also shown without what the checks' engine takes to load (some 7 s that do not grow). Takes about half an
hour and 10 GB of disk at full size; `--records 100000` is a quick look.
"""

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import generate_records as generate
from run import HERE, Cost, cost

LATE = 1000


@dataclass(frozen=True)
class Step:
    """What a step cost and what it said of itself."""

    cost: Cost
    figures: dict[str, Any]

    @property
    def warm(self) -> float:
        """Processor seconds, but for those that loaded the checks' engine."""
        return self.cost.cpu - float(self.figures.get("checks", 0))


@dataclass(frozen=True)
class Bench:
    """A history of so many records under one setting of the blocking: an installation in a folder of its own."""

    folder: Path
    env: dict[str, str]

    def step(self, name: str, subject: Path) -> Step:
        """Run one step of the worker."""
        figures, output = cost([sys.executable, HERE / "records_worker.py", name, subject], self.env)
        return Step(figures, json.loads(output.splitlines()[-1]))

    def bare(self) -> Step:
        """Run Splink alone."""
        files = [self.folder / name for name in ("frame.parquet", "bare.json", "bare.parquet")]
        figures, output = cost([sys.executable, HERE / "bare_records.py", *files], {})
        return Step(figures, json.loads(output.splitlines()[-1]))


def built(folder: Path, files: Path, blocking: str) -> Bench:
    """Make an installation and receive a history; nothing of it is measured."""
    env = generate.settings(folder, blocking) | {"ENGANG_HOME": str(folder / "home")}
    bench = Bench(folder, env)
    bench.step("receive", files)
    bench.step("pin", files.parent.parent / "model.json")
    return bench


def full(bench: Bench, blocking: str) -> Step:
    """Compare the first night with Splink alone; return the night."""
    bench.step("frame", bench.folder)
    bare, ours = bench.bare(), bench.step("night", bench.folder)
    print(f"{blocking}: Splink alone {bare.cost}, {bare.figures}")
    print(
        f"{blocking}: the night    {ours.cost}, {ours.warm:.2f} s without loading the checks, {ours.figures['counts']}"
    )
    ratio = f"{ours.warm / bare.cost.cpu:5.2f} ({ours.cost.cpu / bare.cost.cpu:.2f} with loading the checks"
    print(f"{blocking}: end to end / Splink alone {ratio}; at most 1.3)")
    print(f"{blocking}: memory above Splink alone {ours.cost.memory - bare.cost.memory:5.2f} GB (at most 1)")
    if blocking == "few":
        figures = bench.step("resolve", bench.folder).figures
        share = figures["cpu"] / bare.figures["predict"]
        print(
            f"resolving {figures['reports']} reports, {figures['edges']} edges: {figures['cpu']:.2f} s,"
            f" {share:.1%} of scoring (at most 10 %)"
        )
    return ours


def late(bench: Bench, files: Path) -> Step:
    """Deliver one night more and publish it."""
    bench.step("receive", files)
    night = bench.step("night", bench.folder)
    print(f"{LATE} records on {bench.folder.name}: {night.cost}, {night.warm:.2f} s without loading the checks")
    return night


def main() -> None:
    """Run all, print each cost and the ratios that the product promises."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=1_000_000, help="records in the history")
    options.add_argument("--only", choices=["few", "many", "long"], action="append", help="these parts only")
    options.add_argument("--keep", type=Path, help="work here and leave it")
    given = options.parse_args()
    parts = given.only or ["few", "many", "long"]
    folder = given.keep or Path(tempfile.mkdtemp(prefix="engang-bench-"))
    nights: dict[str, Step] = {}
    for size, name in ((given.records, "short"), (3 * given.records, "long")):
        if name == "short" or name in parts:
            generate.night(folder / name / "night", LATE, generate.history(folder / name / "history", size))
    for blocking in (p for p in ("few", "many") if p in parts):
        bench = built(folder / blocking, folder / "short" / "history", blocking)
        whole = full(bench, blocking)
        nights[blocking] = late(bench, folder / "short" / "night")
        print(f"{blocking}: night / full          {nights[blocking].warm / whole.warm:5.1%} (at most 3 %)")
    if "long" in parts:
        bench = built(folder / "long", folder / "long" / "history", "few")
        bench.step("night", bench.folder)
        nights["long"] = late(bench, folder / "long" / "night")
        if "few" in nights:
            print(f"night, on 3 times as many  {nights['long'].warm / nights['few'].warm:5.2f} (at most 1.3)")
    if not given.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
