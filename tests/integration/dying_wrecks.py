"""A process that does steps of an installation of records and can be killed in them; run by test_record_bad_input.py.

As `dying` does, it imports once and forks for every step. A death can come before anything is scored or resolved, too.
"""

from pathlib import Path
from typing import Any

import dying
import splink  # noqa: F401  takes a second: once here, not in every child
import sqlalchemy as sa
import wrecks
from small_home import open_small

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake import registration as receiving
from flows.release.records import resolution as record_night
from flows.release.verify import lake_digest
from flows.releases import kinds_of, released
from infra.lake import kind_tables as lake_records
from infra.ledger import records as ledger_records
from infra.ledger import submissions as ledger
from transforms.linkage import scoring as match


def open_home(home: Path) -> Installation:
    """Open an installation of wrecks, made where it is not there yet; its model is pinned."""
    if not (home / "kinds").exists():
        wrecks.folders(home)
    installation = open_small(home, contracts=home / "contracts")
    installation.__dict__["kinds"] = {"wreck": wrecks.kind()}  # a cached property, given instead of read
    if not ledger_records.pinned(installation.engine):
        wrecks.pin(installation, wrecks.model())
    return installation


def submit(home: Installation, told: dict[str, Any]) -> list[str]:
    """Deliver files of rows."""
    files = [receiving.Delivery(name, wrecks.csv(*rows), "wrecks", "agency") for name, rows in told["files"].items()]
    return [receipt.status for receipts in steps.receive(home, files) for receipt in receipts]


def decide(home: Installation, told: dict[str, Any]) -> int:
    """Keep a decision on two reports."""
    a, b = (wrecks.report(number, railroad) for number, railroad in told["pair"])
    return ledger_records.decide(home.engine, ledger_records.Decision("wreck", a, b, told["verdict"], "Kari", "a test"))


def nightly(home: Installation, _: dict[str, Any]) -> int | None:
    """Publish."""
    return steps.nightly(home, export="never").release


def look(home: Installation, _: dict[str, Any]) -> dict[str, Any]:
    """Return all that a release holds of the records, and what the ledger knows of them."""
    runs = ledger.runs(home.engine)["status"].to_list()
    if ledger.current_release(home.engine) is None:
        return {"release": None, "runs": runs}
    release = released(home)
    (kind,) = kinds_of(home, release)
    names = [name for name in release["tables"] if name.startswith("wreck") and not name.endswith("_retired")]
    live = {name: lake_records.live(home.settings.lake, kind, name, release["tables"]).collect() for name in names}
    return {
        "release": release["release"],
        "digest": release["digest"],
        "lake": lake_digest(home, release),
        "tables": {name: sorted(map(repr, rows.rows())) for name, rows in live.items()},
        "homes": sorted(ledger_records.homes(home.engine, "wreck").rows()),
        "counted": ledger_records.decisions(home.engine)["in_release"].to_list(),
        "rows": sorted(ledger.row_counts(home.engine, release["release"]).rows()),
        "runs": runs,
    }


class Clock(dying.Clock):
    """Ticks before pairs are scored, before they are resolved, and before what reaches the disk."""

    def watch(self, engine: sa.Engine) -> None:
        """Count all that."""
        super().watch(engine)
        self.before(match, "score")
        self.before(record_night, "resolve")


if __name__ == "__main__":
    dying.open_small = open_home  # type: ignore[assignment]
    dying.Clock = Clock  # type: ignore[misc]
    dying.STEPS = {"submit": submit, "decide": decide, "nightly": nightly, "look": look}
    dying.main()
