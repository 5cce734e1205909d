"""The validation rules of a contract: each check with its keys, and no others."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.contract_rules import ChangeRule, CompareRule, RangeRule, Rule

RULE: TypeAdapter[Any] = TypeAdapter(Rule)
CHECKS: dict[str, dict[str, Any]] = {
    "range": {"column": "a"},
    "in": {"column": "a", "values": ["x"]},
    "pattern": {"column": "a", "pattern": "[0-9]+"},
    "required": {"column": "a"},
    "unique": {"columns": ["a", "b"]},
    "compare": {"left": "a", "op": "<=", "right": "b"},
    "change": {"concept": "paid", "max_share": "0.5"},
}


def rule(check: str, **declared: object) -> Any:
    return RULE.validate_python({"id": "r1", "check": check, **CHECKS[check], **declared})


@pytest.mark.parametrize("check", CHECKS)
def test_each_check_has_a_rule_that_needs_all_its_keys(check: str) -> None:
    assert rule(check).check == check
    for key in CHECKS[check]:
        declared = {"id": "r1", "check": check, **{k: v for k, v in CHECKS[check].items() if k != key}}
        with pytest.raises(ValidationError, match=f"{check}.{key}\n  Field required"):
            RULE.validate_python(declared)


@pytest.mark.parametrize("check", [check for check in CHECKS if check != "change"])
def test_a_rule_rejects_the_row_unless_it_is_declared(check: str) -> None:
    assert (rule(check).severity, rule(check).rejects) == ("critical", "row")
    found = rule(check, severity="warning", rejects="file")
    assert (found.severity, found.rejects) == ("warning", "file")


def test_a_change_only_warns() -> None:
    found = rule("change")
    assert isinstance(found, ChangeRule)
    assert (found.severity, found.max_share) == ("warning", Decimal("0.5"))
    with pytest.raises(ValidationError, match="Input should be 'warning'"):
        rule("change", severity="critical")


def test_a_range_may_be_open_and_is_exact() -> None:
    found = rule("range", min="0.10", max=None)
    assert isinstance(found, RangeRule)
    assert (found.min, found.max) == (Decimal("0.1"), None)
    with pytest.raises(ValidationError, match=r"range\.max"):
        rule("range", max="much")


@pytest.mark.parametrize("op", ["<", "<=", "=", ">=", ">", "!="])
def test_comparisons(op: str) -> None:
    found = rule("compare", op=op)
    assert isinstance(found, CompareRule)
    assert (found.left, found.op, found.right) == ("a", op, "b")


@pytest.mark.parametrize("op", ["==", "<>", "in", ""])
def test_other_signs_are_no_comparisons(op: str) -> None:
    with pytest.raises(ValidationError, match="'<', '<=', '=', '>=', '>' or '!='"):
        rule("compare", op=op)


def test_an_unknown_check_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValidationError, match=r"'rnage' .*'range', 'in', 'pattern', 'required', 'unique', 'compare'"):
        RULE.validate_python({"id": "r1", "check": "rnage", "column": "a"})
    with pytest.raises(ValidationError, match="discriminator 'check'"):
        RULE.validate_python({"id": "r1", "column": "a"})


def test_a_key_of_another_check_is_an_error() -> None:
    with pytest.raises(ValidationError, match=r"unknown key 'max'\. Known here: id, severity, rejects, check, column"):
        rule("required", max=1)


@pytest.mark.parametrize("name", ["", "R1", "a b", "-a", "a" * 65])
def test_a_rule_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValidationError, match=r"range\.id\n  String should match pattern"):
        rule("range", id=name)
