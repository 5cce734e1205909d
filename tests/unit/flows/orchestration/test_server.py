"""The Prefect server that a killed `engang serve` has left is stopped; no other process is."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.orchestration.server import PID_FILE, SERVER_MODULE, stop_orphan

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
STARTER = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL).pid)"


def orphan(*arguments: str) -> int:
    """Return the number of a process whose parent has ended."""
    done = subprocess.run([sys.executable, "-c", STARTER, *SLEEPER, *arguments], stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


def lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / PID_FILE


def test_a_server_without_its_parent_is_stopped(file: Path) -> None:
    pid = orphan(SERVER_MODULE)
    file.write_text(f"{pid} 999999999", encoding="ascii")
    stop_orphan(file)
    until = time.monotonic() + 60
    while lives(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not lives(pid)
    stop_orphan(file)  # there is no such process


def test_a_server_whose_parent_lives_and_another_process_are_left_alone(file: Path) -> None:
    server = subprocess.Popen([*SLEEPER, SERVER_MODULE])
    other = orphan("something.else")
    try:
        for pid, parent in ((server.pid, os.getpid()), (other, 999999999)):
            file.write_text(f"{pid} {parent}", encoding="ascii")
            stop_orphan(file)
            assert lives(pid)
    finally:
        for pid in (server.pid, other):
            os.kill(pid, 9)
        server.wait()


@pytest.mark.parametrize("text", ["", "x", "1", "1 2 3"])
def test_a_file_that_states_nothing_stops_nothing(file: Path, text: str) -> None:
    stop_orphan(file)
    file.write_text(text, encoding="ascii")
    stop_orphan(file)
