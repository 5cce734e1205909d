"""What monitoring asks the ledger: who delivered for a period, what waits, how runs ended; each at its limit."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import monitoring as ledger
from infra.ledger import tables as t
from infra.ledger.monitoring import DeliveryWindow
from tests.support.submission_rows import RECEIVED, add, reject, submission, write

SECOND = timedelta(seconds=1)


def run(engine: Engine, id_: str, started: datetime, **stated: Any) -> None:
    row = {"run_id": id_, "kind": "nightly", "started_at": started, "finished_at": started, "status": "done", **stated}
    write(engine, sa.insert(t.runs).values(row))


def erased(engine: Engine, id_: str) -> None:
    row = {"submission_id": id_, "sha256": f"sha-{id_}", "begun_at": RECEIVED, "who": "kari", "why": "asked"}
    write(engine, sa.insert(t.erasures).values(row))


def in_release(engine: Engine, *ids: str) -> None:
    write(engine, sa.update(t.submissions).where(t.submissions.c.submission_id.in_(ids)).values(in_release=True))


def test_a_sender_has_delivered_where_a_live_submission_speaks_of_the_months(engine: Engine) -> None:
    months = {"s1": ["2026-01"], "s2": ["2026-02"], "s3": ["2026-01", "2026-03"], "s4": ["2026-01"], "s5": ["2026-01"]}
    add(
        engine, submission("s1", sender="a"), submission("s2", sender="b"), submission("s3", sender="c"),
        submission("s4", sender="d", status="withdrawn"), submission("s5", sender="e", contract="k"), months=months,
    )  # fmt: skip
    days = (date(2026, 1, 1), date(2026, 2, 1))
    windows = [
        DeliveryWindow("jan", *days, "2026-01", "2026-02"), DeliveryWindow("feb", *days, "2026-02", "2026-03"),
        DeliveryWindow("quarter", *days, "2026-01", "2026-04"), DeliveryWindow("april", *days, "2026-04", "2026-05"),
    ]  # fmt: skip
    assert ledger.senders_by_period(engine, "c", windows) == {
        "jan": {"a", "c"}, "feb": {"b"}, "quarter": {"a", "b", "c"},
    }  # fmt: skip
    assert ledger.senders_by_period(engine, "unknown", windows) == {}


@pytest.mark.parametrize(
    ("since", "likely", "counts"),
    [
        (date(2026, 3, 1), date(2026, 3, 1), True),
        (date(2026, 3, 2), date(2026, 3, 2), False),
        (date(2026, 2, 1), date(2026, 3, 2), True),
        (date(2026, 3, 1), date(2026, 3, 2), True),
    ],
)
@pytest.mark.parametrize("received", [datetime(2026, 3, 1), RECEIVED])
def test_without_months_what_was_received_since_a_day_counts(
    engine: Engine, since: date, likely: date, counts: bool, received: datetime
) -> None:
    add(engine, submission("s1", received_at=received), submission("s2", sender="b", status="rejected"))
    found = ledger.senders_by_period(engine, "c", [DeliveryWindow("w", since, likely)])
    assert found == ({"w": {"a"}} if counts else {})


def test_what_waits_is_live_in_no_release_and_received_since(engine: Engine) -> None:
    add(
        engine, submission("s1", received_at=RECEIVED - SECOND), submission("s2"),
        submission("s3", received_at=RECEIVED + SECOND), submission("s4", status="withdrawn"), submission("s5"),
    )  # fmt: skip
    in_release(engine, "s5")
    assert ledger.count_waiting(engine, None) == (3, RECEIVED - SECOND)
    assert ledger.count_waiting(engine, RECEIVED) == (2, RECEIVED)
    assert ledger.count_waiting(engine, RECEIVED + SECOND) == (1, RECEIVED + SECOND)
    assert ledger.count_waiting(engine, RECEIVED + 2 * SECOND) == (0, None)


def test_what_waits_is_counted_up_to_a_limit(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "WAITING_LIMIT", 2)
    add(engine, *(submission(f"s{n}", received_at=RECEIVED - n * SECOND) for n in range(3)))
    assert ledger.count_waiting(engine, None) == (2, RECEIVED - 2 * SECOND)


def test_runs_of_a_kind_are_read_newest_first(engine: Engine) -> None:
    for n in range(3):
        run(engine, f"r{n}", RECEIVED + n * SECOND)
    run(engine, "b", RECEIVED, kind="backfill")
    assert ledger.read_last_runs(engine, "nightly")["run_id"].to_list() == ["r2", "r1", "r0"]
    assert ledger.read_last_runs(engine, "nightly", 1)["run_id"].to_list() == ["r2"]
    assert ledger.read_last_runs(engine, "x").is_empty()


def test_the_last_success_is_the_start_of_the_last_run_that_is_done(engine: Engine) -> None:
    assert ledger.last_success(engine, "nightly") is None
    for n, status in enumerate(("done", "done", "failed", "refused", "running")):
        run(engine, f"r{n}", RECEIVED + n * SECOND, status=status, finished_at=RECEIVED + 60 * SECOND)
    run(engine, "b", RECEIVED + 9 * SECOND, kind="backfill")
    assert ledger.last_success(engine, "nightly") == RECEIVED + SECOND


def test_of_a_rejected_file_the_first_critical_reject_is_told(engine: Engine) -> None:
    late = RECEIVED + SECOND
    add(
        engine, submission("s1", status="rejected"), submission("s2", status="rejected", received_at=late),
        submission("s3"), submission("s4", status="rejected", received_at=RECEIVED - SECOND),
        rejects=(
            reject("s1", severity="warning", found="no"), reject("s1", found="first", column="k"),
            reject("s1", found="second"), reject("s2", found="other"), reject("s3"), reject("s4"),
        ),
    )  # fmt: skip
    assert ledger.read_rejected(engine, RECEIVED).rows() == [
        ("s2", "c", "a", "s2.csv", late, "unknown-column", None, "other"),
        ("s1", "c", "a", "s1.csv", RECEIVED, "unknown-column", "k", "first"),
    ]


def test_person_numbers_are_told_once_a_column_newest_first(engine: Engine) -> None:
    found = {"reason": "person-number", "column": "k"}
    add(
        engine, submission("s1"), submission("s2", received_at=RECEIVED + SECOND, status="rejected"),
        submission("s3", status="withdrawn"), submission("s4", received_at=RECEIVED - SECOND),
        submission("s5", rejected=0), submission("s6"),
        rejects=(
            *(reject(f"s{n}", **found) for n in (1, 1, 2, 3, 4, 5)), reject("s1", reason="person-number", column="j"),
            reject("s6"),
        ),
    )  # fmt: skip
    in_release(engine, "s1")
    rows = ledger.read_person_numbers(engine, RECEIVED)
    assert rows.columns == ["contract", "submission_id", "column"]
    assert rows.row(0) == ("c", "s2", "k")
    assert sorted(rows.rows()[1:]) == [("c", "s1", "j"), ("c", "s1", "k")]


def test_what_was_accepted_is_read_by_contract_and_since(engine: Engine) -> None:
    add(
        engine, submission("s1"), submission("s2", status="rejected"), submission("s3", contract="k"),
        submission("s4", received_at=RECEIVED - SECOND), submission("s5", contract="m"),
    )  # fmt: skip
    in_release(engine, "s1")
    found = ledger.read_accepted(engine, ["c", "k"], RECEIVED)
    assert sorted(found.rows()) == [("c", "a", "s1.csv", RECEIVED), ("k", "a", "s3.csv", RECEIVED)]


def test_unknown_units_are_counted_by_submission_and_name(engine: Engine) -> None:
    unit = {"reason": "unknown-unit"}
    add(
        engine, submission("s1"), submission("s2", status="withdrawn"), submission("s3", contract="k"),
        rejects=(
            reject("s1", found="Vik", **unit), reject("s1", found="Vik", **unit), reject("s1", found="Os", **unit),
            reject("s1", found="Vik", severity="warning", **unit), reject("s1", found="Vik"), reject("s2", **unit),
            reject("s3", found="Ås", **unit),
        ),
    )  # fmt: skip
    assert sorted(ledger.read_unknown_units(engine).rows()) == [
        ("c", "s1", "Os", 1), ("c", "s1", "Vik", 2), ("k", "s3", "Ås", 1),
    ]  # fmt: skip
    assert ledger.read_unknown_units(engine, "k").rows() == [("k", "s3", "Ås", 1)]


@pytest.mark.parametrize(("limit", "small"), [(1, False), (2, True), (3, True)])
def test_whether_a_ledger_is_small(engine: Engine, limit: int, small: bool) -> None:
    add(engine, submission("s1"), submission("s2"))
    assert ledger.has_at_most(engine, limit) is small


def test_delivered_files_are_those_that_were_not_erased(engine: Engine) -> None:
    add(
        engine, submission("s2", sender="b", bytes=20), submission("s1", bytes=10), submission("s3", bytes=30),
        submission("s4", contract="b", bytes=21), submission("s5", sha256="sha-s1", bytes=10),
    )  # fmt: skip
    erased(engine, "s3")
    assert ledger.contracts_and_senders(engine) == [("b", "a"), ("c", "a"), ("c", "b")]
    assert ledger.delivered_files(engine, "c", "a") == [("sha-s1", 10)]
    assert ledger.delivered_files(engine, "c", "b") == [("sha-s2", 20)]
    assert sorted(ledger.sample_files(engine, 9, 20)) == [
        ("c", "a", "sha-s1"),
        ("c", "a", "sha-s1"),
        ("c", "b", "sha-s2"),
    ]
    assert len(ledger.sample_files(engine, 2, 99)) == 2


def test_the_last_release_is_the_one_with_the_highest_number(engine: Engine) -> None:
    assert ledger.last_release(engine) is None
    rest = dict.fromkeys(("digest_lanes", "tables", "counts", "register_digest", "rules_digest"), "")
    for number in (2, 10, 9):
        row = {"release": number, "digest": f"d{number}", "published_at": RECEIVED + number * SECOND, **rest}
        write(engine, sa.insert(t.releases).values(row))
    assert ledger.last_release(engine) == {"release": 10, "digest": "d10", "published_at": RECEIVED + 10 * SECOND}
