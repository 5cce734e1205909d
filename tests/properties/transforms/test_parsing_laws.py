"""Laws of parsing: the format does not matter, nothing is lost, nothing but `SubmissionError` comes out."""

import csv
import io
import json
import random
from contextlib import suppress

import polars as pl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from schemas.contract import Contract
from schemas.errors import SubmissionError
from transforms.parsing.parse import ParseResult, parse

NAMES = ["unit", "year", "sum"]
quick = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


def contract_of(names: list[str], **form: object) -> Contract:
    """Return a contract that maps three columns as unit, period and value."""
    unit, period, value = names
    claim = {"concept": "paid", "column": value, "reported_by": {"option": "sender"}, "unit_measure": {"value": "NOK"}}
    return Contract.model_validate(
        {
            "contract": "form", "version": 1, "obligation": "form", "title": {"nb": "S", "nn": "S", "en": "F"},
            "agency": "Etaten", "legal_basis": "§ 1", "rhythm": "yearly", "hours_per_report": None, "format": form,
            "unit": {"column": unit, "kind": "other", "by": "name"}, "period": {"column": period, "type": "year"},
            "repeat": "error", "claims": [claim], "examples": [{"name": "none", "given": ""}],
        }
    )  # fmt: skip


CSV = contract_of(NAMES, type="csv")
JSON = contract_of(["y", "r[].u", "r[].s"], type="json", rows="r")
XLSX = contract_of(NAMES, type="xlsx")
PARQUET = contract_of(NAMES, type="parquet")


def balanced(parsed: ParseResult) -> ParseResult:
    """Return what was parsed, after a look at the law that every row is in one place."""
    critical = parsed.rejects.filter(severity="critical")
    assert parsed.delivered == parsed.raw.height + critical.height > 0
    assert not set(parsed.raw["row"]) & set(critical["row"])
    assert critical["row"].is_unique().all()
    assert parsed.rejects["found"].str.len_chars().max() in range(201) or parsed.rejects.is_empty()
    return parsed


def cells(data: bytes, contract: Contract) -> list[tuple[str, ...]]:
    """Return the cells of a file that has no rejects, without their addresses."""
    parsed = balanced(parse(data, contract))
    assert parsed.rejects.is_empty()
    return parsed.raw.drop("row").rows()


def tables(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[str, ...]]]:
    """Return tables of three columns and at least one row, no row of them all blank."""
    row = st.tuples(*[st.text(alphabet, max_size=8)] * 3).filter(lambda cells: any(cell.strip() for cell in cells))
    return st.lists(row, min_size=1, max_size=12)


LETTERS = st.sampled_from(list("ab01 .,;-|\t\"'\\#øÅ\xa0"))
LATIN = st.one_of(LETTERS, st.characters(min_codepoint=0xA0, max_codepoint=0xFF))
ANY = st.one_of(LETTERS, st.characters(exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="\ufeff"))


def written(table: list[tuple[str, ...]], newline: str, delimiter: str, quote: str | None, style: int) -> str:
    """Return a table as CSV text by Python's own writer."""
    target = io.StringIO(newline="")
    writer = csv.writer(target, delimiter=delimiter, quotechar=quote, quoting=style, lineterminator=newline)
    writer.writerows([NAMES, *table])
    return target.getvalue()


