"""Submissions reread while all others stay as the last release has them."""

from datetime import datetime
from typing import Any

import polars as pl

from schemas.claims import READING_COLUMNS
from transforms.submissions import (
    add_release_state,
    buckets_by_status,
    counted_batches,
    initial_buckets,
    mark_counting,
    pin_submissions,
)

COUNT_COLUMNS = {"delivered": 2, "claims": 2, "rejected": 0, "ignored": 0, "warnings": 0}
SUBMISSION = {
    "contract": "c", "sender": "s", "status": "live", "content_digest": None, "batch": "old", "in_release": True,
    "first_release": 1, "received_at": datetime(2024, 1, 1), "as_of": None, "replaces": None, **COUNT_COLUMNS,
}  # fmt: skip
KNOWN = pl.DataFrame(
    [
        ("live", "published", 2),
        ("gone", "published", 2),
        ("twin", "duplicate", 2),
        ("back", "withdrawn", 2),
        ("bad", "rejected", 2),
    ],
    schema=("submission_id", "bucket", "rows"),
    orient="row",
)


def submissions() -> pl.DataFrame:
    """Return one of each: released, withdrawn since, rewrapped, restored since, rejected, come since."""
    out = {"in_release": False, "first_release": None}
    rows: list[dict[str, Any]] = [
        {"submission_id": "live", "content_digest": "same"},
        {"submission_id": "gone", "status": "withdrawn"},
        {"submission_id": "twin", "content_digest": "same", **out},
        {"submission_id": "back", **out},
        {"submission_id": "bad", "status": "rejected", "rejected": 2, "claims": 0, **out},
        {"submission_id": "new", **out},
    ]
    return frame(*rows)


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return submissions; what is not given is as in `SUBMISSION`."""
    types = {"as_of": pl.Datetime("us"), "replaces": pl.String, "content_digest": pl.String}
    return pl.DataFrame([{**SUBMISSION, **row} for row in rows], schema_overrides=types, infer_schema_length=None)


def readings(*ids: str, **fields: Any) -> pl.DataFrame:
    row = {"batch_before": "old", "batch": "new", "status": "live", "content_digest": None, **COUNT_COLUMNS, **fields}
    types = {"content_digest": pl.String, "batch": pl.String, "batch_before": pl.String}
    return pl.DataFrame([{"submission_id": id_, **row} for id_ in ids], schema_overrides=types)


def marked(view: pl.DataFrame, column: str) -> set[str]:
    return set(view.filter(column)["submission_id"])


def test_what_was_not_released_or_is_withdrawn_is_not_reread() -> None:
    assert marked(add_release_state(submissions(), KNOWN), "readable") == {"live", "twin", "bad"}


def test_what_is_not_reread_stays_as_the_release_has_it() -> None:
    view = pin_submissions(submissions(), KNOWN, readings("bad", "new", "gone"))
    assert marked(view, "reread") == {"bad"}
    assert marked(view, "counts") == {"live", "gone", "bad"}
    assert marked(view, "pinned") == {"live", "gone", "twin", "back", "new"}
    held = dict(view.select("submission_id", "delivered").iter_rows())
    assert held == {"live": 2, "gone": 2, "twin": 2, "back": 2, "bad": 2, "new": 0}
    counted = initial_buckets(view, KNOWN).filter(pl.col("submission_id") != "bad")
    assert sorted(counted.rows()) == sorted(KNOWN.filter(pl.col("submission_id") != "bad").rows())


def test_one_row_that_counts_as_a_duplicate_makes_a_submission_rewrapped() -> None:
    one = KNOWN.with_columns(rows=pl.when(pl.col("submission_id") == "twin").then(1).otherwise("rows"))
    known = add_release_state(submissions(), one)
    assert marked(known, "rewrapped") == {"twin"}
    assert dict(known.select("submission_id", "held").iter_rows()) == {
        "live": 2, "gone": 2, "twin": 1, "back": 2, "bad": 2, "new": 0,
    }  # fmt: skip
    none = KNOWN.with_columns(rows=pl.when(pl.col("submission_id") == "twin").then(0).otherwise("rows"))
    assert marked(add_release_state(submissions(), none), "rewrapped") == set()


def test_a_reading_of_another_state_than_the_ledger_has_is_left_out() -> None:
    view = pin_submissions(submissions(), KNOWN, readings("live", batch_before="older"))
    assert marked(view, "reread") == set()
    assert view.filter(submission_id="live")["batch"].item() == "old"


def test_a_twin_counts_when_what_it_stood_for_says_another_thing() -> None:
    view = pin_submissions(submissions(), KNOWN, readings("live", content_digest="other"))
    assert marked(view, "counts") == {"live", "gone", "twin"}
    assert sorted(initial_buckets(view, KNOWN).filter(pl.col("submission_id").is_in(["live", "twin"])).rows()) == [
        ("live", "published", 2),  # taken away as its old claims are consolidated
    ]


def test_what_cannot_be_read_any_more_leaves() -> None:
    view = pin_submissions(submissions(), KNOWN, readings("live", status="rejected", rejected=2, claims=0))
    assert marked(view, "counts") == {"gone", "twin"}  # the twin stands in its stead
    rows = initial_buckets(view, KNOWN).filter(submission_id="live")
    assert sorted(rows.rows()) == [("live", "published", 2), ("live", "rejected", 2)]


def test_a_submission_reread_has_two_readings() -> None:
    view = pin_submissions(submissions(), KNOWN, readings("live"))
    mine = counted_batches(view).filter(submission_id="live").sort("batch")
    names = ("batch", "before", "after", "first_release")
    assert mine.select(names).rows() == [("new", False, True, None), ("old", True, False, 1)]
    plain = counted_batches(mark_counting(submissions()).with_columns(counts=pl.col("in_release")))
    assert plain.height == 6
    assert set(READING_COLUMNS) <= set(view.columns)


def day(number: int) -> dict[str, datetime]:
    return {"received_at": datetime(2024, 1, number)}


def test_of_equal_content_the_first_received_counts_whatever_its_id() -> None:
    same = {"content_digest": "same"}
    rows = frame({"submission_id": "a", **same, **day(2)}, {"submission_id": "b", **same, **day(1)})
    assert mark_counting(rows).select("submission_id", "counts", "rewraps").rows() == [
        ("a", False, "b"),
        ("b", True, None),
    ]
    withdrawn = frame(
        {"submission_id": "a", **same, **day(2)}, {"submission_id": "b", "status": "withdrawn", **same, **day(1)}
    )
    assert mark_counting(withdrawn)["counts"].to_list() == [True, False]
    tied = frame({"submission_id": "b", **same}, {"submission_id": "a", **same})
    assert mark_counting(tied)["counts"].to_list() == [False, True]


def test_equal_content_as_of_another_day_counts_too() -> None:
    same = {"content_digest": "same"}
    later = {"submission_id": "b", "as_of": datetime(2024, 1, 9), **same, **day(3)}
    rows = frame({"submission_id": "a", **same, **day(1)}, {"submission_id": "c", **day(2)}, later)
    assert mark_counting(rows).select("counts", "arrival").rows() == [(True, 1), (True, 2), (True, 3)]


def test_as_of_orders_before_the_receipt_time_and_ids_break_ties() -> None:
    rows = frame(
        {"submission_id": "d", **day(4), "as_of": datetime(2023, 1, 1)},
        {"submission_id": "c", **day(2)}, {"submission_id": "b", **day(2)}, {"submission_id": "a", **day(3)},
    )  # fmt: skip
    assert dict(mark_counting(rows).select("submission_id", "arrival").iter_rows()) == {"d": 1, "b": 2, "c": 3, "a": 4}


def test_a_stream_is_of_one_contract_and_sender() -> None:
    rows = frame(
        {"submission_id": "a"}, {"submission_id": "b", "sender": "t"}, {"submission_id": "c"},
        {"submission_id": "d", "contract": "x"},
    )  # fmt: skip
    streams = mark_counting(rows)["stream"].to_list()
    assert streams[0] == streams[2]
    assert len(set(streams)) == 3


def test_a_replaced_submission_is_superseded_while_what_replaces_it_is_live() -> None:
    old, new = {"submission_id": "old"}, {"submission_id": "new", "replaces": "old", **day(2)}
    replaced = mark_counting(frame(old, new))
    assert replaced.select("counts", "replaced_by").rows() == [(False, "new"), (True, None)]
    assert buckets_by_status(replaced).rows() == [("old", "superseded", 2)]
    assert mark_counting(frame(old, {**new, "status": "withdrawn"}))["counts"].to_list() == [True, False]
    assert mark_counting(frame({**old, "sender": "another"}, new))["counts"].to_list() == [True, True]
    chain = mark_counting(frame(old, new, {"submission_id": "newest", "replaces": "new", **day(3)}))
    assert chain["counts"].to_list() == [False, False, True]
