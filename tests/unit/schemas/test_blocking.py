"""Blocking rules: what a part may declare, what it reads, and how it is described."""

import pytest
from pydantic import ValidationError

from schemas.blocking import RARE_LIMIT, Key, rule_has_lists, rule_in_words, rule_limit


def key(**declared: object) -> Key:
    return Key.model_validate({"field": "name", **declared})


def test_a_text_is_the_name_of_a_field() -> None:
    assert Key.model_validate("day") == Key(field="day")


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"prefix": 4, "unit": "day"}, "give at most one of prefix, unit, width, longest_word, rare"),
        ({"longest_word": 1, "rare": "word"}, "give at most one of prefix, unit, width, longest_word, rare"),
        ({"rare": "word", "length": 4}, "length is for `rare: qgram`"),
        ({"length": 4}, "length is for `rare: qgram`"),
        ({"most": 5}, "most is for `rare`"),
        ({"near": 1}, "near is for `unit` or `width`"),
        ({"prefix": 2, "near": 1}, "near is for `unit` or `width`"),
        ({"unit": "day", "other": "town"}, "other is for whole values and prefixes"),
        ({"rare": "word", "other": "town"}, "other is for whole values and prefixes"),
        ({"width": 0.5, "other": "town"}, "other is for whole values and prefixes"),
    ],
)
def test_each_key_is_for_some_forms_alone(declared: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        key(**declared)


def test_every_problem_of_a_part_is_listed_at_once() -> None:
    with pytest.raises(ValidationError, match="length is for `rare: qgram`; most is for `rare`; near is for"):
        key(length=3, most=4, near=2)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("prefix", (1,), (0,)),
        ("width", (0.001,), (0, -1)),
        ("longest_word", (1, 9), (0, 10)),
    ],
)
def test_the_limits_of_a_form(name: str, inside: tuple[float, ...], outside: tuple[float, ...]) -> None:
    assert [getattr(key(**{name: value}), name) for value in inside] == list(inside)
    for value in outside:
        with pytest.raises(ValidationError, match=name):
            key(**{name: value})


@pytest.mark.parametrize(
    ("form", "name", "inside", "outside"),
    [
        ({"rare": "qgram"}, "length", (2, 12), (1, 13)),
        ({"rare": "word"}, "most", (2,), (1,)),
        ({"unit": "day"}, "near", (1, 31), (0, 32)),
    ],
)
def test_the_limits_of_what_goes_with_a_form(
    form: dict[str, object], name: str, inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    assert [getattr(key(**form, **{name: value}), name) for value in inside] == list(inside)
    for value in outside:
        with pytest.raises(ValidationError, match=name):
            key(**form, **{name: value})


@pytest.mark.parametrize(
    ("declared", "several", "words"),
    [
        ({}, False, "name"),
        ({"other": "town"}, True, "name or town"),
        ({"prefix": 4}, False, "first 4 of name"),
        ({"prefix": 4, "other": "town"}, True, "first 4 of name or town"),
        ({"unit": "month"}, False, "month of name"),
        ({"unit": "day", "near": 3}, True, "day of name or 3 next to it"),
        ({"width": 2.5}, False, "name by 2.5"),
        ({"width": 10, "near": 1}, True, "name by 10 or 1 next to it"),
        ({"longest_word": 1}, False, "longest word of name"),
        ({"longest_word": 2}, False, "longest word (2) of name"),
        ({"rare": "word"}, True, "rare word of name"),
        ({"rare": "model_number"}, True, "rare model number of name"),
        ({"rare": "qgram"}, True, "rare 4 characters of name"),
        ({"rare": "qgram", "length": 6}, True, "rare 6 characters of name"),
    ],
)
def test_a_part_is_described_and_may_have_several_values(
    declared: dict[str, object], several: bool, words: str
) -> None:
    assert (key(**declared).is_list, key(**declared).in_words()) == (several, words)


@pytest.mark.parametrize(
    ("declared", "types", "what"),
    [
        ({"prefix": 1}, ("text", "code"), "a prefix or word"),
        ({"longest_word": 1}, ("text", "code"), "a prefix or word"),
        ({"rare": "word"}, ("text", "code"), "a rare part, or the value of another field,"),
        ({"other": "town"}, ("text", "code"), "a rare part, or the value of another field,"),
        ({"unit": "year"}, ("date", "datetime"), "a day, month or year"),
        ({"width": 1}, ("integer", "number"), "a width"),
    ],
)
def test_a_form_applies_to_some_types(declared: dict[str, object], types: tuple[str, ...], what: str) -> None:
    assert key(**declared).fits() == (types, what)


def test_a_whole_value_applies_to_every_type() -> None:
    types, what = key().fits()
    assert what == "a value"
    assert {"text", "code", "integer", "number", "boolean", "date", "datetime"} <= set(types)


def test_the_other_field_is_read_too() -> None:
    assert key().fields() == ("name",)
    assert key(other="town").fields() == ("name", "town")


def test_a_rule_is_the_sum_of_its_parts() -> None:
    rule = (key(prefix=3), Key(field="day", unit="day", near=1))
    assert rule_in_words(rule) == "first 3 of name + day of day or 1 next to it"
    assert rule_has_lists(rule)
    assert not rule_has_lists(rule[:1])
    assert not rule_has_lists(())


def test_a_rare_part_limits_its_rule_and_the_kind_limits_all() -> None:
    word, fewer = key(rare="word"), key(rare="qgram", most=8)
    assert (word.limit, fewer.limit, key(prefix=2).limit) == (RARE_LIMIT, 8, None)
    assert rule_limit((key(),), 1000) == 1000
    assert rule_limit((), 1000) == 1000
    assert rule_limit((key(), word), 1000) == 30
    assert rule_limit((word, fewer), 1000) == 8
    assert rule_limit((word, fewer), 5) == 5
