"""Blocks follow from the standing reports alone: nights in any order find the pairs that one look at everything finds.

What is rare depends on all reports: a word that becomes common takes its pairs with it, one that becomes rare again
brings them back.
"""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import Any
from unittest import mock

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.kind import Kind, read_kind
from tests.support.incident_deliveries import KIND as INCIDENT
from tests.support.incident_deliveries import model
from tests.support.mishap_frames import deliveries
from tests.support.seed import LAW_EXAMPLES
from transforms.linkage import scoring
from transforms.linkage.blocking import blocking_index, key_columns, without_capped_keys
from transforms.linkage.candidates import blocks_over_limit, shares_blocking_key
from transforms.linkage.incremental import (
    LinkageInputs,
    affected_blocks,
    candidates_of,
    index_change,
    reread_blocks,
    score_changed,
    score_everything,
    with_limits,
)

KIND = read_kind(
    yaml.safe_dump(
        INCIDENT.model_dump(mode="json", exclude_none=True)
        | {
            "one_report_per_item": False,
            "largest_block": 4,
            "blocking": [
                [{"field": "place", "rare": "word", "most": 3}],
                [{"field": "day", "unit": "day", "near": 1}, {"field": "speed", "width": 10, "near": 1}],
                [{"field": "place", "other": "story"}],
            ],
        }
    )
)
FEW_PAIRS = KIND.model_copy(update={"most_pairs": 0.7})
"""The same kind, with so few pairs allowed that limits change from night to night."""
DECISIONS = {"id": pl.Int64, "a": pl.String, "b": pl.String, "verdict": pl.String, "before": pl.Boolean}
Report = tuple[str, str, int, int]
"""Words of the place, the story, the day of January, the speed."""
words = st.lists(st.sampled_from(["elm", "oak", "ash", "fir", "yew"]), max_size=3).map(" ".join)
reports_ = st.tuples(words, words, st.integers(1, 6), st.integers(0, 45))
nights_ = st.lists(st.dictionaries(st.sampled_from("abcdefghijkl"), st.none() | reports_, max_size=6), max_size=5)
"""What each night brings of a report: its new values, or its withdrawal."""


def frame(reports: dict[str, Report]) -> pl.DataFrame:
    rows = [
        {"report_id": r, "place": place or None, "story": story or None, "day": dt.date(2024, 1, day), "speed": speed}
        for r, (place, story, day, speed) in reports.items()
    ]
    return deliveries(rows, KIND)


def inputs(kind: Kind) -> LinkageInputs:
    decisions = pl.DataFrame(schema={**DECISIONS, "after": pl.Boolean})
    return LinkageInputs(kind, model(), decisions, rematch=False, first=False)


def shared_pairs(reports: pl.DataFrame, kind: Kind, *_: Any) -> pl.DataFrame:
    """Return the pairs that share a key, slowly; in the place of `scoring.score_pairs`."""
    blocks = defaultdict(set)
    dirty = dict(reports.select("report_id", "_dirty").iter_rows()) if "_dirty" in reports.columns else None
    for row in reports.iter_rows(named=True):
        for name in key_columns(kind)[: len(kind.blocking)]:
            keys = row[name] if isinstance(row[name], list) else [row[name]] if row[name] is not None else []
            for key in keys:
                blocks[name, key].add(row["report_id"])
    pairs = {pair for members in blocks.values() for pair in combinations(sorted(members), 2)}
    again = sorted(p for p in pairs if dirty is None or dirty[p[0]] or dirty[p[1]])
    return pl.DataFrame([(*p, 5.0) for p in again], schema=scoring.SCORED_PAIR, orient="row")


