"""Submissions reread while all others stay as the last release has them."""

from typing import Any

import polars as pl

from schemas.claims import READING_COLUMNS
from transforms.submissions import add_release_state, counted_batches, initial_buckets, pin_submissions

COUNT_COLUMNS = {"delivered": 2, "claims": 2, "rejected": 0, "ignored": 0, "warnings": 0}
SUBMISSION = {
    "contract": "c", "sender": "s", "status": "live", "content_digest": None, "batch": "old", "in_release": True,
    "first_release": 1, **COUNT_COLUMNS,
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
    return pl.DataFrame([{**SUBMISSION, **row} for row in rows], infer_schema_length=None)


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
    plain = counted_batches(submissions().with_columns(counts=pl.col("in_release")))
    assert plain.height == 6
    assert set(READING_COLUMNS) <= set(view.columns)
