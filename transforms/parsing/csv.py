"""CSV and TSV of any dialect: bytes to the raw frame.

Polars reads well-formed text whole. Counting delimiters proves that it is well-formed; where cells are quoted, one
regular expression does. Only text that fails the proof is first split into records, by a grammar that skips a broken
record to the next line: one bad row costs one row. `csv_header` reads the header.
"""

from typing import Final

import polars as pl

from schemas.contract import Contract, Format
from schemas.reading_limits import ReadingLimits
from transforms.parsing.csv_header import Header, plain_lines, read_header
from transforms.parsing.raw_frame import (
    NO_REJECTS,
    ParseResult,
    check_columns,
    check_width,
    finish_parsing,
    known_names,
    name_columns,
    parser_rejects,
)
from transforms.parsing.shapes.table_edges import cut_notes
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


def read_csv(data: bytes, contract: Contract, limits: ReadingLimits) -> ParseResult:
    """Return the rows of a CSV file as delivered. Raises `SubmissionError`, `UnreadError`."""
    text = plain_lines(to_utf8(data, contract), contract.format)
    return read_rows(text, read_header(text, contract.format), contract, limits)


def read_rows(text: bytes, header: Header, contract: Contract, limits: ReadingLimits) -> ParseResult:
    """Return the rows of a text below its header. Raises `SubmissionError`, `UnreadError`."""
    check_width(header.width, limits)
    text, notes = cut_notes(text, header.bytes, contract.format)
    names = known_names(header.names, contract)
    warnings = check_columns(names, contract)
    frame = _read_whole(text, header, contract.format)
    rejects, rejected = NO_REJECTS, 0
    if frame is None:
        frame, rejects, rejected = _read_by_record(text, header, contract.format)
    raw, unnamed = name_columns(_filled_rows(frame, ascii_only=text.isascii()), names, contract)
    return finish_parsing(raw, [warnings, unnamed, rejects], nul=b"\0" in text, rejected=rejected, ignored=notes)


def _filled_rows(frame: pl.DataFrame, *, ascii_only: bool) -> pl.DataFrame:
    """Return the rows without those that hold nothing but delimiters: spreadsheets write them, and they are no rows."""
    least = frame["0"].min()
    if not isinstance(least, str) or (ascii_only and least >= "!"):  # the blanks of ASCII are less than any other cell
        return frame
    if not frame.select((pl.col("0").str.strip_chars() == "").any()).item():
        return frame
    return frame.filter(pl.any_horizontal(pl.exclude("row").str.strip_chars() != ""))


def _read(text: bytes, header: Header, form: Format, *, skip_lines: int = 0) -> pl.DataFrame:
    frame = pl.read_csv(
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
    )
    return frame.replace_column(0, frame["row"].cast(pl.Int32))


def _read_whole(text: bytes, header: Header, form: Format) -> pl.DataFrame | None:
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


def _read_by_record(text: bytes, header: Header, form: Format) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Return the rows as wide as the header (row, "0", "1", ...), the rejects of the others, and how many those are."""
    body = text[header.bytes :]
    decode(body, "utf-8", header.bytes)
    if form.quote and form.quote.encode() not in body:
        form = form.model_copy(update={"quote": None})
    records = _records(body, form).with_row_index("row", offset=header.next_row)
    blank = pl.col("record").str.strip_chars(f"\r\n \t{form.delimiter}") == ""
    records = records.filter(~blank).with_columns(pl.col("row").cast(pl.Int32))
    regular = records.select(_fits(header, form)).to_series()
    irregular = records.filter(~regular).with_columns(_field_count(form)).with_columns(_reason(header))
    bad = irregular.filter(pl.col("reason") != "")
    good = records.join(bad.select("row"), on="row", how="anti", maintain_order="left") if bad.height else records
    frame = pl.DataFrame(schema={"row": pl.Int32, **{str(i): pl.String for i in range(header.width)}})
    if good.height:
        frame = _read(good["record"].str.join("")[0].encode(), header, form).with_columns(good["row"])
        frame = frame.with_columns(pl.exclude("row").fill_null("")) if header.pads else frame
    return frame, _row_rejects(bad, header), bad.height


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


def _fits(header: Header, form: Format) -> pl.Expr:
    if header.width > _PROVABLE_COLUMNS:
        return pl.col("record").is_null()
    return pl.col("record").str.contains(rf"\A{_regular(header.least, header.width, form)}(?:\r?\n|\r?\z)\z")


def _field_count(form: Format) -> pl.Expr:
    """Return `fields`: how many fields a record has, null where its quotes do not pair."""
    record = pl.col("record")
    plain = record.str.replace_all(_quoted(form), "") if form.quote else record
    fields = plain.str.count_matches(form.delimiter, literal=True).cast(pl.Int32) + 1
    return pl.when(record.str.contains(rf"\A{_record(form)}\z")).then(fields).alias("fields")


def _reason(header: Header) -> pl.Expr:
    """Return `reason`: why a record is rejected, "" if it is not."""
    fields = pl.col("fields")
    long, short = fields > header.width, fields < header.least
    reason = pl.when(fields.is_null()).then(pl.lit("unreadable")).when(long).then(pl.lit("too-many-fields"))
    return reason.when(short).then(pl.lit("too-few-fields")).otherwise(pl.lit("")).alias("reason")


def _row_rejects(bad: pl.DataFrame, header: Header) -> pl.DataFrame:
    """Return the rejects of broken rows; they show how a row is broken, and nothing that it holds."""
    length = pl.col("record").str.strip_chars_end("\r\n").str.len_chars()
    records = bad.with_columns(
        pl.when(pl.col("fields").is_null())
        .then(pl.format("a quote without its pair, in a line of {} characters", length))
        .otherwise(pl.format("{} fields", pl.col("fields")))
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
