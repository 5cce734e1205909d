"""Parse: the same cells, whatever the format and dialect; the awkward real files."""

import csv
import io
import json
import tarfile
import time
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

import polars as pl
import pytest
import xlsxwriter

from schemas.contract import Contract
from schemas.errors import SubmissionError
from tests.support.paths import DATA
from transforms.parsing.parse import FILE_BYTES, parse


def real(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that reads real input, and skip it where that is absent."""
    return pytest.mark.real(pytest.mark.skipif(not DATA.is_dir(), reason=f"real input is not at {DATA}")(test))


def contract_of(
    columns: tuple[str, ...] = ("unit", "year", "sum"),
    ignore: tuple[str, ...] = (),
    unknown: str = "reject",
    **form: object,
) -> Contract:
    """Return a contract that maps these columns: unit, period, value, and any more by a rule."""
    unit, period, value, *more = columns
    nynorsk = {"nb": "Skjema", "nn": "Skjema", "en": "Form"}
    claim = {"concept": "paid", "column": value, "reported_by": {"option": "sender"}, "unit_measure": {"value": "NOK"}}
    return Contract.model_validate(
        {
            "contract": "form", "version": 1, "obligation": "form", "title": nynorsk, "agency": "Etaten",
            "legal_basis": "§ 1", "rhythm": "yearly", "hours_per_report": None, "format": {"type": "csv", **form},
            "ignore": ignore, "unknown_columns": unknown, "unit": {"column": unit, "kind": "other", "by": "name"},
            "period": {"column": period, "type": "year"}, "repeat": "error", "claims": [claim],
            "rules": [{"id": f"r{i}", "check": "required", "column": c} for i, c in enumerate(more)],
            "examples": [{"name": "none", "given": ""}],
        }
    )  # fmt: skip


def workbook(rows: list[list[object]], sheet: str = "Ark 1", *, first: int = 0) -> bytes:
    """Return an XLSX file with these rows from row number `first` (from 0) on."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"default_date_format": "yyyy-mm-dd"}) as book:
        page = book.add_worksheet(sheet)
        for at, row in enumerate(rows, start=first):
            for column, cell in enumerate(row):
                page.write(at, column, cell)
    return target.getvalue()


def rows_of(data: bytes, contract: Contract) -> list[tuple[object, ...]]:
    """Return the rows of a file that has no rejects."""
    parsed = parse(data, contract)
    assert parsed.rejects.is_empty()
    assert parsed.delivered == parsed.raw.height
    assert parsed.raw.schema == {"row": pl.Int32, **dict.fromkeys(contract.columns(), pl.String)}
    return parsed.raw.rows()


def test_csv_gives_the_mapped_columns_as_text_in_the_contracts_order() -> None:
    data = b"sum;note;unit;year\n1 000,50;x;  Os ;0201\n;;;\n"
    assert rows_of(data, contract_of(ignore=("note",))) == [(2, "  Os ", "0201", "1 000,50")]


def test_a_file_of_many_columns_rejects_the_rows_that_are_too_short_or_too_long() -> None:
    names = ["unit", "year", "sum", *(f"c{n}" for n in range(198))]
    lines = [";".join(names), *(";".join(["1"] * width) for width in (201, 202, 200, 201))]
    parsed = parse("\n".join(lines).encode(), contract_of(ignore=tuple(names[3:])))
    assert parsed.raw["row"].to_list() == [2, 5]
    assert parsed.rejects.select("row", "reason").rows() == [(3, "too-many-fields"), (4, "too-few-fields")]


def test_blank_lines_are_no_rows_but_keep_the_numbering() -> None:
    assert rows_of(b"unit;year;sum\n\na;1;2\n\r\n\nb;1;3\n\n\n", contract_of()) == [
        (3, "a", "1", "2"),
        (6, "b", "1", "3"),
    ]


def test_quoted_cells_hold_delimiters_quotes_and_line_ends() -> None:
    data = b'unit;year;sum\r\n"a;""b""\r\nc";"";1\r\n\r\nd "e" f;2;3'
    assert rows_of(data, contract_of()) == [(2, 'a;"b"\r\nc', "", "1"), (4, 'd "e" f', "2", "3")]


def test_without_a_quote_character_quotes_are_letters() -> None:
    assert rows_of(b'unit\tyear\tsum\n"a\t1\t2"\n', contract_of(delimiter="\t", quote=None)) == [(2, '"a', "1", '2"')]


def test_line_ends_may_be_carriage_returns_alone() -> None:
    assert rows_of(b"unit;year;sum\ra;1;2\rb;1;3\r", contract_of()) == [(2, "a", "1", "2"), (3, "b", "1", "3")]


def test_the_header_may_stand_further_down() -> None:
    data = b'Report "A" of 2021\n\n"by; us"\nunit;year;sum\na;1;2\n'
    assert rows_of(data, contract_of(header_row=4)) == [(5, "a", "1", "2")]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "utf-16"])
