"""What is stated of a delivery: the day or time as of which it holds, the submission that it replaces."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from flows.intake.deliveries import Delivery
from flows.intake.statements import read_as_of, state
from infra.ledger import submissions as ledger_submissions
from infra.storage import landing
from schemas.errors import UsageError

NOW = datetime(2025, 4, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "receipt_time", lambda: NOW)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-12-31", datetime(2024, 12, 31, 23, 59, 59, 999_999)),  # a day stands for its end
        ("2025-04-19", datetime(2025, 4, 19, 23, 59, 59, 999_999)),
        ("2025-04-20", datetime(2025, 4, 20, 12)),  # today has not ended: now
        ("2024-12-31T06:00", datetime(2024, 12, 31, 6)),
        ("2024-12-31 06:00:01.5", datetime(2024, 12, 31, 6, 0, 1, 500_000)),
        ("2024-12-31T06:00+02:00", datetime(2024, 12, 31, 4)),
        ("2024-12-31T06:00Z", datetime(2024, 12, 31, 6)),
        ("2025-04-21T12:00", datetime(2025, 4, 21, 12)),  # clocks and zones differ by up to a day
    ],
)
def test_a_day_or_time_is_read_as_utc(text: str, time: datetime) -> None:
    assert read_as_of(text) == time


@pytest.mark.parametrize("text", ["2025-04-21T12:00:00.000001", "2025-04-22", "2999-01-01"])
def test_a_time_ahead_of_now_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="is ahead of now"):
        read_as_of(text)


@pytest.mark.parametrize("text", ["", "yesterday", "31.12.2024", "2024-02-30", "2024"])
def test_what_is_no_day_or_time_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="is no day or time: expected one as 2024-12-31"):
        read_as_of(text)


def test_tomorrow_is_within_the_tolerance_and_stands_for_now() -> None:
    assert read_as_of((NOW + timedelta(days=1)).date().isoformat()) == NOW.replace(tzinfo=None)


HOME = cast("Any", SimpleNamespace(engine="ledger"))
SENT = Delivery("f.csv", b"", "c", "s")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Let the ledger have a submission, of these contracts and senders."""
    found = [("c", "s")]

    def read(engine: object, *, ids: list[str], columns: list[str]) -> pl.DataFrame:
        assert (engine, ids, columns) == ("ledger", ["f00"], ["contract", "sender"])
        return pl.DataFrame(found, dict.fromkeys(columns, pl.String), orient="row")

    monkeypatch.setattr(ledger_submissions, "read_submissions", read)
    return found


def test_what_is_stated_holds_for_each_delivery() -> None:
    given = list(state(HOME, [SENT, SENT], as_of="2024-12-31T06:00", replaces=None))
    assert [(each.as_of, each.replaces) for each in given] == [(datetime(2024, 12, 31, 6), None)] * 2
    assert list(state(HOME, [SENT, SENT], as_of=None, replaces=None)) == [SENT, SENT]


def test_one_file_replaces_a_submission_of_its_sender(known: list[tuple[str, str]]) -> None:
    (given,) = state(HOME, [SENT], as_of=None, replaces="f00")
    assert (given.replaces, given.as_of) == ("f00", None)
    with pytest.raises(UsageError, match="submit the files one at a time"):
        list(state(HOME, [SENT, SENT], as_of=None, replaces="f00"))
    for other in ([], [("c", "other")], [("other", "s")]):
        known[:] = other
        with pytest.raises(UsageError, match="no submission 'f00' of s under c: a sender replaces its own"):
            list(state(HOME, [SENT], as_of=None, replaces="f00"))
