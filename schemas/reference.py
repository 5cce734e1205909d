"""The reference of contracts and kinds in schemas/README.md, made from the models: every key, type, default, example.

`python -m schemas.reference` renews it and the data dictionary; a test fails while one of them is out of date.
"""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import annotated_types as at
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from schemas.concepts import VOCABULARY_FOLDER, VocabularyFile
from schemas.contract import CONTRACT_FOLDER as CONTRACTS
from schemas.contract import Contract
from schemas.dictionary import columns_table
from schemas.kind import KIND_FOLDER as KINDS
from schemas.kind import Kind
from schemas.strict_yaml import read_mapping

README: Final = Path(__file__).parent / "README.md"
WIDEST_EXAMPLE: Final = 60
"""Characters of an example; a value that is longer is left to the shipped files."""
SCALARS: Final[Mapping[type, str]] = {
    str: "text", int: "whole number", float: "number", Decimal: "number", bool: "true or false"
}  # fmt: skip

ADDED_KEYS: Final = {("Contract", "terms")}
"""Keys that no file has: they are filled in when it is loaded."""

Examples = dict[tuple[str, str], str]
"""(model, key) -> a value as YAML writes it."""
UNSHIPPED: Final[Examples] = {
    ("Contract", "ignore_rows"): "[{column: code, values: [Total], why: the sum of all}]",
    ("Contract", "action"): "{column: status, map: {new: append, void: withdraw}}",
    ("Contract", "claims"): "see [ClaimSpec](#claimspec)",
    ("Contract", "record"): "see [RecordSpec](#recordspec)",
    ("Contract", "examples"): "see [Example](#example)",
    ("Due", "on"): "{month: 6, day: 1}",
    ("Due", "date"): '"2026-12-01"',
    ("Due", "senders"): "[oslo, bergen]",
    ("Due", "since"): '"2025-01-01"',
    ("Sender", "allowed"): "[oslo, bergen]",
    ("Sender", "speaks_for"): "{oslo: [The port], bergen: any}",
    ("Contract", "personal"): "{person: pseudonymise}",
    ("Contract", "purpose"): "planning of schools",
    ("Contract", "hours"): '{value: 2, low: 1, high: "3.5", basis: surveyed}',
    ("Contract", "register_id"): '{scheme: Oppgaveregisteret, id: "1234"}',
    ("Contract", "reporters"): "every municipality with a harbour",
    ("Contract", "used_by"): "[Kystverket]",
    ("Contract", "may_share"): "[Kystverket, Statistisk sentralbyrå]",
    ("Contract", "copy_of"): "population-register",
    ("ClaimSpec", "tolerance"): '"0.5%"',
    **{(model, "against"): "14" for model in ("FieldSpec", "JointComparison")},
    ("DateParts", "years"): "13",
    ("Names", "alone"): "given",
    ("Contact", "by"): "contact",
    ("Contact", "telephone"): "telephone",
    ("Contract", "concepts"): "see [Concept](#concept)",
    ("Contract", "dimensions"): "see [Dimension](#dimension)",
    ("Contract", "measures"): "see [Measure](#measure)",
    ("Hours", "value"): "2",
    ("Hours", "low"): '"1.5"',
    ("Hours", "high"): "4",
    ("Hours", "basis"): "surveyed",
    ("Hours", "source"): "a survey of 40 municipalities in 2024",
    ("RegisterId", "scheme"): "Oppgaveregisteret",
    ("RegisterId", "id"): '"1234"',
    ("Concept", "suppress_below"): "5",
    ("Dimension", "codes"): "{R: {nb: rød, nn: raud, en: red}}",
    ("Derivation", "sum_of"): "[births, in_migration]",
    **{(model, "personal"): "pseudonymise" for model in ("Take", "Unit", "Period", "FieldTake")},
    ("FieldSpec", "personal"): "pseudonymise",
    **{(model, "century"): "1930" for model in ("Period", "ReportVersion", "FieldTake")},
    ("Contract", "correction"): "whole",
    ("Contract", "unpivot"): "see [Unpivot](#unpivot)",
    ("Unpivot", "columns"): "{Men: {sex: m}, Women: {sex: f}}",
    ("Unpivot", "pattern"): '"POP(?<year>[0-9]{4})"',
    ("Unpivot", "name"): "delivered_column",
    ("Unpivot", "value"): "figure",
    ("ClaimSpec", "when"): "{series: [population, POP]}",
    ("ClaimSpec", "missing_values"): '[".", "..", ":", "-"]',
    ("ClaimSpec", "missing_pattern"): '"<[0-9]+"',
    ("ClaimSpec", "flags"): '{"*": E, (r): B, p: P}',
    **{(model, "columns"): "[state, county]" for model in ("Take", "Unit", "Period")},
    **{(model, "between"): '"-"' for model in ("Take", "Unit", "Period", "FieldTake")},
    **{(model, "extract"): '"^([0-9]{4}) .*"' for model in ("Take", "Unit", "Period", "FieldTake")},
    **{(model, "pad"): "[2, 3]" for model in ("Take", "Unit", "Period", "FieldTake")},
    **{(model, "map_default"): "other" for model in ("Take", "Unit", "Period", "FieldTake")},
    **{(model, "unmapped"): "keep" for model in ("Take", "Unit", "Period", "FieldTake")},
    ("Unit", "system"): "M49",
    ("Unit", "valid_on"): '"2024-01-01"',
    ("Unit", "ended"): "successor",
    ("Period", "span"): '"-"',
    ("Period", "starts"): '"07-01"',
    ("Period", "year_of"): "end",
    ("Period", "as_of"): '"01-01"',
    **{(model, "time_zone"): "Europe/Oslo" for model in ("ReportVersion", "FieldTake")},
    ("Format", "lines"): "true",
    ("Format", "sheets"): "{Pupils: {}, Teachers: {unit: Municipality no.}}",
    ("Format", "sheet_column"): "sheet",
    ("Format", "header_rows"): "[3, 4]",
    ("Format", "skip_footer"): "6",
    ("Format", "until_empty_row"): "true",
    ("IgnoreRows", "all_but"): "[Country, Area]",
    ("ReportVersion", "max"): "9999",
    ("RecordSpec", "report_key_of"): "reporter",
    ("Format", "repairs"): "see [Repair](#repair)",
    ("Format", "fields"): "see [FixedField](#fixedfield)",
    ("Format", "short_lines"): "pad",
    ("FixedField", "name"): "KOMMUNE_NR",
    ("FixedField", "start"): "5",
    ("FixedField", "length"): "4",
    ("FixedField", "decimals"): "2",
    ("FixedField", "empty"): "_Z",
    ("IgnoreRows", "pattern"): '"Total.*"',
    ("Unit", "value"): '"0301"',
    ("PatternRule", "pattern"): '"[0-9]{4}"',
    ("Unit", "option"): "sender",
    ("Unit", "map"): '{Oslo kommune: "0301"}',
    ("Period", "value"): '"2024"',
    ("Period", "map"): '{First half: "2024-01"}',
    ("Period", "until"): "{column: to_month}",
    ("Take", "option"): "sender",
    ("ReportVersion", "format"): '"%d.%m.%Y %H:%M"',
    ("ClaimSpec", "decimals"): "as_written",
    ("ClaimSpec", "obs_status"): "{column: note, map: {p: P, f: A}}",
    ("ClaimSpec", "confidential"): '{column: secret, map: {x: "true", "-": "false"}}',
    ("RecordSpec", "fields"): "{name: {column: boat_name}}",
    ("RecordSpec", "confidential"): '{column: secret, map: {x: "true", "-": "false"}}',
    ("RequiredRule", "id"): "name-given",
    ("RequiredRule", "check"): "required",
    ("RequiredRule", "column"): "name",
    ("UniqueRule", "id"): "one-row-a-unit",
    ("UniqueRule", "check"): "unique",
    ("UniqueRule", "columns"): "[code, month]",
    ("ChangeRule", "id"): "no-jump",
    ("ChangeRule", "severity"): "warning",
    ("ChangeRule", "check"): "change",
    ("ChangeRule", "concept"): "population",
    ("ChangeRule", "max_share"): '"0.5"',
    ("Example", "given"): "see the shipped contracts",
    ("Example", "records"): "[{row: 2, reported_by: Egersund, name: Terna}]",
    ("AfterPeriod", "months"): "1",
    ("OnDay", "day"): "15",
    ("OnDay", "month"): "6",
    ("Repair", "why"): "the form writes a stray quote",
    ("FieldTake", "value"): "unknown",
    ("FieldTake", "option"): "sender",
    ("FieldTake", "flags"): "{has_engine: engine, has_sail: sail}",
    ("FieldTake", "separator"): '"|"',
    ("FieldTake", "scale"): "1000",
    ("Kind", "fields"): "see [FieldSpec](#fieldspec)",
    ("Kind", "largest_block"): "500",
    ("Key", "unit"): "month",
    ("Key", "rare"): "word",
    ("Key", "length"): "5",
    ("Key", "most"): "20",
    ("Key", "near"): "1",
    ("Key", "other"): "surname",
    ("FieldSpec", "clean"): "[html, accents]",
    ("Kind", "most_pairs"): "20",
    ("Kind", "comparisons"): "see [JointComparison](#jointcomparison)",
    ("JointComparison", "fields"): "[given_name, surname]",
    ("JointComparison", "doc"): "The whole name",
    ("JointComparison", "compare"): "{by: names}",
    ("JointComparison", "clean"): "[spaces]",
    ("JointComparison", "term_frequency"): "near",
    ("OneReport", "contracts"): "[wrecks]",
    ("OneReport", "reporters"): "[Egersund]",
    ("Phonetic", "by"): "phonetic",
    ("DateParts", "by"): "date_parts",
    ("ModelNumbers", "by"): "model_numbers",
    ("Cosine", "by"): "cosine",
    ("Cosine", "levels"): "[0.9, 0.6, 0.3]",
    ("Names", "by"): "names",
    ("Names", "levels"): "[0.92, 0.8]",
    ("FirstOf", "by"): "first_of",
    ("FirstOf", "of"): "[{by: phonetic}, {by: edits, levels: [1]}]",
    ("Email", "levels"): "[0.92]",
    ("Telephone", "by"): "telephone",
    ("Telephone", "digits"): "[8]",
    ("Contact", "levels"): "[0.95, 0.85]",
    ("Days", "by"): "days",
    ("Days", "levels"): "[1, 7]",
    **{(f"{rule}Rule", "severity"): "warning" for rule in ("Range", "In", "Pattern", "Required", "Unique")},
    **{(f"{rule}Rule", "rejects"): "file" for rule in ("Range", "Pattern", "Required", "Unique", "Compare", "Change")},
}
"""Examples of keys that no shipped file uses; a test validates them."""


