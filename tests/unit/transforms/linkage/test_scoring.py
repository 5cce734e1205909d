"""Scores of pairs by a model set by hand."""

import datetime as dt
from typing import Any

import polars as pl
import pytest

from schemas.kind import Kind, read_kind
from tests.support.incident_deliveries import KIND, model
from tests.support.mishap_frames import deliveries
from transforms.linkage.blocking import prepare_comparison
from transforms.linkage.comparisons import splink_settings
from transforms.linkage.model import Frequencies, MatchModel, match_weight
from transforms.linkage.scoring import (
    SCORED_PAIR,
    field_weights,
    score_groups,
    score_pairs,
)

Row = dict[str, Any]


def prepared(*rows: Row, kind: Kind = KIND) -> pl.DataFrame:
    """Return reports r0, r1, ... ready to be scored; by default of one place, one day and one speed."""
    usual = {"place": "Vik", "day": dt.date(2024, 1, 1), "speed": 10}
    return prepare_comparison(deliveries([{**usual, **row} for row in rows], kind), kind, model())


@pytest.mark.parametrize(
    ("other", "bits"),
    [
        ({}, -6 + 8 + 5 + 3),
        ({"place": "Ås"}, -6 - 4 + 5 + 3),
        ({"day": dt.date(2024, 1, 2)}, -6 + 8 + 2 + 3),
        ({"day": dt.date(2024, 1, 9)}, -6 + 8 - 6 + 3),
        ({"speed": 15}, -6 + 8 + 5 + 1),
        ({"speed": 16}, -6 + 8 + 5 - 3),
        ({"speed": None}, -6 + 8 + 5),  # what one report does not tell is no evidence
        ({"place": None}, -6 + 5 + 3),
    ],
)
def test_a_pair_weighs_what_its_levels_add_up_to(other: Row, bits: float) -> None:
    pairs = score_pairs(prepared({}, other), KIND, model(), floor=-100)
    assert pairs.schema == pl.Schema(SCORED_PAIR)
    assert pairs.rows() == [("r0", "r1", bits)]


def test_only_pairs_from_the_floor_on_are_given() -> None:
    reports = prepared({}, {}, {"speed": 16}, {"day": dt.date(2024, 1, 9)})
    assert score_pairs(reports, KIND, model(), floor=10).rows() == [("r0", "r1", 10.0)]
    review = match_weight(KIND.thresholds.review)
    assert score_pairs(reports, KIND, model()).equals(score_pairs(reports, KIND, model(), floor=review))


def test_pairs_are_sorted_whatever_the_order_of_the_reports_and_are_no_pairs_of_one_reporter() -> None:
    reports = prepared({"reported_by": "a"}, {"reported_by": "b"}, {"reported_by": "a"})
    pairs = score_pairs(reports, KIND, model())
    assert pairs.select("a", "b").rows() == [("r0", "r1"), ("r1", "r2")]
    assert score_pairs(reports.reverse(), KIND, model()).equals(pairs)
    several = KIND.model_copy(update={"one_report_per_item": False})
    assert score_pairs(reports, several, model()).height == 3


def test_only_reports_of_one_block_are_compared_and_only_what_changed() -> None:
    apart = prepared({}, {"day": dt.date(2024, 2, 9)}, {"place": "Ås", "day": dt.date(2024, 3, 9)})
    assert score_pairs(apart, KIND, model(), floor=-100).rows() == []
    dirty = prepared({}, {}, {}).with_columns(_dirty=pl.Series([False, False, True]))
    assert score_pairs(dirty, KIND, model()).select("a", "b").rows() == [("r0", "r2"), ("r1", "r2")]


def test_all_pairs_of_a_group_are_scored_whatever_their_blocks_and_order() -> None:
    elsewhere = {"place": "Ås", "day": dt.date(2024, 3, 9)}
    reports = prepared({"reported_by": "a"}, elsewhere, {"reported_by": "a"}, {}, {})
    groups = pl.DataFrame({"report_id": ["r0", "r1", "r2", "r3"], "group": ["g", "g", "g", "alone"]})
    pairs = score_groups(reports, groups, KIND, model())
    assert pairs.rows() == [("r0", "r1", -6 - 4 - 6 + 3), ("r1", "r2", -6 - 4 - 6 + 3)]
    assert score_groups(reports.reverse(), groups.reverse(), KIND, model()).equals(pairs)


