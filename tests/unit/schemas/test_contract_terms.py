"""A contract against the vocabulary: it uses nothing else, brings what is new, and is completed for its reading."""

import pytest

from schemas.concepts import Conversion, Terms, load_vocabulary
from schemas.contract import Contract, read_contract
from schemas.contract_terms import complete_contracts, conversions_of, gather_terms, with_terms
from schemas.errors import ContractError

VOCABULARY = load_vocabulary()
TEXT = """
contract: small
version: 1
obligation: small
title: {nb: Lite, nn: Lite, en: Small}
agency: a
legal_basis: none
rhythm: yearly
hours_per_report: null
sender: {allowed: any}
format: {type: csv}
unit: {column: unit, kind: municipality}
period: {column: when, type: year}
repeat: error
breakdown: {}
claims:
  - {concept: pupils, column: n, reported_by: {option: sender}, unit_measure: {value: persons}}
examples: [{name: none, given: ""}]
"""
HOURS_BY_SEX = (
    "concept: staff_hours, column: n, reported_by: {option: sender}, unit_measure: {value: hours}, "
    "breakdown: {secto: {value: x}, sex: {value: F}}"
)
TITLE = "title: {nb: Ting, nn: Ting, en: Things}"
THINGS = f"concepts:\n  things: {{{TITLE}, definition: D, measures: [number]}}\n"


def contract(*changes: tuple[str, str], name: str = "small", more: str = "") -> Contract:
    text = TEXT.replace("contract: small", f"contract: {name}") + more
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return read_contract(text)


def completed(*changes: tuple[str, str]) -> Contract:
    return with_terms(contract(*changes), VOCABULARY)


def problem(*changes: tuple[str, str], more: str = "") -> str:
    one = contract(*changes, more=more)
    vocabulary, problems = gather_terms(VOCABULARY, {"small": one})
    with pytest.raises(ContractError) as caught:
        with_terms(one, vocabulary, problems.get("small", ()))
    return str(caught.value)


def test_a_contract_that_needs_nothing_added_stays_as_it_is() -> None:
    plain = contract()
    assert with_terms(plain, VOCABULARY) is plain


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("pupils", "pupisl", "small.yml: claims.0.concept: no concept 'pupisl' in the vocabulary; did you mean 'pupil"),
        ("pupils", "qqq", "no concept 'qqq' in the vocabulary; declare it there, or in the contract under `concepts`"),
        ("value: persons", "value: person", "claims.0.unit_measure: no measure 'person' in the vocabulary; did you"),
        ("value: persons", "value: NOK", "concept 'pupils' is measured in persons: not in 'NOK'"),
        ("value: persons", "column: m, map: {a: persons, b: persn}", "unit_measure: no measure 'persn'"),
        ("value: persons", "column: m, map: {a: persons}, map_default: persn", "unit_measure: no measure 'persn'"),
        ("breakdown: {}", "breakdown: {stge: {column: s}}", "breakdown.stge: no dimension 'stge' in the vocabulary; d"),
        ("breakdown: {}", "breakdown: {stage: {value: primry}}", "dimension 'stage' has no code 'primry'; did you mea"),
        ("breakdown: {}", "breakdown: {stage: {value: zzz}}", "no code 'zzz'; its codes are primary, lower_secondary"),
        (
            "concept: pupils, column: n, reported_by: {option: sender}, unit_measure: {value: persons}",
            HOURS_BY_SEX,
            "claims.0.breakdown.sex: concept 'staff_hours' has no dimension 'sex'; it has sector",
        ),
        ("breakdown: {}", "terms: {codes: {}}", "terms: they are not written in a contract"),
    ],
)
def test_what_is_not_in_the_vocabulary_is_named(old: str, new: str, expected: str) -> None:
    assert expected in problem((old, new))


def test_every_problem_is_named_once() -> None:
    second = "persons}}\n  - {concept: pupisl, column: m, reported_by: {option: sender}, unit_measure: {value: persn}}"
    text = problem(("breakdown: {}", "breakdown: {stge: {column: s}}"), ("persons}}", second))
    assert [line.split(":")[1].strip() for line in text.splitlines()] == ["breakdown.stge", "claims.1.concept"]


def test_an_open_dimension_takes_any_text() -> None:
    assert completed(("breakdown: {}", "breakdown: {sex: {value: K}, group: {column: g}}")).terms is None


def test_texts_as_delivered_are_looked_up_where_codes_are_closed() -> None:
    for take in ("{column: s}", "{column: s, map: {p: primary}, unmapped: keep}", "{option: period}"):
        made = completed(("breakdown: {}", f"breakdown: {{stage: {take}}}"))
        assert made.terms == Terms(codes={"stage": ("primary", "lower_secondary")})
    mapped = completed(("breakdown: {}", "breakdown: {stage: {column: s, map: {p: primary}}}"))
    assert mapped.terms is None


