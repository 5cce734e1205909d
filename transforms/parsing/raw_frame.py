"""The raw frame, which every reader returns whatever the format, and the checks that all formats share."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.claims import REJECT, frame_schema
from schemas.contract import Contract
from schemas.errors import SubmissionError
from schemas.suggestions import did_you_mean
from transforms.rejects import cut, reject_columns

CELL_BYTES: Final = 64 * 1024
"""The limit of one cell. A row with more in a mapped cell is rejected; the other rows are read."""
PARSER_REJECT: Final = pl.Schema({n: t for n, t in frame_schema(REJECT).items() if n != "submission_id"})
"""A reject before its submission is known."""
NO_REJECTS: Final = pl.DataFrame(schema=PARSER_REJECT)


@dataclass(frozen=True)
class ParseResult:
    """One submission as delivered: every row is in `raw` or, exactly once, among the critical `rejects`.

    raw: row Int32 (record number, the header being 1; in JSON the position in the list, from 1; in XLSX the sheet's row
    number) and the contract's columns, all String, "" for an empty or absent cell.
    rejects: the columns of `PARSER_REJECT`. delivered: rows in the file, blank lines not counted.
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
    return bad.select(each for each in columns if each.meta.output_name() != "submission_id")


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
            raise SubmissionError("missing-column", quoted_list(found), f"a column {name!r}", hint, column=name)
        if found.count(name) > 1:
            hint = "Deliver each column once."
            raise SubmissionError("unreadable", f"column {name!r} twice", "each column once", hint, column=name)
    if unknown and contract.unknown_columns == "reject":
        hint = name_hint(unknown[0], mapped) or "Name it under `ignore` in the contract if it is of no use."
        expected = f"a column that contract {contract.contract!r} maps or ignores"
        raise SubmissionError("unknown-column", cut(repr(unknown[0])), expected, hint, column=cut(unknown[0]))
    return _unknown_column_warnings(unknown)


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


def finish_parsing(raw: pl.DataFrame, rejects: Sequence[pl.DataFrame], *, nul: bool) -> ParseResult:
    """Return the parsed file; rows with a cell that cannot be stored go to the rejects.

    `nul`: whether the text may contain NUL, which no database stores. Raises `SubmissionError` empty-file for no rows.
    """
    delivered = raw.height + sum(r.filter(severity="critical").height for r in rejects if r.height)
    if not delivered:
        raise SubmissionError("empty-file", "no rows", "at least one row", "Was the right file delivered?")
    unfit = [cells for name in _columns_to_check(raw, nul=nul) for cells in _unfit_cells(raw, name)]
    if unfit:
        once = pl.concat(unfit).unique("row", keep="first", maintain_order=True)
        raw = raw.join(once.select("row"), on="row", how="anti", maintain_order="left")
        rejects = [*rejects, once]
    given = [r for r in rejects if r.height]
    return ParseResult(raw, pl.concat(given).sort("row", maintain_order=True) if given else NO_REJECTS, delivered)


def _columns_to_check(raw: pl.DataFrame, *, nul: bool) -> list[str]:
    """Return the columns that may hold a cell with NUL or over the limit."""
    names = [name for name in raw.columns if name != "row"]
    if nul or not raw.height:
        return names
    longest = raw.select(pl.col(names).str.len_bytes().max()).row(0)
    return [name for name, size in zip(names, longest, strict=True) if size > CELL_BYTES]


def _unfit_cells(raw: pl.DataFrame, name: str) -> Iterator[pl.DataFrame]:
    """Yield the rejects of a column's cells that are too long or contain NUL."""
    cell = pl.col(name)
    long = raw.filter(cell.str.len_bytes() > CELL_BYTES).select("row", found=cell)
    if long.height:
        hint = "Is a quote missing before it?"
        yield parser_rejects(long, "too-large", expected=f"at most {CELL_BYTES} bytes", hint=hint, column=name)
    odd = raw.filter(cell.str.contains("\0", literal=True)).select("row", found=cell)
    if odd.height:
        hint = "Deliver text without the NUL character."
        yield parser_rejects(odd, "unreadable", expected="text", hint=hint, column=name)
