"""Parse: bad input costs what is bad, says what was found, and never more."""

import io
import json
import re
import tracemalloc
import zipfile

import polars as pl
import pytest
import xlsxwriter

from schemas.contract import Contract
from schemas.errors import SubmissionError, UnreadError
from schemas.reading_limits import ReadingLimits
from transforms.parsing import parquet as parse_parquet
from transforms.parsing.parse import parse
from transforms.parsing.workbook import package as workbook_package
from transforms.rejects import REJECTS_KEPT


def contract_of(columns: tuple[str, str, str] = ("unit", "year", "sum"), **form: object) -> Contract:
    """Return a contract that maps these columns as unit, period and value."""
    unit, period, value = columns
    claim = {"concept": "paid", "column": value, "reported_by": {"option": "sender"}, "unit_measure": {"value": "NOK"}}
    return Contract.model_validate(
        {
            "contract": "form", "version": 1, "obligation": "form", "title": {"nb": "S", "nn": "S", "en": "F"},
            "agency": "Etaten", "legal_basis": "§ 1", "rhythm": "yearly", "hours_per_report": None,
            "format": {"type": "csv", **form}, "unit": {"column": unit, "kind": "other", "by": "name"},
            "period": {"column": period, "type": "year"}, "repeat": "error", "claims": [claim],
            "examples": [{"name": "none", "given": ""}],
        }
    )  # fmt: skip


CSV = contract_of()
JSON = contract_of(("y", "r[].u", "r[].s"), type="json", rows="r")
XLSX = contract_of(type="xlsx")
PARQUET = contract_of(type="parquet")
HEADER = b"unit;year;sum\n"


def refusal(data: bytes, contract: Contract) -> SubmissionError:
    """Return the error that refuses a whole file."""
    with pytest.raises(SubmissionError) as caught:
        parse(data, contract)
    assert all((caught.value.found, caught.value.expected, caught.value.hint))
    return caught.value


