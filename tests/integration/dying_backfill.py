"""A process that does backfills on command and can be killed in the middle of them; run by test_backfill_killed.py.

As `dying` does, it imports once and forks for every step.
"""

from pathlib import Path
from typing import Any

import dying
from small_backfill import opened

from flows.backfill import reread as backfilling
from flows.backfill.publish import finish, try_out
from flows.installation import Installation
from infra.ledger import backfills as ledger_backfills


def backfill(home: Installation, told: dict[str, Any]) -> dict[str, Any]:
    """Begin or go on with a backfill, a submission a step, and try it out or publish it."""
    backfilling.STEP_BYTES = 1  # type: ignore[misc]
    begun = backfilling.start(home, backfilling.Asked("folketall", rules=Path(told["rules"])))
    if begun.number is None:
        return {"left_out": begun.left_out}
    done = (try_out if told.get("dry_run") else finish)(home, begun.number)
    return {"diff": done.diff, "as_tried": done.as_tried, "again": begun.again}


def look(home: Installation, told: dict[str, Any]) -> dict[str, Any]:
    """Return what `dying.look` does, and how the backfills stand."""
    seen = dying.look(home, told)
    kept = [[told["id"], told["status"], told["release"]] for told in ledger_backfills.backfills(home.engine)]
    return {**seen, "backfills": kept, "runs": [run for run in seen["runs"] if run not in {"failed", "done"}]}


if __name__ == "__main__":
    dying.open_small = opened  # type: ignore[assignment]
    dying.STEPS = {"submit": dying.submit, "nightly": dying.nightly, "backfill": backfill, "look": look}
    dying.main()
