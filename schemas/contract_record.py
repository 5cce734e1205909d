"""How the rows of a delivery become records: what says whose report a row is of, and what each of its fields is."""

from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.contract_parts import Strict, Take


class FieldTake(Take):
    """Where a field's value comes from, and how it is written there."""

    columns: tuple[str, ...] = ()
    """Several cells: texts are joined by one space, empty ones left out; of a date or time none may be empty, else
    there is none; of a list each is an element."""
    flags: dict[str, str] = Field(default_factory=dict)
    """For a list: column -> the element it stands for where its cell says `true` (after `map`)."""
    separator: str | None = None
    """For a list: what stands between the elements of one cell."""
    format: str | None = None
    """strptime format of a date or time; default ISO 8601."""
    scale: Decimal = Field(default=Decimal(1), gt=0)
    """What one stands for: 1000 when the form is filled in thousands."""
    decimals: int | None = Field(default=None, ge=0, le=8)
    """For a number: to how many decimals it is rounded. Without it, one of more than nine cannot be read."""
    missing_values: tuple[str, ...] = ()
    """Texts of a cell that mean that it is empty."""
    required: bool = False
    """Whether a row without a value is rejected."""
    unreadable: Literal["reject", "warn", "empty"] = "reject"
    """What becomes of a row whose value cannot be read: rejected, or kept without this value, with or without a warning
    (without, where another field keeps the text)."""

    def named(self) -> tuple[str, ...]:
        """Return the columns it names."""
        return (*super().named(), *self.columns, *self.flags)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        told = (self.column is not None, self.value is not None, self.option is not None, bool(self.columns))
        if sum((*told, bool(self.flags))) != 1:
            raise ValueError("give exactly one of column, columns, flags, value, option")
        return self


class RecordSpec(Strict):
    """The record that a row makes, or a part of it: rows with the same reporter and key in one file are one report."""

    kind: str
    reported_by: Take = Take(option="sender")
    report_key: tuple[str, ...] = Field(min_length=1)
    """The columns that tell one report by a reporter from the next; none may be empty."""
    row_key: str | None = None
    """What the delivery itself calls the row: kept, and compared by nothing."""
    fields: dict[str, FieldTake] = Field(min_length=1)
    precedence: int | None = Field(default=None, ge=0, le=32767)
    """Rank when the values of reports tie, lowest first."""
    confidential: Take | None = None

    def takes(self) -> list[Take]:
        """Return every `Take` of the record."""
        return [t for t in (self.reported_by, self.confidential, *self.fields.values()) if t is not None]

    def keys(self) -> list[str]:
        """Return the columns of the keys."""
        return [*self.report_key, *([self.row_key] if self.row_key else [])]
