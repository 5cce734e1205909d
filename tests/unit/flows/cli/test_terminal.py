"""What is printed is safe for any terminal, and printed in one way only."""

import re
from pathlib import Path

import pytest

from flows.cli import terminal
from flows.cli.printing.widths import LEAST_WIDTH
from flows.cli.terminal import (
    as_json,
    one_line,
    print_error,
    print_fitted_table,
    print_list,
    print_progress,
    print_table,
    print_text,
)

CLI = Path(__file__).parents[4] / "flows" / "cli"
HOSTILE = "a\x1b]0;eid\x07\x1b[31mRED\x9b2J\u202eevil\u2066\u200f\rx"
UNSAFE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def test_everything_printed_is_safe_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_text(HOSTILE)
    print_progress(HOSTILE)
    print_error(HOSTILE)
    print_table([{HOSTILE: HOSTILE}])
    print_text(as_json({HOSTILE: [HOSTILE]}))
    shown = capsys.readouterr()
    assert shown.out
    assert not UNSAFE.search(shown.out + shown.err)


def test_json_keeps_what_it_escapes() -> None:
    import json

    assert json.loads(as_json({"a": f"{HOSTILE}\U0001f600\U000e0001\n"})) == {"a": f"{HOSTILE}\U0001f600\U000e0001\n"}


@pytest.mark.parametrize(
    ("rows", "json", "expected"),
    [([{"a": 1}], False, "b\n1\n"), ([], False, "none yet\n"), ([{"a": 1}], True, '[\n {\n  "a": 1\n }\n]\n')],
    ids=["a table", "no row", "JSON"],
)
def test_a_list_is_printed_as_json_or_a_table(
    rows: list[dict[str, int]], json: bool, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_list(rows, lambda row: {"b": row["a"]}, empty="none yet", json=json)
    assert capsys.readouterr().out == expected


LONG = {"id": "berries", "n": 12345678901234567890, "definition": "Wild berries that were picked and sold in a year"}


@pytest.mark.parametrize("width", [200, 60, 40])
def test_a_table_fits_the_terminal_and_loses_nothing(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "terminal_width", lambda: width)
    print_fitted_table([LONG, LONG])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= max(width, len("  ".join(["berries", str(LONG["n"]), "x" * LEAST_WIDTH])))
    assert (len(lines) > 3) is (width < 100)
    assert " ".join(lines).split().count("sold") == 2
    print_fitted_table([LONG], shorten=["definition"])
    shown = capsys.readouterr().out.splitlines()
    assert (len(shown), shown[1].endswith("…"), str(LONG["n"]) in shown[1]) == (2, width < 100, True)


def test_a_table_in_a_pipe_is_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_fitted_table([LONG], shorten=["definition"])
    assert capsys.readouterr().out.splitlines()[1].endswith(str(LONG["definition"]))


def test_lines_stay_lines() -> None:
    assert one_line("a\nb\tc") == "a b c"


def test_commands_print_through_the_terminal_module_only() -> None:
    exact = {"query_output.py": 2}  # CSV is exact data where it goes to a file, and begins with its mark
    for path in CLI.rglob("*.py"):
        if path.name != "terminal.py":
            calls = re.findall(r"typer\.s?echo\(|(?<!_)\bprint\(", path.read_text(encoding="utf-8"))
            assert len(calls) == exact.get(path.name, 0), path.name