@pytest.mark.parametrize("contract", [CSV, JSON, XLSX, PARQUET], ids=lambda c: c.format.type)
@pytest.mark.parametrize("data", [b"", b" \r\n\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_empty_file(data: bytes, contract: Contract) -> None:
    assert refusal(data, contract).code == "empty-file"


def test_a_header_without_rows_is_an_empty_file() -> None:
    assert refusal(HEADER, CSV).code == "empty-file"
    assert refusal(HEADER.strip(), CSV).code == "empty-file"
    assert refusal(HEADER, contract_of(header_row=3)).code == "empty-file"
    assert refusal(b'{"y": 1, "r": []}', JSON).code == "empty-file"


@pytest.mark.parametrize(
    ("text", "written", "declared", "found", "hint"),
    [
        ("Ø;1;2\n", "latin-1", "utf-8", r"byte d8 3b 31 3b .* at offset 14", "looks like cp1252 or latin-1"),
        ("Ø;1;2\n", "utf-8", "latin-1", "UTF-8", "looks like utf-8"),
        ("Ø;1;2\n", "utf-8", "cp1252", "byte|UTF-8", "looks like utf-8"),
        ("Ø;1;2\n", "utf-16", "utf-8", "byte ff fe .* offset 0", "looks like utf-16"),
        ("Ø;1;2\n", "utf-8", "utf-16", "byte", "utf-8"),
    ],
)
def test_wrong_encoding_says_where(text: str, written: str, declared: str, found: str, hint: str) -> None:
    error = refusal((HEADER.decode() + text).encode(written), contract_of(encoding=declared))
    assert error.code == "wrong-encoding"
    assert re.search(found, error.found)
    assert hint in error.hint


def test_wrong_encoding_far_down_is_found_with_its_offset() -> None:
    data = HEADER + b"a;1;2\n" * 100_000 + b"\xe5;1;2\n"
    assert f"at offset {len(data) - 6}" in refusal(data, CSV).found


def test_a_header_that_changed_its_name_is_pointed_out() -> None:
    error = refusal(b"unit;year;sums\na;1;2\n", CSV)
    assert (error.code, error.column, error.hint) == ("missing-column", "sum", "Did you mean 'sums'?")


def test_a_missing_and_an_extra_column() -> None:
    assert refusal(b"unit;sum\na;2\n", CSV).code == "missing-column"
    error = refusal(b"unit;year;sum;extra\na;1;2;3\n", CSV)
    assert (error.code, error.column) == ("unknown-column", "extra")
    assert refusal(b"unit;year;sum;sum\na;1;2;3\n", CSV).code == "unreadable"


def test_rows_of_the_wrong_width_are_rejected_one_by_one() -> None:
    parsed = parse(HEADER + b"a;1;2\nb;1\n\nc;1;2;3\nd;1;\n;\ne;1;2", CSV)
    assert parsed.raw["row"].to_list() == [2, 6, 8]
    assert parsed.rejects.select("row", "reason", "found").rows() == [
        (3, "too-few-fields", "2 fields"),
        (5, "too-many-fields", "4 fields"),
    ]
    assert parsed.delivered == 5


def test_a_first_row_of_the_wrong_width_does_not_shift_the_others() -> None:
    for bad in (b"x;1\n", b"x;1;2;3\n"):
        parsed = parse(HEADER + bad + b"a;1;2\n", CSV)
        assert parsed.raw.rows() == [(3, "a", "1", "2")]


@pytest.mark.parametrize("bad", [b'"b;1;2\n', b'"b"x;1;2\n', b'b";1;2\n', b'b;1;"2\n', b'"b"";"1";"2"\n'])
def test_a_broken_quote_costs_one_row(bad: bytes) -> None:
    parsed = parse(HEADER + b'"a";1;2\n' + bad + b'c;1;2\n"d\ne";1;2\n', CSV)
    assert parsed.raw.rows() == [(2, "a", "1", "2"), (4, "c", "1", "2"), (5, "d\ne", "1", "2")]
    found = f"a quote without its pair, in a line of {len(bad) - 1} characters"
    assert parsed.rejects.select("row", "reason", "found").rows() == [(3, "unreadable", found)]


@pytest.mark.parametrize("line", [b'x";"\n', b'"\n', b'";"\n', b'";";"\n', b'"""\n', b'"";"\n', b'a;"\n'])
def test_quotes_that_never_close_cost_their_lines_and_end(line: bytes) -> None:
    parsed = parse(HEADER + b'"' + line * 100_000, CSV)
    listed = parsed.rejects.filter(pl.col("row").is_not_null())
    counted = parsed.rejects.filter(pl.col("row").is_null())["found"].str.extract(r"^(\d+) more$").cast(pl.Int64).sum()
    assert parsed.raw.height + listed.height + counted == parsed.delivered
    assert listed.height <= REJECTS_KEPT


def test_a_cell_of_ten_megabytes_costs_its_row() -> None:
    for huge in (b"x" * 10_000_000, b'"' + b'x;""\n' * 2_000_000 + b'"'):
        parsed = parse(HEADER + b"a;1;2\n" + huge + b";1;2\nc;1;2\n", CSV)
        assert parsed.raw["row"].to_list() == [2, 4]
        row, column, reason, found = parsed.rejects.select("row", "column", "reason", "found").row(0)
        assert (row, column, reason, len(found)) == (3, "unit", "too-large", 200)
    huge_json = json.dumps({"y": 1, "r": [{"u": "x" * 10_000_000, "s": 1}, {"u": "a", "s": 2}]}).encode()
    assert parse(huge_json, JSON).rejects["reason"].to_list() == ["too-large"]


@pytest.mark.parametrize("bad", [b"x;1\n", b"x;1;2;3\n", b'"x;1;2\n', b"x;\0;2\n"])
def test_a_million_rows_with_one_bad_row(bad: bytes) -> None:
    data = HEADER + b"Bergen;2024;123,50\n" * 500_000 + bad + b'"Bergen";"2024";"123,50"\n' * 500_000
    parsed = parse(data, CSV)
    assert parsed.raw.height == 1_000_000
    assert parsed.raw["sum"].unique().to_list() == ["123,50"]
    assert parsed.rejects["row"].to_list() == [500_002]
    assert parsed.delivered == 1_000_001


def test_nul_costs_its_row_and_shows() -> None:
    parsed = parse(HEADER + b"a\0b;1;2\nc;1;2\n", CSV)
    assert parsed.raw["row"].to_list() == [3]
    assert parsed.rejects.select("reason", "column", "found").rows() == [("unreadable", "unit", "a␀b")]
    parsed = parse(b'{"y": 1, "r": [{"u": "a\\u0000", "s": 1}, {"u": "a", "s": 2}]}', JSON)
    assert (parsed.raw["row"].to_list(), parsed.rejects["found"].to_list()) == ([2], ["a␀"])


def test_a_broken_header_is_unreadable() -> None:
    assert refusal(b'"unit;year;sum\na;1;2\n', CSV).code == "unreadable"
    assert refusal(b'"unit"x;year;sum\na;1;2\n', CSV).row == 1


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"{", "Expecting property name"),
        (b'{"y": 1}', "nothing"),
        (b"[]", "nothing"),
        (b'{"y": 1, "r": {}}', "an object"),
        (b'{"y": 1, "y": 2, "r": [{"u": 1, "s": 2}]}', "key 'y' twice"),
        (b"[" * 1_000_000, "hundreds of levels"),
        (b'{"y": ' + b'{"a":' * 200_000, "hundreds of levels"),
        (b"\x80\x81", "byte"),
    ],
)
def test_json_that_is_none_or_says_two_things(data: bytes, found: str) -> None:
    assert found in refusal(data, JSON).found


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        ('{"u": 1, "u": 1, "s": 2}', "key 'u' twice in one object"),
        ('{"u": "\\ud800", "s": 2}', "half a surrogate pair"),
        ('{"u": 1, "\\ud800": 1, "\\ud800": 2}', "key '\\\\ud800' twice in one object"),
        ("[1, 2]", "a list"),
    ],
)
def test_a_json_row_that_says_two_things_or_none_costs_itself(bad: str, found: str) -> None:
    parsed = parse(f'{{"y": 1, "r": [{bad}, {{"u": "a", "s": 2}}]}}'.encode(), JSON)
    assert parsed.raw.rows() == [(2, "1", "a", "2")]
    assert parsed.rejects.select("row", "reason", "found").rows() == [(1, "unreadable", found)]


