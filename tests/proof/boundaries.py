"""The boundaries of a process: every call that leaves it is counted, and before the chosen one the process dies.

What is outside before a call is what was there after the call before it, so no death between two is left out. Deaths
inside of a call (a Delta commit is many files) are by `kill_after`, or at a request by `fault_proxy`.
"""

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import deltalake
import psycopg
import sqlalchemy as sa

from flows.intake import isolation
from infra import child_process

if TYPE_CHECKING:
    import subprocess

DEATH = signal.SIGKILL
READ = "read"
"""The boundary at which the reading process has a request, and has not begun."""
FILES = {"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree", "shutil.move"}
COMMITS = ("restore", "delete", "merge", "update", "vacuum", "create_checkpoint")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
HARMLESS = ("/dev/", "/proc/", "/sys/")


class Boundaries:
    """Counts the calls that leave its process, by name, and ends it before the n-th."""

    def __init__(self, kill_at: int | None, kill_reader: tuple[str, int] | None = None) -> None:
        self.kill_at = kill_at
        self.kill_reader = kill_reader
        self.ticks: list[str] = []
        self.with_reader: list[int] = []
        """the numbers of the calls before which there was a reading process"""
        self.readers_killed = 0
        self.lock = threading.Lock()

    def tick(self, name: str) -> None:
        """Count a call that is about to leave the process."""
        with self.lock:
            self.ticks.append(name)
            if _reading_process() is not None:
                self.with_reader.append(len(self.ticks))
            if self.kill_at is not None and len(self.ticks) >= self.kill_at:
                os.kill(os.getpid(), DEATH)
            if self.kill_reader is not None and self._count(name) == self.kill_reader[1] and not self.readers_killed:
                self._end_reader()

    def _count(self, name: str) -> int:
        """Return how many calls of the kind to kill at there were, 0 if this is none of them."""
        kind = self.kill_reader[0] if self.kill_reader else ""
        return len(self.ticks) if not kind else self.ticks.count(kind) * (name == kind)

    def _end_reader(self) -> None:
        process = _reading_process()
        if process is not None:
            self.readers_killed += 1
            os.kill(process.pid, DEATH)

    def before(self, owner: object, name: str, label: str | None = None) -> None:
        """Count a function's calls."""
        real = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self.tick(label or name)
            return real(*args, **kwargs)

        setattr(owner, name, watched)

    def watch(self) -> None:
        """Count from now on: files, Delta commits, SQL, S3 and SQS, from any caller."""
        import botocore.httpsession

        sys.addaudithook(self._audit)
        self.before(os, "fsync")
        for module in [m for n, m in sys.modules.items() if n.startswith(("infra", "flows"))]:
            if getattr(module, "write_deltalake", None) is deltalake.write_deltalake:
                self.before(module, "write_deltalake", "delta write")
        for name in COMMITS:
            self.before(deltalake.DeltaTable, name, f"delta {name}")
        self.before(deltalake.table.TableOptimizer, "compact", "delta compact")
        self.before(botocore.httpsession.URLLib3Session, "send", "http")
        self.before(psycopg.Cursor, "copy", "COPY")
        self._watch_requests()
        sa.event.listen(sa.Engine, "commit", lambda _: self.tick("commit"))
        sa.event.listen(sa.Engine, "before_cursor_execute", self._statement)

    def _watch_requests(self) -> None:
        """Count what is asked of the reading process once it has the request; meanwhile it stands still."""
        real = child_process.send_message  # type: ignore[attr-defined]

        def send_message(socket: Any, message: Any) -> None:
            process = isolation._reader.start()._process  # noqa: SLF001  to hold it, and to end it
            assert process is not None
            process.send_signal(signal.SIGSTOP)
            real(socket, message)
            self.tick(READ)
            process.send_signal(signal.SIGCONT)

        child_process.send_message = send_message  # type: ignore[assignment,attr-defined]

    def _statement(self, *arguments: Any) -> None:
        verb = arguments[2].split(maxsplit=1)[0]
        if verb not in {"PRAGMA", "BEGIN"}:  # they leave nothing behind
            self.tick(verb)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        leaves = event in FILES or (event == "open" and _writes(args))
        if leaves and not str(args[0]).startswith(HARMLESS):
            self.tick(event)


def _reading_process() -> "subprocess.Popen[bytes] | None":
    """Return the reading process, None if there is none that runs."""
    child = isolation._reader._child  # noqa: SLF001  to end it from outside
    process = None if child is None else child._process  # noqa: SLF001
    return process if process is not None and process.poll() is None else None


def _writes(args: tuple[Any, ...]) -> bool:
    _, mode, flags = args
    return bool(flags & WRITES) if mode is None else any(c in str(mode) for c in "wax+")
