"""The night watch: who is late, what waits, what failed; nothing that was delivered."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from flows.installation import Installation
from infra import telemetry
from infra.inbox import work_queue as inbox
from infra.ledger import monitoring as ledger_watch
from infra.ledger import outbox
from infra.ledger.monitoring import Span
from infra.public_holidays import public_holidays
from schemas.errors import StoreError, UsageError
from transforms.deadlines import Deadline, Period, before, deadlines

if TYPE_CHECKING:
    from schemas.contract import Contract

HERE: Final = ZoneInfo("Europe/Oslo")
STALE: Final = timedelta(hours=36)
"""A submission that no night has looked at for so long needs a person."""
LONG_WAIT: Final = timedelta(hours=1)
"""So does an object that waits in the inbox, and an event that nobody takes."""
SHOWN_PARKED: Final = 20
SHOWN_LATE: Final = 10
BY_MONTH: Final = ("monthly", "quarterly", "yearly")


@dataclass(frozen=True)
class Obligation:
    """A contract's deadlines: the last that are over, who is late by them, and the next one."""

    contract: str
    obligation: str
    rhythm: str
    period: str | None = None
    due: date | None = None
    expected: int = 0
    delivered: int = 0
    late: tuple[tuple[str, str], ...] = ()
    """(period, sender) of whoever has not delivered by a deadline: of the last two."""
    next_period: str | None = None
    next_due: date | None = None
    next_expected: int = 0
    next_delivered: int = 0


@dataclass(frozen=True)
class Status:
    """How the installation stands. `problems` has one sentence for each thing that needs a person."""

    at: datetime
    today: date
    obligations: list[Obligation]
    undeclared: list[str]
    """Contracts that declare no due date."""
    inbox: dict[str, Any]
    release: dict[str, Any]
    nightly: dict[str, Any]
    outbox: dict[str, Any]
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def status(installation: Installation, today: date | None = None) -> Status:
    """Return how the installation stands now; `today` says which day's deadlines are asked about."""
    at = datetime.now(UTC).replace(tzinfo=None)
    day = today or datetime.now(HERE).date()
    due = {name: contract for name, contract in installation.contracts.items() if contract.due}
    nightly = _nightly(installation)
    told = Status(
        at=at,
        today=day,
        obligations=obligations(installation, day),
        undeclared=sorted(set(installation.contracts) - set(due)),
        inbox=_inbox(installation),
        release=_release(installation, at, nightly),
        nightly=nightly,
        outbox=_outbox(installation),
    )
    told.problems.extend(_problems(told))
    return told


def obligations(installation: Installation, today: date) -> list[Obligation]:
    """Return the deadlines of every contract that declares when it is due, by contract."""
    declared = [c for _, c in sorted(installation.contracts.items()) if c.due]
    if not declared:
        return []
    holidays = public_holidays(installation.settings.home / "cache", today.year - 4, today.year + 4)
    return [_obligation(installation, c, deadlines(c.rhythm, c.due, today, holidays), today) for c in declared if c.due]


def announce_overdue(installation: Installation, today: date | None = None) -> list[tuple[str, str, str]]:
    """Tell, once each, who has not delivered by a deadline: contract, period, sender; return those told of now."""
    from flows.events import OVERDUE, announce  # noqa: PLC0415  status tells of nothing

    fresh = []
    for o in obligations(installation, today or datetime.now(HERE).date()):
        for period, sender in o.late:
            data = {"contract": o.contract, "obligation": o.obligation, "period": period, "sender": sender}
            if announce(installation, OVERDUE, f"{o.contract}/{period}/{sender}", data, once=True):
                fresh.append((o.contract, period, sender))
                told = {"contract": o.contract, "period": period, "sender": sender}
                telemetry.log("watch").info("a delivery is overdue", extra=told)
    return fresh


