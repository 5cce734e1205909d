"""Backfills in the ledger: a reading is stored once, counts only when it is published, and can be traced back."""

from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import backfills as ledger
from infra.ledger import submissions as ledger_submissions
from infra.ledger import tables as t
from infra.ledger.backfills import BackfillPublished
from infra.ledger.sql import read_frame, write_transaction
from schemas.claims import READING_COLUMNS, REJECT, empty
from schemas.errors import StoreError
from tests.support.submission_rows import (
    PARTITIONS,
    UNITS,
    add,
    partitions_of,
    reject,
    rejects_of,
    submission,
    values_of,
    write,
)

NO_PARTITIONS = pl.DataFrame(schema=PARTITIONS)
NO_REJECTS = empty(REJECT)
NO_UNITS = pl.DataFrame(schema=UNITS)


def reading(id_: str, batch: str = "b2", **stated: Any) -> dict[str, Any]:
    """Return a new reading of a submission: live, all five rows claims, but for what is stated."""
    row: dict[str, Any] = dict.fromkeys(READING_COLUMNS, 0)
    row |= {"submission_id": id_, "batch": batch, "status": "live", "content_digest": f"new-{id_}"}
    return {**row, "delivered": 5, "claims": 5, **stated}


def begin(engine: Engine, *ids: str, digest: str = "d2", batch: str | None = "b1") -> int:
    """Begin a backfill of contract `c` that rereads these submissions."""
    ledger_submissions.register_contract(engine, "c", digest, "text of c")
    chosen = pl.DataFrame(
        {"submission_id": list(ids), "batch_before": [batch] * len(ids)},
        {"submission_id": pl.String, "batch_before": pl.String},
    )
    return ledger.open_backfill(engine, ("c", digest), {"senders": ["a"]}, chosen)


def read_all(engine: Engine, number: int, *readings: dict[str, Any], **parts: Any) -> None:
    ledger.write_readings(
        engine,
        number,
        pl.DataFrame(list(readings)),
        parts.get("partitions", NO_PARTITIONS),
        parts.get("rejects", NO_REJECTS),
    )


def publish(engine: Engine, number: int, *ids: str, release: int = 7, **stated: Any) -> None:
    with write_transaction(engine) as connection:
        ledger.publish_readings(
            connection, BackfillPublished(number, release, ids, stated.pop("obligation", "o2"), NO_UNITS, **stated)
        )


def status(engine: Engine, number: int) -> str:
    found = ledger.find_backfill(engine, number)
    assert found is not None
    return found["status"]


def test_a_backfill_comes_back_as_it_was_asked(engine: Engine) -> None:
    add(engine, submission("s1"))
    number = begin(engine, "s1")
    found = ledger.find_backfill(engine, number)
    assert found is not None
    assert (found["contract"], found["contract_digest"], found["asked"], found["status"], found["diff"]) == (
        "c", "d2", {"senders": ["a"]}, "reading", None,
    )  # fmt: skip
    assert (found["finished_at"], found["release"], found["release_before"]) == (None, None, None)
    assert ledger.read_backfills(engine) == [found]
    assert ledger.find_backfill(engine, number + 1) is None


def test_a_backfill_of_nothing_is_read_to_its_end(engine: Engine) -> None:
    number = begin(engine)
    assert ledger.reading_progress(engine, number) == {"read": 0, "submissions": 0, "bytes_read": 0, "bytes": 0}
    assert ledger.read_unread_submissions(engine, number, 10).height == 0
    publish(engine, number)
    assert status(engine, number) == "published"


def test_progress_counts_what_is_read_and_its_bytes(engine: Engine) -> None:
    add(engine, submission("s1", bytes=10), submission("s2", bytes=200), submission("s3", bytes=3000))
    number = begin(engine, "s1", "s2")
    assert ledger.reading_progress(engine, number) == {"read": 0, "submissions": 2, "bytes_read": 0, "bytes": 210}
    assert ledger.read_unread_submissions(engine, number, 1)["submission_id"].to_list() == ["s1"]
    read_all(engine, number, reading("s1"))
    assert ledger.reading_progress(engine, number) == {"read": 1, "submissions": 2, "bytes_read": 10, "bytes": 210}
    assert ledger.read_unread_submissions(engine, number, 10)["submission_id"].to_list() == ["s2"]
    assert ledger.read_readings(engine, number).select("submission_id", "batch_before", "batch").rows() == [
        ("s1", "b1", "b2"), ("s2", "b1", None),
    ]  # fmt: skip


