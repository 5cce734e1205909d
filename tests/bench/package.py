"""What a package of a release costs: `python -m tests.bench.package FOLDER`, in a home that `worker.py FOLDER` made.

Prints JSON: items, wall and processor seconds of the package, its bytes and peak memory, and the same of a bare write
of the largest tables to Parquet by Polars, measured in the same run.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from infra.settings import tune_allocator

tune_allocator()

from flows.installation import open_installation
from flows.package.publish import write_package
from flows.releases import find_release, read_table

BARE_TABLES = ("observations", "sources", "changes")


def cost(work: Callable[[], object]) -> dict[str, float]:
    """Run it and return wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": round(time.perf_counter() - wall, 2), "cpu": round(time.process_time() - cpu, 2)}


def main() -> None:
    """Write the package, then the bare files, and print what both cost."""
    installation = open_installation()
    release = find_release(installation)
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as scratch:
        folder = Path(scratch)
        started, progress = time.perf_counter(), []
        package = cost(
            lambda: write_package(
                installation, release, folder / "package",
                lambda text: progress.append((round(time.perf_counter() - started, 1), text)),
            )
        )  # fmt: skip
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        bare = cost(
            lambda: [
                read_table(installation, name, release).sink_parquet(folder / f"{name}.parquet") for name in BARE_TABLES
            ]
        )
        size = sum(path.stat().st_size for path in (folder / "package").rglob("*") if path.is_file())
    figures = {"items": release["counts"]["items"], "package": package, "bare": bare, "memory_gb": round(memory, 2)}
    ratio = round(package["cpu"] / bare["cpu"], 1)
    print(json.dumps({**figures, "megabytes": round(size / 2**20), "ratio_cpu": ratio, "steps": progress}))


if __name__ == "__main__":
    main()