def test_every_encoding_gives_the_same_text(encoding: str) -> None:
    data = "unit;year;sum\nØvre Årdal \xa0;1;2\n".encode(encoding)
    assert rows_of(data, contract_of(encoding=encoding)) == [(2, "Øvre Årdal \xa0", "1", "2")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_is_no_part_of_the_header(encoding: str) -> None:
    mark = "" if encoding == "utf-8-sig" else "\ufeff"
    data = f"{mark}unit;year;sum\nå;1;2\n".encode(encoding)
    assert rows_of(data, contract_of(encoding=encoding.removesuffix("-sig")[:6].rstrip("-"))) == [(2, "å", "1", "2")]


def test_a_column_without_name_that_is_empty_throughout_is_nothing() -> None:
    assert rows_of(b"unit;year;sum;\na;1;2;\n", contract_of()) == [(2, "a", "1", "2")]
    assert rows_of(b"unit;year;sum;;\na;1;2\nb;1;2;\nc;1;2;;\n", contract_of())[2] == (4, "c", "1", "2")
    with pytest.raises(SubmissionError, match="unknown-column: found column number 4, which has no name"):
        parse(b"unit;year;sum;\na;1;2;\na;1;2;x\n", contract_of())


def test_a_declared_repair_mends_a_broken_quote() -> None:
    fix = {"pattern": '(?m)^"([^";\\n]*)"";', "replacement": '"$1";', "why": "a quote too many"}
    data = b'unit;year;sum\n"AS Norske Shell"";"2009";"6966186"\n"B";"2009";"1"\n'
    assert rows_of(data, contract_of(repairs=[fix]))[0] == (2, "AS Norske Shell", "2009", "6966186")


def test_unknown_columns_may_be_warnings() -> None:
    parsed = parse(b"unit;year;sum;new\na;1;2;3\n", contract_of(unknown="warn"))
    assert parsed.raw.rows() == [(2, "a", "1", "2")]
    assert parsed.rejects.select("row", "column", "reason", "severity").rows() == [
        (None, "new", "unknown-column", "warning")
    ]
    assert parsed.delivered == 1
    parsed = parse(b"unit;year;sum;\na;1;2;3\n", contract_of(unknown="warn"))
    assert parsed.rejects["found"].to_list() == ["column number 4, which has no name"]


def test_json_leaves_keep_the_text_they_were_written_with() -> None:
    columns = ("id.nr", "parts[].code", "parts[].n.total", "id.final")
    data = b"""{"id": {"nr": "0301", "final": true}, "note": ["x"], "parts": [
        {"code": "A", "n": {"total": 1.50, "share": 0.1}}, {"code": null, "n": {"total": 12345678901234567890123}},
        {"code": "C", "n": null}, {"code": "D", "n": {"total": NaN}}, {"code": "E", "n": {"total": 1e400}}]}"""
    contract = contract_of(columns, ("note", "parts[].n.share"), type="json", rows="parts")
    assert rows_of(data, contract) == [
        (1, "0301", "A", "1.50", "true"),
        (2, "0301", "", "12345678901234567890123", "true"),
        (3, "0301", "C", "", "true"),
        (4, "0301", "D", "NaN", "true"),
        (5, "0301", "E", "1e400", "true"),
    ]


def test_json_rows_may_lie_deeper_or_be_the_whole_document() -> None:
    deep = contract_of(("y", "a.b[].u", "a.b[].s"), ("a.c",), type="json", rows="a.b")
    assert rows_of(b'{"y": 1, "a": {"c": {"x": []}, "b": [{"u": 2, "s": 3}]}}', deep) == [(1, "1", "2", "3")]
    flat = contract_of(("[].y", "[].u", "[].s"), type="json", rows="")
    assert rows_of(b'[{"y": 1, "u": 2, "s": 3}]', flat) == [(1, "1", "2", "3")]


def test_json_names_what_the_contract_does_not_know() -> None:
    contract = contract_of(("y", "r[].u", "r[].s"), type="json", rows="r")
    for extra in (', "z": null', ', "z": []', ', "z": {"q": 1}'):
        with pytest.raises(SubmissionError, match=r"unknown-column column 'r..\.z'"):
            parse(b'{"y": 1, "r": [{"u": 1, "s": 2%s}]}' % extra.encode(), contract)
    with pytest.raises(SubmissionError, match=r"missing-column column 'r..\.s': .* Did you mean 'r..\.ss'"):
        parse(b'{"y": 1, "r": [{"u": 1, "ss": 2}]}', contract)


def test_json_rejects_the_rows_that_are_none() -> None:
    contract = contract_of(("y", "r[].u", "r[].s"), type="json", rows="r")
    parsed = parse(b'{"y": 1, "r": [{"u": 1, "s": 2}, 7, {"u": {"x": 1}, "s": 3}]}', contract)
    assert parsed.raw["row"].to_list() == [1]
    assert parsed.rejects.select("row", "column", "reason").rows() == [
        (2, None, "unreadable"),
        (3, "r[].u", "unreadable"),
    ]
    assert parsed.delivered == 3


def test_xlsx_gives_numbers_and_dates_as_text() -> None:
    cells: list[object] = [
        "0301", 1234, 1234.5, 0.1 + 0.2, 1e15, -7.0, True, date(2024, 1, 31),
        datetime.fromisoformat("2024-01-31T12:30"), "=1/0", "  x\ty ", "_x0041_ <&>",
    ]  # fmt: skip
    given: list[list[object]] = [["unit", "year", "sum"], *([cell, "y", 1] for cell in cells)]
    texts = [row[1] for row in rows_of(workbook(given), contract_of(type="xlsx"))]
    assert texts == [
        "0301", "1234", "1234.5", "0.3", "1000000000000000", "-7", "true", "2024-01-31", "2024-01-31 12:30:00",
        "0", "  x\ty ", "_x0041_ <&>",
    ]  # fmt: skip


def test_xlsx_shows_error_cells_as_excel_does() -> None:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["unit", "year", "sum"])
        for row, error in enumerate(["#DIV/0!", "#N/A", "#REF!"], start=1):
            page.write_formula(row, 2, "=A1", value=error)
    assert [row[3] for row in rows_of(target.getvalue(), contract_of(type="xlsx"))] == ["#DIV/0!", "#N/A", "#REF!"]


