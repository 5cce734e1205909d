"""README is true: its examples run, its tables are whole, its commands are those that CI runs; nothing names a host."""

import fnmatch
import io
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import typer

from flows.cli.app import COMMANDS, app, main
from flows.installation import Installation, open_installation
from flows.queries.sql import query
from flows.release.export import export_release
from flows.releases import released
from infra.ledger import tables
from schemas.dictionary import renewed
from schemas.errors import UsageError

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w*) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\| `(engang [a-z -]+)` \| (.*) \| `(engang .*)` \|$", re.MULTILINE)
SETTING = re.compile(r"^\| `(ENGANG_\w+)` \|", re.MULTILINE)
PINNED = re.compile(r"([a-z0-9][a-z0-9._-]*)==[0-9][^\s;]*( ; .+)?")
HOST = re.compile(r"pypi[.]|python[h]osted|index[-_]url|find[-]links|file:/{2}[\w/]", re.IGNORECASE)
"""Registries, and files of one machine as URLs: the scheme alone names none."""
LOCAL = re.compile(r"""(?<![\w.}>:/*-])/(?:root|home|work|Users|opt)/""")
UNTRIED = ("engang serve",)
"""What runs until it is stopped: tests/flows starts it."""


@dataclass(frozen=True)
class Ran:
    """One example of README as it ran: the command, the exit code README promises and the one it had, what it said."""

    command: str
    promised: int
    code: int
    output: str


def _setup_lines() -> list[str]:
    return [line for line in README.splitlines() if line.startswith("python3 -m venv")]


def _examples() -> Iterator[tuple[str, str, str]]:
    """Yield (kind, file name or empty, text) of each example in README's order; the table's commands are bash too."""
    found = [(m.start(), m[1], m[2], m[3]) for m in BLOCK.finditer(README)]
    found += [(m.start(), "bash", "", f"{m[3]}  # {m[2]}") for m in COMMAND.finditer(README)]
    yield from (rest for _, *rest in sorted(found))  # type: ignore[misc]


