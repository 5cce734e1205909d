"""XLSX: one sheet to the raw frame, after a check that the workbook unpacks to a bounded size.

The first sheet that is not hidden is read, or the one that the contract names. A number becomes text with 15 digits,
without exponent; a date or time ISO 8601; an error cell the text that Excel shows.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import fastexcel
import polars as pl

from schemas.contract import Contract
from schemas.errors import SubmissionError
from schemas.reading_limits import ReadingLimits
from transforms.clean_text import clean
from transforms.parsing.raw_frame import (
    NO_REJECTS,
    ParseResult,
    check_columns,
    check_width,
    finish_parsing,
    known_names,
    name_columns,
    name_hint,
    parser_rejects,
    quoted_list,
)
from transforms.parsing.shapes.columns_to_rows import mapped_columns
from transforms.parsing.shapes.sheets import declared_sheets, names_as_mapped, read_sheets
from transforms.parsing.shapes.table_edges import joined_names, without_notes
from transforms.parsing.workbook.cells import SheetScan, SheetStyle, scan_sheet, xml_text
from transforms.parsing.workbook.formats import style_kinds
from transforms.parsing.workbook.package import HINT, WORKBOOK, Package, Sheet

SHOWN_BYTES: Final = 1 << 28
"""The limit of text in a sheet: many cells may show one long text."""
_SHARED_STRINGS: Final = "xl/sharedStrings.xml"
_SHARED: Final = r"(?s)<(?:\w+:)?si\b(?:[^>]*/>|[^>]*>.*?</(?:\w+:)?si>)"
_SHARED_END: Final = re.compile(rb".*</(?:\w+:)?si>", re.DOTALL)
_MERGED_SHOWN: Final = 5


def read_xlsx(data: bytes, contract: Contract, limits: ReadingLimits) -> ParseResult:
    """Return the rows of one sheet, or of those that the contract declares. Raises `SubmissionError`, `UnreadError`."""
    package = Package(data)
    sheets = package.sheets()

    def _read_one(sheet: Sheet, by: Contract) -> ParseResult:
        return _read_sheet(package, (sheets, sheet), by, limits)

    return read_declared_sheets(sheets, _read_one, contract)


def read_declared_sheets(
    sheets: list[Sheet], read: Callable[[Sheet, Contract], ParseResult], contract: Contract
) -> ParseResult:
    """Return the rows of the sheet, or of the sheets, that a contract reads of a workbook.

    read: takes a sheet and the contract by which it is read.
    """
    if contract.format.sheets is not None:
        known = {sheet.name: sheet for sheet in sheets}
        names = declared_sheets(list(known), [sheet.hidden for sheet in known.values()], contract)
        return read_sheets(names, lambda name, by: read(known[name], by), contract)
    chosen = choose_sheet(sheets, contract.format.sheet)
    try:
        return read(chosen, contract)
    except SubmissionError as error:
        others = [sheet.name for sheet in sheets if sheet is not chosen]
        if not others or contract.format.sheet is not None:
            raise
        hint = f"{error.hint} Only sheet {chosen.name!r} is read: format.sheet of the contract names another of "
        raise replace(error, hint=f"{hint}{quoted_list(others)}.") from error


def _read_sheet(
    package: Package, sheet: tuple[list[Sheet], Sheet], contract: Contract, limits: ReadingLimits
) -> ParseResult:
    """Return the rows of the second of `sheet`, which is one of the first: all sheets."""
    form, (sheets, chosen) = contract.format, sheet
    style = SheetStyle(form, style_kinds(package.part("xl/styles.xml")), package.starts_in_1904())
    scan = scan_sheet(package.pieces(chosen.member or ""), style, limits)
    check_width(scan.last_column - min(scan.first_column, scan.last_column) + 1, limits)
    _check_text(package, scan)
    cells = _with_texts(_read(package.data, chosen), scan)
    header_row, names = form.last_header_row(), header_names(cells, contract)
    warnings = [
        check_columns(names, contract),
        NO_REJECTS if form.sheets is not None else unread_sheets(sheets, chosen, form.sheet),
        _merged(scan, header_row),
        _percents(scan, names, contract, header_row),
    ]
    rows = cells.with_row_index("row", offset=1).with_columns(pl.col("row").cast(pl.Int32)).slice(header_row)
    rows, notes = without_notes(rows, form)
    lacking = _without_result(scan, names, contract, header_row)
    if notes:
        lacking = lacking.filter(pl.col("row") <= (rows["row"].max() or 0))
    rows = rows.join(lacking, on="row", how="anti", maintain_order="left")
    raw, unnamed = name_columns(rows, names, contract)
    rejected = lacking["row"].n_unique()
    return finish_parsing(
        raw, [*warnings, unnamed, _formula_rejects(lacking)], nul=False, rejected=rejected, ignored=notes
    )


def header_names(cells: pl.DataFrame, contract: Contract) -> list[str]:
    """Return the names of the columns of a sheet, all of whose cells are texts. Raises `SubmissionError`."""
    form = contract.format
    header_row = form.last_header_row()
    if cells.height < header_row:
        hint = "Was the right file delivered?"
        raise SubmissionError("empty-file", f"{cells.height} rows", f"a header in row {header_row}", hint)
    names = [name if name.strip() else "" for name in cells.row(header_row - 1)]
    if form.header_rows:
        names = joined_names([cells.row(number - 1) for number in form.header_rows])
    names = names_as_mapped(known_names(names, contract), contract)
    if not any(names):
        hint = "Name the row with the columns in format.header_row of the contract."
        raise SubmissionError("unreadable", "a row without names", "a row that names the columns", hint)
    return names


def choose_sheet(sheets: list[Sheet], name: str | None) -> Sheet:
    """Return the sheet to read: the one of that name, by default the first that is not hidden."""
    if name is None:
        found = next((sheet for sheet in sheets if not sheet.hidden), None)
        if found is None:
            raise SubmissionError("unreadable", "a workbook without a visible sheet", WORKBOOK, HINT)
        return found
    known = [sheet.name for sheet in sheets]
    if name not in known and clean(name) in (cleaned := [clean(each) for each in known]):
        return sheets[cleaned.index(clean(name))]
    if name not in known:
        hint = name_hint(name, known) or "Name the sheet in format.sheet of the contract."
        raise SubmissionError("unreadable", f"sheets {quoted_list(known)}", f"sheet {name!r}", hint)
    return sheets[known.index(name)]


def _read(data: bytes, sheet: Sheet) -> pl.DataFrame:
    """Return all cells of the sheet as text, columns "0", "1", ..., from the sheet's first row on."""
    try:
        book = fastexcel.read_excel(data)
        cells = book.load_sheet(sheet.name, header_row=None, skip_rows=0, dtypes="string").to_arrow()
    except fastexcel.FastExcelError as error:
        found = str(error).splitlines()[0]
        raise SubmissionError("unreadable", found, WORKBOOK, HINT) from error
    frame = pl.DataFrame(cells)
    frame.columns = [str(i) for i in range(frame.width)]
    return frame.cast(pl.String).fill_null("")


