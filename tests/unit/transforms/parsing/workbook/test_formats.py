"""Number formats: which numbers are dates, times, spans or percentages, and the texts of each."""

import polars as pl
import pytest

from schemas.contract import Format
from transforms.parsing.workbook.formats import format_kind, number_texts, style_kinds

POINT = Format(type="xlsx")


def text(kind: str | None, number: float, form: Format = POINT, *, since_1904: bool = False) -> str:
    cells = pl.DataFrame({"kind": [kind], "number": [number]}, schema={"kind": pl.String, "number": pl.Float64})
    found: str = number_texts(cells, form, since_1904=since_1904).item()
    return found


def styles(numbers: str, formats: str = "") -> bytes:
    return f"<styleSheet><numFmts>{formats}</numFmts><cellXfs count='1'>{numbers}</cellXfs></styleSheet>".encode()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (0, None), (8, None), (9, "percent"), (10, "percent"), (11, None), (13, None), (14, "date"), (17, "date"),
        (18, "time"), (21, "time"), (22, "datetime"), (23, None), (26, None), (27, "date"), (36, "date"), (37, None),
        (44, None), (45, "time"), (46, "elapsed"), (47, "time"), (48, None), (49, None), (50, "date"), (58, "date"),
        (59, None),
    ],
)  # fmt: skip
def test_built_in_formats(number: int, kind: str | None) -> None:
    assert style_kinds(styles(f"<xf numFmtId='{number}'/>")).get(0) == kind


def test_a_style_is_the_place_of_its_format() -> None:
    custom = (
        "<numFmt numFmtId=\"164\" formatCode=\"yyyy-mm-dd\"/><numFmt formatCode='0.0&quot;%&quot;' numFmtId='165'/>"
    )
    found = style_kinds(
        styles('<xf numFmtId="0"/><xf fontId="1" numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="9"/>', custom)
    )
    assert found == {1: "date", 3: "percent"}


def test_a_custom_format_overrules_the_built_in_one() -> None:
    plain = '<numFmt numFmtId="14" formatCode="0.00"/>'
    assert style_kinds(styles('<xf numFmtId="14"/>', plain)) == {}


def test_names_may_have_a_prefix_and_styles_may_be_missing() -> None:
    data = b'<x:styleSheet><x:cellXfs><x:xf numFmtId="14"/></x:cellXfs></x:styleSheet>'
    assert style_kinds(data) == {0: "date"}
    assert style_kinds(b"") == {}
    assert style_kinds(b'<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>') == {}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("yyyy-mm-dd hh:mm:ss", "datetime"), ("hh:mm", "time"), ("dd/mm", "date"), ("mm", "date"), ("m:s", "time"),
        ("[hh]:mm:ss", "elapsed"), ("[s]", "elapsed"), ("[h]:mm;@", "elapsed"), ("0.00%", "percent"), ("0;0%", None),
        ("@", None), ("0", None), ("GENERAL", None), ("[Red]0", None), ("[Blue]yyyy", "date"), ('0 "%"', None),
        (r"0\%", None), ("0.0E-00", None), ("h AM/PM", "time"), ("AM/PM", None), ("*d0", None), ("", None),
    ],
)  # fmt: skip
def test_what_a_format_shows(code: str, kind: str | None) -> None:
    assert format_kind(code) == kind


@pytest.mark.parametrize(
    ("kind", "number", "expected"),
    [
        ("date", 45322, "2024-01-31"),
        ("date", 45322.5, "2024-01-31 12:00:00"),
        ("datetime", 45322, "2024-01-31 00:00:00"),
        ("datetime", 45322.25, "2024-01-31 06:00:00"),
        ("time", 0.5, "12:00:00"),
        ("time", 0.999988425925926, "23:59:59"),
        ("time", 1.5, "1900-01-01 12:00:00"),
        ("elapsed", 1.5, "36:00:00"),
        ("elapsed", 0.0423726851851852, "1:01:01"),
        ("percent", 0.125, "0.125"),
        (None, 0.125, "0.125"),
        (None, 1e-7, "0.0000001"),
        (None, 1e20, "100000000000000000000"),
        (None, 0.1 + 0.2, "0.3"),
        (None, -2.0, "-2"),
    ],
)
def test_the_text_of_a_number(kind: str | None, number: float, expected: str) -> None:
    assert text(kind, number) == expected


def test_the_decimal_mark_is_the_contracts() -> None:
    assert text(None, 12.5, Format(type="xlsx", decimal=",")) == "12,5"
    assert text("percent", 0.125, Format(type="xlsx", decimal=",")) == "0,125"
    assert text("date", 45322, Format(type="xlsx", decimal=",")) == "2024-01-31"


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, "1900-01-01"),
        (59, "1900-02-28"),
        (60, "1900-02-28"),  # the day itself is the last that there was
        (61, "1900-03-01"),
        (2958465, "9999-12-31"),
        (2958466, "2958466"),
        (-1, "-1"),
    ],
)
def test_days_since_1900_with_a_leap_day_that_never_was(number: int, expected: str) -> None:
    assert text("date", number) == expected


@pytest.mark.parametrize(("number", "expected"), [(0, "1904-01-01"), (59, "1904-02-29"), (43860, "2024-01-31")])
def test_days_since_1904(number: int, expected: str) -> None:
    assert text("date", number, since_1904=True) == expected


def test_texts_keep_the_order_of_the_cells() -> None:
    cells = pl.DataFrame({"kind": ["date", None, "time"], "number": [45322.0, 1.5, 0.25]})
    assert number_texts(cells, POINT, since_1904=False).to_list() == ["2024-01-31", "1.5", "06:00:00"]
    assert number_texts(cells.clear(), POINT, since_1904=False).to_list() == []
