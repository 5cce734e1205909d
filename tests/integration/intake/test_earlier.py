"""What a receipt states of the sender's earlier deliveries, and what a person states of a delivery."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.installation import Installation
from flows.intake.deliveries import Delivery, make_delivery
from flows.intake.earlier import compare_registered
from flows.intake.receipt import EarlierStatements, Receipt
from flows.intake.registration import check_delivery, receive, withdraw
from flows.intake.statements import read_as_of, state
from flows.queries.sql import query
from flows.release.build import night
from flows.release.verify import verify
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.storage import landing
from schemas.errors import UsageError
from tests.support.small_installation import open_small

pytestmark = pytest.mark.usefixtures("unchecked")
CONTRACT = """
contract: tall
version: 1
obligation: tall
title: {nb: Tall, nn: Tal, en: Numbers}
agency: A test's agency
legal_basis: none, a test
rhythm: yearly
hours_per_report: null
sender: {default: klepp, allowed: [oslo]}
format: {type: csv, delimiter: ";"}
unit: {column: knr, kind: municipality}
period: {column: year, type: year}
breakdown: {group: {column: group}}
repeat: error
claims:
  - {concept: population, column: n, reported_by: {option: sender}, unit_measure: {value: persons}}
examples: [{name: none, given: ""}]
"""
HEADER = "knr;year;group;n\n"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = "1120;2024;a;1\n1120;2024;b;2\n1121;2024;a;3\n"
SECOND = "1120;2024;a;9\n1120;2024;c;4\n1120;2025;a;5\n"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    contracts = tmp_path / "contracts"
    contracts.mkdir()
    (contracts / "tall.yml").write_text(CONTRACT)
    (contracts / "helt.yml").write_text(CONTRACT.replace("contract: tall", "contract: helt\ncorrection: whole"))
    installation = open_small(tmp_path / "home", contracts)
    yield installation
    installation.engine.dispose()


def delivery(home: Installation, rows: str, contract: str = "tall", minute: int = 0, **stated: Any) -> Delivery:
    sender = stated.pop("sender", None)
    made = make_delivery(home, "a.csv", (HEADER + rows).encode(), contract, sender=sender, period=None)
    return replace(made, received_at=NOON + timedelta(minutes=minute), **stated)


def submit(home: Installation, *arguments: Any, **stated: Any) -> Receipt:
    ((receipt,),) = receive(home, [delivery(home, *arguments, **stated)])
    return receipt


def earlier(home: Installation, receipt: Receipt) -> EarlierStatements | None:
    return compare_registered(home, receipt.submission_id)


def figures(home: Installation) -> list[tuple[Any, ...]]:
    night(home)
    sql = "SELECT unit_code, breakdown[11:11], value, reports FROM observations ORDER BY ALL"
    return query(home, sql).rows()


@pytest.mark.parametrize("contract", ["tall", "helt"])
def test_check_and_submit_state_what_a_second_delivery_changes(home: Installation, contract: str) -> None:
    assert earlier(home, submit(home, FIRST, contract)) is None
    checked, _ = check_delivery(home, delivery(home, SECOND, contract, 1))
    found = earlier(home, submit(home, SECOND, contract, 1))
    assert found is not None
    assert (found.submissions, found.new, found.corrected, found.unchanged, found.withdrawn) == (1, 2, 1, 0, 0)
    assert (found.absent, found.items) == (1, ('population {"group":"b"} Klepp 2024-01-01',))
    assert found.whole == (contract == "helt")
    assert checked.earlier == found
    first, second = found.sentences("klepp")
    assert first.startswith("klepp has delivered this contract and period once before: 2 new, 1 corrected, 0 unchanged")
    assert second.startswith("not mentioned any more: 1, they ")
    assert ("still stand" in second) == (contract == "tall")
    standing = [("1120", "a", 5, 1), ("1120", "a", 9, 1), ("1120", "c", 4, 1), ("1121", "a", 3, 1)]
    assert figures(home) == sorted(standing + ([("1120", "b", 2, 1)] if contract == "tall" else []))


def test_another_sender_or_period_or_a_withdrawn_delivery_is_no_earlier_one(home: Installation) -> None:
    first = submit(home, FIRST)
    assert earlier(home, submit(home, SECOND, "tall", 1, sender="oslo")) is None
    assert earlier(home, submit(home, "1120;2030;a;1\n", "tall", 2)) is None
    withdraw(home, first.submission_id)
    assert earlier(home, submit(home, SECOND, "tall", 3)) is None
    assert not check_delivery(home, delivery(home, "1120;2024;a;x\n", "tall", 4))[0].earlier


def test_a_late_delivery_of_an_older_day_corrects_nothing(home: Installation) -> None:
    submit(home, FIRST, "tall", 0)
    late = submit(home, SECOND, "tall", 1, as_of=datetime(2026, 1, 1))
    found = earlier(home, late)
    assert found is not None
    assert (found.new, found.corrected, found.unchanged) == (2, 0, 1)
    assert ("1120", "a", 1, 1) in figures(home)
    again = submit(home, SECOND, "tall", 2, as_of=datetime(2026, 4, 1))
    assert again.submission_id != late.submission_id
    assert ("1120", "a", 9, 2) in figures(home)
    assert verify(home).same


def test_a_figure_that_is_stated_again_is_unchanged_and_has_one_more_source(home: Installation) -> None:
    submit(home, FIRST)
    for minute, rows in enumerate((f"{FIRST}1121;2024;b;4\n", f"{FIRST}1121;2024;b;5\n"), 1):
        found = earlier(home, submit(home, rows, "tall", minute))
        assert found is not None
        assert (found.unchanged, found.new + found.corrected, found.withdrawn) == (3, 1, 0)
    standing = [("1120", "a", 1, 3), ("1120", "b", 2, 3), ("1121", "a", 3, 3), ("1121", "b", 5, 1)]
    assert figures(home) == standing
    assert verify(home).same


def test_a_file_replaces_a_submission_while_it_is_live(home: Installation) -> None:
    old = submit(home, FIRST, "tall", 5)
    assert len(figures(home)) == 3
    new = submit(home, "1120;2024;a;7\n", "tall", 1, replaces=old.submission_id)  # received before, and replaces it
    assert figures(home) == [("1120", "a", 7, 1)]
    assert verify(home).same
    buckets = ledger_releases.read_row_counts(home.engine, 2).filter(submission_id=old.submission_id)
    assert buckets.select("bucket", "rows").rows() == [("superseded", 3)]
    note = ledger_submissions.read_submissions(home.engine, ids=[new.submission_id]).row(0, named=True)
    assert note["replaces"] == old.submission_id
    withdraw(home, new.submission_id)
    assert len(figures(home)) == 3


def test_what_is_stated_must_be_possible(home: Installation) -> None:
    mine = submit(home, FIRST)
    files = [delivery(home, SECOND)]
    (stated,) = state(home, files, as_of="2026-01-02", replaces=mine.submission_id)
    assert (stated.replaces, stated.as_of) == (mine.submission_id, datetime(2026, 1, 2, 23, 59, 59, 999999))
    others = [delivery(home, SECOND, sender="oslo")]
    for some, replaces in ((files, "0" * 20), (files, "'"), (others, mine.submission_id)):
        with pytest.raises(UsageError, match="a sender replaces its own submissions only"):
            list(state(home, some, as_of=None, replaces=replaces))
    with pytest.raises(UsageError, match="what one file replaces"):
        list(state(home, files * 2, as_of=None, replaces=mine.submission_id))


def test_as_of_is_a_time_that_has_been(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "receipt_time", lambda: NOON)
    now = NOON.replace(tzinfo=None)
    assert read_as_of("2026-03-01") == read_as_of("2026-03-02") == now  # a day that has not ended
    assert read_as_of("2026-03-01T14:00:00+02:00") == now
    assert read_as_of("2026-02-01T08:30") == datetime(2026, 2, 1, 8, 30)
    ahead = "ahead of now"
    for text, message in (("2026-03-04", ahead), ("yesterday", "no day or time"), ("2026-03-02T12:00:01", ahead)):
        with pytest.raises(UsageError, match=message):
            read_as_of(text)
