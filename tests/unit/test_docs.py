"""The pages are true: examples run, tables are whole, links lead somewhere, commands are CI's; no host is named."""

import fnmatch
import io
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import pytest
import typer
from pydantic import TypeAdapter

from flows.cli.app import COMMANDS, app
from flows.installation import Installation, open_installation
from flows.queries.sql import query
from flows.release.export import export_release
from flows.releases import find_release
from infra.ledger import tables
from schemas import reference
from schemas.contract import Contract
from schemas.errors import UsageError
from schemas.kind import Kind
from schemas.strict_yaml import read_mapping
from tests.support.cli_runner import engang

ROOT = Path(__file__).parents[2]
PAGES: Final = ("README.md", "schemas/README.md", "transforms/README.md", "flows/README.md", "infra/README.md")
"""Pages whose examples run here. Those of infra/deploy run in the tests of operating."""
OTHERS: Final = ("CONTRIBUTING.md", "tests/README.md", "infra/deploy/README.md", "infra/deploy/BACKFILL.md")
TEXTS: Final = {page: (ROOT / page).read_text(encoding="utf-8") for page in (*PAGES, *OTHERS, "CHANGELOG.md")}
README: Final = TEXTS["README.md"]
BLOCK = re.compile(r"^```(\w*) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\| `(engang [a-z -]+)` \| (.*) \| `(engang .*)` \|$", re.MULTILINE)
SETTING = re.compile(r"^\| `(ENGANG_\w+)` \|", re.MULTILINE)
SETTINGS: Final = SETTING.findall(TEXTS["infra/README.md"])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PINNED = re.compile(r"([a-z0-9][a-z0-9._-]*)==[0-9][^\s;]*( ; .+)?")
HOST = re.compile(r"pypi[.]|python[h]osted|index[-_]url|find[-]links|file:/{2}[\w/]", re.IGNORECASE)
"""Registries, and files of one machine as URLs: the scheme alone names none."""
LOCAL = re.compile(r"""(?<![\w.}>:/*-])/(?:root|home|work|Users|opt)/""")
NOT_RUN = ("engang serve", "engang check-page")
"""Commands that run until they are stopped: tests/flows and tests/browser start them."""
README_BYTES: Final = 12 * 1024


@dataclass(frozen=True)
class Run:
    """One example as it ran: the command, the exit code that the page promises, the actual one, and the output."""

    command: str
    promised: int
    code: int
    output: str


def _setup_lines() -> list[str]:
    return [line for line in README.splitlines() if line.startswith("python3 -m venv")]


