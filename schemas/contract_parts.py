"""The parts of all contracts, for claims and records: the sources of texts, the format of the file."""

from typing import Any, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.claims import UNIT_KINDS
from schemas.suggestions import did_you_mean

IDENTIFIER: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
"""The pattern of contract and sender names: they become folders of the landing zone."""


class Strict(BaseModel):
    """A mapping of the contract; an unknown key is an error that names the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys_only(cls, given: object) -> object:
        known = [f.alias or name for name, f in cls.model_fields.items()]
        for key in given if isinstance(given, dict) else ():
            if key not in known:
                hint = did_you_mean(str(key), known)
                unknown = f"unknown key {key!r}" + (f"; {hint}" if hint else ".")
                raise ValueError(f"{unknown} Known here: {', '.join(known)}")
        return given


Personal: TypeAlias = Literal["pseudonymise", "drop", "keep"]
"""What is done with personal data before anything but the landing zone holds it."""


class Take(Strict):
    """Where a text comes from: a column of the row, a constant, or an option of the delivery; then a code map."""

    column: str | None = None
    """A column of the row."""
    value: str | None = None
    """A constant."""
    option: Literal["period", "sender"] | None = None
    """An option of the delivery."""
    map: dict[str, str] | None = None
    """Code -> shared code; a code that is not in the map is a reject."""
    personal: Personal | None = None
    """Whether its columns hold personal data: `pseudonymise` or `drop` them before anything else reads them, or `keep`
    them. Pseudonyms need the setting ENGANG_PSEUDONYM_KEY."""

    def source_columns(self) -> tuple[str, ...]:
        """Return the columns that it reads."""
        return (self.column,) if self.column else ()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(x is not None for x in (self.column, self.value, self.option)) != 1:
            raise ValueError("give exactly one of column, value, option")
        return self


def without_unset(fields: Any, key: str) -> Any:  # noqa: ANN401  JSON
    """Return a dumped model without a key where it is not set: digests from before the key existed remain valid."""
    if isinstance(fields, dict):
        return {k: without_unset(v, key) for k, v in fields.items() if k != key or v is not None}
    return [without_unset(value, key) for value in fields] if isinstance(fields, list) else fields


class Titles(Strict):
    """The obligation's title in Bokmål, Nynorsk and English."""

    nb: str
    """Title in Bokmål."""
    nn: str
    """Title in Nynorsk."""
    en: str
    """Title in English."""


class Sender(Strict):
    """Who delivers: the default when a delivery names no sender, and who may."""

    default: str | None = Field(default=None, pattern=IDENTIFIER)
    """The sender of a delivery that names none."""
    allowed: tuple[str, ...] | Literal["any"] | None = None
    """The only senders that may deliver, besides the default one; `any` is for everybody. By default the default sender
    alone: without that either, the contract is in error."""
    speaks_for: dict[str, tuple[str, ...] | Literal["any"]] | None = None
    """Sender -> the reporters that it may name besides itself, or `any`. A row of another reporter is rejected. By
    default each sender may name any reporter; it corrects and withdraws its own statements only."""

    def may_deliver(self, sender: str) -> bool:
        """Return whether a sender may deliver."""
        return self.allowed == "any" or sender == self.default or sender in (self.allowed or ())

    def known(self) -> tuple[str, ...]:
        """Return the senders that the contract names, in order; empty for `any`."""
        listed = () if self.allowed == "any" else self.allowed or (self.default,)
        return tuple(sender for sender in listed if sender is not None)


class Repair(Strict):
    """A declared repair of the text before it is read: a regular expression (RE2), its replacement, and why."""

    pattern: str
    """Regular expression (RE2)."""
    replacement: str
    """Replacement text; `$1` is the first group."""
    why: str
    """Why the repair is needed."""


class Format(Strict):
    """How the bytes are written."""

    type: Literal["csv", "json", "xlsx", "parquet"]
    """The file format."""
    delimiter: str = ";"
    """CSV: the character between fields."""
    quote: str | None = '"'
    """CSV: the quote character; null for none."""
    encoding: Literal["utf-8", "latin-1", "cp1252", "utf-16"] = "utf-8"
    """Encoding of text files."""
    decimal: Literal[".", ","] = "."
    """Decimal mark of numbers written as text; number cells of JSON, XLSX and Parquet need none."""
    thousands: Literal[" ", ".", ",", "'"] | None = None
    """Thousands separator of numbers written as text; a space includes NBSP and narrow NBSP."""
    repairs: tuple[Repair, ...] = ()
    """Declared repairs of the text before it is read, in order."""
    rows: str | None = None
    """JSON: path of the list of rows, `a.b`; columns are then `x.y` of the document and `a.b[].z` of a row."""
    sheet: str | None = None
    """XLSX: name of the sheet; by default the first that is not hidden."""
    header_row: int = Field(default=1, ge=1)
    """CSV and XLSX: the record that names the columns."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.type == "json" and self.rows is None:
            raise ValueError("JSON needs `rows`, the path of the list of rows")
        if len(self.delimiter.encode()) != 1 or (self.quote is not None and len(self.quote.encode()) != 1):
            raise ValueError("delimiter and quote are one ASCII character each")
        if self.thousands == self.decimal:
            raise ValueError("thousands and decimal may not be the same character")
        return self


class Unit(Take):
    """The reporting unit: the source of its code or name, and how it is resolved."""

    kind: Literal[UNIT_KINDS] | Take  # type: ignore[valid-type]  # one list of kinds, declared in schemas.claims
    """The kind of reporting unit, or where the row states it."""
    by: Literal["code", "name", "organisation_number"] = "code"
    """What the cell holds."""
    provisional: bool = False
    """Whether a unit known only by name and in no register becomes a provisional unit."""


class Period(Take):
    """The period: how it is written, and the source of its end where two cells give it."""

    type: Literal["year", "quarter", "month", "day"]
    """Length of the period."""
    format: str | None = None
    """strptime format for `month` and `day`; default %Y-%m and %Y-%m-%d. A quarter is written 2024-Q1 or 2024K1."""
    until: Take | None = None
    """The source of the last period of a span (January to March); same type and format."""


HIGHEST_VERSION: Final = 99_999_999_999_999
"""The limit of whole numbers as versions where the contract states none: 14 digits, as in 20240131235959."""


class ReportVersion(Strict):
    """The column with the report's own version or time; of a sender's statements the highest version counts."""

    column: str
    """The column."""
    type: Literal["integer", "datetime"] = "integer"
    """How the version is written. A time more than a day after the delivery was received is rejected."""
    format: str | None = None
    """strptime format of a datetime; default ISO 8601."""
    max: int = Field(default=HIGHEST_VERSION, ge=0, le=2**59)
    """The greatest whole number that is accepted as a version; its negative is the least."""


class IgnoreRows(Strict):
    """Rows between the units that are not units: sums, footnotes. Counted as ignored."""

    column: str
    """The column to look at."""
    values: tuple[str, ...] = ()
    """Exact texts of rows to ignore."""
    pattern: str | None = None
    """Regular expression (RE2) that the whole text matches."""
    why: str
    """Why these rows are ignored."""
