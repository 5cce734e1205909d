"""Small counts: what is withheld with them, and what need not be."""

import datetime as dt

import polars as pl
import pytest

from schemas.concepts import Concept, Derivation, Vocabulary
from schemas.contract_parts import Titles
from transforms.derivations.roll_ups import ITEM_IDENTITY
from transforms.derivations.small_counts import linked_concepts, withheld_items
from transforms.derivations.wholes import WHOLES
from transforms.identity import item_id

TITLE = Titles(nb="a", nn="a", en="a")


def vocabulary(**sums: list[str]) -> Vocabulary:
    """Return concepts, each the sum of others; an empty list for none."""
    return Vocabulary(
        {
            name: Concept(
                title=TITLE,
                definition="a",
                measures=("persons",),
                derives=(Derivation(sum_of=tuple(parts)),) if parts else (),
            )
            for name, parts in sums.items()
        }
    )


def withheld(known: Vocabulary, values: dict[str, int | None], least: int = 5) -> set[str]:
    """Return the concepts whose item is withheld; the items have these values."""
    rows = pl.DataFrame(
        [
            {
                "concept": name, "unit_id": "u", "period_start": dt.date(2024, 1, 1),
                "period_end": dt.date(2025, 1, 1), "breakdown": "{}", "unit_measure": "persons", "value": value,
                "is_small": value is not None and value < least,
            }
            for name, value in values.items()
        ],
        schema_overrides={"value": pl.Int64},
    ).with_columns(item_id())  # fmt: skip
    wholes = pl.DataFrame(schema=WHOLES)
    found = withheld_items(rows.select("item_id", *ITEM_IDENTITY, "value", "is_small"), known, wholes)
    names = dict(rows.select("item_id", "concept").rows())
    return {names.get(each, "unreported") for each in found}


SUM = vocabulary(all=["a", "b", "c"], a=[], b=[], c=[])


@pytest.mark.parametrize(
    ("values", "hidden"),
    [
        ({"all": 30, "a": 3, "b": 7, "c": 20}, {"a", "all"}),
        ({"all": 30, "a": 6, "b": 4, "c": 20}, {"b", "all"}),
        ({"all": 31, "a": 5, "b": 6, "c": 20}, set()),
        ({"all": 4, "a": 9, "b": 7, "c": 20}, {"all", "b"}),
        ({"all": 4, "a": 9, "b": None, "c": 20}, {"all", "a"}),
        ({"all": 4, "a": None, "b": None}, {"all", "a"}),
        ({"a": 3, "b": 7}, {"a", "unreported"}),
        ({"all": 3}, {"all"}),
        ({"a": 3, "other": 4}, {"a", "other", "unreported"}),
    ],
)
def test_with_a_small_part_the_whole_is_hidden_and_with_a_small_whole_its_least_part(
    values: dict[str, int | None], hidden: set[str]
) -> None:
    found = withheld(SUM, values)
    if values.get("a", 0) is None and values.get("b", 0) is None:  # neither is less: one of them
        assert "all" in found
        assert len(found) == 2
    else:
        assert found == hidden


def test_what_is_hidden_goes_through_sums_of_sums_both_ways() -> None:
    known = vocabulary(top=["all", "rest"], all=["a", "b"], a=[], b=[], rest=[], other=["x", "y"], x=[], y=[])
    values: dict[str, int | None] = {"top": 90, "all": 30, "rest": 60, "a": 3, "b": 27, "other": 50, "x": 20, "y": 30}
    assert withheld(known, values) == {"a", "all", "top"}
    assert withheld(known, {**values, "a": 9, "rest": 4}) == {"rest", "top"}
    # a small whole hides its least part, and that part its own least one
    assert withheld(known, {**values, "a": 9, "top": 4}) == {"top", "all", "a"}


def test_a_whole_of_which_a_part_is_hidden_already_hides_no_other() -> None:
    known = vocabulary(all=["a", "b"], a=["x", "y"], b=[], x=[], y=[])
    assert withheld(known, {"all": 17, "a": 10, "b": 7, "x": 3, "y": 7}) == {"x", "a", "all"}


def test_what_is_hidden_goes_through_wholes_that_nobody_reports() -> None:
    known = vocabulary(top=["all", "rest"], all=["a", "b"], a=[], b=[], rest=[])
    assert withheld(known, {"top": 90, "rest": 60, "a": 3, "b": 27}) == {"a", "unreported", "top"}
    assert withheld(known, {"top": 4, "a": 9, "b": 27}) == {"top", "unreported", "a"}


def test_concepts_are_linked_by_the_sums_that_they_are_in() -> None:
    known = vocabulary(all=["a", "b"], more=["b", "c"], far=["x", "y"], a=[], b=[], c=[], x=[], y=[], alone=[])
    assert linked_concepts(known, ["a"]) == {"all", "a", "b", "more", "c"}
    assert linked_concepts(known, ["y"]) == {"far", "x", "y"}
    assert linked_concepts(known, ["alone"]) == {"alone"}
    assert linked_concepts(known, ["alone", "x"]) == {"alone", "far", "x", "y"}
    assert linked_concepts(known, []) == set()
