"""A child process that answers requests one at a time, watched: it is ended beyond its limits of memory or time.

Messages cross a pair of sockets, and content crosses in files without a name: nothing is left on a disk,
however a process ends.
`infra.child_channel` is the child's side. A child ends when its parent does.
"""

import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, Self

from infra.child_channel import ChildMessage, Limits, StepMark, nameless_file, receive_message, send_message
from infra.settings import child_environment
from schemas.errors import ChildEnded, StoreError

WATCH_SECONDS: Final = 0.02
"""How often a busy child's memory and processor time are read."""
END_SECONDS: Final = 10
"""How long a child that closed its socket may take to end by itself."""
ERROR_BYTES: Final = 2_000
"""How much of what a child printed is shown when it did not start."""
_START: Final = "infra.child_start"
_PROC_BYTES: Final = 4096
_ROOT: Final = Path(__file__).parents[1]
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class ChildProcess:
    """A process that runs a module of ours. One request at a time: the caller sees to that."""

    def __init__(self, module: str) -> None:
        """Take the module's full name; nothing is started yet."""
        self.module = module
        self.requests = 0
        self._own, self._its = socket.socketpair()
        self._page_file = nameless_file()
        os.ftruncate(self._page_file, mmap.PAGESIZE)
        self._mark = StepMark(mmap.mmap(self._page_file, mmap.PAGESIZE))
        self._errors = nameless_file()
        self._process: subprocess.Popen[bytes] | None = None
        self._problem: OSError | None = None
        self._launched, self._wake = threading.Event(), threading.Event()
        self._limits: Limits | None = None
        self._began = 0.0
        self._cause: str | None = None
        self._is_ending = False
        self._watcher = threading.Thread(target=self._run, name=f"watch-{module}", daemon=True)

    def start(self) -> None:
        """Start the process and return at once: it is ready by the time a request needs it."""
        self._watcher.start()

    def request(self, message: ChildMessage, limits: Limits) -> ChildMessage:
        """Return the answer to a request. Raises `ChildEnded` if the process ends first, whatever ended it."""
        self._launched.wait()
        if self._problem is not None:
            raise StoreError(f"the reading process cannot start ({self._problem}); free some memory or processes")
        self.requests += 1
        # Until the child marks its first step, what it used for earlier requests would count as used for this one.
        self._mark.begin(0, self._processor_seconds())
        try:
            send_message(self._own, message)
            self._began, self._limits = time.monotonic(), limits
            self._wake.set()
            answer = receive_message(self._own)
        except OSError:
            answer = None
        finally:
            self._limits = None
        if answer is None:
            raise self._ended()
        return answer

    def stop(self) -> None:
        """End the process, without waiting."""
        with suppress(OSError):
            self._own.shutdown(socket.SHUT_RDWR)
        self._wake.set()
        self._kill()

    @property
    def memory(self) -> int:
        """The resident bytes of the process now, files not counted; 0 where the system has no `/proc`."""
        if self._process is None:
            return 0
        with _Usage(self._process.pid) as usage:
            return usage.resident()

    def _processor_seconds(self) -> float:
        if self._process is None:
            return 0.0
        with _Usage(self._process.pid) as usage:
            return usage.processor_seconds()

    def _run(self) -> None:
        # The kernel ends the child when the thread that started it ends (PR_SET_PDEATHSIG), so the thread that starts
        # it is the one that watches it to its end, and no thread of a pool that a batch leaves behind.
        try:
            self._process = self._launch()
        except OSError as error:
            self._problem = error
            self._launched.set()
            return
        self._launched.set()
        with _Usage(self._process.pid) as usage:
            while self._process.poll() is None:
                limits = self._limits
                if limits is None and not self._is_ending:
                    self._wake.wait(END_SECONDS)
                    self._wake.clear()
                elif limits is not None and (cause := self._exceeded(limits, usage)):
                    self._cause = cause
                    self._kill()
                    self._process.wait()
                else:
                    time.sleep(WATCH_SECONDS)

    def _launch(self) -> subprocess.Popen[bytes]:
        handed = (self._its.fileno(), self._page_file)
        command = [sys.executable, "-P", "-m", _START, self.module, *map(str, handed), str(os.getpid())]
        process = subprocess.Popen(  # noqa: S603  our own module, in our own interpreter
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=handed,
            env=child_environment(_ROOT),
            cwd="/",
            process_group=0,
        )
        self._its.close()
        return process

    def _exceeded(self, limits: Limits, usage: "_Usage") -> str | None:
        """Return which limit the child exceeds, if any."""
        if usage.resident() > limits.memory:
            return "memory"
        step, began = self._mark.read()
        if usage.processor_seconds() - began > limits.step_seconds[min(step, len(limits.step_seconds) - 1)]:
            return "seconds"
        return "clock" if time.monotonic() - self._began > limits.wall_seconds else None

    def _kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _ended(self) -> ChildEnded:
        self._is_ending = True
        self._wake.set()
        self._watcher.join(END_SECONDS)
        self._kill()  # it closed its socket, and did not end
        self._watcher.join()
        code = self._process.returncode if self._process else None
        step, _ = self._mark.read()
        return ChildEnded(cause=self._cause or "crash", step=step, ended_by=_ended_by(code), printed=self._printed())

    def _printed(self) -> str:
        size = os.fstat(self._errors).st_size
        return os.pread(self._errors, ERROR_BYTES, max(0, size - ERROR_BYTES)).decode("utf-8", "replace")


def _ended_by(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return f"signal {-code}"


class _Usage:
    """What a process uses, read in open files of `/proc`: to open them each time costs ten times as much."""

    def __init__(self, pid: int) -> None:
        self._files = ExitStack()
        self._memory, self._times = self._open(pid, "statm"), self._open(pid, "stat")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def _open(self, pid: int, name: str) -> int | None:
        try:
            file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
        except OSError:
            return None
        self._files.callback(os.close, file)
        return file

    def resident(self) -> int:
        """Return the resident bytes, files not counted; 0 if the process has ended, or without `/proc`."""
        fields = _fields(self._memory)
        return (int(fields[1]) - int(fields[2])) * mmap.PAGESIZE if fields else 0

    def processor_seconds(self) -> float:
        """Return the processor seconds used, 0 if the process has ended, or without `/proc`."""
        fields = _fields(self._times)
        return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def _fields(file: int | None) -> list[bytes]:
    """Return the fields of a file of `/proc`, counted after a command's name in parentheses; none if there is none."""
    if file is None:
        return []
    try:
        return os.pread(file, _PROC_BYTES, 0).rpartition(b")")[2].split()
    except OSError:
        return []
