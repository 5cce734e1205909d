"""What runs after every night: announce overdue, parked and rejected deliveries, send events, delete old ones."""

from collections.abc import Callable
from datetime import date, datetime

from flows.events import SUBMISSION_OVERDUE, delete_old_events, deliver_outbox, publish_event
from flows.installation import OSLO, Installation
from flows.monitoring.obligations import obligations
from flows.monitoring.rejected import announce_rejected
from flows.releases import page_note
from infra import telemetry


def announce_overdue(installation: Installation, today: date | None = None) -> list[tuple[str, str, str]]:
    """Publish an event for each missed deadline, once; return (contract, period, sender) of those that are new."""
    announced, page = [], page_note(installation, "coverage.html")
    for o in obligations(installation, today or datetime.now(OSLO).date()):
        for period, sender in o.late:
            data = {"contract": o.contract, "obligation": o.obligation, "period": period, "sender": sender, **page}
            if publish_event(installation, SUBMISSION_OVERDUE, f"{o.contract}/{period}/{sender}", data, once=True):
                announced.append((o.contract, period, sender))
                fields = {"contract": o.contract, "period": period, "sender": sender}
                telemetry.log("watch").info("a delivery is overdue", extra=fields)
    return announced


def send_notifications(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> None:
    """Announce overdue, parked and rejected deliveries, deliver the outbox, and delete old events."""
    from flows.intake.arrivals import announce_parked  # heavy: events alone need no intake

    if parked := announce_parked(installation):
        progress(f"{parked} arrived objects are parked: `engang inbox` shows why")
    if rejected := announce_rejected(installation):
        progress(f"{rejected} files were rejected whole within a week: `engang status` shows why")
    if late := announce_overdue(installation):
        progress(f"{len(late)} deliveries are overdue: `engang status` lists them")
    delivered, failed = deliver_outbox(installation)
    if failed:
        progress(f"{delivered} events delivered, {failed} failed: `engang events` shows why")
    delete_old_events(installation)
