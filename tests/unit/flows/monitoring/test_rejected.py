"""Files that were rejected whole: one line a contract and reason, with what to do."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from flows.events import SUBMISSION_REJECTED
from flows.monitoring import rejected
from flows.monitoring.rejected import (
    REJECTED_DAYS,
    RejectedFiles,
    announce_rejected,
    person_numbers,
    rejected_files,
    rejected_sentence,
    rejected_since,
)
from infra.ledger import monitoring as ledger_monitoring

NOW = datetime(2025, 4, 20)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("published", "since"),
    [
        (None, NOW - REJECTED_DAYS),
        (NOW, NOW - REJECTED_DAYS),
        (NOW - REJECTED_DAYS - DAY, NOW - REJECTED_DAYS - DAY),  # the last release is old: since then
    ],
)
def test_rejected_files_are_shown_since_the_last_release_and_for_a_week(
    published: datetime | None, since: datetime
) -> None:
    assert rejected_since(NOW, published) == since


def sentence(reason: str, files: int, *columns: str) -> str:
    return rejected_sentence(RejectedFiles("valg", reason, files, columns, ("s",), "5f3a", NOW))


@pytest.mark.parametrize(
    ("said", "begin", "end"),
    [
        (
            sentence("unknown-column", 15_368, "kjonn", "alder"),
            "15,368 files of contract valg rejected whole: unknown columns kjonn, alder; add them under `ignore`",
            "then `engang backfill --contract valg`, or have them delivered again",
        ),
        (
            sentence("unknown-column", 1),
            "1 file of contract valg rejected whole: unknown-column; ",
            "`engang rejects 5f3a` shows one of them and what to do",
        ),
        (
            sentence("missing-column", 2, "kommune"),
            "2 files of contract valg rejected whole: missing-column (kommune); ",
            "`engang rejects 5f3a` shows one of them and what to do",
        ),
    ],
)
def test_one_line_says_how_many_why_and_what_to_do(said: str, begin: str, end: str) -> None:
    assert said.startswith(begin)
    assert said.endswith(end)


def test_twenty_columns_are_listed_and_the_others_counted() -> None:
    names = [f"c{n}" for n in range(23)]
    assert f"unknown columns {', '.join(names[:20])} and 3 more; add" in sentence("unknown-column", 1, *names)
    assert f"unknown columns {', '.join(names[:20])} and 1 more; add" in sentence("unknown-column", 1, *names[:21])
    assert f"unknown columns {', '.join(names[:20])}; add" in sentence("unknown-column", 1, *names[:20])


HOME = cast("Any", SimpleNamespace(engine="ledger"))
TEXT = dict.fromkeys(("submission_id", "contract", "sender", "filename"), pl.String)
REJECTED = pl.Schema(
    {**TEXT, "received_at": pl.Datetime("us"), "reason": pl.String, "column": pl.String, "found": pl.String}
)
ACCEPTED = pl.Schema(
    {"contract": pl.String, "sender": pl.String, "filename": pl.String, "received_at": pl.Datetime("us")}
)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give what the ledger has: rejected files, newest first, accepted ones, rows with person numbers."""
    fake = SimpleNamespace(rejected=[], accepted=[], numbers=[], asked=[])

    def read_rejected(_: object, since: datetime) -> pl.DataFrame:
        fake.asked.append(since)
        return pl.DataFrame(fake.rejected, REJECTED, orient="row")

    def read_accepted(_: object, contracts: list[str], since: datetime) -> pl.DataFrame:
        fake.asked.append((sorted(contracts), since))
        return pl.DataFrame(fake.accepted, ACCEPTED, orient="row")

    def read_person_numbers(_: object, since: datetime) -> pl.DataFrame:
        fake.asked.append(since)
        columns = dict.fromkeys(("contract", "submission_id", "column"), pl.String)
        return pl.DataFrame(fake.numbers, columns, orient="row")

    for function in (read_rejected, read_accepted, read_person_numbers):
        monkeypatch.setattr(ledger_monitoring, function.__name__, function)
    return fake


def file(number: int, hours: int, *why: str | None, contract: str = "c", sender: str = "s") -> tuple[Any, ...]:
    """Return a rejected file, received so many hours ago: why is reason, column, found."""
    return (f"id{number}", contract, sender, f"{number}.csv", NOW - hours * timedelta(hours=1), *why)


UNKNOWN = ("unknown-column", None, "columns 'b', \"it's\" and 'aa'")


