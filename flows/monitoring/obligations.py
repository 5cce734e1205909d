"""Obligations and their deadlines: who was expected to deliver, who did, who is late."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from flows.installation import Installation
from infra.ledger import monitoring as ledger_monitoring
from infra.ledger.monitoring import DeliveryWindow
from infra.public_holidays import public_holidays
from transforms.deadlines import Deadline, ReportingPeriod, deadlines, periods_before

if TYPE_CHECKING:
    from schemas.contract import Contract

MONTHLY_RHYTHMS: Final = ("monthly", "quarterly", "yearly")
"""Rhythms whose periods consist of whole months."""


@dataclass(frozen=True)
class Obligation:
    """A contract's deadlines: the last one that has passed, the next one, and who is late."""

    contract: str
    obligation: str
    rhythm: str
    period: str | None = None
    due: date | None = None
    expected: int = 0
    delivered: int = 0
    late: tuple[tuple[str, str], ...] = ()
    """(period, sender) of each missing delivery, for the last two deadlines that have passed."""
    next_period: str | None = None
    next_due: date | None = None
    next_expected: int = 0
    next_delivered: int = 0


class _DeadlineCounts(NamedTuple):
    """A deadline with the number of expected senders and how many of them have delivered."""

    period: str | None = None
    due: date | None = None
    expected: int = 0
    delivered: int = 0


def obligations(installation: Installation, today: date) -> list[Obligation]:
    """Return the deadlines of every contract that declares when it is due, by contract."""
    declared = [c for _, c in sorted(installation.contracts.items()) if c.due]
    if not declared:
        return []
    holidays = public_holidays(installation.settings.home / "cache", today.year - 4, today.year + 4)
    return [_obligation(installation, c, deadlines(c.rhythm, c.due, today, holidays), today) for c in declared if c.due]


def _obligation(installation: Installation, contract: "Contract", dates: list[Deadline], today: date) -> Obligation:
    passed, coming = [d for d in dates if d.due < today], [d for d in dates if d.due >= today]
    delivered = _senders_delivered(installation, contract, [d.period for d in dates])
    last = _deadline_counts(contract, passed[-1] if passed else None, delivered)
    following = _deadline_counts(contract, coming[0] if coming else None, delivered)
    return Obligation(
        contract=contract.contract,
        obligation=contract.obligation,
        rhythm=contract.rhythm,
        period=last.period,
        due=last.due,
        expected=last.expected,
        delivered=last.delivered,
        late=tuple(
            (d.period.name, sender)
            for d in passed
            for sender in sorted(_expected_senders(contract, d.period, delivered) - delivered.get(d.period.name, set()))
        ),
        next_period=following.period,
        next_due=following.due,
        next_expected=following.expected,
        next_delivered=following.delivered,
    )


def _deadline_counts(
    contract: "Contract", deadline: Deadline | None, delivered: dict[str, set[str]]
) -> _DeadlineCounts:
    if deadline is None:
        return _DeadlineCounts()
    expected = _expected_senders(contract, deadline.period, delivered)
    done = expected & delivered.get(deadline.period.name, set())
    return _DeadlineCounts(deadline.period.name, deadline.due, len(expected), len(done))


def _expected_senders(contract: "Contract", period: ReportingPeriod, delivered: dict[str, set[str]]) -> set[str]:
    """Return the senders that the contract names, else those that delivered for one of the two previous periods."""
    listed = None if contract.sender.allowed == "any" else contract.sender.allowed
    declared = (contract.due and contract.due.senders) or listed
    if declared is not None:
        return set(declared)
    return set().union(*(delivered.get(p.name, set()) for p in periods_before(contract.rhythm, period)))


def _senders_delivered(
    installation: Installation, contract: "Contract", periods: Iterable[ReportingPeriod]
) -> dict[str, set[str]]:
    """Return who has delivered for each of the periods and their two previous ones, by the period's name.

    For monthly rhythms the ledger knows which months a submission covers. For records, days and weeks, any submission
    received from the last day of the period on counts.
    """
    by_month = contract.record is None and contract.rhythm in MONTHLY_RHYTHMS
    all_periods = {p.name: p for period in periods for p in (period, *periods_before(contract.rhythm, period))}
    spans = []
    for p in all_periods.values():
        if by_month:
            spans.append(DeliveryWindow(p.name, p.start, p.end, f"{p.start:%Y-%m}", f"{p.end:%Y-%m}"))
        else:
            since = p.start if contract.rhythm == "once" else p.end - timedelta(days=1)
            spans.append(DeliveryWindow(p.name, since, since))
    return ledger_monitoring.senders_by_period(installation.engine, contract.contract, spans) if spans else {}
