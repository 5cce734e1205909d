"""What the commands print, held against files in `golden/`; `make golden` rewrites them after an intended change."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Final

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from flows.cli.app import app
from tests.support.cli_runner import engang

GOLDEN: Final = Path(__file__).parent / "golden"
RENEW: Final = "RENEW_GOLDEN"
WIDTH: Final = "100"
CHANGING: Final = (
    (r"\b20\d\d-\d\d-\d\d \d\d:\d\d UTC", "<time>"),
    (r"\d+\.\d hours old", "<hours> hours old"),
)
"""What differs from run to run in what is printed, and what the files hold instead."""


def commands(command: object, *names: str) -> Iterator[str]:
    """Yield a command and all below it, as they are typed."""
    yield " ".join(names)
    if isinstance(command, TyperGroup):
        for name, each in command.commands.items():
            yield from commands(each, *names, name)


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the terminal be one without colours and of one width."""
    for name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TERMINAL_WIDTH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": WIDTH, "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def demo(demo_run: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Work in a copy of the demo's folder; give what the demo printed."""
    folder, output = demo_run
    shutil.copytree(folder, tmp_path / "demo")
    for name in [name for name in os.environ if name.startswith("ENGANG_")]:
        monkeypatch.delenv(name)
    with chdir(tmp_path / "demo"):
        yield output.replace(str(folder), "<folder>")


def assert_golden(name: str, output: str) -> None:
    """Compare an output with its file; or write the file, where the environment says so."""
    for pattern, stand_in in CHANGING:
        output = re.sub(pattern, stand_in, output)
    output = "".join(f"{line.rstrip()}\n" for line in output.splitlines())
    file = GOLDEN / f"{name}.txt"
    if os.environ.get(RENEW):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(output, encoding="utf-8")
    assert file.is_file(), f"{file.name} is missing: `make golden` writes it"
    assert output == file.read_text(encoding="utf-8"), f"{file.name} differs: `make golden` after an intended change"


@pytest.mark.parametrize("command", list(commands(get_command(app))))
def test_help(command: str) -> None:
    result = engang(*command.split(), "--help")
    assert (result.code, result.err) == (0, "")
    assert_golden("-".join(["help", *command.split()]), result.out)


def test_no_help_file_is_of_a_command_that_is_no_more() -> None:
    expected = {"-".join(["help", *command.split()]) for command in commands(get_command(app))}
    assert {path.stem for path in GOLDEN.glob("help*.txt")} == expected


def test_demo(demo: str) -> None:
    assert_golden("demo", demo)


@pytest.mark.usefixtures("demo")
def test_status() -> None:
    result = engang("status", "--at", "2025-02-20")
    assert result.err == ""
    assert_golden("status", f"{result.out}exit code {result.code}\n")


@pytest.mark.parametrize("position", [0, 1], ids=["observation", "record"])
def test_explain(demo: str, position: int, request: pytest.FixtureRequest) -> None:
    item = re.findall(r"engang explain (\w+)", demo)[position]
    result = engang("explain", item)
    assert (result.code, result.err) == (0, "")
    assert_golden(f"explain-{request.node.callspec.id}", result.out)
