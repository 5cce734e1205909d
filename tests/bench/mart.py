"""The mart: `python -m tests.bench.mart`. A first load of a million observations, then a night of 10,000 claims.

Each sync is the command `engang mart sync`, whole. Prints wall and processor seconds (ours, and those of the server's
processes), the peak memory of the command, and the ratio to a bare COPY of the same rows, as stored text, into tables
without any key, in the same run. The PostgreSQL is the tests' own: it does not wait for the disk. `--items 100000` is a
quick look.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.settings import tune_allocator

tune_allocator()

import psycopg

from flows.installation import Installation, open_installation
from flows.intake.archives import read_files
from flows.intake.deliveries import make_delivery
from flows.intake.registration import receive
from flows.release.build import night
from tests.support.servers import postgresql

HERE = Path(__file__).parent
ENGANG = Path(sys.executable).with_name("engang")
sys.path.insert(0, str(HERE))
import generate

LOAD_SECONDS = 60
NIGHT_SECONDS = 5
TICKS = os.sysconf("SC_CLK_TCK")
BARE = "bare COPY of the same rows"
REAPED = 1
"""Seconds after which the server has counted the time of a process of its own that ended."""


def publish(installation: Installation, files: Path) -> None:
    """Submit every sender's files and publish them, unchecked: that is not measured here."""
    for sender in generate.SENDERS:
        found = read_files(files / sender, installation.settings)
        given = (make_delivery(installation, name, data, "bench", sender=sender, period=None) for name, data in found)
        for _ in receive(installation, given):
            pass
    assert night(installation).published


def server_seconds(url: str) -> float:
    """Return the processor seconds of the server's processes that have ended, and of itself."""
    with psycopg.connect(url) as connection:
        data = connection.execute("SHOW data_directory").fetchone()
    assert data
    pid = (Path(data[0]) / "postmaster.pid").read_text().split()[0]
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICKS


def measured_command(command: Sequence[str | Path]) -> dict[str, Any]:
    """Run a command that prints JSON; return what it printed, and `memory`: the most that it took, in GB."""
    memory = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:  # what `wait4` gives is no less than what this process had when it started it
            found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
            memory = max(memory, int(found[1])) if found else memory
            time.sleep(0.05)
        assert process.stdout
        printed = json.loads(process.stdout.read())
    return {**printed, "memory": memory / 2**20}


def sync(url: str) -> dict[str, Any]:
    """Run `engang mart sync`; return what it printed, and its memory."""
    return measured_command([ENGANG, "mart", "sync", url, "--json"])


@contextmanager
def measured(url: str, what: str, seconds: dict[str, float]) -> Iterator[None]:
    """Print what a block costs, and note its wall seconds."""
    server, own, wall = server_seconds(url), own_seconds(), time.perf_counter()
    yield
    seconds[what] = time.perf_counter() - wall
    own = own_seconds() - own
    time.sleep(REAPED)
    server = server_seconds(url) - server
    print(f"{what:34} {seconds[what]:7.2f} s wall {own:7.2f} s cpu here {server:7.2f} s cpu of the server", flush=True)


def own_seconds() -> float:
    """Return the processor seconds of this process and of those that it started and that ended."""
    return sum(sum(resource.getrusage(whose)[:2]) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def store_rows(mart: str, bare: str, folder: Path) -> list[Path]:
    """Store the rows of the mart's tables as text, and create these tables, without keys, in another database."""
    with psycopg.connect(mart) as connection, psycopg.connect(bare, autocommit=True) as target:
        tables = connection.execute(
            "SELECT c.relname, string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' "
            "ORDER BY attnum) FROM pg_class c JOIN pg_attribute ON attrelid = c.oid "
            "WHERE attnum > 0 AND attgenerated = '' AND relnamespace = 'engang_star'::regnamespace "
            "AND relkind = 'r' AND relname <> 'sync' GROUP BY 1"
        ).fetchall()
        for name, columns in tables:
            target.execute(f'CREATE TABLE "{name}" ({columns})'.encode())
            out = f'COPY engang_star."{name}" TO STDOUT'.encode()
            with (folder / name).open("wb") as file, connection.cursor().copy(out) as blocks:
                for block in blocks:
                    file.write(block)
    return [folder / name for name, _ in tables]


def copy_stored(bare: str, files: list[Path]) -> None:
    """Copy stored rows into the tables of their names."""
    with psycopg.connect(bare, autocommit=True) as target:
        for path in files:
            with path.open("rb") as file, target.cursor().copy(f'COPY "{path.name}" FROM STDIN'.encode()) as copy:
                while block := file.read(2**20):
                    copy.write(block)


def main() -> None:
    """Run all and print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--items", type=int, default=1_000_000, help="observations in the history")
    options.add_argument("--late", type=int, default=10_000, help="claims of the night on top")
    given = options.parse_args()
    claims = round(given.items * generate.REPORTS)
    with tempfile.TemporaryDirectory(prefix="engang-bench-") as name, postgresql() as url_of:
        folder = Path(name)
        generate.history(folder / "history", claims)
        generate.night(folder / "night", given.late, claims)
        generate.codelist(folder / "codelists")
        os.environ |= {"ENGANG_CONTRACTS": str(HERE / "contracts"), "ENGANG_CODELISTS": str(folder / "codelists")}
        with psycopg.connect(url_of("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE mart")
            connection.execute("CREATE DATABASE bare")
        os.environ["ENGANG_HOME"] = str(folder / "home")
        installation, mart, seconds = open_installation(), url_of("mart"), dict[str, float]()
        publish(installation, folder / "history")
        with measured(mart, "first load", seconds):
            loaded = sync(mart)
        with measured(mart, "nothing new", seconds):
            assert sync(mart)["outcome"] == "unchanged"
        (folder / "rows").mkdir()
        files = store_rows(mart, url_of("bare"), folder / "rows")
        size = sum(path.stat().st_size for path in files)
        with measured(mart, BARE, seconds):
            copy_stored(url_of("bare"), files)
        publish(installation, folder / "night")
        with measured(mart, f"night of {given.late:,} claims", seconds):
            updated = sync(mart)
        assert (loaded["outcome"], updated["outcome"]) == ("loaded", "updated")
    print(f"{loaded['rows']:,} rows loaded, {size / 2**20:.0f} MB as text; {updated['rows']:,} rows of the night")
    print(
        f"memory of the command: {loaded['memory']:.2f} GB for the first load, {updated['memory']:.2f} GB for the night"
    )
    bare = seconds[BARE]
    print(f"first load / bare COPY: {seconds['first load'] / bare:.2f}")
    print(f"first load: {seconds['first load']:.1f} s (under {LOAD_SECONDS})")
    print(f"night: {seconds[f'night of {given.late:,} claims']:.1f} s (under {NIGHT_SECONDS})")


if __name__ == "__main__":
    main()
