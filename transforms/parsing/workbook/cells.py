"""A sheet's cells as its XML has them: where they are, and the texts of those that the reader gives in another form.

The reader (calamine) rounds numbers to nine decimals, turns times of day into days of 1899 and does not mark
percentages or formulas without a result. The XML is scanned in pieces that end with a row, each by expressions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Final

import polars as pl

from schemas.contract import Format
from schemas.errors import SubmissionError, UnreadError
from schemas.reading_limits import ReadingLimits
from transforms.parsing.workbook.formats import PERCENT, number_texts
from transforms.parsing.workbook.package import HINT, WORKBOOK

ROW_BYTES: Final = 64 << 20
"""The limit of one row's XML."""
_PIECE: Final = 8 << 20
_LAST_ROW: Final = re.compile(rb".*(?:</(?:\w+:)?row>)", re.DOTALL)
_MERGED: Final = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref\s*=\s*[\"']([A-Z]{1,4})(\d{1,9})(?::[A-Z]{1,4}\d{1,9})?")
_TAGS: Final = (
    r"(?s)<(?:\w+:)?row\b[^>]*>"
    r"|<(?:\w+:)?c\b(?:[^>]*/>|[^>]*>.*?</(?:\w+:)?c>)"
)
_EXACT_DIGITS: Final = 15
"""A whole number of more digits is no longer exact where Excel stores it as a float."""
_POSITION: Final = pl.Schema({"row": pl.Int64, "column": pl.Int64})
_TEXT: Final = pl.Schema({"row": pl.Int64, "column": pl.Int64, "text": pl.String})


@dataclass
class SheetScan:
    """What the XML of a sheet has: its size, texts that replace the reader's, formulas without a result, merged cells.

    texts: row, column (from 1), text. formulas, percents: row, column of cells without a result, and shown in percent.
    shared: the numbers of the shared texts that are shown.
    """

    rows: int = 0
    first_column: int = 1 << 20
    last_column: int = 0
    texts: list[pl.DataFrame] = field(default_factory=list)
    formulas: list[pl.DataFrame] = field(default_factory=list)
    percents: list[pl.DataFrame] = field(default_factory=list)
    shared: list[pl.Series] = field(default_factory=list)
    merged: list[tuple[str, int]] = field(default_factory=list)

    def all_texts(self) -> pl.DataFrame:
        """Return the texts that replace the reader's."""
        return pl.concat(self.texts) if self.texts else pl.DataFrame(schema=_TEXT)

    def all_formulas(self) -> pl.DataFrame:
        """Return where formulas without a result are."""
        return pl.concat(self.formulas) if self.formulas else pl.DataFrame(schema=_POSITION)

    def all_percents(self) -> pl.DataFrame:
        """Return where numbers that are shown in percent are."""
        return pl.concat(self.percents) if self.percents else pl.DataFrame(schema=_POSITION)


@dataclass(frozen=True)
class SheetStyle:
    """How the numbers of a sheet are shown: the contract's notation, the kinds of styles, the first day."""

    form: Format
    kinds: dict[int, str]
    since_1904: bool


def scan_sheet(pieces: Iterator[bytes], style: SheetStyle, limits: ReadingLimits) -> SheetScan:
    """Return what a sheet's XML has. Raises `SubmissionError`; `UnreadError` for too many cells, empty ones too."""
    scan, row = SheetScan(), 0
    for piece in _whole_rows(pieces):
        scan.merged += [(letters.decode(), int(number)) for letters, number in _MERGED.findall(piece)]
        row = _scan_piece(piece, row, scan, style)
        cells = scan.rows * (scan.last_column - min(scan.first_column, scan.last_column) + 1)
        if cells > limits.sheet_cells:  # the reader allocates all of them
            problem = f"its sheet has {scan.rows} rows and {scan.last_column} columns"
            hint = "deliver it in parts, without a stray cell far out, or raise ENGANG_READ_SHEET_CELLS"
            problem += f", and at most {limits.sheet_cells} cells are read, empty ones too"
            raise UnreadError(f"{problem}; {hint} and run `engang inbox retry`")
    return scan