def _with_texts(frame: pl.DataFrame, scan: SheetScan) -> pl.DataFrame:
    """Write the texts of the scan into the frame, whose first column is the first one with a cell."""
    texts = scan.all_texts().filter(pl.col("row").is_between(1, frame.height))
    columns = []
    for (column,), found in texts.group_by("column"):
        name = str(int(column) - scan.first_column)
        if name in frame.columns:
            places = found.unique("row", keep="last", maintain_order=True)
            columns.append(frame[name].scatter((places["row"] - 1).cast(pl.UInt32), places["text"]))
    return frame.with_columns(columns)


def _check_text(package: Package, scan: SheetScan) -> None:
    """Raise `SubmissionError` too-large if the cells that show shared texts show more than the limit."""
    shown = pl.concat(scan.shared) if scan.shared else pl.Series(dtype=pl.UInt32)
    if shown.len() * package.size(_SHARED_STRINGS) <= SHOWN_BYTES:
        return
    lengths, rest = [], b""
    for piece in package.pieces(_SHARED_STRINGS):
        rest += piece
        if (whole := _SHARED_END.match(rest)) is not None:
            lengths.append(xml_text(whole[0]).str.extract_all(_SHARED).explode().str.len_bytes().drop_nulls())
            rest = rest[whole.end() :]
    sizes = pl.concat(lengths) if lengths else pl.Series(dtype=pl.UInt32)
    total = sizes.gather(shown.filter(shown < sizes.len())).cast(pl.Int64).sum() or 0
    if total > SHOWN_BYTES:
        found = f"cells that show {total} bytes of text"
        raise SubmissionError("too-large", found, f"at most {SHOWN_BYTES}", "Deliver it in parts, or as CSV.")