def test_xlsx_rows_keep_the_sheets_numbering() -> None:
    given: list[list[object]] = [["unit", None, "year", "sum"], ["a", None, 1, 2], [], ["b", None, 1, 3]]
    data = workbook(given, "Tall", first=3)
    contract = contract_of(type="xlsx", sheet="Tall", header_row=4)
    assert rows_of(data, contract) == [(5, "a", "1", "2"), (7, "b", "1", "3")]
    with pytest.raises(SubmissionError, match=r"sheets 'Tall', expected sheet 'Tal'\. Did you mean 'Tall'"):
        parse(data, contract_of(type="xlsx", sheet="Tal", header_row=4))


def test_parquet_columns_become_text() -> None:
    frame = pl.DataFrame(
        {
            "sum": [Decimal("1.50"), None],
            "unit": pl.Series(["a", "b"], dtype=pl.Categorical),
            "year": [2020.0, 0.1],
            "day": [date(2024, 1, 31), None],
            "at": [datetime.fromisoformat("2024-01-31T00:00"), datetime.fromisoformat("2024-01-31T01:02:03")],
            "other": [[1], [2]],
        }
    )
    target = io.BytesIO()
    frame.write_parquet(target)
    contract = contract_of(("unit", "year", "sum", "day", "at"), ("other",), type="parquet")
    assert rows_of(target.getvalue(), contract) == [
        (2, "a", "2020", "1.50", "2024-01-31", "2024-01-31 00:00:00"),
        (3, "b", "0.1", "", "", "2024-01-31 01:02:03"),
    ]


