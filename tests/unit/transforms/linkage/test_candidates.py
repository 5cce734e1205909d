"""Which blocks are over the limit, which reports have a partner, and which keys crossed the limit."""

from datetime import date

import polars as pl
import pytest

from schemas.kind import Key, Kind
from tests.support.mishap_frames import KIND, deliveries
from transforms.linkage.blocking import blocking_index, key_columns
from transforms.linkage.candidates import (
    BLOCKING_KEY,
    blocks_over_limit,
    capped_blocks,
    crossed_limit,
    distinct_blocking_keys,
    has_partner,
    shares_blocking_key,
)

RULES = ((Key(field="day"),), (Key(field="place"),))
NONE = pl.DataFrame(schema=BLOCKING_KEY)


def kind(largest: int = 2) -> Kind:
    """Return a kind with two blocking rules, day and place, and one identity, case: rules 0, 1 and 2."""
    return KIND.model_copy(update={"blocking": RULES, "largest_block": largest})


def index(*rows: tuple[int | None, str | None, str | None]) -> pl.DataFrame:
    """Return the blocking index of reports r0, r1, ..., each a day of January, a place and a case."""
    reports = [{"day": day and date(2024, 1, day), "place": place, "case": case} for day, place, case in rows]
    return blocking_index(deliveries(reports, kind()), kind())


def sizes(frame: pl.DataFrame) -> list[tuple[int, int]]:
    return frame.select("rule", pl.col("reports").cast(pl.Int64)).sort("rule", "reports").rows()


def test_each_value_is_a_key_of_its_rule_once() -> None:
    keys = distinct_blocking_keys(index((1, "a", "x"), (1, "b", None), (2, "b", "x"), (None, None, None)), kind())
    assert keys["rule"].sort().to_list() == [0, 0, 1, 1, 2]
    assert keys.columns == list(BLOCKING_KEY)


@pytest.mark.parametrize(("largest", "over"), [(1, [(0, 3), (1, 2)]), (2, [(0, 3)]), (3, [])])
def test_a_block_is_over_the_limit_if_more_reports_share_its_key_and_an_identity_never_is(
    largest: int, over: list[tuple[int, int]]
) -> None:
    rows = index((1, "a", "x"), (1, "b", "x"), (1, "b", "x"), (2, None, "x"))
    assert sizes(blocks_over_limit(rows, kind(largest))) == over


def test_of_some_keys_those_are_capped_that_are_over_the_limit() -> None:
    rows = index((1, "a", None), (1, "a", None), (2, "a", None), (2, None, None))
    keys = distinct_blocking_keys(rows.head(2), kind(1))
    assert sizes(capped_blocks(rows, keys, kind(1))) == [(0, 2), (1, 3)]
    assert sizes(capped_blocks(rows, keys.filter(rule=1), kind(1))) == [(1, 3)]
    assert sizes(capped_blocks(rows, NONE, kind(1))) == []


def test_a_report_shares_a_key_of_any_rule() -> None:
    rows = index((1, "a", "x"), (1, "b", None), (2, "a", None), (3, "c", "x"), (3, "c", "y"), (None, None, None))
    keys = distinct_blocking_keys(rows.head(1), kind())
    assert rows.select(shares_blocking_key(keys, kind()).alias("y"))["y"].to_list() == [True] * 4 + [False] * 2
    assert rows.select(shares_blocking_key(NONE, kind()).alias("y"))["y"].any() is False


def test_the_same_hash_under_another_rule_is_no_shared_key() -> None:
    rows = index((1, "a", None), (2, "b", None))
    turned = distinct_blocking_keys(rows.head(1), kind()).with_columns(rule=1 - pl.col("rule"))
    assert rows.select(shares_blocking_key(turned, kind()).alias("y"))["y"].any() is False


def test_a_report_has_a_partner_in_a_block_that_is_not_capped() -> None:
    rows = index((1, "a", "x"), (1, "b", "x"), (2, "b", None), (3, "c", "x"), (None, None, None))
    assert has_partner(rows, blocks_over_limit(rows, kind()), kind()).to_list() == [True, True, True, False, False]
    capped = distinct_blocking_keys(rows.head(2), kind()).filter(rule=0)
    assert has_partner(rows, capped, kind()).to_list() == [False, True, True, False, False]
    unblocked = kind().model_copy(update={"blocking": ()})
    alone = rows.select("report_id", pl.col(key_columns(kind())[2]).alias(key_columns(unblocked)[0]))
    assert not has_partner(alone, NONE, unblocked).any()


def test_a_key_crosses_the_limit_one_way_or_the_other() -> None:
    schema = {**BLOCKING_KEY, "reports": pl.UInt32}
    before = pl.DataFrame([(0, 1, 5), (0, 2, 5), (1, 1, 5)], schema, orient="row")
    after = pl.DataFrame([(0, 2, 9), (1, 1, 5), (1, 3, 5)], schema, orient="row")
    assert sorted(crossed_limit(before, after).rows()) == [(0, 1), (1, 3)]
    assert crossed_limit(before, before).rows() == []


def test_a_report_with_several_keys_of_a_rule_shares_any_of_them() -> None:
    words = KIND.model_copy(update={"blocking": ((Key(field="place", rare="word"),), (Key(field="day"),))})
    reports = [{"place": "elm oak"}, {"place": "oak ash"}, {"place": "fir"}, {"place": None, "day": date(2024, 1, 1)}]
    rows = blocking_index(deliveries(reports, words), words)
    keys = distinct_blocking_keys(rows.head(1), words)
    assert rows.select(shares_blocking_key(keys, words).alias("y"))["y"].to_list() == [True, True, False, False]
    assert keys.height == 2
    second = distinct_blocking_keys(rows.tail(1), words)
    assert rows.select(shares_blocking_key(second, words).alias("y"))["y"].to_list() == [False] * 3 + [True]
