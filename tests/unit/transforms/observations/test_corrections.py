"""Which claims a later statement of the same sender takes out, and which it never touches."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.claims import CLAIM, frame_schema
from transforms.observations.agreement import group_by_item
from transforms.observations.consolidate import ConsolidatedClaims, consolidate, count_unstated
from transforms.observations.corrections import REPEATED, STATED, corrected_buckets

CLAIM_VALUES: dict[str, Any] = {
    "contract": "c", "obligation": "o", "sender": "s", "reported_by": "r", "row": 2, "column": "x", "original": "1",
    "action": "append", "confidential": False, "concept": "n", "unit_id": "u", "period_start": date(2024, 1, 1),
    "period_end": date(2025, 1, 1), "breakdown": "{}", "unit_measure": "persons", "value": 1, "obs_status": "A",
    "unit_kind": "other", "unit_name": "U", "additive": False, "position": 0, "lead": True, "item_id": "i",
    "partition": "2024-01",
}  # fmt: skip
LINE: dict[str, Any] = {"additive": True}


def claims(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return claims; each is of a submission of its own that is received after the one before, of one stream."""
    full = []
    for n, row in enumerate(rows):
        filled = {**CLAIM_VALUES, "submission_id": f"s{n}", "arrival": n, "stream": 1, **row}
        full.append({**filled, "value": Decimal(filled["value"])})
    schema = {**frame_schema(CLAIM), "arrival": pl.UInt32, "stream": pl.UInt32}
    return pl.DataFrame(full, schema=schema, strict=False)


def buckets(*rows: dict[str, Any], turned: bool = False) -> list[str | None]:
    """Return the bucket of each claim, whatever the order in which they are read."""
    frame = claims(*rows)
    frame = frame.reverse() if turned else frame
    found = corrected_buckets(frame, group_by_item(frame)).to_list()
    return found[::-1] if turned else found


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"value": 1}], [None]),
        ([{"value": 1}, {"value": 2}], ["superseded", None]),
        ([{"value": 1}, {"value": 1}], [None, None]),
        ([{"value": 1}, {"value": 2}, {"value": 1}, {"value": 1}], [None, "superseded", None, None]),
        ([{"value": "12.50", "decimals": 2}, {"value": "12.5", "decimals": 1}], [None, None]),
        ([{"value": 1}, {"action": "replace"}, {}], ["superseded", None, None]),
        ([{}, {"action": "withdraw"}, {}, {}], ["superseded", "withdrawn", None, None]),
        (
            [{"version": 2}, {"version": 2}, {"version": 2, "decimals": 1}, {"version": 2, "decimals": 1}],
            ["superseded", "superseded", None, "duplicate"],
        ),
        ([{}, {"version": 2}, {"version": 2}], ["superseded", None, "duplicate"]),
        ([{"value": 1, "version": 2}, {"value": 2, "version": 1}], [None, "superseded"]),
        ([{"value": 1, "version": 1}, {"value": 2}], [None, "superseded"]),  # no version is the oldest
        ([{"value": 1, "version": -1}, {"value": 2}], [None, "superseded"]),
        ([{"value": 1, "version": 1}, {"value": 1, "version": 2}], ["superseded", None]),
        ([{"value": 1, "arrival": 7}, {"value": 2, "arrival": 3}], [None, "superseded"]),
        ([{}, {"action": "withdraw"}], ["superseded", "withdrawn"]),
        ([{"action": "withdraw"}], ["withdrawn"]),
        (
            [{}, {"action": "withdraw"}, {}, {"action": "replace", "value": 6}],
            ["superseded", "withdrawn", "superseded", None],
        ),
        ([{}, {"action": "withdraw"}, {}], ["superseded", "withdrawn", None]),
        ([{"action": "withdraw", "version": 2}, {"version": 1}], ["withdrawn", "superseded"]),
        ([{"action": "replace", "arrival": 1}, {"action": "withdraw", "arrival": 1}], ["superseded", "withdrawn"]),
        ([{"action": "append", "arrival": 1}, {"action": "replace", "arrival": 1}], ["superseded", None]),
        ([{"row": 2, "arrival": 1, "additive": True}, {"row": 3, "arrival": 1, "additive": True}], [None, None]),
        ([{"arrival": 1, **LINE}, {"arrival": 1, **LINE}, {"arrival": 2, "value": 2}], [None, None, None]),
        (
            [{"arrival": 1, **LINE}, {"arrival": 1, **LINE}, {"arrival": 2, **LINE}, {"arrival": 2, **LINE}],
            [None, None, None, None],
        ),
        (
            [{"arrival": 1, **LINE}, {"arrival": 1, **LINE}, {"arrival": 2, **LINE}],
            ["superseded", "superseded", None],
        ),
        ([{}, {"arrival": 1}, {"arrival": 1, "value": 2}], ["superseded", None, None]),  # lines that differ repeat none
        ([{"value": 2}, {"arrival": 1}, {"arrival": 1, "value": 2}], ["superseded", None, None]),
        ([{"arrival": 1}, {"arrival": 1, "value": 2}, {"value": 1}], ["superseded", "superseded", None]),
    ],
)  # fmt: skip
def test_the_newest_statement_stands(rows: list[dict[str, Any]], expected: list[str | None], turned: bool) -> None:
    assert buckets(*rows, turned=turned) == expected


