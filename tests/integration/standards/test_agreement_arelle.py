"""The law against Arelle, which implements the XBRL working group's note on duplicate facts on its own.

Random sets of facts are written as XBRL instances, one concept a set, and classified by both. Arelle runs offline:
the schemas that the little taxonomy needs come with it, its settings and cache stand in a temporary folder.
"""

import random
import socket
from collections import Counter
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import polars as pl
import pytest
from arelle.api.Session import Session
from arelle.RuntimeOptions import RuntimeOptions
from arelle.ValidateDuplicateFacts import DuplicateFactSet, getDuplicateFactSets

from schemas.claims import AGREEMENTS, VALUE
from tests.support.fact_views import agreements_of

Fact = tuple[Decimal, int | None]
FactSet = list[Fact]

NAMESPACE = "http://example.invalid/law"
ACCURACIES = (None, *range(-6, 5))
LAST_PLACE = Decimal("0.00001")
TOUCHING = 0.1
"""Share of the sets that are made to meet in one point."""
INSTANCE = 1000
"""Fact sets in one instance."""


def _half(accuracy: int | None) -> Decimal:
    return Decimal(10) ** -accuracy / 2 if accuracy is not None else Decimal(0)


def _truth(draw: random.Random) -> Decimal:
    """Draw an amount of up to 19 digits."""
    size = 10 ** draw.randint(1, 19)
    return Decimal(draw.randrange(-size, size)).scaleb(-draw.choice((0, 2, 4)))


def _touching(draw: random.Random, truth: Decimal) -> FactSet:
    """State two intervals that have one point in common, or just none, and some that hold the point or thereabouts."""
    one, other = draw.sample(ACCURACIES, 2)
    side = draw.choice((-1, 1))
    end = truth + side * _half(one)
    gap = draw.choice((0, 0, LAST_PLACE))
    facts = [(truth, one), (end + side * (_half(other) + gap), other)]
    facts += [(end + side * draw.choice((0, gap)), draw.choice((None, -6, one))) for _ in range(draw.randint(0, 2))]
    return [(value.quantize(LAST_PLACE), accuracy) for value, accuracy in draw.sample(facts, len(facts))]


def _fact(draw: random.Random, truth: Decimal, accuracy: int | None) -> Fact:
    """Say the truth to an accuracy: rounded, or in one of the ways that make neighbours, boundaries and conflicts."""
    step = Decimal(10) ** -(accuracy if accuracy is not None else draw.choice(ACCURACIES[1:]))
    rounded = truth.quantize(step, draw.choice((ROUND_HALF_UP, ROUND_HALF_DOWN))) if accuracy is not None else truth
    decimals_or_none = draw.choices(
        (rounded, truth, rounded + step * draw.choice((-1, 1)), truth + step / 2 * draw.choice((-1, 1))),
        (80, 6, 4, 10),
    )
    return decimals_or_none[0].quantize(LAST_PLACE), accuracy


def fact_sets(count: int, seed: int) -> list[FactSet]:
    """Return random sets of two to six facts of mixed accuracies, near each other."""
    draw = random.Random(seed)
    sets = []
    for _ in range(count):
        truth = _truth(draw)
        accuracies = draw.choices(ACCURACIES, k=draw.randint(1, 3))
        if draw.random() < TOUCHING:
            sets.append(_touching(draw, truth))
            continue
        sets.append([_fact(draw, truth, draw.choice(accuracies)) for _ in range(draw.randint(2, 6))])
    return sets


def by_law(sets: list[FactSet]) -> list[str]:
    """Return how each set agrees by `transforms.observations.agreement`."""
    rows = [(str(number), *fact) for number, facts in enumerate(sets) for fact in facts]
    statements = pl.DataFrame(
        rows, schema={"item_id": pl.String, "value": VALUE, "decimals": pl.Int16}, orient="row"
    ).sample(fraction=1.0, shuffle=True, seed=1)
    items = agreements_of(statements).sort(pl.col("item_id").cast(pl.Int32))
    return items["agreement"].to_list()


def _text(value: Decimal) -> str:
    """Write a number in one way only: Arelle compares texts, so that 1 and 1.0 are not complete duplicates to it."""
    return format(value.normalize(), "f") if value else "0"


