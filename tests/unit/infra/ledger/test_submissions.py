"""The ledger's submissions: registered once, replaced where an older contract rejected them, withdrawn, counted."""

from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import submissions as ledger
from infra.ledger import tables as t
from infra.ledger.sql import write_transaction
from schemas.errors import StoreError
from tests.support.submission_rows import (
    UNITS,
    add,
    frame_of,
    partitions_of,
    reject,
    rejects_of,
    submission,
    values_of,
    write,
)

NO_UNITS = pl.DataFrame(schema=UNITS)


def ids(frame: pl.DataFrame) -> list[str]:
    return frame["submission_id"].to_list()


def test_the_first_registration_of_a_submission_holds(engine: Engine) -> None:
    assert add(engine, submission("s2"), submission("s1"), months={"s1": ["2026-01"], "s2": ["2026-02"]}) == [
        "s1",
        "s2",
    ]
    again = add(
        engine, submission("s1", sender="b"), submission("s3"), months={"s1": ["2026-05"], "s3": ["2026-03"]},
        rejects=(reject("s1"), reject("s3")),
    )  # fmt: skip
    assert again == ["s3"]
    assert values_of(engine, "s1", "sender", "in_release", "first_release") == ("a", False, None)
    assert ledger.read_submission_partitions(engine).rows() == [
        ("s1", "2026-01", 1), ("s2", "2026-02", 1), ("s3", "2026-03", 1),
    ]  # fmt: skip
    assert ids(ledger.read_rejects(engine)) == ["s3"]


def test_one_id_twice_is_refused_and_nothing_is_written(engine: Engine) -> None:
    with pytest.raises(StoreError, match="contain one id twice: expected each once"):
        add(engine, submission("s1"), submission("s2"), submission("s1"))
    assert ledger.read_submissions(engine).is_empty()


def test_a_submission_needs_its_contract(engine: Engine) -> None:
    rows = frame_of(submission("s1"))
    with pytest.raises(StoreError, match=r"refused to write: FOREIGN KEY constraint failed\. Nothing of this was kept"):
        ledger.register_submissions(engine, rows, partitions_of(), rejects_of(), NO_UNITS)


def test_what_is_written_first_goes_with_a_registration_that_fails(engine: Engine) -> None:
    add(engine, submission("s1"))

    def withdraw(connection: sa.Connection) -> None:
        connection.execute(sa.update(t.submissions).values(status="withdrawn"))

    broken = frame_of(submission("s2", status="lost"))
    with pytest.raises(StoreError, match="CHECK constraint failed"):
        ledger.register_submissions(engine, broken, partitions_of(), rejects_of(), NO_UNITS, write_first=withdraw)
    assert values_of(engine, "s1", "status") == ("live",)
    ledger.run_in_transaction(engine, withdraw)
    assert values_of(engine, "s1", "status") == ("withdrawn",)


@pytest.mark.parametrize(
    ("stored", "asked", "is_replaced"),
    [
        ({"status": "rejected", "contract_digest": "d1"}, ["s1"], True),
        ({"status": "rejected", "contract_digest": "d2"}, ["s1"], False),
        ({"status": "live", "contract_digest": "d1"}, ["s1"], False),
        ({"status": "withdrawn", "contract_digest": "d1"}, ["s1"], False),
        ({"status": "rejected", "contract_digest": "d1"}, [], False),
    ],
)
def test_only_what_another_contract_rejected_is_registered_again(
    engine: Engine, stored: dict[str, Any], asked: list[str], is_replaced: bool
) -> None:
    add(engine, submission("s1", **stored), months={"s1": ["2026-01"]}, rejects=(reject("s1", found="old"),))
    ledger.register_contract(engine, "c", "d2", "new")
    new = ledger.register_submissions(
        engine, frame_of(submission("s1", contract_digest="d2", claims=9)), partitions_of(s1=["2026-02"]),
        rejects_of(reject("s1", found="new")), NO_UNITS, replace=asked,
    )  # fmt: skip
    assert new == (["s1"] if is_replaced else [])
    assert values_of(engine, "s1", "claims") == ((9,) if is_replaced else (4,))
    assert ledger.read_submission_partitions(engine)["partition"].to_list() == ["2026-02" if is_replaced else "2026-01"]
    assert ledger.read_rejects(engine)["found"].to_list() == ["new" if is_replaced else "old"]


def test_a_submission_is_withdrawn_and_made_live_again(engine: Engine) -> None:
    add(engine, submission("s1"), submission("s2"))
    statuses = ("withdrawn", "withdrawn", "live", "live")
    assert [ledger.set_status(engine, "s1", status) for status in statuses] == [True, False, True, False]
    assert values_of(engine, "s2", "status") == ("live",)


@pytest.mark.parametrize(
    ("id_", "status", "message"),
    [
        ("s9", "withdrawn", "submission s9 is unknown: expected one that was accepted"),
        ("s1", "withdrawn", "submission s1 is rejected: expected one that was accepted"),
        ("s2", "rejected", "a submission cannot be made 'rejected': expected live or withdrawn"),
    ],
)
def test_what_counts_nothing_cannot_be_withdrawn(engine: Engine, id_: str, status: str, message: str) -> None:
    add(engine, submission("s1", status="rejected"), submission("s2"))
    with pytest.raises(StoreError) as raised:
        ledger.set_status(engine, id_, status)
    assert str(raised.value) == message


