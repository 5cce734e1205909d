"""Derived columns: joined texts, digits of dates, sounds and model numbers, each next to its field."""

import datetime as dt
from typing import Any

import polars as pl
import pytest

from schemas.kind import Kind
from transforms.preparation.derived import (
    derived_name,
    derived_values,
    joined_texts,
    steps_of,
    words_column,
)

DTYPES = {"text": pl.String, "date": pl.Date}


def kind(comparisons: dict[str, Any] | None = None, **fields: dict[str, Any]) -> Kind:
    """Return a kind of these fields; each is of type text and compared, unless it is declared otherwise."""
    usual = {"type": "text", "doc": "x"}
    declared = {
        name: {**usual, "role": "comparison" if "compare" in f else "attribute", **f} for name, f in fields.items()
    }
    return Kind.model_validate(
        {
            "kind": "thing", "version": 1, "title": {"nb": "T", "nn": "T", "en": "T"}, "one_report_per_item": False,
            "fields": declared, "comparisons": comparisons, "blocking": [[next(iter(fields))]],
            "thresholds": {"review": 0.5},
        }
    )  # fmt: skip


def values(declared: Kind, **columns: list[Any]) -> dict[str, list[Any]]:
    frame = pl.DataFrame(
        {n: pl.Series(v, dtype=DTYPES[declared.fields[n].type]) for n, v in columns.items()},
    )
    return frame.select(**derived_values(declared)).to_dict(as_series=False)


def test_a_date_as_text_is_its_digits_with_the_year_first() -> None:
    texts = ["1.2.2024", "31/12/1999", "05-06-2001", "2024-02-01", "20240201", "2024", "1.2.24", "", None, "ukjent"]
    found = values(kind(born={"compare": {"by": "date_parts"}}), born=texts)
    assert found == {
        "_date_born": [
            "20240201", "19991231", "20010605", "20240201", "20240201", None, None, None, None, None,
        ]
    }  # fmt: skip


def test_a_real_date_is_its_digits_too() -> None:
    declared = kind(born={"type": "date", "compare": {"by": "date_parts"}})
    assert values(declared, born=[dt.date(2024, 2, 1), None]) == {"_date_born": ["20240201", None]}


def test_model_numbers_are_null_where_there_are_none() -> None:
    declared = kind(title={"compare": {"by": "model_numbers"}})
    found = values(declared, title=["sony kdl-40w x900", "sony tv", None])
    assert found["_numbers_title"][1:] == [None, None]
    assert len(found["_numbers_title"][0]) == 2


def test_names_of_one_sound_have_one_key() -> None:
    found = values(kind(name={"compare": {"by": "phonetic"}}), name=["philip", "filip", "gunnar", None])["_sound_name"]
    assert found[0] == found[1] != found[2]
    assert found[3] is None


def test_other_comparisons_need_no_column() -> None:
    assert derived_values(kind(name={"compare": {"by": "exact"}}, note={})) == {}


def test_each_part_of_a_comparison_has_its_column_and_the_text_stays() -> None:
    first = {"by": "first_of", "of": [{"by": "exact"}, {"by": "words", "levels": [3]}, {"by": "phonetic"}]}
    declared = kind(story={"compare": first}, title={"compare": {"by": "words", "levels": [3]}})
    assert sorted(derived_values(declared)) == ["_sound_story", "_words_story"]
    assert values(declared, story=["elm oak"], title=["a"])["_words_story"] == ["elm oak"]
    compared = declared.compared()
    assert words_column("story", compared["story"].compare) == derived_name("words", "story") == "_words_story"
    assert words_column("title", compared["title"].compare) == "title"
    assert words_column("title", None) == "title"


@pytest.mark.parametrize(
    ("field", "steps"),
    [
        ({"compare": {"by": "exact"}}, ()),
        ({"compare": {"by": "exact"}, "clean": ["accents", "spaces"]}, ("accents", "spaces")),
        ({"compare": {"by": "telephone", "digits": [7]}}, ("digits",)),
        ({"compare": {"by": "telephone", "digits": [7]}, "clean": ["html"]}, ("html", "digits")),
        ({}, ()),
    ],
)
def test_a_telephone_number_is_its_digits(field: dict[str, Any], steps: tuple[str, ...]) -> None:
    assert steps_of(kind(phone=field).fields["phone"]) == steps


def test_a_joined_text_leaves_empty_fields_out_and_is_cleaned() -> None:
    declared = kind(
        {"whole": {"fields": ["given", "surname"], "doc": "x", "compare": {"by": "exact"}, "clean": ["spaces"]}},
        given={}, surname={},
    )  # fmt: skip
    frame = pl.DataFrame(
        {"given": ["ann marie", "ole", None, None], "surname": ["vik", None, "dahl", None]},
        schema={"given": pl.String, "surname": pl.String},
    )
    assert frame.select(joined_texts(declared)).to_dict(as_series=False) == {
        "whole": ["annmarievik", "ole", "dahl", None]
    }
    assert list(joined_texts(kind(given={}))) == []
