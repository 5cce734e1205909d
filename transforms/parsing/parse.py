"""Delivered bytes to the raw frame: all text, nothing guessed, every row with its address."""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeAlias

import polars as pl

from schemas.contract import Contract
from schemas.contract_parts import FileType
from schemas.errors import SubmissionError
from schemas.reading_limits import DEFAULT_LIMITS, ReadingLimits
from transforms.parsing.csv import read_csv
from transforms.parsing.file_kind import check_text_file
from transforms.parsing.fixed_width import read_fixed_width
from transforms.parsing.gzip import unpack_gzip
from transforms.parsing.json import read_json
from transforms.parsing.raw_frame import ParseResult, check_shape, parser_rejects
from transforms.parsing.sdmx_csv import read_sdmx_csv
from transforms.parsing.shapes.columns_to_rows import columns_to_rows
from transforms.parsing.text import old_encoding
from transforms.rejects import LOST_LINES, LOST_LINES_HINT, WHOLE_SUMS

__all__ = ["FILE_BYTES", "ParseResult", "parse"]

FILE_BYTES: Final = (1 << 32) - (1 << 20)
"""The limit of one file: text is searched in one piece, which must stay below 4 GiB."""
FormatReader: TypeAlias = Callable[[bytes, Contract, ReadingLimits], ParseResult]
"""Reads the bytes of one format; raises `SubmissionError`, `UnreadError`."""
_READERS: Final[dict[str, FormatReader]] = {
    "csv": read_csv, "json": read_json, "fixed_width": read_fixed_width, "sdmx_csv": read_sdmx_csv
}  # fmt: skip
_TEXTS: Final = ("csv", "json", "fixed_width", "sdmx_csv")
_START: Final = 4096
_NOTHING: Final = (b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def parse(data: bytes, contract: Contract, limits: ReadingLimits = DEFAULT_LIMITS) -> ParseResult:
    """Return the rows of a submission; every delivered row is in `raw` or, once, among the critical rejects.

    A gzipped file is unpacked first. Raises `SubmissionError` for an error of the whole file, `UnreadError` if it has
    more rows, columns or cells than the limits say.
    """
    data = unpack_gzip(data, FILE_BYTES)
    if len(data) > FILE_BYTES:
        raise SubmissionError("too-large", f"{len(data)} bytes", f"at most {FILE_BYTES}", "Deliver it in parts.")
    if not data or (data[:_START].strip() in _NOTHING and data.strip() in _NOTHING):
        raise SubmissionError("empty-file", f"{len(data)} bytes", "a file with rows", "Was the right file delivered?")
    if contract.format.type in {*_TEXTS, "xml"}:
        check_text_file(data, contract.format)
    result = _read(data, contract, limits)
    check_shape(result.delivered, result.raw.width - 1, limits)
    if contract.unpivot and contract.format.sheets is None:
        result = replace(result, raw=columns_to_rows(result.raw, contract))
    return replace(result, rejects=pl.concat([result.rejects, *_warnings(data, result, contract)]))


def _warnings(data: bytes, result: ParseResult, contract: Contract) -> Iterator[pl.DataFrame]:
    """Yield the warnings about the whole file: sums may lack rejected rows, letters are those of another encoding."""
    form = contract.format
    if result.unread and contract.repeat == "sum":
        found = LOST_LINES.format(result.unread)
        yield _warning("rejected-twin", found, WHOLE_SUMS, LOST_LINES_HINT)
    if form.type in _TEXTS and form.encoding in {"cp1252", "latin-1"} and (likely := old_encoding(data)):
        hint = f"Look at the letters; if they are wrong, change format.encoding in the contract to {likely}."
        yield _warning("wrong-encoding", f"letters of {likely}", f"text in {form.encoding}", hint)


def _warning(reason: str, found: str, expected: str, hint: str) -> pl.DataFrame:
    rows = pl.DataFrame({"row": None, "found": found}, schema={"row": pl.Int32, "found": pl.String})
    return parser_rejects(rows, reason, expected=expected, hint=hint, severity="warning")


def _read(data: bytes, contract: Contract, limits: ReadingLimits) -> ParseResult:
    form = contract.format.type
    read = _READERS.get(form) or _late_reader(form)
    return read(data, contract, limits)


def _late_reader(form: FileType) -> FormatReader:
    """Return a reader that is imported only where it is needed: the start of each reading process counts."""
    match form:
        case "xml":
            from transforms.parsing.xml.read import read_xml

            return read_xml
        case "xlsx":
            from transforms.parsing.xlsx import read_xlsx

            return read_xlsx
        case "parquet":
            from transforms.parsing.parquet import read_parquet  # pyarrow takes half a second to load

            return read_parquet
        case _:
            from transforms.parsing.workbook.other import read_other_workbook

            return read_other_workbook
