"""The demo's month: deliveries of four invented agencies about real municipalities, and the release they must give.

A pure function of the seed. The figures are invented, each municipality gets a role (`Roles`), and both the files and
the expected release follow from these: what a release must contain is known before anything is delivered.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from flows.demo import files as demo_files
from flows.intake.deliveries import Delivery

MUNICIPALITIES: Final = {
    "1120": ("Klepp", 21), "1121": ("Time", 20), "1508": ("Ålesund", 58), "1515": ("Herøy", 9), "1580": ("Haram", 9),
    "1815": ("Vega", 1), "1818": ("Herøy (Nordland)", 2), "1840": ("Saltdal", 5), "3101": ("Halden", 32),
    "3103": ("Moss", 52), "4624": ("Bjørnafjorden", 26), "5612": ("Kautokeino", 3),
}  # fmt: skip
"""Code -> name in the supervisor's form, and population in thousands, roughly."""
AMBIGUOUS_NAME: Final = "1515"
"""One of two municipalities called Herøy, reported without its county."""
RECODED: Final = "3101"
"""Halden, reported with the code that it had until 2024 (`OLD_CODE`)."""
OLD_CODE: Final = "3001"
UNKNOWN_CODE: Final = "9999"
OMSORG: Final = ("demo-omsorg", "omsorgsdirektoratet")
TILSYN: Final = ("demo-tilsyn", "kommunetilsynet")
SKOLE: Final = ("demo-skole", "skoleregisteret")
LONN: Final = ("demo-lonn", "lonnsregisteret")
"""Contract and sender of each agency."""
CARE_SECTOR: Final = '{"sector":"care"}'
SCHOOL_SECTOR: Final = '{"sector":"school"}'
PRIMARY_STAGE: Final = '{"stage":"primary"}'
LOWER_STAGE: Final = '{"stage":"lower_secondary"}'
FIRST_YEAR: Final = 2025
DEMO_MONTHS: Final = 1200


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
class Roles:
    """Which municipality has which role; no municipality has two."""

    no_number: str
    empty_cell: str
    twice: str
    corrected: tuple[str, str]
    residents_differ: tuple[str, str]
    costs_differ: str
    pupils_differ: str
    crowded: str

    @property
    def rejected(self) -> tuple[str, ...]:
        """Municipalities whose row in the care report is rejected."""
        return (self.no_number, self.empty_cell, self.twice, RECODED)

    @property
    def late(self) -> tuple[str, ...]:
        """Municipalities whose care report is late and accepted."""
        return (self.crowded, AMBIGUOUS_NAME)


@dataclass(frozen=True)
class ExpectedItem:
    """One item of the release, with every column that the release must have for it."""

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
class ExpectedConflict:
    """One claim of an item whose claims conflict."""

    concept: str
    unit_code: str
    breakdown: str
    contract: str
    value: Decimal
    outcome: str


@dataclass(frozen=True)
class ExpectedReject:
    """One reject or warning."""

    filename: str
    row: int
    column: str
    reason: str
    severity: str


@dataclass(frozen=True)
class ExpectedRelease:
    """What the month's release must contain, exactly. buckets: delivered rows by bucket."""

    items: frozenset[ExpectedItem]
    conflicts: frozenset[ExpectedConflict]
    rejects: frozenset[ExpectedReject]
    buckets: dict[str, int]


@dataclass(frozen=True)
class DemoMonth:
    """The deliveries in order, and the release they must give."""

    start: date
    deliveries: tuple[Delivery, ...]
    expected: ExpectedRelease


@dataclass(frozen=True)
class _ReportedFigure:
    """One figure that one agency reports and that counts in the end."""

    contract: str
    concept: str
    unit_code: str
    breakdown: str
    unit_measure: str
    value: Decimal
    decimals: int | None = None

    @property
    def item(self) -> tuple[str, str, str]:
        """Concept, unit and breakdown: the identity of the item."""
        return self.concept, self.unit_code, self.breakdown