def _write(sets: list[FactSet], folder: Path) -> Path:
    concepts = "\n".join(
        f'<xs:element name="set{n}" id="set{n}" type="xbrli:decimalItemType" substitutionGroup="xbrli:item" '
        'xbrli:periodType="instant" nillable="true"/>'
        for n in range(len(sets))
    )
    facts = "\n".join(
        f'<l:set{n} contextRef="c" unitRef="u" decimals="{"INF" if d is None else d}">{_text(v)}</l:set{n}>'
        for n, stated in enumerate(sets)
        for v, d in stated
    )
    (folder / "law.xsd").write_text(
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xbrli="http://www.xbrl.org/2003/instance" '
        f'targetNamespace="{NAMESPACE}" elementFormDefault="qualified">'
        '<xs:import namespace="http://www.xbrl.org/2003/instance" '
        f'schemaLocation="http://www.xbrl.org/2003/xbrl-instance-2003-12-31.xsd"/>{concepts}</xs:schema>',
        encoding="utf-8",
    )
    instance = folder / "law.xbrl"
    instance.write_text(
        f'<xbrli:xbrl xmlns:xbrli="http://www.xbrl.org/2003/instance" xmlns:l="{NAMESPACE}" '
        'xmlns:link="http://www.xbrl.org/2003/linkbase" xmlns:xlink="http://www.w3.org/1999/xlink">'
        '<link:schemaRef xlink:type="simple" xlink:href="law.xsd"/>'
        '<xbrli:context id="c"><xbrli:entity><xbrli:identifier scheme="http://example.invalid">1</xbrli:identifier>'
        "</xbrli:entity><xbrli:period><xbrli:instant>2024-12-31</xbrli:instant></xbrli:period></xbrli:context>"
        '<xbrli:unit id="u"><xbrli:measure>xbrli:pure</xbrli:measure></xbrli:unit>'
        f"{facts}</xbrli:xbrl>",
        encoding="utf-8",
    )
    return instance


def by_arelle(sets: list[FactSet], folder: Path) -> list[str]:
    """Return how each set agrees by Arelle's own classification of the loaded instance."""

    def verdict_of(facts: DuplicateFactSet) -> str:
        if len(facts.facts) == 1:
            return "single"
        return "complete" if facts.areAllComplete else "consistent" if facts.areAllConsistent else "conflict"

    folder.mkdir(exist_ok=True)
    options = RuntimeOptions(
        entrypointFile=str(_write(sets, folder)),
        workOffline=True,
        keepOpen=True,
        disablePersistentConfig=True,
        logLevel="ERROR",
    )
    with Session() as session:
        session.run(options, logFileName="logToBuffer")
        (model,) = session.get_models()
        assert not model.errors
        assert len(model.facts) == sum(map(len, sets))
        found = {facts.facts[0].qname.localName: verdict_of(facts) for facts in getDuplicateFactSets(model.facts, True)}
    return [found[f"set{n}"] for n in range(len(sets))]


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("Arelle reached for the network")

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def _compare(sets: list[FactSet], folder: Path) -> Counter[str]:
    """Return how many sets fell in each class, having found that both sort every set alike."""
    ours = by_law(sets)
    starts = range(0, len(sets), INSTANCE)
    theirs = [v for start in starts for v in by_arelle(sets[start : start + INSTANCE], folder / str(start))]
    both = zip(sets, ours, theirs, strict=True)
    assert [
        (facts, law_verdict, arelle_verdict)
        for facts, law_verdict, arelle_verdict in both
        if law_verdict != arelle_verdict
    ] == []
    return Counter(ours)


def _ends(fact: Fact) -> tuple[Fraction, Fraction]:
    value, accuracy = fact
    return Fraction(value) - Fraction(_half(accuracy)), Fraction(value) + Fraction(_half(accuracy))


def _kinds(sets: list[FactSet]) -> Counter[str]:
    """Count the sets that only a careful test sorts rightly."""
    kinds: Counter[str] = Counter()
    for facts in sets:
        ends = [_ends(fact) for fact in facts]
        lower, upper = max(low for low, _ in ends), min(high for _, high in ends)
        accuracies = {accuracy for _, accuracy in facts}
        differ = len(set(facts)) > len(accuracies)
        kinds["touch"] += lower == upper and not differ and None not in accuracies
        kinds["same accuracy, other value, all overlap"] += lower <= upper and differ
        neighbours = all(any(a is not b and a[0] <= b[1] and b[0] <= a[1] for b in ends) for a in ends)
        kinds["each overlaps some, not all"] += lower > upper and neighbours
    return kinds


def test_the_law_and_arelle_sort_alike(tmp_path: Path) -> None:
    sets = fact_sets(600, seed=20250114)
    classes = _compare(sets, tmp_path)
    assert min(classes[name] for name in AGREEMENTS[1:]) > 50, classes
    assert min(_kinds(sets).values()) > 5, _kinds(sets)


def test_the_published_examples_by_arelle_too(tmp_path: Path) -> None:
    five, lower, upper = (Decimal(500), -2), (Decimal(455), -1), (Decimal(545), -1)
    sets: list[FactSet] = [
        [five, (Decimal(550), -1)],
        [five, lower],
        [five, upper],
        [five, lower, upper],
        [five, (Decimal(555), -1)],
        [five, (Decimal(556), -1)],
        [five, (Decimal(501), -2)],
        [five, (Decimal(500), None)],
        [five],
    ]
    _compare(sets, tmp_path)
    assert by_law(sets) == [*["consistent"] * 3, "conflict", "consistent", *["conflict"] * 2, "consistent", "single"]


@pytest.mark.slow
def test_the_law_and_arelle_sort_alike_over_many(tmp_path: Path) -> None:
    sets = fact_sets(30_000, seed=65012)
    classes = _compare(sets, tmp_path)
    assert min(classes[name] for name in AGREEMENTS[1:]) > 3000, classes
    assert min(_kinds(sets).values()) > 300, _kinds(sets)
