"""Contracts are read strictly: every mistake is named with the file, the key and the nearest known one."""

from pathlib import Path

import pytest

from schemas.contract import CONTRACT_FOLDER, RESERVED_COLUMNS, Contract, load_contracts, read_contract
from schemas.errors import ContractError
from tests.support.small_contracts import SMALL_CONTRACT


def changed(old: str, new: str) -> str:
    assert old in SMALL_CONTRACT
    return SMALL_CONTRACT.replace(old, new)


def test_a_sound_contract_is_read() -> None:
    contract = read_contract(SMALL_CONTRACT)
    assert contract.columns() == ["kommune", "month", "places"]
    assert contract.options() == []
    assert str(contract.hours_per_report) == "1.5"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("agency:", "agancy:", "unknown key 'agancy'; did you mean 'agency'?"),
        ("agency:", "zzz:", "unknown key 'zzz'. Known here: contract, version"),
        ("reported_by: {", "reportd_by: {", "unknown key 'reportd_by'; did you mean 'reported_by'"),
        ("min: 0", "mni: 0", "rules.0.range: Value error, unknown key 'mni'; did you mean 'min'?"),
        ("version: 1", "version: 1\nversion: 2", "key 'version' occurs twice"),
        ("version: 1", "version: one", "version: Input should be a valid integer"),
        ("contract: small", "contract: ../small", "contract: String should match pattern"),
        ("rhythm: monthly", "rhythm: sometimes", "rhythm: Input should be 'once', 'daily'"),
        ("repeat: error\n", "", "repeat: Field required"),
        ("type: csv", "type: json", "JSON needs `rows`"),
        ("type: csv", "type: csv, delimiter: '::'", "one ASCII character each"),
        ("type: csv", "type: csv, decimal: ',', thousands: ','", "thousands and decimal may not be the same"),
        ("type: month", "type: month, century: 1930", "period: century is for a format with years of two digits"),
        ("type: month", "type: day, format: '%Y-%m-%d %H'", "period: format '%Y-%m-%d %H': Invalid format string"),
        ("type: month", "type: day, format: '%Y%m%d%H'", "period: format '%Y%m%d%H': Invalid format string"),
        ("type: month", "type: day, format: '%d/%m'", "period: format '%d/%m' reads no date"),
        ("type: month", "type: day, format: '%H:%M'", "period: format '%H:%M' reads no date"),
        ("type: month", "type: month, format: '%m.%d'", "period: format '%m.%d' reads no date"),
        ("type: csv", "type: csv, encoding: ebcdic", "format.encoding: Input should be 'utf-8', 'latin-1'"),
        ("type: csv", "type: csv, repairs: [{pattern: '(', replacement: '', why: w}]", "'(' is not a regular"),
        ("option: sender", "option: sender, column: navn", "exactly one of column, columns, value, option"),
        ("{option: sender}", "{}", "exactly one of column, columns, value, option"),
        ("[remark]", "[remark, places]", "column 'places' is both mapped and ignored"),
        ("kind: municipality", "kind: municpality", "unit.kind"),
        (
            "kind: municipality",
            "kind: {column: level, map: {k: municpality}}",
            "unknown kind 'municpality'; did you mean 'municipality'?",
        ),
        ("kind: municipality", "kind: {column: level}", "column 'level' needs a map"),
        ("repeat: error", "repeat: error\naction: {column: what}", "column 'what' needs a map"),
        ("repeat: error", "repeat: error\naction: {value: remove}", "'remove' is none of append, replace, withdraw"),
        ("{value: places}", "{value: places}\n    obs_status: {column: s, map: {x: X}}", "'X' is none of A, B, E"),
        ("{value: places}", "{value: places}\n    confidential: {column: s}", "column 's' needs a map"),
        ("{value: places}", "{value: places}\n    confidential: {column: s, map: {j: 'y'}}", "'y' is none of true"),
        ("{value: places}", "{value: places}\n    decimals: {column: d, map: {x: many}}", "'many' is neither"),
        ("{value: places}", "{value: places}\n    scale: 0", "scale: Input should be greater than 0"),
        ("check: range", "check: rnage", "Input tag 'rnage' found using 'check' does not match any"),
        ("range, column: places, min: 0", "pattern, column: places, pattern: '['", "'[' is not a regular expression"),
        ("kind: municipality", "kind: municipality, extract: '[0-9]+'", "extract: '[0-9]+' needs one group"),
        ("kind: municipality", "kind: municipality, extract: '('", "extract: '(' needs one group"),
        ("range, column: places, min: 0", "change, concept: beds, max_share: 1", "concept 'beds', which no claim"),
        ("min: 0}", "min: 0}\n  - {id: r1, check: required, column: places}", "rule 'r1' is declared twice"),
        ('examples:\n  - name: none\n    given: ""', "examples: []", "examples: Tuple should have at least 1 item"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(old: str, new: str, expected: str) -> None:
    with pytest.raises(ContractError) as caught:
        read_contract(changed(old, new), "small.yml")
    assert str(caught.value).startswith("small.yml: ")
    assert expected in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b", "contract: [", "just text"])
def test_text_that_is_no_mapping_is_named(text: str) -> None:
    with pytest.raises(ContractError, match=r"small\.yml: "):
        read_contract(text, "small.yml")


def test_scalars_stay_what_they_are() -> None:
    codes = "{column: s, map: {0301: 0301, 1e3: 1e3, no: yes, 1.10: 2020-01-01, on: off}}"
    scalars = {"0301": "0301", "1e3": "1e3", "no": "yes", "1.10": "2020-01-01", "on": "off"}
    assert read_contract(changed("{value: places}", codes)).claims[0].unit_measure.map == scalars


def test_a_file_bears_its_contracts_name(tmp_path: Path) -> None:
    (tmp_path / "other.yml").write_text(SMALL_CONTRACT)
    with pytest.raises(ContractError, match=r"other\.yml: contract: found 'small', expected the file's own name"):
        load_contracts(tmp_path)


def test_the_digest_is_of_what_decides_how_a_delivery_is_read() -> None:
    def digest(text: str) -> str:
        return read_contract(text).digest()

    assert digest(changed("en: Small", "en: Little")) == digest(SMALL_CONTRACT)
    assert digest(changed("min: 0", "min: 1")) != digest(SMALL_CONTRACT)
    assert digest(changed("{type: csv}", "{type: csv, decimal: ','}")) != digest(SMALL_CONTRACT)


def test_every_contract_of_the_product_has_its_titles() -> None:
    contracts: list[Contract] = list(load_contracts(CONTRACT_FOLDER).values())
    assert contracts
    for contract in contracts:
        assert all((contract.title.nb, contract.title.nn, contract.title.en, contract.agency, contract.legal_basis))


@pytest.mark.parametrize("name", RESERVED_COLUMNS)
def test_a_column_that_would_be_overwritten_is_refused(name: str) -> None:
    given = changed(
        "reported_by: {", f"precedence: 1\n    obs_status: {{column: {name}, map: {{a: A}}}}\n    reported_by: {{"
    )
    with pytest.raises(ContractError, match=f"column '{name}' has a reserved name"):
        read_contract(given, "small.yml")


def test_somebody_must_be_able_to_deliver() -> None:
    for sender in ("sender: {default: null}\n", "", "sender: {speaks_for: {a: any}}\n"):
        with pytest.raises(ContractError, match="nobody may deliver: give `default`, or list the senders in `allowed`"):
            read_contract(SMALL_CONTRACT.replace("sender: {default: agency}\n", sender))


@pytest.mark.parametrize(
    ("sender", "may", "may_not", "known"),
    [
        ("{default: a}", {"a"}, {"b"}, ("a",)),
        ("{allowed: [b, c]}", {"b", "c"}, {"a"}, ("b", "c")),
        ("{default: a, allowed: [b]}", {"a", "b"}, {"c"}, ("b", "a")),
        ("{allowed: any}", {"a", "b"}, set(), ()),
        ("{default: a, allowed: []}", {"a"}, {"b"}, ("a",)),
    ],
)
def test_who_may_deliver(sender: str, may: set[str], may_not: set[str], known: tuple[str, ...]) -> None:
    rules = read_contract(SMALL_CONTRACT.replace("{default: agency}", sender)).sender
    assert {s for s in "abc" if rules.may_deliver(s)} >= may
    assert not any(rules.may_deliver(s) for s in may_not)
    assert rules.known() == known


def test_keys_that_came_later_change_no_digest_until_they_are_used() -> None:
    plain = read_contract(SMALL_CONTRACT)
    assert plain.digest() == read_contract(SMALL_CONTRACT + "correction: item\n").digest()
    assert plain.digest() != read_contract(SMALL_CONTRACT + "correction: whole\n").digest()
    assert (
        plain.digest()
        != read_contract(SMALL_CONTRACT.replace("default: agency", "default: agency, speaks_for: {}")).digest()
    )


@pytest.mark.parametrize("form", ["%m.%Y", "%b %Y", "%y%m", "%Y-%m"])
def test_formats_of_months_are_accepted(form: str) -> None:
    century = ", century: 1930" if "%y" in form else ""
    assert read_contract(changed("type: month", f"type: month, format: '{form}'{century}"))


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%-d.%-m.%Y", "%Y-%j", "%G-W%V-%u", "%d %b %Y", "%Y%m%d", "%D"])
def test_formats_of_days_are_accepted(form: str) -> None:
    century = ", century: 1930" if form == "%D" else ""
    assert read_contract(changed("type: month", f"type: day, format: '{form}'{century}"))
