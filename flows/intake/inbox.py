"""The inbox for the people who look after it: what waits, what is parked and why, dead letters; retry and redrive."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.attribution import attribution
from flows.installation import Installation
from infra.inbox import work_queue
from schemas.errors import UsageError

if TYPE_CHECKING:
    from infra.inbox.sqs import Queue


@dataclass(frozen=True)
class InboxListing:
    """What the inbox holds.

    done: how many objects are done. open: a row per status and sender (status, sender, objects, bytes, oldest).
    parked, closed: the newest objects of each, with the reason. dead_letters: how many messages there are, and the
    reasons of some; None without a dead-letter queue.
    """

    done: int
    open: list[dict[str, Any]]
    parked: list[dict[str, Any]]
    closed: list[dict[str, Any]]
    dead_letters: dict[str, Any] | None


def list_inbox(installation: Installation, limit: int) -> InboxListing:
    """Return what the inbox holds, with at most `limit` parked and `limit` closed objects."""
    engine = installation.engine
    letters = open_dead_letter_queue(installation)
    return InboxListing(
        done=work_queue.count_done(engine),
        open=work_queue.count_open(engine).to_dicts(),
        parked=work_queue.list_parked(engine, limit).to_dicts(),
        closed=work_queue.list_closed(engine, limit).to_dicts(),
        dead_letters=None if letters is None else letters.dead_letters()._asdict(),
    )


def retry_parked(installation: Installation, ids: Collection[int] | None = None) -> list[int]:
    """Let parked objects (all by default) wait to be received again; return the ids of those that were parked."""
    return work_queue.requeue_parked(installation.engine, ids)


def dismiss_parked(installation: Installation, ids: Collection[int], *, why: str, who: str | None = None) -> list[int]:
    """Dismiss parked objects, with the reason and who decided it (default: this user); return those that were parked.

    Raises `UsageError` for a name or a reason that cannot be stored.
    """
    return work_queue.mark_dismissed(installation.engine, ids, **attribution(who, why))


def open_dead_letter_queue(installation: Installation, *, fail_fast: bool = False) -> "Queue | None":
    """Return the dead-letter queue, None if there is none. With `fail_fast` it answers within seconds or raises."""
    from infra.inbox.sqs import open_queue  # only where there is a queue

    url = installation.settings.dead_letters
    return None if url is None else open_queue(url, installation.settings.arrivals, fail_fast=fail_fast)


def redrive_dead_letters(installation: Installation) -> int:
    """Move the dead letters back to the queue; return how many. `UsageError` if there is no queue."""
    queue, letters = installation.settings.queue, open_dead_letter_queue(installation)
    if queue is None or letters is None:
        raise UsageError("there is no queue: set ENGANG_QUEUE and ENGANG_DEAD_LETTERS to the URLs of both")
    return letters.redrive(queue)
