"""A drafted kind and its contract as text: what each line holds, and that both are read again."""

from typing import Any

import yaml

from schemas.blocking import Key
from schemas.contract import read_contract
from schemas.kind import read_kind
from transforms.drafting.draft_text import contract_as_yaml, kind_as_yaml
from transforms.drafting.kind_draft import KindDraft
from transforms.drafting.rules import DraftedRule

DECLARED: dict[str, Any] = {
    "kind": "thing",
    "version": 1,
    "title": {"nb": "Ting", "nn": "Ting: nynorsk", "en": "yes"},
    "one_report_per_item": True,
    "fields": {
        "name": {
            "type": "text", "role": "comparison", "doc": "Name: æøå # 1",
            "compare": {"by": "similarity", "levels": [0.92]},
        },
        "cost": {"type": "number", "role": "attribute", "doc": "x" * 300},
    },
    "comparisons": {},
    "blocking": [],
    "thresholds": {"review": 0.5},
}  # fmt: skip
RULES = [
    DraftedRule((Key(field="name"),), 12),
    DraftedRule((Key(field="name", prefix=4), Key(field="cost", width=10)), 0),
]


def draft(**changed: Any) -> KindDraft:
    usual: dict[str, Any] = {
        "declared": DECLARED, "rules": RULES, "fields": {"name": "Full name", "cost": "Cost"}, "key": "id",
        "reporter": "source", "ignored": ["remark"], "records": 7,
    }  # fmt: skip
    return KindDraft(**{**usual, **changed})


def test_a_kind_has_a_line_for_each_field_and_rule() -> None:
    lines = kind_as_yaml(draft()).splitlines()
    assert lines[0].startswith("# thing: drafted from 7 records. ")
    assert lines[1].endswith("Then `engang blocks thing` and `engang train thing`.")
    assert "  - [name]  # 12 pairs" in lines
    assert "  - [{field: name, prefix: 4}, {field: cost, width: 10.0}]  # 0 pairs" in lines
    assert sum(line.startswith("  name: {") for line in lines) == 1
    assert "kind: thing" in lines
    assert any(line.startswith("  cost: {") and "x" * 300 in line for line in lines), "no line is broken"


def test_a_kind_is_read_as_it_was_declared() -> None:
    kind = read_kind(kind_as_yaml(draft()))
    assert (kind.title.nn, kind.title.en) == ("Ting: nynorsk", "yes")
    assert kind.fields["name"].doc == "Name: æøå # 1"
    assert kind.blocking == tuple(rule.rule for rule in RULES)
    assert kind.one_report_per_item is True
    assert kind.thresholds.review == 0.5


def contract(of: KindDraft) -> tuple[str, Any]:
    text = contract_as_yaml(of, {"type": "csv", "delimiter": ","})
    return text, read_contract(text)


def test_a_contract_makes_a_record_of_each_row() -> None:
    text, found = contract(draft())
    assert text.startswith("# thing: the contract of the file that the kind was drafted from.")
    assert text.count("FILL IN") == 2
    assert (found.contract, found.rhythm, found.ignore, found.format.delimiter) == ("thing", "once", ("remark",), ",")
    record = found.record
    assert (record.kind, record.report_key, record.row_key) == ("thing", ("id",), "id")
    assert record.reported_by.column == "source"
    assert (record.fields["name"].column, record.fields["name"].unreadable) == ("Full name", "reject")
    assert (record.fields["cost"].column, record.fields["cost"].unreadable) == ("Cost", "warn")


def test_without_a_reporter_the_whole_file_is_one_reporters() -> None:
    _, found = contract(draft(reporter=None, ignored=[]))
    assert (found.record.reported_by.column, found.record.reported_by.value) == (None, "all")
    assert found.ignore == ()


def test_names_of_columns_are_kept_as_they_are() -> None:
    odd = {"name": "yes", "cost": "a: b #c"}
    text, found = contract(draft(fields=odd, key="0123"))
    assert {name: take.column for name, take in found.record.fields.items()} == odd
    assert found.record.report_key == ("0123",)
    assert yaml.safe_load(text)["record"]["row_key"] == "0123"
