"""Parts with several values: which keys a record has, and that two records share one exactly where they should."""

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.blocking import Key
from schemas.kind import Kind
from tests.support.mishap_frames import KIND, deliveries
from transforms.linkage.blocking import blocking_index, key_values, without_capped_keys
from transforms.linkage.candidates import blocks_over_limit, has_partner, shares_blocking_key
from transforms.preparation.block_keys import key_columns, scored_key_columns


def with_rules(*rules: tuple[Key, ...], **changes: Any) -> Kind:
    return KIND.model_copy(update={"blocking": rules, **changes})


def shared(kind: Kind, one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two records share a key of the kind's one rule."""
    index = blocking_index(deliveries([one, other], kind), kind)
    first, second = index[scored_key_columns(kind)[0]].to_list()
    return bool({*(first or [])} & {*(second or [])})


@pytest.mark.parametrize(
    ("key", "one", "other", "expected"),
    [
        (Key(field="place", rare="word"), {"place": "Nye Elm mill"}, {"place": "ELM house"}, True),
        (Key(field="place", rare="word"), {"place": "elm"}, {"place": "elms"}, False),
        (Key(field="place", rare="qgram"), {"place": "Torghatten"}, {"place": "the torg hat"}, True),
        (Key(field="place", rare="qgram", length=8), {"place": "Torghatten"}, {"place": "the torg hat"}, False),
        (Key(field="place", rare="model_number"), {"place": "TV KDL-40W"}, {"place": "kdl40w tv"}, True),
        (Key(field="place", rare="model_number"), {"place": "TV"}, {"place": "TV"}, False),
        (Key(field="place", other="story"), {"place": "Anna", "story": "Berg"}, {"place": "Berg"}, True),
        (Key(field="place", other="story", prefix=3), {"place": "Bergen"}, {"story": "berge"}, True),
        (Key(field="place", other="story"), {"place": None}, {"place": None}, False),
        (Key(field="day", unit="day", near=2), {"day": dt.date(2024, 2, 28)}, {"day": dt.date(2024, 3, 1)}, True),
        (Key(field="day", unit="day", near=1), {"day": dt.date(2024, 2, 28)}, {"day": dt.date(2024, 3, 1)}, False),
        (Key(field="day", unit="month", near=1), {"day": dt.date(2023, 12, 1)}, {"day": dt.date(2024, 1, 31)}, True),
        (Key(field="day", unit="year", near=1), {"day": dt.date(2022, 12, 1)}, {"day": dt.date(2024, 1, 31)}, False),
        (Key(field="speed", width=10, near=1), {"speed": 9}, {"speed": 11}, True),
        (Key(field="speed", width=10, near=1), {"speed": 9}, {"speed": 21}, False),
    ],
)
def test_records_share_a_part(key: Key, one: dict[str, Any], other: dict[str, Any], expected: bool) -> None:
    assert shared(with_rules((key,)), one, other) is expected
    assert shared(with_rules((key,)), other, one) is expected


@settings(max_examples=40)
@given(st.integers(-60, 60), st.integers(-60, 60), st.integers(1, 4))
def test_near_bins_are_those_within_so_many_steps(one: int, other: int, near: int) -> None:
    kind = with_rules((Key(field="speed", width=7, near=near),))
    assert shared(kind, {"speed": one}, {"speed": other}) is (abs(one // 7 - other // 7) <= near)


def test_all_parts_of_a_rule_are_shared() -> None:
    kind = with_rules((Key(field="place", rare="word"), Key(field="day", unit="day", near=1), Key(field="hurt")))
    day = dt.date(2024, 1, 1)
    whole = {"place": "elm oak", "day": day, "hurt": 1}
    assert shared(kind, whole, {"place": "oak", "day": dt.date(2024, 1, 2), "hurt": 1})
    assert not shared(kind, whole, {"place": "oak", "day": dt.date(2024, 1, 2), "hurt": 2})
    assert not shared(kind, whole, {"place": "ash", "day": day, "hurt": 1})
    assert not shared(kind, whole, {"place": "oak", "day": day})


def test_a_common_word_brings_no_pair_together_and_rare_ones_still_do() -> None:
    kind = with_rules((Key(field="place", rare="word", most=2),))
    rows = [{"place": "the elm"}, {"place": "the elm"}, {"place": "the oak"}, {"place": "ash"}]
    index = blocking_index(deliveries(rows, kind), kind)
    large = blocks_over_limit(index, kind)
    assert large["reports"].to_list() == [3]
    within = without_capped_keys(index, large, kind)
    assert within["blocks_0"].list.len().to_list() == [1, 1, 1, 1]
    assert has_partner(index, large, kind).to_list() == [True, True, False, False]
    assert index.filter(shares_blocking_key(large.select("rule", "key"), kind))["report_id"].to_list() == [
        "r0",
        "r1",
        "r2",
    ]


def test_the_limit_of_a_rule_is_the_least_of_its_parts_and_of_the_kind() -> None:
    rules = (
        (Key(field="place", rare="word"),),
        (Key(field="place", rare="word", most=5), Key(field="day")),
        (Key(field="day"),),
    )
    assert with_rules(*rules).block_limits() == [30, 5, 1000]
    assert with_rules(*rules, largest_block=10).block_limits() == [10, 5, 10]


def test_columns_and_texts_of_rules() -> None:
    kind = with_rules((Key(field="day"),), (Key(field="place", rare="word"),))
    assert key_columns(kind) == ["block_0", "blocks_1", "block_2"]
    values = key_values(deliveries([{"place": "oak elm", "day": None}, {}], kind), kind)
    assert values["blocks_1"].to_list() == [["elm oak"], [None]]
    words = [
        Key(field="place", rare="word"), Key(field="place", rare="qgram"), Key(field="place", rare="model_number"),
        Key(field="a", other="b"), Key(field="a", other="b", prefix=3), Key(field="day", unit="day", near=1),
        Key(field="speed", width=5, near=2),
    ]  # fmt: skip
    assert [key.in_words() for key in words] == [
        "rare word of place", "rare 4 characters of place", "rare model number of place", "a or b", "first 3 of a or b",
        "day of day or 1 next to it", "speed by 5 or 2 next to it",
    ]  # fmt: skip


def test_the_index_of_scalar_rules_has_scalar_keys() -> None:
    index = blocking_index(deliveries([{"day": dt.date(2024, 1, 1)}]), KIND)
    assert index.schema["block_0"] == pl.Int64
