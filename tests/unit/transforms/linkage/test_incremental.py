"""Incremental linkage: what a night compares again and reaches, and that it scores what scoring everything would."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import polars as pl
import pytest

from tests.support.incident_deliveries import KIND, model
from tests.support.mishap_frames import deliveries
from transforms.linkage.blocking import blocking_index
from transforms.linkage.incremental import (
    ROUNDS,
    AffectedBlocks,
    IndexChange,
    LinkageInputs,
    ScoredPairs,
    affected_blocks,
    candidates_of,
    each_alone,
    index_change,
    likely_reached,
    reached_reports,
    reread_blocks,
    score_changed,
    score_everything,
    with_limits,
)

DECISION = {"id": pl.Int64, "a": pl.String, "b": pl.String, "verdict": pl.String, "before": pl.Boolean}
Days = Mapping[str, int]
"""Report id -> day of January: the block of the first rule; all places differ, so no block of the second is shared."""


def decided(*rows: tuple[int, str, str, str, bool, bool]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={**DECISION, "after": pl.Boolean}, orient="row")


def inputs(decisions: pl.DataFrame | None = None, *, scored: bool = False) -> LinkageInputs:
    frame = decided() if decisions is None else decisions
    return LinkageInputs(KIND, model() if scored else None, frame, rematch=False, first=False)


def reports(days: Days, **fields: object) -> pl.DataFrame:
    """Return standing deliveries, one a report; all have these fields, if any."""
    rows = [{"report_id": r, "place": f"at {r}", "day": dt.date(2024, 1, day), **fields} for r, day in days.items()]
    return deliveries(rows, KIND)


def change_of(before: Days, after: Days, **fields: object) -> tuple[IndexChange, pl.DataFrame]:
    """Return the change between two sets of reports, and the index rows that stay."""
    ids = {r for r in before.keys() | after.keys() if before.get(r) != after.get(r)}
    sides = [reports({r: day for r, day in side.items() if r in ids}, **fields) for side in (before, after)]
    change = index_change(*sides, KIND)
    stays = blocking_index(reports(before, **fields), KIND).join(change.leaving, on="report_id", how="anti")
    return change, stays


def edges(*pairs: str, weight: float = 9.0) -> pl.DataFrame:
    rows = [(*pair, weight) for pair in pairs]
    return pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String, "weight": pl.Float64}, orient="row")


def ids(frame: pl.DataFrame | pl.Series) -> str:
    series = frame["report_id"] if isinstance(frame, pl.DataFrame) else frame
    return "".join(series.sort())


def reached(start: str, *sides: pl.DataFrame, decisions: pl.DataFrame | None = None) -> dict[str, str]:
    before, after = sides * 2 if len(sides) == 1 else sides
    first = pl.Series("report_id", list(start))
    return dict(reached_reports(first, (before, after), None, inputs(decisions)).iter_rows())


def test_a_changed_report_leaves_the_index_and_enters_it() -> None:
    change, stays = change_of({"a": 1, "b": 1, "c": 2}, {"a": 1, "b": 3, "d": 2})
    assert (ids(change.entering), ids(change.leaving), ids(stays)) == ("bd", "bc", "a")
    assert change.keys(KIND)["rule"].sort().to_list() == [0, 0, 0, 1, 1, 1]  # days 1 to 3; the places of b, c, d


@pytest.mark.parametrize(("more", "same"), [(0, True), (1, True), (5, False)])
def test_limits_of_blocks_are_those_of_the_last_release_or_all_is_scored_again(more: int, same: bool) -> None:
    # Four reports a day are six pairs a block, 30 of the 34 that 1.7 a report allow; one more a day makes 50 of 42.
    kind = KIND.model_copy(update={"most_pairs": 1.7})
    days = {f"{day}{n}": day for day in range(1, 6) for n in range(4)}
    before = reports(days)
    change = index_change(before.clear(), reports({f"new{n}": n + 1 for n in range(more)}), kind)
    given = replace(inputs(), kind=kind)
    found = with_limits(given, blocking_index(before, kind), change)
    assert (found is not None) is same
    if found is not None:
        assert found.kind.is_limited
        assert found.kind.block_limits() == kind.block_limits()


def test_a_report_of_the_same_content_does_neither() -> None:
    same = reports({"a": 1})
    change = index_change(same, same.with_columns(submission_id=pl.lit("another")), KIND)
    assert change.entering.is_empty()
    assert change.leaving.is_empty()


@pytest.mark.parametrize(
    ("before", "after", "reactivated"),
    [
        ("abcd", "abcde", ""),  # five share a block: the most that are compared
        ("abcde", "abcdef", "abcde"),  # the sixth takes the block over the limit: their pairs no longer hold
        ("abcdef", "abcde", "abcde"),  # below again: all their pairs are found again
        ("abcdef", "abcdefg", ""),  # over the limit before and after
    ],
)
def test_a_block_that_crosses_the_limit_reactivates_its_members(before: str, after: str, reactivated: str) -> None:
    change, stays = change_of(dict.fromkeys(before, 1), dict.fromkeys(after, 1))
    blocks = affected_blocks(change, stays, KIND)
    assert ids(blocks.reactivated) == reactivated
    assert blocks.oversized["reports"].to_list() == ([len(after)] if len(after) > KIND.largest_block else [])


def test_reports_are_compared_with_members_of_blocks_within_the_limit() -> None:
    before = {"a": 1, "b": 1, "c": 2, "d": 3} | dict.fromkeys("uvwxyz", 5)
    change, stays = change_of(before, {**before, "e": 1, "f": 5})
    blocks = affected_blocks(change, stays, KIND)
    assert ids(candidates_of(change, blocks, KIND)) == "ab"


def test_reactivated_reports_are_compared_in_all_of_their_blocks() -> None:
    rows = [(r, "same" if r in "az" else r, 3 if r == "z" else 1) for r in "abcdez"]
    frame = deliveries([{"report_id": r, "place": p, "day": dt.date(2024, 1, d)} for r, p, d in rows], KIND)
    index = blocking_index(frame, KIND)
    entering = blocking_index(reports({"f": 1}), KIND)
    change = IndexChange(entering, entering.clear())
    first = affected_blocks(change, index.filter(pl.col("report_id") != "z"), KIND)
    assert ids(first.reactivated) == "abcde"
    blocks = reread_blocks(change, first, index, KIND)
    assert ids(candidates_of(change, blocks, KIND)) == "abcdez"  # z shares a's place, in no block that changed


def test_strong_edges_name_what_is_likely_reached() -> None:
    strong = inputs(scored=True)
    found = likely_reached(
        pl.concat([edges("ab", "bc", "xy"), edges("cd", weight=1)]), pl.Series("report_id", ["a"]), strong
    )
    assert set(found) == set("abc")


@pytest.mark.parametrize(
    ("before", "after", "start", "components"),
    [
        (["ab", "bc", "xy"], ["ab", "bc", "xy"], "a", {"a": "a", "b": "a", "c": "a"}),
        (["bc"], ["ab"], "a", {"a": "a", "b": "a", "c": "a"}),  # an edge that no longer holds leads on, too
        (["xy"], [], "ax", {"a": "a", "x": "x", "y": "x"}),
        ([], [], "a", {"a": "a"}),
    ],
)
def test_all_that_any_connection_leads_to_is_reached(
    before: list[str], after: list[str], start: str, components: dict[str, str]
) -> None:
    assert reached(start, edges(*before), edges(*after)) == components


def test_decisions_connect_where_they_count() -> None:
    decisions = decided(
        (1, "a", "b", "same", True, False), (2, "b", "c", "same", False, True), (3, "c", "d", "different", True, True)
    )
    assert set(reached("a", edges(), decisions=decisions)) == set("abc")
    assert inputs(decisions).changed_decisions["id"].to_list() == [1, 2]


def test_a_long_chain_is_followed_to_its_end() -> None:
    names = [f"{n:03}" for n in range(3 * ROUNDS)]
    chain = pl.DataFrame({"a": names[:-1], "b": names[1:], "weight": 9.0})
    found = reached_reports(pl.Series("report_id", ["000"]), (chain, chain), None, inputs())
    assert found["report_id"].sort().to_list() == names
    assert found["component"].unique().to_list() == ["000"]


def test_a_declared_identity_connects_before_and_after() -> None:
    rows = [{"report_id": r, "case": case} for r, case in zip("abcd", ("one", "one", "two", None), strict=True)]
    index = blocking_index(deliveries(rows, KIND), KIND)
    moved = blocking_index(deliveries([{"report_id": "c", "case": "one"}], KIND), KIND)
    scored = ScoredPairs(moved, edges(), pl.Series("report_id", ["c"]), pl.DataFrame())
    after = scored.update_index(index)
    start = pl.Series("report_id", ["a"])
    assert ids(reached_reports(start, (edges(), edges()), (index, index), inputs())) == "ab"
    assert ids(reached_reports(start, (edges(), edges()), (index, after), inputs())) == "abc"


def test_outdated_edges_are_replaced() -> None:
    scored = ScoredPairs(pl.DataFrame(), edges("cd"), pl.Series("report_id", ["a"]), pl.DataFrame())
    assert scored.update_edges(edges("ab", "bc", "ca")).select("a", "b").rows() == [("b", "c"), ("c", "d")]


def test_each_report_alone() -> None:
    assert each_alone(pl.Series("report_id", ["a", "b"])).rows() == [("a", "a"), ("b", "b")]


def test_without_a_model_nothing_is_scored_and_large_blocks_are_named() -> None:
    scored = score_everything(pl.Series("report_id", ["z"]), reports(dict.fromkeys("abcdef", 1)), inputs())
    assert (scored.edges.height, scored.outdated.to_list(), ids(scored.index)) == (0, ["z"], "abcdef")
    assert scored.warnings.rows() == [("incident", "block over the limit", "day = 2024-01-01", 6)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": 1, "b": 1, "c": 2}, {"a": 1, "b": 1, "c": 1, "d": 2}),
        ({"a": 1, "b": 1, "c": 2}, {"b": 2, "c": 2}),
        (dict.fromkeys("abcde", 1), dict.fromkeys("abcdef", 1)),
        (dict.fromkeys("abcdef", 1), dict.fromkeys("abcde", 1) | {"g": 1, "f": 2, "h": 2}),
        (dict.fromkeys("abcdef", 1), dict.fromkeys("abcd", 1)),
    ],
)
def test_scoring_what_changed_gives_what_scoring_everything_does(before: Days, after: Days) -> None:
    start, alike = inputs(scored=True), {"place": None, "speed": 50}
    old = score_everything(pl.Series("report_id", [], dtype=pl.String), reports(before, **alike), start)
    new = score_everything(pl.Series("report_id", list(before)), reports(after, **alike), start)
    change, stays = change_of(before, after, **alike)
    blocks = affected_blocks(change, stays, KIND)
    blocks = reread_blocks(change, blocks, stays, KIND) if blocks.reactivated.height else blocks
    wanted = {*change.entering["report_id"], *candidates_of(change, blocks, KIND)}
    compared = reports({r: day for r, day in after.items() if r in wanted}, **alike)
    scored = score_changed(change, blocks, compared, start)
    assert max(old.edges.height, new.edges.height) > 0
    assert same(scored.update_edges(old.edges), new.edges)
    assert same(scored.update_index(old.index), new.index)


def same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Whether two frames have the same rows, in any order."""
    return one.sort(one.columns).equals(other.select(one.columns).sort(one.columns))


def test_affected_blocks_name_the_reports_to_compare_again() -> None:
    change, stays = change_of({"a": 1}, {"a": 1, "b": 1})
    blocks = AffectedBlocks(stays, stays, stays.clear())
    assert ids(blocks.again(change)) == "ab"
