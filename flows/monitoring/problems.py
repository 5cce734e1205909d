"""The problems of a status: one sentence for each thing that needs a person, with what to do."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from flows.monitoring.obligations import Obligation
from flows.monitoring.rejected import rejected_sentence

if TYPE_CHECKING:
    from flows.monitoring.report import InboxStatus, NightlyStatus, OutboxStatus, ReleaseStatus, Status

MAX_RELEASE_WAIT: Final = timedelta(hours=36)
"""A submission that waits longer for a nightly is a problem, and so is a longer time without a nightly."""
MAX_QUEUE_WAIT: Final = timedelta(hours=1)
"""So is an object that waits longer in the inbox, an event in the outbox, a worker that does not look for arrivals."""
MAX_RUN_TIME: Final = timedelta(hours=6)
"""So is a nightly that takes longer."""
CLOCK_TOLERANCE: Final = timedelta(hours=1)
"""How far the clocks of two machines may differ."""
MAX_LATE_LISTED: Final = 10
MESSAGE_CHARACTERS_SHOWN: Final = 400


def find_problems(state: "Status") -> Iterator[str]:
    """Yield one sentence for each thing that needs a person."""
    for obligation in state.obligations:
        yield from _late_sentences(obligation)
    yield from map(one_sentence, state.contracts)
    yield from _inbox_problems(state.inbox, state.at)
    if (seen := state.intake_seen) and state.at - seen > MAX_QUEUE_WAIT:
        hint = "`engang serve` or `engang inbox poll` died or hangs, start it again; stopped as usual, it is not missed"
        yield f"nothing has looked for arrivals since {_minute(seen)}: {hint}"
    yield from map(rejected_sentence, state.rejected)
    yield from state.person_numbers
    yield from _nightly_problems(state.nightly, state.at)
    yield from _waiting_problems(state.release, state.outbox, state.at)
    yield from state.storage
    yield from state.register
    yield from map(one_sentence, state.mart)
    for submission in state.erasures:
        yield f"the erasure of submission {submission} is not finished: the same `engang erase` command completes it"
    if state.suspect_units:
        names = ", ".join(map(repr, state.suspect_units[:MAX_LATE_LISTED]))
        yield f"units that look like a sum row are published: {names}; skip such rows in the contract, then backfill"


def _inbox_problems(inbox: "InboxStatus", at: datetime) -> Iterator[str]:
    if inbox["parked"]:
        yield (
            f"{inbox['parked']} objects are parked: `engang inbox` shows why, `engang inbox retry` retries them, "
            "`engang inbox dismiss` gives them up"
        )
    if isinstance(inbox["queue"], str):
        yield f"the queue cannot be read, so arrivals are found late, by listing: {inbox['queue']}"
    if inbox["dead_letters"]:
        advice = "`engang inbox` shows them, `engang inbox redrive` moves them back"
        yield f"dead letters: {inbox['dead_letters']}. {advice}"
    if (oldest := inbox["oldest_waiting"]) and at - oldest > MAX_QUEUE_WAIT:
        yield f"the inbox waits since {_minute(oldest)}: is a worker running?"


def _nightly_problems(nightly: "NightlyStatus", at: datetime) -> Iterator[str]:
    yield from _unsuccessful_nights(nightly)
    yield from _open_nights(nightly, at)
    last = nightly["last"]
    if last and last["started_at"] - at > CLOCK_TOLERANCE:
        hint = "a clock was wrong then, or is now: correct it, or late nights go unnoticed"
        yield f"the last nightly began {_minute(last['started_at'])}, which is in the future: {hint}"
    if last and not nightly["open"] and at - last["started_at"] > MAX_RELEASE_WAIT:
        hint = "is `engang serve`, or Prefect's server and worker, running? `engang nightly` runs it by hand"
        yield f"no nightly has run since {_minute(last['started_at'])}, for over 36 hours: {hint}"


def _unsuccessful_nights(nightly: "NightlyStatus") -> Iterator[str]:
    """Yield how often it was refused and failed since the last success; the first sentence ends with the reason."""
    message = f": {one_sentence(nightly['message'])}" if nightly["message"] else ""
    for how, count in (("refused", nightly["refused_since"]), ("failed", nightly["failed_since"])):
        if count:
            yield f"the nightly {how} ({count} times since the last success){message}"
            message = ""


def _open_nights(nightly: "NightlyStatus", at: datetime) -> Iterator[str]:
    for run in nightly["open"]:
        began = _minute(run["started_at"])
        if run["dead"]:
            yield f"the nightly that began {began} was killed before its end: `engang nightly` runs it again"
        elif at - run["started_at"] > MAX_RUN_TIME:
            yield f"the nightly that began {began} still runs: over {MAX_RUN_TIME.total_seconds() / 3600:.0f} hours"


def _waiting_problems(release: "ReleaseStatus", events: "OutboxStatus", at: datetime) -> Iterator[str]:
    if (oldest := release["oldest_waiting"]) and at - oldest > MAX_RELEASE_WAIT:
        yield f"{release['waiting']} submissions wait for a release, one for over 36 hours: did the nightly run?"
    if (oldest := events["oldest"]) and at - oldest > MAX_QUEUE_WAIT:
        why = events["problem"] or "is their receiver set (ENGANG_WEBHOOK, ENGANG_OPENLINEAGE)?"
        yield f"{events['unsent']} events are not sent: {why}"


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


def one_sentence(message: str) -> str:
    """Return a message on one line, cut to what a person reads at a glance."""
    text = " ".join(message.split())
    return text if len(text) <= MESSAGE_CHARACTERS_SHOWN else f"{text[:MESSAGE_CHARACTERS_SHOWN]} ..."


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
