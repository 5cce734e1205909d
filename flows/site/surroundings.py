"""What the site shows of the installation around a release: nights, parked files, deliveries, deadlines."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.monitoring.obligations import Obligation, obligations
from infra.inbox import work_queue as inbox
from infra.ledger import monitoring as ledger_monitoring
from infra.ledger import submissions as ledger_submissions
from schemas.claims import COUNT_COLUMNS

LAST_NIGHTS: Final = 14
MOST_PARKED: Final = 50
"""Parked files that are listed, the oldest first."""


@dataclass(frozen=True)
class Surroundings:
    """What is around a release.

    nights: started_at, finished_at, status. parked: sender, done_at, the first of parked_all; why is for operators
    alone, as it may quote names. deliveries: contract, submissions and the counts of their rows. deadlines: those of
    each contract that has any.
    """

    nights: pl.DataFrame
    parked: pl.DataFrame
    parked_all: int
    deliveries: pl.DataFrame
    deadlines: tuple[Obligation, ...]


def read_surroundings(installation: Installation, day: date) -> Surroundings:
    """Read what is around a release. day: whose deadlines are judged."""
    engine = installation.engine
    parked = inbox.list_parked(engine).select("sender", "done_at")
    counts = ledger_submissions.count_submissions(engine)
    return Surroundings(
        nights=ledger_monitoring.read_last_runs(engine, "nightly", LAST_NIGHTS).drop("message"),
        parked=parked.head(MOST_PARKED),
        parked_all=parked.height,
        deliveries=counts.group_by("contract").agg(pl.col("submissions", *COUNT_COLUMNS).sum()).sort("contract"),
        deadlines=tuple(obligations(installation, day)),
    )
