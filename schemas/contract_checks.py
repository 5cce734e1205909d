"""What is wrong with a contract as a whole: keys that do not fit each other, texts that are none of the allowed."""

import datetime as dt
import re
from typing import Final

import polars as pl

from schemas.claims import ACTIONS, OBS_STATUS
from schemas.contract_keys import ContractKeys
from schemas.contract_parts import ReportVersion, Take, has_short_year
from schemas.contract_place import Period
from schemas.contract_record import FieldTake
from schemas.contract_rules import ChangeRule, PatternRule
from schemas.unit_kinds import kind_problem

RESERVED_COLUMNS: Final = ("row", "submission_id", "sender", "option_period")
"""Columns that reading adds to a delivery's own: a mapped column of that name would be overwritten."""
PROBE: Final = dt.datetime.fromisoformat("2024-11-23T13:45:56")
"""A date by which formats are tried."""
CELL_COLUMNS: Final = ("cell", "cell_column", "delivered_row")
"""Columns that reading adds to those of rows that `unpivot` makes."""


def contract_problems(contract: ContractKeys) -> list[str]:
    """Return what is wrong with a contract whose keys are each right by themselves."""
    known = contract.ignored_columns()
    problems = [f"column {c!r} is both mapped and ignored" for c in contract.file_columns() if c in known]
    reserved = (*RESERVED_COLUMNS, *(CELL_COLUMNS if contract.unpivot else ()))
    problems += [f"column {c!r} has a reserved name: rename it" for c in contract.columns() if c in reserved]
    problems += [f"personal: no column {c!r} is mapped" for c in contract.personal if c not in contract.columns()]
    problems += [*_bad_shape(contract), *_bad_formats(contract), *contract.format.problems(contract.file_columns())]
    if contract.reported_at and contract.reported_at.type != "datetime":
        problems.append("reported_at is a time: give it `type: datetime`")
    problems += _bad_maps(contract.action, ACTIONS)
    problems += contract.due.problems(contract.rhythm) if contract.due else []
    problems += _bad_claims(contract)
    if contract.copy_of in {contract.contract, contract.obligation}:
        problems.append("copy_of: it cannot repeat itself")
    if contract.record:
        problems += _bad_maps(contract.record.confidential, ("true", "false"))
    problems += [*_bad_rules(contract), *_bad_patterns(contract)]
    return problems


def _bad_shape(contract: ContractKeys) -> list[str]:
    """Return the keys that do not fit the choice between claims and a record."""
    needed = ("unit", "period", "repeat", "claims")
    given = [key for key in (*needed, "breakdown") if getattr(contract, key) not in (None, (), {})]
    given += ["correction"] if contract.correction == "whole" else []
    given += [key for key in ("unpivot", "copy_of") if getattr(contract, key) is not None]
    given += ["repeat: distinct"] if contract.repeat == "distinct" else []
    if contract.record is None:
        missing = [key for key in needed if key not in given]
        return [f"{key}: Field required, unless the contract has a `record`" for key in missing]
    return [f"{key} is for claims: a contract with a `record` makes none" for key in given if key != "repeat"]


def _bad_formats(contract: ContractKeys) -> list[str]:
    """Return what is wrong with the strptime formats of dates and times, and with their centuries."""
    dated = {key: getattr(contract, key) for key in ("period", "report_version", "reported_at")}
    fields = contract.record.fields if contract.record else {}
    dated |= {f"record.fields.{name}": take for name, take in fields.items()}
    return [f"{key}: {problem}" for key, part in dated.items() if part for problem in _bad_format(part)]


def _bad_format(part: Period | ReportVersion | FieldTake) -> list[str]:
    problems = []
    if part.century is not None and not has_short_year(part.format):
        problems.append("century is for a format with years of two digits (%y)")
    if part.format is not None and not (isinstance(part, Period) and part.type not in {"day", "month"}):
        problems += _unread_format(part.format)
    return problems


def _unread_format(form: str) -> list[str]:
    """Return what is wrong with a strptime format: a date that is written by it must be read by it."""
    # In UTC, for formats with an offset; with a day, for those of months.
    whole, moment = f"{form}/%d", pl.Series([PROBE]).dt.replace_time_zone("UTC")
    try:
        text = moment.dt.strftime(whole).str
        times = [text.to_datetime(whole, strict=False, time_unit="us"), text.to_date(whole, strict=False)]
    except pl.exceptions.ComputeError as error:
        return [f"format {form!r}: {str(error).splitlines()[0]}"]
    years = [time.dt.year()[0] for time in times]
    whole_date = "it needs year, month and day, and of a time hour and minute"
    return [] if PROBE.year in years else [f"format {form!r} reads no date: {whole_date}"]