def test_of_two_processes_that_read_one_backfill_the_second_writes_nothing(engine: Engine) -> None:
    add(engine, submission("s1"), submission("s2"))
    number = begin(engine, "s1", "s2")
    read_all(engine, number, reading("s2", batch="first"))
    with pytest.raises(StoreError, match=f"another process reads backfill {number} too: wait for its end"):
        read_all(engine, number, reading("s1", batch="second"), reading("s2", batch="second"))
    assert ledger.read_readings(engine, number)["batch"].to_list() == [None, "first"]


def test_what_is_not_of_the_backfill_is_not_read_by_it(engine: Engine) -> None:
    add(engine, submission("s1"), submission("s2"))
    number = begin(engine, "s1")
    with pytest.raises(StoreError, match="another process reads"):
        read_all(engine, number, reading("s2"))


def test_a_reading_counts_only_when_it_is_published(engine: Engine) -> None:
    months, faults = {"s1": ["2026-01"]}, (reject("s1", row=3),)
    add(engine, submission("s1"), submission("s2"), months=months, rejects=faults)
    number = begin(engine, "s1")
    read_all(
        engine, number, reading("s1"),
        partitions=partitions_of(s1=["2026-02", "2026-03"]), rejects=rejects_of(reject("s1", reason="new", row=4)),
    )  # fmt: skip
    assert values_of(engine, "s1", "batch", "claims", "obligation") == ("b1", 4, "o")
    assert ledger.read_reading_partitions(engine, number, ["s1"]).sort("partition").rows() == [
        ("s1", "2026-02", 1), ("s1", "2026-03", 1),
    ]  # fmt: skip
    publish(engine, number, "s1")
    assert values_of(engine, "s1", "batch", "claims", "rejected", "obligation", "contract_digest") == (
        "b2", 5, 0, "o2", "d2",
    )  # fmt: skip
    assert values_of(engine, "s2", "batch", "obligation", "contract_digest") == ("b1", "o", "d1")
    assert read_frame(engine, sa.select(t.submission_partitions.c.partition)).to_series().to_list() == [
        "2026-02", "2026-03",
    ]  # fmt: skip
    assert read_frame(engine, sa.select(t.rejects.c.reason, t.rejects.c.row)).rows() == [("new", 4)]
    assert ledger.read_reading_partitions(engine, number, ["s1"]).height == 0


def test_a_submission_that_was_withdrawn_meanwhile_stays_withdrawn(engine: Engine) -> None:
    add(engine, submission("s1"))
    number = begin(engine, "s1")
    read_all(engine, number, reading("s1"))
    write(engine, sa.update(t.submissions).values(status="withdrawn"))
    publish(engine, number, "s1")
    assert values_of(engine, "s1", "status", "batch") == ("withdrawn", "b2")


def test_a_submission_that_was_read_otherwise_meanwhile_stops_the_publication(engine: Engine) -> None:
    add(engine, submission("s1"), submission("s2"))
    number = begin(engine, "s1", "s2")
    read_all(engine, number, reading("s1"), reading("s2"))
    write(engine, sa.update(t.submissions).where(t.submissions.c.submission_id == "s2").values(batch="other"))
    with pytest.raises(StoreError, match=f"submissions of backfill {number} were read otherwise meanwhile: run it ag"):
        publish(engine, number, "s1", "s2")
    assert values_of(engine, "s1", "batch") == ("b1",)
    assert status(engine, number) == "reading"


def test_one_that_was_never_read_before_is_compared_by_that(engine: Engine) -> None:
    add(engine, submission("s1", status="rejected", batch=None, claims=0, delivered=0, rejected=0))
    number = begin(engine, "s1", batch=None)
    read_all(engine, number, reading("s1"))
    publish(engine, number, "s1")
    assert values_of(engine, "s1", "status", "batch") == ("live", "b2")