def test_well_formed_csv_reads_as_polars_alone_reads_it(capsys: pytest.CaptureFixture[str]) -> None:
    i = pl.int_range(250_000, eager=True)
    frame = pl.DataFrame({name: (i * k % 9973).cast(str) + ",5" for k, name in enumerate("abcdefgh", start=7)})
    cells = {}
    for style in ("necessary", "always"):
        data = frame.write_csv(separator=";", quote_style=style).encode()  # type: ignore[arg-type]  # one of the styles
        costs = []
        for _ in range(3):
            started = time.process_time()
            alone = pl.read_csv(data, separator=";", infer_schema=False, empty_string_is_null=False)
            half = time.process_time()
            parsed = parse(data, contract_of(tuple("abcdefgh")))
            costs.append((time.process_time() - half) / (half - started))
            assert parsed.raw.drop("row").equals(alone)
        cells[style] = min(costs)
    with capsys.disabled():
        print(f"\nparse / pl.read_csv, processor time: plain {cells['necessary']:.2f}, quoted {cells['always']:.2f}")


@real
def test_real_eiti_files_are_read_whole() -> None:
    fix = {"pattern": '(?m)^"([^";\\n]*)"";', "replacement": '"$1";', "why": "a quote too many"}
    rows = 0
    for path in sorted(DATA.glob("eiti/eiti-*/*/dataset.original.csv")):
        data = path.read_bytes()
        names = data.split(b"\n", 1)[0].decode().replace('"', "").split(";")
        parsed = parse(data, contract_of(tuple(names), repairs=[fix]))
        assert parsed.rejects.is_empty()
        rows += parsed.raw.filter(pl.concat_str(names) != "").height
        broken = parse(data, contract_of(tuple(names)))
        expected = [("unreadable", 3)] if path.parts[-3:-1] == ("eiti-2009", "skatt") else []
        assert broken.rejects.select("reason", "row").rows() == expected
        assert broken.delivered == parsed.delivered
    assert rows == 344 + 5


@real
@pytest.mark.parametrize("year", [2009, 2013, 2017, 2021])
def test_real_county_files_have_a_mark_and_a_trailing_delimiter(year: int) -> None:
    data = (DATA / f"valg/county_csv/{year}.csv").read_bytes()
    header, *lines = data.decode("utf-8-sig").rstrip("\n").split("\n")
    assert header.endswith(";")
    parsed = parse(data, contract_of(tuple(header[:-1].split(";"))))
    assert parsed.rejects.is_empty()
    assert parsed.raw["row"].to_list() == list(range(2, len(lines) + 2))
    assert parsed.raw["Fylkenavn"][0] == "Østfold"


@real
def test_real_broadcasters_file() -> None:
    data = (DATA / "valg/nrk_stortingsvalg2013.tsv").read_bytes()
    contract = contract_of(("Municipality", "Party", "Votes"), ("Percentage",), delimiter="\t")
    assert parse(data, contract).raw.height == 6946