def renew(readme: str) -> str:
    """Return the text of schemas/README.md with each generated chapter as the models and tables now are.

    Raises `ValueError` if a chapter's marks are missing.
    """
    chapters = {"contract": contract_reference, "kind": kind_reference, "columns": columns_table}
    for name, chapter in chapters.items():
        begin, end = f"<!-- {name}: generated by `python -m schemas.reference` -->\n", f"<!-- end of {name} -->\n"
        head, rest = readme.split(begin)
        readme = f"{head}{begin}\n{chapter()}{end}{rest.split(end)[1]}"
    return readme


def contract_reference() -> str:
    """Return the tables of every key of a contract, as Markdown; examples of terms are from the vocabulary too."""
    examples = _shipped_examples(VocabularyFile, VOCABULARY_FOLDER) | _shipped_examples(Contract, CONTRACTS)
    return _reference(Contract, examples)


def kind_reference() -> str:
    """Return the tables of every key of a kind, as Markdown."""
    return _reference(Kind, _shipped_examples(Kind, KINDS))


def _reference(root: type[BaseModel], examples: Examples) -> str:
    return "\n".join(line for model in models_of(root) for line in _table(model, examples)) + "\n"


def models_of(root: type[BaseModel]) -> list[type[BaseModel]]:
    """Return the model and every model that its keys hold, in the order in which a reader meets them."""
    found = [root]
    for model in found:  # grows while it is read
        for info in written_keys(model).values():
            found += [m for m in _held(info.annotation) if m not in found]
    return found


