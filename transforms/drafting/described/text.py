"""A contract and a kind drafted from a description, as the text of their files: a line and a title for each field."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

from schemas.record_description import RecordDescription

_WIDTH: Final = 10_000
_LINED: Final = ("claims", "rules", "concepts", "dimensions", "breakdown")
"""Keys whose lists and mappings have a line for each element."""
_HEAD: Final = """\
# {name}: drafted from the published description of form {form}, {year}. Look at it before it is used: what is the
# reporting unit, what identifies a line, and which fields are personal. Fill in what FILL IN stands for.
"""
_KIND_HEAD: Final = """\
# {kind}: drafted from the published descriptions of the forms that report it; forms share the fields of one name.
# Look at the personal fields before it is used.
"""


def contract_text(contract: Mapping[str, Any], description: RecordDescription) -> str:
    """Return the contract as YAML."""
    titles = {field.name: field.line for field in description.fields}
    form = description.form or description.title
    parts = [_HEAD.format(name=contract["contract"], form=form, year=description.year)]
    for key, value in contract.items():
        if key == "format":
            places = [f"    - {_flow(place)}{_comment(titles.get(place['name']))}\n" for place in value["fields"]]
            parts += [_above_fields(key, value), *places]
        elif key == "record":
            parts += [_above_fields(key, value), _lines(value["fields"], 4)]
        elif key in _LINED and value:
            parts.append(f"{key}:\n" + _element_lines(value))
        else:
            parts.append(f"{key}: {_flow(value)}\n")
    return "".join(parts)


def _above_fields(key: str, value: Mapping[str, Any]) -> str:
    """Return the lines of a key up to its fields."""
    return f"{key}:\n" + _lines({k: v for k, v in value.items() if k != "fields"}, 2) + "  fields:\n"


def kind_text(kind: str, title: str, fields: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a kind with these fields as YAML; its last key is `fields`, so that more can be added."""
    titles = dict.fromkeys(("nb", "nn", "en"), title)
    head = {"kind": kind, "version": 1, "title": titles, "one_report_per_item": True, "personal": True}
    return _KIND_HEAD.format(kind=kind) + _lines(head, 0) + "fields:\n" + field_lines(fields)


def field_lines(fields: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the lines of a kind's fields."""
    return _lines(fields, 2)


def _lines(mapping: Mapping[str, Any], indent: int) -> str:
    return "".join(f"{' ' * indent}{_flow(key)}: {_flow(value)}\n" for key, value in mapping.items())


def _element_lines(value: Mapping[str, Any] | list[Any]) -> str:
    return "".join(f"  - {_flow(v)}\n" for v in value) if isinstance(value, list) else _lines(value, 2)


def _comment(title: str | None) -> str:
    return f"  # {title}" if title else ""


def _flow(value: object) -> str:
    """Return a plain value on one line of YAML."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=_WIDTH, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
