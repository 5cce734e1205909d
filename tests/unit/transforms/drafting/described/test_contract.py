"""Contracts and kinds from descriptions of records: figures become claims, persons and cases records."""

from typing import Any

import pytest

from schemas.contract import read_contract
from schemas.errors import ContractError
from schemas.kind import read_kind
from schemas.record_contract import check_records
from schemas.record_description import RecordDescription, read_description
from transforms.drafting.described.contract import contract_of, kind_fields, missing_fields
from transforms.drafting.described.fields import key_fields, makes_records, measure
from transforms.drafting.described.text import contract_text, field_lines, kind_text

NOTHING: dict[str, tuple[str, ...]] = {"concepts": (), "dimensions": ()}


def field(name: str, start: int, size: int, kind: str = "STRING_TYPE", **more: object) -> dict[str, Any]:
    return {"name": name, "description": name.title(), "from": start, "size": size, "dataType": kind} | more


def described(*fields: dict[str, Any], form: str = "1A") -> RecordDescription:
    return RecordDescription.model_validate({"id": form, "title": "Form", "reportingYear": 2024, "fields": fields})


FIGURES = described(
    field("aargang", 1, 4, mandatory=True),
    field("FYLKE_NR", 5, 2, mandatory=True, codeList=[{"code": "03", "value": "Oslo"}]),
    field("FYLKE_NAVN", 7, 10),
    field(
        "KVARTAL", 17, 1, mandatory=True, codeList=[{"code": " ", "value": "Året"}, {"code": "1", "value": "Første"}]
    ),
    field("BELØP", 18, 9, "INTEGER_TYPE", mandatory=True, description="Gis i 1000 kr"),
    field("KURS_TIMER", 27, 4, "INTEGER_TYPE"),
)
PERSONS = described(
    field("KOMMUNE_NR", 1, 4, mandatory=True),
    field("VERSION", 5, 2, mandatory=True),
    field("JOURNALNR", 7, 8, mandatory=True),
    field("PERSON_FODSELSNR", 15, 11),
    field("FODSELSDATO", 26, 6, "DATE_TYPE", mandatory=True, datePattern="ddMMyy"),
    field("KJONN", 32, 1, mandatory=True, codeList=[{"code": "1"}, {"code": "2"}]),
    field("ANTALL", 33, 2, "INTEGER_TYPE"),
    field("SAKSBEHANDLER", 35, 10, mandatory=True),
)


def test_figures_become_claims_broken_down_by_their_codes() -> None:
    assert not makes_records(FIGURES)
    text = contract_text(contract_of(FIGURES, "form-1a", "form-1a", known=NOTHING, kind=None), FIGURES)
    contract = read_contract(text)
    assert contract.unit is not None
    assert contract.period is not None
    assert (contract.unit.column, contract.unit.kind, contract.period.column) == ("FYLKE_NR", "county", "aargang")
    assert list(contract.breakdown) == ["kvartal"]
    claims = [(c.concept, c.unit_measure.value, c.scale, c.missing) for c in contract.claims]
    assert claims == [("beloep", "NOK", 1000, "reject"), ("kurs_timer", "hours", 1, "skip")]
    assert set(contract.concepts) == {"beloep", "kurs_timer"}
    assert contract.concepts["beloep"].title.nb == "Gis i 1000 kr"
    assert list(contract.dimensions["kvartal"].codes) == ["1"]
    assert next(f for f in contract.format.fields if f.name == "KVARTAL").empty == "_Z"
    assert "  # Gis i 1000 kr\n" in text


def test_known_concepts_and_dimensions_are_referred_to() -> None:
    known = {"concepts": ("beloep", "kurs_timer"), "dimensions": ("kvartal",)}
    contract = contract_of(FIGURES, "form-1a", "form-1a", known=known, kind=None)
    assert "concepts" not in contract
    assert "dimensions" not in contract


