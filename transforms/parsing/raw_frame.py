"""The raw frame, which every reader returns whatever the format, and the checks that all formats share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.claims import REJECT, frame_schema
from schemas.contract import Contract
from schemas.errors import SubmissionError, UnreadError
from schemas.reading_limits import ReadingLimits
from schemas.suggestions import did_you_mean
from transforms.clean_text import clean
from transforms.parsing.shapes.columns_to_rows import mapped_columns
from transforms.rejects import build_rejects, cut, reject_columns

CELL_BYTES: Final = 64 * 1024
"""The limit of one cell. A row with more in a mapped cell is rejected; the other rows are read."""
PARSER_REJECT: Final = pl.Schema({n: t for n, t in frame_schema(REJECT).items() if n != "submission_id"})
"""A reject before its submission is known."""
NO_REJECTS: Final = pl.DataFrame(schema=PARSER_REJECT)


@dataclass(frozen=True)
class ParseResult:
    """One submission as delivered: every row is in `raw`, or is rejected or ignored; the first `rejects` are listed.

    raw: row Int32 (record number, the header being 1; in JSON the position in the list, from 1; in XLSX the sheet's row
    number) and the contract's columns, all String, "" for an empty or absent cell. With `unpivot` a row for each cell,
    and its address: `cell`, `cell_column` (`transforms.parsing.shapes.columns_to_rows`).
    rejects: the columns of `PARSER_REJECT`. delivered: rows in the file, blank lines not counted. unread: those that
    are rejected. ignored: those of the file's end that the contract declares as notes.
    """

    raw: pl.DataFrame
    rejects: pl.DataFrame
    delivered: int
    unread: int = 0
    ignored: int = 0


def check_count(count: int, what: str, most: int, setting: str) -> None:
    """Raise `UnreadError` if a file has more of something than the limit, which a setting raises."""
    if count > most:
        problem = f"it has {count} {what}, and at most {most} are read; deliver it in parts"
        raise UnreadError(f"{problem}, or raise {setting} and run `engang inbox retry`")


def check_width(columns: int, limits: ReadingLimits) -> None:
    """Raise `UnreadError` if a file has too many columns."""
    check_count(columns, "columns", limits.columns, "ENGANG_READ_COLUMNS")


def check_shape(rows: int, mapped: int, limits: ReadingLimits) -> None:
    """Raise `UnreadError` if a file has too many rows, or too many cells in the columns that its contract maps."""
    check_count(rows, "rows", limits.rows, "ENGANG_READ_ROWS")
    check_count(rows * mapped, "cells in the columns of its contract", limits.cells, "ENGANG_READ_CELLS")


def quoted_list(names: Iterable[str]) -> str:
    """Return names for a message: quoted, joined, cut."""
    return cut(", ".join(map(repr, names))) or "nothing"


def name_hint(name: str, names: Iterable[str]) -> str:
    """Return the sentence that suggests the nearest of the names, "" if none is near."""
    hint = did_you_mean(name, names)
    return hint[:1].upper() + hint[1:]


def parser_rejects(
    bad: pl.DataFrame,
    reason: str | pl.Expr,
    *,
    expected: str | pl.Expr,
    hint: str,
    column: str | pl.Expr | None = None,
    severity: str = "critical",
) -> pl.DataFrame:
    """Return one reject (`PARSER_REJECT`) for each row of `bad` (row, found)."""
    columns = reject_columns(
        reason, found=pl.col("found"), expected=expected, hint=hint, column=column, severity=severity
    )
    rejects = build_rejects(bad.with_columns(pl.lit(None, pl.String).alias("submission_id")), columns)
    return rejects.drop("submission_id")


def known_names(found: Sequence[str], contract: Contract) -> list[str]:
    """Return the names of a file's columns, those that only look like one of the contract's replaced by it.

    Blanks at the ends, invisible characters and composed or decomposed letters make no other name. A column without a
    name has the one of its place, `#3`, if the contract has it.
    """
    known = {*contract.file_columns(), *contract.ignored_columns()}
    forms = {clean(name): name for name in known}
    names = [name if name in known else forms.get(clean(name), clean(name)) for name in found]
    places = {number: f"#{number}" for number, name in enumerate(names, start=1) if not name}
    return [places[i] if places.get(i) in known else name for i, name in enumerate(names, start=1)]


def check_columns(found: Sequence[str], contract: Contract) -> pl.DataFrame:
    """Return the warnings for a file's unknown columns; `name_columns` handles those without a name.

    Raises `SubmissionError` missing-column, unknown-column or, for a mapped name that occurs twice and is therefore
    ambiguous, unreadable.
    """
    mapped = mapped_columns(found, contract)
    known = {*mapped, *contract.ignored_columns(), ""}
    unknown = [name for name in dict.fromkeys(found) if name not in known]
    for name in mapped:
        if name not in found:
            hint = name_hint(name, unknown) or _missing_hint(found, contract)
            raise SubmissionError("missing-column", _shown_names(found, known), f"a column {name!r}", hint, column=name)
        if found.count(name) > 1:
            hint = "Deliver each column once."
            raise SubmissionError("unreadable", f"column {name!r} twice", "each column once", hint, column=name)
    if contract.ignore == "rest":
        return NO_REJECTS
    if unknown and contract.unknown_columns == "reject":
        raise _unknown_columns_error(unknown, mapped, contract)
    return _unknown_column_warnings(unknown)


def _unknown_columns_error(unknown: list[str], mapped: Iterable[str], contract: Contract) -> SubmissionError:
    hint = name_hint(unknown[0], mapped) or "Name it under `ignore` in the contract if it is of no use."
    if len(unknown) > 1:
        hint = f"Map them in the contract, or add them to its `ignore`: [{cut(', '.join(unknown))}]."
    expected = f"columns that contract {contract.contract!r} maps or ignores"
    return SubmissionError("unknown-column", quoted_list(unknown), expected, hint, column=cut(unknown[0]))


def _missing_hint(found: Sequence[str], contract: Contract) -> str:
    form, known = contract.format, {*contract.file_columns(), *contract.ignored_columns()}
    tables = {"csv", "xlsx", "xls", "xlsb", "ods"}
    if form.type not in tables or not found or any(name and name in known for name in found):
        return "Deliver the column, or change the contract if the form has changed."
    if form.type == "csv" and len(found) == 1:
        return (
            f"Is the delimiter another than {form.delimiter!r}, or the header in another line? Correct the file, or "
            "format.delimiter or format.header_row in the contract."
        )
    return "Is the header in another row? Correct the file, or format.header_row in the contract."


def _shown_names(found: Sequence[str], known: set[str]) -> str:
    """Return the names of a header for a message. Where the contract knows none, they may be a row of data."""
    if any(name and name in known for name in found):
        return quoted_list(found)
    return f"{len(found)} columns, none of which the contract names" if found else "nothing"


def _unknown_column_warnings(unknown: list[str]) -> pl.DataFrame:
    if not unknown:
        return NO_REJECTS
    return parser_rejects(
        pl.DataFrame({"row": None, "found": unknown}),
        "unknown-column",
        expected="a column that the contract maps or ignores",
        hint="Name it in the contract.",
        column=pl.col("found"),
        severity="warning",
    )


def name_columns(frame: pl.DataFrame, header: Sequence[str], contract: Contract) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the mapped columns of `frame` (row, "0", "1", ... in the header's order) under their names, and warnings.

    A column without a name is dropped if it is empty in every row (a trailing delimiter); otherwise it is unknown.
    """
    unnamed = [str(i) for i, name in enumerate(header) if not name]
    if contract.ignore == "rest":
        unnamed = []
    filled = [i for i in unnamed if frame.select((pl.col(i) != "").any()).item()]
    unknown = [f"column number {int(i) + 1}, which has no name" for i in filled]
    if unknown and contract.unknown_columns == "reject":
        place = int(filled[0]) + 1
        hint = f"Name the column, or empty it; or add '#{place}' to `ignore` of the contract."
        raise SubmissionError("unknown-column", unknown[0], "a name in the header", hint)
    positions = {name: str(header.index(name)) for name in mapped_columns(header, contract)}
    # No query: for each of thousands of small files it takes longer than the rest of the parsing.
    columns = (frame[position].alias(name) for name, position in positions.items())
    return pl.DataFrame([frame["row"], *columns]), _unknown_column_warnings(unknown)


