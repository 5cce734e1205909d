"""CSV: well-formed text whole, anything else record by record; one bad row costs one row."""

from typing import Any

import polars as pl
import pytest

from schemas.errors import UnreadError
from schemas.reading_limits import DEFAULT_LIMITS, ReadingLimits
from tests.unit.transforms.parsing.test_parse_bad_input import contract_of
from transforms.parsing.csv import read_csv
from transforms.parsing.raw_frame import ParseResult

HEADER = "unit;year;sum\n"


def parsed(text: str, **form: Any) -> ParseResult:
    found = read_csv(text.encode(), contract_of(**form), DEFAULT_LIMITS)
    assert found.raw.schema == pl.Schema({"row": pl.Int32, "unit": pl.String, "year": pl.String, "sum": pl.String})
    return found


def rows(found: ParseResult) -> list[tuple[Any, ...]]:
    return found.raw.rows()


def rejected(found: ParseResult) -> list[tuple[Any, ...]]:
    assert found.delivered == found.raw.height + found.rejects.filter(severity="critical").height
    return found.rejects.select("row", "reason", "found", "expected").rows()


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("a", "a"), ("", ""), (" a ", " a "), ('"a;b"', "a;b"), ('"a""b"', 'a"b'), ('"a\nb"', "a\nb"), ('""', ""),
        ('"a\r\nb"', "a\r\nb"), ("Ås", "Ås"), ('a "b" c', 'a "b" c'), ("null", "null"), ("0012", "0012"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_cell_is_read_as_it_is_written(cell: str, value: str, end: str) -> None:
    assert rows(parsed(f"{HEADER}x;1;2\n{cell};2024;5{end}")) == [(2, "x", "1", "2"), (3, value, "2024", "5")]


def test_delimiters_and_quotes_are_those_of_the_contract() -> None:
    assert rows(parsed("unit\tyear\tsum\n'a\tb'\t1\t2\n", delimiter="\t", quote="'")) == [(2, "a\tb", "1", "2")]
    assert rows(parsed('unit|year|sum\n"a|1|2\n', delimiter="|", quote=None)) == [(2, '"a', "1", "2")]
    assert rows(parsed("unit.year.sum\na.1.2\n", delimiter=".", decimal=",")) == [(2, "a", "1", "2")]


@pytest.mark.parametrize(
    ("line", "reason", "found", "expected"),
    [
        ("a;1", "too-few-fields", "2 fields", "3 fields"),
        ("a", "too-few-fields", "1 fields", "3 fields"),
        ("a;1;2;3", "too-many-fields", "4 fields", "3 fields"),
        ('"a;b";1', "too-few-fields", "2 fields", "3 fields"),
        ('"a;b";1;2;3', "too-many-fields", "4 fields", "3 fields"),
        (
            'a"b;1;2',
            "unreadable",
            "a quote without its pair, in a line of 7 characters",
            "quotes in pairs, a delimiter or the end of the line after each cell",
        ),
        (
            '"a"b;1;2',
            "unreadable",
            "a quote without its pair, in a line of 8 characters",
            "quotes in pairs, a delimiter or the end of the line after each cell",
        ),
    ],
)
def test_one_bad_row_costs_one_row(line: str, reason: str, found: str, expected: str) -> None:
    for end in ("\n", "\r\n"):
        result = parsed(f"{HEADER}x;1;2\n{line}{end}y;3;4\n")
        assert rows(result) == [(2, "x", "1", "2"), (4, "y", "3", "4")]
        assert rejected(result) == [(3, reason, found, expected)]
        assert result.rejects["hint"].to_list() == [
            "Correct the row and deliver again, or declare the repair in format.repairs of the contract."
        ]


def test_rows_too_long_and_too_short_do_not_even_out() -> None:
    result = parsed(f"{HEADER}a;1\nb;1;2;3\nc;1;2\n")
    assert rows(result) == [(4, "c", "1", "2")]
    assert [each[:2] for each in rejected(result)] == [(2, "too-few-fields"), (3, "too-many-fields")]


def test_an_unpaired_quote_at_the_end_costs_its_line_alone() -> None:
    result = parsed(f'{HEADER}a;1;2\n"b;1;2\nc;1;2\n')
    assert rows(result) == [(2, "a", "1", "2"), (4, "c", "1", "2")]
    assert [each[:2] for each in rejected(result)] == [(3, "unreadable")]


def test_a_record_over_several_lines_is_one_row_of_the_numbering() -> None:
    result = parsed(f'{HEADER}"a\nb";1;2\nc;1\nd;1;2\n')
    assert rows(result) == [(2, "a\nb", "1", "2"), (4, "d", "1", "2")]
    assert [each[:2] for each in rejected(result)] == [(3, "too-few-fields")]


@pytest.mark.parametrize("blank", ["", ";;", " ; ;", "\t", '"";"";""'])
def test_blank_rows_are_no_rows_and_count_in_the_numbering(blank: str) -> None:
    result = parsed(f"{HEADER}a;1;2\n{blank}\nb;1;2\n")
    assert (rows(result), result.delivered) == ([(2, "a", "1", "2"), (4, "b", "1", "2")], 2)
    assert result.rejects.height == 0


def test_blank_rows_are_no_rows_where_the_first_column_is_empty() -> None:
    assert rows(parsed(f"{HEADER};1;2\n;;\n;3;4\n")) == [(2, "", "1", "2"), (4, "", "3", "4")]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_blank_line_right_after_the_header_counts_in_the_numbering(end: str) -> None:
    result = parsed(end.join(["unit;year;sum", "", "a;1;2", ""]))
    assert (rows(result), result.delivered, result.rejects.height) == ([(3, "a", "1", "2")], 1, 0)


def test_trailing_columns_without_a_name_may_be_missing() -> None:
    result = parsed("unit;year;sum;;\na;1;2;;\nb;1;2\nc;1;2;\nd;1\ne;1;2;;;\n")
    assert [row[0] for row in rows(result)] == [2, 3, 4]
    assert [each[:3] for each in rejected(result)] == [
        (5, "too-few-fields", "2 fields"), (6, "too-many-fields", "6 fields"),
    ]  # fmt: skip


def test_rows_without_their_last_fields_are_read_where_the_contract_says_so() -> None:
    text = 'unit;year;sum\na;1;2\n"b;c";1\nd\n;;\n\ne;1;2;3\n'
    result = parsed(text, short_lines="pad")
    assert rows(result) == [(2, "a", "1", "2"), (3, "b;c", "1", ""), (4, "d", "", "")]
    assert [each[:3] for each in rejected(result)] == [(7, "too-many-fields", "4 fields")]


def test_the_header_may_be_in_a_later_row() -> None:
    assert rows(parsed(f"a title\n\n{HEADER}a;1;2\n", header_row=3)) == [(4, "a", "1", "2")]


def test_nul_is_a_reject_whatever_the_way_of_reading() -> None:
    for text in ("b\0;1;2", '"b\0";1;2'):
        result = parsed(f"{HEADER}a;1;2\n{text}\n")
        assert rows(result) == [(2, "a", "1", "2")]
        assert [each[:2] for each in rejected(result)] == [(3, "unreadable")]


def test_a_file_of_many_columns_is_read_too() -> None:
    more = ";".join(f"c{n}" for n in range(250))
    form = contract_of()
    contract = form.model_copy(update={"ignore": tuple(more.split(";"))})
    filled = ";".join("1" for _ in range(250))
    text = f'unit;year;sum;{more}\n"a";1;2;{filled}\nb;1;2\n'
    result = read_csv(text.encode(), contract, DEFAULT_LIMITS)
    assert rows(result) == [(2, "a", "1", "2")]
    assert [each[1:] for each in rejected(result)] == [("too-few-fields", "3 fields", "253 fields")]


@pytest.mark.parametrize(("most", "is_read"), [(3, True), (2, False)])
def test_columns_over_the_limit_leave_the_file_unread(most: int, is_read: bool) -> None:
    data, limits = f"{HEADER}a;1;2\n".encode(), ReadingLimits(columns=most)
    if is_read:
        assert read_csv(data, contract_of(), limits).delivered == 1
        return
    with pytest.raises(UnreadError) as caught:
        read_csv(data, contract_of(), limits)
    assert str(caught.value) == (
        "it has 3 columns, and at most 2 are read; deliver it in parts, or raise ENGANG_READ_COLUMNS and run "
        "`engang inbox retry`"
    )


def test_unknown_columns_are_warnings_where_the_contract_says_so() -> None:
    contract = contract_of().model_copy(update={"unknown_columns": "warn"})
    result = read_csv(b"unit;year;other;sum\na;1;x;2\nb;1\n", contract, DEFAULT_LIMITS)
    assert rows(result) == [(2, "a", "1", "2")]
    assert result.rejects.select("row", "column", "reason", "severity").rows() == [
        (None, "other", "unknown-column", "warning"), (3, None, "too-few-fields", "critical"),
    ]  # fmt: skip