def _whole_rows(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the XML in pieces that end with a row, and at last the rest."""
    rest: list[bytes] = []
    size = 0
    for piece in pieces:
        rest.append(piece)
        size += len(piece)
        if size < _PIECE:
            continue
        text = b"".join(rest)
        whole = _LAST_ROW.match(text)
        if whole is not None:
            yield whole[0]
            text = text[whole.end() :]
        elif size > ROW_BYTES:
            hint = "Deliver fewer columns, or CSV."
            raise SubmissionError("too-large", f"a row of over {ROW_BYTES} bytes", "shorter rows", hint)
        rest, size = [text], len(text)
    yield b"".join(rest)


def xml_text(piece: bytes) -> pl.Series:
    """Return a piece of a sheet's XML as a column of one text. Raises `SubmissionError`."""
    try:
        return pl.Series("tag", [piece], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise SubmissionError("unreadable", "a sheet that is not UTF-8", WORKBOOK, HINT) from error


def _scan_piece(piece: bytes, row: int, scan: SheetScan, style: SheetStyle) -> int:
    """Add the cells of a piece to the scan; return the number of its last row."""
    text = xml_text(piece)
    cells = _cells(text.str.extract_all(_TAGS).explode().drop_nulls().to_frame(), row)
    last = cells.select(pl.col("row").max()).item() if cells.height else row
    cells = cells.filter(~pl.col("is_row"))
    valued = cells.filter(pl.col("valued"))
    if valued.height:
        first, final, rows = valued.select(
            pl.col("column").min().alias("first"), pl.col("column").max().alias("last"), pl.col("row").max()
        ).row(0)
        scan.first_column, scan.last_column = min(scan.first_column, first), max(scan.last_column, final)
        scan.rows = max(scan.rows, rows)
    _add_texts(valued, scan, style)
    lacking = cells.filter(pl.col("formula") & (pl.col("value").fill_null("") == "") & (pl.col("type") != "str"))
    if lacking.height:
        scan.formulas.append(lacking.select(_POSITION.names()))
    return int(last)


def _cells(tags: pl.DataFrame, before: int) -> pl.DataFrame:
    """Return the rows and cells: is_row, row, column, type, style, value, formula, valued."""
    tag = pl.col("tag")
    opening = tag.str.extract("^(<[^>]*>)", 1)
    letters = pl.col("opening").str.extract(r"\sr\s*=\s*[\"']([A-Z]{1,4})\d", 1)
    number = pl.col("opening").str.extract(r"\sr\s*=\s*[\"'][A-Z]{0,4}(\d{1,9})", 1).cast(pl.Int64, strict=False)
    cells = tags.with_columns(opening=opening, is_row=tag.str.contains(r"^<(?:\w+:)?row\b"))
    cells = cells.with_columns(letters=letters, number=number, sequence=pl.col("is_row").cum_sum() + before)
    # A row or a cell without an address follows the one before it.
    at = pl.when("is_row").then(pl.coalesce("number", "sequence")).forward_fill()
    cells = cells.with_columns(row=pl.coalesce(pl.when(~pl.col("is_row")).then("number"), at, pl.col("sequence")))
    place = (~pl.col("is_row")).cum_sum().over("sequence")
    columns = {name: _column(name) for name in cells["letters"].unique().drop_nulls()}
    known = pl.col("letters").replace_strict(columns, default=None, return_dtype=pl.Int64)
    value = tag.str.extract(r"<(?:\w+:)?v\b[^>]*>([^<]*)<", 1)
    return cells.select(
        "is_row", "row",
        pl.coalesce(known, place.cast(pl.Int64)).alias("column"),
        pl.col("opening").str.extract(r"\st\s*=\s*[\"'](\w+)", 1).fill_null("n").alias("type"),
        pl.col("opening").str.extract(r"\ss\s*=\s*[\"'](\d{1,9})", 1).cast(pl.Int64).alias("style"),
        value.str.strip_chars().alias("value"),
        tag.str.contains(r"<(?:\w+:)?f\b").alias("formula"),
        (value.is_not_null() | tag.str.contains(r"<(?:\w+:)?is\b")).alias("valued"),
    )  # fmt: skip


def _add_texts(valued: pl.DataFrame, scan: SheetScan, style: SheetStyle) -> None:
    errors = valued.filter(pl.col("type") == "e").select("row", "column", text="value")
    shared = valued.filter(pl.col("type") == "s")["value"].cast(pl.UInt32, strict=False).drop_nulls()
    if shared.len():
        scan.shared.append(shared)
    numbers = valued.filter((pl.col("type") == "n") & (pl.col("value") != ""))
    kinds = pl.col("style").replace_strict(style.kinds, default=None, return_dtype=pl.String)
    numbers = numbers.with_columns(kind=kinds, number=pl.col("value").cast(pl.Float64, strict=False))
    percents = numbers.filter(pl.col("kind") == PERCENT).select(_POSITION.names())
    scan.percents += [percents] if percents.height else []
    whole = pl.col("value").str.contains("^-?[0-9]+$")
    other = numbers.filter(pl.col("number").is_not_null() & (pl.col("kind").is_not_null() | ~whole))
    long = numbers.filter(pl.col("kind").is_null() & whole & (pl.col("value").str.len_bytes() > _EXACT_DIGITS))
    texts = [errors, long.select("row", "column", text="value")]
    if other.height:
        found = number_texts(other, style.form, since_1904=style.since_1904)
        texts.append(other.select("row", "column").with_columns(found.alias("text")))
    scan.texts += [frame.cast(_TEXT) for frame in texts if frame.height]


def _column(letters: str) -> int:
    return reduce(lambda number, letter: number * 26 + ord(letter) - ord("A") + 1, letters, 0)
