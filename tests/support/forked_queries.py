"""The process of a query as a fork of one that has imported all it needs: that takes nine tenths of a query's time.

What runs in it, and what it may do, is the product's own. Runs without workers start it in the product's own way.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from functools import cache
from typing import BinaryIO, Final, NoReturn

from infra.lake import query_child, query_process
from infra.settings import query_environment
from tests.support import module_process

HEEDED: Final = ("AWS_", "TZ")


class ForkedQuery:
    """What the product asks of a process that it started: the part of `subprocess.Popen` that it uses."""

    def __init__(self, server: socket.socket) -> None:
        """Ask the server for a fork of itself, with pipes to it."""
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        socket.send_fds(server, [b"q"], [theirs_in, theirs_out])
        self.pid = int.from_bytes(server.recv(8), "little")
        self._process = os.pidfd_open(self.pid)  # it waits for its query, so it is there
        for descriptor in (theirs_in, theirs_out):
            os.close(descriptor)
        self.stdin: BinaryIO = os.fdopen(ours_in, "wb")
        self.stdout: BinaryIO = os.fdopen(ours_out, "rb")

    def wait(self, timeout: float | None = None) -> None:
        """Return once it has ended."""
        if not select.select([self._process], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("query", timeout or 0)

    def kill(self) -> None:
        """End it, if it runs."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def __del__(self) -> None:
        """Forget the process."""
        os.close(self._process)


def use() -> None:
    """Let the queries of this process be run by forks, but those of a test with variables that a query heeds."""
    real = query_process.start_process
    heeded = _heeded_variables()

    def start() -> "ForkedQuery | subprocess.Popen[bytes]":
        return ForkedQuery(_server()) if _heeded_variables() == heeded else real()

    query_process.start_process = start  # type: ignore[assignment]


def _heeded_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(HEEDED)}


@cache
def _server() -> socket.socket:
    """Return a connection to the process that forks itself; it ends with this one."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = module_process.command("tests.support.forked_queries", str(theirs.fileno()))
        environment = query_environment() | {"PYTHONPATH": module_process.environment()["PYTHONPATH"]}
        subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.DEVNULL, env=environment)
    return ours


def _serve(requests: socket.socket) -> None:
    """Fork a process for each request, whose descriptors become its standard input and output."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no one waits for them
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 1, 2)
        if not message:
            return
        pid = os.fork()
        if not pid:
            _answer(requests, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        requests.send(pid.to_bytes(8, "little"))


def _answer(requests: socket.socket, descriptors: list[int]) -> NoReturn:
    """Be the process of one query."""
    try:
        requests.close()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        query_child.main()
    finally:
        os._exit(1)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
