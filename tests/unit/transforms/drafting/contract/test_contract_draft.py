"""A drafted contract is whole: every column mapped or ignored, new terms declared, each guess with its evidence."""

from typing import Any

import polars as pl
import pytest

from infra.codelists import read_codelists
from infra.settings import DEMO_CODELISTS
from schemas.concepts import load_vocabulary
from schemas.contract import Contract, read_contract
from schemas.contract_terms import gather_terms, with_terms
from schemas.errors import UsageError
from schemas.kind import load_kinds
from transforms.drafting.contract.column_roles import Wishes, find_roles
from transforms.drafting.contract.contract_draft import ContractDraft, draft_contract
from transforms.drafting.contract.contract_text import contract_as_text
from transforms.drafting.contract.followed import follow
from transforms.drafting.contract.record_draft import draft_records, match_columns
from transforms.drafting.table.file_table import DraftSource
from transforms.register.build import build_register
from transforms.register.lookup import Register

VOCABULARY = load_vocabulary()
FORM = {"type": "csv", "delimiter": ";", "encoding": "utf-8"}
EXAMPLE = {"examples": [{"name": "none", "given": ""}]}
UNITS = ["0301", "1120", "1121"]


@pytest.fixture(scope="module")
def register() -> Register:
    return build_register(*read_codelists(DEMO_CODELISTS))


def drafted(register: Register, columns: dict[str, list[str]], unmapped: tuple[str, ...] = ()) -> ContractDraft:
    texts = pl.DataFrame(columns)
    source = DraftSource("skjema-1", FORM, list(unmapped), {"delimiter": "all records have it", "header_row": "row 1"})
    return draft_contract(source, texts, find_roles(texts, register, Wishes()), VOCABULARY)


def completed(draft: ContractDraft) -> Contract:
    """Return the contract that the text of a draft declares, checked against the vocabulary."""
    contract = read_contract(contract_as_text(ContractDraft(draft.declared | EXAMPLE, draft.evidence), "f.csv"))
    vocabulary, problems = gather_terms(VOCABULARY, {contract.contract: contract})
    assert problems == {}
    return with_terms(contract, vocabulary)


def test_a_long_table(register: Register) -> None:
    draft = drafted(
        register,
        {"kommune": UNITS, "kjonn": ["F", "M", "F"], "aar": ["2019"] * 3, "population": ["1", "2", "3"],
         "beløp": ["1 000", "..", "<5"], "note": ["x", "", ""]},
        ("#4",),
    )  # fmt: skip
    contract = completed(draft)
    assert contract.ignore == ("kjonn", "note", "#4")
    assert contract.format.thousands == " "
    assert [claim.concept for claim in contract.claims] == ["population", "skjema_1_belop"]
    assert contract.claims[0].unit_measure.value == "persons"
    amount = contract.claims[1]
    assert (amount.unit_measure.value, amount.missing_values, amount.missing_pattern) == (
        "NOK",
        ("..",),
        "[<≤] ?[0-9]+",
    )
    assert contract.concepts["skjema_1_belop"].title.nb == "beløp"
    (known,) = [each for each in draft.evidence["claims"] if each.startswith("population: population is a concept")]
    assert known.endswith("write a name of your own in the place of population, and declare it under `concepts:`")
    assert draft.evidence["format.delimiter"] == ["all records have it"]
    assert draft.evidence["format.type"] == ["row 1"]


def test_a_title_of_the_vocabulary_in_any_language_is_its_concept(register: Register) -> None:
    columns = ("Fødte", "Deaths", "Døde, prosent", "tax")
    draft = drafted(register, {"kommune": UNITS, **{name: ["1", "2", "3"] for name in columns}})
    claims = [(claim.concept, claim.unit_measure.value) for claim in completed(draft).claims]
    assert claims == [
        ("births", "persons"), ("deaths", "persons"), ("skjema_1_dode_prosent", "percent"), ("skjema_1_tax", "number"),
    ]  # fmt: skip


