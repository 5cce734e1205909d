"""A process that does steps of Engang on command and can be killed in the middle of them; see `test_kill_matrix`.

It imports once and then only forks: a child does a list of steps and may kill itself with -9 before the n-th call
that leaves it, so that hundreds of deaths take minutes. Commands and answers are lines of JSON.
"""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import splink  # noqa: F401  takes a second: once here, not in every child
import sqlalchemy as sa

from flows import pipeline as steps
from flows.backfill import publish as backfill_night
from flows.backfill import reread as backfilling
from flows.installation import Installation, open_installation
from flows.intake import arrivals as intake
from flows.intake import registration as receiving
from flows.intake import worker
from flows.published_tables import kinds_of
from flows.release.tree.check import check_tree
from flows.release.verify import lake_digest, verify
from flows.releases import find_release, read_table
from infra.lake import delta as lake
from infra.lake.item_tables import kind_tables
from infra.ledger import records as ledger_records
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.ledger import tables
from infra.ledger.releases import Release
from infra.storage import landing
from tests.proof.boundaries import Boundaries
from tests.support import forked_reader, killable_process, ledger_rows, wreck_installation

Message = dict[str, Any]
CHANGING = {"added", "changed", "removed"}
"""Counts that say what a release changed: they depend on how many releases there were."""


def unchecked() -> None:
    """Leave the checks' engine out: it only reads, and importing it takes seconds. What it sums up is looked at.

    What otherwise comes with many files comes with two.
    """
    killable_process.unchecked()
    backfilling.STEP_FILES = 1  # type: ignore[misc]
    lake.MANY_FILES = 2  # type: ignore[misc]


def receive(home: Installation, _: Message) -> list[str]:
    """Find what arrived and work it off, until nothing is left to do."""
    intake.reconcile_arrivals(home)
    return [receipt.status for receipt in worker.process_inbox(home, f"worker-{os.getpid()}", lambda _: None)]


def nightly(home: Installation, _: Message) -> int | None:
    return steps.nightly(home).release


def backfill(home: Installation, command: Message) -> int | None:
    """Read the submissions of a contract by its new version, a file a step, and publish what that changes."""
    begun = backfilling.start_backfill(home, backfilling.BackfillRequest("folketall", rules=Path(command["rules"])))
    return None if begun.number is None else backfill_night.finish_backfill(home, begun.number).night.release


def dry_run(home: Installation, command: Message) -> None:
    """Find what a backfill would change, and publish nothing."""
    begun = backfilling.start_backfill(home, backfilling.BackfillRequest("folketall", rules=Path(command["rules"])))
    assert begun.number is not None
    backfill_night.try_backfill(home, begun.number)


def pin(home: Installation, _: Message) -> None:
    """Put the model of wrecks in force."""
    wreck_installation.pin(home, wreck_installation.model())


def withdraw(home: Installation, command: Message) -> bool:
    found = ledger_submissions.read_submissions(home.engine).filter(
        pl.col("filename") == command["filename"], status="live"
    )
    return max(receiving.withdraw(home, s) for s in found["submission_id"])


def verified(home: Installation, _: Message) -> bool:
    return verify(home).same


