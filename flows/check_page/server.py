"""The server: one port, few connections, none of them for long."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from flows.check_page.app import make_app
from flows.installation import Installation
from flows.intake.isolation import start_reader
from schemas.errors import UsageError

CONNECTIONS: Final = 32
"""Open connections; more get status 503."""
HEAD_SECONDS: Final = 10
"""How long the head of a request may take to arrive."""
ANSWER_SECONDS: Final = 60
"""How long an answer may take to be fetched."""
GRACE_SECONDS: Final = 3
BACKLOG: Final = 64


class BoundedProtocol(H11Protocol):
    """HTTP on a connection that is ended when its request does not begin in time, or all of it takes too long.

    uvicorn ends idle connections between two requests only: somebody who sends a byte now and then would hold
    connections for ever.
    """

    most_seconds: float = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin the two clocks."""
        super().connection_made(transport)
        self._clocks = (
            self.loop.call_later(HEAD_SECONDS, self._end_unless_asked),
            self.loop.call_later(self.most_seconds, transport.abort),
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop them."""
        for clock in self._clocks:
            clock.cancel()
        super().connection_lost(exc)

    def _end_unless_asked(self) -> None:
        if self.cycle is None:
            self.transport.abort()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; `UsageError` if the address is taken or none of this machine."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        hint = "give another address with ENGANG_CHECK_PAGE or --port, or set ENGANG_CHECK_PAGE=off"
        raise UsageError(f"the check page cannot listen on {host}:{port} ({error.strerror}): {hint}") from error


def serve_check_page(
    installation: Installation, listener: socket.socket, until: Callable[[], Any] | None = None
) -> None:
    """Serve the page until a signal stops it, or `until` returns; called in the main thread of a process."""
    server = make_server(installation, listener.getsockname()[0])

    def _stop(*_: object) -> None:
        server.should_exit = True

    def _wait() -> None:
        if until is not None:
            until()
            _stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    start_reader()
    threading.Thread(target=_wait, daemon=True).start()
    # uvicorn installs handlers of its own in the main thread and ends the process by the signal: here it ends by 0.
    serving = threading.Thread(target=server.run, args=([listener],), name="check-page")
    serving.start()
    serving.join()


def make_server(installation: Installation, address: str) -> uvicorn.Server:
    """Return the server for a socket of that address, not started."""
    page = installation.settings.check_page
    protocol = type("_Protocol", (BoundedProtocol,), {"most_seconds": HEAD_SECONDS + page.seconds + ANSWER_SECONDS})
    config = uvicorn.Config(
        make_app(installation, local_only=ip_address(address).is_loopback),
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return uvicorn.Server(config)