def written_keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the keys of a model that a file may have."""
    return {name: info for name, info in model.model_fields.items() if (model.__name__, name) not in ADDED_KEYS}


def _held(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _held(inner)


def _table(model: type[BaseModel], examples: Examples) -> Iterator[str]:
    meanings = key_meanings(model)
    yield from (f"#### {model.__name__}", "", " ".join((inspect.getdoc(model) or "").split()), "")
    yield from ("| key | type | default | example | meaning |", "| --- | --- | --- | --- | --- |")
    for name, info in written_keys(model).items():
        example = examples.get((model.__name__, name), "")
        if example and not example.startswith("see "):
            example = f"`{example}`"
        cells = (f"`{info.alias or name}`", _type(info), _default(info), example, meanings[name])
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def key_meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return what the docstring below each key of a model, or of one it inherits from, states, on one line."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if owner is BaseModel or not issubclass(owner, BaseModel):
            continue
        source = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        body = next(node.body for node in source.body if isinstance(node, ast.ClassDef))
        for key, text in pairwise(body):
            if isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name) and isinstance(text, ast.Expr):
                found[key.target.id] = " ".join(ast.literal_eval(text.value).split())
    return found


def _type(info: FieldInfo) -> str:
    limits = _limits(info.metadata)
    return _type_name(info.annotation) + (f", {limits}" if limits else "")


def _type_name(annotation: object) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        limits = _limits(inner[1:])
        return _type_name(inner[0]) + (f" {limits}" if limits else "")
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    names = [_type_name(each) for each in inner if each not in {type(None), Ellipsis}]
    if origin in {tuple, dict}:
        return {tuple: "list of ", dict: "mapping of "}[origin] + " to ".join(names)
    if names:
        return " or ".join(names)
    return _plain_type_name(annotation)


def _plain_type_name(annotation: object) -> str:
    if not isinstance(annotation, type):
        raise TypeError(f"a key's type is {annotation!r}: expected a class, or one of the forms of `typing` above")
    return SCALARS.get(annotation) or f"[{annotation.__name__}](#{annotation.__name__.lower()})"


def _limits(metadata: Iterable[object]) -> str:
    """Return the limits of a value in words: at least 1, at most 24, above 0, a pattern."""
    found = []
    for each in metadata:
        if isinstance(each, FieldInfo):
            found.append(_limits(each.metadata))
        if isinstance(each, at.Interval | at.Ge | at.Gt | at.Le | at.Lt):
            names = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
            found += [
                f"{words} {value}" for name, words in names.items() if (value := getattr(each, name, None)) is not None
            ]
        if pattern := getattr(each, "pattern", None):
            found.append(f"`{pattern}`")
        if isinstance(each, at.MinLen):
            found.append(f"at least {each.min_length}")
    return ", ".join(filter(None, found))


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return "null"
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_defaults=True)
    return f"`{_yaml(_plain(value))}`"


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, Decimal) and value == int(value) else value


def _yaml(value: object) -> str:
    """Return a value in YAML's flow style, on one line."""
    if isinstance(value, str):
        return (
            value if re.fullmatch(r"[A-Za-z][\w./%-]*( [\w./%-]+)*", value) else json.dumps(value, ensure_ascii=False)
        )
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_yaml(key)}: {_yaml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(each) for each in value) + "]"
    return json.dumps(value)


