"""A child process is watched: it ends beyond its limits of memory or time, and with its parent."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import child_process
from infra.child_channel import ChildMessage, Limits, nameless_file
from infra.child_process import ChildProcess
from schemas.errors import ChildEnded, StoreError

MODULE = "tests.support.answering_child"
AMPLE = Limits(memory=2**40, step_seconds=[1e6], wall_seconds=1e6)
PARENT = f"""
import json, os, signal
from infra.child_channel import ChildMessage
from infra.child_process import ChildProcess
from tests.unit.infra.test_child_process import AMPLE
child = ChildProcess({MODULE!r})
child.start()
print(child.request(ChildMessage(b'{{"do": "answer"}}'), AMPLE).body.decode(), flush=True)
child._limits = AMPLE
import threading; threading.Thread(target=child.request, args=(ChildMessage(b'{{"do": "wait"}}'), AMPLE)).start()
input()
"""


@pytest.fixture
def child() -> Iterator[ChildProcess]:
    process = ChildProcess(MODULE)
    process.start()
    yield process
    process.stop()


def ask(child: ChildProcess, order: dict[str, object], limits: Limits = AMPLE) -> ChildMessage:
    return child.request(ChildMessage(json.dumps(order).encode()), limits)


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it ended before its file was opened, or while it was read
        return False


def test_a_child_answers_with_bytes_and_files_again_and_again(child: ChildProcess) -> None:
    files = [nameless_file(), nameless_file()]
    os.write(files[0], b"first")
    os.write(files[1], b"second")
    pids = set()
    for _ in range(3):
        answer = child.request(ChildMessage(b'{"do": "answer"}', files), AMPLE)
        pids.add(answer.body)
        assert os.pread(answer.files[0], 100, 0) == b"first+second"
        os.close(answer.files[0])
    assert (len(pids), child.requests) == (1, 3)
    assert child.memory > 0
    for file in files:
        os.close(file)


@pytest.mark.parametrize(
    ("do", "limits", "cause", "ended_by"),
    [
        ("memory", Limits(300 * 2**20, [1e6], 1e6), "memory", "signal 9"),
        ("seconds", Limits(2**40, [1e6, 0.2], 1e6), "seconds", "signal 9"),
        ("wait", Limits(2**40, [1e6], 0.3), "clock", "signal 9"),
        ("abort", AMPLE, "crash", "signal 6"),
        ("leave", AMPLE, "crash", "exit code 7"),
    ],
)
def test_a_child_that_exceeds_a_limit_or_crashes_ends_and_says_why(
    child: ChildProcess, do: str, limits: Limits, cause: str, ended_by: str
) -> None:
    ask(child, {"do": "answer"})
    began = time.monotonic()
    with pytest.raises(ChildEnded) as ended:
        ask(child, {"do": do, "step": 1}, limits)
    assert time.monotonic() - began < child_process.END_SECONDS / 2, "it is watched from the request's beginning on"
    assert (ended.value.cause, ended.value.step, ended.value.ended_by) == (cause, 1, ended_by)
    with pytest.raises(ChildEnded):
        ask(child, {"do": "answer"})


def test_an_idle_child_that_was_killed_is_missed_at_once_and_watched_by_nobody(child: ChildProcess) -> None:
    os.kill(int(ask(child, {"do": "answer"}).body), signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(ChildEnded):
        ask(child, {"do": "answer"})
    child._watcher.join(child_process.END_SECONDS / 2)  # noqa: SLF001  nothing else shows whether it has ended
    assert time.monotonic() - began < child_process.END_SECONDS / 2


def test_an_idle_child_costs_its_parent_nothing(child: ChildProcess) -> None:
    ask(child, {"do": "answer"})
    began = time.process_time()
    time.sleep(1)
    assert time.process_time() - began < 0.7, "it does not look all the time"


def test_each_step_has_its_own_processor_seconds(child: ChildProcess) -> None:
    with pytest.raises(ChildEnded) as ended:
        ask(child, {"do": "seconds", "step": 2}, Limits(2**40, [1e6, 1e6, 0.1], 1e6))
    assert ended.value.step == 2


def test_what_earlier_requests_used_counts_for_none_after_them(child: ChildProcess) -> None:
    ask(child, {"do": "half a second"})
    assert ask(child, {"do": "answer", "late": 0.2}, Limits(2**40, [0.4], 1e6)).body


def test_a_child_that_works_ends_when_it_is_stopped() -> None:
    process = ChildProcess(MODULE)
    process.start()
    pid = int(ask(process, {"do": "answer"}).body)

    def work() -> None:
        with pytest.raises(ChildEnded):
            ask(process, {"do": "wait"})

    working = threading.Thread(target=work)
    working.start()
    time.sleep(0.1)
    process.stop()
    end = time.monotonic() + child_process.END_SECONDS / 2
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_alive(pid)
    working.join()


def test_each_request_begins_at_the_first_step(child: ChildProcess) -> None:
    ask(child, {"do": "answer", "step": 2})
    with pytest.raises(ChildEnded) as ended:
        child.request(ChildMessage(b"no order"), AMPLE)  # it ends before it marks a step
    assert (ended.value.step, ended.value.cause, ended.value.ended_by) == (0, "crash", "exit code 1")
    assert "JSONDecodeError" in ended.value.printed


def test_a_child_gets_no_secret_and_no_folder_of_the_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("ENGANG_LEDGER", "postgresql://user:secret@host/db")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("raise SystemExit('the current folder was searched for modules')")
    process = ChildProcess(MODULE)
    process.start()
    environment = json.loads(ask(process, {"do": "environment"}).body)
    process.stop()
    assert environment["cwd"] == "/"
    assert not [name for name in environment if name.startswith(("AWS", "ENGANG"))]


def test_ctrl_c_is_the_parent_s(child: ChildProcess) -> None:
    assert ask(child, {"do": "ignored"}).body == b"True"


def test_a_child_ends_with_its_parent_even_while_it_works() -> None:
    root = Path(child_process.__file__).parents[1]
    command = [sys.executable, "-c", PARENT]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    for _ in range(1_000):
        if not is_alive(pid):
            break
        time.sleep(0.02)
    assert not is_alive(pid)


def test_a_child_that_cannot_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    process = ChildProcess(MODULE)
    process.start()
    with pytest.raises(StoreError, match="cannot start"):
        ask(process, {"do": "answer"})
    process.stop()


@pytest.mark.parametrize(("code", "words"), [
    (None, "exit code None"), (0, "exit code 0"), (7, "exit code 7"), (-9, "signal 9"), (-1, "signal 1"),
])  # fmt: skip
def test_how_a_process_ended_is_said_in_words(code: int | None, words: str) -> None:
    assert child_process._ended_by(code) == words  # noqa: SLF001  no process ends in each of these ways at will
