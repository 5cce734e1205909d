"""Items of the reports that a night reaches: their ids, what became of old ones, and why."""

from datetime import date
from typing import Any

import polars as pl

from tests.support import incident_deliveries
from tests.support.mishap_frames import KIND, deliveries
from transforms.linkage.incremental import LinkageInputs, LinkedReports, ScoredPairs, each_alone
from transforms.records.item_ids import ITEM_ASSIGNMENT
from transforms.records.resolution import (
    MAX_CAUSE_IDS,
    KnownIds,
    absent_founders,
    count_deliveries,
    resolve_items,
    returning_reports,
)

EDGE = {"a": pl.String, "b": pl.String, "weight": pl.Float64}
DECISION = {
    "id": pl.Int64, "a": pl.String, "b": pl.String, "verdict": pl.String, "before": pl.Boolean, "after": pl.Boolean,
}  # fmt: skip


def rows(*each: dict[str, Any]) -> pl.DataFrame:
    """Return deliveries with before, after and first_release; by default counted now for the first time."""
    marks = pl.DataFrame(
        [(e.get("before", False), e.get("after", True), e.get("first")) for e in each],
        schema={"before": pl.Boolean, "after": pl.Boolean, "first_release": pl.Int32},
        orient="row",
    )
    names = ("before", "after", "first")
    return deliveries({k: v for k, v in e.items() if k not in names} for e in each).hstack(marks)


