"""How the rows of a delivery become records: reporter and key of each row's report, and the source of each field."""

from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.contract_parts import Strict, Take, check_zone


class FieldTake(Take):
    """The source of a field's value, and how it is written there."""

    columns: tuple[str, ...] = ()
    """Several cells. Texts are joined by one space, without the empty ones; a date or time is empty if any cell is; in
    a list each cell is an element."""
    flags: dict[str, str] = Field(default_factory=dict)
    """For a list: column -> the element that it adds where its cell is `true` (after `map`)."""
    separator: str | None = None
    """For a list: the text between the elements of one cell."""
    format: str | None = None
    """strptime format of a date or time; default ISO 8601."""
    century: int | None = Field(default=None, ge=1000, le=2900)
    """The first of the hundred years that years of two digits (`%y`) denote: 1930 for 1930 to 2029. Without it they are
    rejected."""
    time_zone: str | None = None
    """The zone of a date and time, `Europe/Oslo`, from which it is converted to UTC; by default it is UTC."""
    scale: Decimal = Field(default=Decimal(1), gt=0)
    """The factor: 1000 when the form is filled in thousands."""
    decimals: int | None = Field(default=None, ge=0, le=8)
    """For a number: round it to this many decimals. Without it, a number with more than nine cannot be read."""
    missing_values: tuple[str, ...] = ()
    """Texts that mean an empty cell."""
    required: bool = False
    """Whether a row without a value is rejected."""
    unreadable: Literal["reject", "warn", "empty"] = "reject"
    """What to do with a row whose value cannot be read: reject it, or leave this value empty, with or without a warning
    (without, if another field has the text)."""

    def source_columns(self) -> tuple[str, ...]:
        """Return the columns that it reads."""
        return (*super().source_columns(), *self.flags)

    @model_validator(mode="after")
    def _has_a_zone(self) -> Self:
        check_zone(self.time_zone)
        return self

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        sources = (self.column is not None, self.value is not None, self.option is not None, bool(self.columns))
        if sum((*sources, bool(self.flags))) != 1:
            raise ValueError("give exactly one of column, columns, flags, value, option")
        return self


class RecordSpec(Strict):
    """The record that a row makes, or a part of it: rows with the same reporter and key in one file are one report."""

    kind: str
    """The record kind."""
    reported_by: Take = Take(option="sender")
    """Whose report the row is."""
    report_key: tuple[str, ...] = Field(min_length=1)
    """The columns that identify a report among those of its reporter; none may be empty."""
    report_key_of: Literal["sender", "reporter"] = "sender"
    """Whose reports the key identifies: those of a sender and reporter, or those of a reporter by any sender.
    With `reporter` the senders of the contract correct and withdraw each other's reports."""
    row_key: str | None = None
    """The column with the delivery's own name of the row: stored, never compared."""
    fields: dict[str, FieldTake] = Field(min_length=1)
    """Fields of the kind, and where their values come from."""
    precedence: int | None = Field(default=None, ge=0, le=32767)
    """Rank when the values of reports tie, lowest first."""
    confidential: Take | None = None
    """Whether the sender marks the report as confidential: a map to `true`, `false`."""

    def takes(self) -> list[Take]:
        """Return every `Take` of the record."""
        return [t for t in (self.reported_by, self.confidential, *self.fields.values()) if t is not None]

    def keys(self) -> list[str]:
        """Return the columns of the keys."""
        return [*self.report_key, *([self.row_key] if self.row_key else [])]
