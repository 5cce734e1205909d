"""What a model is trained on: counts of pairs, frequencies and weights of words, whatever the order of reports."""

import math
from typing import Any

import polars as pl
import pytest

from schemas.kind import Kind, read_kind
from transforms.linkage.blocking import MIN_WORD_BITS
from transforms.linkage.model import Frequencies, MatchModel, round_floats
from transforms.training.data import TrainingData, count_pairs, training_data, training_data_digest

KIND = """
kind: thing
version: 1
title: {nb: T, nn: T, en: T}
one_report_per_item: ONCE
largest_block: 4
fields:
  name: {type: code, role: comparison, doc: N, compare: {by: exact}, term_frequency: true}
  story: {type: text, role: comparison, doc: S, compare: {by: words, levels: [3]}}
blocking: [[name], [{field: story, rare: word, most: 3}]]
thresholds: {review: 0.5}
"""


def kind(*, once: bool) -> Kind:
    return read_kind(KIND.replace("ONCE", str(once).lower()))


def reports(*rows: tuple[str, str, str | None, str | None]) -> pl.DataFrame:
    names = ("report_id", "reported_by", "name", "story")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def of_reporters(letters: str, *, once: bool) -> TrainingData:
    """Return training data of reports r0, r1, ... by these reporters."""
    rows = [(f"r{n}", letter, "same", None) for n, letter in enumerate(letters)]
    return training_data(reports(*rows), kind(once=once))


@pytest.mark.parametrize(
    ("letters", "once", "pairs", "possible"),
    [
        ("abc", True, 3, 3),
        ("aab", True, 2, 1),
        ("aabb", True, 4, 2),
        ("aaab", True, 3, 1),
        ("aabbcc", True, 12, 6),  # two items of three reports
        ("aab", False, 3, 3),
        ("a", True, 0, 0),
        ("", True, 0, 0),
        ("", False, 0, 0),
    ],
)
def test_pairs_that_may_be_one_item(letters: str, once: bool, pairs: int, possible: int) -> None:
    data = of_reporters(letters, once=once)
    assert (data.pairs, data.possible_matches) == (pairs, possible)


@pytest.mark.parametrize(("count", "least"), [(0, 0.5), (1, 0.5), (2, 0.5), (4, 0.25)])
def test_the_least_probability_that_so_many_reports_show(count: int, least: float) -> None:
    assert of_reporters("a" * count, once=False).smallest == least


@pytest.mark.parametrize(("once", "pairs"), [(True, 2), (False, 3)])
def test_pairs_share_a_value_in_every_column_and_none_is_null(once: bool, pairs: int) -> None:
    rows = [
        ("1", "a", "x", "s"),
        ("2", "a", "x", "s"),
        ("3", "b", "x", "s"),
        ("4", "b", "x", "t"),
        ("5", "c", None, "s"),
    ]
    found = reports(*rows)
    assert count_pairs(found, ["name", "story"], kind(once=once)) == pairs
    assert count_pairs(found.reverse(), ["name", "story"], kind(once=once)) == pairs
    assert count_pairs(found.clear(), ["name"], kind(once=once)) == 0
    assert count_pairs(found.filter(pl.col("name").is_null()), ["name"], kind(once=once)) == 0


def test_pairs_of_a_rule_without_those_of_large_blocks() -> None:
    rows = [(f"r{n}", f"by{n}", "four" if n < 4 else "five", f"elm{n // 2}") for n in range(9)]
    data = training_data(reports(*rows), kind(once=False))
    assert data.pairs_by_rule("block_0") == 6, "a block of five is over the limit, one of four is not"
    assert data.pairs_by_rule("blocks_1") == 4


def test_a_value_that_one_report_has_counts_as_the_rarest() -> None:
    rows = [(f"r{n}", "a", value, None) for n, value in enumerate(["x", "x", "X ", "y", None])]
    frequencies = training_data(reports(*rows), kind(once=False)).bare.frequencies
    assert frequencies == {"name": Frequencies({"x": 0.75}, 0.25)}


def test_shares_have_nine_digits_and_an_order() -> None:
    rows = [(f"r{n}", "a", value, None) for n, value in enumerate(["b"] * 2 + ["a"] * 4)]
    (found,) = training_data(reports(*rows), kind(once=False)).bare.frequencies.values()
    assert list(found.shares.items()) == [("a", round_floats(2 / 3)), ("b", round_floats(1 / 3))]
    assert found.rarest == 0.166666667


def test_a_word_weighs_the_bits_of_its_rarity_and_one_of_fewer_than_four_texts_is_the_rarest() -> None:
    stories = [None, *("elm" for _ in range(3)), *("oak oak" for _ in range(4)), *("fir elm" for _ in range(9))]
    rows = [(f"r{n}", "a", None, story) for n, story in enumerate(stories)]
    (found,) = training_data(reports(*rows), kind(once=False)).bare.words.values()
    assert found.bits == {
        "elm": round(math.log2(16 / 12), 1), "fir": round(math.log2(16 / 9), 1), "oak": 2.0,
    }  # fmt: skip
    assert found.rarest == 3.0
    (few,) = training_data(reports(*rows[:4]), kind(once=False)).bare.words.values()
    assert (few.bits, few.rarest) == ({}, MIN_WORD_BITS)
    (none,) = training_data(reports(), kind(once=False)).bare.words.values()
    assert (none.bits, none.rarest) == ({}, MIN_WORD_BITS)


def test_the_rarest_word_weighs_more_the_more_texts_there_are() -> None:
    rows = [(f"r{n}", "a", None, "elm") for n in range(64)]
    (found,) = training_data(reports(*rows), kind(once=False)).bare.words.values()
    assert found.rarest == 5.0  # in two of 64 texts


def test_the_order_of_reports_does_not_matter() -> None:
    rows = [(f"r{n}", "ab"[n % 2], f"name{n % 3}", f"elm oak{n % 4}") for n in range(12)]
    data, turned = (training_data(each, kind(once=True)) for each in (reports(*rows), reports(*reversed(rows))))
    assert data.compared.equals(turned.compared)
    assert data.bare == turned.bare
    assert data.compared["report_id"].is_sorted()
    assert training_data_digest(data.compared) == training_data_digest(turned.compared.reverse())


def test_the_digest_is_of_reports_and_keys() -> None:
    frame = pl.DataFrame({"report_id": ["a", "b"], "block_0": [1, 2], "name": ["x", "y"]})
    found = training_data_digest(frame)
    assert training_data_digest(frame.with_columns(name=pl.lit("z"))) == found
    assert training_data_digest(frame.with_columns(block_0=pl.lit(1))) != found
    assert training_data_digest(frame.with_columns(report_id=pl.lit("a"))) != found
    assert len(found) == 32


def test_a_model_has_what_was_learnt_and_the_settings_of_its_kind() -> None:
    data = of_reporters("ab", once=True)
    settings: dict[str, Any] = {
        "comparisons": [{"m": 0.1234567891234}],
        "probability_two_random_records_match": 1 / 3,
        "em_convergence": 0.5,
    }
    found = data.model(settings, best=4.5)
    assert isinstance(found, MatchModel)
    assert (found.kind, found.best, found.match_digest) == ("thing", 4.5, data.kind.match_digest())
    assert found.settings["comparisons"] == [{"m": 0.123456789}]
    assert found.settings["probability_two_random_records_match"] == 0.333333333
    assert found.settings.get("em_convergence") != 0.5
    assert found.frequencies == data.bare.frequencies
