"""The errors form one tree, drawn in `schemas.errors`, and no other module of the rooms adds to it."""

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import errors
from schemas.errors import EngangError, SubmissionError

ROOT = Path(errors.__file__).parents[1]
ROOMS = ("schemas", "transforms", "infra", "flows")
CONTROL_FLOW: dict[str, str] = {
    "infra/lake/query_child.py:RefusedQueryError": "ends a query in its child; the parent raises UsageError",
}
"""module:class -> why: exceptions that never leave their module and report no error."""


def drawn() -> Iterator[tuple[str, str]]:
    """Yield (class, parent) of each line of the drawn tree."""
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"((?:[│ ]   )*(?:[├└]── )?)([A-Z]\w+)   *\S", line)
        if found is None:
            continue
        depth = len(found[1]) // 4
        yield found[2], path[depth - 1] if depth else "Exception"
        path[depth:] = [found[2]]


def defined() -> dict[str, str]:
    """Return class -> parent of every exception class of the module."""
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    return {each.__name__: each.__bases__[0].__name__ for each in classes}


def exception_classes(path: Path, known: set[str]) -> list[str]:
    """Return the classes of a module that derive from one of the known exceptions, or from each other."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        bases = (
            {re.split(r"\W", ast.unparse(base))[-1] for base in node.bases} if isinstance(node, ast.ClassDef) else set()
        )
        if isinstance(node, ast.ClassDef) and bases & known:
            known = known | {node.name}
            found.append(f"{path.relative_to(ROOT).as_posix()}:{node.name}")
    return found


def test_the_drawn_tree_is_the_real_one() -> None:
    assert dict(drawn()) == defined()
    assert next(iter(dict(drawn()).values())) == "Exception"


def test_all_are_defined_in_one_module() -> None:
    known = {
        name for name, each in vars(builtins).items() if isinstance(each, type) and issubclass(each, BaseException)
    }
    known |= set(defined())
    modules = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) if path != Path(errors.__file__)]
    assert len(modules) > 100
    assert sorted(each for path in modules for each in exception_classes(path, known)) == sorted(CONTROL_FLOW)


@pytest.mark.parametrize(
    "text", ["class Away(StoreError): ...", "class Away(errors.StoreError): ...", "class A(OSError): ..."]
)
def test_a_class_elsewhere_is_found(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "module.py").write_text(text, encoding="utf-8")
    assert exception_classes(tmp_path / "module.py", {"StoreError", "OSError"}) == [
        f"module.py:{text[6:].partition('(')[0]}"
    ]


def test_every_error_is_caught_by_the_root_and_says_where() -> None:
    assert all(issubclass(getattr(errors, name), EngangError) for name in defined())
    error = SubmissionError("not-a-number", "'x'", "a number", "Correct it.", row=3, column="Antall")
    assert str(error) == "not-a-number row 3 column 'Antall': found 'x', expected a number. Correct it."
