"""CSV and TSV of any dialect: bytes to the raw frame.

Polars reads well-formed text whole. Counting delimiters proves that it is well-formed; where cells are quoted, one
regular expression does. Only text that fails the proof is first split into records, by a grammar that skips a broken
record to the next line: one bad row costs one row.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import polars as pl

from schemas.contract import Contract, Format
from schemas.errors import SubmissionError
from transforms.parsing.raw_frame import (
    NO_REJECTS,
    ParseResult,
    check_columns,
    finish_parsing,
    name_columns,
    parser_rejects,
)
from transforms.parsing.text import decode, to_utf8
from transforms.rejects import cut

_PROVABLE_COLUMNS: Final = 200
"""With more columns the proving expression is too large for the regular-expression engine's fast automaton."""
_POLARS_REFUSES: Final = (
    pl.exceptions.ComputeError,
    pl.exceptions.SchemaError,
    pl.exceptions.NoDataError,
    pl.exceptions.ShapeError,
)


@dataclass(frozen=True)
class _Header:
    """The columns' names, the lines and bytes up to the end of the header, and the number of the record after it."""

    names: list[str]
    lines: int
    bytes: int
    next_row: int

    @cached_property
    def width(self) -> int:
        """How many fields a record has."""
        return len(self.names)

    @cached_property
    def least(self) -> int:
        """How many fields a record has at least: trailing columns without a name may be missing."""
        return max(i for i, name in enumerate(self.names, start=1) if name)


def read_csv(data: bytes, contract: Contract) -> ParseResult:
    """Return the rows of a CSV file as delivered. Raises `SubmissionError`."""
    text = to_utf8(data, contract)
    if b"\n" not in text and b"\r" in text:
        text = text.replace(b"\r", b"\n")
    header = _header(text, contract.format)
    warnings = check_columns(header.names, contract)
    frame = _read_whole(text, header, contract.format)
    rejects = NO_REJECTS
    if frame is None:
        frame, rejects = _read_by_record(text, header, contract.format)
    raw, unnamed = name_columns(frame, header.names, contract)
    return finish_parsing(raw, [warnings, unnamed, rejects], nul=b"\0" in text)


def _header(text: bytes, form: Format) -> _Header:
    sizes: list[int] = []
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE
    reader = csv.reader(
        _lines(text, sizes), delimiter=form.delimiter, quotechar=form.quote, quoting=quoting, strict=True
    )
    names: list[str] = []
    try:
        for _ in range(form.header_row):
            names = next(reader)
    except StopIteration:
        hint = "Was the right file delivered?"
        raise SubmissionError("empty-file", f"{len(sizes)} lines", "a header and rows", hint) from None
    except csv.Error as error:
        expected = "a record that names the columns"
        raise SubmissionError("unreadable", str(error), expected, "Is a quote missing?", row=form.header_row) from error
    names = [name if name.strip() else "" for name in names]
    return _Header(names, len(sizes), sum(sizes), form.header_row + 1)


def _lines(text: bytes, sizes: list[int]) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find(b"\n", start) + 1 or len(text)
        sizes.append(end - start)
        yield decode(text[start:end], "utf-8", start)
        start = end


def _read(text: bytes, header: _Header, form: Format, *, skip_lines: int = 0) -> pl.DataFrame:
    return pl.read_csv(
        text,
        has_header=False,
        schema={str(i): pl.String for i in range(header.width)},
        separator=form.delimiter,
        quote_char=form.quote,
        skip_lines=skip_lines,
        empty_string_is_null=False,
        missing_columns="insert",
        row_index_name="row",
        row_index_offset=header.next_row,
    ).with_columns(pl.col("row").cast(pl.Int32))


def _read_whole(text: bytes, header: _Header, form: Format) -> pl.DataFrame | None:
    """Return all rows (row, "0", "1", ...), or None if it is not certain that each is as wide as the header."""
    if header.width == 1 or text[header.bytes : header.bytes + 1] in {b"", b"\r", b"\n"}:
        return None
    try:
        frame = _read(text, header, form, skip_lines=header.lines)
    except _POLARS_REFUSES:
        return None
    if form.quote is None or text.find(form.quote.encode(), header.bytes) < 0:
        # Polars refuses rows that are too long, so the count is right only if no row is too short.
        proved = text.count(form.delimiter.encode(), header.bytes) == frame.height * (header.width - 1)
    else:
        proved = header.width <= _PROVABLE_COLUMNS and _is_regular(text[header.bytes :], header.width, form)
    return frame if proved else None


def _is_regular(body: bytes, width: int, form: Format) -> bool:
    return bool(_series(body).str.contains(rf"\A(?:{_regular(width, width, form)}(?:\r?\n|\z))*\z")[0])


