"""Mutation run: whether the tests see it when a module is wrong.

    .venv/bin/python tests/proof/mutations.py --module transforms/numbers.py --seed 7 --count 20

Each mutant is tried in a copy of the tree, never in place, with the tests that run the changed line, the quickest
first. A survivor is a hole in the tests, or a change that makes nothing wrong; `mutations_equivalent.txt` lists those
judged so, and why. `--again FILE` tries once more what survived an earlier run, whose output the file holds. `--near`
tries each mutant with the unit tests of its folder alone: what they see is seen, and `--again` tries the rest with all.
"""

import argparse
import compileall
import py_compile
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
if str(ROOT) not in sys.path:  # run as a script
    sys.path.insert(0, str(ROOT))

from tests.proof.fork_server import Answer, ForkServer, fork_server  # noqa: E402
from tests.proof.line_contexts import ROOMS, Measured, circles, file_of, is_near, own_test_file, statement_lines  # noqa: E402
from tests.proof.mutants import Mutant, mutants_of, sample  # noqa: E402

MODULES: Final = (
    "transforms/*.py", "transforms/observations/*.py", "transforms/records/*.py", "transforms/normalisation/*.py",
    "transforms/normalisation/texts/*.py", "transforms/parsing/*.py", "transforms/parsing/*/*.py",
    "transforms/linkage/*.py", "transforms/preparation/*.py", "transforms/register/*.py",
    "transforms/derivations/*.py", "transforms/overlap/*.py", "transforms/receipts/*.py",
    "transforms/prefill/*.py", "transforms/prefill/*/*.py", "transforms/package/*.py",
    "flows/intake/*.py", "flows/intake/batches/*.py",
    "flows/monitoring/*.py", "flows/release/build.py", "flows/release/publish.py",
    "infra/child_*.py", "infra/inbox/*.py", "infra/checks/*.py",
)  # fmt: skip
"""The modules whose mutants must be seen: the core, what decides whether a delivery is read, kept and told, and what
states to others what was reported: sums, overlap, drafts, receipts, packages."""
EQUIVALENT: Final = Path(__file__).with_name("mutations_equivalent.txt")
SKIPPED: Final = (".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis", "*.egg-info")
BUDGET: Final = 20.0
"""A mutant meets tests of so many processor seconds at most, besides the unit tests of its module's folder."""
FIRST_FILES: Final = 2
"""So many test files are tried first: most mutants are seen there, and no others need to be imported."""
NEXT_FILES: Final = 6
"""So many are tried next, before all others."""
SLACK: Final = 6
"""A run that takes so many times as long as without a mutant, and 20 s more, is stopped: the mutant is seen."""
CAUGHT: Final = ("killed", "stopped")
FAILED: Final = ("failed", "stopped")
SURVIVED: Final = re.compile(r"^SURVIVED (\S+):\d+ (.*?) *$", re.MULTILINE)
"""How a survivor is printed: its module, and the change."""


class Tried(NamedTuple):
    """A mutant and what became of it: killed, stopped, SURVIVED, or judged (equivalent, by the list)."""

    module: str
    mutant: Mutant
    what: str
    fate: str
    by: str | None = None
    """the test that failed"""

    def __str__(self) -> str:
        return f"{self.fate} {self.module}:{self.mutant.line} {self.what}"


