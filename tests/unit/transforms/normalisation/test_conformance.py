"""One value, every format: the same claim or the same reject, whoever writes the file."""

import io
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from schemas.contract import read_contract
from schemas.kind import read_kind
from tests.support.spreadsheets import as_ods, as_xls, as_xlsb
from tests.unit.transforms.normalisation.test_observations import CONTRACT, register
from transforms.normalisation.observations import normalise
from transforms.normalisation.records import read_records
from transforms.parsing.parse import parse

TITLE = "{nb: B, nn: B, en: B}"
KIND = read_kind(f"""
kind: boat
version: 1
title: {TITLE}
one_report_per_item: true
fields:
  call_sign: {{type: code, role: identity, doc: Call sign}}
  built: {{type: date, role: attribute, doc: Built}}
  seen: {{type: datetime, role: attribute, doc: Seen}}
  metres: {{type: number, role: attribute, doc: Length}}
  wood: {{type: boolean, role: attribute, doc: Wood}}
""")
RECORDS = f"""
contract: boats
version: 1
obligation: boats
title: {TITLE}
agency: A
legal_basis: none
rhythm: yearly
hours_per_report: null
sender: {{allowed: any}}
format: {{type: csv}}
record:
  kind: boat
  report_key: [number]
  fields:
    built: {{column: built}}
    seen: {{column: seen}}
    metres: {{column: metres}}
    wood: {{column: wood}}
examples: [{{name: none, given: ""}}]
"""
FORMATS = ("csv", "json", "xlsx", "parquet", "fixed_width", "xml", "sdmx_csv", "ods", "xls", "xlsb", "json_lines")
TEXT_FORMATS = ("csv", "fixed_width", "xml", "sdmx_csv")
"""Formats that hold text alone: a number has the mark that the contract declares."""
WIDTH = 40
"""Characters of a field of fixed width."""
ZEROS = "1" + "0" * 21


def texts_of(cells: list[object]) -> list[str]:
    return ["" if cell is None else str(cell).lower() if isinstance(cell, bool) else str(cell) for cell in cells]


def as_csv(names: list[str], cells: list[object]) -> bytes:
    return f"{';'.join(names)}\n{';'.join(texts_of(cells))}\n".encode()


def as_fixed_width(_: list[str], cells: list[object]) -> bytes:
    return ("".join(f"{text:<{WIDTH}}" for text in texts_of(cells)) + "\n").encode()


def as_xml(names: list[str], cells: list[object]) -> bytes:
    elements = (f"<{name}>{text}</{name}>" for name, text in zip(names, texts_of(cells), strict=True))
    return f"<F><R>{''.join(elements)}</R></F>".encode()


def as_sdmx_csv(names: list[str], cells: list[object]) -> bytes:
    header, texts = (
        ";".join(["STRUCTURE", "STRUCTURE_ID", *names]),
        ";".join(["dataflow", "A:B(1.0)", *texts_of(cells)]),
    )
    return f"{header}\n{texts}\n".encode()


def as_json(names: list[str], cells: list[object]) -> bytes:
    row = {name: str(cell) if isinstance(cell, date) else cell for name, cell in zip(names, cells, strict=True)}
    return json.dumps([row], default=float).encode()


def as_json_lines(names: list[str], cells: list[object]) -> bytes:
    return as_json(names, cells)[1:-1] + b"\n"


def as_xlsx(names: list[str], cells: list[object]) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"nan_inf_to_errors": True}) as book:
        shown = {date: book.add_format({"num_format": "yyyy-mm-dd"})}
        shown[datetime] = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, names)
        for at, cell in enumerate(cells):
            sheet.write(1, at, cell, shown.get(type(cell)))
    return target.getvalue()


def as_parquet(names: list[str], cells: list[object]) -> bytes:
    target = io.BytesIO()
    pl.DataFrame({name: [cell] for name, cell in zip(names, cells, strict=True)}).write_parquet(target)
    return target.getvalue()


WRITERS: dict[str, Callable[[list[str], list[object]], bytes]] = {
    "csv": as_csv, "json": as_json, "xlsx": as_xlsx, "parquet": as_parquet, "fixed_width": as_fixed_width,
    "xml": as_xml, "sdmx_csv": as_sdmx_csv, "ods": lambda names, cells: as_ods([names, cells]),
    "xls": lambda names, cells: as_xls([names, cells]), "xlsb": lambda names, cells: as_xlsb([names, cells]),
    "json_lines": as_json_lines,
}  # fmt: skip


def text_of(form: str, text: str, prefix: str) -> str:
    """Return the contract for a format; in JSON and XML its columns are leaves of the rows."""
    names = prefix.split()
    places = (f"{{name: {name}, start: {WIDTH * n + 1}, length: {WIDTH}}}" for n, name in enumerate(names))
    more = {"json": ', rows: ""', "xml": ", rows: F.R", "fixed_width": f", fields: [{', '.join(places)}]"}
    kind = "json, lines: true" if form == "json_lines" else form
    text = text.replace("{type: csv", f"{{type: {kind}{more.get(form, '')}")
    row = {"json": "[]", "xml": "F.R[]"}.get(form)
    if row is None:
        return text
    for name in names:
        text = text.replace(f"column: {name}", f'column: "{row}.{name}"').replace(f"[{name}]", f'["{row}.{name}"]')
    return text


def envelope(raw: pl.DataFrame) -> pl.DataFrame:
    nothing = pl.lit(None, dtype=pl.String)
    return raw.with_columns(submission_id=pl.lit("s"), sender=pl.lit("me"), option_period=nothing)


