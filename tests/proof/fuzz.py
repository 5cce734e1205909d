"""The fuzzer: mutated files arrive in a folder, are processed as in production, and a night follows.

Law 7: each ends in a receipt or a parked file within the budgets, and the next honest delivery is published.
"""

import os
import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
import sqlalchemy as sa

from flows.installation import Installation
from flows.intake.arrivals import receive_arrivals
from flows.pipeline import nightly
from flows.releases import find_release, read_table
from infra.inbox import work_queue
from infra.lake import delta as lake
from infra.ledger.open import open_ledger
from infra.ledger.sql import read_frame
from infra.ledger.tables import inbox
from infra.settings import DEMO_CODELISTS, read_settings
from tests.proof.fuzz_mutations import mutated
from tests.proof.fuzz_seeds import seeds, write_contracts

HONEST: Final = ("omsorgsdirektoratet", "demo-omsorg")
HEADER: Final = "Kommunenr;Kommune;Måned;Versjon;Plasser;Beboere;Timeverk;Utgifter\n"
FIRST_YEAR: Final = 1951
"""The honest deliveries are about months that no mutated file is likely to name."""
SLOWEST: Final = 60.0
"""Processor seconds that one file may take, and the clock's seconds if the machine does nothing else."""


@dataclass
class Fuzzer:
    """An installation to which mutated files arrive; `tally` counts what became of them, `reasons` why some parked."""

    folder: Path
    seed: int
    tally: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Open the installation."""
        rules = self.folder / "contracts"
        rules.mkdir()
        self.seeds = seeds(write_contracts(rules))
        home = self.folder / "home"
        home.mkdir()
        settings = replace(
            read_settings(home), contracts=rules, codelists=DEMO_CODELISTS, ledger_url=f"sqlite:///{home / 'ledger.db'}"
        )
        lake.open_lake(settings.lake)
        self.installation = Installation(settings, open_ledger(settings.ledger_url))
        self.arrivals = home / "arrivals"
        self.rng = random.Random(self.seed)
        self.brought = 0
        self.nights = 0

    def bring(self, count: int) -> None:
        """Let mutated files arrive and be processed; raises `AssertionError` unless each has come to an end."""
        names = [self._write(n) for n in range(self.brought, self.brought + count)]
        self.brought += count
        started = time.process_time()
        receive_arrivals(self.installation, listing=True)
        assert time.process_time() - started < SLOWEST + count, "the processor seconds of this many files"
        rows = read_frame(self.installation.engine, sa.select(inbox))
        ends = {row["object"]: row for row in rows.iter_rows(named=True)}
        lost = [name for name in names if name not in ends]
        open_ones = {name: ends[name]["reason"] for name in names if name in ends and ends[name]["status"] not in ENDED}
        assert not lost, f"no row of the inbox: {lost}"
        assert not open_ones, f"neither received nor parked: {open_ones}"
        self.tally += Counter(ends[name]["status"] for name in names)
        parked = [ends[name] for name in names if ends[name]["status"] == "parked"]
        self.reasons += Counter(_kind_of_reason(row) for row in parked)
        self.examples = {_kind_of_reason(row): row["object"] for row in parked} | self.examples
        shutil.rmtree(self.arrivals)

    def _write(self, number: int) -> str:
        """Write one mutated file, that no other writing of it is waited for; return its key."""
        seed = self.rng.choice(self.seeds)
        ending, data = mutated(seed, self.seeds, self.rng)
        period = f"period={seed.period}/" if seed.period else ""
        key = f"{seed.sender}/{seed.contract}/{period}{number}.{ending}"
        self._put(key, data)
        return key

    def _put(self, key: str, data: bytes) -> None:
        path = self.arrivals / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        before = time.time() - 3600
        os.utime(path, (before, before))

    def honest_night(self) -> None:
        """Deliver something honest and let a night come: it must be published."""
        month, year = 1 + self.nights % 12, FIRST_YEAR + self.nights // 12
        self.nights += 1
        line = f"1120;Klepp;{month:02}.{year};1;{1000 + self.nights};9;100;5\n"
        self._put(f"{'/'.join(HONEST)}/honest-{self.nights}.csv", (HEADER + line).encode("cp1252"))
        done = nightly(self.installation, export="never")
        assert done.published, "the night after published nothing"
        table = read_table(self.installation, "observations", find_release(self.installation))
        mine = table.filter(pl.col("period_start") == pl.date(year, month, 1), concept="care_places").collect()
        assert mine["value"].to_list() == [1000 + self.nights], "the honest delivery is not published"

    def report(self) -> str:
        """Return what became of the files, and the most frequent reasons to park one."""
        ranked = self.reasons.most_common()
        shown = [*ranked[:8], *(pair for pair in ranked[8:] if "unforeseen" in pair[0])]
        most = "".join(f"\n  {count:6} {reason} (e.g. {self.examples[reason]})" for reason, count in shown)
        return f"{self.brought} files: {dict(self.tally)}{most}"


ENDED: Final = ("done", "parked")


def without_waiting() -> pytest.MonkeyPatch:
    """Return a patch, to be undone, under which what failed is tried again at once, until it is parked."""
    patch = pytest.MonkeyPatch()
    patch.setattr(work_queue, "BACK_OFF", (timedelta(0),) * len(work_queue.BACK_OFF))
    return patch


def _kind_of_reason(row: dict[str, Any]) -> str:
    """Return why a file was parked, without its own name and numbers."""
    reason = str(row["reason"]).replace(row["object"].rsplit("/", 1)[1], "FILE")
    return "".join("0" if character.isdigit() else character for character in reason)[:110]