def _regular(least: int, most: int, form: Format) -> str:
    """Return the expression of a record with that many cells, each quoted as a whole or without any quote."""
    d, q = _escaped(form.delimiter), _escaped(form.quote)
    cell = f"(?:{q}(?:[^{q}]|{q}{q})*{q}|[^{q}{d}\\n]*)" if q else f"[^{d}\\n]*"
    return f"{cell}(?:{d}{cell}){{{least - 1},{most - 1}}}"


def _series(body: bytes) -> pl.Series:
    return pl.Series("record", [body], dtype=pl.Binary).cast(pl.String)


def _escaped(character: str | None) -> str:
    return f"\\x{{{ord(character):x}}}" if character else ""


def _read_by_record(text: bytes, header: _Header, form: Format) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows as wide as the header (row, "0", "1", ...) and the rejects of the others."""
    body = text[header.bytes :]
    decode(body, "utf-8", header.bytes)
    if form.quote and form.quote.encode() not in body:
        form = form.model_copy(update={"quote": None})
    records = _records(body, form).with_row_index("row", offset=header.next_row)
    records = records.with_columns(pl.col("row").cast(pl.Int32), found=pl.col("record").str.strip_chars_end("\r\n"))
    records = records.filter(pl.col("found") != "")
    regular = records.select(_fits(header, form)).to_series()
    irregular = records.filter(~regular).with_columns(_field_count(form)).with_columns(_reason(header))
    bad = irregular.filter(pl.col("reason") != "")
    good = records.join(bad.select("row"), on="row", how="anti", maintain_order="left") if bad.height else records
    frame = pl.DataFrame(schema={"row": pl.Int32, **{str(i): pl.String for i in range(header.width)}})
    if good.height:
        frame = _read(good["record"].str.join("")[0].encode(), header, form).with_columns(good["row"])
    return frame, _row_rejects(bad, header)


def _records(body: bytes, form: Format) -> pl.DataFrame:
    """Split text into records (record, line end included); where quotes do not pair, the line is a broken record."""
    record, broken = _record(form), r"[^\n]*\n?"
    return _series(body).str.extract_all(f"{record}|{broken}" if form.quote else broken).explode().to_frame()


def _record(form: Format) -> str:
    """Return the expression of a record of any number of cells, line end included.

    A quote inside a cell that does not begin with one is literal, if the cell holds an even number of them. A laxer
    rule would make the search superlinear: with this one, two readings of a place never both survive a line end.
    """
    d, q = _escaped(form.delimiter), _escaped(form.quote)
    bare = f"(?:[^{q}{d}\\n]+(?:{q}[^{q}{d}\\n]*{q}[^{q}{d}\\n]*)*)?"
    cell = f"(?:{_quoted(form)}|{bare})" if q else f"[^{d}\\n]*"
    return rf"{cell}(?:{d}{cell})*(?:\r?\n|\r?\z)"


def _quoted(form: Format) -> str:
    q = _escaped(form.quote)
    return f"{q}(?:[^{q}]|{q}{q})*{q}"


def _fits(header: _Header, form: Format) -> pl.Expr:
    if header.width > _PROVABLE_COLUMNS:
        return pl.col("record").is_null()
    return pl.col("record").str.contains(rf"\A{_regular(header.least, header.width, form)}(?:\r?\n|\r?\z)\z")


def _field_count(form: Format) -> pl.Expr:
    """Return `fields`: how many fields a record has, null where its quotes do not pair."""
    record = pl.col("record")
    plain = record.str.replace_all(_quoted(form), "") if form.quote else record
    fields = plain.str.count_matches(form.delimiter, literal=True).cast(pl.Int32) + 1
    return pl.when(record.str.contains(rf"\A{_record(form)}\z")).then(fields).alias("fields")


def _reason(header: _Header) -> pl.Expr:
    """Return `reason`: why a record is rejected, "" if it is not."""
    fields = pl.col("fields")
    long, short = fields > header.width, fields < header.least
    reason = pl.when(fields.is_null()).then(pl.lit("unreadable")).when(long).then(pl.lit("too-many-fields"))
    return reason.when(short).then(pl.lit("too-few-fields")).otherwise(pl.lit("")).alias("reason")


def _row_rejects(bad: pl.DataFrame, header: _Header) -> pl.DataFrame:
    records = bad.with_columns(
        pl.when(pl.col("fields").is_null())
        .then(pl.col("found"))
        .otherwise(pl.format("{} fields: {}", pl.col("fields"), pl.col("found")))
        .alias("found")
    )
    return parser_rejects(
        records,
        pl.col("reason"),
        expected=pl.when(pl.col("fields").is_null())
        .then(pl.lit("quotes in pairs, a delimiter or the end of the line after each cell"))
        .otherwise(pl.lit(cut(f"{header.width} fields"))),
        hint="Correct the row and deliver again, or declare the repair in format.repairs of the contract.",
    )
