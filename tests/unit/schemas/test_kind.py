"""Record kinds are read strictly: every mistake is named with the file, the key and the nearest known one."""

from pathlib import Path

import polars as pl
import pytest

from schemas.claims import frame_schema
from schemas.contract import load_contracts, read_contract
from schemas.errors import ContractError
from schemas.kind import KIND_FOLDER, Kind, load_kinds, read_kind
from schemas.record_contract import check_records
from schemas.record_tables import (
    internal_kind_tables,
    item_columns,
    published_kind_tables,
    record_columns,
    report_index_columns,
    source_table_columns,
)

SMALL = """
kind: mishap
version: 1
title: {nb: Uhell, nn: Uhell, en: Mishap}
one_report_per_item: true
fields:
  case: {type: code, role: identity, doc: The case}
  place: {type: text, role: comparison, doc: Where, compare: {by: similarity}}
  day: {type: date, role: comparison, doc: When, compare: {by: days, levels: [1, 3]}}
  north: {type: number, role: comparison, doc: N, compare: {by: kilometres, longitude: east, levels: [1]}}
  east: {type: number, role: attribute, doc: E}
  causes: {type: list, role: attribute, doc: Why, parts: all}
  story: {type: text, role: text, doc: What happened, compare: {by: words, levels: [20, 5]}}
blocking:
  - [day, {field: place, prefix: 3}]
thresholds: {automatic: 0.9, review: 0.2}
"""
CONTRACT = """
contract: mishaps
version: 1
obligation: mishap
title: {nb: Uhell, nn: Uhell, en: Mishaps}
agency: Statens prøvetilsyn
legal_basis: none
rhythm: event
hours_per_report: null
sender: {allowed: any}
format: {type: csv}
record:
  kind: mishap
  report_key: [number]
  fields:
    place: {column: place}
    day: {column: day, format: "%d.%m.%Y"}
    causes: {flags: {wind: wind, rain: rain}}
examples:
  - {name: none, given: ""}
"""


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_a_sound_kind_is_read() -> None:
    kind = read_kind(SMALL)
    assert list(kind.compared()) == ["place", "day", "north", "story"]
    assert kind.identities() == ["case"]
    assert [[key.field for key in rule] for rule in kind.rules()] == [["day", "place"], ["case"]]
    assert kind.fields["story"].published_dtype() == pl.List(pl.String)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("one_report_per_item:", "one_reports_per_item:", "unknown key 'one_reports_per_item'; did you mean"),
        ("role: identity", "rule: identity", "fields.case: Value error, unknown key 'rule'; did you mean 'role'?"),
        ("by: days", "by: dayz", "'dayz'"),
        ("[day,", "[dya,", "unknown field 'dya'; did you mean 'day'? Known: case, place, day"),
        ("longitude: east", "longitude: eest", "unknown field 'eest'; did you mean 'east'?"),
        ("longitude: east", "longitude: place", "field 'place' is text: a longitude is number"),
        ("{field: place, prefix: 3}", "{field: day, prefix: 3}", "'day' is date: a prefix or word is text or code"),
        ("{field: place, prefix: 3}", "{field: place, unit: day}", "a day, month or year is date or datetime"),
        ("{field: place, prefix: 3}", "{field: place, width: 3}", "a width is integer or number"),
        ("{field: place, prefix: 3}", "{field: place, prefix: 3, width: 2}", "at most one of prefix, unit"),
        ("levels: [1, 3]", "levels: [3, 1]", "from the nearest to the farthest"),
        ("levels: [1, 3]", "levels: [1, 1]", "from the nearest to the farthest"),
        ("levels: [20, 5]", "levels: [5, 20]", "from the nearest to the farthest"),
        ("levels: [1, 3]", "levels: [-1]", "greater than or equal to 0"),
        ("by: similarity", "by: days, levels: [1]", "'days' cannot compare text: expected date, datetime"),
        ("role: identity", "role: comparison", "a field of role comparison has `compare`"),
        ("role: comparison, doc: Where", "role: attribute, doc: Where", "and no other does"),
        ("type: list, role: attribute", "type: list, role: text", "a field of role text is of type text"),
        ("doc: Why, parts: all", "doc: Why, parts: sum", "parts: sum is for numbers"),
        ("doc: E", "doc: E, parts: all", "parts: all is for lists"),
        ("doc: Why, parts: all", "doc: Why, survives: least", "survives: least is for numbers and times"),
        ("  case:", "  report_id:", "field 'report_id' has a reserved name"),
        ("  case:", "  Case:", "field 'Case' is not a name"),
        ("  case:", "  _case:", "field '_case' is not a name"),
        ("  case:", "  sak-nr:", "field 'sak-nr' is not a name"),
        ("  case:", "  day:", "key 'day' occurs twice"),
        ("kind: mishap", "kind: sources", "has the name of a reserved table"),
        ("kind: mishap", "kind: mishap_sources", "has the name of a reserved table"),
        ("kind: mishap", "kind: ../mishap", "kind: String should match pattern"),
        ("automatic: 0.9", "automatic: 0.1", "review is above automatic"),
        ("automatic: 0.9", "automatic: 1", "thresholds.automatic"),
        ("blocking:\n  - [day, {field: place, prefix: 3}]\n", "", "at least one blocking rule is needed"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(old: str, new: str, expected: str) -> None:
    with pytest.raises(ContractError) as caught:
        read_kind(changed(SMALL, old, new), "mishap.yml")
    assert str(caught.value).startswith("mishap.yml: ")
    assert expected in str(caught.value)


def test_the_file_bears_the_kind_s_name(tmp_path: Path) -> None:
    (tmp_path / "other.yml").write_text(SMALL, encoding="utf-8")
    with pytest.raises(ContractError, match=r"other\.yml: kind: found 'mishap', expected the file's own name"):
        load_kinds(tmp_path)


def test_a_model_is_trained_for_what_is_compared_and_nothing_else() -> None:
    kind = read_kind(SMALL)
    for old, new in (("nb: Uhell", "nb: Ulykke"), ("automatic: 0.9", "automatic: 0.8"), ("doc: Where", "doc: Whereby")):
        assert read_kind(changed(SMALL, old, new)).match_digest() == kind.match_digest()
    for old, new in (("levels: [1, 3]", "levels: [1]"), ("prefix: 3", "prefix: 4"), ("type: code", "type: text")):
        other = read_kind(changed(SMALL, old, new))
        assert other.digest() != kind.digest()
        assert (other.match_digest() == kind.match_digest()) is (old == "type: code")


@pytest.mark.parametrize("kind", load_kinds().values(), ids=lambda k: k.kind)
def test_shipped_kinds_give_tables(kind: Kind) -> None:
    tables = published_kind_tables(kind) | internal_kind_tables(kind) | {"records": record_columns(kind)}
    for columns in tables.values():
        names = frame_schema(columns).names()
        assert len(names) == len(set(names)) == len(columns)
    assert {c.name for c in source_table_columns(kind)} > set(kind.fields)
    assert {c.name for c in item_columns(kind)} > set(kind.fields)


def test_what_is_shipped() -> None:
    kinds = load_kinds()
    assert sorted(kinds) == ["incident", "person", "power_plant", "rail_accident", "time_thief"]
    assert kinds["rail_accident"].one_report_per_item
    assert kinds["person"].personal
    kind_of_contract = {c.contract: c.record.kind for c in load_contracts().values() if c.record}
    assert kind_of_contract == {
        "rail-form54": "rail_accident",
        "power-plant-camd": "power_plant",
        "power-plant-eia": "power_plant",
        "time-thief": "time_thief",
        "person-febrl": "person",
        "demo-hendelse-helse": "incident",
        "demo-hendelse-tilsyn": "incident",
    }
    assert {path.stem for path in KIND_FOLDER.glob("*.yml")} == set(kind_of_contract.values())


def test_no_comparison_uses_what_the_delivery_calls_a_row() -> None:
    kinds = load_kinds()
    for contract in load_contracts().values():
        if contract.record and contract.record.row_key:
            taken = {name for t in contract.record.fields.values() for name in t.source_columns()}
            assert contract.record.row_key not in taken
            assert "row_keys" not in kinds[contract.record.kind].compared()


def test_a_contract_fits_its_kind() -> None:
    check_records(read_contract(CONTRACT), {"mishap": read_kind(SMALL)})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("kind: mishap", "kind: mishaps", "record.kind: unknown kind 'mishaps'; did you mean 'mishap'?"),
        (
            "    place:",
            "    plaice:",
            "record.fields.plaice: unknown field 'plaice'; did you mean 'place'? Known: case",
        ),
        ("{column: place}", "{column: place, format: '%Y'}", "place: format does not apply to a field of type text"),
        ("{column: place}", "{column: place, scale: 2}", "place: scale does not apply to a field of type text"),
        ("{column: place}", "{flags: {a: b}}", "place: flags does not apply to a field of type text: it is for list"),
        ("{column: place}", "{columns: [a, b], map: {a: b}}", "a map is for one column, or for the elements of a list"),
        ("rain: rain}}", "rain: rain}, map: {x: perhaps}}", "causes: 'perhaps' is neither true nor false"),
        ('format: "%d.%m.%Y"', "required: true, unreadable: warn", "a required value cannot be left empty"),
        ("{flags: {wind: wind, rain: rain}}", "{columns: [a], separator: ','}", "separator is for one column"),
    ],
)
def test_a_contract_that_does_not_fit_is_named(old: str, new: str, expected: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_records(read_contract(changed(CONTRACT, old, new)), {"mishap": read_kind(SMALL)})
    assert str(caught.value).startswith("mishaps.yml: record.")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  report_key: [number]\n", "", "record.report_key: Field required"),
        ("report_key: [number]", "report_key: []", "at least 1 item"),
        ("report_key:", "report_kay:", "unknown key 'report_kay'; did you mean 'report_key'?"),
        (
            "{column: place}",
            "{column: place, columns: [x]}",
            "give exactly one of column, columns, flags, value, option",
        ),
        ("{column: place}", "{missing_values: [x]}", "give exactly one of column, columns, flags, value, option"),
        (
            "record:\n",
            "repeat: distinct\nrecord:\n",
            "repeat: distinct is for claims: a contract with a `record` makes none",
        ),
        ("record:\n", "ignore: [rain]\nrecord:\n", "column 'rain' is both mapped and ignored"),
        ("[number]", "[sender]", "column 'sender' has a reserved name"),
        ("  report_key:", "  confidential: {column: c}\n  report_key:", "column 'c' needs a map to true, false"),
        (
            "record:\n",
            "rules:\n  - {id: r, check: change, concept: x, max_share: 1}\nrecord:\n",
            "rule 'r' is about concept 'x', which no claim has",
        ),
    ],
)
def test_a_record_s_mistake_is_named(old: str, new: str, expected: str) -> None:
    with pytest.raises(ContractError) as caught:
        read_contract(changed(CONTRACT, old, new), "mishaps.yml")
    assert expected in str(caught.value)


