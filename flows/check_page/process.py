"""The check page as a process of its own, next to one that receives deliveries: a file being tried delays no other.

`python -m infra.child_start flows.check_page.process SOCKET` serves it on a socket that its parent opened, until its
standard input ends.
"""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from flows.check_page.server import listen, serve_check_page
from flows.installation import open_installation
from infra import telemetry
from schemas.check_page import CheckPageSettings

PAGE_MODULE: Final = "flows.check_page.process"
LOOK_SECONDS: Final = 0.5
"""How often the parent looks whether the page still runs."""
RESTART_SECONDS: Final = 10
"""How long it waits before it starts a page again that ended."""
END_SECONDS_OF_PAGE: Final = 10


@contextmanager
def check_page_process(page: CheckPageSettings, environment: Mapping[str, str]) -> Iterator[None]:
    """Serve the page while the block runs, unless it is off; a page that ends is started again.

    Raises `UsageError` if it cannot listen on its address.
    """
    if page.host is None:
        yield
        return
    stop = threading.Event()
    with listen(page.host, page.port) as listener:
        supervisor = threading.Thread(target=_supervise, args=(listener, environment, stop), name="check-page-process")
        supervisor.start()
        try:
            yield
        finally:
            stop.set()
            supervisor.join()


def _supervise(listener: socket.socket, environment: Mapping[str, str], stop: threading.Event) -> None:
    while not stop.is_set():
        command = [sys.executable, "-m", "infra.child_start", PAGE_MODULE, str(listener.fileno())]
        # In a session of its own: Ctrl-C reaches the parent only, and the page ends when its standard input does,
        # however the parent ends.
        page = subprocess.Popen(  # noqa: S603  our own module
            command,
            stdin=subprocess.PIPE,
            env=dict(environment),
            pass_fds=(listener.fileno(),),
            start_new_session=True,
        )
        while page.poll() is None and not stop.wait(LOOK_SECONDS):
            pass
        if stop.is_set():
            _end(page)
        else:
            fields = {"exit_code": page.returncode}
            telemetry.log("check_page").error("the check page ended and is started again", extra=fields)
            stop.wait(RESTART_SECONDS)


def _end(page: "subprocess.Popen[bytes]") -> None:
    if page.stdin is not None:
        page.stdin.close()
    try:
        page.wait(END_SECONDS_OF_PAGE)
    except subprocess.TimeoutExpired:  # a check is under way
        page.kill()
        page.wait()


def main() -> None:
    """Serve the page on the socket of that number until standard input ends."""
    installation = open_installation()
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        serve_check_page(installation, listener, sys.stdin.buffer.read)


if __name__ == "__main__":
    main()
