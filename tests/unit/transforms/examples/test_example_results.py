"""An example that gives what it expects has no problems; one that does not has the differences, each as a sentence."""

from typing import Any

import pytest

from infra.codelists import read_codelists
from infra.settings import DEMO_CODELISTS
from schemas.contract import Contract, Example, load_contracts
from schemas.errors import UnreadError
from tests.support.paths import CONTRACTS
from transforms.examples.example_results import (
    MOST_PROBLEMS,
    example_problems,
    read_example,
    read_examples,
    states_anything,
)
from transforms.register.build import build_register
from transforms.register.lookup import Register

FOLKETALL = load_contracts(CONTRACTS)["folketall"]
GIVEN = "kommune;dag;gruppe;antall;merknad\n0301;01.01.2024;alle;709 037;\n9998;01.01.2024;alle;1;\nSum;;;2;\n"
UNKNOWN = {"row": 3, "column": "kommune", "reason": "unknown-unit", "found": "9998"}


@pytest.fixture(scope="module")
def register() -> Register:
    return build_register(*read_codelists(DEMO_CODELISTS))


def problems(register: Register, contract: Contract = FOLKETALL, given: str = GIVEN, **expected: Any) -> list[str]:
    stated = {"claims": [{"row": 2, "value": 709037}], "rejects": [UNKNOWN], "ignored": 1} | expected
    example = Example.model_validate({"name": "an example", "given": given, **stated})
    return example_problems(contract, example, None, register)


def test_what_it_gives_is_no_problem(register: Register) -> None:
    assert problems(register) == []


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ({"claims": [{"row": 2, "value": 777}]}, "claim 1 (row 2): value: found '709037.000000000', expected 777"),
        ({"claims": [{"value": "many"}]}, "claim 1 (row 2): value: found '709037.000000000', expected 'many'"),
        ({"claims": [{"period_start": "2024-01-02"}]}, "period_start: found '2024-01-01', expected '2024-01-02'"),
        ({"claims": []}, "claims: found 1, expected 0; not expected: {'row': '2', 'column': 'antall'"),
        ({"claims": [{"row": 2}, {"row": 3}]}, "claims: found 1, expected 2"),
        ({"claims": [{"colour": "red"}]}, "claims have no column 'colour': known are"),
        ({"rejects": [UNKNOWN | {"reason": "rule"}]}, "reason: found 'unknown-unit', expected 'rule'"),
        ({"rejects": []}, "rejects: found 1, expected 0; not expected: {'row': '3'"),
        ({"ignored": 0}, "ignored: found 1 rows, expected 0"),
    ],
)
def test_a_difference_is_a_sentence(register: Register, expected: dict[str, Any], problem: str) -> None:
    assert problem in "; ".join(problems(register, **expected))


def test_an_error_of_the_whole_file_is_a_reject(register: Register) -> None:
    missing = {"row": None, "column": "dag", "reason": "missing-column", "severity": "critical"}
    assert problems(register, given="kommune;antall\n0301;1\n", claims=[], rejects=[missing], ignored=0) == []


def test_many_differences_are_cut(register: Register) -> None:
    rows = [{"row": 99, "value": number} for number in range(20)]
    given = GIVEN + "".join(f"1120;01.01.2024;g{n};5;\n" for n in range(20))
    assert len(problems(register, given=given, claims=rows, rejects=[])) == MOST_PROBLEMS


def test_text_that_the_encoding_does_not_have_is_a_problem(register: Register) -> None:
    form = FOLKETALL.format.model_copy(update={"encoding": "latin-1"})
    contract = FOLKETALL.model_copy(update={"format": form})
    assert "cannot be written as latin-1" in problems(register, contract, GIVEN + "0301;01.01.2024;→;1;\n")[0]


def test_an_example_without_expectations_is_no_test(register: Register) -> None:
    empty = Example.model_validate({"name": "none", "given": "x"})
    contract = FOLKETALL.model_copy(update={"examples": (empty, *FOLKETALL.examples)})
    assert not states_anything(empty)
    assert [result.example for result in read_examples(contract, None, register)] == ["One row"]


def test_claims_need_a_register() -> None:
    with pytest.raises(UnreadError, match="no register was given"):
        read_example(FOLKETALL, FOLKETALL.examples[0], None, None)
    assert "no register" in example_problems(FOLKETALL, FOLKETALL.examples[0], None, None)[0]
