"""The table of a file of any kind: the contract's `format`, its columns, and all rows as the reader gives them."""

import io
import json
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from schemas.contract import Contract
from schemas.errors import SubmissionError, UsageError
from transforms.drafting.table.file_sniff import file_type, split_text, text_encoding
from transforms.drafting.table.header_sniff import NUMBER_CELL, TableSpot, find_table
from transforms.drafting.table.xml_sniff import RowFinder
from transforms.parsing.gzip import unpack_gzip
from transforms.parsing.parse import FILE_BYTES, parse

MUCH_MORE: Final = 3
"""How many times the figures of the first sheet another one needs to be taken."""
SAMPLED_ROWS: Final = 200
"""Rows of a sheet by which one of several sheets is chosen."""


@dataclass(frozen=True)
class DraftSource:
    """What a draft is made from: the file's form, its columns without a name, what is known of it.

    unmapped: columns that no key can name, because they have no name, or one that occurs twice.
    """

    name: str
    form: dict[str, Any]
    unmapped: list[str]
    evidence: dict[str, str]


@dataclass(frozen=True)
class FileTable:
    """A file's table. texts: the columns that a contract can name, all rows; start: its first records as delivered.

    form, unmapped, evidence: see `DraftSource`.
    """

    form: dict[str, Any]
    texts: pl.DataFrame
    unmapped: list[str]
    evidence: dict[str, str]
    start: list[list[str]] = field(default_factory=list)
    """The records up to the end of the header, for files that have them."""
    records: list[list[str]] = field(default_factory=list)
    """The first records, those of the header among them."""

    def source(self, name: str) -> DraftSource:
        """Return what the draft of a contract of this name is made from."""
        return DraftSource(name, self.form, self.unmapped, self.evidence)