def _bad_claims(contract: ContractKeys) -> list[str]:
    problems = []
    if contract.unit and isinstance(contract.unit.kind, Take):
        problems += _bad_kinds(contract.unit.kind)
    for claim in contract.claims:
        problems += _bad_maps(claim.obs_status, OBS_STATUS)
        problems += _bad_maps(claim.confidential, ("true", "false"))
        problems += [*_bad_accuracies(claim.decimals), *claim.problems()]
    return [*problems, *_bad_cells(contract)]


def _bad_kinds(take: Take) -> list[str]:
    """Return what is wrong with the kinds of units that rows state: they need a map to kinds."""
    texts = [*(take.map or {}).values(), *(text for text in (take.value, take.map_default) if text is not None)]
    problems = (
        [] if texts and not take.unmapped else _bad_maps(take.model_copy(update={"map": None}), ("kinds of units",))
    )
    return [*problems, *filter(None, map(kind_problem, texts))]


def _bad_cells(contract: ContractKeys) -> list[str]:
    """Return what is wrong with the shape of the rows: columns that become rows, and claims that share a column."""
    problems = _bad_unpivot(contract) if contract.unpivot else []
    mappings = contract.format.sheets.values() if isinstance(contract.format.sheets, dict) else ()
    unknown = sorted({column for mapping in mappings for column in mapping} - set(contract.file_columns()))
    problems += [f"format.sheets: the contract has no column {column!r}" for column in unknown]
    forms = {claim.column: claim.cell_form() for claim in contract.claims}
    problems += [
        f"claims of column {claim.column!r} declare other missing_values or flags"
        for claim in contract.claims
        if claim.cell_form() != forms[claim.column]
    ]
    return problems


def _bad_unpivot(contract: ContractKeys) -> list[str]:
    problems = []
    if contract.unpivot and contract.unpivot.pattern and contract.format.type in {"json", "xml"}:
        problems.append(
            f"unpivot.pattern is for files with a header: in {contract.format.type.upper()} list the columns"
        )
    unused = [name for name in contract.unpivot.made() if name not in contract.columns()] if contract.unpivot else []
    return problems + [f"unpivot: nothing uses the new column {name!r}" for name in unused[:1]]


def _bad_rules(contract: ContractKeys) -> list[str]:
    ids = [r.id for r in contract.rules]
    concepts = {c.concept for c in contract.claims}
    return [f"rule {i!r} is declared twice" for i in set(ids) if ids.count(i) > 1] + [
        f"rule {r.id!r} is about concept {r.concept!r}, which no claim has"
        for r in contract.rules
        if isinstance(r, ChangeRule) and r.concept not in concepts
    ]


def _bad_maps(take: Take | None, allowed: tuple[str, ...]) -> list[str]:
    """Return what is wrong with a text that must be one of the allowed: a cell needs a map to them."""
    if take is None:
        return []
    if (take.map is None and take.value is None) or take.unmapped:
        return [_needed_map(take, allowed)]
    texts = list(take.map.values()) if take.map else [take.value or ""]
    texts += [take.map_default] if take.map_default is not None else []
    return [f"{t!r} is none of {', '.join(allowed)}" for t in texts if t not in allowed]


def _needed_map(take: Take, allowed: tuple[str, ...]) -> str:
    source = ", ".join(take.source_columns()) or take.option
    return f"column {source!r} needs a map to {', '.join(allowed)}" + (", for all" if take.unmapped else "")


def _bad_accuracies(decimals: int | str | Take | None) -> list[str]:
    if not isinstance(decimals, Take):
        return []
    texts = [decimals.value] if decimals.map is None else [*decimals.map.values(), decimals.map_default]
    wrong = [t for t in texts if t is not None and not re.fullmatch("-?[0-9]+|exact", t)]
    return [f"{t!r} is neither a whole number nor `exact`" for t in wrong]


def _has_one_group(pattern: str) -> bool:
    """Return whether a regular expression (RE2) is one that has one group."""
    try:
        return len(pl.Series([""]).str.extract_groups(pattern).struct.fields) == 1
    except pl.exceptions.ComputeError:
        return False


def _bad_patterns(contract: ContractKeys) -> list[str]:
    patterns = [r.pattern for r in contract.rules if isinstance(r, PatternRule)]
    patterns += [i.pattern for i in contract.ignore_rows if i.pattern] + [r.pattern for r in contract.format.repairs]
    patterns += [contract.format.sheets] if isinstance(contract.format.sheets, str) else []
    patterns += [claim.missing_pattern for claim in contract.claims if claim.missing_pattern]
    extracts = [take.extract for take in contract.takes() if take.extract]
    found = [f"extract: {each!r} needs one group, in parentheses" for each in extracts if not _has_one_group(each)]
    for pattern in patterns:
        try:
            pl.Series([""]).str.contains(pattern)
        except pl.exceptions.ComputeError as error:
            found.append(f"{pattern!r} is not a regular expression: {error}")
    return found