def test_what_a_contract_of_records_maps() -> None:
    contract = read_contract(CONTRACT)
    assert contract.columns() == ["number", "place", "day", "wind", "rain"]
    other = read_contract(changed(CONTRACT, "wind: wind", "wind: storm"))
    assert other.digest() != contract.digest()
    with pytest.raises(ContractError, match="makes records, which have no unit and no period"):
        contract.place()


DIGESTS = {
    "incident": ("9d9d4c7664c5aa82", "c6beed7669b13607"),
    "power_plant": ("91785494d81e25e4", "37a79eafd0c139b6"),
    "rail_accident": ("39a8f522addf9ef3", "e1575b9598bd57d2"),
    "time_thief": ("213c590527b79416", "dd95d73b65d2b9c5"),
}
"""Digests of the shipped kinds as installations have them in their releases and pinned models."""


@pytest.mark.parametrize("name", DIGESTS)
def test_newer_keys_change_no_digest_of_a_kind_that_does_not_use_them(name: str) -> None:
    kind = load_kinds()[name]
    assert (kind.match_digest(), kind.digest()) == DIGESTS[name]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{field: place, prefix: 3}", "{field: place, rare: word}"),
        ("{field: place, prefix: 3}", "{field: place, rare: word, most: 12}"),
        ("{field: place, prefix: 3}", "{field: place, rare: qgram, length: 5}"),
        ("{field: place, prefix: 3}", "{field: place, prefix: 3, other: case}"),
        ("[day,", "[{field: day, unit: day, near: 2},"),
        ("doc: Where,", "doc: Where, clean: [accents],"),
        ("role: identity, doc: The case", "role: identity, doc: The case, clean: [spaces]"),
        ("doc: Where,", "doc: Where, term_frequency: near,"),
        ("doc: Where,", "doc: Where, against: 9,"),
        ("one_report_per_item: true", "one_report_per_item: {reporters: [a]}"),
        ("blocking:", "comparisons: {both: {fields: [case], doc: C, compare: {by: exact}}}\nblocking:"),
    ],
)
def test_what_newer_keys_declare_is_part_of_the_digests(old: str, new: str) -> None:
    kind, other = read_kind(SMALL), read_kind(changed(SMALL, old, new))
    assert other.match_digest() != kind.match_digest()
    assert other.digest() != kind.digest()


