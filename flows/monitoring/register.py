"""Whether the register knows units now that it did not know when their rows were rejected."""

from collections.abc import Callable
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.known_units import now_known_units
from infra.ledger import monitoring as ledger_monitoring
from infra.ledger import runs as ledger_runs

REGISTER_CHECK: Final = "register-check"
"""The kind of the runs that hold what a night found."""


def check_register(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> list[str]:
    """Record which contracts have rejected rows that would pass now; return a sentence for each."""
    problems = find_known_units(installation)
    for problem in problems:
        progress(problem)
    ledger_runs.record_check(installation.engine, REGISTER_CHECK, "\n".join(problems) or None)
    return problems


def register_problems(installation: Installation, *, now: bool) -> list[str]:
    """Return what the last night found, or with `now` what is so now: the rejects of every submission are read."""
    if now:
        return find_known_units(installation)
    last = ledger_monitoring.read_last_runs(installation.engine, REGISTER_CHECK, 1)["message"].to_list()
    return last[0].split("\n") if last and last[0] else []


def find_known_units(installation: Installation) -> list[str]:
    """Return a sentence for each contract with rows whose unit was unknown and is known now."""
    counts = now_known_units(installation).group_by("contract").agg(pl.len().alias("submissions"), pl.col("rows").sum())
    return [
        f"{rows:,} rejected rows of contract {contract}, in {submissions:,} submissions, name units that the register "
        f"has now: `engang backfill --contract {contract}` reads them again"
        for contract, submissions, rows in counts.sort("contract").iter_rows()
    ]
