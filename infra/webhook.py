"""The HTTP client of events: posts one to the webhook, signed, or to a lineage service, and follows no redirect."""

import hashlib
import hmac
import http.client
import io
import socket
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import WebhookError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SIGNATURE_HEADER: Final = "Engang-Signature"
"""Holds `sha256=` and the HMAC-SHA256 of the body under the webhook's secret, in hex."""
TIMEOUT_SECONDS: Final = 10
"""How long the receiver may take to accept the event, and as long again for the whole answer."""
CLIENT_ERRORS: Final = range(400, 500)


def post(url: str, secret: str | None, body: bytes) -> None:
    """Post one CloudEvent, as structured JSON. Raises `WebhookError`, which never quotes the URL: it may hold a secret.

    The error's `refused` is true for a 4xx answer: the receiver works, and refuses this event.
    """
    headers = {"Content-Type": "application/cloudevents+json; charset=UTF-8"}
    if secret is not None:
        headers[SIGNATURE_HEADER] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    _post(url, headers, body, "ENGANG_WEBHOOK")


def post_lineage(url: str, key: str | None, body: bytes) -> None:
    """Post one event of OpenLineage, with the service's API key if it has one. Raises as `post` does."""
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    _post(url, headers, body, "ENGANG_OPENLINEAGE")


def _post(url: str, headers: dict[str, str], body: bytes, setting: str) -> None:
    headers = {**headers, "User-Agent": "engang"}
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310  settings allow https, and http here
    try:
        with urllib.request.build_opener(*_HANDLERS).open(request, timeout=TIMEOUT_SECONDS) as response:
            response.read(1)
    except urllib.error.HTTPError as error:
        refused = error.code in CLIENT_ERRORS
        raise WebhookError(f"the receiver answered {error.code}: expected 2xx", refused=refused) from error
    except (OSError, http.client.HTTPException) as error:  # every other way in which urllib fails
        kind = type(getattr(error, "reason", error)).__name__
        message = f"the receiver does not answer ({kind}): see that {setting} is right and it is up"
        raise WebhookError(message) from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Makes a redirect a failure: a signed event goes to the URL of the setting and nowhere else."""

    def http_error_302(self, *_: Any, **__: Any) -> None:
        """Follow none, and do not even parse where it leads."""

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


# A socket's own limit is for each read: a receiver that sends a byte a second would hold the night for hours. So what
# is read of an answer gets the time that is remaining of the whole.


class _UntilDeadline(io.RawIOBase):
    """The bytes of an answer, until its time is over."""

    def __init__(self, connection: socket.socket, answer: io.RawIOBase) -> None:
        self._connection, self._answer = connection, answer
        self._end = time.monotonic() + TIMEOUT_SECONDS

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        """Read what has come, as many bytes as fit; `TimeoutError` when the time is over."""
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the answer took too long")
        self._connection.settimeout(remaining)
        return self._answer.readinto(buffer)

    def close(self) -> None:
        """Close the answer too."""
        self._answer.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_UntilDeadline(sock, self.fp.detach()))


class _Http(http.client.HTTPConnection):
    response_class = _Answer


class _Https(http.client.HTTPSConnection):
    response_class = _Answer


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        """Open a connection whose answer ends in time."""
        return self.do_open(_Http, request)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        """Open a connection whose answer ends in time."""
        return self.do_open(_Https, request)


_HANDLERS: Final = (_NoRedirects, _HttpHandler, _HttpsHandler)