def test_a_measure_as_delivered_is_looked_up_among_those_of_its_concept() -> None:
    made = completed(("value: persons", "column: m"))
    assert made.terms == Terms(measures={"pupils": ("persons",)})


def test_another_measure_is_converted() -> None:
    hours = ("concept: pupils", "concept: staff_hours")
    made = completed(hours, ("value: persons", "value: minutes"))
    minutes = {"minutes": Conversion(to="hours", times=1, by=60)}
    assert made.terms == Terms(conversions={"staff_hours": minutes})
    assert conversions_of(made, made.claims[0]) == minutes
    mixed = completed(hours, ("value: persons", "column: m, map: {t: hours, m: minutes}"))
    assert conversions_of(mixed, mixed.claims[0]) == minutes
    raw = completed(hours, ("value: persons", "column: m"))
    assert conversions_of(raw, raw.claims[0]).keys() == {"seconds", "minutes", "days", "weeks"}
    plain = completed(hours, ("value: persons", "value: hours"))
    assert conversions_of(plain, plain.claims[0]) == {}


def test_the_digest_covers_what_is_added_and_that_of_the_file_does_not() -> None:
    written = contract(("breakdown: {}", "breakdown: {stage: {column: s}}"))
    made = with_terms(written, VOCABULARY)
    assert made.digest() != written.digest()
    assert made.written_digest() == written.digest() == written.written_digest()
    assert contract(more=THINGS).digest() == contract().digest(), "what it brings is read nowhere but here"
    assert Contract.model_validate_json(made.model_dump_json()) == made


def test_a_contract_brings_its_concepts_and_another_refers_to_them() -> None:
    first = contract(("concept: pupils", "concept: things"), ("value: persons", "value: number"), name="a", more=THINGS)
    second = contract(("concept: pupils", "concept: things"), ("value: persons", "value: number"), name="b")
    broken: dict[str, str] = {}
    assert complete_contracts({"a": first, "b": second}, VOCABULARY, broken).keys() == {"a", "b"}
    assert broken == {}
    assert gather_terms(VOCABULARY, {"a": first, "b": second})[0].owners[("concepts", "things")] == "contract a"


def test_a_copy_is_of_an_obligation_or_contract_that_there_is() -> None:
    given = {name: contract(name=name, more=f"copy_of: {of}") for name, of in (("b", "a"), ("c", "aa"), ("d", "w"))}
    broken = {"w": "w.yml: not YAML"}
    assert complete_contracts({"a": contract(name="a"), **given}, VOCABULARY, broken).keys() == {"a", "b", "d"}
    assert broken["c"] == "c.yml: copy_of: no obligation or contract 'aa'; did you mean 'a'?"


def test_a_second_declaration_costs_the_second_contract_alone() -> None:
    both = {name: contract(name=name, more=THINGS) for name in ("b", "a", "c")} | {"d": contract(name="d")}
    broken: dict[str, str] = {}
    assert complete_contracts(both, VOCABULARY, broken).keys() == {"a", "d"}
    expected = "concepts.things: declared twice: contract a declares it; remove it here and refer to that one"
    assert broken == {name: f"{name}.yml: {expected}" for name in ("b", "c")}


def test_a_term_of_the_shipped_vocabulary_is_not_declared_again() -> None:
    text = problem(more=f"dimensions:\n  sex: {{{TITLE}, open: true}}\n")
    assert text.startswith("small.yml: dimensions.sex: declared twice: dimensions.yml declares it;")


def test_a_broken_term_costs_those_who_use_it() -> None:
    wrong = f"concepts:\n  things: {{{TITLE}, definition: D, measures: [nubmer]}}\n"
    uses = (("concept: pupils", "concept: things"), ("value: persons", "value: number"))
    given = {"a": contract(name="a", more=wrong), "b": contract(*uses, name="b"), "c": contract(name="c")}
    broken: dict[str, str] = {}
    assert complete_contracts(given, VOCABULARY, broken).keys() == {"c"}
    assert "concepts.things: measures: no measure 'nubmer' in the vocabulary; did you mean 'number'?" in broken["a"]
    assert "no concept 'things'" in broken["b"]


def test_new_dimensions_and_measures_come_with_a_contract() -> None:
    brought = (
        f"concepts:\n  things: {{{TITLE}, definition: D, measures: [number], dimensions: [size]}}\n"
        f"dimensions:\n  size: {{{TITLE}, codes: {{L: {{nb: l, nn: l, en: l}}}}}}\n"
        f"measures:\n  dozens: {{{TITLE}, of: number, times: 12}}\n"
    )
    one = contract(
        ("concept: pupils", "concept: things"), ("value: persons", "value: dozens"),
        ("breakdown: {}", "breakdown: {size: {column: s}}"), more=brought,
    )  # fmt: skip
    made = complete_contracts({"small": one}, VOCABULARY, {})["small"]
    assert made.terms == Terms(
        codes={"size": ("L",)}, conversions={"things": {"dozens": Conversion(to="number", times=12)}}
    )
