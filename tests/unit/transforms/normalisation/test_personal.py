"""Person numbers are found and never quoted; personal columns are pseudonymised before anything else reads them."""

import polars as pl
import pytest

from schemas.contract import read_contract
from schemas.errors import ContractError
from transforms.normalisation.personal import (
    domain_key,
    is_person_number,
    masked_rejects,
    person_number_alarms,
    personal_columns,
    treat_personal,
)
from transforms.rejects import reject_columns

CONTRACT = """
contract: c
version: 1
obligation: c
title: {nb: C, nn: C, en: C}
agency: A
legal_basis: none
rhythm: yearly
hours_per_report: null
sender: {default: s}
format: {type: csv}
unit: {column: who, kind: other, by: name, provisional: true, personal: pseudonymise}
period: {column: year, type: year}
breakdown: {ward: {column: ward, personal: drop}, group: {column: group}}
repeat: error
personal: {group: keep}
claims:
  - {concept: n, column: n, reported_by: {option: sender}, unit_measure: {value: persons}}
examples:
  - {name: none, given: "who;year;ward;group;n"}
"""
KEY = domain_key("a key of thirty-two characters..", "observations")


def controlled(date: str) -> str:
    """Return a number that begins with these six digits, with the right control digits, by the rule in words."""
    for individual in range(500, 600):
        digits = [int(d) for d in f"{date}{individual}"]
        for weights in ((3, 7, 6, 1, 8, 9, 4, 5, 2), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)):
            digits.append(-sum(d * w for d, w in zip(digits, weights, strict=True)) % 11)
        if max(digits) < 10:
            return "".join(map(str, digits))
    raise AssertionError(date)


@pytest.mark.parametrize(
    "number",
    [
        "15876500520",  # synthetic, month + 80
        controlled("150765"),
        controlled("550765"),  # D-number
        controlled("154765"),  # synthetic, month + 40
        controlled("558765"),
    ],
)
def test_person_numbers_are_found_and_their_neighbours_are_not(number: str) -> None:
    wrong = [number[:-1] + str((int(number[-1]) + n) % 10) for n in range(1, 10)]
    texts = pl.Series([number, *wrong, controlled("320765"), controlled("151365"), ""])
    assert texts.to_frame("a").select(is_person_number(pl.col("a"))).to_series().to_list() == [True] + [False] * 12


def batch(*texts: str) -> pl.DataFrame:
    rows = range(2, 2 + len(texts))
    return pl.DataFrame({"submission_id": "s", "row": rows, "a": texts}, schema_overrides={"row": pl.Int32})


@pytest.mark.parametrize("form", ["{}", "158765 00520", "x{}", "fnr: 158765-00520.", "12345678901 {}"])
def test_an_alarm_names_column_and_row_and_quotes_nothing(form: str) -> None:
    (alarm,) = person_number_alarms(batch("y", form.format("15876500520"), "z"), ["a"]).to_dicts()
    assert (alarm["column"], alarm["row"], alarm["reason"], alarm["severity"]) == ("a", 3, "person-number", "warning")
    assert "00520" not in str(alarm)


def test_other_numbers_raise_no_alarm() -> None:
    texts = ["12345678901", "915876500520", "158765005201", "15876500521", "short", "a longer text of words"]
    assert person_number_alarms(batch(*texts), ["a"]).is_empty()


def test_one_alarm_stands_for_all_rows_of_a_column() -> None:
    (alarm,) = person_number_alarms(batch(*["15876500520"] * 1000), ["a"]).to_dicts()
    assert alarm["found"] == "a person number in 1000 rows"


def test_pseudonyms_join_what_is_the_same_and_nothing_across_domains() -> None:
    texts = ["158765 00520", "15876500520", " Ola  Nordmann", "Ola Nordmann", "", "A\u030agot", "\u00c5got", None]
    rows = pl.DataFrame({"a": texts, "b": texts})
    first = treat_personal(rows, {"a": "pseudonymise", "b": "drop"}, KEY)
    one, two, three, four, empty, five, six, none = first["a"].to_list()
    assert one == two != three == four != five == six
    assert (empty, none) == ("", None)
    assert len(one) == 32
    assert set(first["b"]) == {""}
    other = treat_personal(rows, {"a": "pseudonymise"}, domain_key("a key of thirty-two characters..", "person"))
    assert not set(other["a"]) & {one, three, five}


def test_a_contract_declares_what_is_personal() -> None:
    contract = read_contract(CONTRACT)
    assert personal_columns(contract, None) == {"who": "pseudonymise", "ward": "drop", "group": "keep"}
    with pytest.raises(ContractError, match="personal: no column 'grupo' is mapped"):
        read_contract(CONTRACT.replace("personal: {group", "personal: {grupo"))


def test_what_is_not_personal_keeps_its_digest() -> None:
    plain = CONTRACT.replace(", personal: pseudonymise", "").replace(", personal: drop", "")
    plain = plain.replace("personal: {group: keep}\n", "")
    assert "personal" not in plain
    assert read_contract(plain).digest() != read_contract(CONTRACT).digest()
    assert read_contract(plain).digest() == "40e008b180ba855b"  # as before the key existed


def test_rejects_of_personal_records_show_the_length_of_a_cell() -> None:
    columns = reject_columns("not-a-date", found=pl.col("a"), expected="a date", hint="", column="a")
    assert masked_rejects(batch("Test Testesen").select(columns))["found"].to_list() == ["[13 characters]"]
