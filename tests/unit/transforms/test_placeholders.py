"""Texts that stand for no value, and those that only look so."""

import polars as pl
import pytest

from transforms.placeholders import TOTALS, WORDS, is_placeholder, is_total


def found(*texts: str | None) -> list[bool]:
    return pl.DataFrame({"x": texts}, {"x": pl.String}).select(is_placeholder(pl.col("x")))["x"].to_list()


def test_every_word_is_known_in_any_case() -> None:
    assert all(found(*WORDS))
    assert all(found(*(word.upper() for word in WORDS)))
    assert all(found(*(word.title() for word in WORDS)))


@pytest.mark.parametrize(
    "text", ["-", "--", "\u2013", "\u2014", "\u2212", "_", ".", "...", "?", "??", "*", "/", "#", "- -", "xxx", "XXXX",
             "00", "000000000", "999999", "999999999",
             "UKJENT.", "(ukjent)", "-ukjent-", "unknown!", "n.a.", "N.A", "u.o.", "#N/A", "#REF!", "#DIV/0!", "#NAVN?",
             "#VERDI!", "#I/T", "0000-00", "0 0", "\u2e3a"],
)  # fmt: skip
def test_signs_and_filling_are_no_value(text: str) -> None:
    assert found(text) == [True]


@pytest.mark.parametrize(
    "text", ["", "0", "99999", "xy", "x", "1-2", "-5", "n/a kommune", "Tomter", "Ingenstad", "Nannestad", "0a0",
             "990000", "a-", "Ukjent vei 3", "xxx1", "1000000",
             "ref", "navn", "value", "#17", "10-00", "A-1", "Nan AS"],
)  # fmt: skip
def test_what_has_a_meaning_is_a_value(text: str) -> None:
    assert found(text) == [False]


def test_no_text_is_no_placeholder() -> None:
    assert found(None) == [False]


def test_names_of_totals_are_written_as_they_are_compared() -> None:
    assert [name for name in (*TOTALS, *WORDS) if name != name.lower().strip()] == []


def test_totals_of_something_are_totals_and_companies_are_none() -> None:
    names = [*TOTALS, "sum rogaland", "total 2024", "totalt:", "*sum*", "alle kommuner", "i alt 2024", "samlet sum"]
    others = ["total e&p norge as", "total norge as", "summen as", "totalen", "sumatra", "allegro", "alle as", "klepp"]
    frame = pl.DataFrame({"x": [*names, *others]})
    assert frame.select(is_total(pl.col("x")))["x"].to_list() == [True] * len(names) + [False] * len(others)
