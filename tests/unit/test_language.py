"""The language of the code: no private idiom in identifiers or prose, and a public name that means one thing.

Run as a script, it lists what it finds, all of it or what is below the folders that are given:
`python tests/unit/test_language.py flows/intake`.
"""

import ast
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("schemas", "transforms", "infra", "flows")
BANNED_PARTS = {
    *("told", "tell", "tells", "telling", "said", "say", "says", "saying", "anew", "beside", "apart", "gone", "stands"),
    *("whoever", "woken", "flipped", "homes"),
}
"""Words that no identifier holds, alone or as a part."""
BANNED_NAMES = {"moved", "came", "left", "kept", "meeting", "meetings", "named", "stood", "was"}
"""Words that are no identifier: a set of rows, or a mapping, is named by a noun."""
BANNED_PROSE = re.compile(
    r"\b(told|tell|tells|telling|said|anew|beside|apart|gone|whoever|woken|flipped)\b", re.IGNORECASE
)
"""Words that no docstring, comment or message holds."""
DECLARED_KEYS = {("schemas/contract_rules.py", "left"): "a key of contracts and of their digests"}
"""Identifiers that a file format fixes, each with the reason."""
STORED_TEXT = {"transforms/linkage/comparisons.py": "a model's digest covers the labels of its levels"}
"""Modules whose prose is not checked, each with the reason."""
SHARED: dict[str, str] = {
    "main": "the entry of a program",
    "nightly": "the night as a plain function, and the Prefect flow of the same steps; its name is the deployment's",
    "receive": "the receipt of deliveries as a plain function, and the Prefect flow of the same steps",
}
"""Public names that several modules may define, each with the reason."""


def modules(folders: tuple[str, ...] = ROOMS) -> list[Path]:
    found = {path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))}
    return sorted(path for path in found if "versions" not in path.parts and "deploy" not in path.parts)


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of everything that a module gives a name: functions, classes, arguments, variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield 0, node.asname


def banned(name: str) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().strip("_").split("_")
    return bool(BANNED_PARTS & set(words)) or "_".join(words) in BANNED_NAMES


def banned_identifiers(path: Path) -> list[str]:
    found = sorted(set(identifiers(ast.parse(path.read_text(encoding="utf-8")))))
    where = path.relative_to(ROOT).as_posix()
    return [f"{where}:{line}: {name}" for line, name in found if banned(name) and (where, name) not in DECLARED_KEYS]


def banned_prose(path: Path) -> list[str]:
    """Return where a comment or a string holds a banned word; string tokens hold docstrings and messages alike."""
    found: list[str] = []
    if path.relative_to(ROOT).as_posix() in STORED_TEXT:
        return found
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in {tokenize.COMMENT, tokenize.STRING} or token.type in FSTRING:
                found += [
                    f"{path.relative_to(ROOT)}:{token.start[0] + token.string[: m.start()].count(chr(10))}: {m[0]}"
                    for m in BANNED_PROSE.finditer(token.string)
                ]
    return found


FSTRING = {getattr(tokenize, "FSTRING_MIDDLE", -1)}
"""Python 3.12 cuts f-strings into tokens; in 3.11 they are strings."""


def public_names(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the public names that a module defines at its top, with what kind of thing each is."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, type(node).__name__
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, "constant"


def shared_names() -> dict[str, list[str]]:
    """Return the public names that more than one module defines, and where."""
    where: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for name, _ in public_names(path):
            if not name.startswith("_"):
                where[name].append(path.relative_to(ROOT).as_posix())
    return {name: paths for name, paths in sorted(where.items()) if len(set(paths)) > 1}


def test_no_identifier_is_private_idiom() -> None:
    assert [each for path in modules() for each in banned_identifiers(path)] == []


def test_no_text_is_private_idiom() -> None:
    assert [each for path in modules() for each in banned_prose(path)] == []


def test_a_public_name_means_one_thing() -> None:
    shared = shared_names()
    assert {name: paths for name, paths in shared.items() if name not in SHARED} == {}
    assert [name for name in SHARED if name not in shared] == [], "an allowed name that only one module defines"


if __name__ == "__main__":
    chosen = tuple(sys.argv[1:]) or ROOMS
    for module in modules(chosen):
        print(*banned_identifiers(module), *banned_prose(module), sep="\n", end="\n")
    for shared_name, places in shared_names().items():
        if shared_name not in SHARED and any(place.startswith(chosen) for place in places):
            print(f"{shared_name}: {', '.join(places)}")
