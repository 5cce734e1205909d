"""Which tests run which line: measured once without a mutant, so that a mutant meets few tests.

A test file is measured again when it has changed, or a module that it runs.
"""

import ast
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from tests.proof.fork_server import Answer, ForkServer

ROOMS: Final = ("schemas", "transforms", "infra", "flows")
PURE: Final = ("tests/unit/transforms", "tests/unit/schemas", "tests/contracts", "tests/properties/transforms")
"""Where the tests are that mutants of `transforms/` meet."""
STORED: Final = (
    "tests/unit/flows", "tests/unit/infra", "tests/integration/inbox", "tests/integration/checks",
    "tests/integration/intake", "tests/integration/monitoring",
)  # fmt: skip
"""Where the tests are that mutants of `flows/` and `infra/` meet."""
NIGHTLY: Final = ("tests/unit/flows", "tests/integration/release", "tests/properties")
"""Where the tests are that mutants of `flows/release/` meet."""
MOST_UNFIT: Final = 2
"""So many tests of a file may fail in a fork without any mutant: they are left out, and named."""
MEASURE_SECONDS: Final = 3600
"""A test file is measured for so long at most: on a busy machine it takes many times as long as alone."""
LEFT_OUT: Final = (
    "test_docs.py", "test_language.py", "test_layers.py",  # they read the text of modules
    "test_killed_nightly.py", "test_killed_training.py", "test_status_million.py", "test_large_delivery.py",
    "test_s3_installation.py", "test_webhook.py", "test_agreement_arelle.py",  # slow for what they run of these modules
)  # fmt: skip