@pytest.mark.parametrize(("resets", "first"), [(False, (3, None)), (True, (7, None))])
def test_first_publication_counts_from_the_backfill_where_that_is_asked(
    engine: Engine, first: tuple[int, None], *, resets: bool
) -> None:
    add(engine, submission("s1"), submission("s2"))
    write(
        engine,
        sa.update(t.submissions).where(t.submissions.c.submission_id == "s1").values(in_release=True, first_release=3),
    )
    number = begin(engine, "s1", "s2")
    read_all(engine, number, reading("s1"), reading("s2"))
    publish(engine, number, "s1", "s2", resets_first_release=resets)
    assert (values_of(engine, "s1", "first_release"), values_of(engine, "s2", "first_release")) == (
        (first[0],), (first[1],),
    )  # fmt: skip


def test_what_is_discarded_is_never_published_and_may_be_discarded_twice(engine: Engine) -> None:
    add(engine, submission("s1"))
    number = begin(engine, "s1")
    read_all(engine, number, reading("s1"), partitions=partitions_of(s1=["2026-02"]))
    assert ledger.newest_unfinished(engine) == number
    for _ in range(2):
        ledger.mark_discarded(engine, number)
    assert status(engine, number) == "discarded"
    assert ledger.newest_unfinished(engine) is None
    assert ledger.read_reading_partitions(engine, number, ["s1"]).height == 0
    expected = f"backfill {number} is discarded: expected reading or ready"
    with pytest.raises(StoreError, match=expected):
        publish(engine, number, "s1")
    with pytest.raises(StoreError, match=expected):
        ledger.write_dry_run(engine, number, 1, {})
    with pytest.raises(StoreError, match=expected):
        read_all(engine, number, reading("s1"))


def test_what_is_published_is_not_discarded(engine: Engine) -> None:
    number = begin(engine)
    publish(engine, number)
    with pytest.raises(StoreError, match=f"backfill {number} is published: expected reading or ready or discarded"):
        ledger.mark_discarded(engine, number)
    with pytest.raises(StoreError, match=f"backfill {number + 1} is unknown: expected"):
        ledger.mark_discarded(engine, number + 1)


def test_a_dry_run_is_stored_and_the_last_one_counts(engine: Engine) -> None:
    number = begin(engine)
    for release in (1, 2):
        ledger.write_dry_run(engine, number, release, {"changed": release, "én": ["æ"]})
    found = ledger.find_backfill(engine, number)
    assert found is not None
    assert (found["status"], found["release_before"], found["diff"]) == ("ready", 2, {"changed": 2, "én": ["æ"]})
    assert ledger.newest_unfinished(engine) == number


def test_reasons_are_counted_before_and_after(engine: Engine) -> None:
    faults = (
        reject("s1", row=2, reason="gone-after", column="a"), reject("s1", row=3, reason="both", rule="r1"),
        reject("s2", row=2, reason="both", rule="r1"), reject("s3", row=2, reason="another's"),
    )  # fmt: skip
    add(engine, *(submission(f"s{n}") for n in (1, 2, 3)), rejects=faults)
    number = begin(engine, "s1", "s2")
    after = (reject("s1", row=3, reason="both", rule="r1"), reject("s2", row=1, reason="new", severity="warning"))
    read_all(engine, number, reading("s1"), reading("s2"), rejects=rejects_of(*after))
    assert ledger.count_reject_reasons(engine, number).select("column", "reason", "rule", "before", "after").rows() == [
        ("a", "gone-after", None, 1, 0),
        (None, "both", "r1", 2, 1),
        (None, "new", None, 0, 1),
    ]


def test_a_release_counts_the_reading_that_was_in_force_then(engine: Engine) -> None:
    """Of two backfills one after the other, an earlier release counts neither, one between them the first."""
    add(engine, submission("s1"), submission("s2"))
    for digest, batches, release in (("d2", ("b1", "b2"), 5), ("d3", ("b2", "b3"), 8)):
        number = begin(engine, "s1", digest=digest, batch=batches[0])
        read_all(engine, number, reading("s1", batch=batches[1]))
        publish(engine, number, "s1", release=release)
    given_up = begin(engine, "s2")
    read_all(engine, given_up, reading("s2", batch="never"))
    ledger.mark_discarded(engine, given_up)
    current = ledger_submissions.read_submissions(engine)

    def counted(release: int) -> dict[str, str]:
        return dict(ledger.batches_at(engine, release, current).iter_rows())

    assert counted(4) == {"s1": "b1", "s2": "b1"}
    assert counted(5) == counted(7) == {"s1": "b2", "s2": "b1"}
    assert counted(8) == counted(9) == {"s1": "b3", "s2": "b1"}
