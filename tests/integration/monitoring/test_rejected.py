"""Files that are rejected whole: one line for each contract and reason, with the count, the columns and what to do."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows import pipeline
from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.monitoring.rejected import announce_rejected
from flows.monitoring.status import status
from infra.ledger import outbox
from infra.ledger import tables as t
from infra.ledger.sql import write_transaction
from infra.settings import ObservabilitySettings
from tests.support.cli_runner import engang
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER, open_small

pytestmark = pytest.mark.usefixtures("unchecked")

ROW = "0301;01.01.2024;alle;{};\n"


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    opened = open_small(tmp_path / "home")
    settings = replace(opened.settings, observability=ObservabilitySettings(webhook="http://localhost:1/x"))
    return Installation(settings, opened.engine)


def receive(home: Installation, *files: tuple[str, str]) -> None:
    deliveries = [Delivery(name, text.encode(), "folketall", "ssb") for name, text in files]
    assert sum(len(receipts) for receipts in pipeline.receive(home, deliveries)) == len(files)


def changed_form(figure: int) -> tuple[str, str]:
    """Return a file of a form that has two new columns."""
    return f"{figure}.csv", f"{HEADER.strip()};kjønn;alder\n{ROW.format(figure).strip()};1;2\n"


def rejected(home: Installation) -> list[str]:
    return [problem for problem in status(home).problems if "rejected whole" in problem]


def test_a_form_that_changed_is_one_line_with_all_new_columns(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(home, *(changed_form(n) for n in range(1, 13)), ("empty.csv", ""), ("good.csv", HEADER + ROW.format(1)))
    add = "add them under `ignore` or map them in the contract"
    again = "then `engang backfill --contract folketall`, or have them delivered again"
    first, second = rejected(home)
    assert first == f"12 files of contract folketall rejected whole: unknown columns kjønn, alder; {add}, {again}"
    assert second.startswith("1 file of contract folketall rejected whole: empty-file; ")
    assert "`engang rejects " in second
    for name, value in (("HOME", home.settings.home), ("CONTRACTS", CONTRACTS)):
        monkeypatch.setenv(f"ENGANG_{name}", str(value))
    result = engang("status")
    assert result.code == 1
    assert f"! {first}" in result.out
    groups = json.loads(engang("status", "--json").out)["rejected"]
    assert [(group["reason"], group["files"], group["senders"]) for group in groups] == [
        ("unknown-column", 12, ["ssb"]),
        ("empty-file", 1, ["ssb"]),
    ]


def test_it_is_over_when_the_file_is_accepted_or_after_a_week_with_a_release(home: Installation) -> None:
    receive(home, changed_form(1), ("b.csv", ""))
    assert len(rejected(home)) == 2
    receive(home, ("1.csv", HEADER + ROW.format(1)))
    (line,) = rejected(home)
    assert "empty-file" in line
    with write_transaction(home.engine) as connection:
        earlier = sa.func.strftime("%Y-%m-%d %H:%M:%S.000000", t.submissions.c.received_at, "-8 days")
        connection.execute(sa.update(t.submissions).values(received_at=earlier))
    assert rejected(home) == [], "a week"
    receive(home, ("c.csv", HEADER))
    pipeline.nightly(home)
    assert len(rejected(home)) == 1, "the release of this night hides nothing of today"


def test_each_contract_and_reason_is_announced_once_until_more_arrive(home: Installation) -> None:
    receive(home, changed_form(1), changed_form(2), ("b.csv", ""))
    assert announce_rejected(home) == 3
    announce_rejected(home)
    events = outbox.read_unsent_events(home.engine)
    assert sorted(events["subject"]) == ["folketall/empty-file", "folketall/unknown-column"]
    receive(home, changed_form(3))
    announce_rejected(home)
    assert outbox.read_unsent_events(home.engine).height == 3
    with home.engine.connect() as connection:
        texts = [json.loads(text) for (text,) in connection.execute(sa.select(t.outbox.c.text))]
    data = texts[-1]["data"]
    assert (texts[-1]["type"], data["files"], data["senders"]) == ("no.engang.submission.rejected", 3, ["ssb"])
    assert "kjønn" not in json.dumps(texts, ensure_ascii=False)