class Course:
    """The copy of the tree in which mutants run, its server, and the tests of each line."""

    def __init__(self, tree: Path, server: ForkServer, measured: Measured, *, near: bool = False) -> None:
        self.tree, self._server, self._measured, self._near = tree, server, measured, near
        self._equivalent = judged()
        self._kills: Counter[tuple[str, str]] = Counter()

    def try_mutants(self, module: str, count: int, seed: int) -> Iterator[Tried]:
        """Yield mutants of a module, drawn by the seed, each tried."""
        text = (self.tree / module).read_text(encoding="utf-8")
        return self._try(module, text, sample(text, count, seed))

    def try_again(self, module: str, changes: Iterable[str]) -> Iterator[Tried]:
        """Yield the mutants of a module that are described so, each tried."""
        text = (self.tree / module).read_text(encoding="utf-8")
        described = set(changes)
        return self._try(module, text, [m for m in mutants_of(text) if m.describe(text) in described])

    def _try(self, module: str, text: str, mutants: Iterable[Mutant]) -> Iterator[Tried]:
        path = self.tree / module
        try:
            for mutant in mutants:
                what = mutant.describe(text)
                if (module, what) in self._equivalent:
                    yield Tried(module, mutant, what, "judged")
                    continue
                path.write_text(mutant.applied(text), encoding="utf-8")
                yield Tried(module, mutant, what, *self._meet(module, text, statement_lines(text, mutant.line)))
        finally:
            path.write_text(text, encoding="utf-8")

    def _meet(self, module: str, text: str, lines: range) -> tuple[str, str | None]:
        """Return what becomes of the mutant at these lines, and the test that saw it. text: the module without it."""
        kills = Counter({file: count for (of, file), count in self._kills.items() if of == module})
        met: set[str] = set()
        for circle in range(len(circles(self.tree, module)) - self._near):
            with self._without_mutant(module, text):  # what fails without a mutant sees none
                contexts = self._measured.contexts(module, circle)
            tests = [test for test in contexts.tests(module, lines) if test not in met]
            met.update(tests)
            for stage in _stages(module, tests, contexts.seconds, kills):
                fate, test = self._run_stage(module, text, {test: contexts.seconds[test] for test in stage})
                if fate in CAUGHT:
                    self._kills[module, file_of(test or stage[0])] += 1
                    return fate, test
        return "SURVIVED", None

    @contextmanager
    def _without_mutant(self, module: str, text: str) -> Iterator[None]:
        path = self.tree / module
        mutant = path.read_text(encoding="utf-8")
        path.write_text(text, encoding="utf-8")
        yield
        path.write_text(mutant, encoding="utf-8")

    def _run_stage(self, module: str, text: str, seconds: dict[str, float]) -> tuple[str, str | None]:
        """Return what becomes of the mutant in these tests. A test that fails once, and alone passes, sees nothing.

        seconds: how long each test takes without the mutant.
        """
        left = dict(seconds)
        while left:
            answer = self._run_in_time(module, text, left)
            if answer.fate == "stopped":
                return "stopped", None
            if answer.fate != "failed":
                break
            failed = answer.failed
            if failed not in left or self._run_in_time(module, text, {failed: left[failed]}).fate in FAILED:
                return "killed", failed
            del left[failed]
        return "SURVIVED", None

    def _run_in_time(self, module: str, text: str, seconds: dict[str, float]) -> Answer:
        """Run tests; if they take too long, and do without the mutant too, the machine is slow: they get more time."""
        limit = 20 + SLACK * sum(seconds.values())
        while (answer := self._run(seconds, limit)).fate == "stopped":
            with self._without_mutant(module, text):
                is_slow = self._run(seconds, limit).fate == "stopped"
            if not is_slow:
                break
            limit *= 2
        return answer

    def _run(self, tests: Collection[str], limit: float) -> Answer:
        return self._server.run(sorted({file_of(test) for test in tests}), tests, seconds=limit)


def _stages(module: str, tests: list[str], seconds: dict[str, float], kills: Counter[str]) -> list[list[str]]:
    """Return the tests that a mutant meets, those of few files before the others.

    kills: how many mutants of the module the tests of each file saw so far; those that saw most come first.
    """
    own, spent = own_test_file(module), 0.0
    chosen: list[str] = []
    for test in tests:
        spent += 0 if is_near(test, module) else seconds[test]
        if spent <= BUDGET or not chosen:
            chosen.append(test)
    files = sorted(dict.fromkeys(file_of(test) for test in chosen), key=lambda file: -kills[file])
    first = 1 if files and (files[0] == own or kills[files[0]]) else FIRST_FILES
    stages = [files[:first], files[first : first + NEXT_FILES], files[first + NEXT_FILES :]]
    return [[test for test in chosen if file_of(test) in stage] for stage in stages if stage]