def _examples(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, file name or empty, text) of each example in the page's order; a table's commands are bash too."""
    found = [(m.start(), m[1], m[2], m[3]) for m in BLOCK.finditer(TEXTS[page])]
    found += [(m.start(), "bash", "", f"{m[3]}  # {m[2]}") for m in COMMAND.finditer(TEXTS[page])]
    yield from (example for _, *example in sorted(found))  # type: ignore[misc]


def _engang(command: str) -> tuple[int, str]:
    """Run `engang ...` in this process and return its exit code and its output."""
    result = engang(*shlex.split(command)[1:])
    return result.code, result.out + result.err


def _run(line: str, patch: pytest.MonkeyPatch) -> Iterator[Run]:
    command, _, remark = line.partition("  # ")
    if command.startswith("export "):
        for setting in command.split()[1:]:
            patch.setenv(*setting.split("=", 1))
    elif not command.startswith(NOT_RUN):
        code = re.search(r"exit code (\d)", remark)
        yield Run(command, int(code[1]) if code else 0, *_engang(command))


@pytest.fixture(scope="module")
def demo_folder(demo_run: tuple[Path, str]) -> tuple[Path, Run]:
    """Give the folder in which the demo was run, which every page starts from a copy of, and that run."""
    folder, output = demo_run
    return folder, Run("engang demo", 0, 0, output)


@pytest.fixture(scope="module", params=PAGES)
def tour(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, demo_folder: tuple[Path, Run]
) -> tuple[str, Path, list[Run]]:
    """Run every example of a page in its order, in a folder of its own in which the demo was run."""
    page, folder = request.param, tmp_path_factory.mktemp("tour") / "copy"
    shutil.copytree(demo_folder[0], folder)
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        for name in SETTINGS:
            patch.delenv(name, raising=False)
        return page, folder, list(_run_page(page, patch))


def _run_page(page: str, patch: pytest.MonkeyPatch) -> Iterator[Run]:
    for kind, name, text in _examples(page):
        if name:
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(text, encoding="utf-8")
        elif kind == "bash":
            for line in text.splitlines():
                yield from _run(line, patch)
        elif kind == "python":
            Path("example.py").write_text(text, encoding="utf-8")
            with redirect_stdout(io.StringIO()) as output:
                runpy.run_path("example.py")
            yield Run(text, 0, 0, output.getvalue())


def test_every_example_ends_as_promised_and_prints_something(tour: tuple[str, Path, list[Run]]) -> None:
    page, folder, runs = tour
    assert [r for r in runs if r.code != r.promised] == []
    assert [r.command for r in runs if not r.output.strip()] == []
    assert len(runs) == sum(1 for _ in _runnable(page))
    if page == "schemas/README.md":
        _assert_onboarding(runs)
        _assert_contract_passes_its_examples(folder)


def _runnable(page: str) -> Iterator[str]:
    """Yield the examples of a page that are to run: commands and programs."""
    for kind, name, text in _examples(page):
        if kind == "python" and not name:
            yield text
        if kind == "bash":
            yield from (line for line in text.splitlines() if not line.startswith(("export ", *NOT_RUN)))


def _assert_onboarding(runs: list[Run]) -> None:
    (population,) = [r for r in runs if r.command.endswith('"SELECT unit_name, value, reports FROM observations"')]
    expected = ["unit_name", "value", "reports", "Klepp", "19915", "1", "Time", "19106", "1"]
    assert population.output.split() == expected
    boats = [" ".join(line.split()) for line in runs[-1].output.splitlines()]
    assert boats[0] == "call_sign name metres reports conflicting"
    assert boats[1:] == ["LK4711 Havbris II 11.8 2 ['name']", "Skarv 1 []", "LM0815 Terna 8.2 1 []"]


def _assert_contract_passes_its_examples(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGANG_CONTRACTS", str(folder / "contracts"))
        patch.delenv("PYTEST_ADDOPTS", raising=False)
        command = [sys.executable, "-m", "pytest", "-n", "0", "-k", "folkemengde", "tests/contracts"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_pages_have_examples() -> None:
    assert {page: sum(1 for _ in _runnable(page)) for page in PAGES if page != "infra/README.md"} == {
        "README.md": 4,
        "schemas/README.md": 10,
        "transforms/README.md": 4,
        "flows/README.md": 1 + len(COMMAND.findall(TEXTS["flows/README.md"])) - len(NOT_RUN),
    }


def test_the_demo_prints_what_readme_quotes(demo_folder: tuple[Path, Run]) -> None:
    printed = demo_folder[1].output.splitlines()
    quoted = [line for kind, _, text in _examples("README.md") if kind == "text" for line in text.splitlines() if line]
    assert quoted
    assert [line for line in quoted if line not in printed] == []


def test_readme_is_short() -> None:
    assert len(README.encode()) <= README_BYTES


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_leads_somewhere(page: str) -> None:
    missing = []
    for target in LINK.findall(BLOCK.sub("", TEXTS[page])):
        file, _, anchor = target.partition("#")
        if "://" in target:
            continue
        path = (ROOT / page).parent / file if file else ROOT / page
        if not path.exists() or (anchor and anchor not in _anchors(path.read_text(encoding="utf-8"))):
            missing.append(target)
    assert missing == []


def _anchors(text: str) -> set[str]:
    """Return the anchors that a forge gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def demo(demo_folder: tuple[Path, Run]) -> Installation:
    with pytest.MonkeyPatch.context() as patch:
        for name in SETTINGS:
            patch.delenv(name, raising=False)
        return open_installation(demo_folder[0] / ".engang")


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
    release, folder = find_release(demo, 1), tmp_path / "release"
    assert [export_release(demo, release, folder) for _ in range(2)] == [folder, folder]
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises(UsageError, match="holds no release"):
        export_release(demo, release, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept.txt", "release"]


def test_every_command_is_documented() -> None:
    assert {module.app for module in COMMANDS} == {app}  # importing them makes them known
    documented = COMMAND.findall(TEXTS["flows/README.md"])
    assert sorted(name for name, *_ in documented) == sorted(_leaves(typer.main.get_command(app), "engang"))


def _leaves(command: click.Command, path: str) -> Iterator[str]:
    """Yield the commands; a group that runs by itself is one, unless that is what its `list` does."""
    commands = getattr(command, "commands", {})
    for name, below in commands.items():
        yield from _leaves(below, f"{path} {name}")
    if not commands or ("list" not in commands and getattr(command, "invoke_without_command", False)):
        yield path


def test_every_setting_is_documented() -> None:
    rooms = [p for room in ("schemas", "transforms", "infra", "flows") for p in (ROOT / room).rglob("*.py")]
    used = {name for p in rooms for name in re.findall(r"ENGANG_[A-Z0-9_]*[A-Z]", p.read_text(encoding="utf-8"))}
    assert sorted(SETTINGS) == sorted(used)


def test_the_reference_is_current() -> None:
    page = TEXTS["schemas/README.md"]
    assert reference.renew(page) == page, "run `make reference`"
    (columns,) = re.findall(r"^`submissions` has a row for every file: (.*?)\.$", page, re.MULTILINE | re.DOTALL)
    assert re.findall(r"`(\w+)`", columns) == [column.name for column in tables.submissions.columns]
    (columns,) = re.findall(r"^`record_warnings` has .*? columns\n(.*?)\.$", page, re.MULTILINE | re.DOTALL)
    assert re.findall(r"`(\w+)`", columns) == [c.name for c in tables.record_warnings.columns if c.name != "id"]


@pytest.mark.parametrize("key", reference.UNSHIPPED, ids=".".join)
def test_an_example_of_the_reference_is_valid(key: tuple[str, str]) -> None:
    models = {model.__name__: model for root in (Contract, Kind) for model in reference.models_of(root)}
    model, name = models[key[0]], key[1]
    example = reference.UNSHIPPED[key]
    if not example.startswith("see "):
        TypeAdapter(model.model_fields[name].annotation).validate_python(read_mapping(f"x: {example}", "example")["x"])


def test_every_key_has_an_example_and_a_meaning() -> None:
    rows = [line for text in (reference.contract_reference(), reference.kind_reference()) for line in text.splitlines()]
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows if row.startswith("| `")]
    assert len(cells) > 100
    assert [row for row in cells if len(row) != 5 or not row[3].strip() or not row[4].strip()] == []


def test_ci_runs_the_test_command_of_readme() -> None:
    demo_line, test_line = _setup_lines()
    assert test_line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert demo_line.endswith(" && .venv/bin/engang demo")
    assert test_line.endswith(" && .venv/bin/pytest")
    assert test_line.replace("-dev.txt", ".txt").rpartition(" && ")[0] == demo_line.rpartition(" && ")[0]


@pytest.mark.parametrize("page", [*PAGES, *OTHERS])
def test_files_that_a_page_names_exist(page: str) -> None:
    paths = set(re.findall(r"`((?:schemas|transforms|infra|flows|tests|\.ci)/[\w./]*)`", TEXTS[page]))
    assert [name for name in paths if not (ROOT / name).exists()] == []


def test_requirements_are_pinned_and_hold_what_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    run, dev = (_pinned(name) for name in ("requirements.txt", "requirements-dev.txt"))
    assert _names(project["dependencies"]) <= run <= dev
    assert _names(project["optional-dependencies"]["dev"]) <= dev
    assert _names(project["optional-dependencies"]["dask"]) <= _pinned("requirements-dask.txt") <= dev - run
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
