"""Accepted series change the claims of a contract, and nothing else of its text."""

import json
from decimal import Decimal

import pytest

from schemas.contract import Contract, read_contract
from schemas.errors import UsageError
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.discovery.claim_changes import AcceptedSeries, changed_breakdown, changed_claims
from transforms.drafting.changed_contract import changed_contract, declared_roll_ups

LONG = """
sender: {default: a}
format: {type: csv}
unit: {column: unit, kind: municipality}
period: {column: year, type: year}
breakdown: {sex: {column: sex}}
repeat: error
claims:
  - concept: heads   # as the form has it
    column: n
    reported_by: {value: a}
    unit_measure: {value: persons}
    breakdown: {word: {column: word, map: {one: "1", two: "2", odd: "9"}}}
  - {concept: rooms, column: r, reported_by: {value: a}, unit_measure: {value: rooms}}
examples:
  - name: e
    given: |
      unit,year,sex,word,n,r
      9900,2024,F,one,3,2
    claims:
      - {row: 2, concept: heads, breakdown: '{"sex":"F","word":"1"}', value: 3}
"""


def contract(text: str = LONG) -> tuple[str, Contract]:
    return CONTRACT_HEAD + text, read_contract(CONTRACT_HEAD + text, "small.yml")


def accepted(old: dict[str, str], new: dict[str, str], **other: object) -> AcceptedSeries:
    return AcceptedSeries("heads", old, "population", new, **other)  # type: ignore[arg-type]  # each key by its name


BOTH = [
    accepted({"word": word, "sex": sex}, {"class": name, "sex": sex}, scale=1000.0)
    for word, name in (("1", "A"), ("2", "B"))
    for sex in "FM"
]


def test_a_claim_gets_concept_codes_and_scale_and_its_undecided_codes_stay() -> None:
    text, old = contract()
    odd = {"word": "9", "sex": "F"}
    (change,) = changed_claims(old, BOTH, [("heads", odd), ("rooms", {"sex": "F"})])
    assert (change.concept, change.scale, change.undecided) == ("population", Decimal(1000), (odd,))
    assert changed_breakdown(change, odd) == {"class": "9", "sex": "F"}
    assert changed_breakdown(change, {"sex": "F"}) is None
    after = changed_contract(text, old, [change])
    assert "concept: population   # as the form has it" in after
    new = read_contract(after, "small.yml")
    assert (new.version, len(new.breakdown), new.claims[0].scale) == (2, 0, Decimal(1000))
    assert new.claims[0].breakdown["class"].map == {"one": "A", "two": "B", "odd": "9"}
    assert new.claims[0].breakdown["sex"] == new.claims[1].breakdown["sex"] == old.breakdown["sex"]
    (expected,) = new.examples[0].claims
    assert json.loads(str(expected["breakdown"])) == {"class": "A", "sex": "F"}
    assert expected["concept"] == "population"


def test_codes_taken_as_delivered_get_a_map_and_others_stay_as_they_are() -> None:
    text, old = contract(LONG.replace(', map: {one: "1", two: "2", odd: "9"}', ""))
    (change,) = changed_claims(old, BOTH, [("heads", {"word": "x", "sex": "F"})])
    assert change.breakdown["class"] == {"column": "word", "map": {"1": "A", "2": "B"}, "unmapped": "keep"}
    assert "unmapped" not in changed_claims(old, BOTH, [])[0].breakdown["class"]
    assert read_contract(changed_contract(text, old, [change]), "small.yml").claims[0].concept == "population"


def test_a_claim_with_a_constant_is_changed_where_it_is_accepted() -> None:
    text = LONG.replace('{column: word, map: {one: "1", two: "2", odd: "9"}}', '{value: "1"}')
    _, old = contract(text)
    only = [accepted({"word": "1", "sex": "F"}, {"class": "A", "sex": "F"})]
    (change,) = changed_claims(old, only, [])
    assert change.breakdown["class"] == {"value": "A"}
    assert changed_claims(old, [accepted({"word": "2", "sex": "F"}, {"class": "B", "sex": "F"})], []) == []


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        ([accepted({"word": "1", "sex": "F"}, {"class": "A", "sex": "F"}, shift=1)], "another period"),
        ([BOTH[0], accepted({"word": "2", "sex": "F"}, {"class": "B", "sex": "F"})], "several concepts or scales"),
    ],
)
def test_what_a_contract_cannot_state_is_left_to_a_person(series: list[AcceptedSeries], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        changed_claims(contract()[1], series, [])


def test_roll_ups_are_declared_at_the_concept() -> None:
    text = "concepts:\n  heads:\n    measures: [persons]\nrules: []\n"
    new = declared_roll_ups(text, {"heads": [{"units": "municipality"}]})
    assert new == text.replace("rules", "    derives: [{units: municipality}]\nrules")