@dataclass(frozen=True)
class _Found:
    """What a file's format is. unread: paths and columns that hold lists, which are no cells: a draft ignores them."""

    form: dict[str, Any]
    names: list[str]
    evidence: dict[str, str]
    start: list[list[str]] = field(default_factory=list)
    records: list[list[str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def read_file_table(data: bytes) -> FileTable:
    """Return the table of a file; `UsageError` for what is no table, and for bytes that are no text."""
    try:
        return _read_table(data)
    except (SubmissionError, UnicodeDecodeError, NotImplementedError) as error:
        raise UsageError(f"it cannot be read: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of calamine, at damaged workbooks: it is no `Exception`
            raise
        raise UsageError("it is a damaged workbook that cannot be read") from None


def _read_table(data: bytes) -> FileTable:
    data = unpack_gzip(data, FILE_BYTES)
    if not data.strip():
        raise UsageError("it is empty")
    found = _found(data)
    names, unmapped = _nameable(found.names)
    texts = parse(data, _reading_contract(found.form, names)).raw
    return FileTable(
        found.form, texts.drop("row"), [*unmapped, *found.unread], found.evidence, found.start, found.records
    )


def _found(data: bytes) -> _Found:
    kind = file_type(data, _members(data))
    if kind in {"xlsx", "xls", "ods", "xlsb"}:
        return _workbook(data, kind)
    if kind == "parquet":
        return _parquet(data)
    if kind == "json":
        return _json(data)
    if kind == "xml":
        return _xml(data)
    return _csv(data)


def _parquet(data: bytes) -> _Found:
    try:
        schema = pl.read_parquet_schema(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError(f"it is damaged Parquet: {str(error).splitlines()[0]}") from error
    nested = [name for name, dtype in schema.items() if dtype.is_nested()]
    return _Found({"type": "parquet"}, [name for name in schema if name not in nested], {}, unread=nested)


def _members(data: bytes) -> tuple[str, ...]:
    if not data.startswith(b"PK\x03\x04"):
        return ()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return tuple(archive.namelist())
    except zipfile.BadZipFile as error:
        raise UsageError(f"it is a damaged archive: {error}") from error


def _nameable(names: list[str]) -> tuple[list[str], list[str]]:
    """Return the names of columns that a contract can name, and what it has to name the others by to ignore them."""
    once = [name for name in dict.fromkeys(names) if name and names.count(name) == 1]
    others = [name or f"#{place}" for place, name in enumerate(names, start=1) if name not in once]
    return once, list(dict.fromkeys(others))


def _csv(data: bytes) -> _Found:
    table = split_text(data)
    spot = find_table(table.records)
    if spot is None:
        raise UsageError("no row of it names columns above rows of values")
    short = _short_rows(table.records, spot)
    form = table.form | _header_keys(spot) | ({"short_lines": "pad"} if short else {})
    if any('"' in cell for row in table.records for cell in row) and _quotes_are_text(data, form):
        form["quote"] = None
    return _Found(form, _trimmed(spot.names), table.evidence | {"header_row": spot.evidence} | short,
                  table.records[: spot.header_rows[-1]], table.records)  # fmt: skip


def _short_rows(records: list[list[str]], spot: TableSpot) -> dict[str, str]:
    """Return why rows that end before their last field are read, where most do; else nothing."""
    width = len(_trimmed(spot.names))
    rows = [row for row in records[spot.header_rows[-1] :] if any(row)]
    widths = Counter(len(row) for row in rows if len(row) < width)
    if 2 * widths.total() < len(rows) or not rows:
        return {}
    fields = widths.most_common(1)[0][0]
    why = f"{widths.total()} of {len(rows)} rows have fewer fields than the header: {fields}, not {width}"
    return {"short_lines": f"{why}; the last columns are read as empty: is that right?"}


def _quotes_are_text(data: bytes, form: dict[str, Any]) -> bool:
    """Return whether quotes stand inside fields only, never around one."""
    mark = f'{form["delimiter"]}"'.encode(form["encoding"] if form["encoding"] != "utf-16" else "utf-8")
    return mark not in data and not data.lstrip(b"\xef\xbb\xbf").startswith(b'"')


def _header_keys(spot: TableSpot) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    if len(spot.header_rows) > 1:
        keys["header_rows"] = spot.header_rows
    elif spot.header_rows != [1]:
        keys["header_row"] = spot.header_rows[0]
    return keys | ({"skip_footer": spot.footer} if spot.footer else {})


def _trimmed(names: list[str]) -> list[str]:
    """Return the names without the empty ones at the end, which a last delimiter makes."""
    while names and not names[-1]:
        names = names[:-1]
    return names


def _workbook(data: bytes, kind: str) -> _Found:
    """Return the sheet that has the most figures below a header."""
    import fastexcel  # only for workbooks

    try:
        book = fastexcel.read_excel(data)
        grids = {name: _grid(book, name, SAMPLED_ROWS) for name in book.sheet_names}
    except fastexcel.FastExcelError as error:
        raise UsageError(f"it is no workbook that can be read: {str(error).splitlines()[0]}") from error
    chosen = _chosen_sheet(grids)
    grid = _grid(book, chosen, None)
    spot = find_table(grid)
    if spot is None:
        raise UsageError(f"sheet {chosen!r} has no row that names columns above rows of values")
    form = {"type": kind} | ({"sheet": chosen} if len(grids) > 1 else {}) | _header_keys(spot)
    others = f"; the other sheets: {', '.join(n for n in grids if n != chosen)}" if len(grids) > 1 else ""
    evidence = {"sheet": f"the first of {len(grids)} sheets with many figures{others}", "header_row": spot.evidence}
    return _Found(form, _trimmed(spot.names), evidence, grid[: spot.header_rows[-1]], grid)


def _chosen_sheet(grids: dict[str, list[list[str]]]) -> str:
    """Return the first sheet with a table, unless another table has far more figures."""
    figures = {name: _count_numbers(grid) for name, grid in grids.items()}
    tables = [name for name in grids if find_table(grids[name]) is not None]
    if not tables:
        raise UsageError("none of its sheets has a row that names columns above rows of values")
    most = max(tables, key=lambda name: figures[name])
    return tables[0] if figures[tables[0]] * MUCH_MORE >= figures[most] else most


def _count_numbers(grid: list[list[str]]) -> int:
    return sum(bool(NUMBER_CELL.match(cell.strip())) for row in grid for cell in row)


def _grid(book: Any, sheet: str, rows: int | None) -> list[list[str]]:  # noqa: ANN401  fastexcel has no types
    cells = book.load_sheet(sheet, header_row=None, skip_rows=0, n_rows=rows, dtypes="string").to_arrow()
    frame = pl.DataFrame(cells)
    texts = frame.cast(pl.String).fill_null("").with_columns(pl.all().str.strip_suffix(" 00:00:00"))
    return [list(row) for row in texts.iter_rows()]


def _json(data: bytes) -> _Found:
    encoding, why = text_encoding(data)
    try:
        document = json.loads(data.decode(encoding).lstrip("\ufeff"))
    except ValueError as error:
        raise UsageError(f"it begins as JSON and is none: {error}") from error
    lists = _lists_of_objects(document, "")
    if not lists:
        raise UsageError("it has no list of objects, which would be rows")
    path, items = max(lists.items(), key=lambda pair: len(pair[1]))
    paths = _paths(document, "") if isinstance(document, dict) else {}
    paths.pop(path, None)
    for item in items:
        for name, is_list in _paths(item, f"{path}[].").items():
            paths[name] = is_list or paths.get(name, False)
    form = {"type": "json", "rows": path, "encoding": encoding}
    evidence = {"rows": f"the longest list of objects: {len(items)}", "encoding": why}
    names, unread = ([name for name, is_list in paths.items() if is_list is wanted] for wanted in (False, True))
    return _Found(form, names, evidence, unread=unread)


def _xml(data: bytes) -> _Found:
    finder = RowFinder()
    finder.read(data)
    rows = finder.rows()
    why = f"of the elements that hold texts it repeats the most: {finder.elements[rows]} times"
    names, unread = finder.columns(rows)
    return _Found({"type": "xml", "rows": rows}, names, {"rows": why}, unread=unread)


def _lists_of_objects(value: object, path: str) -> dict[str, list[dict[str, object]]]:
    """Return path -> list of objects, of all lists that are not inside another one."""
    if isinstance(value, list):
        objects = [each for each in value if isinstance(each, dict)]
        return {path: objects} if objects and len(objects) == len(value) else {}
    found: dict[str, list[dict[str, object]]] = {}
    for key, each in value.items() if isinstance(value, dict) else ():
        found |= _lists_of_objects(each, f"{path}.{key}" if path else key)
    return found


def _paths(value: dict[str, object], prefix: str) -> dict[str, bool]:
    """Return path -> whether a list is there, of the plain values and lists of an object."""
    paths: dict[str, bool] = {}
    for key, each in value.items():
        if isinstance(each, dict):
            paths |= _paths(each, f"{prefix}{key}.")
        else:
            paths[f"{prefix}{key}"] = isinstance(each, list)
    return paths


def _reading_contract(form: dict[str, Any], names: list[str]) -> Contract:
    """Return a contract by which every named column is read as text."""
    if not names:
        raise UsageError("none of its columns has a name of its own")
    title = {"nb": "-", "nn": "-", "en": "-"}
    claim = {"concept": "c", "reported_by": {"option": "sender"}, "unit_measure": {"value": "number"}}
    return Contract.model_validate({
        "contract": "draft", "version": 1, "obligation": "draft", "title": title, "agency": "-", "legal_basis": "-",
        "rhythm": "once", "hours_per_report": None, "sender": {"default": "draft"}, "format": form, "ignore": "rest",
        "unit": {"value": "-", "kind": "organisation"}, "period": {"option": "period", "type": "year"},
        "repeat": "error", "claims": [{**claim, "column": name} for name in names],
        "examples": [{"name": "none", "given": ""}],
    })  # fmt: skip
