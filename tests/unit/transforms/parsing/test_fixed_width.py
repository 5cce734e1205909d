"""Fixed width: fields by their places; a line of another length costs that line."""

import pytest

from schemas.contract import Contract
from schemas.errors import SubmissionError
from tests.unit.transforms.parsing.test_parse import contract_of
from transforms.parsing.parse import parse

FIELDS = (
    {"name": "unit", "start": 1, "length": 4},
    {"name": "year", "start": 5, "length": 4},
    {"name": "sum", "start": 9, "length": 6},
    {"name": "note", "start": 15, "length": 1},
)


def contract(*, fields: object = FIELDS, **form: object) -> Contract:
    return contract_of(type="fixed_width", fields=fields, **form)


def rows(data: bytes, made: Contract) -> list[tuple[object, ...]]:
    parsed = parse(data, made)
    assert parsed.rejects.is_empty()
    return parsed.raw.rows()


def test_fields_are_cut_out_by_their_places_without_the_blanks_around_them() -> None:
    data = b"Os  2024   150x\n1120202400015  \n"
    assert rows(data, contract()) == [(1, "Os", "2024", "150"), (2, "1120", "2024", "00015")]


@pytest.mark.parametrize(
    "data",
    [
        b"Os  2024   150x\r\nEid 2024     1x\r\n",
        b"Os  2024   150x\rEid 2024     1x",
        b"\xef\xbb\xbfOs  2024   150x\nEid 2024     1x\n\x1a",
        b"Os  2024   150x   \nEid 2024     1x\n\n   \n",
    ],
    ids=["CR LF", "CR", "a mark and Ctrl-Z", "blanks at the ends"],
)
def test_line_ends_marks_and_blank_lines_make_no_difference(data: bytes) -> None:
    assert rows(data, contract()) == [(1, "Os", "2024", "150"), (2, "Eid", "2024", "1")]


@pytest.mark.parametrize(("encoding", "name"), [("utf-8", "Bø"), ("latin-1", "Bø"), ("cp1252", "Bø"), ("utf-16", "Bø")])
def test_places_are_counted_in_characters_of_any_encoding(encoding: str, name: str) -> None:
    data = f"{name:<4}2024   150x\n".encode(encoding)
    assert rows(data, contract(encoding=encoding)) == [(1, name, "2024", "150")]


def test_a_line_that_is_too_long_or_too_short_is_rejected_alone() -> None:
    parsed = parse(b"Os  2024   150x\nOs  2024   15\nOs  20\nOs  2024   150xyz\nOs  2023   150x\n", contract())
    assert parsed.raw["row"].to_list() == [1, 5]
    found = parsed.rejects.select("row", "column", "reason", "found", "expected").rows()
    assert found == [
        (2, "sum", "wrong-length", "a line of 13 characters", "15 characters"),
        (3, "year", "wrong-length", "a line of 6 characters", "15 characters"),
        (4, None, "wrong-length", "a line of 17 characters", "15 characters"),
    ]
    assert parsed.delivered == 5


def test_short_lines_are_padded_where_the_contract_says_so() -> None:
    made = contract(short_lines="pad")
    assert rows(b"Os  2024   150\nOs  2024\n", made) == [(1, "Os", "2024", "150"), (2, "Os", "2024", "")]


@pytest.mark.parametrize(
    ("decimal", "text", "expected"),
    [
        (".", "   150", "1.50"),
        (",", "   150", "1,50"),
        (".", "    -5", "-0.05"),
        (".", "000000", "0.00"),
        (".", "+12345", "+123.45"),
        (".", " 12.50", "12.50"),
        (".", "      ", ""),
        (".", "   abc", "abc"),
    ],
)
def test_decimals_that_are_implied_get_their_mark(decimal: str, text: str, expected: str) -> None:
    fields = [*FIELDS[:2], FIELDS[2] | {"decimals": 2}, FIELDS[3]]
    assert rows(f"Os  2024{text}x\n".encode(), contract(fields=fields, decimal=decimal))[0][3] == expected


def test_a_blank_field_may_stand_for_a_code() -> None:
    fields = [FIELDS[0] | {"empty": "_Z"}, *FIELDS[1:]]
    assert rows(b"    2024   150x\n", contract(fields=fields)) == [(1, "_Z", "2024", "150")]


def test_fields_may_overlap_and_those_not_mapped_are_not_read() -> None:
    fields = [*FIELDS[1:], {"name": "unit", "start": 1, "length": 2}]
    assert rows(b"Os  2024   150x\n", contract(fields=fields)) == [(1, "Os", "2024", "150")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"Os  2024   150x\nB\xf8  2024   150x\n", "wrong-encoding"),
        (b"<?xml version='1.0'?>", "unreadable"),
        (b"PK\x03\x04", "unreadable"),
        (b"\n\n", "empty-file"),
        (b"", "empty-file"),
    ],
)
def test_a_file_of_another_kind_is_named(data: bytes, code: str) -> None:
    with pytest.raises(SubmissionError) as error:
        parse(data, contract())
    assert error.value.code == code


def test_a_nul_costs_its_row() -> None:
    parsed = parse(b"Os\0 2024   150x\nOs  2024   150x\n", contract())
    assert parsed.rejects.select("row", "reason").rows() == [(1, "unreadable")]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ((), "needs `fields`"),
        ((FIELDS[0], FIELDS[0]), "each of another name"),
        (
            ({"name": "units", "start": 1, "length": 4}, *FIELDS[1:]),
            "'unit' is none of format.fields; did you mean 'units'",
        ),
    ],
)
def test_a_contract_names_fields_that_exist(fields: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        contract(fields=fields)
