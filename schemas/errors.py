"""Every exception class of Engang, one tree.

EngangError                     every error that Engang raises on purpose
├── ContractError               a contract or kind file is wrong: names file, key and the nearest known one
├── SubmissionError             one delivered file cannot be read as its contract says; none of its bytes are lost
├── UnreadError                 reading one delivered file failed, whatever its contract says: the file is parked
├── ChildEnded                  a child process ended before it answered: memory, time or a fault in a library
├── RegisterError               a code-list snapshot is wrong or missing
├── StoreError                  the landing zone, the ledger or the lake cannot do what was asked
│   ├── StoreAwayError          a store or the cluster does not answer or cannot write: not the fault of any delivery
│   ├── CheckEngineError        Great Expectations could not evaluate an expectation
│   ├── WorkersLost             a task of the cluster ended one worker after the other: this process does it alone
│   └── LeaseLost               another worker holds what this one had claimed: nothing of this one's work is stored
├── WebhookError                the webhook's receiver did not take an event; it is posted again later
├── UnreadableMessageError      a message of the arrivals queue is not one of the expected forms
├── CheckPageError              the check page cannot check a file now
│   ├── BusyError               as many checks wait as the settings allow
│   └── SlowCheckError          the files of an upload were not all checked within the time of one check
├── TrainingError               a match model cannot be estimated from the existing reports
├── MartMisfitError             the mart is not what its release publishes: it is loaded from nothing
├── ReleaseRefused              a check failed: nothing was published, the last release remains current
└── UsageError                  a command or function was used wrongly (exit code 2)
    └── OverLimitError          one given file or archive is over a limit: it is left out, the others are received

Every message says what was found, what was expected and what to do.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class EngangError(Exception):
    """The root: catching it catches every error that Engang raises on purpose."""


class ContractError(EngangError):
    """A contract or kind file is wrong."""


@dataclass
class SubmissionError(EngangError):
    """One delivered file cannot be read as its contract says.

    `code` is one of the reasons in `schemas.claims.REASONS`; `row` and `column` are the place, if known.
    """

    code: str
    found: str
    expected: str
    hint: str = ""
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        """Return a sentence: the place, what was found, what was expected, what to do."""
        where = "".join((f" row {self.row}" if self.row else "", f" column {self.column!r}" if self.column else ""))
        return f"{self.code}{where}: found {self.found}, expected {self.expected}. {self.hint}".rstrip()


class UnreadError(EngangError):
    """Reading one delivered file failed, or cost more than its budget; the message quotes nothing delivered."""


@dataclass
class ChildEnded(EngangError):
    """A child process ended before it answered.

    cause: `memory`, `seconds` or `clock` if it was ended beyond a limit, else `crash`. step: what it was at. ended_by:
    its signal or exit code. printed: the end of what it wrote to standard error, which may quote deliveries.
    """

    cause: str
    step: int
    ended_by: str
    printed: str = ""

    def __str__(self) -> str:
        """Return the cause and how the process ended."""
        return f"{self.cause} at step {self.step}, ended by {self.ended_by}"


class RegisterError(EngangError):
    """A code-list snapshot is wrong or missing."""


class StoreError(EngangError):
    """The landing zone, the ledger or the lake cannot do what was asked."""


class StoreAwayError(StoreError):
    """A store or the cluster does not answer, or cannot write: no delivery is blamed for it."""


class CheckEngineError(StoreError):
    """The check engine could not evaluate an expectation: nothing is known of the data."""


class LeaseLost(StoreError):
    """Another worker holds what this one had claimed, because the lease was not renewed; nothing was stored."""


class WorkersLost(StoreError):
    """A task of the cluster ended one worker after the other; nothing of it is stored."""


class UnreadableMessageError(EngangError):
    """A queue message is not one of the expected forms; the error describes its form and quotes none of its content."""


class WebhookError(EngangError):
    """The webhook's receiver did not take an event; `refused`: it works, and answered 4xx to this event."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        """Take the message, which does not hold the URL."""
        super().__init__(message)
        self.refused = refused


class CheckPageError(EngangError):
    """The check page cannot check a file now."""


class BusyError(CheckPageError):
    """As many checks wait as the settings allow."""


class SlowCheckError(CheckPageError):
    """The files of an upload were not all checked within the time of one check."""


class TrainingError(EngangError):
    """A match model cannot be estimated from the existing reports."""


class ReleaseRefused(EngangError):
    """A critical check failed on the staged release; the last release remains current.

    `failed` has for each failed check its table, expectation, column, what was found and what was expected.
    """

    def __init__(self, message: str, failed: Sequence[Mapping[str, object]] = ()) -> None:
        """Take the message and the failed checks."""
        super().__init__(message)
        self.failed = failed


class MartMisfitError(EngangError):
    """What the mart holds is not the release that it names: somebody has changed it."""


class UsageError(EngangError):
    """A command or function was used wrongly."""


class OverLimitError(UsageError):
    """A given file or archive, or what it unpacks to, is over a limit; nothing of it is stored."""

    def __init__(self, filename: str, problem: str) -> None:
        """Take its name, and which limit it is over."""
        super().__init__(f"{filename}: {problem}")
        self.filename = filename
        self.problem = problem


def os_error_number(error: Exception) -> int | None:
    """Return the `errno` in the message of an error of Polars or deltalake, `... (os error 28)`; None without one."""
    match = re.search(r"\(os error (\d+)\)", str(error))
    return int(match[1]) if match else None