def test_a_region_of_six_digits_is_a_municipality_and_its_district() -> None:
    description = described(field("region", 1, 6, mandatory=True), field("N", 7, 5, "INTEGER_TYPE"))
    contract = contract_of(description, "x", "x", known=NOTHING, kind=None)
    assert contract["unit"] == {"column": "municipality", "kind": "municipality", "by": "code"}
    assert list(contract["breakdown"]) == ["district"]
    assert contract["period"] == {"option": "period", "type": "year"}
    assert contract["format"]["fields"][2:] == [
        {"name": "municipality", "start": 1, "length": 4},
        {"name": "district", "start": 5, "length": 2},
    ]


def test_persons_become_records_whose_personal_fields_are_protected() -> None:
    assert makes_records(PERSONS)
    assert [f.name for f in key_fields(PERSONS)] == ["KOMMUNE_NR", "VERSION", "JOURNALNR"]
    kind = read_kind(kind_text("person_form", "Persons", kind_fields(PERSONS)))
    personal = {name: spec.personal for name, spec in kind.fields.items() if spec.personal}
    assert personal == {"person_fodselsnr": "pseudonymise", "fodselsdato": "keep", "saksbehandler": "drop"}
    text = contract_text(contract_of(PERSONS, "f-2024", "f", known=NOTHING, kind="person_form"), PERSONS)
    contract = read_contract(text)
    check_records(contract, {"person_form": kind})
    assert contract.record is not None
    born = contract.record.fields["fodselsdato"]
    assert (born.format, born.century, born.required) == ("%d%m%y", 1926, True)
    assert "version" not in contract.record.fields
    assert contract.record.fields["version_field"].column == "VERSION"
    assert not contract.record.fields["saksbehandler"].required
    assert [(r.id, r.severity) for r in contract.rules] == [("kjonn", "warning")]


def test_forms_share_the_fields_of_one_name_in_one_kind() -> None:
    kind = read_kind(kind_text("person_form", "Persons", kind_fields(PERSONS)))
    other = described(field("JOURNALNR", 1, 8, mandatory=True), field("NYTT", 9, 2, "INTEGER_TYPE"), form="1B")
    missing = missing_fields(other, kind)
    assert list(missing) == ["nytt"]
    whole = read_kind(kind_text("person_form", "Persons", kind_fields(PERSONS)) + field_lines(missing))
    assert len(whole.fields) == len(kind.fields) + 1
    clash = described(field("ANTALL", 1, 8), field("JOURNALNR", 9, 8), form="1C")
    with pytest.raises(ValueError, match="'antall' is code in this form and integer in kind 'person_form'"):
        missing_fields(clash, kind)


@pytest.mark.parametrize(
    ("name", "title", "expected"),
    [
        ("N", "Beløpet skal gis i 1000 kr", ("NOK", 1000)),
        ("N", "Hva fikk mottakeren utbetalt?", ("NOK", 1)),
        ("KURS_TIMER", "Kurs", ("hours", 1)),
        ("N", "Kurs", ("number", 1)),
    ],
)
def test_a_figure_counts_what_its_title_states(name: str, title: str, expected: tuple[str, int]) -> None:
    assert measure(described(field(name, 1, 2, "INTEGER_TYPE", description=title)).fields[0]) == expected


def test_a_description_that_is_none_is_an_error() -> None:
    with pytest.raises(ContractError, match="fields"):
        read_description("title: x\nreportingYear: 2024\n", "x.yaml")
    twice = "title: x\nreportingYear: 2024\nfields:\n" + 2 * "- {name: A, from: 1, size: 1, dataType: STRING_TYPE}\n"
    with pytest.raises(ContractError, match="fields that occur twice: a"):
        read_description(twice, "x.yaml")
    assert (
        read_description(
            twice.split("- {name", maxsplit=1)[0]
            + "- {name: 1Æ, from: 1, size: 1, dataType: DATE_TYPE, codeList: null}",
            "x",
        )
        .fields[0]
        .id
        == "field_1ae"
    )
