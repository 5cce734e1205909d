"""A process that does steps of Engang on command and can be killed in the middle of them; run by test_killed.py.

It imports once and then only forks: a child does one step and may kill itself with -9 before the n-th call of a
boundary function, so that a few dozen deaths take seconds. Commands and answers are lines of JSON.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from flows import installation as opening
from flows import pipeline as steps
from flows.intake import deliveries
from flows.intake.deliveries import make_delivery
from flows.release.rebuild import rebuild_lake
from flows.release.verify import lake_digest
from flows.releases import find_release, read_table
from infra.checks import engine as checks
from infra.lake import delta as lake
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from tests.support import forked_reader, ledger_rows, swiftness
from tests.support.small_installation import open_small

DEATH = signal.SIGKILL
LATE = (
    "cloudevents.core.formats.json", "cloudevents.core.v1.event", "cloudpickle", "infra.codelists", "infra.inbox.sqs",
    "infra.lake.sampling", "infra.storage.s3", "pyarrow.ipc", "transforms.register.build",
)  # fmt: skip
"""Modules that a step imports as it runs: they are imported once, not by every child."""


class Clock:
    """Counts the calls of boundary functions, and kills its process before the chosen one.

    What is on disk before a call is what was there after the call before it, so no death between two is left out.
    """

    def __init__(self, kill_at: int | None) -> None:
        self.kill_at = kill_at
        self.ticks: list[str] = []

    def tick(self, name: str) -> None:
        self.ticks.append(name)
        if self.kill_at is not None and len(self.ticks) >= self.kill_at:
            os.kill(os.getpid(), DEATH)

    def before(self, owner: object, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self.tick(name)
            return real(*args, **kwargs)

        setattr(owner, name, watched)

    def watch(self, engine: sa.Engine) -> None:
        """Count what reaches the disk: files, Delta commits, statements and commits of the ledger."""
        self.before(os, "fsync")
        self.before(os, "link")
        self.before(Path, "replace")
        self.before(lake, "write_deltalake")
        for name in ("restore", "delete"):
            self.before(lake.DeltaTable, name)
        sa.event.listen(engine, "commit", lambda _: self.tick("commit"))
        sa.event.listen(engine, "before_cursor_execute", self.writes)

    def writes(self, *arguments: Any) -> None:
        statement = arguments[2].split()[0]
        if statement in {"INSERT", "UPDATE", "DELETE"}:
            self.tick(statement)


def unchecked() -> None:
    """Leave the checks' engine out: it only reads, and importing it takes seconds."""
    checks.preload = lambda: None  # type: ignore[assignment,return-value]
    checks.TableCheck.findings = lambda _: []  # type: ignore[method-assign]
    checks.check_release = balanced  # type: ignore[assignment]


def balanced(summary: checks.ReleaseSummary) -> list[checks.Finding]:
    assert sum(summary.buckets.values()) == summary.delivered
    assert summary.unbalanced == 0
    assert summary.item_ids == summary.rows["observations"]
    return []


def submit(home: opening.Installation, command: dict[str, Any]) -> list[str]:
    deliveries.BATCH_FILES = command.get("batch_files", deliveries.BATCH_FILES)  # type: ignore[misc]
    delivered = [
        make_delivery(home, name, text.encode(), "folketall", sender="kommunen", period=None)
        for name, text in command["files"].items()
    ]
    return [receipt.status for receipts in steps.receive(home, delivered) for receipt in receipts]


def nightly(home: opening.Installation, _: dict[str, Any]) -> int | None:
    return steps.nightly(home).release


def look(home: opening.Installation, _: dict[str, Any]) -> dict[str, Any]:
    """Return what a reader sees: the release, its digest in ledger and lake, its items, the counts of every row."""
    runs = ledger_rows.read_runs(home.engine)["status"].to_list()
    submissions = ledger_submissions.read_submissions(home.engine).drop("batch", "received_at").to_dicts()
    if ledger_releases.current_release(home.engine) is None:
        return {"release": None, "submissions": submissions, "runs": runs}
    release = find_release(home)
    items = read_table(home, "observations", release).select("item_id", "value").collect().sort("item_id")
    row_counts = ledger_releases.read_row_counts(home.engine, release["release"]).select(
        "submission_id", "bucket", "rows"
    )
    return {
        "release": release["release"],
        "digest": release["digest"],
        "lake": lake_digest(home, release),
        "items": [[item, str(value)] for item, value in items.iter_rows()],
        "sources": read_table(home, "sources", release).select("claim_id", "chosen").collect().sort("claim_id").rows(),
        "conflicts": read_table(home, "conflicts", release).select("claim_id").collect()["claim_id"].sort().to_list(),
        "rows": sorted(row_counts.rows()),
        "counts": {k: n for k, n in release["counts"].items() if k not in {"added", "changed", "removed"}},
        "submissions": submissions,
        "runs": runs,
        "exported": sorted(p.name for p in home.settings.exports.glob("*") if not p.name.startswith(".")),
    }


def rebuild(home: opening.Installation, _: dict[str, Any]) -> int:
    return rebuild_lake(home).submissions


STEPS: dict[str, Callable[[opening.Installation, dict[str, Any]], Any]] = {
    "rebuild": rebuild,
    "submit": submit,
    "nightly": nightly,
    "look": look,
}


def child(command: dict[str, Any], answer: Path) -> None:
    """Do one step in a home; write what it gave, unless killed before."""
    unchecked()
    if command["step"] in {"submit", "rebuild"}:
        forked_reader.start()
    clock = Clock(command.get("kill_at"))
    home = open_small(Path(command["home"]))
    clock.watch(home.engine)
    if "kill_after" in command:  # the kernel ends the process, wherever it is: no handler runs
        signal.setitimer(signal.ITIMER_REAL, command["kill_after"])
    done = STEPS[command["step"]](home, command)
    answer.write_text(json.dumps({"done": done, "ticks": clock.ticks}))


@contextmanager
def forked(command: dict[str, Any], answer: Path) -> Iterator[int]:
    """Fork a child that does the step; give how it ended, 0 or minus the signal."""
    process = os.fork()
    if not process:
        try:
            child(command, answer)
        finally:
            sys.stderr.flush()
            os._exit(0 if answer.exists() else 1)
    yield os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    answer.unlink(missing_ok=True)


def main() -> None:
    for name in LATE:
        importlib.import_module(name)
    swiftness.spare_collections()
    for line in sys.stdin:
        command = json.loads(line)
        answer = Path(command["home"]).with_suffix(".answer")
        with forked(command, answer) as ended:
            given = json.loads(answer.read_text()) if answer.exists() else {}
        print(json.dumps({"ended": ended, **given}), flush=True)


if __name__ == "__main__":
    main()
