"""The commands of the inbox: what they list, what they try again, what they say where there is no queue."""

import os
import time
from pathlib import Path

import pytest

from tests.support.cli_runner import Ran, Run, engang
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER

NAMES = ("ENGANG_LEDGER", "ENGANG_CODELISTS", "ENGANG_QUEUE", "ENGANG_DEAD_LETTERS", "ENGANG_ARRIVALS")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Give what runs the command in a new home (ENGANG_HOME)."""
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(CONTRACTS))
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return engang


@pytest.fixture
def arrived(tmp_path: Path) -> None:
    """Let a good file, one of an unknown contract and a stray one stand in the arrivals for a while."""
    for key in ("kommune/folketall/f.csv", "kommune/unknown/f.csv", "stray.csv"):
        path = tmp_path / "home" / "arrivals" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + "0301;01.01.2024;g;7;\n", encoding="utf-8")
        os.utime(path, (time.time() - 9, time.time() - 9))


def output_of(ran: Ran) -> str:
    return ran.out + ran.err


@pytest.mark.usefixtures("arrived")
def test_what_arrived_is_noted_received_and_listed(run: Run) -> None:
    assert run("inbox", "poll", "--once", "--json").json == {"new": 3, "messages": 0, "left": 0, "received": 0}
    listed = run("inbox", "list", "--json").json
    assert listed["dead_letters"] is None
    assert {(r["status"], r["sender"]): r["objects"] for r in listed["open"]} == {
        ("parked", "?"): 1,
        ("waiting", "kommune"): 2,
    }
    assert "0 new objects, 1 received" in run("inbox", "poll", "--once", "--drain").out
    output = run("inbox").out
    assert "1 done" in output
    assert "kommune/unknown/f.csv after 1 tries: no contract 'unknown'" in output
    assert "stray.csv after 0 tries" in output


@pytest.mark.usefixtures("arrived")
def test_parked_objects_wait_again(run: Run) -> None:
    run("inbox", "poll", "--once", "--drain")
    first, second = (row["id"] for row in run("inbox", "list", "--json").json["parked"])
    assert run("inbox", "retry", str(first), "--json").json == {"retried": [first]}
    assert "1 parked objects wait again" in run("inbox", "retry", "--all").out
    assert "none of these is parked" in run("inbox", "retry", str(second)).out
    wrong = run("inbox", "retry")
    assert wrong.code == 2
    assert "their numbers, or --all" in output_of(wrong)


@pytest.mark.usefixtures("arrived")
def test_what_is_dismissed_needs_nobody_any_more(run: Run) -> None:
    run("inbox", "poll", "--once", "--drain")
    run("nightly")
    first, second = (row["id"] for row in run("inbox", "list", "--json").json["parked"])
    result = run("inbox", "dismiss", str(first), "--why", "wrong\nname")
    assert (result.code, "--why: expected" in output_of(result)) == (2, True)
    result = run("inbox", "dismiss", str(first), "999", "--why", "wrong name", "--who", "Kari")
    assert "1 parked objects are dismissed; not parked: 999" in result.out
    assert "1 objects are parked" in output_of(run("status"))
    assert run("inbox", "dismiss", str(second), "--why", "no such contract", "--json").json == {"dismissed": [second]}
    ran = run("status")
    assert (ran.code, "parked:" in output_of(ran)) == (0, False), output_of(ran)
    assert run("inbox", "list").out.strip() == "3 done; nothing waits"
    result = run("inbox", "list", "--all").out
    assert f"closed {first}: " in result
    assert "dismissed by Kari: wrong name; parked: " in result
    assert [row["id"] for row in run("inbox", "list", "--all", "--json").json["closed"]] == [second, first]
    assert "closed" not in run("inbox", "list", "--json").json


def test_there_is_nothing_to_redrive_without_a_queue(run: Run) -> None:
    ran = run("inbox", "redrive")
    assert ran.code == 2
    assert "ENGANG_QUEUE" in output_of(ran)


@pytest.mark.usefixtures("arrived")
def test_a_night_receives_what_arrived(run: Run) -> None:
    assert "kommune/folketall" not in output_of(run("nightly"))
    assert run("query", "SELECT filename FROM submissions", "--format", "csv").out.split() == ["filename", "f.csv"]
