"""YAML read strictly: plain scalars are text, whole numbers, `true`, `false` or `null`; duplicate keys are errors."""

import re
from collections.abc import Callable, Hashable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError

from schemas.errors import ContractError

Declared = TypeVar("Declared", bound=BaseModel)
"""The model that a file declares: a contract, a kind."""


class _Loader(yaml.CSafeLoader):
    """Reads only YAML 1.2's forms of true, false, null and whole numbers as such; all else is text."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", "tf"),
    ("tag:yaml.org,2002:null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("tag:yaml.org,2002:int", r"^-?(?:0|[1-9][0-9]{0,17})$", "-0123456789"),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    mapping: dict[Any, Any] = {}
    for key_node, value in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable) or key in mapping:
            wrong = "occurs twice" if isinstance(key, Hashable) else "is a list or a mapping"
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} {wrong}", key_node.start_mark)
        mapping[key] = loader.construct_object(value, deep=True)
    return mapping


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_mapping(text: str, name: str) -> dict[Any, Any]:
    """Return a YAML text as a mapping; `name` is the file to name in errors. Raises `ContractError`."""
    try:
        given = yaml.load(text, Loader=_Loader)  # noqa: S506  a safe one, in C: eight times as fast
    except yaml.YAMLError as error:
        raise ContractError(f"{name}: not YAML: {error}") from error
    except RecursionError as error:
        raise ContractError(f"{name}: not readable as YAML: its mappings or lists are nested too deeply") from error
    if not isinstance(given, dict):
        raise ContractError(f"{name}: expected a mapping of keys, found {type(given).__name__}")
    return given


def read_declared(text: str, name: str, what: type[Declared]) -> Declared:
    """Return the model that a YAML text declares; `name` is the file to name in errors. Raises `ContractError`."""
    return cast("Declared", _read_declared(text, name, what))


@lru_cache(maxsize=512)
def _read_declared(text: str, name: str, what: type[BaseModel]) -> BaseModel:
    # A process reads the same files again for every night and every command; the models are frozen.
    given = read_mapping(text, name)
    try:
        return what.model_validate(given)
    except ValidationError as error:
        whole = what.__name__.lower()
        lines = [f"{name}: {'.'.join(map(str, e['loc'])) or whole}: {e['msg']}" for e in error.errors()]
        raise ContractError("\n".join(lines)) from error


def load_declared(
    folder: Path, read: Callable[[str, str], Declared], key: str, broken: dict[str, str] | None = None
) -> dict[str, Declared]:
    """Load every file of a folder by its name, which its `key` must repeat; raises the first `ContractError`.

    broken: where given, it gets the name of each file that is wrong and why, and the other files are loaded.
    """
    found: dict[str, Declared] = {}
    for path in sorted(folder.glob("*.yml")):
        try:
            found[path.stem] = _load_file(path, read, key)
        except ContractError as error:
            if broken is None:
                raise
            broken[path.stem] = str(error)
    return found


def _load_file(path: Path, read: Callable[[str, str], Declared], key: str) -> Declared:
    declared = read(declaring_text(path), path.name)
    name = getattr(declared, key)
    if name != path.stem:
        raise ContractError(f"{path.name}: {key}: found {name!r}, expected the file's own name")
    return declared


def declaring_text(path: Path) -> str:
    """Return the text of a file that declares something; `ContractError` if it cannot be read, or is no UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ContractError(f"{path.name}: not UTF-8: {error}") from error
    except OSError as error:
        raise ContractError(f"{path.name}: cannot be read: {error.strerror}") from error
