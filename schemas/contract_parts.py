"""The parts of all contracts, for claims and records: the sources of texts, the format of the file."""

from typing import Final, Literal, Self

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

    def source_columns(self) -> tuple[str, ...]:
        """Return the columns that it reads."""
        return (self.column,) if self.column else ()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(x is not None for x in (self.column, self.value, self.option)) != 1:
            raise ValueError("give exactly one of column, value, option")
        return self


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
    allowed: tuple[str, ...] | None = None
    """The only senders that may deliver; by default any."""


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
    """Decimal mark of numbers written as text."""
    thousands: Literal[" ", ".", ",", "'"] | None = None
    """Thousands separator of numbers written as text; a space includes NBSP and narrow NBSP."""
    repairs: tuple[Repair, ...] = ()
    """Declared repairs of the text before it is read, in order."""
    rows: str | None = None
    """JSON: path of the list of rows, `a.b`; columns are then `x.y` of the document and `a.b[].z` of a row."""
    sheet: str | None = None
    """XLSX: name of the sheet; by default the first."""
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


class ReportVersion(Strict):
    """The column with the report's own version or time; the highest version of a slot counts."""

    column: str
    """The column."""
    type: Literal["integer", "datetime"] = "integer"
    """How the version is written."""
    format: str | None = None
    """strptime format of a datetime; default ISO 8601."""


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