def demo_month(seed: int) -> DemoMonth:
    """Return the seed's month, always the same: seed 1 is January 2025, each further seed one month later."""
    rng = random.Random(seed)
    start = first_day(seed)
    roles = _draw_roles(rng)
    facts = {code: _figures(rng, size, crowded=code == roles.crowded) for code, (_, size) in MUNICIPALITIES.items()}
    supervised = _supervised(rng, facts, roles)
    lines = list(_lines(rng, facts))
    deliveries = _deliveries(start, roles, facts, supervised, lines)
    return DemoMonth(start, deliveries, _expected_release(start, roles, facts, supervised, len(lines)))


def first_day(seed: int) -> date:
    """Return the first day of the seed's month."""
    year, month = divmod((seed - 1) % DEMO_MONTHS, 12)
    return date(FIRST_YEAR + year, month + 1, 1)


def _draw_roles(rng: random.Random) -> Roles:
    drawn = [code for code in MUNICIPALITIES if code not in (AMBIGUOUS_NAME, RECODED)]
    rng.shuffle(drawn)
    return Roles(drawn[0], drawn[1], drawn[2], (drawn[3], drawn[4]), (drawn[5], drawn[6]), *drawn[7:10])


def _figures(rng: random.Random, size: int, *, crowded: bool) -> Figures:
    places, primary, lower = (each * size + rng.randint(18, 40) for each in (8, 85, 38))
    residents = places + 2 if crowded else places - rng.randint(1, 6)
    return Figures(
        places=places,
        residents=residents,
        care_hours=_half_hours(rng, residents * 170),
        costs=residents * rng.randint(82_000, 118_000) + rng.randint(1, 999),
        primary=primary,
        lower=lower,
        primary_groups=primary // 19 + 1,
        lower_groups=lower // 22 + 1,
        school_hours=_half_hours(rng, (primary + lower) * 12),
    )


def _half_hours(rng: random.Random, hours: int) -> Decimal:
    return Decimal(2 * hours + rng.randint(-99, 99)) / 2


def _supervised(rng: random.Random, facts: dict[str, Figures], roles: Roles) -> dict[str, Figures]:
    """Return the figures that the supervisor gets: for four municipalities they differ from what other agencies get."""
    figures = dict(facts)
    for code in roles.residents_differ:
        figures[code] = replace(figures[code], residents=figures[code].residents + rng.randint(3, 15))
    code = roles.costs_differ
    figures[code] = replace(figures[code], costs=figures[code].costs + 1000 * rng.randint(200, 900))
    code = roles.pupils_differ
    figures[code] = replace(figures[code], lower=figures[code].lower - rng.randint(2, 20))
    return figures


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
    roles: Roles,
    facts: dict[str, Figures],
    supervised: dict[str, Figures],
    lines: list[tuple[str, str, str, Decimal]],
) -> tuple[Delivery, ...]:
    """Return the month's files: all four forms, a correction, a redelivery, a school file in another order."""
    month = f"{start:%Y-%m}"
    hours_file = demo_files.hours_file(
        [(code, place, sector, month, str(hours)) for code, place, sector, hours in lines]
    )
    schools = [row for code in MUNICIPALITIES for row in _school_rows(code, facts[code])]
    late = [row for _, row in _late_rows(start, roles, facts)]
    files = [
        (f"omsorg-{month}.csv", demo_files.care_file(_care_rows(start, roles, facts)), OMSORG),
        (f"omsorg-{month}-late.csv", demo_files.care_file(late), OMSORG),
        (f"tilsyn-{month}.xlsx", demo_files.supervision_workbook(_sheet(month, supervised)), TILSYN),
        (f"skole-{month}.json", demo_files.schools_file(month, schools, indent=None), SKOLE),
        (f"lonn-{month}.tsv", hours_file, LONN),
        (
            f"omsorg-{month}-corrected.csv",
            demo_files.care_file([_care_row(start, c, facts[c], 2) for c in roles.corrected]),
            OMSORG,
        ),
        (f"skole-{month}-new-system.json", demo_files.schools_file(month, schools[::-1], indent=1), SKOLE),
        (f"lonn-{month}-again.tsv", hours_file, LONN),
    ]
    return tuple(Delivery(name, data, contract, sender) for name, data, (contract, sender) in files)


def _care_rows(start: date, roles: Roles, facts: dict[str, Figures]) -> list[list[str]]:
    """Return the rows delivered in time; those corrected later have too few residents and too high costs."""
    reported = {code: facts[code] for code in MUNICIPALITIES if code not in (*roles.rejected, *roles.late)}
    for code in roles.corrected:
        reported[code] = replace(
            reported[code], residents=reported[code].residents - 10, costs=reported[code].costs + 654_321
        )
    return [_care_row(start, code, figures) for code, figures in reported.items()]


