"""A file of any format may have so many rows, columns and cells, and no more: beyond, the setting is named."""

import io
import json
from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from schemas.contract import Contract
from schemas.errors import UnreadError
from schemas.reading_limits import DEFAULT_LIMITS
from tests.support.spreadsheets import as_ods, as_xls
from tests.unit.transforms.parsing.test_parse import contract_of, workbook
from transforms.parsing.parse import parse
from transforms.parsing.raw_frame import ParseResult

COLUMNS = ("unit", "year", "sum", "other")
LAST = len(COLUMNS) - 1
Cells = list[list[str]]


def as_csv(cells: Cells) -> bytes:
    return "".join(";".join(row) + "\n" for row in [[*COLUMNS], *cells]).encode()


def as_broken_csv(cells: Cells) -> bytes:
    return as_csv([[*cells[0], "one field too many"], *cells[1:]])


def as_json(cells: Cells) -> bytes:
    return json.dumps({"r": [dict(zip(COLUMNS, row, strict=True)) for row in cells]}).encode()


def as_workbook(cells: Cells) -> bytes:
    rows: list[list[object]] = [[*COLUMNS]]
    return workbook(rows + [[*row] for row in cells])


def as_parquet(cells: Cells) -> bytes:
    target = io.BytesIO()
    pl.DataFrame(cells, [*COLUMNS], orient="row").write_parquet(target)
    return target.getvalue()


def as_fixed_width(cells: Cells) -> bytes:
    return "".join("".join(f"{text:<8}" for text in row) + "\n" for row in cells).encode()


def as_xml(cells: Cells) -> bytes:
    rows = ("".join(f"<{name}>{text}</{name}>" for name, text in zip(COLUMNS, row, strict=True)) for row in cells)
    return f"<F>{''.join(f'<R>{row}</R>' for row in rows)}</F>".encode()


def as_sdmx_csv(cells: Cells) -> bytes:
    return "".join(
        ";".join(row) + "\n" for row in [["STRUCTURE", *COLUMNS[:LAST]], *([["d", *row[:LAST]] for row in cells])]
    ).encode()


PLACES = [{"name": name, "start": 8 * n + 1, "length": 8} for n, name in enumerate(COLUMNS)]
FORMATS: dict[str, tuple[Callable[[Cells], bytes], Contract]] = {
    "csv": (as_csv, contract_of(ignore=COLUMNS[LAST:])),
    "csv with a broken row": (as_broken_csv, contract_of(ignore=COLUMNS[LAST:])),
    "json": (
        as_json,
        contract_of(tuple(f"r[].{name}" for name in COLUMNS[:LAST]), ("r[].other",), type="json", rows="r"),
    ),
    "xlsx": (as_workbook, contract_of(ignore=COLUMNS[LAST:], type="xlsx")),
    "parquet": (as_parquet, contract_of(ignore=COLUMNS[LAST:], type="parquet")),
    "fixed_width": (as_fixed_width, contract_of(type="fixed_width", fields=PLACES)),
    "xml": (
        as_xml,
        contract_of(tuple(f"F.R[].{name}" for name in COLUMNS[:LAST]), ("F.R[].other",), type="xml", rows="F.R"),
    ),
    "sdmx_csv": (as_sdmx_csv, contract_of(type="sdmx_csv")),
    "ods": (lambda cells: as_ods([COLUMNS, *cells]), contract_of(ignore=COLUMNS[LAST:], type="ods")),
    "xls": (lambda cells: as_xls([COLUMNS, *cells]), contract_of(ignore=COLUMNS[LAST:], type="xls")),
}  # fmt: skip


def read(form: str, rows: int, /, **limits: int) -> ParseResult:
    write, contract = FORMATS[form]
    data = write([[f"u{n}", "2024", "1", "x"] for n in range(rows)])
    return parse(data, contract, replace(DEFAULT_LIMITS, **limits))


@pytest.mark.parametrize("form", FORMATS)
def test_rows(form: str) -> None:
    assert read(form, 3, rows=3).delivered == 3
    with pytest.raises(UnreadError, match=r"it has 4 rows, and at most 3 are read; .* raise ENGANG_READ_ROWS "):
        read(form, 4, rows=3)


@pytest.mark.parametrize("form", FORMATS)
def test_cells_are_those_of_the_columns_that_the_contract_maps(form: str) -> None:
    assert read(form, 3, cells=9).delivered == 3
    with pytest.raises(UnreadError, match=r"it has 12 cells .* at most 11 are read; .* raise ENGANG_READ_CELLS "):
        read(form, 4, cells=11)


@pytest.mark.parametrize("form", FORMATS)
def test_columns_are_all_that_the_file_has(form: str) -> None:
    columns = 3 if form in {"json", "xml"} else 4  # what the contract ignores is not even looked at in JSON
    assert read(form, 2, columns=columns).delivered == 2
    with pytest.raises(UnreadError, match=rf"it has {columns} columns, and at most .* raise ENGANG_READ_COLUMNS "):
        read(form, 2, columns=columns - 1)


def test_a_sheet_costs_its_empty_cells_too() -> None:
    cells: list[list[object]] = [
        [*COLUMNS],
        ["a", "2024", "1", "x"],
        *[[]] * 96,
        ["b", "2024", "2", "x"],
        ["c", "2024", "2", "x"],
    ]
    contract = FORMATS["xlsx"][1]
    assert parse(workbook(cells), contract, replace(DEFAULT_LIMITS, sheet_cells=400)).delivered == 3
    with pytest.raises(UnreadError, match=r"100 rows and 4 columns, .* raise ENGANG_READ_SHEET_CELLS "):
        parse(workbook(cells), contract, replace(DEFAULT_LIMITS, sheet_cells=399))
