"""The answers that a draft lacks: what a person has yet to fill in, and what may stay open."""

import pytest

from schemas.contract import CONTRACT_FOLDER, load_contracts, read_contract
from schemas.open_answers import find_open_answers, open_answers_problem
from tests.support.paths import ROOT

LONN = (ROOT / "schemas" / "contracts" / "demo-lonn.yml").read_text(encoding="utf-8")
TITLE = ("  nb: ", "  nn: ", "  en: ")
CONCEPT = (
    "concepts:\n  berries:\n    title: {nb: Bær, nn: Bær, en: Berries}\n    definition: '%s'\n    measures: [number]\n"
)


def keys(*lines: str) -> list[str]:
    """Return the keys of the open answers of a contract in which these lines stand in the place of their keys."""
    replaced = tuple(line.split(":")[0] + ":" for line in lines)
    replaced += TITLE if "title:" in replaced else ()
    own = [line for line in LONN.splitlines() if not line.startswith(replaced)]
    text = "\n".join([*own, *lines])
    return [answer.key for answer in find_open_answers(read_contract(text))]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("agency: FILL IN", ["agency"]),
        ("agency: 'FILL IN: the agency'", ["agency"]),
        ("agency: FILLING INSPECTORATE", []),
        ("title: {nb: FYLL INN, nn: Lønn, en: FILL IN}", ["title.nb", "title.en"]),
        ("sender: {default: someone}", ["sender.default"]),
        ("sender: {default: someone-else}", []),
        ("purpose: FILL IN", ["purpose"]),
        (CONCEPT % "FILL IN: what it counts.", ["concepts.berries.definition"]),
        (CONCEPT % "Berries that were picked; FILL IN the rest.", []),
        ("legal_basis: FILL IN", []),
        ("hours_per_report: null", []),
    ],
)
def test_an_answer_is_open_where_a_draft_has_its_stand_in(line: str, expected: list[str]) -> None:
    assert keys(line) == expected


def test_what_is_delivered_may_hold_the_same_words() -> None:
    assert keys("ignore: [FILL IN]") == []


def test_the_sentence_names_the_first_keys_and_who_lists_all() -> None:
    text = LONN.replace("agency: ", "agency: FILL IN #").replace("nb: ", "nb: FILL IN ", 1)
    problem = open_answers_problem(read_contract(text))
    assert problem is not None
    assert "'demo-lonn' is a draft: 2 answers are open (title.nb, agency)" in problem
    assert "`engang contracts test demo-lonn`" in problem


def test_no_shipped_contract_is_a_draft() -> None:
    assert [name for name, each in load_contracts(CONTRACT_FOLDER).items() if open_answers_problem(each)] == []
