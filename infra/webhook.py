"""The webhook's HTTP client: posts one event, signed, and follows no redirect."""

import hashlib
import hmac
import http.client
import urllib.error
import urllib.request
from typing import Any, Final

from schemas.errors import WebhookError

SIGNATURE_HEADER: Final = "Engang-Signature"
"""Holds `sha256=` and the HMAC-SHA256 of the body under the webhook's secret, in hex."""
TIMEOUT_SECONDS: Final = 10
CLIENT_ERRORS: Final = range(400, 500)


def post(url: str, secret: str | None, body: bytes) -> None:
    """Post one CloudEvent, as structured JSON. Raises `WebhookError`, which never quotes the URL: it may hold a secret.

    The error's `refused` is true for a 4xx answer: the receiver works, and refuses this event.
    """
    headers = {"Content-Type": "application/cloudevents+json; charset=UTF-8", "User-Agent": "engang"}
    if secret is not None:
        headers[SIGNATURE_HEADER] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310  settings allow https, and http here
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_SECONDS) as response:
            response.read(1)
    except urllib.error.HTTPError as error:
        refused = error.code in CLIENT_ERRORS
        raise WebhookError(f"the receiver answered {error.code}: expected 2xx", refused=refused) from error
    except (OSError, http.client.HTTPException) as error:  # every other way in which urllib fails
        kind = type(getattr(error, "reason", error)).__name__
        message = f"the receiver does not answer ({kind}): see that ENGANG_WEBHOOK is right and it is up"
        raise WebhookError(message) from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Makes a redirect a failure: a signed event goes to the URL of the setting and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:  # noqa: ANN401  urllib's own signature
        """Follow none."""
