"""A small installation whose contract gets a new version: what was delivered before, and the new contract's file."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.release.publish import Night
from infra.lake import delta as lake
from infra.ledger.open import open_ledger
from infra.settings import DEMO_CODELISTS, read_settings
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER

FILES: Final = {
    "a.csv": HEADER + "0301;01.01.2024;alle;700;\n1120;01.01.2024;alle;20;\n9998;01.01.2024;alle;1;\n",
    "b.csv": HEADER + "0301;01.02.2024;alle;701;3\nSum;01.02.2024;alle;701;\n",
    "c.csv": HEADER + "1121;01.02.2024;alle;18;7\n",
    "gone.csv": HEADER + "1121;01.03.2024;alle;19;\n",
    "bad.csv": "kommune;dag;antall;merknad\n1121;01.04.2024;19;\n",
}
"""Deliveries under version 1: `bad.csv` lacks a column and is rejected whole, so is one row of `a.csv`."""
V2: Final = (
    ("version: 1", "version: 2"),
    ("measure: {value: persons}\n", "measure: {value: persons}\n    scale: 1000\n"),
    ("value: 709037", "value: 709037000"),
)
"""Changes that make version 2: figures are in thousands."""


def opened(home: Path, url: str | None = None) -> Installation:
    """Open an installation with contracts of its own to be changed, on this ledger (SQLite by default)."""
    own = home / "contracts"
    own.mkdir(parents=True, exist_ok=True)
    for path in CONTRACTS.glob("*.yml"):
        if not (own / path.name).exists():
            (own / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    settings = replace(
        read_settings(home),
        contracts=own,
        codelists=DEMO_CODELISTS,
        ledger_url=url or f"sqlite:///{home / 'ledger.db'}",
    )
    lake.open_lake(settings.lake)
    return Installation(settings, open_ledger(settings.ledger_url))


def changed(home: Installation, *changes: tuple[str, str]) -> Path:
    """Write a changed `folketall` beside the contracts and return its file."""
    text = (CONTRACTS / "folketall.yml").read_text(encoding="utf-8")
    for old, new in changes or V2:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = home.settings.home / "folketall-new.yml"
    path.write_text(text, encoding="utf-8")
    return path


def put_in_force(home: Installation, rules: Path) -> Installation:
    """Make a changed contract the installation's own, and open it again."""
    assert home.settings.contracts is not None
    (home.settings.contracts / "folketall.yml").write_text(rules.read_text(encoding="utf-8"), encoding="utf-8")
    return Installation(home.settings, home.engine)


def submit(home: Installation, files: dict[str, str], sender: str = "kommunen") -> dict[str, str]:
    """Deliver files; return the submission of each."""
    deliveries = [
        make_delivery(home, name, text.encode(), "folketall", sender=sender, period=None)
        for name, text in files.items()
    ]
    return {r.filename: r.submission_id for receipts in steps.receive(home, deliveries) for r in receipts}


def nightly(home: Installation) -> Night:
    """Publish, and export nothing."""
    return steps.nightly(home, export="never")