class Contexts:
    """The tests of each line, and how long each test takes."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self.seconds: dict[str, float] = {}
        self._lines: dict[str, dict[int, set[str]]] = {}
        for answer in answers:
            self.seconds |= answer.seconds
            for module, lines in answer.lines.items():
                known = self._lines.setdefault(module, {})
                for line, tests in lines.items():
                    known.setdefault(int(line), set()).update(tests)

    def tests(self, module: str, lines: Iterable[int]) -> list[str]:
        """Return the tests that run one of these lines, else those that run any of the module, the best first.

        The best are those of the module's own test file, all of them: they may run a line while they are collected.
        """
        known, own = self._lines.get(module, {}), own_test_file(module)
        found = set().union(*(known.get(line, set()) for line in lines)) or set().union(*known.values())
        found |= {test for test in self.seconds if file_of(test) == own}
        return sorted(
            found, key=lambda test: (file_of(test) != own, not is_near(test, module), self.seconds.get(test, 0), test)
        )


class _Kept(NamedTuple):
    """What is kept of one test file."""

    digest: str
    answer: Answer


class Measured:
    """Measures the contexts of test files on first need, and leaves tests out that fail without any mutant.

    kept: a folder that keeps what each test file gave in a file of its own, so that no file is read or written for
    another. Raises `RuntimeError` if more than `MOST_UNFIT` of a file do, or the file itself does.
    """

    def __init__(self, server: ForkServer, tree: Path, kept: Path | None) -> None:
        self._server, self._tree, self._folder = server, tree, kept
        self._kept: dict[str, _Kept] = {}
        self._contexts: dict[tuple[str, ...], Contexts] = {}

    def contexts(self, module: str, circle: int) -> Contexts:
        """Return the contexts of the tests that mutants of a module meet in a circle of test files (`circles`)."""
        files = circles(self._tree, module)[circle]
        if files not in self._contexts:
            self._contexts[files] = Contexts(self._answer(name) for name in files)
        return self._contexts[files]

    def _answer(self, name: str) -> Answer:
        kept = self._kept.get(name) or self._read(name)
        if kept is None or kept.digest != self._digest(name, kept.answer):
            answer = self._fit(name)
            print(f"{name}: {len(answer.seconds)} tests {answer.fate}", flush=True)
            kept = _Kept(self._digest(name, answer), answer)
            self._write(name, kept)
        self._kept[name] = kept
        return kept.answer

    def _read(self, name: str) -> _Kept | None:
        """Return what the folder keeps of a test file."""
        if self._folder is None or not (path := _kept_path(self._folder, name)).exists():
            return None
        digest, answer = json.loads(path.read_text(encoding="utf-8"))
        return _Kept(digest, Answer(*answer))

    def _write(self, name: str, kept: _Kept) -> None:
        if self._folder is not None:
            path = _kept_path(self._folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}")  # whole at once: several runs may share the folder
            part.write_text(json.dumps(kept), encoding="utf-8")
            part.replace(path)

    def _digest(self, name: str, answer: Answer) -> str:
        """Return the digest of a test file and of the modules that it ran."""
        paths = [self._tree / path for path in (name, *sorted(answer.lines))]
        return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths if path.exists())).hexdigest()

    def _fit(self, name: str) -> Answer:
        """Return what a test file gives without those of its tests that fail without any mutant."""
        unfit: list[str] = []
        while (answer := self._measure(name, unfit)).fate in {"failed", "stopped"}:
            if len(unfit) == MOST_UNFIT or answer.failed is None or file_of(answer.failed) == answer.failed:
                message = f"{name} fails without any mutant: {answer.failed}"
                raise RuntimeError(message)
            print(f"{answer.failed} fails without any mutant: it is left out", flush=True)
            unfit.append(answer.failed)
        return answer

    def _measure(self, name: str, unfit: list[str]) -> Answer:
        return self._server.run([name], but=unfit, seconds=MEASURE_SECONDS, measured=True)


def folders_of(module: str) -> tuple[str, ...]:
    """Return where the tests are that mutants of a module meet."""
    if module.startswith("transforms/"):
        return PURE
    return NIGHTLY if module.startswith("flows/release/") else STORED


def files_of(tree: Path, folders: Iterable[str]) -> list[str]:
    """Return the test files of folders that mutants meet."""
    paths = sorted({path for folder in folders for path in (tree / folder).rglob("test_*.py")})
    return [str(path.relative_to(tree)) for path in paths if path.name not in LEFT_OUT]


def circles(tree: Path, module: str) -> list[tuple[str, ...]]:
    """Return the test files that mutants of a module meet, in three circles, each with those of the one before.

    The module's own test file; the folder of that; all. Most mutants are seen in the first, and need no more.
    """
    files = tuple(files_of(tree, folders_of(module)))
    own, near = (tuple(name for name in files if fits(name)) for fits in (
        lambda name: name == own_test_file(module), lambda name: is_near(name, module),
    ))  # fmt: skip
    return [own, near, files]


def file_of(test: str) -> str:
    """Return the file of a test."""
    return test.split("::", maxsplit=1)[0]


def is_near(test: str, module: str) -> bool:
    """Return whether a test is in the folder of the module's unit tests."""
    return Path(file_of(test)).parent == Path(own_test_file(module)).parent


def own_test_file(module: str) -> str:
    """Return where the unit tests of a module are, or would be."""
    path = Path(module)
    return str(Path("tests/unit", path.parent, f"test_{path.name}"))


def statement_lines(text: str, line: int) -> range:
    """Return the lines of the smallest statement at a line; of a compound one those of its head."""
    holding = [
        node for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]  # fmt: skip
    if not holding:
        return range(line, line + 1)
    smallest = min(holding, key=lambda node: (node.end_lineno or node.lineno) - node.lineno)
    body = getattr(smallest, "body", None)
    end = body[0].lineno - 1 if body else smallest.end_lineno or smallest.lineno
    return range(smallest.lineno, max(end, smallest.lineno) + 1)


def _kept_path(folder: Path, name: str) -> Path:
    """Return where a folder keeps what a test file gave."""
    return folder / f"{name}.json"