def keep_watch(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> None:
    """Tell who is late and what is parked, post what the outbox holds, and forget what it told long ago."""
    from flows.events import deliver_outbox, forget_told  # noqa: PLC0415  status tells of nothing
    from flows.intake.arrivals import announce_parked  # noqa: PLC0415  same

    if parked := announce_parked(installation):
        progress(f"{parked} arrived objects are parked: `engang inbox` says why")
    if late := announce_overdue(installation):
        progress(f"{len(late)} deliveries are overdue: `engang status` names them")
    told, failed = deliver_outbox(installation)
    if failed:
        progress(f"{told} events told, {failed} not: `engang events` says why")
    forget_told(installation)


def _obligation(installation: Installation, contract: "Contract", told: list[Deadline], today: date) -> Obligation:
    over, coming = [d for d in told if d.due < today], [d for d in told if d.due >= today]
    delivered = _delivered(installation, contract, [d.period for d in told])
    last = _standing(contract, over[-1] if over else None, delivered)
    following = _standing(contract, coming[0] if coming else None, delivered)
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
            for d in over
            for sender in sorted(_expected(contract, d.period, delivered) - delivered.get(d.period.name, set()))
        ),
        next_period=following.period,
        next_due=following.due,
        next_expected=following.expected,
        next_delivered=following.delivered,
    )


class _Standing(NamedTuple):
    """How a deadline stands: whom it is for, how many are expected, how many of them have delivered."""

    period: str | None = None
    due: date | None = None
    expected: int = 0
    delivered: int = 0


def _standing(contract: "Contract", deadline: Deadline | None, delivered: dict[str, set[str]]) -> _Standing:
    if deadline is None:
        return _Standing()
    expected = _expected(contract, deadline.period, delivered)
    done = expected & delivered.get(deadline.period.name, set())
    return _Standing(deadline.period.name, deadline.due, len(expected), len(done))


def _expected(contract: "Contract", period: Period, delivered: dict[str, set[str]]) -> set[str]:
    """Return who is expected: whom the contract names, else who delivered for one of the two periods before."""
    named = (contract.due and contract.due.senders) or contract.sender.allowed
    if named is not None:
        return set(named)
    return set().union(*(delivered.get(p.name, set()) for p in before(contract.rhythm, period)))


def _delivered(installation: Installation, contract: "Contract", periods: Iterable[Period]) -> dict[str, set[str]]:
    """Return who has delivered for each of the periods and of those before them, by the period's name.

    What a month's delivery says of months is known; of records, days and weeks, whatever comes from the period's last
    day on is of it.
    """
    by_month = contract.record is None and contract.rhythm in BY_MONTH
    every = {p.name: p for period in periods for p in (period, *before(contract.rhythm, period))}
    spans = []
    for p in every.values():
        if by_month:
            spans.append(Span(p.name, p.start, p.end, f"{p.start:%Y-%m}", f"{p.end:%Y-%m}"))
        else:
            since = p.start if contract.rhythm == "once" else p.end - timedelta(days=1)
            spans.append(Span(p.name, since, since))
    return ledger_watch.delivered(installation.engine, contract.contract, spans) if spans else {}


def _inbox(installation: Installation) -> dict[str, Any]:
    counts = inbox.counts(installation.engine)
    by_status = dict(counts.group_by("status").agg(pl.col("objects").sum()).iter_rows())
    parked = inbox.parked(installation.engine, SHOWN_PARKED).select("id", "object", "sender", "found_at", "reason")
    return {
        **{state: by_status.get(state, 0) for state in inbox.OPEN},
        "oldest_waiting": counts.filter(status="waiting")["oldest"].min(),
        "senders_waiting": dict(counts.filter(status="waiting").select("sender", "objects").iter_rows()),
        "parked_objects": parked.to_dicts(),
        "dead_letters": _dead_letters(installation),
    }