def _run(command: str) -> tuple[int, str]:
    """Run `engang ...` in this process and return its exit code and what it said."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
        patch.setattr(sys, "argv", shlex.split(command))
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0), said.getvalue()
    raise AssertionError(f"{command} did not end")


def _try(line: str, patch: pytest.MonkeyPatch) -> Iterator[Ran]:
    command, _, remark = line.partition("  # ")
    if command.startswith("export "):
        for setting in command.split()[1:]:
            patch.setenv(*setting.split("=", 1))
    elif not command.startswith(UNTRIED):
        told = re.search(r"exit code (\d)", remark)
        yield Ran(command, int(told[1]) if told else 0, *_run(command))


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Ran]]:
    """Run the demo, then every example of README in its order, in a folder of its own."""
    folder, ran = tmp_path_factory.mktemp("tour"), []
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        for name in set(SETTING.findall(README)):
            patch.delenv(name, raising=False)
        ran += _try("engang demo", patch)
        for kind, name, text in _examples():
            if name:
                Path(name).parent.mkdir(exist_ok=True)
                Path(name).write_text(text, encoding="utf-8")
            elif kind == "bash":
                ran += [each for line in text.splitlines() for each in _try(line, patch)]
            elif kind == "python":
                Path("example.py").write_text(text, encoding="utf-8")
                with redirect_stdout(io.StringIO()) as said:
                    runpy.run_path("example.py")
                ran.append(Ran(text, 0, 0, said.getvalue()))
    return folder, ran


def test_every_example_ends_as_promised_and_says_something(tour: tuple[Path, list[Ran]]) -> None:
    _, ran = tour
    assert [r for r in ran if r.code != r.promised] == []
    assert [r.command for r in ran if not r.output.strip()] == []
    assert len(ran) > 20


def test_the_demo_says_what_readme_quotes(tour: tuple[Path, list[Ran]]) -> None:
    said = tour[1][0].output.splitlines()
    quoted = [line for kind, _, text in _examples() if kind == "text" for line in text.splitlines() if line]
    assert quoted
    assert [line for line in quoted if line not in said] == []


def test_the_new_obligation_is_published(tour: tuple[Path, list[Ran]]) -> None:
    (found,) = [r for r in tour[1] if r.command == 'engang query "SELECT unit_name, value, reports FROM observations"']
    assert found.output.split() == ["unit_name", "value", "reports", "Klepp", "19915", "1", "Time", "19106", "1"]


def test_the_new_kind_is_published(tour: tuple[Path, list[Ran]]) -> None:
    said = [" ".join(line.split()) for line in tour[1][-1].output.splitlines()]
    assert said[0] == "call_sign name metres reports conflicting"
    assert said[1:] == ["LK4711 Havbris II 11.8 2 ['name']", "Skarv 1 []", "LM0815 Terna 8.2 1 []"]


def test_the_new_contract_passes_its_own_examples(
    tour: tuple[Path, list[Ran]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGANG_CONTRACTS", str(tour[0] / "contracts"))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    command = [sys.executable, "-m", "pytest", "-k", "folkemengde", "tests/contracts"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


@pytest.fixture(scope="module")
def demo(tour: tuple[Path, list[Ran]]) -> Installation:
    with pytest.MonkeyPatch.context() as patch:
        for name in set(SETTING.findall(README)):
            patch.delenv(name, raising=False)
        return open_installation(tour[0] / ".engang")


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{lake}/observations/new.parquet'",
        "COPY (SELECT 1) TO '{file}'",
        "WITH x AS (COPY (SELECT 1) TO '{file}') SELECT 1",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}'",
        "SELECT 1; COPY (SELECT 1) TO '{file}'",
        "DROP VIEW observations",
        "ATTACH '{lake}/../ledger.db'",
        "SELECT * FROM read_parquet('{lake}/claims/*/*.parquet')",
        "SELECT * FROM read_text('{lake}/../../folkemengde.csv')",
        "SET enable_external_access = true",
        "",
    ],
)
def test_a_query_sees_the_release_and_changes_nothing(demo: Installation, sql: str) -> None:
    lake = demo.settings.lake
    before = {path: path.read_bytes() for path in lake.rglob("*.parquet")}
    file = next(path for path in before if "observations" in path.parts)
    with pytest.raises(UsageError):
        query(demo, sql.format(lake=lake, file=file))
    assert {path: path.read_bytes() for path in lake.rglob("*.parquet")} == before


def test_an_export_replaces_an_earlier_export_and_nothing_else(demo: Installation, tmp_path: Path) -> None:
    release, folder = released(demo, 1), tmp_path / "release"
    assert [export_release(demo, release, folder) for _ in range(2)] == [folder, folder]
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises(UsageError, match="holds no release"):
        export_release(demo, release, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept.txt", "release"]


def test_every_command_is_documented() -> None:
    assert {module.app for module in COMMANDS} == {app}  # importing them makes them known
    assert sorted(m[1] for m in COMMAND.finditer(README)) == sorted(_leaves(typer.main.get_command(app), "engang"))


def _leaves(command: click.Command, path: str) -> Iterator[str]:
    commands = getattr(command, "commands", {})
    for name, below in commands.items():
        yield from _leaves(below, f"{path} {name}")
    if not commands:
        yield path


def test_every_setting_is_documented() -> None:
    rooms = [p for room in ("schemas", "transforms", "infra", "flows") for p in (ROOT / room).rglob("*.py")]
    used = {name for p in rooms for name in re.findall(r"ENGANG_[A-Z0-9_]*[A-Z]", p.read_text(encoding="utf-8"))}
    assert sorted(SETTING.findall(README)) == sorted(used)


def test_the_columns_are_current() -> None:
    assert renewed(README) == README, "run `python -m schemas.dictionary`"
    (told,) = re.findall(r"^`submissions` has a row for every file: (.*?)\.$", README, re.MULTILINE | re.DOTALL)
    assert re.findall(r"`(\w+)`", told) == [column.name for column in tables.submissions.columns]


def test_ci_runs_the_test_command_of_readme() -> None:
    demo_line, test_line = _setup_lines()
    assert test_line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert demo_line.endswith(" && .venv/bin/engang demo")
    assert test_line.endswith(" && .venv/bin/pytest")
    assert test_line.replace("-dev.txt", ".txt").rpartition(" && ")[0] == demo_line.rpartition(" && ")[0]


def test_what_readme_names_is_there() -> None:
    named = set(re.findall(r"`((?:schemas|transforms|infra|flows|tests|\.ci)/[\w./]*)`", README))
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_requirements_are_pinned_and_hold_what_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    run, dev = (_pinned(name) for name in ("requirements.txt", "requirements-dev.txt"))
    assert _names(project["dependencies"]) <= run <= dev
    assert _names(project["optional-dependencies"]["dev"]) <= dev
    assert f"\n## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def _pinned(name: str) -> set[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not PINNED.fullmatch(line)] == []
    return {line.partition("==")[0] for line in lines}


def _names(declared: list[str]) -> set[str]:
    return {re.split(r"[<>=\[;]", line)[0].strip().lower() for line in declared}


def test_no_file_names_a_registry_host_or_a_path_of_one_machine() -> None:
    found = []
    for path in _texts():
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if HOST.search(line) or LOCAL.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert found == []


def _texts() -> Iterator[Path]:
    """Yield every file of the tree that is not ignored."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split()]
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not any(fnmatch.fnmatch(p, i) for p in parts for i in (".git", *ignored)):
            yield path
