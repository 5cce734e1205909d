"""The demo's month: deliveries of four invented agencies about real municipalities, and the truth about them.

A pure function of the seed. The figures are invented, each municipality's part in the month (`Cast`) is drawn, and
files and truth are both written from that: what a release must hold is known before anything is delivered.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from flows.demo import files as demo_files
from flows.intake.registration import Delivery

MUNICIPALITIES: Final = {
    "1120": ("Klepp", 21), "1121": ("Time", 20), "1508": ("Ålesund", 58), "1515": ("Herøy", 9), "1580": ("Haram", 9),
    "1815": ("Vega", 1), "1818": ("Herøy (Nordland)", 2), "1840": ("Saltdal", 5), "3101": ("Halden", 32),
    "3103": ("Moss", 52), "4624": ("Bjørnafjorden", 26), "5612": ("Kautokeino", 3),
}  # fmt: skip
"""Code -> name as the supervisor's form has it, and about how many thousand live there."""
NAMELESS: Final = "1515"
"""One of two called Herøy, told without its county."""
OUTDATED: Final = "3101"
"""Halden, told with the code that it had until 2024."""
OLD_CODE: Final = "3001"
UNKNOWN_CODE: Final = "9999"
OMSORG: Final = ("demo-omsorg", "omsorgsdirektoratet")
TILSYN: Final = ("demo-tilsyn", "kommunetilsynet")
SKOLE: Final = ("demo-skole", "skoleregisteret")
LONN: Final = ("demo-lonn", "lonnsregisteret")
"""Contract and sender."""
CARE: Final = '{"sector":"care"}'
SCHOOL: Final = '{"sector":"school"}'
PRIMARY: Final = '{"stage":"primary"}'
LOWER: Final = '{"stage":"lower_secondary"}'
FIRST_YEAR: Final = 2025
MONTHS: Final = 1200


@dataclass(frozen=True)
class Figures:
    """What is true of a municipality in the month."""

    places: int
    residents: int
    care_hours: Decimal
    costs: int
    primary: int
    lower: int
    primary_groups: int
    lower_groups: int
    school_hours: Decimal


@dataclass(frozen=True)
class Cast:
    """Which municipality has which part; no municipality has two."""

    no_number: str
    empty_cell: str
    twice: str
    corrected: tuple[str, str]
    residents_differ: tuple[str, str]
    costs_differ: str
    pupils_differ: str
    crowded: str

    @property
    def unread(self) -> tuple[str, ...]:
        """The municipalities whose row of the care report is rejected."""
        return (self.no_number, self.empty_cell, self.twice, OUTDATED)

    @property
    def late(self) -> tuple[str, ...]:
        """The municipalities whose care report comes late, and sound."""
        return (self.crowded, NAMELESS)


@dataclass(frozen=True)
class Item:
    """One item of the release, and all that the release must say of it."""

    concept: str
    unit_code: str
    breakdown: str
    unit_measure: str
    value: Decimal | None
    decimals: int | None
    agreement: str
    reports: int
    reporters: int


@dataclass(frozen=True)
class Clash:
    """One claim of an item in conflict."""

    concept: str
    unit_code: str
    breakdown: str
    contract: str
    value: Decimal
    outcome: str


@dataclass(frozen=True)
class Refusal:
    """One reject or warning."""

    filename: str
    row: int
    column: str
    reason: str
    severity: str


@dataclass(frozen=True)
class Truth:
    """What the release of the month must hold, exactly; `buckets` are rows of all deliveries."""

    items: frozenset[Item]
    clashes: frozenset[Clash]
    refusals: frozenset[Refusal]
    buckets: dict[str, int]


@dataclass(frozen=True)
class Month:
    """The deliveries in order, and the truth about them."""

    start: date
    deliveries: tuple[Delivery, ...]
    truth: Truth


@dataclass(frozen=True)
class _Said:
    """One figure as one agency has it, of those that count in the end."""

    contract: str
    concept: str
    unit_code: str
    breakdown: str
    unit_measure: str
    value: Decimal
    decimals: int | None = None

    @property
    def item(self) -> tuple[str, str, str]:
        """What it is about."""
        return self.concept, self.unit_code, self.breakdown


