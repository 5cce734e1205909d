"""A drafted contract as the text of its file: the evidence for each guess in a comment above it."""

import textwrap
from collections.abc import Mapping
from typing import Any, Final

import yaml

from transforms.drafting.contract.contract_draft import ContractDraft

LINE_WIDTH: Final = 10_000
COMMENT_WIDTH: Final = 116
SHORT: Final = 110
"""Characters up to which a value is written on one line."""
CONTRACT_COMMENT: Final = """\
# {contract}: drafted from {file}. Look at each guess; fill in who requires the report, and who delivers it.
# Try it: `engang check FILE -c {contract}`{options}; `engang contracts test {contract}` lists what is open.
"""


def contract_as_text(draft: ContractDraft, file: str) -> str:
    """Return the text of the contract's file. file: the name of what it was drafted from."""
    declared = draft.declared
    options = " -p PERIOD" if "option" in declared.get("period", {}) else ""
    parts = [CONTRACT_COMMENT.format(contract=declared["contract"], file=_plain_comment(file), options=options)]
    for key, value in declared.items():
        parts += _comments(draft.evidence.get(key, []), "")
        if isinstance(value, dict) and key in {"format", "concepts", "dimensions"} and value:
            parts += _section(key, value, draft.evidence)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            parts.append(f"{key}:\n" + "".join(textwrap.indent(_item(each), "  ") for each in value))
        else:
            parts.append(_entry(key, value))
    return "".join(parts)


def _section(key: str, value: dict[str, Any], evidence: Mapping[str, list[str]]) -> list[str]:
    """Return the lines of a key that has keys of its own, the evidence for each above it."""
    parts = [f"{key}:\n"]
    for name, each in value.items():
        parts += _comments(evidence.get(f"{key}.{name}", []), "  ")
        parts.append(textwrap.indent(_entry(name, each), "  "))
    return parts


def _comments(sentences: list[str], indent: str) -> list[str]:
    wrapped = (textwrap.wrap(_plain_comment(s), COMMENT_WIDTH - len(indent)) for s in sentences if s)
    return [f"{indent}# {line}\n" for lines in wrapped for line in lines]


def _plain_comment(text: str) -> str:
    """Return a text that ends no comment: on one line, without characters that YAML does not print."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _entry(key: str, value: object) -> str:
    """Return a key with its value: on one line if it is short, else a block."""
    name = _flow(key)
    line = f"{name}: {_flow(value)}"
    if len(line) <= SHORT and not (isinstance(value, str) and "\n" in value):
        return f"{line}\n"
    return _dump({key: value})


def _item(value: dict[str, Any]) -> str:
    line = f"- {_flow(value)}"
    return f"{line}\n" if len(line) <= SHORT and not _has_lines(value) else _dump([value])


def _has_lines(value: dict[str, Any]) -> bool:
    return any(isinstance(each, str) and "\n" in each for each in value.values())


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and lists of plain values on one line."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    block = "\n" in text and not any(line.endswith((" ", "\t")) or "\t" in line[:1] for line in text.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)


_Dumper.add_representer(str, _represent_text)


def _dump(value: object) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=LINE_WIDTH, default_flow_style=None
    )
    return text


def _flow(value: object) -> str:
    """Return a plain value on one line of YAML."""
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=LINE_WIDTH, default_flow_style=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()
