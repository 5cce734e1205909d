"""What every request passes before it is answered: limits of size and time, headers, and errors that quote nothing."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra import telemetry
from infra.settings import LOCAL_HOSTS
from schemas.check_page import CheckPageSettings

FORM_BYTES: Final = 65_536
"""What a request may hold besides the file."""
DISCARD_FACTOR: Final = 4
"""A body over the limit is read and thrown away up to so many times the limit: a browser shows an answer only then."""
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
    "Connection": "close",
}
"""The headers of every answer. A connection serves one request, so that none stays open for nothing."""
FailureAnswer = Callable[[Scope, int], Awaitable[Response]]
"""Gives the answer to a request that failed, by its HTTP status."""


class Guard:
    """The outermost part of the application."""

    def __init__(
        self, app: ASGIApp, limits: CheckPageSettings, failure: FailureAnswer, *, local_only: bool = False
    ) -> None:
        """Take the application, its limits, what answers where it cannot, and whether only this machine may ask.

        With `local_only` a request must name this machine as its host. Else any web page that a browser of this machine
        shows could ask, under a name of its own that leads here (DNS rebinding).
        """
        self._app = app
        self._limits = limits
        self._failure = failure
        self._local_only = local_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request within the limits; whatever goes wrong, an answer is given and no content is logged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        if self._local_only and not _names_this_machine(scope):
            await self._fail(scope, receive, answer, HTTPStatus.MISDIRECTED_REQUEST)
            return
        try:
            async with asyncio.timeout(self._limits.seconds):
                await self._app(scope, _bounded(scope, receive, self._limits.bytes + FORM_BYTES), answer.send)
        except TimeoutError:
            telemetry.log("check_page").warning("a check took too long", extra={"seconds": self._limits.seconds})
            await self._fail(scope, receive, answer, HTTPStatus.SERVICE_UNAVAILABLE)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  a traceback may quote what was delivered
            telemetry.log("check_page").error("a request failed", extra={"error": _where(error)})
            await self._fail(scope, receive, answer, HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _fail(self, scope: Scope, receive: Receive, answer: "_Answer", status: int) -> None:
        if not answer.started:
            response = await self._failure(scope, status)
            await response(scope, receive, answer.send)


class _Answer:
    """Sends an answer with the headers of all answers."""

    def __init__(self, send: Send) -> None:
        self.started = False
        self._send = send

    async def send(self, message: Message) -> None:
        """Send a message of the answer, its first with the headers."""
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _names_this_machine(scope: Scope) -> bool:
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    try:
        return urlsplit(f"//{host}").hostname in LOCAL_HOSTS
    except ValueError:
        return False


def _where(error: Exception) -> str:
    """Return the class of an error and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"


def _bounded(scope: Scope, receive: Receive, most: int) -> Receive:
    """Return the receiver of a body that raises an error of status 413 when the body is larger than `most` bytes."""
    received = 0
    stated = dict(scope["headers"]).get(b"content-length", b"0")
    over = stated.isdigit() and int(stated[:20]) > most

    async def bounded() -> Message:
        """Receive a part of the body; one that is too large is read and thrown away before the error."""
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if over or received > most:
            while message.get("more_body") and received < DISCARD_FACTOR * most:
                message = await receive()
                received += len(message.get("body", b""))
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return bounded
