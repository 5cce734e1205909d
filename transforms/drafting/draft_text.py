"""A drafted kind as YAML, and the contract that reads the file it was drafted from."""

from typing import Any, Final

import yaml

from transforms.drafting.kind_draft import KindDraft
from transforms.drafting.rules import rule_as_yaml

WIDTH: Final = 10_000
"""Columns after which YAML in flow style would be broken: none."""
KIND_HEAD: Final = """\
# {kind}: drafted from {records} records. Look at it before it is used: what each field is, whether two reports of one
# reporter are always two items, and which fields are personal. Then `engang blocks {kind}` and `engang train {kind}`.
"""
CONTRACT_HEAD: Final = """\
# {kind}: the contract of the file that the kind was drafted from. Fill in who requires the report, and who delivers it.
"""


def kind_as_yaml(draft: KindDraft) -> str:
    """Return the kind as the text of its file, each blocking rule with the pairs that it brings together."""
    declared = draft.declared
    parts = [KIND_HEAD.format(kind=declared["kind"], records=draft.records)]
    for name, value in declared.items():
        if name in {"fields", "comparisons"}:
            parts.append(f"{name}:\n" + "".join(f"  {key}: {_flow(each)}\n" for key, each in value.items()))
        elif name == "blocking":
            parts.append(
                "blocking:\n" + "".join(f"  - {_flow(rule_as_yaml(d.rule))}  # {d.pairs} pairs\n" for d in draft.rules)
            )
        else:
            parts.append(f"{name}: {_flow(value)}\n")
    return "".join(parts)


def contract_as_yaml(draft: KindDraft, file_format: dict[str, Any]) -> str:
    """Return a contract that makes a record of each row of the file. file_format: its `format`."""
    kind = draft.declared["kind"]
    fields = {name: _source(draft, name, column) for name, column in draft.fields.items()}
    reporter = {"value": "all"} if draft.reporter is None else {"column": draft.reporter}
    declared = {
        "contract": kind, "version": 1, "obligation": kind, "title": draft.declared["title"], "agency": "FILL IN",
        "legal_basis": "FILL IN", "rhythm": "once", "hours_per_report": None, "sender": {"default": "someone"},
        "format": file_format, "ignore": draft.ignored,
        "record": {"kind": kind, "reported_by": reporter, "report_key": [draft.key], "row_key": draft.key,
                   "fields": fields},
        "examples": [{"name": "none", "given": ""}],
    }  # fmt: skip
    text: str = yaml.safe_dump(declared, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=None)
    return CONTRACT_HEAD.format(kind=kind) + text


def _source(draft: KindDraft, name: str, column: str) -> dict[str, Any]:
    number = draft.declared["fields"][name]["type"] == "number"
    return {"column": column} | ({"unreadable": "warn"} if number else {})


def _flow(value: object) -> str:
    """Return a plain value on one line of YAML."""
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()
