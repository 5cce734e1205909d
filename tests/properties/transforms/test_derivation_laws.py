"""Derivable items of any items, against a second account of them in plain Python."""

import datetime as dt
import json
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.claims import OBSERVATION, frame_schema
from schemas.concepts import Concept, Derivation, Dimension, Vocabulary
from schemas.contract_parts import Titles
from transforms.derivations.derive import Derived, derive
from transforms.derivations.wholes import WHOLES
from transforms.identity import item_id

TITLES = Titles(nb="t", nn="t", en="t")
DIMENSIONS = {"sex": Dimension(title=TITLES, codes=dict.fromkeys("FMT", TITLES), total="T")}
RULES = {
    "people": (Derivation(over="sex"), Derivation(periods="month"), Derivation(units="municipality")),
    "both": (Derivation(sum_of=("people", "visits")),),
    "visits": (),
}
VOCABULARY = Vocabulary(
    concepts={
        name: Concept(title=TITLES, definition="d", measures=("persons",), dimensions="any", derives=derives)
        for name, derives in RULES.items()
    },
    dimensions=DIMENSIONS,
)
PARTS = {"c": ("m1", "m2")}
YEAR = (dt.date(2024, 1, 1), dt.date(2025, 1, 1))
FIRSTS = [dt.date(2024, month, 1) for month in range(1, 13)] + [dt.date(2025, 1, 1)]
MONTHS = list(pairwise(FIRSTS))
COLUMNS = ("item_id", "concept", "unit_id", "period_start", "period_end", "breakdown", "unit_measure")


class Key(NamedTuple):
    """What an item is about."""

    concept: str
    unit: str
    period: tuple[dt.date, dt.date]
    sex: str | None


class Fact(NamedTuple):
    """What is published of an item: no value where it is withheld, or confidential."""

    value: int | None
    confidential: bool


values = st.builds(
    lambda value, hidden: Fact(None if hidden else value, hidden == 2),
    st.integers(0, 9),
    st.sampled_from([0] * 30 + [1, 2]),
)
keys = st.builds(
    Key,
    st.sampled_from(sorted(RULES)),
    st.sampled_from(["m1", "m2", "c"]),
    st.just(YEAR),
    st.sampled_from([None, "F", "M", "T"]),
)


@st.composite
def published(draw: st.DrawFn) -> dict[Key, Fact]:
    """Draw items, among them often all months of a unit and all but one."""
    facts = draw(st.dictionaries(keys, values, max_size=24))
    for unit in draw(st.lists(st.sampled_from(["m1", "m2"]), unique=True)):
        sex = draw(st.sampled_from([None, "F", "M"]))
        for month in draw(st.sampled_from([MONTHS, MONTHS[:-1]])):
            facts[Key("people", unit, month, sex)] = draw(values)
    return facts


def frame_of(facts: dict[Key, Fact]) -> pl.DataFrame:
    rows = [
        {
            "concept": key.concept,
            "unit_id": key.unit,
            "period_start": key.period[0],
            "period_end": key.period[1],
            "breakdown": breakdown_of(key.sex),
            "unit_measure": "persons",
            "value": None if fact.value is None else Decimal(fact.value),
            "decimals": None,
            "conf_status": "C" if fact.confidential else "F",
        }
        for key, fact in facts.items()
    ]
    schema = {
        name: dtype
        for name, dtype in frame_schema(OBSERVATION).items()
        if name in (*COLUMNS[1:], "value", "decimals", "conf_status")
    }
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(item_id())


def breakdown_of(sex: str | None) -> str:
    return json.dumps({"sex": sex} if sex else {}, separators=(",", ":"))


def wholes() -> pl.DataFrame:
    rows = [(part, "municipality", "c", "county", first, 2) for part in PARTS["c"] for first in FIRSTS]
    return pl.DataFrame(rows, schema=WHOLES, orient="row")


