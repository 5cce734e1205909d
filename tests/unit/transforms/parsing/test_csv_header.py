"""CSV: the lines and headers that spreadsheets and people write; what cannot be read costs one file, in bounds."""

import pytest

from schemas.errors import SubmissionError
from tests.unit.transforms.parsing.test_parse_bad_input import CSV, HEADER, contract_of, refusal
from transforms.parsing.csv_header import HEADER_BYTES, read_header
from transforms.parsing.parse import parse

ROWS = [(2, "a", "1", "2"), (3, "b", "1", "3")]


@pytest.mark.parametrize(
    "data",
    [
        b"unit;year;sum\ra;1;2\nb;1;3\r\n",
        b"unit;year;sum\r\r\na;1;2\r\r\nb;1;3\r\r\n",
        b"unit;year;sum\na;1;2\nb;1;3\n\x1a",
        b"unit;year;sum\r\na;1;2\r\nb;1;3\x1a\r\n",
        b'"unit" ;"year"; "sum"\na;1;2\nb;1;3\n',
        b"unit ;\xef\xbb\xbfyear;sum\xc2\xa0\na;1;2\nb;1;3\n",
        b"unit;year;sum\na;1;2\n\xef\xbb\xbfb;1;3\n",
        b'unit;year;sum\na;1;2\n\xef\xbb\xbf"b";1;3\n',
        b"unit;year;sum\na;1;2\nb;1;3\n;;\n; ;\n\n",
    ],
)
def test_what_spreadsheets_write_is_read(data: bytes) -> None:
    parsed = parse(data, CSV)
    assert (parsed.raw.rows(), parsed.rejects.height, parsed.delivered) == (ROWS, 0, 2)


def test_carriage_returns_in_quotes_are_text() -> None:
    parsed = parse(b'unit;year;sum\r\n"a\rb";1;2\r\nc;1;2\rd;1;2\r\n', CSV)
    assert parsed.raw["unit"].to_list() == ["a\rb", "c", "d"]


def test_rows_of_delimiters_alone_keep_the_numbering() -> None:
    for data in (b"unit;year;sum\n;;\na;1;2\n", b'unit;year;sum\n"";"";""\n"a";1;2\n', b"unit;year;sum\n;\na;1;2\n"):
        parsed = parse(data, CSV)
        assert (parsed.raw.rows(), parsed.delivered) == ([(3, "a", "1", "2")], 1)


def test_the_line_that_names_the_delimiter_is_passed_over() -> None:
    for line in (b"sep=;\n", b'"sep=;"\r\n', b"\xef\xbb\xbfSEP=;\n"):
        assert parse(line + b"unit;year;sum\na;1;2\n", CSV).raw.rows() == [(3, "a", "1", "2")]
    error = refusal(b"sep=,\nunit,year,sum\na,1,2\n", CSV)
    assert (error.found, "format.delimiter" in error.hint) == ("sep=,", True)
    assert parse(b"sep=;\nunit;year;sum\na;1;2\n", contract_of(header_row=2)).raw["row"].to_list() == [3]


def test_names_of_blanks_are_no_names() -> None:
    for data in (b"unit;year;sum; \na;1;2;\nb;1;3;\n", b"unit;year;sum;\xc2\xa0;\na;1;2;;\nb;1;3;;\n"):
        assert parse(data, CSV).raw.rows() == ROWS
    error = refusal(b" ;;\na;1;2\n", CSV)
    assert (error.code, error.found, error.row) == ("unreadable", "a line without names", 1)


@pytest.mark.parametrize("quoted", [False, True])
def test_rows_that_all_lack_a_field_or_have_one_more_are_rejected(quoted: bool) -> None:
    for row, reason in (("{};1", "too-few-fields"), ("{};1;2;3", "too-many-fields")):
        rows = [row.format(f'"{name}"' if quoted else name) for name in "abc"]
        parsed = parse("\n".join(["unit;year;sum", *rows, ""]).encode(), CSV)
        assert (parsed.raw.height, parsed.delivered) == (0, 3)
        assert parsed.rejects.select("row", "reason").rows() == [(n, reason) for n in (2, 3, 4)]


@pytest.mark.parametrize(
    ("data", "header_row", "found"),
    [(b"", 1, "0 lines"), (b"title\n", 3, "1 lines"), (b"title\n\n", 3, "2 lines"), (b"title\n\n", 4, "2 lines")],
)
def test_a_file_that_ends_before_its_header_is_told_with_its_lines(data: bytes, header_row: int, found: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        read_header(data, contract_of(header_row=header_row).format)
    assert (caught.value.code, caught.value.found) == ("empty-file", found)


def test_a_decomposed_header_is_the_same_name() -> None:
    contract = contract_of(("kommune", "år", "sum"))
    assert parse("kommune;a\u030ar;sum\na;1;2\n".encode(), contract).raw.columns == ["row", "kommune", "år", "sum"]
    assert refusal("kommune;år;a\u030ar;sum\na;1;2;3\n".encode(), contract).code == "unreadable"


@pytest.mark.parametrize("header", [b'unit;year;"sum\n', b'unit;year;"\n', b'"unit;year;sum\n', b'un"it;"year"x;sum\n'])
def test_a_header_whose_quotes_do_not_pair_is_one_error(header: bytes) -> None:
    error = refusal(header + b"a;1;2\n" * 100_000, CSV)
    assert (error.code, error.row) == ("unreadable", 1)


def test_a_header_that_does_not_end_is_refused_in_bounds() -> None:
    for start in (b"unit;year;sum;", b'"unit;year;sum'):
        with pytest.raises(SubmissionError) as caught:
            parse(start + b"x" * (2 * HEADER_BYTES), CSV)
        assert caught.value.code in {"too-large", "unreadable"}
        assert len(str(caught.value)) < 1000


def test_a_file_without_its_header_is_not_quoted() -> None:
    error = refusal(b"Kari Nordmann;15876500520;Sykdom X\nOla;1;2\n", CSV)
    assert error.code == "missing-column"
    assert "Kari" not in str(error)
    assert "Sykdom" not in str(error)


def test_all_unknown_columns_are_named_at_once() -> None:
    error = refusal(b"unit;year;sum;one;two\na;1;2;3;4\n", CSV)
    assert error.found == "'one', 'two'"
    assert "`ignore`: [one, two]" in error.hint


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le", "utf-16"])
def test_utf_16_is_read_with_and_without_a_mark(encoding: str) -> None:
    text = "unit;year;sum\nÅs;1;2\n"
    assert parse(text.encode(encoding), contract_of(encoding="utf-16")).raw.rows() == [(2, "Ås", "1", "2")]
    assert "utf-16" in refusal(text.encode(encoding), CSV).hint


def test_control_characters_of_latin_1_are_another_encoding() -> None:
    error = refusal(HEADER + "Vår \u2013 drift;1;2\n".encode("cp1252"), contract_of(encoding="latin-1"))
    assert (error.code, "cp1252" in error.hint) == ("wrong-encoding", True)


def test_repairs_that_make_the_text_grow_are_stopped() -> None:
    repairs = [{"pattern": "a", "replacement": "a" * 10, "why": "w"}] * 8
    error = refusal(HEADER + b"a" * 100_000 + b";1;2\n", contract_of(repairs=repairs))
    assert error.code == "too-large"


def test_its_limits_are_those_that_senders_know() -> None:
    assert HEADER_BYTES == 2**20
