"""No small count can be read off what is shown: whoever knows every roll-up may not even bound it."""

from itertools import product

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tests.properties.transforms.test_derivation_laws import (
    VOCABULARY,
    YEAR,
    Fact,
    Key,
    frame_of,
    part_sets,
    wholes,
)
from transforms.derivations.small_counts import linked_concepts, withheld_items

LEAST = 5
"""The least count of `people` that may be shown."""
UNBOUNDED = 3
"""How the solver states that a figure has no bound."""
LEAVES = [Key(concept, unit, YEAR, sex) for concept, unit, sex in product(("people", "visits"), ("m1", "m2"), "FM")]
ALL = [
    Key(c, u, YEAR, s) for c, u, s in product(("people", "visits", "both"), ("m1", "m2", "c"), (None, "T", "F", "M"))
]


def summed(key: Key, leaves: dict[Key, int]) -> int:
    """Return what an item is: its cells added up."""
    concepts = ("people", "visits") if key.concept == "both" else (key.concept,)
    units = ("m1", "m2") if key.unit == "c" else (key.unit,)
    sexes = "FM" if key.sex in {None, "T"} else (key.sex,)
    return sum(leaves[Key(c, u, YEAR, s)] for c, u, s in product(concepts, units, sexes))


@st.composite
def worlds(draw: st.DrawFn) -> dict[Key, Fact]:
    """Draw a small world whose figures add up, and some of its items, which are published."""
    leaves = {key: draw(st.sampled_from([0, 1, 2, 4, 5, 9, 50])) for key in LEAVES}
    shown = draw(st.lists(st.sampled_from(ALL), min_size=1, unique=True))
    return {key: Fact(summed(key, leaves), confidential=False) for key in shown}


def most(key: Key, shown: dict[Key, int], published: set[Key]) -> float:
    """Return the greatest value that an item may have, for all that is shown."""
    rows = [
        [float(each in parts) - float(each == whole) for each in ALL]
        for whole in ALL
        for parts in part_sets(whole).values()
        if published & set(parts)
    ]
    bounds = [(shown[each], shown[each]) if each in shown else (0, None) for each in ALL]
    wanted = [-float(each == key) for each in ALL]
    found = linprog(wanted, A_eq=np.array(rows) if rows else None, b_eq=[0] * len(rows) or None, bounds=bounds)
    return float("inf") if found.status == UNBOUNDED else -float(found.fun)


@settings(max_examples=40)
@given(worlds())
def test_nothing_that_is_withheld_can_be_read_off(facts: dict[Key, Fact]) -> None:
    small = [key.concept == "people" and (fact.value or 0) < LEAST for key, fact in facts.items()]
    items = frame_of(facts).with_columns(is_small=pl.Series(small, dtype=pl.Boolean))
    hidden = set(withheld_items(items, VOCABULARY, wholes()))
    ids = dict(zip(facts, items["item_id"], strict=True))
    shown = {key: fact.value or 0 for key, fact in facts.items() if ids[key] not in hidden}
    for key, is_small in zip(facts, small, strict=True):
        if is_small:
            assert key not in shown
            assert most(key, shown, set(facts)) == float("inf"), (key, shown)


def test_what_no_roll_up_links_is_shown() -> None:
    facts = {Key("visits", "m1", YEAR, "F"): Fact(2, confidential=False)}
    assert withheld_items(frame_of(facts).with_columns(is_small=False), VOCABULARY, wholes()).is_empty()
    assert linked_concepts(VOCABULARY, ["people"]) == {"people", "visits", "both"}
