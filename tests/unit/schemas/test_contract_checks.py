"""What is wrong with a contract as a whole, although each of its keys is right by itself."""

import pytest

from schemas.contract import Contract, read_contract
from schemas.errors import ContractError
from tests.support.small_contracts import SMALL_CONTRACT

RECORD = SMALL_CONTRACT[: SMALL_CONTRACT.index("unit: {")] + (
    "record: {kind: mishap, report_key: [nr], fields: {place: {column: sted}}}\n"
    'examples: [{name: none, given: ""}]\n'
)  # fmt: skip
CLAIM = "    unit_measure: {value: places}\n"

OTHER_CELL = """\
    missing_values: ['-']
  - {concept: beds, column: places, reported_by: {option: sender}, unit_measure: {value: beds}}
"""


def changed(old: str, new: str, text: str = SMALL_CONTRACT) -> str:
    assert old in text
    return text.replace(old, new)


def problems(text: str) -> str:
    with pytest.raises(ContractError) as caught:
        read_contract(text, "small.yml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("    decimals: {value: many}\n", "'many' is neither a whole number nor `exact`"),
        ("    decimals: {column: d, map: {x: '2'}, map_default: some}\n", "'some' is neither a whole number"),
        ("    decimals: {column: d, map: {x: '2', y: '1.5'}}\n", "'1.5' is neither a whole number nor `exact`"),
        ("    decimals: 29\n", "less than or equal to 28"),
        ("    decimals: -29\n", "greater than or equal to -28"),
        ("    obs_status: {column: s, map: {x: A}, unmapped: keep}\n", "column 's' needs a map to A, B"),
        ("    obs_status: {value: X}\n", "'X' is none of A, B"),
        ("    obs_status: {column: s, map: {x: A}, map_default: X}\n", "'X' is none of A, B"),
        ("    confidential: {option: sender}\n", "column 'sender' needs a map to true, false"),
        ("    confidential: {columns: [a, b]}\n", "column 'a, b' needs a map to true, false"),
        ("    flags: {'*': X}\n", "flags: 'X' is none of A, B"),
        ("    missing_pattern: '('\n", "'(' is not a regular expression: "),
        (OTHER_CELL, "claims of column 'places' declare other missing_values or flags"),
    ],
)
def test_what_a_claim_may_not_state(more: str, expected: str) -> None:
    assert expected in problems(changed(CLAIM, CLAIM + more))


@pytest.mark.parametrize(
    "decimals",
    ["28", "-28", "exact", "as_written", "{value: '2'}", "{value: exact}", "{column: d}",
     "{column: d, map: {x: exact}, map_default: '-3'}", "{column: d, map: {x: '2'}, unmapped: keep}"],
)  # fmt: skip
def test_accuracies_that_are_some(decimals: str) -> None:
    assert read_contract(changed(CLAIM, f"{CLAIM}    decimals: {decimals}\n"))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("repeat: error", "repeat: error\npersonal: {navn: drop}", "personal: no column 'navn' is mapped"),
        ("repeat: error", "repeat: error\nreported_at: {column: t}", "reported_at is a time: give it `type: datetime`"),
        ("repeat: error", "repeat: error\ncopy_of: small", "copy_of: it cannot repeat itself"),
        ("rhythm: monthly", "rhythm: event\ndue: {on: {day: 1}}", "due: rhythm event has no periods"),
        (
            "repeat: error",
            "repeat: error\nignore_rows: [{column: kommune, pattern: '(', why: w}]",
            "'(' is not a regular",
        ),
        ("{type: csv}", "{type: xlsx, sheets: '('}", "'(' is not a regular expression"),
        ("{type: csv}", "{type: xlsx, sheets: {a: {plasser: x}}}", "format.sheets: the contract has no column 'plass"),
        ("kind: municipality", "kind: {value: municpality}", "unknown kind 'municpality'; did you mean 'municipality'"),
        (
            "kind: municipality",
            "kind: {column: k, map: {a: school}, unmapped: keep}",
            "column 'k' needs a map to kinds of units, for all",
        ),
        ("repeat: error", "repeat: error\nunpivot: {columns: [places], name: n}", "nothing uses the new column 'n'"),
        (
            "repeat: error",
            "repeat: error\nunpivot: {columns: [x], value: cell}",
            "unpivot: nothing uses the new column 'cell'",
        ),
    ],
)
def test_keys_that_do_not_fit_each_other(old: str, new: str, expected: str) -> None:
    assert expected in problems(changed(old, new))


@pytest.mark.parametrize("name", ["cell", "cell_column", "delivered_row"])
def test_columns_of_rows_that_are_made_of_columns_are_reserved_there_alone(name: str) -> None:
    text = changed("column: kommune", f"column: {name}")
    assert read_contract(text).columns()[0] == name
    made = changed("repeat: error", "repeat: error\nunpivot: {columns: [a], value: places}", text)
    assert f"column '{name}' has a reserved name: rename it" in problems(made)


@pytest.mark.parametrize("kind", ["json", "xml"])
def test_a_pattern_of_columns_is_for_files_with_a_header(kind: str) -> None:
    text = changed("{type: csv}", f"{{type: {kind}, rows: a}}")
    text = changed("repeat: error", "repeat: error\nunpivot: {pattern: '(?<month>x)', value: places}", text)
    expected = f"unpivot.pattern is for files with a header: in {kind.upper()} list the columns"
    assert expected in problems(text)


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("repeat: distinct", "repeat: distinct"),
        ("correction: whole", "correction"),
        ("copy_of: another", "copy_of"),
        ("unit: {column: u, kind: school}", "unit"),
        ("period: {column: p, type: month}", "period"),
        ("breakdown: {sex: {column: s}}", "breakdown"),
        ("unpivot: {columns: [a], value: sted}", "unpivot"),
    ],
)
def test_a_record_makes_no_claims(more: str, key: str) -> None:
    assert read_contract(RECORD).record is not None
    assert read_contract(RECORD + "repeat: error\ncorrection: item\n")
    assert f"{key} is for claims: a contract with a `record` makes none" in problems(f"{RECORD}{more}\n")


def test_without_a_record_all_that_claims_need_is_asked_for() -> None:
    text = SMALL_CONTRACT[: SMALL_CONTRACT.index("unit: {")] + 'examples: [{name: none, given: ""}]\n'
    found = problems(text)
    for key in ("unit", "period", "repeat", "claims"):
        assert f"{key}: Field required, unless the contract has a `record`" in found


def test_whether_a_record_is_confidential_needs_a_map() -> None:
    text = changed("report_key: [nr]", "report_key: [nr], confidential: {column: c}", RECORD)
    assert "column 'c' needs a map to true, false" in problems(text)


def test_what_is_wrong_in_several_places_is_listed_whole() -> None:
    found = problems(changed("repeat: error", "repeat: error\ncopy_of: small\npersonal: {b: drop, a: keep}"))
    at = [found.index(text) for text in ("copy_of: it cannot", "personal: no column 'a'", "personal: no column 'b'")]
    assert at == sorted(at)


def test_a_contract_of_records_has_no_place() -> None:
    contract: Contract = read_contract(RECORD)
    with pytest.raises(ContractError, match="contract 'small' makes records, which have no unit and no period"):
        contract.place()
    assert read_contract(SMALL_CONTRACT).place()[0].column == "kommune"