def demo_month(seed: int) -> Month:
    """Return the seed's month: the same for ever; the first is January 2025, each further seed a month later."""
    rng = random.Random(seed)  # noqa: S311  invented figures, not secrets
    start = first_day(seed)
    cast = _cast(rng)
    facts = {code: _figures(rng, size, crowded=code == cast.crowded) for code, (_, size) in MUNICIPALITIES.items()}
    supervised = _supervised(rng, facts, cast)
    lines = list(_lines(rng, facts))
    deliveries = _deliveries(start, cast, facts, supervised, lines)
    return Month(start, deliveries, _truth(start, cast, facts, supervised, len(lines)))


def first_day(seed: int) -> date:
    """Return the first day of the seed's month."""
    year, month = divmod((seed - 1) % MONTHS, 12)
    return date(FIRST_YEAR + year, month + 1, 1)


def _cast(rng: random.Random) -> Cast:
    drawn = [code for code in MUNICIPALITIES if code not in (NAMELESS, OUTDATED)]
    rng.shuffle(drawn)
    return Cast(drawn[0], drawn[1], drawn[2], (drawn[3], drawn[4]), (drawn[5], drawn[6]), *drawn[7:10])


def _figures(rng: random.Random, size: int, *, crowded: bool) -> Figures:
    places, primary, lower = (each * size + rng.randint(18, 40) for each in (8, 85, 38))
    residents = places + 2 if crowded else places - rng.randint(1, 6)
    return Figures(
        places=places,
        residents=residents,
        care_hours=_halves(rng, residents * 170),
        costs=residents * rng.randint(82_000, 118_000) + rng.randint(1, 999),
        primary=primary,
        lower=lower,
        primary_groups=primary // 19 + 1,
        lower_groups=lower // 22 + 1,
        school_hours=_halves(rng, (primary + lower) * 12),
    )


def _halves(rng: random.Random, about: int) -> Decimal:
    return Decimal(2 * about + rng.randint(-99, 99)) / 2


def _supervised(rng: random.Random, facts: dict[str, Figures], cast: Cast) -> dict[str, Figures]:
    """Return the figures as the supervisor was told them: for four municipalities not what others were told."""
    told = dict(facts)
    for code in cast.residents_differ:
        told[code] = replace(told[code], residents=told[code].residents + rng.randint(3, 15))
    code = cast.costs_differ
    told[code] = replace(told[code], costs=told[code].costs + 1000 * rng.randint(200, 900))
    code = cast.pupils_differ
    told[code] = replace(told[code], lower=told[code].lower - rng.randint(2, 20))
    return told