def _shipped_examples(root: type[BaseModel], folder: Path) -> Examples:
    """Return a value of each key: the first short one of the shipped files, else that of `UNSHIPPED`."""
    found: Examples = {}
    for path in sorted(folder.glob("*.yml")):
        for key, value in _values(root, read_mapping(path.read_text(encoding="utf-8"), path.name)):
            text = _yaml(value)
            if key not in found and value != "" and len(text) <= WIDEST_EXAMPLE:
                found[key] = text
    return UNSHIPPED | found


def _values(model: type[BaseModel], given: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield (model, key) and value of every key that a mapping gives, those of the mappings in it too."""
    for name, value in given.items():
        if name not in model.model_fields:
            continue
        yield (model.__name__, name), value
        for inner in _mappings(value):
            for held in _held(model.model_fields[name].annotation):
                if set(inner) <= set(held.model_fields) and _fits(held, inner):
                    yield from _values(held, inner)


def _fits(model: type[BaseModel], given: Mapping[str, Any]) -> bool:
    """Return whether a mapping is of this model: it has the required keys, and allowed values of the literal ones."""
    needed = {name for name, info in model.model_fields.items() if info.is_required()}
    literals = {
        name: get_args(info.annotation)
        for name, info in model.model_fields.items()
        if get_origin(info.annotation) is Literal
    }
    return needed <= set(given) and all(given[n] in values for n, values in literals.items() if n in given)


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the mappings that a value is, or holds in a list or as the values of a mapping."""
    if isinstance(value, dict):
        yield value
        yield from (each for each in value.values() if isinstance(each, dict))
    if isinstance(value, list):
        yield from (inner for each in value for inner in _mappings(each))


if __name__ == "__main__":
    README.write_text(renew(README.read_text(encoding="utf-8")), encoding="utf-8")
