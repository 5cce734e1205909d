"""Drafted blocking rules: each alone if it brings few enough pairs together, combined with another if not."""

import polars as pl
import pytest

from schemas.blocking import BlockingRule, Key, rule_in_words
from schemas.kind import Kind, read_kind
from transforms.drafting.columns import ColumnContent, ColumnProfile
from transforms.drafting.rules import DraftedRule, draft_rules, measure_rule, rule_as_yaml

KIND = """
kind: thing
version: 1
title: {nb: T, nn: T, en: T}
one_report_per_item: ONCE
fields:
  code: {type: code, role: comparison, doc: C, compare: {by: exact}}
  place: {type: code, role: comparison, doc: P, compare: {by: exact}}
  story: {type: text, role: comparison, doc: S, compare: {by: exact}}
  given_name: {type: text, role: comparison, doc: G, compare: {by: exact}}
  surname: {type: text, role: comparison, doc: N, compare: {by: exact}}
blocking: [[code]]
thresholds: {review: 0.5}
"""
FIELDS = ("code", "place", "story", "given_name", "surname")


def kind(*, once: bool = False) -> Kind:
    return read_kind(KIND.replace("ONCE", str(once).lower()))


def table(count: int = 60, **columns: list[str | None]) -> pl.DataFrame:
    """Return reports by `a` and `b` in turn; a field that is not given is null."""
    rows = {"report_id": [f"r{n:03}" for n in range(count)], "reported_by": ["ab"[n % 2] for n in range(count)]}
    given = {name: pl.Series(columns.get(name, [None] * count), dtype=pl.String) for name in FIELDS}
    return pl.DataFrame({**rows, **given})


def profile(name: str, content: ColumnContent, filled: float = 1.0) -> dict[str, ColumnProfile]:
    return {name: ColumnProfile(name, content, filled, 0.5, 1.0)}


def words(rules: list[DraftedRule]) -> list[tuple[str, int]]:
    return [(rule_in_words(each.rule), each.pairs) for each in rules]


def test_a_rule_as_plain_values() -> None:
    rule: BlockingRule = (Key(field="a"), Key(field="b", prefix=4), Key(field="c", rare="word", most=8))
    assert rule_as_yaml(rule) == ["a", {"field": "b", "prefix": 4}, {"field": "c", "rare": "word", "most": 8}]
    assert rule_as_yaml(()) == []


@pytest.mark.parametrize(("once", "pairs"), [(False, 3), (True, 2)])
def test_the_pairs_of_a_rule(once: bool, pairs: int) -> None:
    reports = table(6, code=["x", "x", "x", "y", None, None])
    assert measure_rule(reports, kind(once=once), (Key(field="code"),)) == pairs
    assert measure_rule(reports.reverse(), kind(once=once), (Key(field="code"),)) == pairs
    assert measure_rule(reports, kind(once=once), (Key(field="place"),)) == 0


def test_a_pair_that_shares_several_values_counts_once() -> None:
    reports = table(4, story=["elm oak fir", "elm oak fir", "elm", "ash"])
    assert measure_rule(reports, kind(), (Key(field="story", rare="word"),)) == 3


def test_a_block_over_the_limit_has_no_pairs() -> None:
    reports = table(4, code=["x"] * 4)
    assert measure_rule(reports, kind().model_copy(update={"largest_block": 4}), (Key(field="code"),)) == 6
    assert measure_rule(reports, kind().model_copy(update={"largest_block": 3}), (Key(field="code"),)) == 0


@pytest.mark.parametrize(("size", "pairs"), [(20, 570), (30, None)])
def test_a_field_alone_brings_ten_pairs_a_record_together_at_most(size: int, pairs: int | None) -> None:
    reports = table(60, code=[f"c{n // size}" for n in range(60)])
    found = draft_rules(reports, kind(), profile("code", "code"))
    assert words(found) == ([] if pairs is None else [("code", pairs)])


def test_a_field_without_repeated_values_is_no_rule() -> None:
    assert draft_rules(table(60, code=[f"c{n}" for n in range(60)]), kind(), profile("code", "code")) == []
    assert draft_rules(table(60), kind(), {}) == []
    assert draft_rules(table(0), kind(), profile("code", "code")) == []


def test_a_category_is_no_rule_by_itself() -> None:
    reports = table(60, place=[f"p{n // 2}" for n in range(60)])
    assert draft_rules(reports, kind(), profile("place", "category")) == []


def test_a_crowded_field_is_combined_with_another() -> None:
    reports = table(60, code=[f"c{n % 2}" for n in range(60)], place=[f"p{n // 4}" for n in range(60)])
    found = draft_rules(reports, kind(), profile("code", "code") | profile("place", "category"))
    assert words(found) == [("code + place", 30)]


def test_the_first_values_of_two_fields_meet_spellings() -> None:
    codes = [f"{n // 2:04}{'ab'[n % 2]}" for n in range(60)]
    places = [f"{n // 2:04}{'cd'[n % 2]}" for n in range(60)]
    found = draft_rules(table(60, code=codes, place=places), kind(), profile("code", "code") | profile("place", "code"))
    assert words(found) == [("first 4 of code + first 4 of place", 30)]


def test_a_text_is_blocked_by_its_rare_words() -> None:
    stories = [f"w{n // 2} x{n // 2} common" for n in range(60)]
    found = draft_rules(table(60, story=stories), kind(), profile("story", "text"))
    assert ("rare word of story", 30) in words(found)
    assert all(pairs == 30 for _, pairs in words(found))


def test_exchanged_names_meet() -> None:
    given = [("anna", "berg")[n % 2] + str(n // 2) for n in range(60)]
    surname = [("berg", "anna")[n % 2] + str(n // 2) for n in range(60)]
    profiles = profile("given_name", "name") | profile("surname", "name")
    found = draft_rules(table(60, given_name=given, surname=surname), kind(), profiles)
    assert words(found) == [("given_name or surname", 30)]


def test_a_rule_that_finds_no_pair_of_its_own_is_left_out() -> None:
    codes = [f"c{n // 4}" for n in range(60)]
    places = [f"p{n // 2}" for n in range(60)]
    profiles = profile("code", "code") | profile("place", "code")
    found = draft_rules(table(60, code=codes, place=places), kind(), profiles)
    assert words(found) == [("code", 90)]
    other = [f"p{(n + 1) // 2}" for n in range(60)]
    found = draft_rules(table(60, code=codes, place=other), kind(), profiles)
    assert words(found) == [("code", 90), ("place", 29)]


def test_the_order_of_reports_does_not_matter() -> None:
    codes, stories = [f"c{n // 3}" for n in range(60)], [f"w{n // 2} y{n % 5}" for n in range(60)]
    reports = table(60, code=codes, story=stories)
    profiles = profile("code", "code") | profile("story", "text")
    assert draft_rules(reports, kind(), profiles) == draft_rules(reports.reverse(), kind(), profiles) != []
