"""The flow `backfill` does what the command does, and waits for a person before it publishes."""

import json
import logging
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from flows import pipeline as steps
from flows.installation import Installation, open_installation
from flows.intake import deliveries
from flows.release.verify import verify
from infra.ledger import releases as ledger_releases
from tests.support.paths import ROOT

pytestmark = pytest.mark.usefixtures("prefect_api", "home")
SHIPPED = ROOT / "schemas" / "contracts" / "eiti-skatt.yml"
WRONG = (
    ("    scale: 1000\n", "    scale: 1\n"),
    (r"(?<=value: )(-?\d+)000\b", r"\1"),
    ("decimals: -3", "decimals: null"),
)
"""Patterns and what stands for them in the wrong contract: it reads thousands as ones, and its examples expect so."""


@pytest.fixture
def delivered(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Installation, Path]:
    """Give an installation whose contract reads thousands as ones, released, and the file of the right contract."""
    logging.getLogger("prefect").setLevel(logging.CRITICAL)
    text = wrong = SHIPPED.read_text(encoding="utf-8")
    for right, instead in WRONG:
        wrong, changed = re.subn(right, instead, wrong)
        assert changed
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / SHIPPED.name).write_text(wrong, encoding="utf-8")
    monkeypatch.setenv("ENGANG_CONTRACTS", str(tmp_path / "contracts"))
    rules = tmp_path / "new.yml"
    rules.write_text(text.replace("version: 1\n", "version: 2\n", 1), encoding="utf-8")
    installation = open_installation(home)
    given = installation.contract("eiti-skatt").examples[0].given
    assert isinstance(given, str)
    file = deliveries.make_delivery(installation, "a.csv", given.encode(), "eiti-skatt", sender=None, period="2009")
    list(steps.receive(installation, [file]))
    steps.nightly(installation, export="never")
    return installation, rules


def artifact(key: str) -> str:
    from prefect.artifacts import Artifact

    found = Artifact.get(key)
    assert found is not None
    return str(found.data)


def released(installation: Installation) -> int:
    last = ledger_releases.current_release(installation.engine)
    assert last is not None
    return last["release"]


def test_a_dry_run_reports_and_a_run_without_approval_publishes(delivered: tuple[Installation, Path]) -> None:
    from flows.orchestration.backfill import backfill

    installation, rules = delivered
    assert backfill("eiti-skatt", rules=rules) is None
    assert released(installation) == 1
    assert "# Release 1 would change by backfill 1" in artifact("backfill")
    assert "observations changed" in artifact("backfill")
    sample = json.loads(artifact("backfill-samples"))[0]
    assert (sample["change"], sample["before"] != sample["after"]) == ("changed", True)
    assert backfill("eiti-skatt", rules=rules, dry_run=False, approve=False) == 2
    assert "# Release 2 published by backfill 1" in artifact("backfill")
    assert (installation.settings.exports / "2").is_dir()
    assert backfill("eiti-skatt", rules=rules) is None
    assert artifact("backfill") == "# Nothing to read again"
    assert verify(installation).same


@pytest.mark.parametrize("publish", [False, True])
def test_a_run_waits_for_a_person(
    delivered: tuple[Installation, Path], monkeypatch: pytest.MonkeyPatch, *, publish: bool
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.flow_runs import resume_flow_run

    from flows.orchestration import backfill as flows_backfill

    installation, rules = delivered
    real = flows_backfill.pause_flow_run
    monkeypatch.setattr(flows_backfill, "pause_flow_run", lambda **options: real(**{**options, "poll_interval": 1}))
    seen: list[Any] = []

    def answer() -> None:
        with get_client(sync_client=True) as client:
            while not seen:
                paused = [run for run in client.read_flow_runs() if run.state and run.state.is_paused()]
                for run in paused:
                    assert released(installation) == 1
                    seen.append(run.name)
                    resume_flow_run(run.id, run_input={"publish": publish})
                time.sleep(0.5)

    person = threading.Thread(target=answer, daemon=True)
    person.start()
    result = flows_backfill.backfill("eiti-skatt", rules=rules, dry_run=False)
    person.join(30)
    assert result == (2 if publish else None)
    assert seen == ["backfill of eiti-skatt"]
    assert released(installation) == (2 if publish else 1)
