"""The errors of Engang, one tree.

EngangError
├── ContractError      a contract file is wrong: names file, key and the nearest known one
├── SubmissionError    one delivered file cannot be read as its contract says; nothing of it is lost
│   └── RowError       one row cannot be read: becomes a reject, never leaves the parser
├── RegisterError      a code-list snapshot is wrong or missing
├── StoreError         the landing zone, the ledger or the lake cannot do what was asked
│   └── LeaseLost      another worker holds what was claimed: nothing of this was kept, the other does it
├── ReleaseRefused     a check failed: nothing was published, the last release stands
└── UsageError         a command was used wrongly (exit code 2)

Every message says what was found, what was expected and what to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class EngangError(Exception):
    """The root: catching it catches every error that Engang raises on purpose."""


class ContractError(EngangError):
    """A contract file is wrong."""


class RegisterError(EngangError):
    """A code-list snapshot is wrong or missing."""


class StoreError(EngangError):
    """The landing zone, the ledger or the lake cannot do what was asked."""


class LeaseLost(StoreError):  # noqa: N818  the design's word for it
    """Another worker holds what this one had claimed, since it did not renew its lease; nothing of this was kept."""


class TrainingError(EngangError):
    """A match model cannot be estimated from the reports there are."""


class ReleaseRefused(EngangError):  # noqa: N818  the design's word for it
    """A critical check failed on the staged release; the last release stands.

    `failed` says of each failed check its table, expectation, column, what was found and what was expected.
    """

    def __init__(self, told: str, failed: Sequence[Mapping[str, object]] = ()) -> None:
        """Take the message and the failed checks."""
        super().__init__(told)
        self.failed = failed


class UsageError(EngangError):
    """A command or function was used wrongly."""


@dataclass
class SubmissionError(EngangError):
    """One delivered file cannot be read as its contract says.

    `code` is one of the reasons in `schemas.claims.REASONS`; `row` and `column` say where, if known.
    """

    code: str
    found: str
    expected: str
    hint: str = ""
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        """Say where, what was found, what was expected, what to do."""
        where = "".join((f" row {self.row}" if self.row else "", f" column {self.column!r}" if self.column else ""))
        return f"{self.code}{where}: found {self.found}, expected {self.expected}. {self.hint}".rstrip()