def test_a_concept_of_another_name_is_used_or_proposed_with_what_to_write(register: Register) -> None:
    columns = ("antall_arbeidssokere", "arbeidssokere_menn", "budsjett", "antall_personer")
    draft = drafted(register, {"kommune": UNITS, **{name: ["1", "2", "3"] for name in columns}})
    assert [claim.concept for claim in completed(draft).claims] == [
        "job_seekers", "skjema_1_arbeidssokere_menn", "budget", "skjema_1_antall_personer",
    ]  # fmt: skip
    (proposed,) = [each for each in draft.evidence["claims"] if "has the title of" in each]
    assert proposed.startswith("arbeidssokere_menn: its name has the title of job_seekers in the vocabulary")
    assert "write `concept: job_seekers` in the place of skjema_1_arbeidssokere_menn" in proposed


def test_marks_after_figures_are_declared_for_a_person_to_explain(register: Register) -> None:
    draft = drafted(register, {"kommune": UNITS, "f 2019": ["1", "2*", "3"], "f 2020": ["4", "5", "6 (p)"]})
    assert completed(draft).claims[0].flags == {"(p)": "P", "*": "A"}
    assert [each.split(":")[:2] for each in draft.evidence["claims"][-1:]] == [
        ["figures are followed by '(p)', '*'", " correct under `flags` the status that each mark has"]
    ]


def test_rows_that_no_register_has_are_ignored_by_name(register: Register) -> None:
    codes = [*UNITS * 5, "9999"]
    draft = drafted(register, {"kommune": codes, "aar": [str(2000 + n) for n in range(16)], "antall": ["1"] * 16})
    rows = completed(draft).ignore_rows
    assert rows[0].values == ("9999",)
    assert "take out those that are units" in rows[0].why


def test_dimensions_are_declared_unless_the_vocabulary_has_them(register: Register) -> None:
    rows: dict[str, list[str]] = {"kommune": UNITS[:1] * 4, "sex": ["F", "M"] * 2, "tilskott": ["a", "a", "b", "b"],
                                  "antall": ["1", "2", "3", "4"]}  # fmt: skip
    contract = completed(drafted(register, rows))
    assert sorted(contract.breakdown) == ["sex", "tilskott"]
    assert list(contract.dimensions) == ["tilskott"]
    assert contract.repeat == "error"


@pytest.mark.parametrize(
    ("periods", "kind", "form"),
    [(("2019K4", "2020K1"), "quarter", None), (("2019M12", "2020M01"), "month", "%YM%m"),
     (("2019-12", "2020-01"), "month", None), (("2019H2", "2020H1"), "half_year", None)],
)  # fmt: skip
def test_columns_of_other_periods_become_rows(
    register: Register, periods: tuple[str, ...], kind: str, form: str | None
) -> None:
    contract = completed(drafted(register, {"kommune": UNITS, **{f"Births {p}": ["1", "2", "3"] for p in periods}}))
    assert contract.period is not None
    assert contract.unpivot is not None
    assert (contract.period.column, contract.period.type, contract.period.format) == (kind, kind, form)
    found = pl.Series([f"Births {p}" for p in periods]).str.extract(f"^{contract.unpivot.pattern}$", 1)
    assert tuple(found) == periods
    assert contract.claims[0].concept == "births"


def test_codes_and_titles_of_the_vocabulary_are_found(register: Register) -> None:
    rows = {"kommune": UNITS[:1] * 4, "k": ["Menn", "Kvinner"] * 2, "sektor": ["care", "care", "school", "school"],
            "hours_worked": ["1", "2", "3", "4"]}  # fmt: skip
    draft = drafted(register, rows)
    contract = completed(draft)
    assert contract.breakdown["sex"].map == {"Kvinner": "F", "Menn": "M"}
    assert contract.breakdown["sector"].map is None
    assert contract.dimensions == {}
    assert "k: its texts are codes of sex in the vocabulary, or their titles" in draft.evidence["breakdown"]


def test_a_concept_that_has_no_such_dimension_is_not_taken(register: Register) -> None:
    rows = {"kommune": UNITS[:1] * 2, "ytelse": ["a", "b"], "staff_hours": ["1", "2"]}
    contract = completed(drafted(register, rows))
    assert [claim.concept for claim in contract.claims] == ["skjema_1_staff_hours"]


