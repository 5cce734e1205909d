"""Delivered bytes to the raw frame: all text, nothing guessed, every row's address kept."""

import codecs
from typing import Final

from schemas.contract import Contract
from schemas.errors import SubmissionError
from transforms.parsing.csv import read_csv
from transforms.parsing.gzip import unpacked
from transforms.parsing.json import read_json
from transforms.parsing.raw_frame import Parsed
from transforms.parsing.xlsx import read_xlsx

__all__ = ["FILE_BYTES", "Parsed", "parse"]

FILE_BYTES: Final = (1 << 32) - (1 << 20)
"""The most that one file may hold: text is searched in one piece, which may not reach 4 GiB."""
_START: Final = 4096
_NOTHING: Final = (b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def parse(data: bytes, contract: Contract) -> Parsed:
    """Return the rows of a submission as delivered; every row is in `raw` or, once, among the critical rejects.

    A gzipped file is read as what it holds. Raises `SubmissionError` for what concerns the whole file.
    """
    data = unpacked(data, FILE_BYTES)
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
