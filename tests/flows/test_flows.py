"""The Prefect flows do what the plain steps do, tell what they did, and are served at their hour."""

import json
import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flows import pipeline as steps
from flows.installation import Installation, open_installation
from flows.intake import arrivals as intake
from flows.intake import deliveries
from flows.intake import registration as receiving
from flows.intake.deliveries import Delivery
from infra.inbox.work_queue import count_done
from infra.lake import delta as lake
from infra.ledger import releases as ledger_releases
from schemas.errors import StoreError, UsageError
from tests.support import ledger_rows

pytestmark = pytest.mark.usefixtures("prefect_api", "home")

EXAMPLES = (("eiti-skatt", 0, "2009"), ("eiti-skatt", 1, "2011"), ("valg-fylke-csv", 1, "2017"))
"""Contract, which of its example rows, period: the second in time has a conflict, the last one rejects."""


@pytest.fixture(autouse=True)
def _without_delay(monkeypatch: pytest.MonkeyPatch, prefect_api: str) -> None:
    from flows.orchestration import nightly, receive

    assert prefect_api
    for task in (
        receive.receive_batch_task,
        nightly.publish_task,
        nightly.reconcile_task,
        nightly.export_task,
    ):
        monkeypatch.setattr(task, "retry_delay_seconds", [0])
    logging.getLogger("prefect").setLevel(logging.CRITICAL)


def given(installation: Installation) -> list[Delivery]:
    found = []
    for contract, example, period in EXAMPLES:
        text = installation.contract(contract).examples[example].given
        assert isinstance(text, str)
        name = f"{contract}-{period}.csv"
        found.append(deliveries.make_delivery(installation, name, text.encode(), contract, sender=None, period=period))
    return found


def arrive(home: Path, delivery: Delivery) -> None:
    """Let a file stand in the arrivals for a while."""
    path = home / "arrivals" / delivery.sender / delivery.contract / f"period={delivery.period}" / delivery.filename
    path.parent.mkdir(parents=True)
    path.write_bytes(delivery.data)
    os.utime(path, (time.time() - 9, time.time() - 9))


def plain_home(folder: Path) -> Installation:
    """Return an installation to which the plain steps have brought the examples, not yet published."""
    installation = open_installation(folder)
    list(steps.receive(installation, given(installation)))
    return installation


def artifact(key: str) -> Any:
    from prefect.artifacts import Artifact

    found = Artifact.get(key)
    assert found is not None
    data = found.data
    return json.loads(data) if isinstance(data, str) and data.startswith("[") else data


