"""Events: what happened, as CloudEvents 1.0, sent to the webhook through the outbox and emitted to Prefect as a hint.

No decision depends on an event: the inbox, the landing zone and the ledger hold the state. An event holds ids, counts
and dates, never delivered data.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from flows.installation import Installation
from infra import telemetry, webhook
from infra.ledger import outbox
from infra.ledger import releases as ledger_releases
from infra.ledger.outbox import Event
from infra.ledger.releases import Release
from infra.ledger.sql import utc_now
from infra.settings import Settings
from schemas.errors import ReleaseRefused, WebhookError

SUBMISSION_RECEIVED: Final = "no.engang.submission.received"
SUBMISSION_PARKED: Final = "no.engang.submission.parked"
SUBMISSION_OVERDUE: Final = "no.engang.submission.overdue"
RELEASE_PUBLISHED: Final = "no.engang.release.published"
RELEASE_REFUSED: Final = "no.engang.release.refused"
SITE_PUBLISHED: Final = "no.engang.site.published"
RUN_FAILED: Final = "no.engang.run.failed"
STORAGE_DAMAGED: Final = "no.engang.storage.damaged"
SUBMISSION_REJECTED: Final = "no.engang.submission.rejected"
PERMANENT_TYPES: Final = (SUBMISSION_PARKED, SUBMISSION_OVERDUE)
"""Every night finds these again while they hold, so the outbox never deletes them: each is sent once."""
RETENTION: Final = timedelta(days=90)
"""How long the outbox stores other events after they were delivered."""


def make_event(settings: Settings, type_: str, subject: str, data: Mapping[str, object], key: str = "") -> Event:
    """Return an event of this installation; source, type, subject and key determine its id."""
    from cloudevents.core.formats.json import JSONFormat  # only where an event is sent
    from cloudevents.core.v1.event import CloudEvent

    at = datetime.now(UTC)
    source = settings.observability.source
    id_ = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source}\n{type_}\n{subject}\n{key}"))
    attributes: dict[str, Any] = {"id": id_, "source": source, "type": type_, "subject": subject, "time": at}
    attributes["datacontenttype"] = "application/json"
    text = JSONFormat().write(CloudEvent(attributes, dict(data))).decode()
    return Event(id_, type_, subject, text, at.replace(tzinfo=None))


def publish_event(
    installation: Installation,
    type_: str,
    subject: str,
    data: Mapping[str, object],
    *,
    key: str = "",
    once: bool = False,
) -> bool:
    """Put an event into the outbox, if there is a webhook, and emit it to Prefect, if that is configured.

    With `once` the outbox records it even without a webhook. Returns whether the event is new, as far as recorded.
    """
    destinations = installation.settings.observability
    if not (destinations.webhook or once or destinations.prefect_api):
        return True
    event = make_event(installation.settings, type_, subject, data, key)
    if destinations.webhook or once:
        new = outbox.add_events(installation.engine, [event], is_sent=destinations.webhook is None)
        if not new:
            return False
    emit_to_prefect(installation.settings, event, data)
    return True


def emit_to_prefect(settings: Settings, event: Event, data: Mapping[str, object]) -> None:
    """Emit an event to Prefect, if it is configured. Nothing relies on its arrival, so no failure is raised."""
    if settings.observability.prefect_api is None:
        return
    try:
        from prefect.events import emit_event  # takes seconds: only where Prefect is

        resource = {"prefect.resource.id": f"engang.{event.subject}", "prefect.resource.name": event.subject}
        emit_event(event=event.type, resource=resource, payload=dict(data))
    except Exception as error:  # noqa: BLE001  a hint: whatever Prefect raises, the work goes on
        telemetry.log("events").warning("an event was not emitted to Prefect", extra={"error": type(error).__name__})


@contextmanager
def release_event(
    installation: Installation, release: Release, also: Callable[[sa.Connection], None] | None
) -> Iterator[Callable[[sa.Connection], None]]:
    """Give a function that writes the event of a release, and runs `also`, in the release's own transaction.

    The release and its event are committed together or not at all. Prefect gets the event after the block.
    """
    data: dict[str, object] = {"release": release["release"], "digest": release["digest"], "run": release["run_id"]}
    data |= release["counts"]
    settings, key = installation.settings, f"{release['digest']} {release['run_id']}"
    destinations = settings.observability
    event: Event | None = None
    if destinations.webhook or destinations.prefect_api:
        event = make_event(settings, RELEASE_PUBLISHED, f"release/{release['release']}", data, key)

    def _write(connection: sa.Connection) -> None:
        if also is not None:
            also(connection)
        if event is not None and destinations.webhook:
            outbox.add_events(connection, [event])

    yield _write
    if event is not None:
        emit_to_prefect(settings, event, data)


@contextmanager
def event_on_refusal(installation: Installation, run_id: str) -> Iterator[None]:
    """Publish an event if the block raises `ReleaseRefused`: which checks failed, on which columns. Re-raises it."""
    try:
        yield
    except ReleaseRefused as refused:
        last = ledger_releases.current_release(installation.engine)
        checks = [{name: f.get(name) for name in ("table", "expectation", "column")} for f in refused.failed]
        data = {"run": run_id, "release_stands": last and last["release"], "failed_checks": checks}
        telemetry.log("night").warning("release refused", extra={"run": run_id, "checks": len(checks)})
        publish_event(installation, RELEASE_REFUSED, f"run/{run_id}", data)
        raise


def deliver_outbox(installation: Installation, limit: int = 1000) -> tuple[int, int]:
    """Post the due events of the outbox to the webhook, oldest first; return how many were delivered and how many not.

    Delivery is at least once. Failed deliveries (any non-2xx response) are retried with back-off of up to one hour. A
    receiver that answers 5xx or not at all ends the round. An event that fails is not posted again within the round.
    """
    destinations, engine = installation.settings.observability, installation.engine
    delivered = failed = 0
    start = utc_now()
    while (
        destinations.webhook is not None
        and delivered + failed < limit
        and (row := outbox.lease_event(engine, start)) is not None
    ):
        try:
            webhook.post(destinations.webhook, destinations.webhook_secret, row["text"].encode())
        except WebhookError as error:
            failed += 1
            outbox.mark_failed(engine, row["id"], row["attempts"], str(error))
            fields = {"error": str(error), "event": row["type"]}
            telemetry.log("events").warning("an event was not delivered", extra=fields)
            if not error.refused:
                break
        else:
            delivered += 1
            outbox.mark_sent(engine, row["id"])
    return delivered, failed


def unsent_events(installation: Installation) -> list[dict[str, Any]]:
    """Return the events that wait for the webhook, oldest first: type, subject, at, attempts, not_before, problem."""
    return outbox.read_unsent_events(installation.engine).to_dicts()


def delete_old_events(installation: Installation) -> int:
    """Delete events that were delivered more than `RETENTION` ago, except `PERMANENT_TYPES`; return how many."""
    return outbox.delete_sent_events(installation.engine, utc_now() - RETENTION, PERMANENT_TYPES)
