"""The vocabulary: what a term must have, the shipped files, and an installation's own."""

from fractions import Fraction
from pathlib import Path

import pytest

from schemas.concepts import (
    VOCABULARY_FOLDER,
    Concept,
    Derivation,
    Dimension,
    Measure,
    Vocabulary,
    VocabularyFile,
    load_vocabulary,
    terms_of,
)
from schemas.errors import ContractError
from schemas.strict_yaml import read_declared

TITLE = "title: {nb: Ting, nn: Ting, en: Things}"
SHIPPED = load_vocabulary()
DERIVES = "{periods: month, parts: [a]}"
OVER = "{over: stage, parts: [primry]}"


def vocabulary(text: str) -> Vocabulary:
    return terms_of(read_declared(text, "own.yml", VocabularyFile), "own.yml")


@pytest.mark.parametrize(
    ("term", "problem"),
    [
        (f"measures: {{dozens: {{{TITLE}, times: 12}}}}", "times needs `of`"),
        (f"measures: {{dozens: {{{TITLE}, of: number, times: 0}}}}", "String should match pattern"),
        (f"measures: {{dozens: {{{TITLE}, of: number, times: '1/0'}}}}", "String should match pattern"),
        (f"measures: {{dozens: {{{TITLE}, of: number, times: {'1' * 19}}}}}", "String should match pattern"),
        (f"dimensions: {{size: {{{TITLE}}}}}", "give its codes, or `open: true`"),
        (f"dimensions: {{size: {{{TITLE}, open: true, total: T}}}}", "'T' is none of its codes"),
        (f"concepts: {{things: {{{TITLE}, definition: D, measures: []}}}}", "at least 1 item"),
        (
            f"concepts: {{things: {{{TITLE}, definition: D, measures: [number], derives: [{{}}]}}}}",
            "give exactly one of sum_of, over, periods, units",
        ),
        (
            f"concepts: {{things: {{{TITLE}, definition: D, measures: [number], derives: [{DERIVES}]}}}}",
            "parts are codes of the dimension in `over`",
        ),
        (f"concepts: {{things: {{{TITLE}, definition: D, measures: [number], suppress_below: 1}}}}", "equal to 2"),
        (f"concepts: {{things: {{{TITLE}, definition: D, measure: [number]}}}}", "did you mean 'measures'?"),
        ("concepts: {things: {title: {nb: Ting}, definition: D, measures: [number]}}", "title.nn: Field required"),
    ],
)
def test_a_mistake_in_a_term_is_named(term: str, problem: str) -> None:
    with pytest.raises(ContractError, match=r"own\.yml: ") as caught:
        vocabulary(term)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        (f"measures: {{dozens: {{{TITLE}, of: numbre, times: 12}}}}", "of: no measure 'numbre' in the vocabulary; did"),
        (f"measures: {{gross: {{{TITLE}, of: minutes, times: 9}}}}", "of: 'minutes' is a part or a multiple itself"),
        (f"concepts: {{x: {{{TITLE}, definition: D, measures: [persosn]}}}}", "no measure 'persosn'"),
        (f"concepts: {{x: {{{TITLE}, definition: D, measures: [hours, minutes]}}}}", "several of base 'seconds': name"),
        (f"concepts: {{x: {{{TITLE}, definition: D, measures: [persons], dimensions: [sexx]}}}}", "mean 'sex'?"),
        (
            f"concepts: {{x: {{{TITLE}, definition: D, measures: [persons], derives: [{{sum_of: [birhts]}}]}}}}",
            "derives: no concept 'birhts' in the vocabulary; did you mean 'births'?",
        ),
        (
            f"concepts: {{x: {{{TITLE}, definition: D, measures: [persons], derives: [{{over: sexx}}]}}}}",
            "derives: no dimension 'sexx'",
        ),
        (
            f"concepts: {{x: {{{TITLE}, definition: D, measures: [persons], derives: [{OVER}]}}}}",
            "derives: 'primry' is no code of 'stage'; did you mean 'primary'?",
        ),
    ],
)
def test_a_reference_to_nothing_is_named(terms: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(terms)
    with pytest.raises(ContractError, match=r"^own\.yml: ") as caught:
        load_vocabulary(tmp_path)
    assert problem in str(caught.value)


def test_an_own_folder_adds_terms_and_takes_precedence(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(
        f"concepts:\n  things: {{{TITLE}, definition: D, measures: [number]}}\n"
        "  population: {title: {nb: Folk, nn: Folk, en: People}, definition: D, measures: [persons]}\n"
    )
    found = load_vocabulary(tmp_path)
    assert found.concepts["population"].title.en == "People"
    assert found.concepts.keys() - SHIPPED.concepts.keys() == {"things"}
    assert found.owners[("concepts", "things")] == "own.yml"
    assert found.owners[("concepts", "births")] == "concepts.yml"


def test_two_files_of_a_folder_that_declare_one_term_are_named(tmp_path: Path) -> None:
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text(f"dimensions: {{size: {{{TITLE}, open: true}}}}")
    with pytest.raises(ContractError, match=r"^b\.yml: dimensions\.size: declared twice: a\.yml declares it too$"):
        load_vocabulary(tmp_path)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="check ENGANG_VOCABULARY"):
        load_vocabulary(tmp_path / "absent")
    (tmp_path / "own.yml").write_bytes(b"concepts: {\xe5: 1}")
    with pytest.raises(ContractError, match=r"^own\.yml: not UTF-8"):
        load_vocabulary(tmp_path)


def test_the_shipped_vocabulary_covers_what_the_public_sector_reports() -> None:
    usual = {"population", "cost", "share", "visits", "pupils", "employees", "beds", "votes", "emissions", "tax"}
    assert usual <= SHIPPED.concepts.keys()
    assert {"NOK", "EUR", "USD", "SEK"} <= SHIPPED.currencies <= SHIPPED.measures.keys()
    assert list(SHIPPED.problems()) == []
    assert {path.name for path in VOCABULARY_FOLDER.glob("*")} == set(SHIPPED.owners.values())


def test_shipped_terms_have_distinct_titles() -> None:
    for language in ("nb", "nn", "en"):
        for kind in ("concepts", "dimensions"):
            titles = [getattr(term.title, language) for term in getattr(SHIPPED, kind).values()]
            assert len(titles) == len(set(titles)), (kind, language)


def test_the_accepted_measures_are_the_concepts_own_and_those_of_the_same_base() -> None:
    hours = SHIPPED.accepted("staff_hours")
    assert hours["hours"] is None
    assert (minutes := hours["minutes"]) is not None
    assert (minutes.to, minutes.factor()) == ("hours", Fraction(1, 60))
    assert "persons" not in hours
    assert set(SHIPPED.accepted("cost").values()) == {None}, "no currency is converted"
    assert SHIPPED.accepted("cost").keys() == SHIPPED.currencies
    assert SHIPPED.accepted("visits").keys() == {"visits", "persons"}


def test_terms_of_an_owner_can_be_taken_out() -> None:
    thing = Concept.model_validate({"title": {"nb": "a", "nn": "a", "en": "a"}, "definition": "D", "measures": ["x"]})
    size = Dimension(title=thing.title, open=True)
    own = terms_of(VocabularyFile(concepts={"thing": thing}, dimensions={"size": size}), "own.yml")
    both = SHIPPED.plus(own)
    assert "thing" in both.concepts
    assert both.without({"own.yml"}).concepts.keys() == SHIPPED.concepts.keys()
    assert both.without({"own.yml"}).owners == SHIPPED.owners
    assert SHIPPED.without(()) is SHIPPED


def test_a_derivation_has_one_form() -> None:
    assert Derivation(sum_of=("a", "b")).sum_of == ("a", "b")
    assert Measure(title=SHIPPED.measures["hours"].title, of="seconds", times="3600").factor() == Fraction(3600)