def test_flows_and_plain_steps_publish_the_same(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.orchestration.nightly import nightly
    from flows.orchestration.receive import receive

    plain = steps.nightly(plain_home(tmp_path / "plain"))
    installation = open_installation(home)
    first, second, third = given(installation)
    file = tmp_path / first.filename
    file.write_bytes(first.data)
    assert [r.status for r in receive((file,), first.contract, None, first.period)] == ["registered"]
    assert count_done(installation.engine) == 1  # paths go through the inbox too
    deliveries.land(
        installation, [second]
    )  # cut off half-way: the nightly finds it, `receive` looks into the inbox only
    arrive(home, third)
    assert intake.reconcile_arrivals(installation) == 1
    assert [r.filename for r in receive()] == [row["filename"] for row in artifact("receipts")] == [third.filename]
    assert receive() == []
    done = nightly()
    assert done.digest == plain.digest
    assert done.counts == plain.counts
    manifest = json.loads((home / "releases" / "1" / "release.json").read_text())
    assert manifest == {**json.loads((tmp_path / "plain/releases/1/release.json").read_text()), **_own(manifest)}
    release = artifact("release")
    assert f"# Release 1 published\n\nDigest `{plain.digest}`." in release
    assert f"| items | {plain.counts['items']} |" in release
    assert "engang query" in release
    assert nightly().published is False
    assert "# Release 1 is unchanged: there was nothing new" in artifact("release")
    assert artifact("night").startswith("# Release 1 is unchanged: there was nothing new\n\n## What came")
    receiving.receive_batch(installation, [replace(third, data=third.data + b"\n")])  # the same months, a file more
    before = claims_files(installation)
    monkeypatch.setattr(lake, "MANY_FILES", 2)
    nightly()
    assert 0 < claims_files(installation) < before, "small files are put together"


def claims_files(installation: Installation) -> int:
    root = installation.settings.lake
    return len(lake.files(root, "claims", lake.newest_versions(root, ["claims"])["claims"]))


def _own(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what two homes differ in: times, the commits of batches, and the key that signs."""
    return {name: manifest[name] for name in ("published_at", "tables", "tree_head")}


def test_artifacts_report_what_came_and_what_was_rejected(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.orchestration.nightly import nightly
    from flows.orchestration.receive import receive

    delivery = given(open_installation(home))[2]
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_bytes(delivery.data)
    (folder / "b.csv").write_bytes(b"Kari;Nordmann\n1;2\n")
    receive((folder,), delivery.contract, None, delivery.period)
    rows = artifact("receipts")
    assert [(r["filename"], r["status"], r["delivered"], r["claims"], r["rejected"]) for r in rows] == [
        ("b.csv", "rejected", 0, 0, 0),
        ("a.csv", "registered", 6, 1, 5),
    ]
    assert "Nordmann" not in json.dumps(rows)  # what was delivered stays out of Prefect's database
    text = artifact("delivery")
    assert text.startswith("# 2 submissions")
    assert "| files rejected | 1 |" in text
    assert "| rows rejected | 5 |" in text
    assert "engang rejects SUBMISSION" in text
    monkeypatch.setenv("ENGANG_EXPORTS", str(tmp_path / "out"))
    nightly("never")
    assert artifact("package") == f"`{tmp_path / 'out' / '1'}`"
    assert "Nordmann" not in (tmp_path / "out" / "latest" / "csv" / "rejects.csv").read_text()
    contracts = artifact("contracts")
    assert [(c["contract"], c["submissions"], c["rejected"]) for c in contracts] == [("valg-fylke-csv", 2, 5)]
    status = artifact("status")
    assert status.startswith("# 1 problems need action\n\n- 1 file of contract valg-fylke-csv rejected whole: ")
    assert "Nordmann" not in status
    night = artifact("night")
    assert night.startswith(
        "# Release 1 published\n\n## What came\n\n| what | count |\n| --- | ---: |\n| files live | 1 |"
    )
    assert "## Rejected whole\n\n- 1 file of contract valg-fylke-csv rejected whole: " in night
    assert "## Parked\n\nNone." in night
    assert "Nordmann" not in night
    assert not (home / "releases").exists()
    with pytest.raises(UsageError, match="without a contract"):
        receive((folder,))


def test_a_refused_release_fails_the_run_and_the_last_one_stands(home: Path) -> None:
    from flows.orchestration.nightly import nightly

    installation = open_installation(home)
    first, second, _ = given(installation)
    list(steps.receive(installation, [first]))
    before = steps.nightly(installation)
    list(steps.receive(installation, [second]))
    with installation.engine.begin() as connection:  # a row that ends in no bucket
        connection.execute(sa.text("UPDATE submissions SET delivered = delivered + 1 WHERE NOT in_release"))
    state = nightly(return_state=True)
    assert state.is_failed()
    assert "ReleaseRefused" in str(state.message)
    assert "nothing was published" in str(state.message)
    assert ledger_rows.read_runs(installation.engine)["status"].to_list() == [
        "done",
        "refused",
    ]  # once: not tried again
    current = ledger_releases.current_release(installation.engine)
    assert current is not None
    assert (current["release"], current["digest"]) == (1, before.digest)
    assert "# Refused: nothing was published" in artifact("release")
    assert f"Release 1 stays current, digest `{before.digest}`" in artifact("release")
    assert artifact("night").startswith("# The night failed\n")
    checks = artifact("failed-checks")
    assert checks
    assert all(set(c) >= {"table", "expectation", "column", "found", "expected"} for c in checks)


def test_storage_that_fails_once_is_tried_again(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.orchestration.nightly import nightly
    from flows.orchestration.receive import receive

    plain = steps.nightly(plain_home(tmp_path / "plain"))
    broken = Broken(monkeypatch)
    first = given(installation := open_installation(home))[0]
    file = tmp_path / first.filename
    file.write_bytes(first.data)
    broken.times = 1
    assert [r.status for r in receive((file,), first.contract, None, first.period)] == ["registered"]
    list(steps.receive(installation, given(installation)[1:]))
    broken.times = 1
    assert nightly().digest == plain.digest
    assert ledger_rows.read_runs(installation.engine)["status"].to_list() == ["done"], "its publishing is repeated"


def test_a_run_after_storage_that_kept_failing_completes_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.orchestration import nightly

    plain = steps.nightly(plain_home(tmp_path / "plain"))
    installation = plain_home(home)
    broken = Broken(monkeypatch)
    broken.times = 1 + nightly.publish_task.retries
    state = nightly.nightly(return_state=True)
    assert state.is_failed()
    assert "StoreError: no space left" in str(state.message)
    assert ledger_releases.current_release(installation.engine) is None
    assert "- the nightly failed (1 times since the last success): StoreError: no space left" in artifact("status")
    assert ledger_rows.read_runs(installation.engine)["status"].to_list() == ["failed"]
    assert nightly.nightly().digest == plain.digest


class Broken:
    """A lake that fails in the middle, `times` times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of the lake's `append`."""
        self.times = 0
        self.append = lake.append
        monkeypatch.setattr(lake, "append", self)

    def __call__(self, root: Path, name: str, *rows: Any) -> None:
        """Append, or fail."""
        if name in {"claims", "sources"} and self.times:
            self.times -= 1
            raise StoreError("no space left")
        self.append(root, name, *rows)


def test_a_delivery_is_no_parameter() -> None:
    from flows.orchestration.nightly import nightly
    from flows.orchestration.receive import receive

    assert set(receive.parameters.properties) == {"paths", "contract", "sender", "period"}
    assert set(nightly.parameters.properties) == {"export"}


def test_batches_are_of_one_contract_and_bounded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    delivered = given(open_installation(home))
    more = [replace(d, data=d.data + b"\n") for d in delivered]
    together = [[d.contract for d in batch] for batch in deliveries.batches([*delivered, *more])]
    assert together == [["eiti-skatt"] * 2, ["valg-fylke-csv"], ["eiti-skatt"] * 2, ["valg-fylke-csv"]]
    monkeypatch.setattr(deliveries, "BATCH_FILES", 1)
    assert [len(batch) for batch in deliveries.batches(delivered)] == [1, 1, 1]
