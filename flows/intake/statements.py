"""What a person states of a delivery besides its content: as of when it holds, which submission it replaces."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from flows.installation import Installation
from flows.intake.deliveries import Delivery
from infra.ledger import submissions as ledger_submissions
from infra.storage import landing
from schemas.errors import UsageError

DAY_LENGTH: Final = len("2024-12-31")


def state(
    installation: Installation, deliveries: Iterable[Delivery], *, as_of: str | None, replaces: str | None
) -> Iterator[Delivery]:
    """Yield the deliveries with what is stated of them; `UsageError` if it cannot be so.

    as_of: a day or time, ISO 8601; it may not be more than a day ahead. replaces: a submission of the same contract and
    sender, which one file replaces.
    """
    time = read_as_of(as_of) if as_of else None
    for number, delivery in enumerate(deliveries):
        if replaces:
            _check_replaceable(installation, delivery, replaces, number)
        yield replace(delivery, as_of=time, replaces=replaces)


def read_as_of(text: str) -> datetime:
    """Return the time that a text states, UTC without a zone; `UsageError` if it is none, or ahead of now.

    A day stands for its end, or for now if it has not ended.
    """
    now = landing.receipt_time().replace(tzinfo=None)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--as-of {text!r} is no day or time: expected one as 2024-12-31") from error
    time = (time.astimezone(UTC) if time.tzinfo else time).replace(tzinfo=None)
    if time > now + timedelta(days=1):
        raise UsageError(f"--as-of {text} is ahead of now: expected a time that has been")
    return min(time + timedelta(days=1, microseconds=-1), now) if len(text) == DAY_LENGTH else time


def _check_replaceable(installation: Installation, delivery: Delivery, replaces: str, number: int) -> None:
    if number:
        raise UsageError("--replaces names what one file replaces: submit the files one at a time")
    found = ledger_submissions.read_submissions(
        installation.engine, ids=[replaces], columns=["contract", "sender"]
    ).rows()
    if (delivery.contract, delivery.sender) not in found:
        raise UsageError(
            f"no submission {replaces!r} of {delivery.sender} under {delivery.contract}: a sender replaces its own "
            "submissions only; ask `engang query` for the submission_id of submissions"
        )