def _late_rows(start: date, roles: Roles, facts: dict[str, Figures]) -> list[tuple[str, list[str]]]:
    """Return the rows delivered late, each with the reason of its reject or warning, "" for none."""
    rows = {code: _care_row(start, code, facts[code]) for code in roles.rejected}
    rows[roles.no_number][6] = "ukjent"
    rows[roles.empty_cell][4] = ""
    other = _care_row(start, roles.twice, replace(facts[roles.twice], places=facts[roles.twice].places + 1))
    rows[RECODED][0] = OLD_CODE
    return [
        *(("rule" if code == roles.crowded else "", _care_row(start, code, facts[code])) for code in roles.late),
        ("not-a-number", rows[roles.no_number]),
        ("missing-value", rows[roles.empty_cell]),
        ("duplicate-key", rows[roles.twice]),
        ("duplicate-key", other),
        ("unit-not-valid", rows[RECODED]),
        ("unknown-unit", [UNKNOWN_CODE, "Utopia", *_care_row(start, AMBIGUOUS_NAME, facts[AMBIGUOUS_NAME])[2:]]),
    ]


def _care_row(start: date, code: str, figures: Figures, version: int = 1) -> list[str]:
    hours, costs = (demo_files.norwegian_number(figure) for figure in (figures.care_hours, figures.costs))
    places, residents = str(figures.places), str(figures.residents)
    return [code, MUNICIPALITIES[code][0], f"{start:%m.%Y}", str(version), places, residents, hours, costs]


