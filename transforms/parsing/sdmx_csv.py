"""SDMX-CSV 2.0 (and 1.0): CSV whose header names the structure first, then dimensions, measures and attributes.

Columns are named by their ids, whatever labels are added to them. A row without an action has `I`, information, which
adds or changes the observation, as `A` (append) and `M` (merge) do; `R` replaces it and `D` deletes it.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import polars as pl

from schemas.contract import Contract
from schemas.errors import SubmissionError
from schemas.reading_limits import ReadingLimits
from transforms.parsing.csv import read_rows
from transforms.parsing.csv_header import plain_lines, read_header
from transforms.parsing.raw_frame import ParseResult
from transforms.parsing.text import to_utf8

ACTION: Final = "ACTION"
INFORMATION: Final = "I"
_STRUCTURE: Final = ("STRUCTURE", "STRUCTURE_ID", "STRUCTURE_NAME", "DATAFLOW")
"""Columns that name the structure: they are the same in every row, and need no mention in a contract."""
_FIRST: Final = re.compile(
    rb"^(?:\xef\xbb\xbf)?\"?(?:STRUCTURE|DATAFLOW)(?:\[(.)\])?(?:: [^\",;\t|\r\n]*)?\"?([,;\t|])"
)
"""The name of the first column, what is between the values of one cell, and the delimiter after it."""
_LABEL: Final = re.compile(r"^([A-Za-z][A-Za-z0-9_@$-]*)(?:\[.\])?(: .*)?$", re.DOTALL)
_LABELLED: Final = r"^([A-Za-z0-9_@$-]+): "
"""A code with its name."""


def read_sdmx_csv(data: bytes, contract: Contract, limits: ReadingLimits) -> ParseResult:
    """Return the rows of an SDMX-CSV file as delivered. Raises `SubmissionError`, `UnreadError`."""
    text = plain_lines(to_utf8(data, contract), contract.format)
    first = _FIRST.search(text)
    if first is None:
        hint = "Is it SDMX-CSV 2.0? Plain CSV has `type: csv` in the contract."
        raise SubmissionError("unreadable", "another header", "a header that begins with STRUCTURE", hint, row=1)
    form = contract.format.model_copy(
        update={"delimiter": first[2].decode(), "quote": '"', "header_row": 1, "header_rows": None}
    )
    header = read_header(text, form)
    names, labelled = _split_labels(header.names)
    known = contract.model_copy(update={"format": form, "ignore": _ignored(contract)})
    if without_action := ACTION not in names and contract.action is not None and contract.action.column == ACTION:
        known = known.model_copy(update={"action": None})
    result = read_rows(text, replace(header, names=names), known, limits)
    raw = result.raw.with_columns(_without_labels(result.raw, labelled))
    if without_action:
        raw = raw.with_columns(pl.lit(INFORMATION).alias(ACTION))
    elif ACTION in raw.columns:
        action = pl.col(ACTION).str.strip_chars()
        raw = raw.with_columns(pl.when(action == "").then(pl.lit(INFORMATION)).otherwise(action).alias(ACTION))
    return replace(result, raw=raw.select("row", *contract.columns()) if contract.unpivot is None else raw)


def _split_labels(header: Sequence[str]) -> tuple[list[str], set[str]]:
    """Return the ids of the columns that a header names, and those of them that have a name after the id."""
    parts = [_LABEL.match(name.strip()) for name in header]
    names = [part[1] if part else name for part, name in zip(parts, header, strict=True)]
    return names, {name for name, part in zip(names, parts, strict=True) if part and part[2]}


def _without_labels(raw: pl.DataFrame, labelled: set[str]) -> list[pl.Expr]:
    """Return the codes of the columns whose headers have names after the ids: their cells have them too."""
    return [
        pl.coalesce(pl.col(name).str.extract(_LABELLED, 1), name).alias(name)
        for name in raw.columns
        if name in labelled
    ]


def _ignored(contract: Contract) -> tuple[str, ...] | str:
    if contract.ignore == "rest":
        return "rest"
    return (*contract.ignored_columns(), *(name for name in _STRUCTURE if name not in contract.file_columns()))