def unread_sheets(sheets: list[Sheet], chosen: Sheet, declared: str | None) -> pl.DataFrame:
    """Return the warning that names the sheets that are not read, unless the contract says which one is."""
    others = [f"{sheet.name!r}{' (hidden)' if sheet.hidden else ''}" for sheet in sheets if sheet is not chosen]
    if declared is not None or not others:
        return NO_REJECTS
    return _warning(
        f"{len(others)} more sheets: {', '.join(others)}",
        f"one sheet; only {chosen.name!r} is read",
        "Deliver the other sheets as files of their own, or name the one to read in format.sheet of the contract.",
    )


def _merged(scan: SheetScan, header_row: int) -> pl.DataFrame:
    """Return the warning that names merged cells below the header."""
    below = [f"{letters}{number}" for letters, number in scan.merged if number > header_row]
    if not below:
        return NO_REJECTS
    shown = ", ".join(below[:_MERGED_SHOWN]) + (" …" if len(below) > _MERGED_SHOWN else "")
    return _warning(
        f"merged cells from {shown} on",
        "a value in each cell",
        "Only the first of merged cells holds the value, the others are empty: unmerge them and fill in each.",
    )


def _warning(found: str, expected: str, hint: str) -> pl.DataFrame:
    rows = pl.DataFrame({"row": None, "found": found}, schema={"row": pl.Int32, "found": pl.String})
    return parser_rejects(rows, "not-read", expected=expected, hint=hint, severity="warning")


def _percents(scan: SheetScan, names: list[str], contract: Contract, header_row: int) -> pl.DataFrame:
    """Return the warnings that name mapped columns with numbers shown in percent."""
    found = _mapped(scan.all_percents(), scan, names, contract, header_row)
    if found.is_empty():
        return NO_REJECTS
    cells = found.group_by("name", maintain_order=True).agg(pl.len().alias("cells"))
    return parser_rejects(
        cells.select("name", row=pl.lit(None, pl.Int32), found=pl.format("{} cells shown in percent", "cells")),
        "percent",
        expected="plain numbers: of a cell that shows 12.5 % the number is 0.125, and that is read",
        hint="Deliver plain numbers in the unit that the form asks for.",
        column=pl.col("name"),
        severity="warning",
    )


def _without_result(scan: SheetScan, names: list[str], contract: Contract, header_row: int) -> pl.DataFrame:
    """Return row and name of the mapped cells whose formula has no result."""
    return _mapped(scan.all_formulas(), scan, names, contract, header_row).unique("row", keep="first")


def _mapped(
    cells: pl.DataFrame, scan: SheetScan, names: list[str], contract: Contract, header_row: int
) -> pl.DataFrame:
    """Return row and name of those cells that are below the header in a mapped column."""
    mapped = set(mapped_columns(names, contract))
    places = {scan.first_column + i: name for i, name in enumerate(names) if name in mapped}
    name = pl.col("column").replace_strict(places, default=None, return_dtype=pl.String)
    found = cells.select(pl.col("row").cast(pl.Int32), name.alias("name"))
    return found.filter(pl.col("name").is_not_null() & (pl.col("row") > header_row))


def _formula_rejects(lacking: pl.DataFrame) -> pl.DataFrame:
    return parser_rejects(
        lacking.with_columns(found=pl.lit("a formula without a result")),
        "not-read",
        expected="a value",
        hint="Open the workbook in a spreadsheet, let it calculate, save it and deliver that; or deliver values.",
        column=pl.col("name"),
    )
