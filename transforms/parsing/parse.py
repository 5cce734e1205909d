"""Delivered bytes to the raw frame: all text, nothing guessed, every row with its address."""

import codecs
from typing import Final

from schemas.contract import Contract
from schemas.errors import SubmissionError
from transforms.parsing.csv import read_csv
from transforms.parsing.gzip import unpack_gzip
from transforms.parsing.json import read_json
from transforms.parsing.raw_frame import ParseResult
from transforms.parsing.xlsx import read_xlsx

__all__ = ["FILE_BYTES", "ParseResult", "parse"]

FILE_BYTES: Final = (1 << 32) - (1 << 20)
"""The limit of one file: text is searched in one piece, which must stay below 4 GiB."""
_START: Final = 4096
_NOTHING: Final = (b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def parse(data: bytes, contract: Contract) -> ParseResult:
    """Return the rows of a submission as delivered; every row is in `raw` or, once, among the critical rejects.

    A gzipped file is unpacked first. Raises `SubmissionError` for an error of the whole file.
    """
    data = unpack_gzip(data, FILE_BYTES)
    if len(data) > FILE_BYTES:
        raise SubmissionError("too-large", f"{len(data)} bytes", f"at most {FILE_BYTES}", "Deliver it in parts.")
    if not data or (data[:_START].strip() in _NOTHING and data.strip() in _NOTHING):
        raise SubmissionError("empty-file", f"{len(data)} bytes", "a file with rows", "Was the right file delivered?")
    match contract.format.type:
        case "csv":
            return read_csv(data, contract)
        case "json":
            return read_json(data, contract)
        case "xlsx":
            return read_xlsx(data, contract)
        case "parquet":
            from transforms.parsing.parquet import read_parquet  # noqa: PLC0415  pyarrow takes half a second to load

            return read_parquet(data, contract)
