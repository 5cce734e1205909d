"""The release site: `python -m tests.bench.site`. Of four real sources, or `--items 1000000` of invented observations.

Prints pages, wall and processor seconds and peak memory of `engang site`, the whole command, its megabytes by language,
and the ratio to a bare write of the largest tables to Parquet by Polars. `--keep FOLDER` leaves the home there.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from infra.settings import tune_allocator

tune_allocator()

from flows.check_page.texts import LANGUAGES
from flows.installation import Installation, open_installation
from flows.intake.registration import receive
from flows.release.build import night
from flows.releases import find_release, read_table
from tests.support.four_sources import deliveries_of, lay_out

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import generate
from mart import ENGANG, measured_command, own_seconds, publish
from package import BARE_TABLES, cost

SECONDS = 60
MEGABYTES = 50
MEGABYTE = 1e6


def real_home(folder: Path) -> Installation:
    """Make a home of the four real sources and publish it, unchecked: that is not measured here."""
    os.environ |= lay_out(folder)
    installation = open_installation()
    for _ in receive(installation, deliveries_of(installation)):
        pass
    assert night(installation).published
    return installation


def invented_home(folder: Path, items: int) -> Installation:
    """Make a home of so many observations and publish it."""
    generate.history(folder / "history", round(items * generate.REPORTS))
    generate.codelist(folder / "codelists")
    os.environ |= {
        "ENGANG_HOME": str(folder / "home"),
        "ENGANG_CONTRACTS": str(HERE / "contracts"),
        "ENGANG_CODELISTS": str(folder / "codelists"),
    }
    installation = open_installation()
    publish(installation, folder / "history")
    return installation


def megabytes(folder: Path) -> float:
    """Return the size of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MEGABYTE


def main() -> None:
    """Make the home, write its site, and print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--items", type=int, default=0, help="invented observations instead of the real sources")
    options.add_argument("--keep", type=Path, help="where the home stays")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="engang-bench-") as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        installation = invented_home(folder, given.items) if given.items else real_home(folder)
        release = find_release(installation)
        wall, cpu = time.perf_counter(), own_seconds()
        written = measured_command([ENGANG, "site", "--out", folder / "site", "--json"])
        wall, cpu = time.perf_counter() - wall, own_seconds() - cpu
        tables = [read_table(installation, name, release) for name in BARE_TABLES]
        bare = cost(lambda: [rows.sink_parquet(folder / f"{n}.parquet") for n, rows in enumerate(tables)])
        site = Path(written["folder"])
        sizes = {name: megabytes(site / name) for name in (*LANGUAGES, "data")}
    print(f"{release['counts']['items']:,} items, {written['pages']} pages")
    print(f"{wall:.1f} s wall {cpu:.1f} s cpu {written['memory']:.2f} GB")
    print(f"{written['bytes'] / MEGABYTE:.1f} MB, of it " + ", ".join(f"{n} {size:.1f}" for n, size in sizes.items()))
    print(f"bare Parquet {bare['wall']} s wall {bare['cpu']} s cpu; ratio of cpu {cpu / bare['cpu']:.1f}")
    print(f"goals: {SECONDS} s and {MEGABYTES} MB of a million items")
    print(f"{os.getloadavg()[0]:.0f} processes waited for {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