@contextmanager
def copied_tree() -> Iterator[Path]:
    """Give a copy of the tree, compiled, beside it the real data, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="engang-mutations-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*SKIPPED), symlinks=True)
        shared = ROOT.parent / "shared"
        if shared.is_dir():
            (Path(folder) / "shared").symlink_to(shared)
        # By content: a mutant of the same size and second would be taken for the module before.
        by_content = py_compile.PycInvalidationMode.CHECKED_HASH
        for room in (*ROOMS, "tests"):
            compileall.compile_dir(tree / room, quiet=1, invalidation_mode=by_content)
        yield tree


@contextmanager
def course(kept: Path | None = None, *, near: bool = False) -> Iterator[Course]:
    """Give the course, ready; `kept` is a folder that keeps what ran without a mutant for the next time.

    near: mutants meet the tests of their own folder alone.
    """
    with copied_tree() as tree, fork_server(tree) as server:
        yield Course(tree, server, Measured(server, tree, kept), near=near)


def modules() -> list[str]:
    """Return the modules whose mutants must be seen."""
    paths = sorted({path for pattern in MODULES for path in ROOT.glob(pattern)} - set(ROOT.rglob("__init__.py")))
    return [str(path.relative_to(ROOT)) for path in paths]


def shuffled(names: list[str], seed: int) -> list[str]:
    """Return names in an order drawn by the seed: a run that is cut off has tried a fair sample of them."""
    return random.Random(seed).sample(names, len(names))


def judged() -> set[tuple[str, str]]:
    """Return module and change of the mutants that were judged to make nothing wrong."""
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines() if EQUIVALENT.exists() else []
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {(row[0], row[1]) for row in rows}


def survivors_of(output: str) -> dict[str, list[str]]:
    """Return what survived an earlier run, by module, out of what it printed."""
    found: dict[str, list[str]] = {}
    for module, change in dict.fromkeys(SURVIVED.findall(output)):
        found.setdefault(module, []).append(change)
    return found


def share_caught(tried: list[Tried]) -> float:
    """Return the share of the mutants that were caught, of those not judged to be harmless."""
    wrong = [one for one in tried if one.fate != "judged"]
    return sum(one.fate in CAUGHT for one in wrong) / max(len(wrong), 1)


def table(tried: list[Tried]) -> str:
    """Return, as Markdown, of each module and of all: mutants, caught, equivalent, survived, share caught."""
    lines = ["| module | mutants | caught | equivalent | survived | share |", "| --- | --- | --- | --- | --- | --- |"]
    for module in [*sorted({one.module for one in tried}), "all"]:
        own = [one for one in tried if module in {one.module, "all"}]
        fates = Counter("caught" if one.fate in CAUGHT else one.fate for one in own)
        figures = (module, len(own), fates["caught"], fates["judged"], fates["SURVIVED"], f"{share_caught(own):.1%}")
        lines.append(f"| {' | '.join(map(str, figures))} |")
    return "\n".join(lines)


def main() -> int:
    """Try the mutants that the arguments ask for; print the survivors and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", action="append", choices=modules(), metavar="MODULE", help="all by default")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()) % 10**6, help="draws the mutants; changes if left out"
    )
    parser.add_argument("--count", type=int, default=10, help="mutants of each module")
    parser.add_argument(
        "--contexts", type=Path, metavar="FOLDER", help="folder that keeps which tests run which line for the next time"
    )
    parser.add_argument("--again", type=Path, metavar="FILE", help="try what survived the run that printed this file")
    parser.add_argument("--near", action="store_true", help="only with the unit tests of the module's folder: quicker")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no module is begun after so many")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    before = survivors_of(arguments.again.read_text(encoding="utf-8")) if arguments.again else {}
    tried: list[Tried] = []
    with course(arguments.contexts, near=arguments.near) as ready:
        started = time.monotonic()
        for module in arguments.module or (before if arguments.again else shuffled(modules(), arguments.seed)):
            if time.monotonic() - started > 60 * arguments.minutes:
                print(f"the time is over: {module} and those after it are not tried")
                break
            again = ready.try_again(module, before.get(module, ()))
            for one in again if arguments.again else ready.try_mutants(module, arguments.count, arguments.seed):
                tried.append(one)
                print(one, f"[{one.by}]" if one.by else "", flush=True)
    survivors = [one for one in tried if one.fate == "SURVIVED"]
    print(*survivors, sep="\n")
    print(f"\n{table(tried)}\n\n{(time.monotonic() - started) / max(len(tried), 1):.1f} s a mutant")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