@quick
@given(
    st.data(),
    st.sampled_from([("utf-8", "utf-8"), ("utf-8", "utf-8-sig"), ("utf-16", "utf-16"), ("latin-1", "latin-1"),
                     ("cp1252", "cp1252")]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([";", ",", "\t", "|", " "]),
    st.sampled_from(['"', "'"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)  # fmt: skip
def test_any_dialect_gives_the_same_cells(
    data: st.DataObject, encoding: tuple[str, str], newline: str, delimiter: str, quote: str, style: int
) -> None:
    declared, used = encoding
    letters = LATIN if declared in {"latin-1", "cp1252"} else ANY
    if style == csv.QUOTE_ALL and newline != "\r":
        letters = st.one_of(letters, st.sampled_from("\r\n"))
    table = data.draw(tables(letters))
    text = written(table, newline, delimiter, quote, style).encode(used)
    assume(declared not in {"latin-1", "cp1252"} or text.isascii() or not _is_utf8(text))
    assert cells(text, contract_of(NAMES, type="csv", encoding=declared, delimiter=delimiter, quote=quote)) == table


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@quick
@given(tables(LETTERS.filter(lambda c: c != ";")), st.sampled_from(["\n", "\r\n"]))
def test_without_quotes_every_letter_is_itself(table: list[tuple[str, ...]], newline: str) -> None:
    text = newline.join(";".join(row) for row in [NAMES, *table])
    assert cells(text.encode(), contract_of(NAMES, type="csv", quote=None)) == table


@quick
@given(tables(ANY))
def test_any_format_gives_the_same_cells(table: list[tuple[str, ...]]) -> None:
    rows = [dict(zip(("y", "u", "s"), row, strict=True)) for row in table]
    flat = contract_of(["[].y", "[].u", "[].s"], type="json", rows="")
    assert cells(json.dumps(rows).encode(), flat) == table
    assert cells(json.dumps(rows, ensure_ascii=False).encode(), flat) == table
    columns = list(zip(*table, strict=True))
    target = io.BytesIO()
    pl.DataFrame(dict(zip(NAMES, columns, strict=True))).write_parquet(target)
    assert cells(target.getvalue(), PARQUET) == table
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate([tuple(NAMES), *table]):
            for column, cell in enumerate(row):
                sheet.write_string(at, column, cell)
    assert cells(target.getvalue(), XLSX) == table


@quick
@given(st.lists(st.text(st.sampled_from('a1;;"""\r\n\0 '), max_size=30), min_size=1, max_size=20))
@example(['"', 'x";"'])
@example(["\r", "a;b;c"])
def test_whatever_the_lines_no_row_is_lost(lines: list[str]) -> None:
    data = "\n".join(["unit;year;sum", *lines]).encode()
    try:
        parsed = balanced(parse(data, CSV))
    except SubmissionError as error:
        assert error.code == "empty-file"
        assert not "".join(lines).strip('\r\n; "')
    else:
        ends = "\n".join(lines).replace("\r", "\n").split("\n")  # a carriage return alone ends a line
        assert parsed.delivered <= sum(1 for line in ends if line)


@quick
@given(tables(LETTERS), st.data())
def test_a_bad_row_costs_no_good_one(table: list[tuple[str, ...]], data: st.DataObject) -> None:
    lines = written(table, "\n", ";", '"', csv.QUOTE_ALL).splitlines(keepends=True)
    at = data.draw(st.integers(1, len(lines)))
    bad = data.draw(st.sampled_from(["x;1\n", "x;1;2;3\n", '"x;1;2\n', '"x"y;1;2\n', "x;\0;2\n"]))
    parsed = balanced(parse("".join([*lines[:at], bad, *lines[at:]]).encode(), CSV))
    assert parsed.raw.drop("row").rows() == table
    assert parsed.rejects["row"].to_list() == [at + 1]


@quick
@given(
    st.sampled_from([b"", b"unit;year;sum\n", b'{"y":1,"r":[{"u":1,"s":', b"PK\3\4", b"PAR1"]),
    st.binary(max_size=200),
    st.sampled_from([CSV, JSON, XLSX, PARQUET]),
)
def test_random_bytes_give_rows_or_a_refusal(head: bytes, data: bytes, contract: Contract) -> None:
    with suppress(SubmissionError):
        balanced(parse(head + data, contract))


def _sound_files() -> list[tuple[bytes, Contract]]:
    table = pl.DataFrame({"unit": ["a", "b", None] * 9, "year": [1, 2, 3] * 9, "sum": [1.5, None, 2] * 9})
    parquet, xlsx = io.BytesIO(), io.BytesIO()
    table.write_parquet(parquet)
    table.write_excel(xlsx)
    rows = [{"u": u, "s": s} for u, _, s in table.rows()]
    return [
        (table.write_csv(separator=";", quote_style="always").encode(), CSV),
        (json.dumps({"y": "2020", "r": rows}).encode(), JSON),
        (xlsx.getvalue(), XLSX),
        (parquet.getvalue(), PARQUET),
    ]


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = chance.randrange(256)


def _cut(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randrange(20)]


def _copy(data: bytearray, chance: random.Random) -> None:
    at, to = chance.randrange(len(data)), chance.randrange(len(data))
    data[to:to] = data[at : at + chance.randrange(40)]


@pytest.mark.parametrize(("data", "contract"), _sound_files(), ids=["csv", "json", "xlsx", "parquet"])
def test_damaged_files_give_rows_or_a_refusal(data: bytes, contract: Contract) -> None:
    chance = random.Random(20261122)
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            chance.choice([_flip, _cut, _copy])(damaged, chance)
        with suppress(SubmissionError):
            balanced(parse(bytes(damaged), contract))
