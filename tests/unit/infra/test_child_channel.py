"""Messages between two processes: bytes and open files, whole or not at all."""

import errno
import mmap
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import child_channel
from infra.child_channel import MOST_FILES, ChildMessage, StepMark, nameless_file, receive_message, send_message
from tests.support.paths import ROOT

Channel = tuple[socket.socket, socket.socket]
LIMITED = """
import sys
from infra.child_channel import limit_file_size
for size in sys.argv[2:]:
    limit_file_size(int(size))
written = 0
with open(sys.argv[1], "wb", buffering=0) as file:
    try:
        while written < 20_000:
            written += file.write(b"x" * 700)
    except OSError as error:
        print(written, error.errno)
"""


@pytest.fixture
def channel() -> Iterator[Channel]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("size", [0, 1, 11, 12, 13, 65_536, 3_000_000])
def test_a_message_of_any_size_arrives_whole(channel: Channel, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    sender = threading.Thread(target=send_message, args=(channel[0], ChildMessage(body[:size])))
    sender.start()
    assert receive_message(channel[1]) == (body[:size], [])
    sender.join()


def test_messages_do_not_run_into_each_other(channel: Channel) -> None:
    for body in (b"first", b"", b"third"):
        send_message(channel[0], ChildMessage(body))
    assert [message.body if (message := receive_message(channel[1])) else None for _ in range(3)] == [
        b"first", b"", b"third",
    ]  # fmt: skip


def test_open_files_cross_and_the_sender_keeps_its_own(channel: Channel) -> None:
    files = [nameless_file() for _ in range(MOST_FILES)]
    for number, file in enumerate(files):
        os.write(file, str(number).encode())
    send_message(channel[0], ChildMessage(b"files", files))
    answer = receive_message(channel[1])
    assert answer is not None
    assert [int(os.pread(file, 9, 0)) for file in answer.files] == list(range(MOST_FILES))
    assert not set(answer.files) & set(files)
    for file in (*files, *answer.files):
        os.close(file)


def test_a_child_answers_until_its_parent_ends(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    page, reply_files, bound = nameless_file(), list[int](), list[int]()
    os.ftruncate(page, mmap.PAGESIZE)

    def answer(request: ChildMessage, mark: StepMark) -> ChildMessage:
        mark.begin(len(reply_files) + 1, 0.5)
        assert [os.pread(file, 9, 0) for file in request.files] == [b"asked"]
        reply_files.append(nameless_file())
        os.write(reply_files[-1], b"answered")
        return ChildMessage(request.body[::-1], reply_files[-1:])

    theirs = channel[1].detach()
    monkeypatch.setattr(sys, "argv", ["module", str(theirs), str(page), "77"])
    monkeypatch.setattr(child_channel, "_bind_to_parent", bound.append)
    child = threading.Thread(target=child_channel.answer_requests, args=(answer,))
    before = count_nameless()
    child.start()
    for body in (b"first", b"second"):
        asked = nameless_file()
        os.write(asked, b"asked")
        send_message(channel[0], ChildMessage(body, [asked]))
        os.close(asked)
        reply = receive_message(channel[0])
        assert reply is not None
        assert (reply.body, os.pread(reply.files[0], 9, 0)) == (body[::-1], b"answered")
        os.close(reply.files[0])
    channel[0].shutdown(socket.SHUT_RDWR)
    child.join()
    assert (count_nameless(), bound) == (before, [77]), "what it was handed and what it handed over is closed"
    assert StepMark(mmap.mmap(page, mmap.PAGESIZE)).read() == (2, 0.5)
    os.close(page)


def count_nameless() -> int:
    """Return how many open files of this process have no name."""
    names = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sum("memfd:engang" in name for name in names)


HEADER = struct.pack(">QI", 5, 0)


@pytest.mark.parametrize("sent", [b"", HEADER[:1], HEADER[:-1], HEADER, HEADER + b"four"])
def test_a_message_of_which_a_part_is_missing_is_none(channel: Channel, sent: bytes) -> None:
    channel[0].sendall(sent)
    channel[0].shutdown(socket.SHUT_WR)
    assert receive_message(channel[1]) is None


def test_a_header_that_comes_in_parts_is_read() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # what is sent at once is received at once
    with ours, theirs:
        for part in (HEADER[:5], HEADER[5:9], HEADER[9:], b"he", b"llo"):
            ours.sendall(part)
        assert receive_message(theirs) == (b"hello", [])


def test_sending_to_who_has_ended_is_an_error(channel: Channel) -> None:
    channel[1].close()
    with pytest.raises(OSError, match="Broken pipe"):
        send_message(channel[0], ChildMessage(b"x" * 100))


def test_a_step_is_read_where_it_was_begun() -> None:
    file = nameless_file()
    os.ftruncate(file, mmap.PAGESIZE)
    child, parent = (StepMark(mmap.mmap(file, mmap.PAGESIZE)) for _ in range(2))
    assert parent.read() == (0, 0.0)
    child.begin(3, 1.5)
    assert parent.read() == (3, 1.5)
    child.begin(4)
    step, used = parent.read()
    assert (step, used > 0) == (4, True)
    child.begin(0, 0.0)
    assert parent.read() == (0, 0.0)
    os.close(file)


def test_a_nameless_file_is_no_file_of_a_folder() -> None:
    file = nameless_file()
    os.write(file, b"content")
    assert os.pread(file, 100, 0) == b"content"
    assert os.fstat(file).st_nlink == 0
    os.close(file)


@pytest.mark.parametrize("sizes", [(6000,), (9000, 5000), (5000, 9000)])
def test_a_file_grows_to_its_limit_and_no_further(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "f"), *map(str, sizes)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(sizes[-1]), str(errno.EFBIG)]
    assert (tmp_path / "f").stat().st_size == sizes[-1]


BOUND = """
import ctypes, os, resource, signal, sys
from infra import child_channel
child_channel._bind_to_parent(os.getppid() + int(sys.argv[1]))
ends_with = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(ends_with))  # PR_GET_PDEATHSIG
print(resource.getrlimit(resource.RLIMIT_CORE), signal.getsignal(signal.SIGINT) == signal.SIG_IGN, ends_with.value)
print(open("/proc/self/oom_score_adj").read().strip())
"""


@pytest.mark.parametrize(("other", "printed", "code"), [(0, "(0, 0) True 9\n1000\n", 0), (1, "", 1)])
def test_a_child_leaves_no_core_and_ends_where_its_parent_has_ended(other: int, printed: str, code: int) -> None:
    command = [sys.executable, "-c", BOUND, str(other)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, printed, "")