def test_columns_of_years_become_rows(register: Register) -> None:
    numbers = ["1", "2", ".."]
    contract = completed(
        drafted(
            register,
            {"kommune": UNITS, **dict.fromkeys(("pop2019", "pop2020", "births_2019", "births_2020"), numbers)},
        )
    )
    assert contract.unpivot is not None
    assert contract.unpivot.groups() == ["figure", "year"]
    assert [claim.when for claim in contract.claims] == [{"figure": "pop"}, {"figure": "births"}]
    assert contract.period is not None
    assert contract.period.column == "year"


def test_many_unused_columns_are_ignored_together(register: Register) -> None:
    unused: dict[str, list[str]] = {f"t{n}": ["x", "x", "x"] for n in range(100)}
    draft = drafted(register, {"kommune": UNITS, "antall": ["1", "2", "3"], **unused})
    assert completed(draft).ignore == "rest"


@pytest.mark.parametrize("name", ["- {x}: 'y' # z", "a\nb", "ÆØÅ", "%", '"', "@id", "yes", "1.5", "null"])
def test_any_name_of_a_column_is_written_as_it_is(register: Register, name: str) -> None:
    draft = drafted(register, {"kommune": UNITS, f"{name} antall": ["1", "2", "3"], name: ["x", "x", "x"]})
    contract = completed(draft)
    assert [claim.column for claim in contract.claims] == [f"{name} antall"]
    assert contract.ignore == (name,)


def test_a_draft_follows_another_contract(register: Register) -> None:
    like = {
        **drafted(register, {"kommune": UNITS, "antall": ["1", "2", "3"]}).declared,
        "agency": "Etaten", "period": {"option": "period", "type": "month"},
        "claims": [{"concept": "population", "column": "antall", "reported_by": {"value": "Etaten"},
                    "unit_measure": {"value": "persons"}, "scale": "1000"}],
        "breakdown": {"sex": {"column": "kjonn", "map": {"1": "M", "2": "F"}}}, "concepts": {}, **EXAMPLE,
    }  # fmt: skip
    other = Contract.model_validate(like)
    columns: dict[str, list[str]] = {"kommune": UNITS, "kjonn": ["1", "2", "1"], "antall": ["1", "2", "3"],
                                     "andre": ["4", "5", "6"]}  # fmt: skip
    draft = follow(drafted(register, columns), other, columns)
    contract = completed(draft)
    assert contract.agency == "Etaten"
    assert contract.breakdown["sex"].map == {"1": "M", "2": "F"}
    assert [(claim.concept, str(claim.scale)) for claim in contract.claims] == [
        ("population", "1000"), ("skjema_1_andre", "1"),
    ]  # fmt: skip
    assert contract.period is not None
    assert contract.period.type == "month"


def records(texts: dict[str, list[str]]) -> dict[str, Any]:
    frame = pl.DataFrame(texts)
    kind = load_kinds()["incident"]
    source = DraftSource("hendelser", FORM, [], {"delimiter": "all records have it"})
    return draft_records(source, frame, match_columns(frame, kind)).declared


def test_columns_are_the_fields_of_a_kind_with_like_names() -> None:
    declared = records({
        "report_nr": ["1", "2"], "Occurred-on": ["01.02.2024", "03.04.2024"], "municipalty": ["0301", "1120"],
        "Severity": ["1", "bad"], "other": ["x", "y"],
    })  # fmt: skip
    assert declared["record"] == {
        "kind": "incident", "reported_by": {"option": "sender"}, "report_key": ["report_nr"],
        "fields": {
            "occurred_on": {"column": "Occurred-on", "format": "%d.%m.%Y"}, "municipality": {"column": "municipalty"},
            "severity": {"column": "Severity", "unreadable": "warn"},
        },
    }  # fmt: skip
    assert declared["ignore"] == ["other"]
    Contract.model_validate(declared | EXAMPLE)


def test_records_need_a_key_and_a_field() -> None:
    with pytest.raises(UsageError, match="a record needs a key"):
        records({"severity": ["1", "1"]})
    with pytest.raises(UsageError, match="no column has a name like a field"):
        records({"abc": ["1", "2"]})
    assert records({"severity": ["1", "1", "2"], "place": ["a", "b", "a"]})["record"]["report_key"] == [
        "severity",
        "place",
    ]
