"""The demo's incidents: reports to two agencies about a month's events, and which reports are about the same event.

A pure function of the seed, like the month's figures. Events are drawn first; then each office reports its events with
its own case number, clock, spelling and words. The shipped model `schemas/models/incident.json` is what
`engang train incident` made of the deliveries of the seeds `TRAINING_SEEDS`, in a separate home.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, Final

from flows.demo import files as demo_files
from flows.demo.figures import MUNICIPALITIES, first_day
from flows.demo.incident_texts import INCIDENT_PLACES, INCIDENT_TYPES, SEVERITY_GRADES, VAGUE_TEXTS
from flows.intake.deliveries import Delivery

TRAINING_SEEDS: Final = range(101, 141)
DOCTOR: Final = ("demo-hendelse-helse", "helsemeldingen")
SUPERVISOR: Final = ("demo-hendelse-tilsyn", "kommunetilsynet")
"""Contract and sender of each agency."""
REPORTED_TWICE: Final = 37
"""Events reported to both agencies, in enough detail to match."""
REPORTED_VAGUELY: Final = 4
"""Events reported to both agencies, one of the reports with hardly any detail."""
REPORTED_ONCE: Final = 30
"""Events reported to one agency only: this many for each agency."""
LOOKALIKE_PAIRS: Final = 4
"""Pairs of events at the same place within an hour, one reported to each agency."""
CARE_HOME_SHARE: Final = 0.4
"""How many of the incidents of a municipality happen at its care home."""
PLACE_SYNONYMS: Final = {
    "sykehjem": ("sjukeheim", "sykeheim", "bo- og omsorgssenter"),
    "skole": ("skule", "barneskole", "skole"),
}
"""Other words for a care home or a school."""


@dataclass(frozen=True)
class IncidentEvent:
    """What happened. type: a key of `INCIDENT_TYPES`; details: what replaces {a}, {b} and {c} in its descriptions."""

    number: int
    code: str
    place: str
    at: datetime
    type: str
    severity: int
    hurt: int
    details: tuple[str, ...]


@dataclass(frozen=True)
class IncidentReport:
    """One office's report of an event under its own case number; `story` None: in the agency's usual words."""

    key: str
    event: IncidentEvent
    story: str | None = None
    version: int = 1


@dataclass(frozen=True)
class DemoIncidents:
    """The month's deliveries and the truth about them.

    truth: report key -> number of the event. corrected: the keys of corrected reports. uncertain: pairs of report keys
    about one event where one report has hardly any detail, so that a person must decide.
    """

    deliveries: tuple[Delivery, ...]
    truth: dict[str, int]
    corrected: frozenset[str]
    uncertain: frozenset[tuple[str, str]]


def demo_incidents(seed: int) -> DemoIncidents:
    """Return the seed's incidents, always the same."""
    rng = random.Random(f"incidents {seed}")
    start = first_day(seed)
    doctor, supervisor, vague = _draw_reports(rng, datetime.combine(start, time()))
    month = f"{start:%Y-%m}"
    doctor = [replace(report, key=f"H-{month}-{n:03}") for n, report in enumerate(doctor, 1)]
    supervisor = [replace(report, key=f"T-{month}-{n:03}") for n, report in enumerate(supervisor, 1)]
    keys = {r.event.number: [r.key] for r in doctor}
    for report in supervisor:
        keys.setdefault(report.event.number, []).append(report.key)
    wrong = replace(doctor[0], event=replace(doctor[0].event, hurt=doctor[0].event.hurt + 3, severity=4))
    files = [
        (f"hendelser-helse-{month}.csv", demo_files.doctors_file(map(_line, [wrong, *doctor[1:]])), DOCTOR),
        (f"hendelser-tilsyn-{month}.json", demo_files.cases_file(month, map(_case, supervisor)), SUPERVISOR),
        (
            f"hendelser-helse-{month}-corrected.csv",
            demo_files.doctors_file([_line(replace(doctor[0], version=2))]),
            DOCTOR,
        ),
    ]
    return DemoIncidents(
        deliveries=tuple(Delivery(name, data, contract, sender) for name, data, (contract, sender) in files),
        truth={report.key: report.event.number for report in (*doctor, *supervisor)},
        corrected=frozenset([doctor[0].key]),
        uncertain=frozenset((keys[n][0], keys[n][1]) for n in vague),
    )


