"""Whether a model can be estimated from some reports, and what is said if not."""

import datetime as dt
from itertools import combinations

import polars as pl

from schemas.kind import Kind, read_kind
from transforms.training.preconditions import MIN_CANDIDATE_PAIRS, count_candidate_pairs, missing_for_training

KIND = """
kind: mishap
version: 1
title: {en: Mishap, nb: Uhell, nn: Uhell}
one_report_per_item: true
fields:
  place: {type: text, role: comparison, doc: Where, compare: {by: similarity}}
  day: {type: date, role: comparison, doc: When, compare: {by: days, levels: [1]}}
blocking: [[day], [place]]
"""


def kind_of(text: str = KIND) -> Kind:
    return read_kind(text)


def reports(*entries: tuple[str, str | None, int | None]) -> pl.DataFrame:
    rows = [(f"r{n}", by, place, day and dt.date(2024, 1, day)) for n, (by, place, day) in enumerate(entries)]
    names = {"report_id": pl.String, "reported_by": pl.String, "place": pl.String, "day": pl.Date}
    return pl.DataFrame(rows, schema=names, orient="row")


MANY = reports(*((by, f"place {n % 3}", 1 + n % 4) for n in range(12) for by in "ab"))


def test_enough_reports_lack_nothing() -> None:
    assert missing_for_training(MANY, kind_of()) == ""


def test_candidate_pairs_are_counted_as_the_rules_find_them() -> None:
    rows = MANY.rows(named=True)
    pairs = [(a, b) for a, b in combinations(rows, 2) if a["reported_by"] != b["reported_by"]]
    expected = sum((a["day"] == b["day"]) + (a["place"] == b["place"]) for a, b in pairs)
    assert count_candidate_pairs(MANY, kind_of()) == expected
    any_two = kind_of(KIND.replace("one_report_per_item: true", "one_report_per_item: false"))
    expected = sum((a["day"] == b["day"]) + (a["place"] == b["place"]) for a, b in combinations(rows, 2))
    assert count_candidate_pairs(MANY, any_two) == expected


def test_no_reports_and_one_report() -> None:
    assert "it has no standing report" in missing_for_training(MANY.clear(), kind_of())
    assert "0 pairs of different reporters share a blocking key" in missing_for_training(MANY.head(1), kind_of())


def test_too_few_pairs_say_how_many_there_are() -> None:
    message = missing_for_training(reports(("a", "Vik", 1), ("b", "Vik", 2), ("b", "Nes", 3)), kind_of())
    assert (
        f"among 3 standing reports, 1 pairs of different reporters share a blocking key: expected at least "
        f"{MIN_CANDIDATE_PAIRS}" in message
    )
    assert "kinds/mishap.yml" in message


def test_reports_of_one_reporter_are_no_pairs() -> None:
    assert "0 pairs of different reporters" in missing_for_training(MANY.filter(reported_by="a"), kind_of())


def test_a_field_that_nobody_reports_is_missing_only_if_it_is_the_last() -> None:
    without_day = MANY.with_columns(pl.lit(None, dtype=pl.Date).alias("day"))
    assert missing_for_training(without_day, kind_of()) == ""
    without_both = without_day.with_columns(pl.lit(None, dtype=pl.String).alias("place"))
    assert "none of 24 standing reports has a value that is compared" in missing_for_training(without_both, kind_of())


def test_a_kind_that_compares_nothing_needs_no_model() -> None:
    text = KIND.replace(", compare: {by: similarity}", "").replace(", compare: {by: days, levels: [1]}", "")
    text = text.replace("comparison", "attribute").replace("blocking: [[day], [place]]", "")
    assert "without a model" in missing_for_training(MANY, kind_of(text))
