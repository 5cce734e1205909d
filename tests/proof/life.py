"""A process that does steps of Engang on command and can be killed in the middle of them; see `test_kill_matrix`.

It imports once and then only forks: a child does a list of steps and may kill itself with -9 before the n-th call
that leaves it, so that hundreds of deaths take minutes. Commands and answers are lines of JSON.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "integration"))

import dying
import polars as pl
import splink  # noqa: F401  takes a second: once here, not in every child
import sqlalchemy as sa
import wrecks
from boundaries import Boundaries

from flows import pipeline as steps
from flows.backfill import publish as backfill_night
from flows.backfill import reread as backfilling
from flows.installation import Installation, open_installation
from flows.intake import arrivals as intake
from flows.intake import registration as receiving
from flows.release.verify import lake_digest, verify
from flows.releases import kinds_of, released, table
from infra.lake import delta as lake
from infra.lake import kind_tables as lake_records
from infra.ledger import records as ledger_records
from infra.ledger import submissions as ledger
from infra.ledger import tables
from infra.storage import landing

Told = dict[str, Any]
CHANGING = {"added", "changed", "removed"}
"""Counts that say what a release changed: they depend on how many releases there were."""


def unchecked() -> None:
    """Leave the checks' engine out: it only reads, and importing it takes seconds. What it sums up is looked at.

    What otherwise comes with many files comes with two.
    """
    dying.unchecked()
    backfilling.STEP_FILES = 1  # type: ignore[misc]
    lake.MANY_FILES = 2  # type: ignore[misc]


def receive(home: Installation, _: Told) -> list[str]:
    """Find what arrived and work it off, until nothing is left to do."""
    intake.reconcile_arrivals(home)
    return [receipt.status for receipt in intake.drain(home, f"worker-{os.getpid()}", lambda _: None)]


def nightly(home: Installation, _: Told) -> int | None:
    return steps.nightly(home).release


def backfill(home: Installation, told: Told) -> int | None:
    """Read the submissions of a contract by its new version, a file a step, and publish what that changes."""
    begun = backfilling.start(home, backfilling.Asked("folketall", rules=Path(told["rules"])))
    return None if begun.number is None else backfill_night.finish(home, begun.number).night.release


def dry_run(home: Installation, told: Told) -> None:
    """Find what a backfill would change, and publish nothing."""
    begun = backfilling.start(home, backfilling.Asked("folketall", rules=Path(told["rules"])))
    assert begun.number is not None
    backfill_night.try_out(home, begun.number)


def pin(home: Installation, _: Told) -> None:
    """Put the model of wrecks in force."""
    wrecks.pin(home, wrecks.model())


def withdraw(home: Installation, told: Told) -> bool:
    found = ledger.submissions(home.engine).filter(pl.col("filename") == told["filename"], status="live")
    return max(receiving.withdraw(home, s) for s in found["submission_id"])


def verified(home: Installation, _: Told) -> bool:
    return verify(home).same


def look(home: Installation, _: Told) -> Told:
    """Return what a reader sees: the release, its digest in ledger and lake, its items, the counts of every row."""
    told = ledger.submissions(home.engine)
    seen: Told = {
        "submissions": told.drop("batch", "received_at", "first_release").to_dicts(),
        "landed": sorted(submission for submission, _ in landing.listing(home.landing)),
        "inbox": rows_of(home, sa.select(tables.inbox.c.object, tables.inbox.c.status, tables.inbox.c.submission_id)),
        "backfills": [told["status"] for told in backfilling.list_backfills(home)],
        "runs": sorted(set(ledger.runs(home.engine)["status"])),
    }
    if ledger.current_release(home.engine) is None:
        return {"release": None, **seen}
    release = released(home)
    items = table(home, "observations", release).select("item_id", "value").collect().sort("item_id")
    counts = ledger.row_counts(home.engine, release["release"]).select("submission_id", "bucket", "rows")
    per = told.join(counts.group_by("submission_id").agg(pl.col("rows").sum()), on="submission_id", how="left")
    return (
        seen
        | records(home, release)
        | {
            "release": release["release"],
            "digest": release["digest"],
            "lake": lake_digest(home, release),
            "unbalanced": per.filter(pl.col("rows").fill_null(0) != pl.col("delivered"))["filename"].to_list(),
            "items": [[item, str(value)] for item, value in items.iter_rows()],
            "sources": rows(table(home, "sources", release).select("claim_id", "chosen").collect()),
            "conflicts": rows(table(home, "conflicts", release).select("claim_id").collect()),
            "buckets": rows(counts.filter(pl.col("rows") != 0)),
            "counts": {k: n for k, n in release["counts"].items() if k not in CHANGING},
        }
    )


def records(home: Installation, release: ledger.Release) -> Told:
    """Return every row of every table of the kinds in a release, but for the release it came with; and their homes."""
    seen: Told = {"records": [], "homes": []}
    for kind in kinds_of(home, release):
        for name in sorted(lake_records.tables(kind).keys() & release["tables"].keys() - {f"{kind.kind}_retired"}):
            live = lake_records.live(home.settings.lake, kind, name, release["tables"])
            told = live.select(pl.exclude("release")).collect()
            seen["records"] += sorted([name, *map(repr, row)] for row in told.iter_rows())
        seen["homes"] += sorted(list(row) for row in ledger_records.homes(home.engine, kind.kind).iter_rows())
    return seen


def rows(frame: pl.DataFrame) -> list[list[Any]]:
    return sorted([list(row) for row in frame.iter_rows()])


def rows_of(home: Installation, query: sa.Select[Any]) -> list[list[Any]]:
    with home.engine.connect() as connection:
        return sorted([[str(cell) for cell in row] for row in connection.execute(query)])


def later(home: Installation, _: Told) -> None:
    """Let every lease and every back-off be over: the time that passes before someone starts it again."""
    past = sa.text("UPDATE inbox SET lease_until = :t, not_before = NULL WHERE status IN ('leased', 'waiting')")
    with home.engine.begin() as connection:
        connection.execute(past, {"t": "2020-01-01 00:00:00.000000"})


STEPS: dict[str, Callable[[Installation, Told], Any]] = {
    "receive": receive,
    "nightly": nightly,
    "backfill": backfill,
    "dry run": dry_run,
    "pin": pin,
    "withdraw": withdraw,
    "verify": verified,
    "later": later,
    "look": look,
}


def child(told: Told, answer: Path) -> None:
    """Do the steps in a home; write what they gave, unless killed before."""
    if "proxy" in told:
        arm(told)
    os.environ.update(told["env"])
    unchecked()
    home = open_installation(Path(told["home"]))
    boundaries = Boundaries(told.get("kill_at"))
    if told.get("watched"):
        boundaries.watch()
    if "kill_after" in told:  # the kernel ends the process, wherever it is: no handler runs
        signal.setitimer(signal.ITIMER_REAL, told["kill_after"])
    done = [STEPS[step["do"]](home, step) for step in told["steps"]]
    answer.write_text(json.dumps({"done": done, "ticks": list(boundaries.ticks)}))


def arm(told: Told) -> None:
    """Ask the proxy to kill this process at the n-th request."""
    import urllib.request

    asked = json.dumps({"pid": os.getpid(), **told["proxy"]["kill"]}).encode()
    urllib.request.urlopen(f"{told['proxy']['url']}/-proxy/kill", asked).read()  # noqa: S310  our own


if __name__ == "__main__":
    dying.child = child
    dying.main()