def _dead_letters(installation: Installation) -> int | str | None:
    """Return how many messages are in the dead-letter queue, None without one, what is wrong if it does not answer."""
    if installation.settings.dead_letters is None:
        return None
    from flows.intake.arrivals import dead_letter_queue  # noqa: PLC0415  heavy: only where there is a queue

    try:
        queue = dead_letter_queue(installation, hasty=True)
        return None if queue is None else queue.count()
    except (StoreError, UsageError) as error:
        return str(error)


def _nightly(installation: Installation) -> dict[str, Any]:
    """Return the last nightly, when the last one began that ended well, and how many were refused or failed since."""
    runs = ledger_watch.last_runs(installation.engine, "nightly")
    done = ledger_watch.last_done(installation.engine, "nightly")
    since = runs if done is None else runs.filter(pl.col("started_at") > done)
    last = runs.head(1).drop("message").to_dicts()
    return {
        "last": last[0] if last else None,
        "last_done": done,
        "refused_since": since.filter(status="refused").height,
        "failed_since": since.filter(status="failed").height,
    }


def _release(installation: Installation, at: datetime, nightly: dict[str, Any]) -> dict[str, Any]:
    last = ledger_watch.last_release(installation.engine)
    # A night that had nothing to publish has still looked at all there was.
    waiting, oldest = ledger_watch.waiting_since(installation.engine, nightly["last_done"])
    return {
        "release": last and last["release"],
        "digest": last and last["digest"],
        "published_at": last and last["published_at"],
        "age_hours": last and round((at - last["published_at"]).total_seconds() / 3600, 1),
        "waiting": waiting,
        "oldest_waiting": oldest,
    }


def _outbox(installation: Installation) -> dict[str, Any]:
    left = outbox.unsent(installation.engine)
    last = left.filter(pl.col("problem").is_not_null()).tail(1)
    return {
        "unsent": left.height,
        "oldest": left["at"].min(),
        "problem": last["problem"].item() if last.height else None,
    }


def _problems(told: Status) -> list[str]:
    """Return one sentence for each thing that needs a person."""
    box, release, events = told.inbox, told.release, told.outbox
    found = [sentence for o in told.obligations for sentence in _late(o)]
    if box["parked"]:
        found.append(
            f"{box['parked']} objects are parked: `engang inbox` says why, `engang inbox retry` tries them again, "
            "`engang inbox dismiss` gives them up"
        )
    if box["dead_letters"]:
        found.append(
            f"dead letters: {box['dead_letters']}. `engang inbox` shows them, `engang inbox redrive` moves them back"
        )
    if _long(told.at, box["oldest_waiting"], LONG_WAIT):
        found.append(f"the inbox waits since {box['oldest_waiting']:%Y-%m-%d %H:%M} UTC: does a worker drain it?")
    if _long(told.at, release["oldest_waiting"], STALE):
        found.append(
            f"{release['waiting']} submissions wait for a release, one for over 36 hours: did the nightly run?"
        )
    found += [
        f"the nightly {how} ({told.nightly[f'{how}_since']} times since one went well): its run's message says why"
        for how in ("refused", "failed")
        if told.nightly[f"{how}_since"]
    ]
    if _long(told.at, events["oldest"], LONG_WAIT):
        found.append(f"{events['unsent']} events are not told: {events['problem'] or 'is ENGANG_WEBHOOK set?'}")
    return found


def _late(told: Obligation) -> list[str]:
    """Return a sentence for each period that someone has not delivered for."""
    periods: dict[str, list[str]] = {}
    for period, sender in told.late:
        periods.setdefault(period, []).append(sender)
    return [
        f"{told.contract} for {period} is late from {', '.join(senders[:SHOWN_LATE])}"
        + (f" and {len(senders) - SHOWN_LATE} more" if len(senders) > SHOWN_LATE else "")
        for period, senders in periods.items()
    ]


def _long(at: datetime, since: datetime | None, limit: timedelta) -> bool:
    return since is not None and at - since > limit