@pytest.mark.parametrize("height", [0, 1])
def test_fewer_than_two_reports_make_no_pair(height: int) -> None:
    assert score_pairs(prepared({}).head(height), KIND, model()).schema == pl.Schema(SCORED_PAIR)
    unblocked = KIND.model_copy(update={"blocking": ()})
    assert score_pairs(prepared({}, {}), unblocked, model()).height == 0


def test_the_fields_of_a_pair_add_up_to_its_weight_and_tell_their_levels() -> None:
    reports = prepared({}, {"day": dt.date(2024, 1, 2), "speed": None}, {"place": "Ås"})
    pairs = pl.DataFrame({"a": ["r0", "r1"], "b": ["r1", "r2"]})
    weights = field_weights(pairs, reports, model())
    assert weights.filter(a="r0").select("field", "level", "bits", "frequency_bits").rows() == [
        ("(prior)", "before anything is compared", pytest.approx(-6), 0.0),
        ("place", "the same", pytest.approx(8), 0.0),
        ("day", "1 days apart", pytest.approx(2), 0.0), ("speed", "not told by both", pytest.approx(0), 0.0),
    ]  # fmt: skip
    assert weights.group_by("a").agg(pl.col("bits").sum().round(6)).sort("a").rows() == [("r0", 4.0), ("r1", -8.0)]


SQL_WORDS = ("full", "order", "group", "key")
"""Three words of SQL, and one that keys of blocks could be called."""


def test_fields_may_have_any_names() -> None:
    compared = "{type: text, role: comparison, doc: x, compare: {by: similarity}, term_frequency: near}"
    fields = "\n".join(f"  {name}: {compared}" for name in SQL_WORDS)
    titles = "{nb: x, nn: x, en: x}"
    head = f"kind: x\nversion: 1\ntitle: {titles}\none_report_per_item: false\nfields:\n{fields}\n"
    kind = read_kind(f"{head}blocking: [[full]]\n")
    settings = splink_settings(kind)
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            level.update({} if level.get("is_null_level") else {"m_probability": 0.25, "u_probability": 0.125})
    frequencies = {name: Frequencies({"common": 0.5}, 0.125 / 16) for name in SQL_WORDS}
    settings |= {"probability_two_random_records_match": 0.5}
    named = MatchModel("x", kind.match_digest(), settings, frequencies, {}, 0.0, {})
    rows = [{"report_id": f"r{n}", "reported_by": "a"} | dict.fromkeys(SQL_WORDS, v) for n, v in enumerate(VALUES)]
    prepared_rows = prepare_comparison(pl.DataFrame(rows), kind, named)
    pairs = score_pairs(prepared_rows, kind, named, floor=-100)
    assert pairs.rows() == [("r0", "r1", 4 - 8.0), ("r2", "r3", 4 + 16.0)]  # a bit each, and its value's rarity
    groups = pl.DataFrame({"report_id": ["r0", "r1", "r2", "r3"], "group": ["r0", "r0", "r2", "r2"]})
    assert score_groups(prepared_rows, groups, kind, named).rows() == pairs.rows()


VALUES = ("common", "common", "rare", "rare")


@pytest.mark.parametrize("name", ["place", "unique_id", "tf_town", "match_weight", "gamma_town"])
def test_a_field_may_have_a_name_of_the_engine(name: str) -> None:
    field = "{type: text, role: comparison, doc: A, compare: {by: exact}, term_frequency: true}"
    kind = read_kind(
        "kind: thing\nversion: 1\ntitle: {nb: T, nn: T, en: T}\none_report_per_item: false\n"
        f"fields:\n  {name}: {field}\n  town: {field}\nblocking: [[{name}]]\n"
    )
    settings = splink_settings(kind) | {"probability_two_random_records_match": 0.5}
    for comparison in settings["comparisons"]:
        for each in comparison["comparison_levels"]:
            if not each.get("is_null_level"):
                each |= {"m_probability": 0.5, "u_probability": 0.25}
    shares = {column: Frequencies({"vik": 0.125}, 0.25) for column in (name, "town")}
    found = MatchModel("thing", kind.match_digest(), settings, shares, {}, 0.0, {})
    values = {"report_id": ["a", "b"], "reported_by": ["x", "x"], name: ["Vik", "vik"], "town": ["Moss", "moss"]}
    prepared_ = prepare_comparison(pl.DataFrame(values), kind, found)
    assert score_pairs(prepared_, kind, found).rows() == [("a", "b", 3.0)]  # one bit each, and one of rarity
