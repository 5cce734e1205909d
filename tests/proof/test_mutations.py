"""The tests bite: of seeded mutants of the core's modules at least 97 % fail a test.

    pytest -m slow tests/proof/test_mutations.py -s

The seed is printed; `ENGANG_MUTATION_SEED` fixes it, `ENGANG_MUTANTS` sets how many mutants a module gets.
"""

import os
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.proof.fork_server import Answer
from tests.proof.line_contexts import (
    MEASURE_SECONDS,
    NIGHTLY,
    PURE,
    STORED,
    Measured,
    circles,
    files_of,
    own_test_file,
    statement_lines,
)
from tests.proof.mutants import mutants_of, sample
from tests.proof.mutations import ROOT, Tried, _stages, course, judged, modules, share_caught, survivors_of, table

LEAST_CAUGHT = 0.97
CODE = """def f(rows, n):
    if n >= 3 and not rows:
        raise ValueError("no")
    rows.sort()
    return rows.filter(a < b).join(c, how="left").fill_null(False), min(rows) - 1
"""


def test_the_mutants_are_of_every_kind() -> None:
    changes = {(m.before, m.after) for m in mutants_of(CODE)}
    assert {
        (">=", ">"), ("and", "or"), ("not ", ""), ("3", "4"), ('raise ValueError("no")', "pass"), ("<", "<="),
        ("rows.sort()", "pass"), ('"left"', '"inner"'), (".fill_null(False)", ""), ("False", "True"),
        ("min", "max"), ("-", "+"),
        (".filter(a < b)", ""), ("n >= 3 and not rows", "not (n >= 3 and not rows)"),
    } <= changes  # fmt: skip
    assert list(sample(CODE, 5, 1)) == list(sample(CODE, 5, 1)) != list(sample(CODE, 5, 2))


def test_the_lines_of_a_statement_are_those_of_its_head() -> None:
    lines = [
        "def f(a):",
        "    if (a and",
        "            a):",
        "        return g(",
        "            a",
        "        )",
        "    return 0",
    ]
    text = "\n".join(lines)
    assert [list(statement_lines(text, n)) for n in (1, 3, 5, 7)] == [[1], [2, 3], [4, 5, 6], [7]]


def test_mutants_of_every_room_meet_tests() -> None:
    for folders in (PURE, STORED, NIGHTLY):
        assert len(files_of(ROOT, folders)) > len(folders)
    assert own_test_file("transforms/parsing/csv.py") == "tests/unit/transforms/parsing/test_csv.py"
    own, near, every = map(set, circles(ROOT, "transforms/parsing/csv.py"))
    assert own == {"tests/unit/transforms/parsing/test_csv.py"} < near < every == set(files_of(ROOT, PURE))
    assert {Path(name).parent.name for name in near} == {"parsing"}


def test_the_tests_that_saw_most_mutants_come_first() -> None:
    files = ["tests/unit/transforms/test_a.py", *(f"tests/other/test_{n}.py" for n in range(10))]
    tests = [f"{file}::test" for file in files]
    seconds = dict.fromkeys(tests, 1.0)

    def stages(kills: dict[str, int]) -> list[list[int]]:
        found = _stages("transforms/a.py", tests, seconds, Counter(kills))
        return [[tests.index(test) for test in stage] for stage in found]

    assert stages({}) == [[0], [1, 2, 3, 4, 5, 6], [7, 8, 9, 10]]
    assert stages({files[9]: 1}) == [[9], [0, 1, 2, 3, 4, 5], [6, 7, 8, 10]]
    assert stages({files[0]: 1, files[9]: 1})[0] == [0]
    slow = _stages("transforms/a.py", tests, dict.fromkeys(tests, 5.0), Counter())
    assert slow == [tests[:1], tests[1:5]], "of others than the module's own so many as 20 seconds hold"


@pytest.mark.slow
def test_what_is_judged_is_a_mutant_of_today() -> None:
    changes = {}
    for module in modules():
        text = (ROOT / module).read_text(encoding="utf-8")
        changes[module] = {mutant.describe(text) for mutant in mutants_of(text)}
    assert [one for one in sorted(judged()) if one[1] not in changes.get(one[0], ())] == []


