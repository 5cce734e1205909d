"""Whether a model can be estimated from some reports, and what is said if not."""

import datetime as dt
from itertools import combinations

import polars as pl
import pytest

from schemas.kind import Kind, read_kind
from transforms.linkage.training_checks import FEWEST, candidate_pairs, lacking

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


def reports(*told: tuple[str, str | None, int | None]) -> pl.DataFrame:
    rows = [(f"r{n}", by, place, day and dt.date(2024, 1, day)) for n, (by, place, day) in enumerate(told)]
    names = {"report_id": pl.String, "reported_by": pl.String, "place": pl.String, "day": pl.Date}
    return pl.DataFrame(rows, schema=names, orient="row")


MANY = reports(*((by, f"place {n % 3}", 1 + n % 4) for n in range(12) for by in "ab"))


def test_enough_reports_lack_nothing() -> None:
    assert lacking(MANY, kind_of()) == ""


def test_candidate_pairs_are_counted_as_the_rules_find_them() -> None:
    rows = MANY.rows(named=True)
    pairs = [(a, b) for a, b in combinations(rows, 2) if a["reported_by"] != b["reported_by"]]
    expected = sum((a["day"] == b["day"]) + (a["place"] == b["place"]) for a, b in pairs)
    assert candidate_pairs(MANY, kind_of()) == expected
    any_two = kind_of(KIND.replace("one_report_per_item: true", "one_report_per_item: false"))
    expected = sum((a["day"] == b["day"]) + (a["place"] == b["place"]) for a, b in combinations(rows, 2))
    assert candidate_pairs(MANY, any_two) == expected


def test_no_reports_and_one_report() -> None:
    assert "no report of it stands" in lacking(MANY.clear(), kind_of())
    assert "0 pairs of different reporters share a blocking value" in lacking(MANY.head(1), kind_of())


def test_too_few_pairs_say_how_many_there_are() -> None:
    said = lacking(reports(("a", "Vik", 1), ("b", "Vik", 2), ("b", "Nes", 3)), kind_of())
    assert (
        f"of 3 reports that stand, 1 pairs of different reporters share a blocking value: expected at least {FEWEST}"
        in said
    )
    assert "kinds/mishap.yml" in said


def test_reports_of_one_reporter_are_no_pairs() -> None:
    assert "0 pairs of different reporters" in lacking(MANY.filter(reported_by="a"), kind_of())


@pytest.mark.parametrize("empty", [["day"], ["place"], ["place", "day"]])
def test_a_field_that_nobody_tells_is_named(empty: list[str]) -> None:
    told = MANY.with_columns(pl.lit(None, dtype=MANY.schema[name]).alias(name) for name in empty)
    assert f"none of them tells {', '.join(empty)}" in lacking(told, kind_of())


def test_a_kind_that_compares_nothing_needs_no_model() -> None:
    text = KIND.replace(", compare: {by: similarity}", "").replace(", compare: {by: days, levels: [1]}", "")
    text = text.replace("comparison", "attribute").replace("blocking: [[day], [place]]", "")
    assert "without a model" in lacking(MANY, kind_of(text))