def _lines(rng: random.Random, facts: dict[str, Figures]) -> Iterator[tuple[str, str, str, Decimal]]:
    """Yield code, workplace, sector and hours: two or three lines to a municipality and sector."""
    for code, (name, _) in MUNICIPALITIES.items():
        for sector, place, hours in (
            ("omsorg", "sykehjem", facts[code].care_hours),
            ("skole", "skole", facts[code].school_hours),
        ):
            parts = rng.randint(2, 3)
            shares = [Decimal(rng.randint(1, int(hours) // 4)) for _ in range(parts - 1)]
            for number, share in enumerate([*shares, hours - sum(shares)], 1):
                yield code, f"{name} {place} {number}", sector, share


def _deliveries(
    start: date,
    cast: Cast,
    facts: dict[str, Figures],
    supervised: dict[str, Figures],
    lines: list[tuple[str, str, str, Decimal]],
) -> tuple[Delivery, ...]:
    """Return the month's files: all four forms, a correction, a re-delivery, a school file in another order."""
    month = f"{start:%Y-%m}"
    hours = demo_files.hours([(code, place, sector, month, str(told)) for code, place, sector, told in lines])
    schools = [row for code in MUNICIPALITIES for row in _school_rows(code, facts[code])]
    late = [row for _, row in _late_rows(start, cast, facts)]
    files = [
        (f"omsorg-{month}.csv", demo_files.care_file(_care_rows(start, cast, facts)), OMSORG),
        (f"omsorg-{month}-late.csv", demo_files.care_file(late), OMSORG),
        (f"tilsyn-{month}.xlsx", demo_files.workbook(_sheet(month, supervised)), TILSYN),
        (f"skole-{month}.json", demo_files.schools(month, schools, indent=None), SKOLE),
        (f"lonn-{month}.tsv", hours, LONN),
        (
            f"omsorg-{month}-corrected.csv",
            demo_files.care_file([_care_row(start, c, facts[c], 2) for c in cast.corrected]),
            OMSORG,
        ),
        (f"skole-{month}-new-system.json", demo_files.schools(month, schools[::-1], indent=1), SKOLE),
        (f"lonn-{month}-again.tsv", hours, LONN),
    ]
    return tuple(Delivery(name, data, contract, sender) for name, data, (contract, sender) in files)


def _care_rows(start: date, cast: Cast, facts: dict[str, Figures]) -> list[list[str]]:
    """Return the rows delivered in time; those that are corrected later have residents too few and costs too high."""
    told = {code: facts[code] for code in MUNICIPALITIES if code not in (*cast.unread, *cast.late)}
    for code in cast.corrected:
        told[code] = replace(told[code], residents=told[code].residents - 10, costs=told[code].costs + 654_321)
    return [_care_row(start, code, figures) for code, figures in told.items()]


def _late_rows(start: date, cast: Cast, facts: dict[str, Figures]) -> list[tuple[str, list[str]]]:
    """Return the rows delivered late, each with the reason why it is rejected or warned of, "" for none."""
    told = {code: _care_row(start, code, facts[code]) for code in cast.unread}
    told[cast.no_number][6] = "ukjent"
    told[cast.empty_cell][4] = ""
    other = _care_row(start, cast.twice, replace(facts[cast.twice], places=facts[cast.twice].places + 1))
    told[OUTDATED][0] = OLD_CODE
    return [
        *(("rule" if code == cast.crowded else "", _care_row(start, code, facts[code])) for code in cast.late),
        ("not-a-number", told[cast.no_number]),
        ("missing-value", told[cast.empty_cell]),
        ("duplicate-key", told[cast.twice]),
        ("duplicate-key", other),
        ("unit-not-valid", told[OUTDATED]),
        ("unknown-unit", [UNKNOWN_CODE, "Utopia", *_care_row(start, NAMELESS, facts[NAMELESS])[2:]]),
    ]


def _care_row(start: date, code: str, told: Figures, version: int = 1) -> list[str]:
    figures = [str(told.places), str(told.residents), demo_files.spaced(told.care_hours), demo_files.spaced(told.costs)]
    return [code, MUNICIPALITIES[code][0], f"{start:%m.%Y}", str(version), *figures]


def _sheet(month: str, told: dict[str, Figures]) -> list[list[str | int | None]]:
    """Return the supervisor's rows, costs in thousands, and the sum that stands under them."""
    figures = [[f.residents, (f.costs + 500) // 1000, f.primary, f.lower] for f in told.values()]
    names = [MUNICIPALITIES[code][0] for code in told]
    total = [sum(column) for column in zip(*figures, strict=True)]
    return [*([name, month, *own] for name, own in zip(names, figures, strict=True)), ["Sum", None, *total]]


def _school_rows(code: str, told: Figures) -> list[dict[str, Any]]:
    stages = (("barnetrinn", told.primary, told.primary_groups), ("ungdomstrinn", told.lower, told.lower_groups))
    return [
        {"kommunenr": code, "trinn": stage, "elever": pupils, "grupper": groups} for stage, pupils, groups in stages
    ]


def _truth(start: date, cast: Cast, facts: dict[str, Figures], supervised: dict[str, Figures], lines: int) -> Truth:
    said: dict[tuple[str, str, str], list[_Said]] = {}
    for each in _said(cast, facts, supervised):
        said.setdefault(each.item, []).append(each)
    clashing = {("care_residents", code, "{}") for code in cast.residents_differ}
    clashing |= {("care_costs", cast.costs_differ, "{}"), ("pupils", cast.pupils_differ, LOWER)}
    return Truth(
        items=frozenset(_item(claims, clash=item in clashing) for item, claims in said.items()),
        clashes=frozenset(clash for item in clashing for clash in _clashes(said[item])),
        refusals=frozenset(_refusals(start, cast, facts)),
        buckets=_buckets(cast, lines),
    )


def _said(cast: Cast, facts: dict[str, Figures], supervised: dict[str, Figures]) -> Iterator[_Said]:
    """Yield every figure that counts: read, not corrected since, lines summed, the same file not twice."""
    for code, true in facts.items():
        if code not in cast.unread:
            yield _Said(OMSORG[0], "care_places", code, "{}", "places", Decimal(true.places))
            yield _Said(OMSORG[0], "care_residents", code, "{}", "persons", Decimal(true.residents))
            yield _Said(OMSORG[0], "staff_hours", code, CARE, "hours", true.care_hours)
            yield _Said(OMSORG[0], "care_costs", code, "{}", "NOK", Decimal(true.costs))
        if code != NAMELESS:
            told = supervised[code]
            thousands = Decimal((told.costs + 500) // 1000)
            yield _Said(TILSYN[0], "care_residents", code, "{}", "persons", Decimal(told.residents))
            yield _Said(TILSYN[0], "care_costs", code, "{}", "NOK", thousands * 1000, -3)
            yield _Said(TILSYN[0], "pupils", code, PRIMARY, "persons", Decimal(told.primary))
            yield _Said(TILSYN[0], "pupils", code, LOWER, "persons", Decimal(told.lower))
        yield _Said(SKOLE[0], "pupils", code, PRIMARY, "persons", Decimal(true.primary))
        yield _Said(SKOLE[0], "pupils", code, LOWER, "persons", Decimal(true.lower))
        yield _Said(SKOLE[0], "pupil_groups", code, PRIMARY, "groups", Decimal(true.primary_groups))
        yield _Said(SKOLE[0], "pupil_groups", code, LOWER, "groups", Decimal(true.lower_groups))
        yield _Said(LONN[0], "staff_hours", code, CARE, "hours", true.care_hours)
        yield _Said(LONN[0], "staff_hours", code, SCHOOL, "hours", true.school_hours)


def _item(claims: list[_Said], *, clash: bool) -> Item:
    """Return the item: the exact figure stands, and in a conflict only costs, which the care accounts settle."""
    best = min(claims, key=lambda c: c.decimals is not None)
    stands = not clash or best.concept == "care_costs"
    agreement = "complete" if len({c.decimals for c in claims}) == 1 else "consistent"
    if clash or len(claims) == 1:
        agreement = "conflict" if clash else "single"
    value, decimals = (best.value, best.decimals) if stands else (None, None)
    count = len(claims)
    return Item(*best.item, best.unit_measure, value, decimals, agreement, count, count)


def _clashes(claims: list[_Said]) -> Iterator[Clash]:
    for claim in claims:
        settled = "published" if claim.contract == OMSORG[0] else "outranked"
        outcome = settled if claim.concept == "care_costs" else "withheld"
        yield Clash(*claim.item, claim.contract, claim.value, outcome)


def _refusals(start: date, cast: Cast, facts: dict[str, Figures]) -> Iterator[Refusal]:
    where = {"rule": "Beboere", "not-a-number": "Timeverk", "unit-not-valid": "Kommunenr", "unknown-unit": "Kommunenr"}
    for row, (reason, _) in enumerate(_late_rows(start, cast, facts), 2):
        severity = "warning" if reason == "rule" else "critical"
        if reason:
            yield Refusal(f"omsorg-{start:%Y-%m}-late.csv", row, where.get(reason, "Plasser"), reason, severity)
    row = 4 + list(MUNICIPALITIES).index(NAMELESS)
    yield Refusal(f"tilsyn-{start:%Y-%m}.xlsx", row, "Kommune", "ambiguous-unit", "critical")


def _buckets(cast: Cast, lines: int) -> dict[str, int]:
    """Count every delivered row by its first figure.

    Care: places, which nobody else asks for. Supervision: residents, published where the care report's row is rejected.
    School: pupils, published before the supervisor's where both say the same, and the whole file once more.
    """
    places = len(MUNICIPALITIES) - len(cast.unread)
    schools = 2 * len(MUNICIPALITIES)
    differ = len(cast.residents_differ)
    counts = Counter(published=places + len(cast.unread) + schools - 1, conflict=differ + 1, additive=lines)
    counts.update(superseded=len(cast.corrected), rejected=len(cast.unread) + 2 + 1, ignored=1)
    counts.update(duplicate=schools + len(MUNICIPALITIES) - 1 - len(cast.unread) - differ)
    return dict(counts)
