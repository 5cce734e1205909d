"""Person numbers are found and never quoted; personal columns are pseudonymised before anything else reads them."""

from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from schemas.contract import Contract, read_contract
from schemas.errors import ContractError
from transforms.normalisation.personal import (
    domain_key,
    is_person_number,
    masked_rejects,
    person_number_problems,
    personal_columns,
    pseudonym_domain,
    searched_columns,
    treat_personal,
)
from transforms.normalisation.problems import find_rejects
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


def rejects(*texts: str) -> list[dict[str, Any]]:
    rows = batch(*texts)
    return find_rejects(rows, person_number_problems(rows, ["a"])).rejects.to_dicts()


@pytest.mark.parametrize(
    "form",
    [
        "{}", "158765 00520", "x{}", "fnr: 158765-00520.", "12345678901 {}", "{};12345678901", "15 87 65 00520",
        "15.87.65 00520", "158765 005 20", "158765\u201300520", "158765\u00a000520", "15 876 500 520", "15.876.500.520",
        "{}.0", "-{}", "\uff11\uff15876500520",
    ],
)  # fmt: skip
def test_a_reject_names_column_and_row_and_quotes_nothing(form: str) -> None:
    (reject,) = rejects("y", form.format("15876500520"), "z")
    assert (reject["column"], reject["row"], reject["reason"], reject["severity"]) == (
        "a", 3, "person-number", "critical",
    )  # fmt: skip
    assert "00520" not in str(reject)
    assert "500520" not in str(reject)


def test_other_numbers_are_accepted() -> None:
    texts = ["12345678901", "915876500520", "158765005201", "15876500521", "short", "a longer text of words"]
    assert rejects(*texts, "15.876500520", "1587650052.0", "158765,00520", "") == []
    assert person_number_problems(batch("1").with_columns(a=pl.lit(15876500520)), ["a"]) == []


def test_each_row_is_rejected() -> None:
    found = rejects(*["15876500520", "15876500521"] * 3)
    assert [reject["row"] for reject in found] == [2, 4, 6]


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
    assert searched_columns(contract, None) == ["year", "n"]
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


def test_a_date_of_birth_that_no_calendar_has_makes_no_person_number() -> None:
    dates = (
        "010199",
        "311299",
        "410199",
        "710199",
        "014199",
        "018199",
        "011300",
        "320100",
        "013100",
        "720100",
        "000100",
    )
    found = (
        pl.DataFrame({"n": [controlled(date) for date in dates]}).select(is_person_number(pl.col("n")))["n"].to_list()
    )
    assert found == [True] * 6 + [False] * 5


@pytest.mark.parametrize(
    ("form", "sound", "wrong"),
    [
        ("10{:02}99", (1, 12, 41, 52, 81, 92), (0, 13, 40, 53, 80, 93)),  # months, and those of synthetic numbers
        ("{:02}0199", (1, 31, 41, 71), (0, 32, 40, 72)),  # days, and those of D-numbers
    ],
)
def test_a_date_of_birth_ends_where_months_and_days_do(
    form: str, sound: tuple[int, ...], wrong: tuple[int, ...]
) -> None:
    numbers = pl.DataFrame({"n": [controlled(form.format(part)) for part in (*sound, *wrong)]})
    found = numbers.select(is_person_number(pl.col("n")))["n"].to_list()
    assert found == [True] * len(sound) + [False] * len(wrong)


def test_a_column_that_is_kept_and_one_that_is_not_there_stay_as_they_are() -> None:
    rows = pl.DataFrame({"a": ["x", ""], "b": ["y", "z"], "c": ["k", "l"]})
    treated = treat_personal(
        rows, {"a": "pseudonymise", "b": "keep", "c": "drop", "d": "drop", "e": "pseudonymise"}, KEY
    )
    assert treated.columns == ["a", "b", "c"]
    assert (treated["b"].to_list(), treated["c"].to_list(), treated["a"][1]) == (["y", "z"], ["", ""], "")
    assert treated["a"][0] != "x"


def test_observations_share_one_domain_and_each_kind_has_its_own() -> None:
    contract = read_contract(CONTRACT)
    assert pseudonym_domain(contract) == "observations"
    record = SimpleNamespace(record=SimpleNamespace(kind="mishap"))
    assert pseudonym_domain(cast("Contract", record)) == "mishap"
