"""The reading process as a fork: to start one and let it import takes ten times as long as to read a small file.

For processes that do steps and are killed in the middle of them. They have imported all that reading needs, and have
not yet used Polars, whose threads a fork would not have. Where the fork ends, the product starts its next reading
process in its own way.
"""

import os
import signal
import sys
from contextlib import suppress
from typing import Any

from flows.intake import isolation
from flows.intake.reader import Reader
from infra import child_process
from infra.child_channel import answer_requests


class ForkedProcess:
    """What the product asks of a process that it started: the part of `subprocess.Popen` that it uses."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return how it ended, None if it runs."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        """Return how it ended, once it has."""
        return self._wait(0)

    def send_signal(self, signal_number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, signal_number)

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            with suppress(ChildProcessError):  # another thread has waited for it, and is about to note how it ended
                ended, status = os.waitpid(self.pid, options)
                self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode


def start() -> None:
    """Start the reading process of this process now, as a fork of it."""
    real = child_process.ChildProcess._launch  # noqa: SLF001  how a process is started, and nothing else, is replaced
    child_process.ChildProcess._launch = _fork  # type: ignore[assignment,method-assign]  # noqa: SLF001
    isolation.start_reader()
    started = isolation._reader._child  # noqa: SLF001  nothing else may run here while it forks
    assert started is not None
    started._launched.wait()  # noqa: SLF001
    child_process.ChildProcess._launch = real  # type: ignore[method-assign]  # noqa: SLF001


def _fork(child: Any) -> ForkedProcess:
    parent, pid = os.getpid(), os.fork()
    if not pid:
        try:
            _read(child, parent)
        finally:
            os._exit(0)
    with suppress(OSError):  # both sides see to it, so that a signal to the group finds it
        os.setpgid(pid, pid)
    child._its.close()  # noqa: SLF001
    return ForkedProcess(pid)


def _read(child: Any, parent: int) -> None:
    """Be the reading process, until the parent ends."""
    with suppress(OSError):
        os.setpgid(0, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for ours, number in ((nothing, 0), (nothing, 1), (child._errors, 2)):  # noqa: SLF001
        os.dup2(ours, number)
    child._own.close()  # noqa: SLF001
    os.chdir("/")
    sys.argv = ["reader", *map(str, (child._its.fileno(), child._page_file, parent))]  # noqa: SLF001
    answer_requests(Reader().read)