def test_only_withdrawn_submissions_are_restored(engine: Engine) -> None:
    add(engine, *(submission(id_, status=status) for id_, status in
                  {"s1": "withdrawn", "s2": "rejected", "s3": "withdrawn", "s4": "live"}.items()))  # fmt: skip
    with write_transaction(engine) as connection:
        ledger.restore_withdrawn(connection, ["s1", "s2", "s4", "s9"])
    found = ledger.read_submissions(engine, columns=["submission_id", "status"]).rows()
    assert found == [("s1", "live"), ("s2", "rejected"), ("s3", "withdrawn"), ("s4", "live")]


def test_submissions_are_read_by_id_and_by_what_they_are(engine: Engine) -> None:
    add(engine, submission("s3"), submission("s1", sender="b"), submission("s2", contract="k", contract_digest="d3"))
    assert ids(ledger.read_submissions(engine)) == ["s1", "s2", "s3"]
    assert ids(ledger.read_submissions(engine, ids=["s3", "s1", "s9"])) == ["s1", "s3"]
    assert ids(ledger.read_submissions(engine, ids=["s3", "s1"], sender="b")) == ["s1"]
    assert ids(ledger.read_submissions(engine, contract="c", sender="a")) == ["s3"]
    nothing = ledger.read_submissions(engine, ids=[], columns=["bytes", "sender"])
    assert (nothing.columns, nothing.height) == (["bytes", "sender"], 0)


def test_partitions_are_read_of_the_submissions_that_match(engine: Engine) -> None:
    months = {"s1": ["2026-02", "2026-01"], "s2": ["2026-01"], "s3": ["2026-03"]}
    add(engine, submission("s1"), submission("s2", status="withdrawn"), submission("s3"), months=months)
    assert ledger.read_submission_partitions(engine, status="live").rows() == [
        ("s1", "2026-01", 1), ("s1", "2026-02", 1), ("s3", "2026-03", 1),
    ]  # fmt: skip
    assert ids(ledger.read_submission_partitions(engine, ids=["s2", "s3"])) == ["s2", "s3"]
    assert ids(ledger.read_submission_partitions(engine, ids=["s2", "s3"], status="live")) == ["s3"]


def test_submissions_and_rows_are_counted_by_contract_and_state(engine: Engine) -> None:
    add(
        engine, submission("s1"), submission("s2", delivered=7), submission("s3", status="rejected", claims=0),
        submission("s4", contract="b", contract_digest="d2"), submission("s5"),
    )  # fmt: skip
    write(engine, sa.update(t.submissions).where(t.submissions.c.submission_id == "s5").values(in_release=True))
    columns = [
        "contract",
        "status",
        "in_release",
        "submissions",
        "delivered",
        "claims",
        "rejected",
        "ignored",
        "warnings",
    ]
    counts = ledger.count_submissions(engine)
    assert counts.columns == columns
    assert counts.rows() == [
        ("b", "live", False, 1, 5, 4, 1, 0, 2), ("c", "live", False, 2, 12, 8, 2, 0, 4),
        ("c", "live", True, 1, 5, 4, 1, 0, 2), ("c", "rejected", False, 1, 5, 0, 1, 0, 2),
    ]  # fmt: skip
    assert ledger.count_submissions(engine, status="rejected")["submissions"].to_list() == [1]
    assert ledger.count_submissions(engine, contract="x").is_empty()


def test_rejects_are_read_in_the_order_in_which_they_were_found(engine: Engine) -> None:
    rejects = (reject("s2", row=9), reject("s1", row=3), reject("s2", row=1))
    add(engine, submission("s1"), submission("s2"), rejects=rejects)
    assert ledger.read_rejects(engine).select("submission_id", "row").rows() == [("s2", 9), ("s1", 3), ("s2", 1)]
    assert ledger.read_rejects(engine, "s2")["row"].to_list() == [9, 1]
    assert ledger.read_rejects(engine, "s9").is_empty()


def test_a_contract_is_kept_as_it_was_first_seen(engine: Engine) -> None:
    for digest, text in (("d2", "second"), ("d1", "first"), ("d2", "changed")):
        ledger.register_contract(engine, "c", digest, text)
    assert ledger.read_contracts(engine).select("digest", "text").rows() == [("d2", "second"), ("d1", "first")]


def test_a_unit_known_by_name_is_kept_once(engine: Engine) -> None:
    ledger.register_contract(engine, "c", "d1", "")
    units = pl.DataFrame([("u2", "k", "B"), ("u1", "k", "A"), ("u1", "k", "A")], UNITS, orient="row")
    for id_ in ("s1", "s2"):
        ledger.register_submissions(engine, frame_of(submission(id_)), partitions_of(), rejects_of(), units)
    assert ledger.read_provisional_units(engine).rows() == [("u1", "k", "A"), ("u2", "k", "B")]
