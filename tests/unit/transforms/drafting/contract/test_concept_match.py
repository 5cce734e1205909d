"""A column states a concept by the words of its id or title; a longer name proposes one, and nothing is guessed."""

from functools import cache

import pytest

from schemas.concepts import load_vocabulary
from transforms.drafting.contract.concept_match import (
    contained_terms,
    terms_by_words,
    without_counting_words,
    words_of,
)


@cache
def known() -> dict[tuple[str, ...], str]:
    return terms_by_words(load_vocabulary(None).concepts)


@pytest.mark.parametrize(
    ("column", "concept"),
    [
        ("antall_arbeidssokere", "job_seekers"),
        ("Antall arbeidssøkere", "job_seekers"),
        ("ARBEIDSSOEKERE", "job_seekers"),
        ("arbeidssøkjarar", "job_seekers"),
        ("jobSeekers", "job_seekers"),
        ("Number of job-seekers", "job_seekers"),
        ("A\u030arsverk", "full_time_equivalents"),
        ("aarsverk", "full_time_equivalents"),
        ("antall", "count"),
        ("arbeidssøker", None),
        ("arbeidssokere_menn", None),
    ],
)
def test_a_name_is_compared_without_case_accents_and_punctuation(column: str, concept: str | None) -> None:
    words = words_of(column)
    found = known().get(words) or known().get(without_counting_words(words))
    assert found == concept


@pytest.mark.parametrize(
    ("column", "proposed"),
    [
        ("arbeidssokere_menn", ["job_seekers"]),
        ("plasser i sykehjem 2024", ["care_places"]),
        ("elever per lærer", ["pupils"]),
        ("prosentandel", []),
        ("antall menn", []),
        ("andel kvinner", []),
        ("arbeidssøkerkurs", []),
    ],
)
def test_a_longer_name_proposes_the_concepts_whose_whole_title_it_has(column: str, proposed: list[str]) -> None:
    assert contained_terms(column, known()) == proposed