def truth_file(incidents: DemoIncidents) -> bytes:
    """Return the truth as a file for `engang evaluate`: the key of each report and the number of its event."""
    return "".join(f"{a},{b}\n" for a, b in [("report", "event_id"), *incidents.truth.items()]).encode()


def _draw_reports(rng: random.Random, start: datetime) -> tuple[list[IncidentReport], list[IncidentReport], list[int]]:
    """Return the doctors' reports, the supervisor's reports, and the numbers of the vaguely reported events.

    Both lists begin with a report of the first event; the rest is in order of time.
    """
    count = REPORTED_TWICE + REPORTED_VAGUELY + 2 * REPORTED_ONCE + LOOKALIKE_PAIRS
    events = [_event(rng, start, n) for n in range(1, count + 1)]
    both, rest = events[: REPORTED_TWICE + REPORTED_VAGUELY], events[REPORTED_TWICE + REPORTED_VAGUELY :]
    lookalikes = [_lookalike(rng, event, count + n) for n, event in enumerate(rest[2 * REPORTED_ONCE :], 1)]
    doctor = [IncidentReport("", event) for event in (*both, *rest[:REPORTED_ONCE], *rest[2 * REPORTED_ONCE :])]
    supervisor = [_second_report(rng, event) for event in both[:REPORTED_TWICE]]
    supervisor += [
        IncidentReport("", _from_hearsay(rng, event), _vague_text(rng, event)) for event in both[REPORTED_TWICE:]
    ]
    supervisor += [IncidentReport("", event) for event in (*rest[REPORTED_ONCE : 2 * REPORTED_ONCE], *lookalikes)]

    def _order(report: IncidentReport) -> tuple[bool, datetime, int]:
        return report.event.number != 1, report.event.at, report.event.number

    return sorted(doctor, key=_order), sorted(supervisor, key=_order), [event.number for event in both[REPORTED_TWICE:]]


def _event(rng: random.Random, start: datetime, number: int) -> IncidentEvent:
    code = rng.choice(list(MUNICIPALITIES))
    type_ = rng.choice(list(INCIDENT_TYPES))
    return IncidentEvent(
        number=number,
        code=code,
        place=INCIDENT_PLACES[code][rng.random() < CARE_HOME_SHARE],
        at=start + timedelta(days=rng.randrange(28), minutes=5 * rng.randrange(12 * 7, 12 * 21)),
        type=type_,
        severity=rng.choices((1, 2, 3, 4), (4, 5, 3, 1))[0],
        hurt=rng.choices((0, 1, 2, 3), (3, 6, 2, 1))[0],
        details=(
            rng.choice(INCIDENT_TYPES[type_].a),
            rng.choice(INCIDENT_TYPES[type_].b),
            rng.choice(INCIDENT_TYPES[type_].c),
        ),
    )


def _chance(rng: random.Random, share: float) -> bool:
    return rng.random() < share


def _second_report(rng: random.Random, event: IncidentEvent) -> IncidentReport:
    """Return the other agency's report of an event; a report of the same minute may be vague."""
    seen = _as_seen_by_another(rng, event)
    return IncidentReport("", seen, _vague_text(rng, event) if seen.at == event.at and _chance(rng, 0.5) else None)


def _vague_text(rng: random.Random, event: IncidentEvent) -> str:
    return f"{rng.choice(VAGUE_TEXTS)} ({event.details[2]})"