def finish_parsing(
    raw: pl.DataFrame, rejects: Sequence[pl.DataFrame], *, nul: bool, rejected: int = 0, ignored: int = 0
) -> ParseResult:
    """Return the parsed file; rows with a cell that cannot be stored go to the rejects.

    `nul`: whether the text may contain NUL, which no database stores. `rejected`: how many rows the rejects are of.
    `ignored`: how many rows at the end are notes.
    Raises `SubmissionError` empty-file for no rows.
    """
    delivered = raw.height + rejected
    if not delivered:
        raise SubmissionError("empty-file", "no rows", "at least one row", "Was the right file delivered?")
    for name in _columns_to_check(raw, nul=nul):
        unfit, cells = _unfit_cells(raw, name)
        if cells.height:
            raw, rejects = raw.filter(~unfit), [*rejects, cells]
    given = [r for r in rejects if r.height]
    listed = pl.concat(given).sort("row", maintain_order=True) if given else NO_REJECTS
    return ParseResult(raw, listed, delivered + ignored, delivered - raw.height, ignored)


def _columns_to_check(raw: pl.DataFrame, *, nul: bool) -> list[str]:
    """Return the columns that may hold a cell with NUL or over the limit."""
    names = [name for name in raw.columns if name != "row"]
    if nul or not raw.height:
        return names
    if raw.estimated_size() <= CELL_BYTES:  # all cells together, so no cell alone
        return []
    longest = raw.select(pl.col(names).str.len_bytes().max()).row(0)
    return [name for name, size in zip(names, longest, strict=True) if size > CELL_BYTES]


def _unfit_cells(raw: pl.DataFrame, name: str) -> tuple[pl.Series, pl.DataFrame]:
    """Return which cells of a column are too long or contain NUL, and their rejects."""
    cell = pl.col(name)
    long, odd = cell.str.len_bytes() > CELL_BYTES, cell.str.contains("\0", literal=True)
    unfit = raw.select((long | odd).fill_null(False).alias("unfit")).to_series()
    bad = raw.filter(unfit).select("row", found=cell)
    large = pl.col("found").str.len_bytes() > CELL_BYTES
    return unfit, parser_rejects(
        bad,
        pl.when(large).then(pl.lit("too-large")).otherwise(pl.lit("unreadable")),
        expected=pl.when(large).then(pl.lit(f"at most {CELL_BYTES} bytes")).otherwise(pl.lit("text")),
        hint="Is a quote missing before it? Deliver shorter text, without the NUL character.",
        column=name,
    )