def test_where_nothing_was_rejected_no_more_is_asked(ledger: SimpleNamespace) -> None:
    assert rejected_files(HOME, NOW) == []
    assert ledger.asked == [NOW]


def test_files_are_put_together_by_contract_and_reason(ledger: SimpleNamespace) -> None:
    ledger.rejected = [
        file(9, 1, "empty-file", None, None), file(1, 2, *UNKNOWN, sender="t"), file(3, 5, *UNKNOWN),
        file(2, 3, "unknown-column", None, "columns 'aa', 'x'", sender="s"),
        file(5, 4, "missing-column", "z", None, sender="q"),
        file(6, 4, "missing-column", "y", None, sender="r"), file(7, 4, "missing-column", "y", None, sender="p"),
        file(10, 7, "missing-column", "y", None, sender="o"), file(11, 7, "missing-column", "y", None, sender="n"),
        file(4, 6, *UNKNOWN, contract="b"),
        file(8, 9, "empty-file", None, None, contract="b"),
    ]  # fmt: skip
    found = rejected_files(HOME, NOW)
    assert [(group.contract, group.reason, group.files) for group in found] == [
        ("c", "missing-column", 5), ("c", "unknown-column", 3), ("b", "empty-file", 1), ("b", "unknown-column", 1),
        ("c", "empty-file", 1),
    ]  # fmt: skip
    missing, unknown, *_ = found
    assert (unknown.columns, unknown.senders) == (("aa", "b", "it's", "x"), ("s", "t"))
    assert (unknown.submission, unknown.newest) == ("id1", NOW - timedelta(hours=2))
    assert (missing.columns, found[2].columns) == (("y", "z"), ())
    assert missing.senders == ("n", "o", "p", "q", "r")
    assert ledger.asked[1] == (["b", "c"], NOW)


@pytest.mark.parametrize(("accepted", "left"), [
    ([], 1), ([("c", "s", "1.csv", 4)], 1), ([("c", "s", "1.csv", 3)], 1), ([("c", "s", "1.csv", 2)], 0),
    ([("c", "s", "1.csv", 4), ("c", "s", "1.csv", 2)], 0), ([("c", "s", "2.csv", 2)], 1), ([("c", "t", "1.csv", 2)], 1),
    ([("b", "s", "1.csv", 2)], 1),
])  # fmt: skip
def test_a_file_is_left_out_once_its_sender_has_an_accepted_one_of_its_name(
    ledger: SimpleNamespace, accepted: list[tuple[str, str, str, int]], left: int
) -> None:
    ledger.rejected = [file(1, 3, "empty-file", None, None)]
    ledger.accepted = [(*name, NOW - hours * timedelta(hours=1)) for *name, hours in accepted]
    assert len(rejected_files(HOME, NOW)) == left


def test_person_numbers_are_one_sentence_a_contract(ledger: SimpleNamespace) -> None:
    ledger.numbers = [("d", "id3", "z"), ("c", "id2", "b"), ("c", "id1", "a"), ("c", "id1", "b"), ("d", "id4", None)]
    first, second = person_numbers(HOME, NOW)
    begin = (
        "person numbers were delivered under contract c in a, b (2 submissions, one is id2): their rows are rejected"
    )
    assert first.startswith(begin)
    assert second.startswith("person numbers were delivered under contract d in z (2 submissions, one is id3)")


def test_each_group_is_an_event_of_its_newest_file(ledger: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Any] = []
    monkeypatch.setattr(rejected, "publish_event", lambda *given, **how: events.append((*given[1:], how)))
    monkeypatch.setattr(rejected, "utc_now", lambda: NOW)
    ledger.rejected = [file(1, 2, *UNKNOWN), file(2, 3, *UNKNOWN), file(3, 4, "empty-file", None, None)]
    assert announce_rejected(HOME) == 3
    data = {"contract": "c", "reason": "unknown-column", "files": 2, "senders": ["s"], "submission": "id1"}
    key = str(NOW - timedelta(hours=2))
    assert events[0] == (SUBMISSION_REJECTED, "c/unknown-column", data, {"key": key, "once": True})
    assert [subject for _, subject, *_ in events] == ["c/unknown-column", "c/empty-file"]
    assert ledger.asked[0] == NOW - REJECTED_DAYS


def test_rejected_files_are_shown_for_a_week() -> None:
    assert timedelta(days=7) == REJECTED_DAYS