def look(home: Installation, _: Message) -> Message:
    """Return what a reader sees: the release, its digest in ledger and lake, its items, the counts of every row."""
    found = ledger_submissions.read_submissions(home.engine)
    seen: Message = {
        "submissions": found.drop("batch", "received_at", "first_release").to_dicts(),
        "landed": sorted(submission for submission, _ in landing.list_notes(home.landing)),
        "inbox": rows_of(home, sa.select(tables.inbox.c.object, tables.inbox.c.status, tables.inbox.c.submission_id)),
        "backfills": [found["status"] for found in backfilling.list_backfills(home)],
        "runs": sorted(set(ledger_rows.read_runs(home.engine)["status"])),
    }
    if ledger_releases.current_release(home.engine) is None:
        return {"release": None, **seen}
    release = find_release(home)
    items = read_table(home, "observations", release).select("item_id", "value").collect().sort("item_id")
    counts = ledger_releases.read_row_counts(home.engine, release["release"]).select("submission_id", "bucket", "rows")
    tree = check_tree(home.engine, found["submission_id"].to_list())
    per = found.join(counts.group_by("submission_id").agg(pl.col("rows").sum()), on="submission_id", how="left")
    return (
        seen
        | records(home, release)
        | {
            "release": release["release"],
            "digest": release["digest"],
            "lake": lake_digest(home, release),
            "unbalanced": per.filter(pl.col("rows").fill_null(0) != pl.col("delivered"))["filename"].to_list(),
            "items": [[item, str(value)] for item, value in items.iter_rows()],
            "sources": rows(read_table(home, "sources", release).select("claim_id", "chosen").collect()),
            "conflicts": rows(read_table(home, "conflicts", release).select("claim_id").collect()),
            "buckets": rows(counts.filter(pl.col("rows") != 0)),
            "counts": {k: n for k, n in release["counts"].items() if k not in CHANGING},
            "tree": [tree.fates, *tree.faults],
        }
    )


def records(home: Installation, release: Release) -> Message:
    """Return every row of every table of the kinds in a release, but for the release it came with; and their homes."""
    seen: Message = {"records": [], "assignments": []}
    for kind in kinds_of(home, release):
        tables = kind_tables(home.settings.lake, kind)
        for name in sorted(tables.columns.keys() & release["tables"].keys() - {f"{kind.kind}_retired"}):
            live = tables.live(name, release["tables"])
            rows = live.select(pl.exclude("release")).collect()
            seen["records"] += sorted([name, *map(repr, row)] for row in rows.iter_rows())
        seen["assignments"] += sorted(
            list(row) for row in ledger_records.read_item_assignments(home.engine, kind.kind).iter_rows()
        )
    return seen


def rows(frame: pl.DataFrame) -> list[list[Any]]:
    return sorted([list(row) for row in frame.iter_rows()])


def rows_of(home: Installation, query: sa.Select[Any]) -> list[list[Any]]:
    with home.engine.connect() as connection:
        return sorted([[str(cell) for cell in row] for row in connection.execute(query)])


def later(home: Installation, _: Message) -> None:
    """Let every lease and every back-off be over: the time that passes before someone starts it again."""
    past = sa.text("UPDATE inbox SET lease_until = :t, not_before = NULL WHERE status IN ('leased', 'waiting')")
    with home.engine.begin() as connection:
        connection.execute(past, {"t": "2020-01-01 00:00:00.000000"})


STEPS: dict[str, Callable[[Installation, Message], Any]] = {
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


READING = {"receive", "backfill", "dry run", "verify"}
"""Steps that read files."""


def child(command: Message, answer: Path) -> None:
    """Do the steps in a home; write what they gave, unless killed before."""
    if "proxy" in command:
        arm(command)
    os.environ.update(command["env"])
    unchecked()
    if any(step["do"] in READING for step in command["steps"]):
        forked_reader.start()
    home = open_installation(Path(command["home"]))
    boundaries = Boundaries(command.get("kill_at"), command.get("kill_reader"))
    if command.get("watched"):
        boundaries.watch()
    if "kill_after" in command:  # the kernel ends the process, wherever it is: no handler runs
        signal.setitimer(signal.ITIMER_REAL, command["kill_after"])
    done = [STEPS[step["do"]](home, step) for step in command["steps"]]
    given = {
        "done": done, "ticks": list(boundaries.ticks), "with_reader": list(boundaries.with_reader),
        "readers_killed": boundaries.readers_killed,
    }  # fmt: skip
    answer.write_text(json.dumps(given))


def arm(command: Message) -> None:
    """Ask the proxy to kill this process at the n-th request."""
    import urllib.request

    asked = json.dumps({"pid": os.getpid(), **command["proxy"]["kill"]}).encode()
    urllib.request.urlopen(f"{command['proxy']['url']}/-proxy/kill", asked).read()  # noqa: S310  our own


if __name__ == "__main__":
    killable_process.child = child
    killable_process.main()
