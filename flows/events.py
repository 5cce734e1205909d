"""Events: what happened, as CloudEvents 1.0, sent to the webhook through the outbox and emitted to Prefect as a hint.

No decision depends on an event: the inbox, the landing zone and the ledger hold the state. An event holds ids, counts
and dates, never delivered data.
"""

import json
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from flows.installation import Installation
from infra import telemetry, webhook
from infra.ledger import outbox
from infra.ledger import releases as ledger_releases
from infra.ledger.outbox import Event
from infra.ledger.releases import Release
from infra.ledger.sql import utc_now
from infra.settings import Settings
from schemas.dictionary import dictionary
from schemas.errors import ReleaseRefused, WebhookError
from transforms.package.lineage import LineageRun, lineage_event

SUBMISSION_RECEIVED: Final = "no.engang.submission.received"
SUBMISSION_PARKED: Final = "no.engang.submission.parked"
SUBMISSION_OVERDUE: Final = "no.engang.submission.overdue"
RELEASE_PUBLISHED: Final = "no.engang.release.published"
RELEASE_REFUSED: Final = "no.engang.release.refused"
SITE_PUBLISHED: Final = "no.engang.site.published"
RUN_FAILED: Final = "no.engang.run.failed"
STORAGE_DAMAGED: Final = "no.engang.storage.damaged"
SUBMISSION_REJECTED: Final = "no.engang.submission.rejected"
LINEAGE: Final = "openlineage.run"
"""What a run read and wrote, for a lineage service alone (`ENGANG_OPENLINEAGE`): an event of OpenLineage."""
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
    installation: Installation,
    release: Release,
    also: Callable[[sa.Connection], None] | None,
    contracts: Collection[str] = (),
) -> Iterator[Callable[[sa.Connection], None]]:
    """Give a function that writes the events of a release, and runs `also`, in the release's own transaction.

    The release and its events are committed together or not at all. Prefect gets the event after the block.
    contracts: those of whose submissions any entered or left the release.
    """
    data: dict[str, object] = {"release": release["release"], "digest": release["digest"], "run": release["run_id"]}
    data |= release["counts"]
    settings, key = installation.settings, f"{release['digest']} {release['run_id']}"
    destinations = settings.observability
    event: Event | None = None
    if destinations.webhook or destinations.prefect_api:
        event = make_event(settings, RELEASE_PUBLISHED, f"release/{release['release']}", data, key)
    counts, at = release["counts"], release["published_at"]
    run = LineageRun(destinations.source, str(release["run_id"]), at, release["release"], contracts, counts)
    lineage = _lineage_events(installation, run)

    def _write(connection: sa.Connection) -> None:
        if also is not None:
            also(connection)
        if event is not None and destinations.webhook:
            outbox.add_events(connection, [event])
        outbox.add_events(connection, lineage)

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
        problem = f"the release was refused by {len(checks)} checks"
        run = LineageRun(installation.settings.observability.source, run_id, utc_now(), problem=problem)
        outbox.add_events(installation.engine, _lineage_events(installation, run))
        raise


def _lineage_events(installation: Installation, run: LineageRun) -> list[Event]:
    """Return the event of a run for the lineage service, none where there is no service."""
    if installation.settings.observability.lineage is None:
        return []
    event = lineage_event(run, dictionary(installation.kinds.values()))
    id_ = f"{LINEAGE} {event['run']['runId']} {event['eventType']}"
    return [Event(id_, LINEAGE, f"run/{run.run_id}", json.dumps(event, ensure_ascii=False), run.at)]


class _Receiver(NamedTuple):
    """Where events go: how one is posted, which types go there, and which do not."""

    post: Callable[[bytes], None]
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


def deliver_outbox(installation: Installation, limit: int = 1000) -> tuple[int, int]:
    """Post the due events of the outbox, oldest first; return how many were delivered and how many not.

    Events go to the webhook, what runs read and wrote to the lineage service; one that is away delays the other's by
    nothing. Delivery is at least once. Failed deliveries (any non-2xx response) are retried with back-off of up to one
    hour. A receiver that answers 5xx or not at all ends its round. An event that fails is not posted again within it.
    """
    counts = [_deliver(installation, receiver, limit) for receiver in _receivers(installation.settings)]
    return sum(delivered for delivered, _ in counts), sum(failed for _, failed in counts)


def _receivers(settings: Settings) -> Iterator[_Receiver]:
    to = settings.observability
    if to.webhook is not None:
        yield _Receiver(partial(webhook.post, to.webhook, to.webhook_secret), never=(LINEAGE,))
    if to.lineage is not None:
        yield _Receiver(partial(webhook.post_lineage, to.lineage, to.lineage_key), only=(LINEAGE,))


def _deliver(installation: Installation, receiver: _Receiver, limit: int) -> tuple[int, int]:
    engine, start = installation.engine, utc_now()
    delivered = failed = 0
    while (
        delivered + failed < limit
        and (row := outbox.lease_event(engine, start, only=receiver.only, never=receiver.never)) is not None
    ):
        try:
            receiver.post(row["text"].encode())
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
