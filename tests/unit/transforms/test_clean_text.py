"""Texts that look the same are the same; plain ASCII is only trimmed."""

import polars as pl
import pytest

from transforms.clean_text import clean, clean_columns
from transforms.register.lookup import normalise_name


@pytest.mark.parametrize(
    ("delivered", "meant"),
    [
        ("LK4711", "LK4711"),
        ("  Os ", "Os"),
        ("a  b", "a  b"),
        ("\ufeffLK4711", "LK4711"),
        ("LK\u200b47\u00ad11\u2060", "LK4711"),
        ("1\u00a0234\u202f567\u2009890", "1 234 567 890"),
        ("A\u030asgard", "Åsgard"),
        ("\u212bsgard", "Åsgard"),
        ("over\u2028under", "over under"),
        ("en\x1b[31m\x07", "en[31m"),
        ("a\tb\nc", "a\tb\nc"),
        ("\u3000\u2007", ""),
        ("", ""),
    ],
)
def test_a_text_is_what_is_seen(delivered: str, meant: str) -> None:
    assert clean(delivered) == meant
    frame = clean_columns(pl.DataFrame({"a": [delivered, "Ås"], "b": ["x", "y"]}), ["a"])
    assert frame["a"].to_list() == [meant, "Ås"]


def test_columns_that_need_nothing_are_not_touched() -> None:
    frame = pl.DataFrame({"a": ["1", None], "b": [" x", "ø"], "c": [" z ", "q"]})
    cleaned = clean_columns(frame, ["a", "b"])
    assert cleaned.rows() == [("1", "x", " z "), (None, "ø", "q")]
    assert clean_columns(frame, ["c"])["c"].to_list() == ["z", "q"], "plain ASCII is only trimmed"
    assert clean_columns(frame.clear(), ["a", "b"]).is_empty()


def test_kinds_of_hyphens_and_blanks_make_no_other_name() -> None:
    names = [
        "Vår Energi - drift",
        "Va\u030ar\u00a0Energi \u2013 drift",
        "VÅR  ENERGI \u2011 DRIFT",
        "Vår En\u200bergi \u2014 drift",
    ]
    assert pl.select(normalise_name(pl.Series(names))).to_series().n_unique() == 1