def assigned(*each: tuple[str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(each, schema=ITEM_ASSIGNMENT, orient="row")


def known(items: dict[str, str], *assignments: tuple[str, str, int]) -> KnownIds:
    frame = pl.DataFrame([*items.items()], schema={"report_id": pl.String, "item_id": pl.String}, orient="row")
    return KnownIds(frame, assigned(*assignments), rows({"report_id": "x"}).clear())


def linked(reports: pl.DataFrame, *edges: tuple[str, str, float], together: bool = False) -> LinkedReports:
    none = pl.DataFrame()
    scored = ScoredPairs(none, none, pl.Series("report_id", [], dtype=pl.String), none)
    reached = each_alone(reports["report_id"].unique())
    if together:
        reached = reached.with_columns(component=pl.lit("a"))
    return LinkedReports(scored, pl.DataFrame(edges, schema=EDGE, orient="row"), reached)


def inputs(*decisions: tuple[int, str, str, str, bool, bool], rematch: bool = False) -> LinkageInputs:
    frame = pl.DataFrame(decisions, schema=DECISION, orient="row")
    return LinkageInputs(KIND, None, frame, rematch=rematch, first=False)


def test_new_reports_are_clustered_and_named_after_their_first() -> None:
    frame = rows({"report_id": "a"}, {"report_id": "b"}, {"report_id": "c"})
    found = resolve_items(inputs(), count_deliveries(frame), linked(frame, ("a", "b", 5.0)), known({}))
    assert dict(found.after.select("report_id", "item_id").iter_rows()) == {"a": "a", "b": "a", "c": "c"}
    assert found.before.is_empty()
    assert found.assignments.rows() == [("b", "a")]
    assert found.history.is_empty()


def test_a_merger_names_its_cause() -> None:
    old = {"before": True, "first": 1}
    frame = rows({"report_id": "a", **old}, {"report_id": "b", **old}, {"report_id": "c", "submission_id": "new"})
    links = linked(frame, ("a", "c", 5.0), ("b", "c", 5.0), ("a", "b", 5.0), together=True)
    found = resolve_items(inputs(), count_deliveries(frame), links, known({"a": "a", "b": "b"}))
    assert set(found.after["item_id"]) == {"a"}
    (event,) = found.history.select("event", "item_id", "other_id", "cause", "cause_id").rows()
    assert event == ("merged", "b", "a", "submission", "new")


def test_a_cause_is_named_once_however_many_reports_it_reaches() -> None:
    old = {"before": True, "first": 1}
    frame = rows(
        *({"report_id": r, **old} for r in "abd"), *({"report_id": "c", "submission_id": s} for s in ("n2", "n1"))
    )
    pairs = ("ab", "ac", "ad", "bc", "bd", "cd")
    links = linked(frame, *((a, b, 9.0) for a, b in pairs), together=True)
    found = resolve_items(
        inputs(), count_deliveries(frame), links, known({"a": "a", "b": "b", "d": "b"}, ("d", "b", 1))
    )
    assert found.history.select("event", "item_id", "other_id", "cause", "cause_id").rows() == [
        ("merged", "b", "a", "submission", "n1,n2")
    ]


def test_a_decision_goes_before_a_submission_as_the_cause() -> None:
    old = {"before": True, "first": 1}
    frame = rows({"report_id": "a", **old}, {"report_id": "b", **old}, {"report_id": "c"})
    counted = count_deliveries(frame)
    start = inputs((7, "a", "b", "same", False, True))
    found = resolve_items(start, counted, linked(frame, together=True), known({"a": "a", "b": "b"}))
    assert found.history.select("event", "cause", "cause_id").rows() == [("merged", "decision", "7")]
    found = resolve_items(
        LinkageInputs(KIND, None, start.decisions, rematch=True, first=False),
        counted, linked(frame, together=True), known({"a": "a", "b": "b"}),
    )  # fmt: skip
    assert found.history.select("cause", "cause_id").rows() == [("model", KIND.digest())]


def test_a_pair_that_no_block_has_is_scored_within_its_component() -> None:
    alike = {"place": "Vik", "day": date(2024, 1, 1)}
    frame = rows(*({"report_id": report, **alike} for report in "abc"))
    start = LinkageInputs(
        incident_deliveries.KIND, incident_deliveries.model(), inputs().decisions, rematch=False, first=False
    )
    found = resolve_items(start, count_deliveries(frame), linked(frame, ("a", "b", 9.0), ("b", "c", 8.0)), known({}))
    assert found.after["item_id"].to_list() == ["a", "a", "a"]


def test_a_decision_that_was_taken_back_holds_no_item_together() -> None:
    old = {"before": True, "first": 1}
    frame = rows({"report_id": "a", **old}, {"report_id": "b", **old})
    taken_back = inputs((7, "a", "b", "same", True, False))
    counted, item = count_deliveries(frame), known({"a": "a", "b": "a"}, ("b", "a", 1))
    found = resolve_items(taken_back, counted, linked(frame, together=True), item)
    assert dict(found.after.select("report_id", "item_id").iter_rows()) == {"a": "a", "b": "b"}
    assert found.history.select("event", "cause", "cause_id").rows() == [("split", "decision", "7")]


def test_a_report_that_counts_and_does_not_stand_is_assigned_to_no_item() -> None:
    frame = rows({"report_id": "a", "action": "withdraw"}, {"report_id": "b"})
    found = resolve_items(inputs(), count_deliveries(frame), linked(frame), known({}))
    assert ("a", "") in found.assignments.rows()


def test_a_report_of_which_one_delivery_counts_counts() -> None:
    frame = rows({"report_id": "a", "after": False}, {"report_id": "a", "action": "withdraw"}, {"report_id": "b"})
    found = resolve_items(inputs(), count_deliveries(frame), linked(frame), known({}))
    assert ("a", "") in found.assignments.rows()


def test_returning_reports_stood_once_and_not_in_the_last_release() -> None:
    frame = rows(
        {"report_id": "back", "first": 1},
        {"report_id": "stays", "first": 1, "before": True},
        {"report_id": "new"},
        {"report_id": "withdrawn", "first": 1, "before": True, "action": "withdraw", "after": False},
        {"report_id": "withdrawn", "first": 1},
        {"report_id": "gone", "first": 1, "after": False},
    )
    assert returning_reports(frame).sort().to_list() == ["back", "withdrawn"]


def test_founders_without_deliveries_are_to_be_read() -> None:
    frame = rows({"report_id": "a"})
    assert absent_founders(assigned(("a", "a", 1), ("b", "f", 1), ("c", "", 2)), frame).to_list() == ["f"]


def test_twenty_causes_of_an_event_are_named() -> None:
    assert MAX_CAUSE_IDS == 20
