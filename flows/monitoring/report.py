"""What a status holds: its parts, as plain values."""

from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, TypedDict

from flows.monitoring.obligations import Obligation
from flows.monitoring.rejected import RejectedFiles


class InboxStatus(TypedDict):
    """The inbox: objects by state, the oldest that waits, the senders that wait, parked objects, the two queues.

    queue, dead_letters: how many messages, None without such a queue, or the error if it does not answer.
    """

    waiting: int
    leased: int
    parked: int
    oldest_waiting: datetime | None
    senders_waiting: dict[str, int]
    parked_objects: list[dict[str, Any]]
    queue: int | str | None
    dead_letters: int | str | None


class ReleaseStatus(TypedDict):
    """The current release and the submissions that the last nightly has not seen."""

    release: int | None
    digest: str | None
    published_at: datetime | None
    age_hours: float | None
    waiting: int
    oldest_waiting: datetime | None


class NightlyStatus(TypedDict):
    """The last nightly, the start of the last one that succeeded, and how many were refused or failed since.

    open: nightlies without an end (run_id, started_at, dead): they run, or their process died (`dead`). message: why
    the last one that was refused or failed since was.
    """

    last: dict[str, Any] | None
    last_done: datetime | None
    message: str | None
    open: list[dict[str, Any]]
    refused_since: int
    failed_since: int


class OutboxStatus(TypedDict):
    """Events that are not delivered: how many, since when, and the last error."""

    unsent: int
    oldest: datetime | None
    problem: str | None


class RecordWarning(TypedDict):
    """Something that the record linkage of the current release left out, for example a block over the limit."""

    kind: str
    what: str
    detail: str
    count: int


@dataclass(frozen=True)
class Status:
    """The state of the installation. `problems` has one sentence for each thing that needs a person."""

    at: datetime
    today: date
    obligations: list[Obligation]
    undeclared: list[str]
    """Contracts that declare no due date."""
    inbox: InboxStatus
    release: ReleaseStatus
    nightly: NightlyStatus
    outbox: OutboxStatus
    record_warnings: list[RecordWarning]
    """Warnings are no problems: they do not change the exit code."""
    rejected: list[RejectedFiles]
    """Files that were rejected whole, by contract and reason, since the last release or for a week."""
    person_numbers: list[str]
    """Contracts under which person numbers were delivered in columns that are not declared as personal."""
    storage: list[str]
    """What is missing or damaged in lake or landing zone."""
    register: list[str]
    """Rejected rows that would pass now, because the register has their units since."""
    suspect_units: list[str]
    """Names of provisional units that look like a sum (`Totalt`): a contract does not skip its sum rows."""
    erasures: list[str]
    """Submissions whose erasure was begun and is not finished."""
    intake_seen: datetime | None
    """When a served worker last looked for arrivals; None if none does, or all were stopped as they should be."""
    contracts: list[str] = field(default_factory=list)
    """Contracts that read no delivery, and why: a wrong file, a change without a new version, an example that fails."""
    mart: list[str] = field(default_factory=list)
    """Why the mart was not brought to the last release, and what else of it could not be published."""
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)
