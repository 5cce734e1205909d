"""The demo's incidents: what two agencies were told of a month's events, and the truth about which reports are of one.

A pure function of the seed, as the month's figures are. Events are drawn first; each office then tells of its events
with its own number, clock, spelling and words. The shipped model `schemas/models/incident.json` is what
`engang train incident` made of the deliveries of the seeds `TRAINED_ON`, in a home of their own.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from flows.demo import files as demo_files
from flows.demo.figures import MUNICIPALITIES, first_day
from flows.demo.incident_texts import GRADES, PLACES, SORTS, VAGUE
from flows.intake.registration import Delivery

TRAINED_ON: Final = range(101, 141)
DOCTOR: Final = ("demo-hendelse-helse", "helsemeldingen")
SUPERVISOR: Final = ("demo-hendelse-tilsyn", "kommunetilsynet")
"""Contract and sender."""
TOLD_TWICE: Final = 37
"""Events that both agencies were told of, so that the reports show it."""
BARELY: Final = 4
"""Events that both were told of, of which one report says next to nothing."""
ALONE: Final = 30
"""Events that one agency was told of: so many each."""
LOOKALIKES: Final = 4
"""Pairs of events at one place within an hour, of which each agency was told one."""
LIFE: Final = {"sykehjem": ("sjukeheim", "sykeheim", "bo- og omsorgssenter"), "skole": ("skule", "barneskole", "skole")}
"""What else people call a care home or a school."""


@dataclass(frozen=True)
class Event:
    """What happened. sort: a key of `SORTS`; details: what stands for {a}, {b} and {c} in the words told of it."""

    number: int
    code: str
    place: str
    at: datetime
    sort: str
    severity: int
    hurt: int
    details: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What one office says of an event, by a number of its own; `story` None is in the agency's usual words."""

    key: str
    event: Event
    story: str | None = None
    version: int = 1


@dataclass(frozen=True)
class Incidents:
    """The month's deliveries and the truth: report key -> number of the event; the keys of those corrected.

    barely: the pairs of keys of which one says next to nothing, so that a person must look.
    """

    deliveries: tuple[Delivery, ...]
    truth: dict[str, int]
    corrected: frozenset[str]
    barely: frozenset[tuple[str, str]]


def demo_incidents(seed: int) -> Incidents:
    """Return the seed's incidents: the same for ever."""
    rng = random.Random(f"incidents {seed}")  # noqa: S311  invented events, not secrets
    start = first_day(seed)
    doctor, supervisor, barely = _told(rng, datetime(start.year, start.month, start.day))  # noqa: DTZ001  local
    month = f"{start:%Y-%m}"
    doctor = [replace(report, key=f"H-{month}-{n:03}") for n, report in enumerate(doctor, 1)]
    supervisor = [replace(report, key=f"T-{month}-{n:03}") for n, report in enumerate(supervisor, 1)]
    keys = {r.event.number: [r.key] for r in doctor}
    for report in supervisor:
        keys.setdefault(report.event.number, []).append(report.key)
    wrong = replace(doctor[0], event=replace(doctor[0].event, hurt=doctor[0].event.hurt + 3, severity=4))
    files = [
        (f"hendelser-helse-{month}.csv", demo_files.doctors(map(_line, [wrong, *doctor[1:]])), DOCTOR),
        (f"hendelser-tilsyn-{month}.json", demo_files.cases(month, map(_case, supervisor)), SUPERVISOR),
        (
            f"hendelser-helse-{month}-corrected.csv",
            demo_files.doctors([_line(replace(doctor[0], version=2))]),
            DOCTOR,
        ),
    ]
    return Incidents(
        deliveries=tuple(Delivery(name, data, contract, sender) for name, data, (contract, sender) in files),
        truth={report.key: report.event.number for report in (*doctor, *supervisor)},
        corrected=frozenset([doctor[0].key]),
        barely=frozenset((keys[n][0], keys[n][1]) for n in barely),
    )


def truth_file(incidents: Incidents) -> bytes:
    """Return the truth as a file for `engang evaluate`: the report's own number, and the event it is of."""
    return "".join(f"{a},{b}\n" for a, b in [("report", "event_id"), *incidents.truth.items()]).encode()


def _told(rng: random.Random, start: datetime) -> tuple[list[Report], list[Report], list[int]]:
    """Return what the doctors and the supervisor's offices report, and the events of which one says little.

    Both lists begin with a report of one event; what follows is in the order of time.
    """
    count = TOLD_TWICE + BARELY + 2 * ALONE + LOOKALIKES
    events = [_event(rng, start, n) for n in range(1, count + 1)]
    both, rest = events[: TOLD_TWICE + BARELY], events[TOLD_TWICE + BARELY :]
    twins = [_twin(rng, event, count + n) for n, event in enumerate(rest[2 * ALONE :], 1)]
    doctor = [Report("", event) for event in (*both, *rest[:ALONE], *rest[2 * ALONE :])]
    supervisor = [_retold(rng, event) for event in both[:TOLD_TWICE]]
    supervisor += [Report("", _hardly(rng, event), _vague(rng, event)) for event in both[TOLD_TWICE:]]
    supervisor += [Report("", event) for event in (*rest[ALONE : 2 * ALONE], *twins)]

    def _when(report: Report) -> tuple[bool, datetime, int]:
        return report.event.number != 1, report.event.at, report.event.number

    return sorted(doctor, key=_when), sorted(supervisor, key=_when), [event.number for event in both[TOLD_TWICE:]]


