"""The raw frame: what every reader gives, whatever the format, and the checks that all formats share."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.claims import REJECT, frame_schema
from schemas.contract import Contract
from schemas.errors import SubmissionError

CELL_BYTES: Final = 64 * 1024
"""The most that one cell may hold; a row with more in a mapped cell is rejected, the others stay."""
FOUND_CHARACTERS: Final = 200
REJECTS: Final = pl.Schema({n: t for n, t in frame_schema(REJECT).items() if n != "submission_id"})
NO_REJECTS: Final = pl.DataFrame(schema=REJECTS)


@dataclass(frozen=True)
class Parsed:
    """One submission as delivered: every row is in `raw` or, once, among the critical `rejects`.

    `raw`: row Int32 (record number, the header being 1; in JSON the place in the list, from 1; in XLSX the sheet's row
    number) and the contract's columns, all String, "" for an empty or absent cell. `rejects`: REJECT columns without
    submission_id. `delivered`: rows in the file; blank lines are none.
    """

    raw: pl.DataFrame
    rejects: pl.DataFrame
    delivered: int


def cut(text: str) -> str:
    """Return the text as a message may repeat it: at most 200 characters, NUL made visible."""
    return text[:FOUND_CHARACTERS].replace("\0", "␀")


def listed(names: Iterable[str]) -> str:
    """Return names for a message: quoted, joined, cut."""
    return cut(", ".join(map(repr, names))) or "nothing"


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint naming the nearest of the names, or "" if none is near."""
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else ""


def as_rejects(  # noqa: PLR0913  what a reject says
    bad: pl.DataFrame,
    reason: str | pl.Expr,
    *,
    expected: str | pl.Expr,
    hint: str,
    column: str | pl.Expr | None = None,
    severity: str = "critical",
) -> pl.DataFrame:
    """Return one reject for each row of `bad` (row, found)."""

    def _told(value: str | pl.Expr | None) -> pl.Expr:
        return value if isinstance(value, pl.Expr) else pl.lit(value, dtype=pl.String)

    told = {
        "row": pl.col("row"),
        "column": _told(column),
        "reason": _told(reason),
        "rule": _told(None),
        "severity": _told(severity),
        "found": pl.col("found").str.slice(0, FOUND_CHARACTERS).str.replace_all("\0", "␀", literal=True),
        "expected": _told(expected),
        "hint": _told(hint),
    }
    return bad.select(told[name].cast(dtype).alias(name) for name, dtype in REJECTS.items())


def check_columns(found: Sequence[str], contract: Contract) -> pl.DataFrame:
    """Return the warnings that a file's columns give; those without a name are the affair of `name_columns`.

    Raises `SubmissionError` missing-column, unknown-column or, for a name that stands twice and would leave open which
    column is meant, unreadable.
    """
    mapped, known = contract.columns(), {*contract.columns(), *contract.ignore, ""}
    strangers = [name for name in dict.fromkeys(found) if name not in known]
    for name in mapped:
        if name not in found:
            hint = nearest(name, strangers) or "Deliver the column, or change the contract if the form has changed."
            raise SubmissionError("missing-column", listed(found), f"a column {name!r}", hint, column=name)
        if found.count(name) > 1:
            hint = "Deliver each column once."
            raise SubmissionError("unreadable", f"column {name!r} twice", "each column once", hint, column=name)
    if strangers and contract.unknown_columns == "reject":
        hint = nearest(strangers[0], mapped) or "Name it under `ignore` in the contract if it is of no use."
        expected = f"a column that contract {contract.contract!r} maps or ignores"
        raise SubmissionError("unknown-column", cut(repr(strangers[0])), expected, hint, column=cut(strangers[0]))
    return _warnings(strangers)


def _warnings(strangers: list[str]) -> pl.DataFrame:
    if not strangers:
        return NO_REJECTS
    return as_rejects(
        pl.DataFrame({"row": None, "found": strangers}),
        "unknown-column",
        expected="a column that the contract maps or ignores",
        hint="Name it in the contract.",
        column=pl.col("found"),
        severity="warning",
    )


def name_columns(frame: pl.DataFrame, header: Sequence[str], contract: Contract) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the mapped columns of `frame` (row, "0", "1", ... in the header's order) under their names, and warnings.

    A column without a name is nothing if it is empty in every row (a trailing delimiter), else an unknown column.
    """
    unnamed = [str(i) for i, name in enumerate(header) if not name]
    filled = [i for i in unnamed if frame.select((pl.col(i) != "").any()).item()]
    strangers = [f"column number {int(i) + 1}, which has no name" for i in filled]
    if strangers and contract.unknown_columns == "reject":
        raise SubmissionError("unknown-column", strangers[0], "a name in the header", "Name the column, or empty it.")
    places = {name: str(header.index(name)) for name in contract.columns()}
    named = frame.select("row", *(pl.col(place).alias(name) for name, place in places.items()))
    return named, _warnings(strangers)


def settle(raw: pl.DataFrame, rejects: Sequence[pl.DataFrame], *, nul: bool) -> Parsed:
    """Return what was parsed, rows with a cell that cannot be kept moved to the rejects.

    `nul` says whether the text may hold NUL, which no database keeps. Raises `SubmissionError` empty-file for no rows.
    """
    delivered = raw.height + sum(r.filter(severity="critical").height for r in rejects if r.height)
    if not delivered:
        raise SubmissionError("empty-file", "no rows", "at least one row", "Was the right file delivered?")
    unfit = [told for name in _suspects(raw, nul=nul) for told in _unfit(raw, name)]
    if unfit:
        once = pl.concat(unfit).unique("row", keep="first", maintain_order=True)
        raw = raw.join(once.select("row"), on="row", how="anti", maintain_order="left")
        rejects = [*rejects, once]
    told = [r for r in rejects if r.height]
    return Parsed(raw, pl.concat(told).sort("row", maintain_order=True) if told else NO_REJECTS, delivered)


def _suspects(raw: pl.DataFrame, *, nul: bool) -> list[str]:
    names = [name for name in raw.columns if name != "row"]
    if nul or not raw.height:
        return names
    longest = raw.select(pl.col(names).str.len_bytes().max()).row(0)
    return [name for name, size in zip(names, longest, strict=True) if size > CELL_BYTES]


def _unfit(raw: pl.DataFrame, name: str) -> Iterator[pl.DataFrame]:
    cell = pl.col(name)
    long = raw.filter(cell.str.len_bytes() > CELL_BYTES).select("row", found=cell)
    if long.height:
        hint = "Is a quote missing before it?"
        yield as_rejects(long, "too-large", expected=f"at most {CELL_BYTES} bytes", hint=hint, column=name)
    odd = raw.filter(cell.str.contains("\0", literal=True)).select("row", found=cell)
    if odd.height:
        hint = "Deliver text without the NUL character."
        yield as_rejects(odd, "unreadable", expected="text", hint=hint, column=name)