def test_the_table_counts_what_was_caught() -> None:
    (mutant, *_) = mutants_of(CODE)
    fates = [("a", "killed"), ("a", "stopped"), ("a", "judged"), ("b", "SURVIVED")]
    tried = [Tried(module, mutant, "x", fate) for module, fate in fates]
    assert table(tried).splitlines()[2:] == [
        "| a | 3 | 2 | 1 | 0 | 100.0% |", "| b | 1 | 0 | 0 | 1 | 0.0% |", "| all | 4 | 2 | 1 | 1 | 66.7% |",
    ]  # fmt: skip


def test_what_survived_is_read_from_what_was_printed() -> None:
    (first, second, *_) = mutants_of(CODE)
    tried = [Tried("a", first, "x = 1 => x = 2", "SURVIVED"), Tried("a", second, "y", "killed")]
    tried += [Tried("b", second, "z", "SURVIVED")]
    printed = "".join(f"{one} {one.by or ''}\n" for one in [*tried, *tried])
    assert survivors_of(printed) == {"a": ["x = 1 => x = 2"], "b": ["z"]}


class FailingServer:
    """Fails at the first of these tests that is not left out."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.runs: list[str] = []

    def run(self, paths: list[str], *, but: list[str], seconds: float, measured: bool) -> Answer:
        assert (seconds, measured) == (MEASURE_SECONDS, True)
        self.runs += paths
        failed = next((test for test in self.failing if test not in but), None)
        return Answer(
            "passed" if failed is None else "failed", failed, {"sound": 0.1}, {"transforms/a.py": {"1": ["sound"]}}
        )


A_TEST = "tests/unit/test_a.py::test_"


@pytest.mark.parametrize(("failing", "sound"), [
    ((), True), ((A_TEST + "x", A_TEST + "y"), True), ((A_TEST + "x", A_TEST + "y", A_TEST + "z"), False),
    (("tests/unit/test_a.py",), False),
])  # fmt: skip
def test_a_few_tests_that_fail_without_a_mutant_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], failing: tuple[str, ...], sound: bool
) -> None:
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / "tests/unit/test_a.py").write_text("")
    measured = Measured(FailingServer(*failing), tmp_path, None)  # type: ignore[arg-type]
    with nullcontext() if sound else pytest.raises(RuntimeError, match=r"test_a.py fails without any mutant"):
        assert measured._answer("tests/unit/test_a.py").fate == "passed"  # noqa: SLF001  one file of those of a module
    left_out = [line for line in capsys.readouterr().out.splitlines() if line.endswith("it is left out")]
    assert len(left_out) == (min(len(failing), 2) if "::" in "".join(failing) else 0)


def test_a_file_is_measured_again_when_it_or_a_module_that_it_ran_changes(tmp_path: Path) -> None:
    files = ["tests/unit/test_a.py", "tests/unit/deep/test_a.py"]
    for name in (*files, "transforms/a.py", "transforms/b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")

    def measure(*names: str) -> list[str]:
        server = FailingServer()
        measured = Measured(server, tmp_path, tmp_path / "new/kept")  # type: ignore[arg-type]
        answers = [measured._answer(name) for name in names for _ in range(2)]  # noqa: SLF001  files of a module
        assert set(map(str, answers)) == {str(FailingServer().run([], but=[], seconds=MEASURE_SECONDS, measured=True))}
        return server.runs

    assert [measure(files[0]), measure(*files), measure(*files)] == [files[:1], files[1:], []]
    (tmp_path / "transforms/b.py").write_text("b = 1")
    assert measure(*files) == []
    (tmp_path / "transforms/a.py").write_text("a = 1")
    assert measure(*files) == files
    (tmp_path / files[0]).write_text("# another test")
    assert measure(*files) == files[:1]


@pytest.mark.slow
def test_nearly_every_mutant_fails_a_test() -> None:
    seed = int(os.environ.get("ENGANG_MUTATION_SEED") or time.time_ns() % 10**6)
    count = int(os.environ.get("ENGANG_MUTANTS", "12"))
    print(f"\nENGANG_MUTATION_SEED={seed}")
    tried = []
    with course() as ready:
        for module in modules():
            for one in ready.try_mutants(module, count, seed):
                tried.append(one)
                print(one, flush=True)
    print(table(tried))
    survivors = "\n".join(str(one) for one in tried if one.fate == "SURVIVED")
    assert share_caught(tried) >= LEAST_CAUGHT, survivors
