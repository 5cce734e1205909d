"""The result of a query as it is printed: exact, in slices that nobody sees, safe for terminals and spreadsheets."""

import csv
import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.cli import query_output
from flows.cli.query_output import OutputFormat, print_result
from flows.cli.terminal import as_json, plain_text
from flows.spreadsheet import BYTE_ORDER_MARK, spreadsheet_csv
from schemas.spreadsheets import FORMULA_STARTS

ROWS = pl.DataFrame(
    {
        "name": ["=1+1", "a;b", 'say "x"', "", None],
        "value": [Decimal("1.50"), Decimal("-2.00"), None, Decimal(0), Decimal(10)],
        "day": [dt.date(2024, 1, 31), None, None, None, None],
        "sure": [True, False, None, None, None],
    },
    schema_overrides={"value": pl.Decimal(10, 2)},
)


def printed(capsys: pytest.CaptureFixture[str], frame: pl.DataFrame, form: OutputFormat, *, sheet: bool = False) -> str:
    print_result(frame, form, spreadsheet=sheet)
    return capsys.readouterr().out


@pytest.fixture(params=[1, 2, 5, 100])
def slices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Print so many rows at a time."""
    monkeypatch.setattr(query_output, "SLICE_ROWS", request.param)


@pytest.mark.usefixtures("slices")
@pytest.mark.parametrize("height", [0, 1, 4, 5])
def test_json_is_one_list_however_it_is_sliced(height: int, capsys: pytest.CaptureFixture[str]) -> None:
    frame = ROWS.head(height)
    assert printed(capsys, frame, OutputFormat.JSON) == as_json(frame.to_dicts()) + "\n"


@pytest.mark.usefixtures("slices")
def test_csv_is_exact_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, ROWS, OutputFormat.CSV) == (
        "name,value,day,sure\n"
        "=1+1,1.5,2024-01-31,true\n"
        "a;b,-2,,false\n"
        '"say ""x""",,,\n'
        ",0,,\n"
        ",10,,\n"
    )  # fmt: skip


@pytest.mark.usefixtures("slices")
def test_csv_of_a_spreadsheet_runs_nothing_and_is_opened_in_norway(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, ROWS, OutputFormat.CSV, sheet=True) == BYTE_ORDER_MARK + (
        "name;value;day;sure\n"
        "'=1+1;1,5;2024-01-31;true\n"
        '"a;b";-2;;false\n'
        '"say ""x""";;;\n'
        ";0;;\n"
        ";10;;\n"
    )  # fmt: skip


@pytest.mark.usefixtures("slices")
def test_a_table_aligns_numbers_on_the_right_as_wide_as_the_widest_of_all_slices(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert printed(capsys, ROWS, OutputFormat.TABLE).splitlines() == [
        "name     value  day         sure",
        "=1+1       1.5  2024-01-31  true",
        "a;b         -2              false",
        'say "x"',
        "             0",
        "            10",
    ]


@pytest.mark.parametrize("form", [OutputFormat.TABLE, OutputFormat.CSV])
def test_a_result_without_rows_has_its_columns(form: OutputFormat, capsys: pytest.CaptureFixture[str]) -> None:
    between = "  " if form is OutputFormat.TABLE else ","
    text = printed(capsys, ROWS.clear().select("name", "value"), form)
    assert [part for part in text.strip().split(between) if part] == ["name", "value"]


def test_a_column_of_nulls_is_aligned_as_numbers_are(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pl.DataFrame({"long name": [None, None], "b": ["x", "y"]})
    assert printed(capsys, frame, OutputFormat.TABLE).splitlines() == ["long name  b", "           x", "           y"]


def test_only_a_terminal_gets_control_characters_replaced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pl.DataFrame({"a": ["x\x1b[31m\ny"]})
    assert printed(capsys, frame, OutputFormat.CSV) == 'a\n"x\x1b[31m\ny"\n'
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert printed(capsys, frame, OutputFormat.CSV, sheet=True) == "a\nx\N{REPLACEMENT CHARACTER}[31m y\n"


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.lists(st.none() | st.integers(-9, 9) | CELLS, min_size=2, max_size=2), max_size=4))
def test_no_cell_of_a_spreadsheet_begins_a_formula_and_each_is_read_back(rows: list[list[Any]]) -> None:
    text = spreadsheet_csv(rows)
    assert text.startswith(BYTE_ORDER_MARK)
    read = list(csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline=""), delimiter=";"))
    for row, cells in zip(rows, read, strict=True):
        for value, cell in zip(row, cells, strict=True):
            if isinstance(value, str) and value.startswith(FORMULA_STARTS):
                assert cell == f"'{value}"
            else:
                assert cell == ("" if value is None else str(value))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal(100), "100"), (Decimal("1E+3"), "1000"), (Decimal("0.100"), "0.1"), (Decimal("-0.0"), "-0"),
        (Decimal("1E-9"), "0.000000001"), (None, ""), (True, "true"), (0, "0"), (1.5, "1.5"), ("01.0", "01.0"),
        (b"\xff\0", "ff00"),
    ],
)  # fmt: skip
def test_a_value_is_printed_as_the_number_that_it_is(value: object, shown: str) -> None:
    assert plain_text(value) == shown


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**28), max_value=10**28))
def test_json_gives_each_decimal_back(value: Decimal) -> None:
    assert json.loads(as_json({"v": value}), parse_float=Decimal, parse_int=Decimal)["v"] == value
    assert Decimal(plain_text(value)) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None), (float("inf"), None), (dt.datetime(2024, 1, 2, 3, 4, 5), "2024-01-02T03:04:05"),
        (dt.timedelta(minutes=5), "0:05:00"), ((1, Decimal("2.0")), [1, 2]), (b"x\xff", "78ff"),
    ],
)  # fmt: skip
def test_json_of_what_json_lacks(value: object, expected: object) -> None:
    assert json.loads(as_json([value])) == [expected]