@pytest.mark.parametrize("other", [{"stream": 2}, {"reported_by": "q"}, {"item_id": "j"}])
def test_the_statements_of_others_are_never_touched(other: dict[str, Any]) -> None:
    assert buckets({}, {"value": 2, "version": 9, **other}) == [None, None]
    assert buckets({}, {"action": "withdraw", "version": 9, **other}) == [None, "withdrawn"]


CHANGES: dict[str, Any] = {
    "version": 3, "value": 2, "decimals": 1, "obs_status": "P", "confidential": True, "precedence": 4,
    "reported_at": datetime(2024, 1, 1),
}  # fmt: skip


@pytest.mark.parametrize("changed", [name for name in STATED if name not in {"action", "version"}])
def test_of_a_version_a_statement_that_differs_in_anything_stated_is_no_repetition(changed: str) -> None:
    rows = {"version": 1}, {"version": 1, changed: CHANGES[changed]}
    assert buckets(*rows) == ["superseded", None]


@pytest.mark.parametrize(("changed", "older"), [(name, "superseded") for name in REPEATED] + [("decimals", None)])
def test_without_a_version_another_accuracy_is_a_repetition_and_another_status_is_not(
    changed: str, older: str | None
) -> None:
    assert buckets({}, {changed: CHANGES[changed]}) == [older, None]


def test_a_repetition_is_one_more_source_and_the_most_accurate_is_published() -> None:
    found = consolidate(claims({"value": "12.50", "decimals": 2}, {"value": "12.5", "decimals": 1}))
    [item] = found.observations.select("value", "decimals", "agreement", "reports", "reporters").rows()
    assert item == (Decimal("12.5"), 2, "consistent", 2, 1)
    assert found.buckets.rows() == [("s0", "published", 1), ("s1", "duplicate", 1)]
    [item] = consolidate(claims({}, {})).observations.select("agreement", "reports").rows()
    assert item == ("complete", 2)


def test_a_newer_report_replaces_its_slot_where_the_contract_says_so() -> None:
    slot = {"slot_id": "k"}
    men, women = {"item_id": "m", **slot}, {"item_id": "w", **slot}
    first = [{**men, "arrival": 0}, {**women, "arrival": 0}]
    assert buckets(*first, {**women, "value": 2, "arrival": 1}) == ["superseded", "superseded", None]
    assert buckets(*first, {**women, "arrival": 1}) == ["superseded", "superseded", None]  # equal, and still the newest
    assert buckets(*first, {**women, "arrival": 1, "action": "withdraw"}) == ["superseded", "superseded", "withdrawn"]
    both = [{**men, "arrival": 1}, {**women, "arrival": 1, "action": "withdraw"}]
    assert buckets(*first, *both) == ["superseded", "superseded", None, "withdrawn"]
    assert buckets({**men, "version": 2, "arrival": 0}, {**women, "version": 1, "arrival": 1}) == [None, "superseded"]
    assert buckets({**men}, {**men, "value": 2, "slot_id": "other", "stream": 2}) == [None, None]


def removed(*rows: dict[str, Any]) -> int:
    frame = claims(*rows).with_columns(before=pl.Series([True, *[False] * (len(rows) - 1)]), after=pl.lit(value=True))
    before, after = (consolidate(frame.filter(side)) for side in ("before", "after"))
    return count_unstated(frame, before, after)


def test_what_left_by_a_correction_or_withdrawal_is_counted() -> None:
    assert removed({}, {"action": "withdraw"}) == 1
    assert removed({}, {"value": 2}) == 0
    assert removed({"slot_id": "k"}, {"slot_id": "k", "item_id": "j"}) == 1


def test_what_only_got_lost_is_not_counted_as_left() -> None:
    frame = claims({}).with_columns(before=pl.lit(value=True), after=pl.lit(value=True))
    found = consolidate(frame)
    lost = ConsolidatedClaims(*(getattr(found, n).clear() for n in ("observations", "sources", "conflicts", "buckets")))
    assert count_unstated(frame, found, lost) == 0
    assert count_unstated(frame.with_columns(after=pl.lit(value=False)), found, lost) == 1
    assert count_unstated(frame, None, found) == 0