def figure(form: str, value: object, marks: str) -> object:
    """Return the value of the claim that a cell makes, or the reason of its reject."""
    text = CONTRACT.replace(', decimal: ",", thousands: " "', marks)
    contract = read_contract(text_of(form, text, "unit when n"))
    texts = form in TEXT_FORMATS and "," in marks
    shown = str(value).replace(".", ",") if texts and isinstance(value, float) else value
    parsed = parse(WRITERS[form](["unit", "when", "n"], ["1120", "2024", shown]), contract)
    result = normalise(envelope(parsed.raw), contract, register())
    assert result.claims.height + result.rejects.height == 1
    return result.claims["value"].item() if result.claims.height else result.rejects["reason"].item()


@pytest.mark.parametrize("marks", ["", ', decimal: ",", thousands: "."'], ids=["point", "comma"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, Decimal(12)),
        (12.5, Decimal("12.5")),
        (1.234, Decimal("1.234")),
        (-0.125, Decimal("-0.125")),
        (0.1 + 0.2, Decimal("0.3")),
        (-0.0, Decimal(0)),
        (1 / 3, "out-of-range"),
        ("12,5 %", "not-a-number"),
        (True, "not-a-number"),
        (float("nan"), "not-a-number"),
        (None, "missing-value"),
        ("", "missing-value"),
        ("1e3", "not-a-number"),
    ],
)
@pytest.mark.parametrize("form", FORMATS)
def test_a_figure_is_the_same_in_every_format(form: str, value: object, expected: object, marks: str) -> None:
    assert figure(form, value, marks) == expected


@pytest.mark.parametrize("form", ["json", "json_lines", "xlsx", "parquet", "ods", "xls", "xlsb"])
@pytest.mark.parametrize(
    ("value", "expected"), [(1e21, Decimal(ZEROS)), (1.2e-10, "out-of-range"), (1e30, "out-of-range")]
)
def test_a_number_with_an_exponent_is_the_number(form: str, value: float, expected: object) -> None:
    assert figure(form, value, "") == expected


def test_decimals_are_as_written_where_the_format_keeps_them() -> None:
    written = CONTRACT.replace(', decimal: ",", thousands: " "', "").replace(
        "{value: places}", "{value: places}, decimals: as_written"
    )
    found = {}
    for form, cell in (("csv", "12.50"), ("parquet", Decimal("12.50")), ("xlsx", 12.5)):
        contract = read_contract(text_of(form, written, "unit when n"))
        raw = parse(WRITERS[form](["unit", "when", "n"], ["1120", "2024", cell]), contract).raw
        found[form] = normalise(envelope(raw), contract, register()).claims.select("value", "decimals").row(0)
    assert found == {"csv": (Decimal("12.5"), 2), "parquet": (Decimal("12.5"), 2), "xlsx": (Decimal("12.5"), 1)}


def record(form: str, name: str, value: object, text: str = RECORDS) -> object:
    """Return the field that a cell gives, or the reason of its reject."""
    contract = read_contract(text_of(form, text, "number built seen metres wood"))
    names = ["number", "built", "seen", "metres", "wood"]
    cells: list[Any] = ["1", *(value if name == column else None for column in names[1:])]
    parsed = parse(WRITERS[form](names, cells), contract)
    result = read_records(envelope(parsed.raw), contract, KIND)
    return result.records[name].item() if result.records.height else result.rejects["reason"].item()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("built", date(2024, 1, 31), date(2024, 1, 31)),
        ("built", datetime.fromisoformat("2024-01-31T00:00"), date(2024, 1, 31)),
        ("built", datetime.fromisoformat("2024-01-31T06:00"), "not-a-date"),
        ("built", date(9999, 12, 31), "not-a-date"),
        ("built", "24-01-31", "not-a-date"),
        ("built", "0124-01-31", "not-a-date"),
        ("seen", datetime.fromisoformat("2024-01-31T00:00"), datetime.fromisoformat("2024-01-31T00:00")),
        ("seen", datetime.fromisoformat("2024-01-31T08:20"), datetime.fromisoformat("2024-01-31T08:20")),
        ("seen", "2024-01-31T08:20:00", datetime.fromisoformat("2024-01-31T08:20")),
        ("seen", date(2024, 1, 31), "not-a-date"),
        ("seen", "12:00:00", "not-a-date"),
        ("metres", 12.5, Decimal("12.5")),
        ("metres", 0.1 + 0.2, Decimal("0.3")),
        ("wood", True, True),
        ("wood", False, False),
        ("wood", 1, "unknown-code"),
        ("wood", None, None),
    ],
)
@pytest.mark.parametrize("form", FORMATS)
def test_a_field_is_the_same_in_every_format(form: str, name: str, value: object, expected: object) -> None:
    if form in {"xls", "xlsb"} and name == "seen" and value == datetime.fromisoformat("2024-01-31T00:00"):
        expected = "not-a-date"  # its cells do not show whether a day at midnight is a time
    assert record(form, name, value) == expected


@pytest.mark.parametrize("form", ["xlsx", "parquet", "ods", "xls", "xlsb"])
def test_a_real_date_is_read_whatever_format_is_declared_for_texts(form: str) -> None:
    text = RECORDS.replace("{column: built}", "{column: built, format: '%d.%m.%y', century: 1930}")
    text = text.replace("{column: seen}", "{column: seen, format: '%d.%m.%Y kl. %H:%M'}")
    for cell in (date(2024, 1, 31), datetime.fromisoformat("2024-01-31T00:00"), "31.01.24"):
        assert record(form, "built", cell, text) == date(2024, 1, 31)
    for time in (datetime.fromisoformat("2024-01-31T08:20"), "31.01.2024 kl. 08:20"):
        assert record(form, "seen", time, text) == datetime.fromisoformat("2024-01-31T08:20")
    assert record(form, "built", date(9999, 12, 31), text) == "not-a-date"
    assert record("csv", "built", date(2024, 1, 31), text) == "not-a-date"
