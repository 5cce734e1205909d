"""What is known already: the cells of a report that others have reported, with value, source and accuracy."""

import datetime as dt
import re
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.overlap.release_statements import statements_of
from flows.overlap.sharing import obligations_not_shared
from flows.releases import find_release
from infra.lake import access as lake_access
from schemas.contract import ClaimSpec, Contract
from schemas.contract_terms import breakdowns
from schemas.errors import UsageError
from schemas.suggestions import did_you_mean
from transforms.overlap.breakdowns import fixed_codes, may_be_equal

_PERIOD: Final = re.compile(r"(?P<year>\d{4})(?:-?[QK](?P<quarter>[1-4])|-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?")
_MONTHS_A_QUARTER: Final = 3


@lake_access.scan_errors()
def known_cells(installation: Installation, contract_name: str, unit: str, period: str) -> list[dict[str, Any]]:
    """Return a row for each figure that a contract asks about a unit and period.

    unit: a code or unit id of the release. period: 2025, 2025-Q1, 2025-01 or 2025-01-31. Each row: column,
    concept, breakdown, value (Decimal, null where not known), unit_measure, known (Boolean), source (obligations),
    reported_by, decimals, why (why it is not known). What the contract's own obligation has delivered is no source; a
    value that is withheld, confidential or contradicted is not known, and nothing is that the contract's agency may
    not be shown.
    """
    contract = _contract(installation, contract_name)
    contract.place()
    start, end = _period(period)
    asked = (pl.col("unit_id") == unit) | (pl.col("unit_code") == unit)
    asked &= (pl.col("period_start") == start) & (pl.col("period_end") == end)
    statements = statements_of(installation, find_release(installation), [f"{start:%Y-%m}"], where=asked)
    unused = [contract.obligation, *obligations_not_shared(installation, contract.obligation)]
    here = statements.filter(~pl.col("obligation").is_in(unused))
    return [row for claim in contract.claims for row in _cells(contract, claim, here)]


def _contract(installation: Installation, name: str) -> Contract:
    if name in installation.contracts:
        return installation.contracts[name]
    known = list(installation.contracts)
    raise UsageError(f"no contract {name!r}: {did_you_mean(name, known)} `engang contracts list` lists them")


def _period(text: str) -> tuple[dt.date, dt.date]:
    """Return the first day of a period and the first day after it; raises `UsageError`."""
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise UsageError(f"period {text!r}: expected 2025, 2025-Q1, 2025-01 or 2025-01-31")
    year, quarter, month, day = (int(found[name] or 0) for name in ("year", "quarter", "month", "day"))
    first = (quarter - 1) * _MONTHS_A_QUARTER + 1 if quarter else int(found["month"] or 1)
    try:
        start = dt.date(year, first, int(found["day"] or 1))
    except ValueError as error:
        raise UsageError(f"period {text!r}: {error}") from None
    if day:
        return start, start + dt.timedelta(days=1)
    return start, _first_of_month_after(start, _months_covered(quarter, month))


def _months_covered(quarter: int, month: int) -> int:
    """Return how many months a quarter, a month or, where both are 0, a year has."""
    if quarter:
        return _MONTHS_A_QUARTER
    return 1 if month else 12


def _first_of_month_after(start: dt.date, months: int) -> dt.date:
    """Return the first day of the month that is so many months after a date's."""
    later = start.month - 1 + months
    return dt.date(start.year + later // 12, later % 12 + 1, 1)


def _cells(contract: Contract, claim: ClaimSpec, here: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of one claim: one per breakdown that others have reported, or one that is not known."""
    wanted = fixed_codes(breakdowns(contract, claim))
    rows = here.filter(pl.col("concept") == claim.concept)
    found = [
        _cell(claim, breakdown[0], group)
        for breakdown, group in rows.group_by("breakdown", maintain_order=True)
        if may_be_equal(wanted, str(breakdown[0]))
    ]
    return sorted(found, key=lambda row: str(row["breakdown"])) or [_unknown(claim, None, "nobody has reported it")]


def _cell(claim: ClaimSpec, breakdown: object, rows: pl.DataFrame) -> dict[str, Any]:
    """Return the row of what others state about one item: the most accurate value, if they do not contradict."""
    if rows["value"].null_count():
        return _unknown(claim, breakdown, "the value is withheld")
    if rows["lower"].max() > rows["upper"].min():  # type: ignore[operator]  # decimals
        return _unknown(claim, breakdown, "the reports contradict each other")
    width = (pl.col("upper") - pl.col("lower")).cast(pl.Float64)
    best = rows.sort(width, "obligation", "reported_by", "value").row(0, named=True)
    return {
        **_unknown(claim, breakdown, ""),
        "value": best["value"],
        "known": True,
        "source": ", ".join(rows["obligation"].unique().sort()),
        "reported_by": best["reported_by"],
        "plus_minus": (best["upper"] - best["lower"]) / 2,
    }


def _unknown(claim: ClaimSpec, breakdown: object, why: str) -> dict[str, Any]:
    """Return the row of a figure that is not known."""
    return {
        "column": claim.column,
        "concept": claim.concept,
        "breakdown": breakdown,
        "value": None,
        "known": False,
        "source": None,
        "reported_by": None,
        "plus_minus": None,
        "why": why,
    }
