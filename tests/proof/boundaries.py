"""The boundaries of a process: every call that leaves it is counted, and before the chosen one the process dies.

What is outside before a call is what was there after the call before it, so no death between two is left out. Deaths
inside of a call (a Delta commit is many files) are by `kill_after`, or at a request by `fault_proxy`.
"""

import os
import signal
import sys
import threading
from typing import Any

import deltalake
import psycopg
import sqlalchemy as sa

DEATH = signal.SIGKILL
FILES = {"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree", "shutil.move"}
COMMITS = ("restore", "delete", "merge", "update", "vacuum", "create_checkpoint")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
HARMLESS = ("/dev/", "/proc/", "/sys/")


class Boundaries:
    """Counts the calls that leave its process, by name, and ends it before the n-th."""

    def __init__(self, kill_at: int | None) -> None:
        self.kill_at = kill_at
        self.ticks: list[str] = []
        self.lock = threading.Lock()

    def tick(self, name: str) -> None:
        """Count a call that is about to leave the process."""
        with self.lock:
            self.ticks.append(name)
            if self.kill_at is not None and len(self.ticks) >= self.kill_at:
                os.kill(os.getpid(), DEATH)

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
        sa.event.listen(sa.Engine, "commit", lambda _: self.tick("commit"))
        sa.event.listen(sa.Engine, "before_cursor_execute", self._statement)

    def _statement(self, *arguments: Any) -> None:
        verb = arguments[2].split(maxsplit=1)[0]
        if verb not in {"PRAGMA", "BEGIN"}:  # they leave nothing behind
            self.tick(verb)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        leaves = event in FILES or (event == "open" and _writes(args))
        if leaves and not str(args[0]).startswith(HARMLESS):
            self.tick(event)


def _writes(args: tuple[Any, ...]) -> bool:
    _, mode, flags = args
    return bool(flags & WRITES) if mode is None else any(c in str(mode) for c in "wax+")