def _as_seen_by_another(rng: random.Random, event: IncidentEvent) -> IncidentEvent:
    """Return the event as another office records it: another clock, another spelling, sometimes other figures."""
    seen = replace(event, at=_shifted(rng, event.at, rng.choice((0, 0, 5, 10, 15, 30, 45))))
    if _chance(rng, 0.5):
        seen = replace(seen, place=_other_name(rng, event.place))
    if _chance(rng, 0.2):
        seen = replace(seen, severity=min(4, seen.severity + 1))
    if _chance(rng, 0.15):
        seen = replace(seen, hurt=max(0, seen.hurt + rng.choice((-1, 1))))
    if _chance(rng, 0.08):
        type_, (_, b, c) = INCIDENT_TYPES[event.type], event.details
        seen = replace(seen, details=(rng.choice(type_.a), b, c))
    return seen


def _from_hearsay(rng: random.Random, event: IncidentEvent) -> IncidentEvent:
    """Return the event as an office records it from hearsay: another clock and other figures."""
    at = _shifted(rng, event.at, rng.choice((20, 30, 45)))
    return replace(event, at=at, severity=_next_grade(event.severity), hurt=event.hurt + 1)


def _lookalike(rng: random.Random, event: IncidentEvent, number: int) -> IncidentEvent:
    """Return another event of the same type and place within the hour, with one detail in common."""
    type_, (a, b, c) = INCIDENT_TYPES[event.type], event.details
    details = (*(rng.choice([d for d in options if d != own]) for options, own in ((type_.a, a), (type_.b, b))), c)
    at = _shifted(rng, event.at, rng.choice((20, 40, 60)))
    severity = _next_grade(event.severity)
    return replace(event, number=number, at=at, severity=severity, hurt=event.hurt + 1, details=details)


def _next_grade(severity: int) -> int:
    """Return an adjacent grade."""
    return severity - 1 if severity > 1 else severity + 1


def _shifted(rng: random.Random, at: datetime, minutes: int) -> datetime:
    """Return the time, these minutes earlier or later if that is the same day."""
    shifted = at + rng.choice((-1, 1)) * timedelta(minutes=minutes)
    return shifted if shifted.date() == at.date() else at


def _other_name(rng: random.Random, place: str) -> str:
    """Return another name of the place, or its name with two letters swapped."""
    name, what = place.split(" ")
    if _chance(rng, 0.3):
        n = rng.randrange(1, len(name) - 1)
        return f"{name[:n]}{name[n + 1]}{name[n]}{name[n + 2 :]} {what}"
    return f"{name} {rng.choice(PLACE_SYNONYMS[what])}"


def _line(report: IncidentReport) -> list[str]:
    """Return a row of the doctors' file."""
    event, type_ = report.event, INCIDENT_TYPES[report.event.type]
    name = MUNICIPALITIES[event.code][0]
    story = report.story or type_.doctor.format(**dict(zip("abc", event.details, strict=True)))
    return [
        report.key, str(report.version), f"Kommunelegen i {name}", event.code, name, event.place,
        f"{event.at:%d.%m.%Y}", f"{event.at:%H.%M}", type_.word, str(event.severity), str(event.hurt or "-"), story,
    ]  # fmt: skip


def _case(report: IncidentReport) -> dict[str, Any]:
    """Return a row of the supervisor's file."""
    event, type_ = report.event, INCIDENT_TYPES[report.event.type]
    story = report.story or type_.supervisor.format(**dict(zip("abc", event.details, strict=True)))
    return {
        "saksnr": report.key, "kontor": f"Tilsynskontor {event.code[:2]}", "kommune": event.code,
        "virksomhet": event.place, "dag": f"{event.at:%Y-%m-%d}", "tid": f"{event.at:%H:%M}", "kode": type_.code,
        "grad": SEVERITY_GRADES[event.severity - 1], "personskader": event.hurt, "hendelse": story,
    }  # fmt: skip