def part_sets(key: Key) -> dict[str, list[Key]]:
    """Return the parts of an item by rule, as the declarations above are meant."""
    if key.concept == "both":
        return {"sum_of:people+visits": [key._replace(concept=name) for name in ("people", "visits")]}
    if key.concept == "visits":
        return {}
    found = {}
    if key.unit in PARTS:
        found["units:municipality"] = [key._replace(unit=part) for part in PARTS[key.unit]]
    if key.period == YEAR:
        found["periods:month"] = [key._replace(period=month) for month in MONTHS]
    if key.sex == "T" or key.sex is None:
        found["over:sex"] = [key._replace(sex=sex) for sex in "FM"]
    return found


def leaves_of(key: Key, facts: dict[Key, Fact]) -> dict[str, list[Key]]:
    """Return the reported items that an item is the sum of, by rule; rules with a part that nobody has are absent."""
    found = {}
    for rule, parts in part_sets(key).items():
        leaves = [standing(part, facts) for part in parts]
        if all(leaf is not None for leaf in leaves):
            found[rule] = [each for leaf in leaves if leaf is not None for each in leaf]
    return found


def standing(key: Key, facts: dict[Key, Fact]) -> list[Key] | None:
    """Return the item itself if it is published with a value, else what it follows from without contradiction."""
    if key in facts:
        return None if facts[key].value is None else [key]
    rules = leaves_of(key, facts)
    sums = {sum(facts[leaf].value or 0 for leaf in leaves) for leaves in rules.values()}
    return rules[min(rules)] if len(sums) == 1 else None


def every_key() -> list[Key]:
    periods = [YEAR, *MONTHS]
    return [Key(c, u, p, s) for c in RULES for u in ("m1", "m2", "c") for p in periods for s in (None, "F", "M", "T")]


@settings(max_examples=60)
@given(published())
def test_what_is_derivable_is_the_exact_sum_of_published_parts(facts: dict[Key, Fact]) -> None:
    derived = derive(frame_of(facts), VOCABULARY, wholes())
    bare = any(k.sex is None and k.concept == "people" and f.value is not None for k, f in facts.items())
    expected = {}
    for key in every_key():
        if key in facts and facts[key].confidential:
            continue
        for rule, leaves in leaves_of(key, facts).items():
            expected[key, rule] = (
                sum(facts[leaf].value or 0 for leaf in leaves),
                sorted(leaves, key=str),
                relation(key, leaves, facts),
            )
    found = rows_of(derived, facts)
    if not bare:  # a total without the dimension is made where somebody reports such
        expected = {(k, r): v for (k, r), v in expected.items() if k.sex is not None}
    assert found == expected


def relation(key: Key, leaves: list[Key], facts: dict[Key, Fact]) -> str:
    if key not in facts:
        return "unreported"
    if facts[key].value is None:
        return "withheld"
    return "equal" if facts[key].value == sum(facts[leaf].value or 0 for leaf in leaves) else "conflict"


def rows_of(derived: Derived, facts: dict[Key, Fact]) -> dict[tuple[Key, str], tuple[int, list[Key], str]]:
    by_id = dict(zip(frame_of(facts)["item_id"], facts, strict=True)) if facts else {}
    parts: dict[tuple[str, str], list[Key]] = {}
    for item, rule, part in derived.edges.iter_rows():
        parts.setdefault((item, rule), []).append(by_id[part])
    found = {}
    for row in derived.items.iter_rows(named=True):
        key = Key(
            row["concept"],
            row["unit_id"],
            (row["period_start"], row["period_end"]),
            json.loads(row["breakdown"]).get("sex"),
        )
        leaves = parts.pop((row["item_id"], row["rule"]))
        assert row["parts"] == len(leaves)
        found[key, row["rule"]] = (int(row["value"]), sorted(leaves, key=str), row["relation"])
    assert parts == {}, "edges of no item"
    return found