def _event(rng: random.Random, start: datetime, number: int) -> Event:
    code = rng.choice(list(MUNICIPALITIES))
    sort = rng.choice(list(SORTS))
    return Event(
        number=number,
        code=code,
        place=PLACES[code][rng.random() < 0.4],  # noqa: PLR2004  more happens in care
        at=start + timedelta(days=rng.randrange(28), minutes=5 * rng.randrange(12 * 7, 12 * 21)),
        sort=sort,
        severity=rng.choices((1, 2, 3, 4), (4, 5, 3, 1))[0],
        hurt=rng.choices((0, 1, 2, 3), (3, 6, 2, 1))[0],
        details=(rng.choice(SORTS[sort].a), rng.choice(SORTS[sort].b), rng.choice(SORTS[sort].c)),
    )


def _chance(rng: random.Random, share: float) -> bool:
    return rng.random() < share


def _retold(rng: random.Random, event: Event) -> Report:
    """Return the other agency's report of an event; one of the same minute may be told in few words."""
    told = _otherwise(rng, event)
    return Report("", told, _vague(rng, event) if told.at == event.at and _chance(rng, 0.5) else None)


def _vague(rng: random.Random, event: Event) -> str:
    return f"{rng.choice(VAGUE)} ({event.details[2]})"


def _otherwise(rng: random.Random, event: Event) -> Event:
    """Return the event as another office has it: another clock, another spelling, now and then another figure."""
    told = replace(event, at=_moved(rng, event.at, rng.choice((0, 0, 5, 10, 15, 30, 45))))
    if _chance(rng, 0.5):
        told = replace(told, place=_called(rng, event.place))
    if _chance(rng, 0.2):
        told = replace(told, severity=min(4, told.severity + 1))
    if _chance(rng, 0.15):
        told = replace(told, hurt=max(0, told.hurt + rng.choice((-1, 1))))
    if _chance(rng, 0.08):
        sort, (_, b, c) = SORTS[event.sort], event.details
        told = replace(told, details=(rng.choice(sort.a), b, c))
    return told


def _hardly(rng: random.Random, event: Event) -> Event:
    """Return the event as an office has it that knows it by hearsay: another clock and other figures."""
    at = _moved(rng, event.at, rng.choice((20, 30, 45)))
    return replace(event, at=at, severity=_near(event.severity), hurt=event.hurt + 1)


def _twin(rng: random.Random, event: Event, number: int) -> Event:
    """Return another event of that sort, at that place, within the hour, like it in one detail."""
    sort, (a, b, c) = SORTS[event.sort], event.details
    details = (*(rng.choice([d for d in of if d != told]) for of, told in ((sort.a, a), (sort.b, b))), c)
    at = _moved(rng, event.at, rng.choice((20, 40, 60)))
    return replace(event, number=number, at=at, severity=_near(event.severity), hurt=event.hurt + 1, details=details)


def _near(severity: int) -> int:
    """Return a grade beside that one."""
    return severity - 1 if severity > 1 else severity + 1


def _moved(rng: random.Random, at: datetime, minutes: int) -> datetime:
    """Return the time so much earlier or later, the same day."""
    moved = at + rng.choice((-1, 1)) * timedelta(minutes=minutes)
    return moved if moved.date() == at.date() else at


def _called(rng: random.Random, place: str) -> str:
    """Return a place as others call it, or with two letters swapped."""
    name, what = place.split(" ")
    if _chance(rng, 0.3):
        n = rng.randrange(1, len(name) - 1)
        return f"{name[:n]}{name[n + 1]}{name[n]}{name[n + 2 :]} {what}"
    return f"{name} {rng.choice(LIFE[what])}"


def _line(report: Report) -> list[str]:
    """Return a row of the doctors' file."""
    event, sort = report.event, SORTS[report.event.sort]
    name = MUNICIPALITIES[event.code][0]
    story = report.story or sort.doctor.format(**dict(zip("abc", event.details, strict=True)))
    return [
        report.key, str(report.version), f"Kommunelegen i {name}", event.code, name, event.place,
        f"{event.at:%d.%m.%Y}", f"{event.at:%H.%M}", sort.word, str(event.severity), str(event.hurt or "-"), story,
    ]  # fmt: skip


def _case(report: Report) -> dict[str, Any]:
    """Return a row of the supervisor's file."""
    event, sort = report.event, SORTS[report.event.sort]
    story = report.story or sort.supervisor.format(**dict(zip("abc", event.details, strict=True)))
    return {
        "saksnr": report.key, "kontor": f"Tilsynskontor {event.code[:2]}", "kommune": event.code,
        "virksomhet": event.place, "dag": f"{event.at:%Y-%m-%d}", "tid": f"{event.at:%H:%M}", "kode": sort.code,
        "grad": GRADES[event.severity - 1], "personskader": event.hurt, "hendelse": story,
    }  # fmt: skip