def expected_pairs(reports: dict[str, Report], kind: Kind = KIND) -> set[tuple[str, str]]:
    """Return the pairs that the declared rules bring together, from the values alone."""
    blocks: dict[Any, set[str]] = defaultdict(set)
    for r, (place, story, day, speed) in reports.items():
        for word in set(place.split()):
            blocks["word", word].add(r)
        for text in {place, story} - {""}:
            blocks["text", text].add(r)
        for d in (day, day + 1):
            for s in (speed // 10, speed // 10 + 1):
                blocks["bins", d, s].add(r)
    limits = {"word": 3, "text": 4, "bins": 4}
    for rule, limit in limits.items():
        sizes = [len(members) for key, members in blocks.items() if key[0] == rule]
        allowed = (kind.most_pairs or 1000) * len(reports)
        steps = [limit, *(n for n in (2, 1) if n < limit)]
        limits[rule] = next(n for n in steps if n == 1 or sum(math.comb(s, 2) for s in sizes if s <= n) <= allowed)
    within = (members for key, members in blocks.items() if len(members) <= limits[key[0]])
    return {pair for members in within for pair in combinations(sorted(members), 2)}


def states(nights: list[dict[str, Report | None]]) -> Iterator[tuple[dict[str, Report], dict[str, Report]]]:
    """Yield the standing reports before and after each night."""
    now: dict[str, Report] = {}
    for night in nights:
        after = {r: v for r, v in (now | night).items() if v is not None}
        yield now, after
        now = after


def one_night(
    index: pl.DataFrame, edges: pl.DataFrame, before: dict[str, Report], after: dict[str, Report], kind: Kind
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the index and the edges after a night, as `flows.release.records.resolution` orders its steps."""
    ids = {r for r in before.keys() | after.keys() if before.get(r) != after.get(r)}
    sides = [frame({r: v for r, v in side.items() if r in ids}) for side in (before, after)]
    change = index_change(*sides, kind)
    limited = inputs(kind) if kind.is_limited else with_limits(inputs(kind), index, change)
    if limited is None:
        scored = score_everything(index["report_id"], frame(after), inputs(kind))
        return scored.index, scored.edges
    kind = limited.kind
    stays = index.join(change.leaving, on="report_id", how="anti")
    blocks = affected_blocks(change, stays.filter(shares_blocking_key(change.keys(kind), kind)), kind)
    if blocks.reactivated.height:
        wider = stays.filter(shares_blocking_key(blocks.keys(change, kind), kind))
        blocks = reread_blocks(change, blocks, wider, kind)
    wanted = {*candidates_of(change, blocks, kind), *change.entering["report_id"]}
    scored = score_changed(change, blocks, frame({r: v for r, v in after.items() if r in wanted}), limited)
    return scored.update_index(index), scored.update_edges(edges)


@pytest.mark.parametrize("kind", [KIND, FEW_PAIRS], ids=["by rule", "by pairs"])
@settings(max_examples=LAW_EXAMPLES, deadline=None)
@given(nights=nights_)
def test_nights_find_the_pairs_that_one_look_at_everything_finds(
    kind: Kind, nights: list[dict[str, Report | None]]
) -> None:
    with mock.patch.object(scoring, "score_pairs", shared_pairs):
        none = pl.Series("report_id", [], dtype=pl.String)
        index = blocking_index(frame({}), KIND)
        edges = pl.DataFrame(schema=scoring.SCORED_PAIR)
        for before, after in states(nights):
            index, edges = one_night(index, edges, before, after, kind)
            whole = score_everything(none, frame(after), inputs(kind))
            assert {*edges.select("a", "b").iter_rows()} == {*whole.edges.select("a", "b").iter_rows()}
            assert edges.height == edges.unique(["a", "b"]).height
            assert {*edges.select("a", "b").iter_rows()} == expected_pairs(after, kind)
            assert sorted(map(repr, index.rows())) == sorted(map(repr, whole.index.rows()))


@settings(max_examples=8, deadline=None)
@given(st.dictionaries(st.text("abcdefghijklmnop", min_size=1, max_size=2), reports_, min_size=2, max_size=20))
def test_splink_scores_each_candidate_pair_once(reports: dict[str, Report]) -> None:
    from transforms.linkage.blocking import prepare_comparison

    trained = model()
    compared = prepare_comparison(frame(reports), KIND, trained)
    compared = without_capped_keys(compared, blocks_over_limit(compared, KIND), KIND)
    pairs = scoring.score_pairs(compared, KIND, trained, floor=-100.0).select("a", "b").rows()
    assert len(pairs) == len({*pairs})
    assert {*pairs} == expected_pairs(reports)
    assert INCIDENT.largest_block == 5