JOINT = "comparisons: {{{}}}\nblocking:"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{field: place, prefix: 3}", "{field: day, rare: word}", "'day' is date: a rare part"),
        ("{field: place, prefix: 3}", "{field: place, prefix: 3, rare: word}", "at most one of prefix, unit, width"),
        ("{field: place, prefix: 3}", "{field: place, length: 3}", "length is for `rare: qgram`"),
        ("{field: place, prefix: 3}", "{field: place, rare: word, length: 3}", "length is for `rare: qgram`"),
        ("{field: place, prefix: 3}", "{field: place, most: 3}", "most is for `rare`"),
        ("{field: place, prefix: 3}", "{field: place, near: 1}", "near is for `unit` or `width`"),
        ("{field: place, prefix: 3}", "{field: place, rare: word, other: case}", "other is for whole values and"),
        ("{field: place, prefix: 3}", "{field: place, other: dya}", "unknown field 'dya'; did you mean 'day'?"),
        ("{field: place, prefix: 3}", "{field: place, rare: words}", "'word', 'qgram' or 'model_number'"),
        ("doc: When,", "doc: When, clean: [accents],", "clean is for text and code"),
        ("doc: Where,", "doc: Where, clean: [tidy],", "clean"),
        ("by: similarity", "by: names", "'names' compares two fields: declare it under `comparisons`"),
        ("by: similarity", "by: contact, telephone: case", "'contact' compares several fields: declare it"),
        ("identity, doc: The case", "identity, doc: The case, against: 9", "against is for compared fields"),
        ("by: similarity", "by: first_of, of: [{by: edits, levels: [1]}]", "of"),
        ("by: similarity", "by: first_of, of: [{by: exact}, {by: days, levels: [1]}]", "'days' cannot compare text"),
        ("by: similarity", "by: telephone, digits: [7, 8]", "from the nearest to the farthest"),
        ("one_report_per_item: true", "one_report_per_item: {}", "give contracts or reporters"),
        ("blocking:", JOINT.format("place: {fields: [case], doc: C, compare: {by: exact}}"), "name of a field"),
        ("blocking:", JOINT.format("c: {fields: [place], doc: C, compare: {by: exact}}"), "would count twice"),
        ("blocking:", JOINT.format("c: {fields: [dya], doc: C, compare: {by: exact}}"), "unknown field 'dya'"),
        ("blocking:", JOINT.format("c: {fields: [day], doc: C, compare: {by: exact}}"), "'day' is date: a part"),
        ("blocking:", JOINT.format("c: {fields: [case], doc: C, compare: {by: names}}"), "compares two fields"),
        ("blocking:", JOINT.format("c: {fields: [case], doc: C, compare: {by: contact, telephone: case}}"), "list all"),
        ("blocking:", JOINT.format("c: {fields: [case, case], doc: C, compare: {by: exact}}"), "listed twice"),
        ("blocking:", JOINT.format("c: {fields: [case], doc: C, compare: {by: days, levels: [1]}}"), "cannot compare"),
    ],
)  # fmt: skip
def test_a_mistake_in_newer_keys_is_named(old: str, new: str, expected: str) -> None:
    with pytest.raises(ContractError) as caught:
        read_kind(changed(SMALL, old, new), "mishap.yml")
    assert expected in str(caught.value)


def test_model_numbers_count_once_with_words_that_leave_them_out() -> None:
    joint = "comparisons: {model: {fields: [story], doc: M, compare: {by: model_numbers}}}\nblocking:"
    text = changed(SMALL, "blocking:", joint)
    with pytest.raises(ContractError, match=r"would count twice.*clean: \[no_model_numbers\]"):
        read_kind(text)
    kind = read_kind(changed(text, "doc: What happened", "doc: What happened, clean: [no_model_numbers]"))
    assert [*kind.compared()] == ["place", "day", "north", "story", "model"]
    assert kind.sources_of("model") == ("story",)
    assert kind.sources_of("place") == ("place",)


def test_a_kind_with_lists_of_keys_has_columns_of_lists() -> None:
    kind = read_kind(changed(SMALL, "{field: place, prefix: 3}", "{field: place, rare: word}"))
    columns = {c.name: c.dtype for c in report_index_columns(kind)}
    assert columns["blocks_0"] == pl.List(pl.Int64)
    assert columns["block_1"] == pl.Int64