AWKWARD: dict[str, tuple[str, str, int]] = {
    # Encoding, delimiter, and how many rows are truly not as wide as the header or have a broken quote.
    "alle_kommunenummer_fra2013_til2020_wide.csv": ("cp1252", ";", 0),
    "kommunenummer_fra2013_til2020_long.csv": ("cp1252", ";", 0),
    "kommuner_med_endringer_fra2017_til2018.csv": ("cp1252", ";", 0),
    "kommuner_med_endringer_fra2019_til2020.csv": ("cp1252", ";", 0),
    "ssb_kommunekoder_2019.csv": ("latin-1", ";", 423),
    "ssb_kommunekoder_2020.csv": ("latin-1", ";", 357),
    "fhi_2_1_user_payments_hbc_t05065.csv": ("utf-8", ",", 0),
    "fhi_3_1_user_fees_practical_help_ltc_t04898.csv": ("utf-8", ",", 0),
    "datahotell_bergen_budsjett-2012_driftsbudsjett/dataset.original.csv": ("utf-8", ";", 0),
    "datahotell_difi_norgeno_tjeneste/dataset.original.csv": ("utf-8", ";", 12),
    "datahotell_nav_arbeidssokere-yrke/dataset.original.csv": ("utf-8", ";", 0),
    "datahotell_sogndal_budsjett-2013_driftsbudsjett/dataset.original.csv": ("utf-8", ";", 0),
    "datahotell_stavanger_budsjett_2016_drift/dataset.original.csv": ("utf-8", ";", 347),
    "datahotell_stavanger_kommunalebyggmedpublikumstjenester_bygg/dataset.original.csv": ("utf-8", ";", 0),
}


@real
@pytest.mark.parametrize("name", AWKWARD)
def test_real_awkward_files_lose_nothing(name: str) -> None:
    encoding, delimiter, bad = AWKWARD[name]
    data = (DATA / "csv" / name).read_bytes()
    columns = header_of(data.decode(encoding), delimiter)
    parsed = parse(data, contract_of((*columns, *columns)[:3] + columns[3:], encoding=encoding, delimiter=delimiter))
    assert parsed.rejects.height == bad
    lines = sum(1 for line in data.decode(encoding).split("\n")[1:] if line.strip("\r"))
    assert parsed.raw.height + bad == parsed.delivered <= lines


def header_of(text: str, delimiter: str) -> tuple[str, ...]:
    """Return the names in a text's first line."""
    return tuple(name for name in next(csv.reader([text.split("\n", 1)[0]], delimiter=delimiter)) if name.strip())


@real
def test_real_backslash_escapes_are_read_by_a_declared_repair() -> None:
    data = (DATA / "csv/datahotell_difi_norgeno_tjeneste/dataset.original.csv").read_bytes()
    fix = {"pattern": '\\\\"', "replacement": '""', "why": "quotes escaped by a backslash"}
    parsed = parse(data, contract_of(header_of(data.decode(), ";"), repairs=[fix]))
    assert parsed.rejects.is_empty()
    assert parsed.raw.filter(row=436)["tittel"].item() == 'Påmelding til "Klart språk" kurs'


@real
@pytest.mark.parametrize("year", [2013, 2021])
def test_real_election_deliveries_parse_fast(year: int, capsys: pytest.CaptureFixture[str]) -> None:
    with tarfile.open(DATA / f"valg/deliveries-{year}.tar.xz") as archive:
        files = [f.read() for m in archive if m.name.endswith(".json") and (f := archive.extractfile(m))]
    columns = ("id.nr", "id.valgaar", "partier[].stemmer.resultat.antall.total", "partier[].id.partikode")
    columns += ("tidspunkt.rapportGenerert", "id.nivaa")
    ignore = {key for f in files for key in json.loads(f)} - {"partier"}
    ignore |= {f"partier[].{key}" for f in files for row in json.loads(f)["partier"] for key in row}
    contract = contract_of(columns, tuple(ignore), type="json", rows="partier")
    started = time.process_time()
    rows = sum(parse(f, contract).delivered for f in files)
    rate = len(files) / (time.process_time() - started)
    with capsys.disabled():
        print(f"\n{year}: {len(files)} files, {rows} rows, {rate:.0f} files/s of processor time")
    assert rows == sum(len(json.loads(f)["partier"]) for f in files)


def test_a_file_may_have_four_gibibytes_less_one_mebibyte() -> None:
    assert FILE_BYTES == 4095 * 2**20, "positions of bytes are numbers of 32 bits"


def test_a_file_of_the_greatest_size_is_read_and_a_byte_more_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"unit;year;sum\nOs;2024;1\n"
    monkeypatch.setattr("transforms.parsing.parse.FILE_BYTES", len(data))
    assert parse(data, contract_of()).delivered == 1
    with pytest.raises(SubmissionError) as error:
        parse(data + b"\n", contract_of())
    assert (error.value.code, error.value.found) == ("too-large", f"{len(data) + 1} bytes")
