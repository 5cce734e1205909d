"""XML to the raw frame: a document that holds elements as rows.

A row's number is its position among the rows, from 1. An element that a document leaves out is an empty cell; one that
the contract does not name is an unknown column.
"""

import codecs
import re
from dataclasses import replace
from typing import Final

import polars as pl

from schemas.contract import Contract
from schemas.errors import SubmissionError
from schemas.reading_limits import ReadingLimits
from transforms.parsing.raw_frame import (
    ParseResult,
    check_columns,
    check_width,
    finish_parsing,
    parser_rejects,
)
from transforms.parsing.text import decode, repair
from transforms.parsing.xml.plan import plan_of
from transforms.parsing.xml.regular import read_regular
from transforms.parsing.xml.walk import MIXED, SEVERAL, Walker

_DECLARED: Final = re.compile(r"^\s*<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_START: Final = 1024
_ENCODINGS: Final = {
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8", "ascii": "utf-8", "utf-16": "utf-16",
    "iso-8859-1": "latin-1", "latin1": "latin-1", "iso-8859-15": "iso-8859-15", "windows-1252": "cp1252",
    "cp1252": "cp1252",
}  # fmt: skip
"""The encodings that a document may declare, and Python's codecs for them."""


def read_xml(data: bytes, contract: Contract, limits: ReadingLimits) -> ParseResult:
    """Return the rows of an XML document as delivered. Raises `SubmissionError`, `UnreadError`."""
    text = _utf8(data, contract)
    plan = plan_of(contract)
    found = read_regular(text, plan, limits)
    if found is None:
        walker = Walker(plan, limits)
        found = walker.read(text), walker
    raw, walker = found
    rows = contract.format.rows
    if not raw.height and not walker.met_rows:
        hint = "Compare the document with format.rows of the contract."
        root = f"a document <{walker.root}>" if walker.root else "nothing"
        raise SubmissionError("unreadable", root, f"rows at {rows!r}", hint)
    names = [*plan.names, *walker.unknown]
    check_width(len(names), limits)
    warnings = check_columns(names, contract)
    raw, unfit = _without_unfit(raw)
    return finish_parsing(raw, [warnings, unfit], nul=False, rejected=unfit.height)


def _utf8(data: bytes, contract: Contract) -> bytes:
    """Return the document as UTF-8, by the encoding that it declares, else by that of the contract."""
    codec = _codec(data) or contract.format.encoding
    try:
        if codec == "utf-8" and not contract.format.repairs:
            text = data.removeprefix(codecs.BOM_UTF8)
            if not text.isascii():
                decode(text, codec)
        else:
            text = repair(decode(data, codec), contract.format).encode()
    except SubmissionError as error:
        if error.code != "wrong-encoding":
            raise
        raise replace(error, hint="Deliver the document in the encoding that its first line declares.") from error
    return text.replace(b"\r\n", b"\n") if b"\r\n" in text else text


def _codec(data: bytes) -> str | None:
    """Return the codec of the encoding that a document shows or declares; None for neither."""
    start = data[:_START]
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"<\0", b"\0<"))
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8"
    name = _declared_encoding(start, wide=wide)
    if name and name not in _ENCODINGS:
        hint = "Save it as UTF-8 and deliver that."
        expected = "UTF-8, UTF-16, ISO-8859-1, ISO-8859-15 or windows-1252"
        raise SubmissionError("wrong-encoding", f"a document that declares {name!r}", expected, hint)
    if wide != (_ENCODINGS.get(name) == "utf-16") and name:
        found = "text in UTF-16" if wide else "text that is not UTF-16"
        hint = "Deliver the document in the encoding that it declares."
        raise SubmissionError("wrong-encoding", found, f"text in {name}, as the document declares", hint)
    return "utf-16" if wide else _ENCODINGS.get(name)


def _declared_encoding(start: bytes, *, wide: bool) -> str:
    """Return the name of the encoding that a document declares, "" for none. wide: whether it is UTF-16."""
    declared = _DECLARED.search(start.decode("utf-16" if wide and len(start) % 2 == 0 else "latin-1", "replace"))
    return declared[1].lower() if declared else ""


def _without_unfit(raw: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows whose cells hold one text each, and the rejects of the others: one for each row."""
    names = raw.columns[1:]
    texts = {SEVERAL: "several elements or attributes with a text", MIXED: "an element with others in it"}
    unfit = [pl.when(pl.col(name).is_in(list(texts))).then(pl.lit(name)) for name in names]
    first = raw.select(pl.coalesce(*unfit).alias("name")).to_series()
    bad = raw.filter(first.is_not_null()).with_columns(name=first.drop_nulls())
    cell = pl.coalesce(*(pl.when(pl.col(name).is_in(list(texts))).then(name) for name in names))
    rejects = parser_rejects(
        bad.select("row", "name", found=cell.replace_strict(texts, default="", return_dtype=pl.String)),
        "unreadable",
        expected="one element with one text",
        hint="Make the repeated element the rows of the contract (format.rows), or name it under `ignore`.",
        column=pl.col("name"),
    )
    return raw.filter(first.is_null()), rejects
