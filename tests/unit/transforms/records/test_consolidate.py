"""Reports of one item become one row; every delivered row is in one bucket; their differences are recorded."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.claims import frame_schema
from schemas.kind import Kind
from schemas.record_tables import CHANGE_RECORD, CONFLICT_RECORD, item_columns, source_table_columns
from tests.support.mishap_frames import FIELDS, KIND, consolidate_deliveries, deliveries, of_items
from transforms.records.consolidate import (
    ConsolidatedRecords,
    consolidate_records,
    count_departed_items,
    left_join_columns,
    mark_standing,
)
from transforms.records.content import item_content, record_changes, record_lane_sums


def one(*rows: dict[str, Any]) -> ConsolidatedRecords:
    """Consolidate these deliveries as one item, `x`."""
    frame = deliveries(rows)
    return consolidate_deliveries(frame, of_items(frame, **dict.fromkeys(frame["report_id"], "x")), KIND)


def fact(done: ConsolidatedRecords) -> dict[str, Any]:
    return done.items.row(0, named=True)


def buckets(done: ConsolidatedRecords) -> dict[tuple[str, str], int]:
    return {(s, b): n for s, b, n in done.buckets.iter_rows()}


def schema_of(columns: Any) -> pl.Schema:
    return pl.Schema({n: d for n, d in frame_schema(columns).items() if n != "release"})


def test_the_frames_are_those_declared() -> None:
    empty = deliveries([])
    for done in (
        one(),
        one({"place": "Oslo"}, {"place": "Bergen", "story": "æøå 🚂"}),
        consolidate_deliveries(empty, of_items(empty), KIND),
    ):
        assert done.items.schema == schema_of(item_columns(KIND))
        assert done.sources.schema == schema_of(source_table_columns(KIND))
        assert done.conflicts.schema == schema_of(CONFLICT_RECORD)
        assert done.buckets.schema == {"submission_id": pl.String, "bucket": pl.String, "rows": pl.Int64}


def test_one_report_says_it_all() -> None:
    at = datetime(2005, 1, 2, 3)
    done = one(
        {
            "place": "Ås",
            "speed": Decimal("1.5"),
            "causes": ["b", "a"],
            "story": "",
            "reported_at": at,
            "rows": [2, 3, 5],
        }
    )
    row = fact(done)
    assert (row["item_id"], row["place"], row["speed"], row["causes"]) == ("x", "Ås", Decimal("1.5"), ["b", "a"])
    assert (row["story"], row["agreement"], row["conflicting"]) == ([""], "single", [])
    assert (row["reports"], row["reporters"], row["first_reported"], row["last_reported"]) == (1, 1, at, at)
    assert row["partition"] == "all"
    assert buckets(done) == {("s0", "published"): 1, ("s0", "additive"): 2}
    (behind,) = done.sources.to_dicts()
    assert (behind["claim_id"], behind["relation"], behind["lead"]) == ("s0-2", "single", True)
    assert not done.conflicts.height


def test_a_report_of_nothing_is_an_item_of_nothing() -> None:
    row = fact(one({}, {}))
    assert [row[name] for name in FIELDS] == [None] * len(FIELDS)
    assert (row["agreement"], row["reports"], row["conflicting"]) == ("complete", 2, [])


@pytest.mark.parametrize(
    ("field", "values", "published"),
    [
        ("case", ["b", "a", "b", None, None, None], "b"),  # most
        ("case", [None, "b", "a", None], "b"),  # most of equals: the first in order
        ("place", ["Oslo", "Oslo S", None], "Oslo S"),  # longest
        ("day", [None, date(2005, 1, 3), date(2005, 1, 2)], date(2005, 1, 3)),  # first reported of those that say it
        ("at", [datetime(2005, 1, 2), datetime(2005, 1, 1), None], datetime(2005, 1, 1)),  # last reported
        ("hurt", [1, None, 3, 2], 3),  # greatest
        ("cost", [Decimal(2), Decimal("1.5"), None], Decimal("1.5")),  # least
        ("indoors", [False, True, True], True),
        ("causes", [["a", "b"], ["c"], ["b", "a"]], ["a", "b"]),  # a list is what it holds, in any order
        ("story", ["one", None, "two", "one"], ["one", "two"]),
    ],
)
def test_the_surviving_value(field: str, values: list[Any], published: object) -> None:
    rows = [{field: value, "reported_at": datetime(2005, 1, 1 + n)} for n, value in enumerate(values)]
    for order in (rows, rows[::-1]):
        assert fact(one(*({"report_id": f"r{rows.index(r)}", **r} for r in order)))[field] == published


def test_reports_that_tie_are_ranked_by_precedence_then_time_then_id() -> None:
    early, late = datetime(2005, 1, 1), datetime(2005, 1, 2)
    ranked = [
        {"case": "a", "precedence": 1, "report_id": "r9", "reported_at": late},
        {"case": "b", "precedence": 2, "report_id": "r1", "reported_at": early},
        {"case": "c", "report_id": "r2", "reported_at": early},
        {"case": "d", "report_id": "r0", "reported_at": late},
        {"case": "e", "report_id": "r3"},
        {"case": "f", "report_id": "r4"},
    ]
    for first in range(len(ranked)):
        assert fact(one(*ranked[first:][::-1]))["case"] == ranked[first]["case"]


@pytest.mark.parametrize(
    ("field", "values", "differ"),
    [
        ("speed", [Decimal(1), Decimal("1.5")], False),
        ("speed", [Decimal(1), Decimal("1.5"), Decimal("1.500000001")], True),  # each near the next, not all together
        ("at", [datetime(2005, 1, 1, 0, 0), datetime(2005, 1, 1, 0, 10)], False),
        ("at", [datetime(2005, 1, 1, 0, 0), datetime(2005, 1, 1, 0, 10, 1)], True),
        ("hurt", [1, 2], True),
        ("hurt", [-(2**63), 2**63 - 1], True),
        ("causes", [["a", "b"], ["b", "a"]], False),
        ("causes", [["a", "b"], ["b"]], True),
        ("causes", [[], ["b"]], True),
        ("place", ["Oslo", None, ""], True),
        ("indoors", [True, False], True),
        ("indoors", [True, None], False),
        ("story", ["one", "two"], False),
        ("case", ["a", "b"], True),
    ],
)
def test_what_is_a_conflict(field: str, values: list[Any], differ: bool) -> None:
    done = one(*({field: value} for value in values))
    assert fact(done)["conflicting"] == ([field] if differ else [])
    assert fact(done)["agreement"] == ("conflict" if differ else "complete")
    assert done.conflicts.height == (sum(v is not None for v in values) if differ else 0)


def test_a_conflict_reports_what_each_says_and_whose_is_published() -> None:
    at = datetime(2005, 1, 2, 3, 4, 5)
    done = one(
        {"hurt": 1, "speed": Decimal(100), "at": at, "causes": ["a"], "indoors": True},
        {
            "hurt": 3,
            "speed": Decimal("0.25"),
            "at": at.replace(microsecond=5, hour=1),
            "causes": ["b", "c"],
            "indoors": True,
        },
        {"hurt": 3, "place": "Ås"},
    )
    assert fact(done)["conflicting"] == ["at", "causes", "hurt", "speed"]
    assert done.conflicts.select("field", "report_id", "value", "outcome").rows() == [
        ("at", "r0", "2005-01-02T03:04:05", "published"),
        ("at", "r1", "2005-01-02T01:04:05.000005", "outranked"),
        ("causes", "r0", "a", "published"),
        ("causes", "r1", "b, c", "outranked"),
        ("hurt", "r0", "1", "outranked"),
        ("hurt", "r1", "3", "published"),
        ("hurt", "r2", "3", "published"),
        ("speed", "r0", "100", "published"),
        ("speed", "r1", "0.25", "outranked"),
    ]
    relations = done.sources.sort("report_id").select("relation", "lead").rows()
    assert relations == [("conflict", True), ("conflict", False), ("complete", False)]
    assert buckets(done) == {("s0", "published"): 1, ("s1", "duplicate"): 1, ("s2", "duplicate"): 1}


def test_the_row_of_the_report_that_was_first_is_the_published_one() -> None:
    done = one(
        {"report_id": "a"}, {"report_id": "c", "reported_at": datetime(2005, 1, 2), "rows": [2, 3]},
        {"report_id": "b", "reported_at": datetime(2005, 1, 2)},
        {"report_id": "d", "reported_at": datetime(2005, 1, 3)},
    )  # fmt: skip
    assert done.sources.filter("lead")["report_id"].to_list() == ["b"]
    assert buckets(done) == {
        ("s0", "duplicate"): 1, ("s1", "duplicate"): 1, ("s1", "additive"): 1, ("s2", "published"): 1,
        ("s3", "duplicate"): 1,
    }  # fmt: skip


def test_a_repeated_delivery_is_a_duplicate_and_votes_no_second_time() -> None:
    twice = {"report_id": "a", "case": "b", "rows": [2, 3]}
    done = one(twice, twice, twice, {"case": "a"}, {"case": "a"})
    assert (fact(done)["case"], fact(done)["reports"]) == ("a", 3)
    assert done.sources.filter(report_id="a").select("submission_id", "relation", "lead").rows() == [
        ("s0", "conflict", True)
    ]
    assert buckets(done)["s1", "duplicate"] == 2
    assert buckets(done)["s0", "published"] == buckets(done)["s0", "additive"] == 1


def test_one_report_delivered_twice_is_single() -> None:
    done = one({"report_id": "a", "hurt": 1}, {"report_id": "a", "hurt": 1})
    assert (fact(done)["agreement"], fact(done)["reports"]) == ("single", 1)
    assert done.sources["relation"].to_list() == ["single"]


def test_a_report_delivered_again_without_a_version_is_a_correction_whatever_its_content_and_id() -> None:
    rows = (
        {"report_id": "a", "hurt": 2, "story": "two", "rows": [4, 5]},
        {"report_id": "a", "hurt": 10, "story": "ten"},
    )
    for order in (rows, rows[::-1]):
        old, new = order
        done = one(*({**t, "content": str(t["hurt"]), "submission_id": f"s{t['hurt']}"} for t in order))
        row = fact(done)
        assert (row["hurt"], row["agreement"], row["conflicting"], row["reports"]) == (new["hurt"], "single", [], 1)
        assert row["story"] == [new["story"]]
        assert done.sources.select("submission_id", "relation").rows() == [(f"s{new['hurt']}", "single")]
        assert buckets(done)[f"s{old['hurt']}", "superseded"] == len(old.get("rows", [2]))


def test_what_is_stated_again_after_something_else_stands_from_then_on() -> None:
    states = ({"hurt": 1}, {"hurt": 2}, {"hurt": 1}, {"hurt": 1})
    marked = mark_standing(deliveries([{"report_id": "a", **state} for state in states]))
    assert marked["bucket"].to_list() == ["superseded", "superseded", None, "duplicate"]


def test_what_comes_after_a_withdrawal_counts_and_an_older_version_does_not() -> None:
    actions = ("append", "withdraw", "append", "replace")
    marked = mark_standing(deliveries([{"report_id": "a", "action": a, "hurt": n} for n, a in enumerate(actions)]))
    assert marked["bucket"].to_list() == ["superseded", "withdrawn", "superseded", None]
    versions = ((2, "withdraw"), (1, "append"))
    marked = mark_standing(deliveries([{"report_id": "a", "version": v, "action": a} for v, a in versions]))
    assert marked["bucket"].to_list() == ["withdrawn", "superseded"]


def test_the_highest_version_stands_and_a_replacement_over_what_it_replaces() -> None:
    a = {"report_id": "a"}
    done = one(
        {**a, "hurt": 1}, {**a, "hurt": 2, "version": 1, "rows": [2, 3]}, {**a, "hurt": 3, "version": 2},
        {**a, "hurt": 4, "version": 2, "action": "replace"}, {**a, "hurt": 5, "version": 1, "action": "withdraw"},
    )  # fmt: skip
    assert (fact(done)["hurt"], fact(done)["agreement"]) == (4, "single")
    assert done.sources["submission_id"].to_list() == ["s3"]
    assert buckets(done) == {
        ("s0", "superseded"): 1, ("s1", "superseded"): 2, ("s2", "superseded"): 1, ("s3", "published"): 1,
        ("s4", "withdrawn"): 1,
    }  # fmt: skip


@pytest.mark.parametrize("turned", [False, True])
def test_in_one_submission_a_withdrawal_takes_out_a_replacement_of_the_same_version(turned: bool) -> None:
    for least in ("append", "replace"):
        both = [{"report_id": "a", "version": 1, "action": action, "arrival": 1} for action in (least, "withdraw")]
        marked = mark_standing(deliveries(reversed(both) if turned else both))
        assert dict(marked.select("action", "bucket").iter_rows()) == {least: "superseded", "withdraw": "withdrawn"}
        assert not marked["standing"].any()
    both = [
        {"report_id": "a", "version": 1, "action": action, "arrival": 1, "content": action}
        for action in ("append", "replace")
    ]
    marked = mark_standing(deliveries(reversed(both) if turned else both))
    assert dict(marked.select("action", "standing").iter_rows()) == {"append": False, "replace": True}


def test_a_withdrawn_report_leaves_and_others_keep_the_item_alive() -> None:
    frame = deliveries(
        [{"report_id": "a", "version": 1}, {"report_id": "a", "version": 1, "action": "withdraw"}, {"report_id": "b"}]
    )
    assert mark_standing(frame).select("bucket", "standing").rows() == [
        ("superseded", False), ("withdrawn", False), (None, True),
    ]  # fmt: skip
    done = consolidate_deliveries(frame, of_items(frame.filter(report_id="b")), KIND)
    assert (done.items["reports"].to_list(), done.sources["report_id"].to_list()) == ([1], ["b"])
    assert buckets(done) == {("s0", "superseded"): 1, ("s1", "withdrawn"): 1, ("s2", "published"): 1}


def test_parts_of_the_items_add_up_to_all_of_them() -> None:
    frame = deliveries(
        [
            {"report_id": "a", "hurt": 1, "rows": [2, 3]}, {"report_id": "a", "hurt": 2}, {"report_id": "b", "hurt": 7},
            {"report_id": "c"}, {"report_id": "c"}, {"report_id": "d"}, {"report_id": "d", "action": "withdraw"},
        ]
    )  # fmt: skip
    items = of_items(frame.filter(pl.col("report_id") != "d"), a="x", b="x")
    marked = left_join_columns(mark_standing(frame), items, "report_id")
    whole = consolidate_records(marked, KIND)
    of_x = frame["report_id"].is_in(["a", "b"])
    parts = [consolidate_records(marked, KIND, chosen) for chosen in (of_x, ~of_x)]
    assert [part.items["item_id"].to_list() for part in parts] == [["x"], ["c"]]
    for table in ("items", "sources", "conflicts"):
        assert (
            pl.concat([getattr(part, table) for part in parts])
            .sort("item_id")
            .equals(getattr(whole, table).sort("item_id"))
        )
    summed = pl.concat([part.buckets for part in parts]).group_by("submission_id", "bucket").agg(pl.col("rows").sum())
    assert summed.sort("submission_id", "bucket").equals(whole.buckets)
    assert whole.buckets["rows"].sum() == sum(map(len, frame["rows"]))
    fates = pl.concat([part.fates for part in parts])
    assert (fates.len(), sorted(fates)) == (sum(map(len, frame["rows"])), sorted(whole.fates))


def sources(items: dict[str, str], again: str = "") -> pl.DataFrame:
    """Return sources: item -> its reports, a letter each; those in `again` were delivered again."""
    rows = [
        (item, report, f"{report}2" if report in again else report) for item, all_ in items.items() for report in all_
    ]
    return pl.DataFrame(rows, dict.fromkeys(("item_id", "report_id", "submission_id"), pl.String), orient="row")


BEFORE = {"x": "ab", "y": "c", "z": "d"}


@pytest.mark.parametrize(
    ("after", "again", "departed"),
    [
        (BEFORE, "", 0),
        ({"x": "b", "y": "c", "z": "d"}, "", 0),
        ({"y": "c", "z": "d"}, "", 1),
        ({"x": "ab"}, "", 2),
        ({}, "", 3),
        ({"x": "abce", "z": "d"}, "", 1),  # e joined y to x
        ({"x": "abc", "z": "d"}, "c", 1),  # c was corrected
        ({"x": "ac", "z": "d"}, "", 1),  # b, which kept them separate, was withdrawn
        ({"x": "abc", "z": "d"}, "", 0),  # nothing that was delivered joined them
        ({"x": "abc", "z": "d"}, "d", 0),  # and nothing of these items
    ],
)
def test_an_item_departs_with_its_reports_or_where_reports_that_change_join_it(
    after: dict[str, str], again: str, departed: int
) -> None:
    assert count_departed_items(sources(BEFORE), sources(after, again)) == departed


def test_standing_needs_no_field_of_the_kind() -> None:
    frame = deliveries([{"report_id": "a", "version": 2}, {"report_id": "a", "version": 1}])
    narrow = frame.select("report_id", "row", "version", "action", "content", "arrival")
    assert mark_standing(narrow).columns == [*narrow.columns, "bucket", "standing"]
    assert mark_standing(narrow).filter("standing")["version"].to_list() == [2]


def test_an_items_lanes_do_not_know_its_id_and_know_who_is_together() -> None:
    frame = deliveries([{"report_id": r, "case": "c"} for r in "abc"])

    def sums(kind: Kind = KIND, **items: str) -> tuple[int, ...]:
        done = consolidate_deliveries(frame, of_items(frame, **items), kind)
        return record_lane_sums(item_content(done.items, done.sources, kind))

    assert sums(a="x", b="x", c="y") == sums(a="b", b="b", c="zz")
    other = KIND.model_copy(update={"kind": "mishap2"})
    assert len({sums(), sums(a="x", b="x"), sums(a="x", c="x"), sums(a="x", b="x", c="x"), sums(other)}) == 5


@pytest.mark.parametrize(
    "changed",
    [
        {"story": "two"},
        {"causes": []},
        {"causes": ["", ""]},
        {"content": "other"},
        {"reported_at": datetime(2005, 1, 1)},
    ],
)
def test_lanes_hold_what_is_published_and_said(changed: dict[str, Any]) -> None:
    plain, other = one({"case": "a", "content": "c"}), one({"case": "a", "content": "c", **changed})
    before, after = (item_content(d.items, d.sources, KIND) for d in (plain, other))
    assert record_lane_sums(before) != record_lane_sums(after)
    (row,) = record_changes(before, after).to_dicts()
    assert (row["item_id"], row["change"], row["agreement_before"], row["reports_after"]) == (
        "x",
        "changed",
        "single",
        1,
    )
    assert not record_changes(before, before).height


def test_the_order_of_the_sources_is_no_part_of_the_content() -> None:
    frame = deliveries([{"report_id": r, "case": "c"} for r in "abcd"])
    done = consolidate_deliveries(frame, of_items(frame, c="a", d="b"), KIND)
    turned = done.sources.sort("report_id")
    assert turned["item_id"].to_list() == ["a", "b", "a", "b"]
    assert item_content(done.items, turned, KIND).equals(item_content(done.items, done.sources, KIND))


def test_what_came_and_what_left_is_reported() -> None:
    frame = deliveries([{"report_id": r} for r in "abc"])
    sides = []
    for items in ({"b": "a"}, {"c": "b"}):
        done = consolidate_deliveries(frame, of_items(frame, **items), KIND)
        sides.append(item_content(done.items, done.sources, KIND))
    changes = record_changes(*sides)
    assert changes.schema == pl.Schema({n: d for n, d in frame_schema(CHANGE_RECORD).items() if n != "release"})
    assert changes.select("item_id", "change", "reports_before", "reports_after").rows() == [
        ("a", "changed", 2, 1), ("b", "added", None, 2), ("c", "removed", 1, None),
    ]  # fmt: skip
    none = sides[0].clear()
    assert record_changes(none, sides[0])["change"].to_list() == ["added"] * 2
    assert record_changes(sides[0], none)["agreement_after"].to_list() == [None] * 2
