"""Fixed width: lines of one length, whose fields have their places in the contract; to the raw frame.

A line that is too long or too short is rejected alone. A line that was cut off looks like one whose blanks at the end
some program removed, so a short line is read only where the contract says that it is padded.
"""

import codecs

import polars as pl

from schemas.contract import Contract, Format
from schemas.contract_parts import FixedField
from schemas.reading_limits import ReadingLimits
from transforms.parsing.csv_header import plain_lines
from transforms.parsing.raw_frame import NO_REJECTS, ParseResult, check_width, finish_parsing, parser_rejects
from transforms.parsing.shapes.columns_to_rows import mapped_columns
from transforms.parsing.text import decode, to_utf8


def read_fixed_width(data: bytes, contract: Contract, limits: ReadingLimits) -> ParseResult:
    """Return the rows of a file of fixed width as delivered; a row's number is that of its line, blank lines counted.

    Raises `SubmissionError`, `UnreadError`.
    """
    form = contract.format
    check_width(len(form.fields), limits)
    text = plain_lines(to_utf8(data, contract), form.model_copy(update={"quote": None}))
    text = text.removeprefix(codecs.BOM_UTF8)
    if not text.isascii():
        decode(text, "utf-8")
    lines = _lines(text)
    wrong = lines.filter(_wrong_length(form)).select("row", length=pl.col("line").str.len_chars())
    rejects = NO_REJECTS
    if wrong.height:
        lines = lines.join(wrong, on="row", how="anti", maintain_order="left")
        rejects = _length_rejects(wrong, form)
    fields = {field.name: field for field in form.fields}
    raw = lines.select(
        "row",
        *(
            _cell(fields[name], form).alias(name)
            for name in mapped_columns([field.name for field in form.fields], contract)
        ),
    )
    return finish_parsing(raw, [rejects], nul=b"\0" in text, rejected=wrong.height)


def _lines(text: bytes) -> pl.DataFrame:
    """Return row and line of the lines that are not blank."""
    if not text:
        return pl.DataFrame(schema={"row": pl.Int32, "line": pl.String})
    lines = pl.read_lines(text, name="line", row_index_name="row", row_index_offset=1)
    line = pl.col("line").str.strip_suffix("\r")
    return lines.select(pl.col("row").cast(pl.Int32), line).filter(line.str.strip_chars() != "")


def _wrong_length(form: Format) -> pl.Expr:
    """Return whether a line is no record: more text than the fields have place for, or less."""
    width = max(field.end for field in form.fields)
    line = pl.col("line")
    long = line.str.slice(width).str.strip_chars() != ""
    return long if form.short_lines == "pad" else long | (line.str.len_chars() < width)


def _length_rejects(wrong: pl.DataFrame, form: Format) -> pl.DataFrame:
    width = max(field.end for field in form.fields)
    cut_in = [pl.when(pl.col("length") < field.end).then(pl.lit(field.name)) for field in form.fields]
    return parser_rejects(
        wrong.with_columns(found=pl.format("a line of {} characters", "length")),
        "wrong-length",
        expected=f"{width} characters",
        hint="Deliver whole lines. If blanks at their ends were removed, declare `short_lines: pad` in the contract.",
        column=pl.coalesce(*cut_in) if form.short_lines == "reject" else None,
    )


def _cell(field: FixedField, form: Format) -> pl.Expr:
    """Return the text of a field without the blanks around it, with the decimal mark that it implies."""
    cell = pl.col("line").str.slice(field.start - 1, field.length).str.strip_chars(" \u00a0\t")
    if field.empty:
        return pl.when(cell == "").then(pl.lit(field.empty)).otherwise(cell)
    if not field.decimals:
        return cell
    whole = cell.str.contains("^[+-]?[0-9]+$")
    digits = cell.str.zfill(field.decimals + 2)  # with room for a sign
    marked = digits.str.replace(f"^(.*)(.{{{field.decimals}}})$", "${1}" + form.decimal + "${2}")
    return pl.when(whole).then(marked.str.replace("^([+-]?)0+([0-9])", "${1}${2}")).otherwise(cell)
