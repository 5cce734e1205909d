"""The channel between a child process and its parent, and the child's side of it.

A message is bytes, and descriptors of open files next to them. A large content crosses in a file without a name.
"""

import ctypes
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

MOST_FILES: Final = 200
"""Open files that one message may carry; the kernel takes 253."""
_HEADER: Final = struct.Struct(">QI")
_STEP: Final = struct.Struct(">Id")
_SET_PARENT_DEATH_SIGNAL: Final = 1


class ChildMessage(NamedTuple):
    """Bytes, and descriptors of open files: who receives a message closes them, who sends one keeps its own."""

    body: bytes
    files: Sequence[int] = ()


@dataclass(frozen=True)
class Limits:
    """What one request may cost: resident bytes, processor seconds of each step, seconds by the clock."""

    memory: int
    step_seconds: Sequence[float]
    wall_seconds: float


@dataclass
class StepMark:
    """The step that a child is at, in memory that its parent reads."""

    page: mmap.mmap

    def begin(self, step: int, processor_seconds: float | None = None) -> None:
        """Begin a step; `processor_seconds` is what the process has used until now."""
        used = time.process_time() if processor_seconds is None else processor_seconds
        _STEP.pack_into(self.page, 0, step, used)

    def read(self) -> tuple[int, float]:
        """Return the current step, and the processor seconds that the process had used when it began."""
        step, used = _STEP.unpack_from(self.page, 0)
        return int(step), float(used)


Handler: TypeAlias = Callable[[ChildMessage, StepMark], ChildMessage]
"""How a child answers a request: it marks the steps that it begins."""


def nameless_file() -> int:
    """Return the descriptor of a new file without a name, in memory where the system can."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("engang")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def send_message(channel: socket.socket, message: ChildMessage) -> None:
    """Send a message; raises `OSError` if the other side has ended."""
    header = _HEADER.pack(len(message.body), len(message.files))
    socket.send_fds(channel, [header], list(message.files))
    channel.sendall(message.body)


def receive_message(channel: socket.socket) -> ChildMessage | None:
    """Return the next message, None if the other side has ended."""
    header, files, _, _ = socket.recv_fds(channel, _HEADER.size, MOST_FILES)
    header += _read_exactly(channel, _HEADER.size - len(header)) if header else b""
    if len(header) < _HEADER.size:
        return None
    size, _ = _HEADER.unpack(header)
    body = _read_exactly(channel, size)
    return ChildMessage(body, files) if len(body) == size else None


def _read_exactly(channel: socket.socket, size: int) -> bytes:
    """Return so many bytes, fewer if the other side ends."""
    parts: list[bytes] = []
    while size and (part := channel.recv(min(size, 1 << 20))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def answer_requests(answer: Handler) -> None:
    """Answer the parent's requests until the parent ends: the main loop of a child process."""
    channel_number, page_number, parent = map(int, sys.argv[1:4])
    _bind_to_parent(parent)
    channel = socket.socket(fileno=channel_number)
    mark = StepMark(mmap.mmap(page_number, mmap.PAGESIZE))
    while (request := receive_message(channel)) is not None:
        reply = answer(request, mark)
        for file in request.files:
            os.close(file)
        send_message(channel, reply)
        for file in reply.files:
            os.close(file)


def limit_file_size(size: int) -> None:
    """Let no file that this process writes grow beyond a size: a larger write raises `OSError`."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size if most == resource.RLIM_INFINITY else min(size, most), most))


def _bind_to_parent(parent: int) -> None:
    """End with the parent, leave no core file, ignore Ctrl-C, and be the first to end where memory runs out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if os.getppid() != parent:  # it ended before the signal was asked for
        os._exit(1)
