"""The terms of a drafted contract: names that are taken, names that are too long, and those of the vocabulary."""

import polars as pl
import pytest

from schemas.concepts import Concept, Dimension, Measure, Vocabulary
from schemas.contract_parts import Titles
from transforms.drafting.contract.draft_terms import TERM_LENGTH, DraftTerms, plain_name


def titles(nb: str, en: str | None = None) -> Titles:
    return Titles(nb=nb, nn=nb, en=en or nb)


SEX = Dimension(title=titles("Kjønn", "Sex"), codes={"F": titles("Kvinner", "Women"), "M": titles("Menn", "Men")})
MEASURES = ("persons", "votes", "percent", "USD", "NOK")
VOCABULARY = Vocabulary(
    {"pupils": Concept(title=titles("Elever", "Pupils"), definition="a", measures=("children",))},
    {"sex": SEX},
    {name: Measure(title=titles(name)) for name in MEASURES},
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Antall elever", "antall_elever"), ("  --x--y  ", "x_y"), ("Ålesund/Ørsta", "alesund_orsta"),
        ("2024", "c_2024"), ("_a_", "a"), ("", "c"), ("***", "c"), ("ÆØÅ", "aoa"), ("A1", "a1"),
    ],
)  # fmt: skip
def test_a_name_is_small_letters_digits_and_underscores(text: str, name: str) -> None:
    assert plain_name(text) == name


def test_a_concept_of_the_vocabulary_is_used_once_and_a_second_column_gets_one_of_its_own() -> None:
    terms = DraftTerms("Skjema 1", VOCABULARY)
    assert [terms.concept("Elever"), terms.concept("antall elever"), terms.concept("Elever")] == [
        "pupils", "skjema_1_antall_elever", "skjema_1_elever",
    ]  # fmt: skip
    assert terms.used_concepts == ["pupils"]
    assert terms.known[0].startswith("Elever: pupils is a concept of the vocabulary (Elever, Pupils)")


def test_a_new_concept_begins_as_the_contract_and_no_two_are_alike() -> None:
    terms = DraftTerms("skjema", VOCABULARY)
    assert [terms.concept(column) for column in ("tall", "Tall!", "TALL", "skjema_tall x")] == [
        "skjema_tall", "skjema_tall_2", "skjema_tall_3", "skjema_tall_x",
    ]  # fmt: skip
    assert list(terms.declared()["concepts"]) == list(terms.concepts)


def test_a_long_name_is_cut_and_still_another() -> None:
    terms = DraftTerms("skjema", VOCABULARY)
    names = [terms.concept("x" * 80 + end) for end in ("a", "b", "c")]
    assert len(set(names)) == len(names)
    assert [len(name) for name in names] == [TERM_LENGTH, TERM_LENGTH - 2, TERM_LENGTH - 2]
    assert names[1].endswith("_2")


def test_what_a_contract_brings_has_titles_measures_and_a_definition_to_fill_in() -> None:
    terms = DraftTerms("skjema", VOCABULARY)
    assert terms.declared() == {}
    terms.concept("budsjett 2024")
    (found,) = terms.declared()["concepts"].values()
    assert found["measures"] == ["NOK"]
    assert found["title"] == {"nb": "budsjett 2024", "nn": "budsjett 2024", "en": "budsjett 2024"}
    assert found["definition"].startswith("FILL IN")
    assert "dimensions" not in found


@pytest.mark.parametrize(
    ("column", "measure"),
    [
        ("antall personer", "persons"), ("innbyggere", "persons"), ("stemmer", "votes"), ("votes_total", "votes"),
        ("andel", "percent"), ("i %", "percent"), ("USD", "USD"), ("kr", "NOK"), ("kroner", "NOK"), ("kr_total", "NOK"),
        ("skritt", "number"), ("voters", "number"), ("elever", "children"),
    ],
)  # fmt: skip
def test_the_name_of_a_column_suggests_a_measure(column: str, measure: str) -> None:
    assert DraftTerms("skjema", VOCABULARY).measure(column) == measure


@pytest.mark.parametrize(
    ("texts", "name", "mapped"),
    [
        (["Kvinner", "Menn", "Menn"], "sex", {"Kvinner": "F", "Menn": "M"}), (["F", "M"], "sex", None),
        (["women", "MENN"], "sex", {"women": "F", "MENN": "M"}), (["Kvinner", "Andre"], "kjonn", None),
    ],
)  # fmt: skip
def test_the_texts_of_a_column_are_codes_of_a_dimension_or_their_titles(
    texts: list[str], name: str, mapped: dict[str, str] | None
) -> None:
    found, take = DraftTerms("skjema", VOCABULARY).breakdown(pl.Series("kjonn", texts))
    assert (found, take["column"], take.get("map")) == (name, "kjonn", mapped)
