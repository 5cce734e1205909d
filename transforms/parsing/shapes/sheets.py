"""Several sheets of one workbook as one delivery: which are read, and their rows put together, each with its sheet."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import polars as pl

from schemas.contract import ClaimSpec, Contract, Format
from schemas.errors import SubmissionError
from transforms.clean_text import clean
from transforms.parsing.raw_frame import ParseResult, name_hint, quoted_list
from transforms.parsing.shapes.columns_to_rows import columns_to_rows

SHEET_ROWS: Final = 10_000_000
"""Row 20000005 is row 5 of the third sheet that is read: a row has one number in the whole delivery."""
MOST_SHEETS: Final = 200
"""The most sheets of one delivery, so that these numbers fit 32 bits."""


def declared_sheets(names: Sequence[str], hidden: Sequence[bool], contract: Contract) -> list[str]:
    """Return the sheets that a contract declares: by name, or those not hidden whose names match its pattern.

    Raises `SubmissionError` if one is not there, if none matches, or if there are too many.
    """
    wanted = contract.format.sheets or ()
    if isinstance(wanted, str):
        texts = pl.Series("name", names, pl.String)
        matched = texts.str.contains(f"^(?:{wanted})$")
        found = [name for name, fits, unseen in zip(names, matched, hidden, strict=True) if fits and not unseen]
        if not found:
            hint = "Correct format.sheets of the contract."
            raise SubmissionError("unreadable", f"sheets {quoted_list(names)}", f"a sheet named {wanted!r}", hint)
    else:
        found = [_known(name, names) for name in wanted]
    if len(found) > MOST_SHEETS:
        raise SubmissionError("too-large", f"{len(found)} sheets", f"at most {MOST_SHEETS}", "Deliver it in parts.")
    return found


def _known(name: str, names: Sequence[str]) -> str:
    forms = {clean(each): each for each in names}
    if clean(name) not in forms:
        hint = name_hint(name, names) or "Name the sheets in format.sheets of the contract."
        raise SubmissionError("unreadable", f"sheets {quoted_list(names)}", f"sheet {name!r}", hint)
    return forms[clean(name)]


def sheet_contract(name: str, contract: Contract) -> Contract:
    """Return the contract by which one of several sheets is read: without the claims that are for other sheets alone.

    Its `format.sheets` has the mapping of that sheet, and no other.
    """
    form = _own_form(name, contract)
    column = contract.format.sheet_column
    claims = [claim for claim in contract.claims if clean(name) in _sheets_of(claim, column, name)]
    if contract.unpivot or not claims or len(claims) == len(contract.claims):
        return contract.model_copy(update={"format": form})
    fewer = contract.model_copy(update={"format": form, "claims": tuple(claims)})
    others = [c for c in contract.columns() if c not in fewer.columns() and contract.ignore != "rest"]
    return fewer.model_copy(update={"ignore": (*contract.ignore, *others)} if others else {})


def _own_form(name: str, contract: Contract) -> Format:
    declared = contract.format.sheets
    if not isinstance(declared, dict) or not declared:
        return contract.format
    own = {clean(sheet): mapping for sheet, mapping in declared.items()}
    return contract.format.model_copy(update={"sheets": {name: own.get(clean(name), {})}})


def _sheets_of(claim: ClaimSpec, column: str | None, name: str) -> set[str]:
    """Return the names of the sheets that a claim is for, cleaned; this one where it is for all."""
    return set(map(clean, claim.conditions().get(column or "", (name,))))


def names_as_mapped(names: Sequence[str], contract: Contract) -> list[str]:
    """Return the names of a sheet's columns, those that the sheet's own mapping renames by the contract's names."""
    mappings = contract.format.sheets.values() if isinstance(contract.format.sheets, dict) else ()
    known = {clean(theirs): ours for mapping in mappings for ours, theirs in mapping.items()}
    return [known.get(clean(name), name) for name in names] if known else list(names)


def read_sheets(names: Sequence[str], read: Callable[[str, Contract], ParseResult], contract: Contract) -> ParseResult:
    """Return the rows of several sheets, in order, each read by `read` and its own contract; errors name the sheet."""
    parts = [_numbered(number, name, _read_named(name, read, contract), contract) for number, name in enumerate(names)]
    return ParseResult(
        pl.concat([part.raw for part in parts]),
        pl.concat([part.rejects for part in parts]),
        *(sum(counts) for counts in zip(*((p.delivered, p.unread, p.ignored) for p in parts), strict=True)),
    )


def _read_named(name: str, read: Callable[[str, Contract], ParseResult], contract: Contract) -> ParseResult:
    try:
        return read(name, sheet_contract(name, contract))
    except SubmissionError as error:
        raise replace(error, hint=f"{error.hint} This is sheet {name!r}.".lstrip()) from error


def _numbered(number: int, name: str, part: ParseResult, contract: Contract) -> ParseResult:
    """Return a sheet's rows with what its name states, columns that become rows already rows, numbered."""
    row = (pl.col("row") + number * SHEET_ROWS).cast(pl.Int32)
    raw = part.raw.with_columns(row, *_stated(name, contract))
    raw = columns_to_rows(raw, contract) if contract.unpivot else raw.select("row", *_columns(raw, contract))
    return replace(part, raw=raw, rejects=part.rejects.with_columns(row))


def _columns(raw: pl.DataFrame, contract: Contract) -> list[pl.Expr]:
    """Return the contract's columns, empty where they are for other sheets alone."""
    return [pl.col(c) if c in raw.columns else pl.lit("").alias(c) for c in contract.columns()]


def _stated(name: str, contract: Contract) -> list[pl.Expr]:
    form = contract.format
    found = [pl.lit(name).alias(form.sheet_column)] if form.sheet_column else []
    if isinstance(form.sheets, str) and form.sheet_groups():
        groups = pl.Series("name", [name]).str.extract_groups(f"^(?:{form.sheets})$").struct.unnest()
        found += [pl.lit(groups[group][0] or "").alias(group) for group in form.sheet_groups()]
    return found
