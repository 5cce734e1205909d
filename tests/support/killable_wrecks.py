"""A process that does steps of an installation of records and can be killed in them; run by test_record_bad_input.py.

As `killable_process` does, it imports once and forks for every step. A death can also come before scoring and
before resolving.
"""

from pathlib import Path
from typing import Any

import splink  # noqa: F401  takes a second: once here, not in every child
import sqlalchemy as sa

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake import deliveries
from flows.published_tables import kinds_of
from flows.release.verify import lake_digest
from flows.releases import find_release
from infra.lake.item_tables import kind_tables
from infra.ledger import decisions as ledger_decisions
from infra.ledger import models as ledger_models
from infra.ledger import records as ledger_records
from infra.ledger import releases as ledger_releases
from infra.ledger.decisions import Decision
from tests.support import killable_process, ledger_rows, wreck_installation
from tests.support.small_installation import open_small
from transforms.linkage import scoring
from transforms.records import resolution


def open_home(home: Path) -> Installation:
    """Open an installation of wrecks, made where it is not there yet; its model is pinned."""
    if not (home / "kinds").exists():
        wreck_installation.folders(home)
    kinds = {"wreck": wreck_installation.kind()}
    installation = open_small(home, contracts=home / "contracts").with_presets(kinds=kinds)
    if not ledger_models.pins_in_force(installation.engine):
        wreck_installation.pin(installation, wreck_installation.model())
    return installation


def submit(home: Installation, command: dict[str, Any]) -> list[str]:
    """Deliver files of rows."""
    files = [
        deliveries.Delivery(name, wreck_installation.csv(*rows), "wrecks", "agency")
        for name, rows in command["files"].items()
    ]
    return [receipt.status for receipts in steps.receive(home, files) for receipt in receipts]


def decide(home: Installation, command: dict[str, Any]) -> int:
    """Keep a decision on two reports."""
    a, b = (wreck_installation.report(number, railroad) for number, railroad in command["pair"])
    return ledger_decisions.add_decision(home.engine, Decision("wreck", a, b, command["verdict"], "Kari", "a test"))


def nightly(home: Installation, _: dict[str, Any]) -> int | None:
    """Publish."""
    return steps.nightly(home, export="never").release


def look(home: Installation, _: dict[str, Any]) -> dict[str, Any]:
    """Return all that a release holds of the records, and what the ledger knows of them."""
    runs = ledger_rows.read_runs(home.engine)["status"].to_list()
    if ledger_releases.current_release(home.engine) is None:
        return {"release": None, "runs": runs}
    release = find_release(home)
    (kind,) = kinds_of(home, release)
    names = [name for name in release["tables"] if name.startswith("wreck") and not name.endswith("_retired")]
    live = {name: kind_tables(home.settings.lake, kind).live(name, release["tables"]).collect() for name in names}
    return {
        "release": release["release"],
        "digest": release["digest"],
        "lake": lake_digest(home, release),
        "tables": {name: sorted(map(repr, rows.rows())) for name, rows in live.items()},
        "assignments": sorted(ledger_records.read_item_assignments(home.engine, "wreck").rows()),
        "counted": ledger_decisions.read_decisions(home.engine)["in_release"].to_list(),
        "rows": sorted(ledger_releases.read_row_counts(home.engine, release["release"]).rows()),
        "runs": runs,
    }


class Clock(killable_process.Clock):
    """Ticks before pairs are scored, before they are resolved, and before what reaches the disk."""

    def watch(self, engine: sa.Engine) -> None:
        """Count all that."""
        super().watch(engine)
        self.before(scoring, "score_pairs")
        self.before(resolution, "cluster_reports")


if __name__ == "__main__":
    killable_process.open_small = open_home  # type: ignore[assignment]
    killable_process.Clock = Clock  # type: ignore[misc]
    killable_process.STEPS = {"submit": submit, "decide": decide, "nightly": nightly, "look": look}
    killable_process.main()
