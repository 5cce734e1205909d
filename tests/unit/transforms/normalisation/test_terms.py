"""Claims read by the vocabulary: codes as delivered are looked up, values converted; the text stays."""

from decimal import Decimal
from functools import cache
from typing import Any

import polars as pl
import pytest

from infra.codelists import read_codelists
from infra.settings import DEMO_CODELISTS
from schemas.concepts import load_vocabulary
from schemas.contract import Contract, read_contract
from schemas.contract_terms import with_terms
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.normalisation.observations import Normalised, normalise
from transforms.parsing.parse import parse
from transforms.register.build import build_register
from transforms.register.lookup import Register

TEXT = f"""{CONTRACT_HEAD}
sender: {{allowed: any}}
format: {{type: csv}}
unit: {{column: unit, kind: municipality}}
period: {{value: "2024", type: year}}
repeat: error
claims:
  - {{concept: CONCEPT, column: n, reported_by: {{option: sender}}, unit_measure: MEASURE}}
examples: [{{name: none, given: ""}}]
"""


@cache
def register() -> Register:
    return build_register(*read_codelists(DEMO_CODELISTS))


def contract(concept: str, measure: str, more: str = "") -> Contract:
    text = TEXT.replace("CONCEPT", concept).replace("MEASURE", measure).replace("examples:", f"{more}\nexamples:")
    return with_terms(read_contract(text), load_vocabulary())


def read(text: str, by: Contract) -> Normalised:
    raw = parse(text.encode(), by).raw
    columns = {"submission_id": "s", "sender": "me", "option_period": "2024"}
    return normalise(raw.with_columns(**{name: pl.lit(value) for name, value in columns.items()}), by, register())


def claims(done: Normalised, *columns: str) -> list[tuple[Any, ...]]:
    return done.claims.sort("row", "position").select(columns).rows()


def test_a_value_is_converted_and_its_text_stays() -> None:
    done = read("unit;n\n1120;90\n1121;100\n", contract("staff_hours", "{value: minutes}"))
    assert claims(done, "unit_measure", "value", "decimals", "original") == [
        ("hours", Decimal("1.5"), None, "90"),
        ("hours", Decimal("1.666666667"), 9, "100"),
    ]


def test_equal_statements_in_two_measures_are_about_one_item_and_equal() -> None:
    by = contract("staff_hours", "{column: m}")
    done = read("unit;n;m\n1120;1.5;hours\n1121;90;minutes\n", by)
    same = read("unit;n;m\n1120;90;minutes\n1121;1.5;hours\n", by)
    assert claims(done, "item_id", "value", "unit_measure") == claims(same, "item_id", "value", "unit_measure")


def test_the_scale_and_the_conversion_both_count() -> None:
    by = contract("waste", "{value: kilograms}, scale: 1000")
    done = read("unit;n\n1120;7\n1121;0.5\n", by)
    assert claims(done, "unit_measure", "value", "decimals") == [("tonnes", 7, 0), ("tonnes", Decimal("0.5"), 1)]


def test_a_rule_is_about_the_number_as_delivered() -> None:
    by = contract("staff_hours", "{value: minutes}", "rules: [{id: day, check: range, column: n, max: 100}]")
    done = read("unit;n\n1120;90\n1121;101\n", by)
    assert done.rejects.select("row", "reason").rows() == [(3, "rule")]


@pytest.mark.parametrize(
    ("measure", "found"),
    [("{column: m}", "hour"), ("{column: m, map: {h: hours}, unmapped: keep}", "hour")],
)
def test_a_measure_as_delivered_must_be_one_of_the_concepts(measure: str, found: str) -> None:
    done = read("unit;n;m\n1120;1;hours\n1121;1;hour\n", contract("staff_hours", measure))
    assert done.rejects.select("row", "column", "reason", "found").rows() == [(3, "m", "unknown-code", found)]
    assert "hours, seconds" in done.rejects["expected"][0]


def test_a_code_as_delivered_must_be_one_of_its_dimension() -> None:
    by = contract("pupils", "{value: persons}", "breakdown: {stage: {column: s}, group: {column: g}}")
    done = read("unit;n;s;g\n1120;1; primary ;any\n1121;1;primry;x\n1121;1;;x\n", by)
    assert claims(done, "row", "breakdown") == [(2, '{"group":"any","stage":"primary"}')]
    assert done.rejects.sort("row").select("row", "column", "reason", "found").rows() == [
        (3, "s", "unknown-code", "primry"),
        (4, "s", "missing-value", ""),
    ]
    assert done.rejects.sort("row")["expected"][0] == "one of primary, lower_secondary"
    assert "vocabulary" in done.rejects.sort("row")["hint"][0]


def test_a_code_is_looked_up_where_its_claim_applies() -> None:
    cost = "concept: cost, column: n, reported_by: {option: sender}, unit_measure: {value: NOK}, when: {w: cost}"
    second = f"  - {{{cost}}}\nbreakdown: {{}}"
    text = "{value: persons}, when: {w: pupils}, breakdown: {stage: {column: s}}"
    done = read("unit;n;s;w\n1120;1;primary;pupils\n1121;1;-;cost\n1120;1;-;pupils\n", contract("pupils", text, second))
    assert claims(done, "row", "concept") == [(2, "pupils"), (3, "cost")]
    assert done.rejects.select("row", "reason").rows() == [(4, "unknown-code")]


def test_a_value_that_is_too_large_after_conversion_is_rejected() -> None:
    done = read(f"unit;n\n1120;{'9' * 28}\n", contract("staff_hours", "{value: days}"))
    assert done.rejects.select("row", "column", "reason").rows() == [(2, "n", "out-of-range")]