def test_json_with_half_a_surrogate_pair_as_an_unknown_key() -> None:
    error = refusal(b'{"y": 1, "\\ud800": 3, "r": [{"u": "a", "s": 2}]}', JSON)
    assert (error.code, error.column) == ("unknown-column", "\\ud800")


def test_a_repeated_key_among_many_is_found_in_linear_time() -> None:
    keys = ",".join(f'"k{i}": 1' for i in range(200_000))
    parsed = parse(f'{{"y": 1, "r": [{{{keys}, "k0": 1}}, {{"u": "a", "s": 2}}]}}'.encode(), JSON)
    assert parsed.rejects["found"].to_list() == ["key 'k0' twice in one object"]


def test_json_keeps_huge_and_odd_numbers_as_text() -> None:
    digits = "9" * 10_000
    rows = f'{{"u": 1, "s": NaN}}, {{"u": 1E400, "s": -Infinity}}, {{"u": 2, "s": {digits}}}'
    parsed = parse(f'{{"y": -0, "r": [{rows}]}}'.encode(), JSON)
    assert parsed.raw.rows() == [
        (1, "-0", "1", "NaN"),
        (2, "-0", "1E400", "-Infinity"),
        (3, "-0", "2", digits),
    ]


def workbook() -> bytes:
    """Return a sound workbook."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["unit", "year", "sum"])
        sheet.write_row(1, 0, ["a", "1", 2])
    return target.getvalue()


def altered(change: dict[str, tuple[str, str]], **added: bytes) -> bytes:
    """Return the sound workbook with texts replaced in its members, and members added."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook())) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name).decode()
            new.writestr(name, text.replace(*change[name]) if name in change else text)
        for name, data in added.items():
            new.writestr(name, data)
    return target.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def test_xlsx_that_is_none() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as other:
        other.writestr("content.xml", "<x/>")
    for data in (b"PK", b"unit;year;sum\n", archive.getvalue(), workbook()[:-200], altered({SHEET: ("</row>", "<")})):
        assert refusal(data, XLSX).code == "unreadable"


def test_xlsx_bombs_are_refused_before_they_unpack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_package, "UNPACKED_BYTES", 20_000_000)
    data = altered({}, bomb=b"\0" * 200_000_000)
    tracemalloc.start()
    error = refusal(data, XLSX)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert error.code == "too-large"


def test_xlsx_that_lies_about_its_size_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_package, "UNPACKED_BYTES", 20_000_000)
    data = bytearray(altered({}, bomb=b"\0" * 200_000_000))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    assert refusal(bytes(data), XLSX).code == "too-large"


@pytest.mark.parametrize("address", ['r="XFD1048576"', "r='XFD1048576'", 'r = "XFD1048576"'])
def test_xlsx_with_a_cell_far_out_is_refused(address: str) -> None:
    with pytest.raises(UnreadError, match="1048576 rows and 16384 columns"):
        parse(altered({SHEET: ('r="C2"', address)}), XLSX)


def test_xlsx_entities_are_not_expanded() -> None:
    lol = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "{"lol" * 100}">{lol}]><worksheet'
    data = altered({SHEET: ("<worksheet", bomb), "xl/sharedStrings.xml": ("<t>a</t>", "<t>&l9;</t>")})
    try:
        cells = "".join(map(str, parse(data, XLSX).raw.row(0)))
    except SubmissionError as error:
        cells = error.found
    assert len(cells) < 1000


def test_parquet_that_is_none() -> None:
    for data in (b"PAR1", b"PAR1" * 100, HEADER):
        assert refusal(data, PARQUET).code == "unreadable"
    target = io.BytesIO()
    pl.DataFrame({"unit": ["a"], "year": [1], "sum": [[1]]}).write_parquet(target)
    assert refusal(target.getvalue(), PARQUET).code == "unreadable"


def test_parquet_bombs_are_refused_before_they_unpack(monkeypatch: pytest.MonkeyPatch) -> None:
    target = io.BytesIO()
    rows = 100_000
    pl.DataFrame({"unit": ["x" * 1000] * rows, "year": [1] * rows, "sum": [1] * rows}).write_parquet(target)
    monkeypatch.setattr(parse_parquet, "TEXT_BYTES", 10_000_000)
    assert refusal(target.getvalue(), PARQUET).code == "too-large"
    monkeypatch.setattr(parse_parquet, "_column", None)
    with pytest.raises(UnreadError, match="100000 rows"):
        parse(target.getvalue(), PARQUET, ReadingLimits(rows=1000))
