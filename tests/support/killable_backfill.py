"""A process that does backfills on command and can be killed in the middle of them; run by test_backfill_killed.py.

As `killable_process` does, it imports once and forks for every step.
"""

from pathlib import Path
from typing import Any

from flows.backfill import reread as backfilling
from flows.backfill.publish import finish_backfill, try_backfill
from flows.installation import Installation
from infra.ledger import backfills as ledger_backfills
from tests.support import killable_process
from tests.support.backfill_installation import opened


def backfill(home: Installation, command: dict[str, Any]) -> dict[str, Any]:
    """Begin or go on with a backfill, a submission a step, and try it out or publish it."""
    backfilling.STEP_BYTES = 1  # type: ignore[misc]
    begun = backfilling.start_backfill(home, backfilling.BackfillRequest("folketall", rules=Path(command["rules"])))
    if begun.number is None:
        return {"left_out": begun.left_out}
    done = (try_backfill if command.get("dry_run") else finish_backfill)(home, begun.number)
    return {"diff": done.diff, "as_tried": done.as_tried, "again": begun.resumed}


def look(home: Installation, command: dict[str, Any]) -> dict[str, Any]:
    """Return what `killable_process.look` does, and how the backfills stand."""
    seen = killable_process.look(home, command)
    backfills_seen = [
        [command["id"], command["status"], command["release"]]
        for command in ledger_backfills.read_backfills(home.engine)
    ]
    return {**seen, "backfills": backfills_seen, "runs": [run for run in seen["runs"] if run not in {"failed", "done"}]}


if __name__ == "__main__":
    killable_process.open_small = opened  # type: ignore[assignment]
    killable_process.STEPS = {
        "submit": killable_process.submit,
        "nightly": killable_process.nightly,
        "backfill": backfill,
        "look": look,
    }
    killable_process.main()
