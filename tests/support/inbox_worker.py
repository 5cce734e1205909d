"""A worker that claims and closes everything in the inbox; run as a process of its own, it waits for a line first."""

import sys

import polars as pl
from sqlalchemy import Engine

from infra.inbox import work_queue
from infra.ledger.open import open_ledger
from infra.ledger.sql import write_transaction

BATCH = 40


def close(engine: Engine, worker: str, claimed: pl.DataFrame) -> None:
    """Close claimed objects as done."""
    with write_transaction(engine) as connection:
        work_queue.acknowledge(worker, claimed["id"].to_list())(connection)


def work(engine: Engine, worker: str, closed: list[int]) -> None:
    """Claim and close until nothing waits; add the ids to `closed`."""
    while (claimed := work_queue.lease(engine, worker, BATCH)).height:
        close(engine, worker, claimed)
        closed += claimed["id"].to_list()


def main(url: str, worker: str) -> None:
    """Print `ready`, wait for a line, work, print how many objects were closed."""
    engine, closed = open_ledger(url), list[int]()
    print("ready", flush=True)
    input()
    work(engine, worker, closed)
    print(len(closed))


if __name__ == "__main__":
    main(*sys.argv[1:])
