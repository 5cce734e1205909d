"""The raw frame, which every reader returns whatever the format, and the checks that all formats share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.claims import REJECT, frame_schema
from schemas.contract import Contract
from schemas.errors import SubmissionError
from schemas.suggestions import did_you_mean
from transforms.clean_text import clean
from transforms.rejects import build_rejects, cut, reject_columns

CELL_BYTES: Final = 64 * 1024
"""The limit of one cell. A row with more in a mapped cell is rejected; the other rows are read."""
PARSER_REJECT: Final = pl.Schema({n: t for n, t in frame_schema(REJECT).items() if n != "submission_id"})
"""A reject before its submission is known."""
NO_REJECTS: Final = pl.DataFrame(schema=PARSER_REJECT)


@dataclass(frozen=True)
class ParseResult:
    """One submission as delivered: every row is in `raw` or is rejected; the first `rejects` are listed, all counted.

    raw: row Int32 (record number, the header being 1; in JSON the position in the list, from 1; in XLSX the sheet's row
    number) and the contract's columns, all String, "" for an empty or absent cell.
    rejects: the columns of `PARSER_REJECT`. delivered: rows in the file, blank lines not counted;
    `delivered - raw.height` rows are rejected.
    """

    raw: pl.DataFrame
    rejects: pl.DataFrame
    delivered: int


def quoted_list(names: Iterable[str]) -> str:
    """Return names for a message: quoted, joined, cut."""
    return cut(", ".join(map(repr, names))) or "nothing"


def name_hint(name: str, names: Iterable[str]) -> str:
    """Return the sentence that suggests the nearest of the names, "" if none is near."""
    hint = did_you_mean(name, names)
    return hint[:1].upper() + hint[1:]


def parser_rejects(  # noqa: PLR0913  one argument for each thing that a reject states
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

    Blanks at the ends, invisible characters and composed or decomposed letters make no other name.
    """
    known = {*contract.columns(), *contract.ignore}
    forms = {clean(name): name for name in known}
    return [name if name in known else forms.get(clean(name), clean(name)) for name in found]


def check_columns(found: Sequence[str], contract: Contract) -> pl.DataFrame:
    """Return the warnings for a file's unknown columns; `name_columns` handles those without a name.

    Raises `SubmissionError` missing-column, unknown-column or, for a mapped name that occurs twice and is therefore
    ambiguous, unreadable.
    """
    mapped, known = contract.columns(), {*contract.columns(), *contract.ignore, ""}
    unknown = [name for name in dict.fromkeys(found) if name not in known]
    for name in mapped:
        if name not in found:
            hint = name_hint(name, unknown) or "Deliver the column, or change the contract if the form has changed."
            raise SubmissionError("missing-column", _shown_names(found, known), f"a column {name!r}", hint, column=name)
        if found.count(name) > 1:
            hint = "Deliver each column once."
            raise SubmissionError("unreadable", f"column {name!r} twice", "each column once", hint, column=name)
    if unknown and contract.unknown_columns == "reject":
        hint = name_hint(unknown[0], mapped) or "Name it under `ignore` in the contract if it is of no use."
        if len(unknown) > 1:
            hint = f"Map them in the contract, or add them to its `ignore`: [{cut(', '.join(unknown))}]."
        expected = f"columns that contract {contract.contract!r} maps or ignores"
        raise SubmissionError("unknown-column", quoted_list(unknown), expected, hint, column=cut(unknown[0]))
    return _unknown_column_warnings(unknown)


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
    filled = [i for i in unnamed if frame.select((pl.col(i) != "").any()).item()]
    unknown = [f"column number {int(i) + 1}, which has no name" for i in filled]
    if unknown and contract.unknown_columns == "reject":
        raise SubmissionError("unknown-column", unknown[0], "a name in the header", "Name the column, or empty it.")
    positions = {name: str(header.index(name)) for name in contract.columns()}
    columns = (pl.col(position).alias(name) for name, position in positions.items())
    return frame.select("row", *columns), _unknown_column_warnings(unknown)


def finish_parsing(raw: pl.DataFrame, rejects: Sequence[pl.DataFrame], *, nul: bool, rejected: int = 0) -> ParseResult:
    """Return the parsed file; rows with a cell that cannot be stored go to the rejects.

    `nul`: whether the text may contain NUL, which no database stores. `rejected`: how many rows the rejects are of.
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
    return ParseResult(raw, pl.concat(given).sort("row", maintain_order=True) if given else NO_REJECTS, delivered)


def _columns_to_check(raw: pl.DataFrame, *, nul: bool) -> list[str]:
    """Return the columns that may hold a cell with NUL or over the limit."""
    names = [name for name in raw.columns if name != "row"]
    if nul or not raw.height:
        return names
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
