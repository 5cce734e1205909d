"""The status of an installation: who is late, what waits, what failed. Contains no delivered data."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypedDict

import polars as pl

from flows.installation import OSLO, Installation
from flows.monitoring.obligations import Obligation, obligations
from infra.inbox import work_queue as inbox
from infra.ledger import monitoring as ledger_monitoring
from infra.ledger import outbox
from infra.ledger.records import read_record_warnings
from schemas.errors import StoreError, UsageError

MAX_RELEASE_WAIT: Final = timedelta(hours=36)
"""A submission that waits longer for a nightly is a problem."""
MAX_QUEUE_WAIT: Final = timedelta(hours=1)
"""So is an object that waits longer in the inbox, and an event that waits longer in the outbox."""
MAX_PARKED_LISTED: Final = 20
MAX_LATE_LISTED: Final = 10


class InboxStatus(TypedDict):
    """The inbox: objects by state, the oldest that waits, the senders that wait, parked objects, dead letters.

    dead_letters: how many messages, None without a dead-letter queue, or the error if it does not answer.
    """

    waiting: int
    leased: int
    parked: int
    oldest_waiting: datetime | None
    senders_waiting: dict[str, int]
    parked_objects: list[dict[str, Any]]
    dead_letters: int | str | None


class ReleaseStatus(TypedDict):
    """The current release and the submissions that the last nightly has not seen."""

    release: int | None
    digest: str | None
    published_at: datetime | None
    age_hours: float | None
    waiting: int
    oldest_waiting: datetime | None


class NightlyStatus(TypedDict):
    """The last nightly, the start of the last one that succeeded, and how many were refused or failed since."""

    last: dict[str, Any] | None
    last_done: datetime | None
    refused_since: int
    failed_since: int


class OutboxStatus(TypedDict):
    """Events that are not delivered: how many, since when, and the last error."""

    unsent: int
    oldest: datetime | None
    problem: str | None


class RecordWarning(TypedDict):
    """Something that the record linkage of the current release left out, for example a block over the limit."""

    kind: str
    what: str
    detail: str
    count: int


@dataclass(frozen=True)
class Status:
    """The state of the installation. `problems` has one sentence for each thing that needs a person."""

    at: datetime
    today: date
    obligations: list[Obligation]
    undeclared: list[str]
    """Contracts that declare no due date."""
    inbox: InboxStatus
    release: ReleaseStatus
    nightly: NightlyStatus
    outbox: OutboxStatus
    record_warnings: list[RecordWarning]
    """Warnings are no problems: they do not change the exit code."""
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def status(installation: Installation, today: date | None = None) -> Status:
    """Return the state of the installation now; `today` selects the day whose deadlines are checked."""
    at = datetime.now(UTC).replace(tzinfo=None)
    day = today or datetime.now(OSLO).date()
    nightly = _nightly(installation)
    release = _release(installation, at, nightly)
    result = Status(
        at=at,
        today=day,
        obligations=obligations(installation, day),
        undeclared=sorted(name for name, contract in installation.contracts.items() if not contract.due),
        inbox=_inbox(installation),
        release=release,
        nightly=nightly,
        outbox=_outbox(installation),
        record_warnings=_record_warnings(installation, release["release"]),
    )
    result.problems.extend(_problems(result))
    return result


def _inbox(installation: Installation) -> InboxStatus:
    counts = inbox.count_open(installation.engine)
    by_status = dict(counts.group_by("status").agg(pl.col("objects").sum()).iter_rows())
    parked = inbox.list_parked(installation.engine, MAX_PARKED_LISTED)
    waiting = counts.filter(status="waiting")
    return {
        "waiting": by_status.get("waiting", 0),
        "leased": by_status.get("leased", 0),
        "parked": by_status.get("parked", 0),
        "oldest_waiting": waiting.select(pl.col("oldest").min()).item(),
        "senders_waiting": dict(waiting.select("sender", "objects").iter_rows()),
        "parked_objects": parked.select("id", "object", "sender", "found_at", "reason").to_dicts(),
        "dead_letters": _dead_letters(installation),
    }


def _dead_letters(installation: Installation) -> int | str | None:
    """Return how many messages are in the dead-letter queue, None without one, the error if it does not answer."""
    if installation.settings.dead_letters is None:
        return None
    from flows.intake.inbox import open_dead_letter_queue  # noqa: PLC0415  heavy: only where there is a queue

    try:
        queue = open_dead_letter_queue(installation, fail_fast=True)
        return None if queue is None else queue.count()
    except (StoreError, UsageError) as error:
        return str(error)


def _nightly(installation: Installation) -> NightlyStatus:
    runs = ledger_monitoring.read_last_runs(installation.engine, "nightly")
    done = ledger_monitoring.last_success(installation.engine, "nightly")
    since = runs if done is None else runs.filter(pl.col("started_at") > done)
    last = runs.head(1).drop("message").to_dicts()
    return {
        "last": last[0] if last else None,
        "last_done": done,
        "refused_since": since.filter(status="refused").height,
        "failed_since": since.filter(status="failed").height,
    }


def _release(installation: Installation, at: datetime, nightly: NightlyStatus) -> ReleaseStatus:
    last = ledger_monitoring.last_release(installation.engine)
    # A nightly that had nothing to publish has still seen every submission that was there.
    waiting, oldest = ledger_monitoring.count_waiting(installation.engine, nightly["last_done"])
    return {
        "release": last["release"] if last else None,
        "digest": last["digest"] if last else None,
        "published_at": last["published_at"] if last else None,
        "age_hours": round((at - last["published_at"]).total_seconds() / 3600, 1) if last else None,
        "waiting": waiting,
        "oldest_waiting": oldest,
    }


def _outbox(installation: Installation) -> OutboxStatus:
    unsent = outbox.read_unsent_events(installation.engine)
    failed = unsent.filter(pl.col("problem").is_not_null()).tail(1)
    return {
        "unsent": unsent.height,
        "oldest": unsent.select(pl.col("at").min()).item(),
        "problem": failed["problem"].item() if failed.height else None,
    }


def _record_warnings(installation: Installation, release: int | None) -> list[RecordWarning]:
    if release is None:
        return []
    rows = read_record_warnings(installation.engine, release).iter_rows(named=True)
    return [RecordWarning(kind=r["kind"], what=r["what"], detail=r["detail"], count=r["count"]) for r in rows]


def _problems(state: Status) -> list[str]:
    """Return one sentence for each thing that needs a person."""
    queue, release, events = state.inbox, state.release, state.outbox
    problems = [sentence for o in state.obligations for sentence in _late_sentences(o)]
    if queue["parked"]:
        problems.append(
            f"{queue['parked']} objects are parked: `engang inbox` shows why, `engang inbox retry` retries them, "
            "`engang inbox dismiss` gives them up"
        )
    if queue["dead_letters"]:
        problems.append(
            f"dead letters: {queue['dead_letters']}. `engang inbox` shows them, `engang inbox redrive` moves them back"
        )
    if (oldest := queue["oldest_waiting"]) and state.at - oldest > MAX_QUEUE_WAIT:
        problems.append(f"the inbox waits since {oldest:%Y-%m-%d %H:%M} UTC: is a worker running?")
    if (oldest := release["oldest_waiting"]) and state.at - oldest > MAX_RELEASE_WAIT:
        problems.append(
            f"{release['waiting']} submissions wait for a release, one for over 36 hours: did the nightly run?"
        )
    if state.nightly["refused_since"]:
        problems.append(_unsuccessful_sentence("refused", state.nightly["refused_since"]))
    if state.nightly["failed_since"]:
        problems.append(_unsuccessful_sentence("failed", state.nightly["failed_since"]))
    if (oldest := events["oldest"]) and state.at - oldest > MAX_QUEUE_WAIT:
        problems.append(f"{events['unsent']} events are not sent: {events['problem'] or 'is ENGANG_WEBHOOK set?'}")
    return problems


def _unsuccessful_sentence(how: str, count: int) -> str:
    return f"the nightly {how} ({count} times since the last success): its run's message shows why"


def _late_sentences(obligation: Obligation) -> list[str]:
    """Return a sentence for each period with missing deliveries."""
    periods: dict[str, list[str]] = {}
    for period, sender in obligation.late:
        periods.setdefault(period, []).append(sender)
    return [
        f"{obligation.contract} for {period} is late from {', '.join(senders[:MAX_LATE_LISTED])}"
        + (f" and {len(senders) - MAX_LATE_LISTED} more" if len(senders) > MAX_LATE_LISTED else "")
        for period, senders in periods.items()
    ]