def _sheet(month: str, facts: dict[str, Figures]) -> list[list[str | int | None]]:
    """Return the supervisor's rows, costs in thousands, and the total row below them."""
    figures = [[f.residents, (f.costs + 500) // 1000, f.primary, f.lower] for f in facts.values()]
    names = [MUNICIPALITIES[code][0] for code in facts]
    total = [sum(column) for column in zip(*figures, strict=True)]
    return [*([name, month, *row] for name, row in zip(names, figures, strict=True)), ["Sum", None, *total]]


def _school_rows(code: str, figures: Figures) -> list[dict[str, Any]]:
    stages = (
        ("barnetrinn", figures.primary, figures.primary_groups),
        ("ungdomstrinn", figures.lower, figures.lower_groups),
    )
    return [
        {"kommunenr": code, "trinn": stage, "elever": pupils, "grupper": groups} for stage, pupils, groups in stages
    ]


def _expected_release(
    start: date, roles: Roles, facts: dict[str, Figures], supervised: dict[str, Figures], lines: int
) -> ExpectedRelease:
    by_item: dict[tuple[str, str, str], list[_ReportedFigure]] = {}
    for figure in _counted_figures(roles, facts, supervised):
        by_item.setdefault(figure.item, []).append(figure)
    conflicts = {("care_residents", code, "{}") for code in roles.residents_differ}
    conflicts |= {("care_costs", roles.costs_differ, "{}"), ("pupils", roles.pupils_differ, LOWER_STAGE)}
    return ExpectedRelease(
        items=frozenset(_item(claims, in_conflict=item in conflicts) for item, claims in by_item.items()),
        conflicts=frozenset(claim for item in conflicts for claim in _conflict_claims(by_item[item])),
        rejects=frozenset(_rejects(start, roles, facts)),
        buckets=_buckets(roles, lines),
    )


def _counted_figures(
    roles: Roles, facts: dict[str, Figures], supervised: dict[str, Figures]
) -> Iterator[_ReportedFigure]:
    """Yield every figure that counts: accepted, not corrected later, lines summed, each file once."""
    for code, true in facts.items():
        if code not in roles.rejected:
            yield _ReportedFigure(OMSORG[0], "care_places", code, "{}", "places", Decimal(true.places))
            yield _ReportedFigure(OMSORG[0], "care_residents", code, "{}", "persons", Decimal(true.residents))
            yield _ReportedFigure(OMSORG[0], "staff_hours", code, CARE_SECTOR, "hours", true.care_hours)
            yield _ReportedFigure(OMSORG[0], "care_costs", code, "{}", "NOK", Decimal(true.costs))
        if code != AMBIGUOUS_NAME:
            own = supervised[code]
            costs = Decimal((own.costs + 500) // 1000) * 1000
            yield _ReportedFigure(TILSYN[0], "care_residents", code, "{}", "persons", Decimal(own.residents))
            yield _ReportedFigure(TILSYN[0], "care_costs", code, "{}", "NOK", costs, -3)
            yield _ReportedFigure(TILSYN[0], "pupils", code, PRIMARY_STAGE, "persons", Decimal(own.primary))
            yield _ReportedFigure(TILSYN[0], "pupils", code, LOWER_STAGE, "persons", Decimal(own.lower))
        yield _ReportedFigure(SKOLE[0], "pupils", code, PRIMARY_STAGE, "persons", Decimal(true.primary))
        yield _ReportedFigure(SKOLE[0], "pupils", code, LOWER_STAGE, "persons", Decimal(true.lower))
        yield _ReportedFigure(SKOLE[0], "pupil_groups", code, PRIMARY_STAGE, "groups", Decimal(true.primary_groups))
        yield _ReportedFigure(SKOLE[0], "pupil_groups", code, LOWER_STAGE, "groups", Decimal(true.lower_groups))
        yield _ReportedFigure(LONN[0], "staff_hours", code, CARE_SECTOR, "hours", true.care_hours)
        yield _ReportedFigure(LONN[0], "staff_hours", code, SCHOOL_SECTOR, "hours", true.school_hours)


def _item(claims: list[_ReportedFigure], *, in_conflict: bool) -> ExpectedItem:
    """Return the item. The exact figure is published, in a conflict only costs: there one contract takes precedence."""
    best = min(claims, key=lambda c: c.decimals is not None)
    published = not in_conflict or best.concept == "care_costs"
    agreement = "complete" if len({c.decimals for c in claims}) == 1 else "consistent"
    if in_conflict or len(claims) == 1:
        agreement = "conflict" if in_conflict else "single"
    value, decimals = (best.value, best.decimals) if published else (None, None)
    count = len(claims)
    return ExpectedItem(*best.item, best.unit_measure, value, decimals, agreement, count, count)


def _conflict_claims(claims: list[_ReportedFigure]) -> Iterator[ExpectedConflict]:
    for claim in claims:
        settled = "published" if claim.contract == OMSORG[0] else "outranked"
        outcome = settled if claim.concept == "care_costs" else "withheld"
        yield ExpectedConflict(*claim.item, claim.contract, claim.value, outcome)


def _rejects(start: date, roles: Roles, facts: dict[str, Figures]) -> Iterator[ExpectedReject]:
    where = {"rule": "Beboere", "not-a-number": "Timeverk", "unit-not-valid": "Kommunenr", "unknown-unit": "Kommunenr"}
    for row, (reason, _) in enumerate(_late_rows(start, roles, facts), 2):
        severity = "warning" if reason == "rule" else "critical"
        if reason:
            yield ExpectedReject(f"omsorg-{start:%Y-%m}-late.csv", row, where.get(reason, "Plasser"), reason, severity)
    row = 4 + list(MUNICIPALITIES).index(AMBIGUOUS_NAME)
    yield ExpectedReject(f"tilsyn-{start:%Y-%m}.xlsx", row, "Kommune", "ambiguous-unit", "critical")


def _buckets(roles: Roles, lines: int) -> dict[str, int]:
    """Count the delivered rows by bucket; a row counts by its first figure.

    Care: places, which no other agency requires. Supervision: residents, published where the care report's row is
    rejected. School: pupils, published instead of the supervisor's where both agree, and the whole file once more.
    """
    places = len(MUNICIPALITIES) - len(roles.rejected)
    schools = 2 * len(MUNICIPALITIES)
    differ = len(roles.residents_differ)
    counts = Counter(published=places + len(roles.rejected) + schools - 1, conflict=differ + 1, additive=lines)
    counts.update(superseded=len(roles.corrected), rejected=len(roles.rejected) + 2 + 1, ignored=1)
    counts.update(duplicate=schools + len(MUNICIPALITIES) - 1 - len(roles.rejected) - differ)
    return dict(counts)
