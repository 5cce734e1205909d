"""Events: what happened, as CloudEvents 1.0, told through the outbox; to Prefect a hint beside it.

Nothing is decided by an event: the inbox, the landing zone and the ledger say what is so. An event holds ids, counts
and dates, never what was delivered.
"""

import hashlib
import hmac
import http.client
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from flows.installation import Installation
from infra import telemetry
from infra.ledger import outbox
from infra.ledger import submissions as ledger
from infra.ledger.outbox import Event
from infra.ledger.sql import now
from infra.settings import Settings
from schemas.errors import ReleaseRefused

RECEIVED: Final = "no.engang.submission.received"
PARKED: Final = "no.engang.submission.parked"
OVERDUE: Final = "no.engang.submission.overdue"
PUBLISHED: Final = "no.engang.release.published"
REFUSED: Final = "no.engang.release.refused"
RUN_FAILED: Final = "no.engang.run.failed"
LASTING: Final = (PARKED, OVERDUE)
"""What every night finds again for as long as it holds: that it was told is remembered for good."""
KEPT: Final = timedelta(days=90)
"""How long the outbox holds other events after they were told."""
SIGNATURE: Final = "Engang-Signature"
"""The header that says `sha256=` and the HMAC-SHA256 of the body under ENGANG_WEBHOOK_SECRET, in hex."""
TIMEOUT_SECONDS: Final = 10
CLIENT_ERRORS: Final = range(400, 500)
"""The receiver is there and refuses this event: others may pass."""


def event(settings: Settings, type_: str, subject: str, data: Mapping[str, object], key: str = "") -> Event:
    """Return an event of this installation; the same source, type, subject and key are the same event, told once."""
    from cloudevents.core.formats.json import JSONFormat  # noqa: PLC0415  only where something is told
    from cloudevents.core.v1.event import CloudEvent  # noqa: PLC0415  same

    at = datetime.now(UTC)
    source = settings.telling.source
    id_ = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source}\n{type_}\n{subject}\n{key}"))
    told: dict[str, Any] = {"id": id_, "source": source, "type": type_, "subject": subject, "time": at}
    told["datacontenttype"] = "application/json"
    text = JSONFormat().write(CloudEvent(told, dict(data))).decode()
    return Event(id_, type_, subject, text, at.replace(tzinfo=None))


def announce(  # noqa: PLR0913  what an event says
    installation: Installation,
    type_: str,
    subject: str,
    data: Mapping[str, object],
    *,
    key: str = "",
    once: bool = False,
) -> bool:
    """Tell of something: the outbox, if there is a webhook, and a hint to Prefect, if it is there.

    `once`: even with no webhook it is remembered that it was told. Returns whether it is told for the first time, as
    far as that is remembered.
    """
    webhook = installation.settings.telling.webhook
    if not (webhook or once or installation.settings.telling.prefect_api):
        return True
    told = event(installation.settings, type_, subject, data, key)
    if (webhook or once) and not outbox.add(installation.engine, [told], told=webhook is None):
        return False
    hint(installation.settings, told, data)
    return True


def hint(settings: Settings, told: Event, data: Mapping[str, object]) -> None:
    """Emit an event to Prefect, if it is there; whether it arrives nobody relies on."""
    if settings.telling.prefect_api is None:
        return
    try:
        from prefect.events import emit_event  # noqa: PLC0415  takes seconds: only where Prefect is

        resource = {"prefect.resource.id": f"engang.{told.subject}", "prefect.resource.name": told.subject}
        emit_event(event=told.type, resource=resource, payload=dict(data))
    except Exception as error:  # noqa: BLE001  a hint: whatever Prefect raises, the work goes on
        telemetry.log("events").warning("prefect was not told of an event", extra={"error": type(error).__name__})


@contextmanager
def telling_release(
    installation: Installation, release: ledger.Release, also: Callable[[sa.Connection], None] | None
) -> Iterator[Callable[[sa.Connection], None]]:
    """Give what writes the event of a release, and `also`, in its transaction; Prefect is hinted after the block."""
    data: dict[str, object] = {"release": release["release"], "digest": release["digest"], "run": release["run_id"]}
    data |= release["counts"]
    settings, key = installation.settings, f"{release['digest']} {release['run_id']}"
    watched = settings.telling.webhook or settings.telling.prefect_api
    told = event(settings, PUBLISHED, f"release/{release['release']}", data, key) if watched else None

    def _write(connection: sa.Connection) -> None:
        if also is not None:
            also(connection)
        if told is not None and settings.telling.webhook:
            outbox.add(connection, [told])

    yield _write
    if told is not None:
        hint(settings, told, data)


@contextmanager
def telling_refusal(installation: Installation, run_id: str) -> Iterator[None]:
    """Announce it if the block refuses to publish: which checks failed, on which columns; what is raised goes on."""
    try:
        yield
    except ReleaseRefused as refused:
        last = ledger.current_release(installation.engine)
        checks = [{name: f.get(name) for name in ("table", "expectation", "column")} for f in refused.failed]
        data = {"run": run_id, "release_stands": last and last["release"], "failed_checks": checks}
        telemetry.log("night").warning("release refused", extra={"run": run_id, "checks": len(checks)})
        announce(installation, REFUSED, f"run/{run_id}", data)
        raise


def deliver_outbox(installation: Installation, limit: int = 1000) -> tuple[int, int]:
    """Post what the outbox holds to the webhook; return how many were told, and how many not.

    At least once, in order of coming about, as structured JSON (`application/cloudevents+json`). What was not taken is
    tried again after a growing wait; a receiver that is down or does not answer ends the round.
    """
    telling, engine = installation.settings.telling, installation.engine
    told = failed = 0
    while telling.webhook is not None and told + failed < limit and (row := outbox.take(engine)) is not None:
        try:
            _post(telling.webhook, telling.webhook_secret, row["text"].encode())
        except (OSError, http.client.HTTPException) as error:  # every way in which urllib fails
            failed += 1
            problem = _problem(error)
            outbox.failed(engine, row["id"], row["attempts"], problem)
            telemetry.log("events").warning("an event was not taken", extra={"error": problem, "event": row["type"]})
            if not (isinstance(error, urllib.error.HTTPError) and error.code in CLIENT_ERRORS):
                break
        else:
            told += 1
            outbox.sent(engine, row["id"])
    return told, failed


def forget_told(installation: Installation) -> int:
    """Delete from the outbox what was told long ago (`KEPT`) and cannot come about again; return how many."""
    return outbox.forget(installation.engine, now() - KEPT, LASTING)


def _problem(error: Exception) -> str:
    """Return what went wrong, without the URL, which may hold a secret."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the receiver answered {error.code}: expected 2xx"
    reason = getattr(error, "reason", error)
    return f"the receiver does not answer ({type(reason).__name__}): see that ENGANG_WEBHOOK is right and it is up"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is a failure: what is signed goes where the setting says and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:  # noqa: ANN401  urllib's own signature
        """Follow none."""


def _post(url: str, secret: str | None, body: bytes) -> None:
    """Post one event; raises `OSError` unless the receiver answers 2xx."""
    headers = {"Content-Type": "application/cloudevents+json; charset=UTF-8", "User-Agent": "engang"}
    if secret is not None:
        headers[SIGNATURE] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310  settings allow https, and http here
    with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_SECONDS) as answer:
        answer.read(1)
