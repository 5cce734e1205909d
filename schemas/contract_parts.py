"""What contracts are built of, whether they make claims or records: where a text stands, how a file is written."""

import difflib
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.claims import UNIT_KINDS

IDENTIFIER: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
"""What names a contract or a sender: it becomes a folder of the landing zone, so nothing else may."""


class Strict(BaseModel):
    """A mapping of the contract; an unknown key is an error that names the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys_only(cls, given: object) -> object:
        known = [f.alias or name for name, f in cls.model_fields.items()]
        for key in given if isinstance(given, dict) else ():
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.4)
                hint = f"; did you mean {near[0]!r}?" if near else "."
                raise ValueError(f"unknown key {key!r}{hint} Known here: {', '.join(known)}")
        return given


class Take(Strict):
    """Where a text comes from: a column of the row, a constant, or an option of the delivery; then a code map."""

    column: str | None = None
    value: str | None = None
    option: Literal["period", "sender"] | None = None
    map: dict[str, str] | None = None
    """Code -> shared code; a code that is not in it is a reject."""

    def named(self) -> tuple[str, ...]:
        """Return the columns it names."""
        return (self.column,) if self.column else ()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(x is not None for x in (self.column, self.value, self.option)) != 1:
            raise ValueError("give exactly one of column, value, option")
        return self


class Titles(Strict):
    """The obligation's title in Bokmål, Nynorsk and English."""

    nb: str
    nn: str
    en: str


class Sender(Strict):
    """Who delivers: the default when the delivery does not say, and who may."""

    default: str | None = Field(default=None, pattern=IDENTIFIER)
    allowed: tuple[str, ...] | None = None


class Repair(Strict):
    """A declared repair of the text before it is read: a regular expression (RE2), its replacement, and why."""

    pattern: str
    replacement: str
    why: str


class Format(Strict):
    """How the bytes are written."""

    type: Literal["csv", "json", "xlsx", "parquet"]
    delimiter: str = ";"
    quote: str | None = '"'
    encoding: Literal["utf-8", "latin-1", "cp1252", "utf-16"] = "utf-8"
    decimal: Literal[".", ","] = "."
    thousands: Literal[" ", ".", ",", "'"] | None = None
    """A space stands for NBSP and narrow NBSP too."""
    repairs: tuple[Repair, ...] = ()
    rows: str | None = None
    """JSON: path of the list of rows, `a.b`; columns are then `x.y` of the document and `a.b[].z` of a row."""
    sheet: str | None = None
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
    """The reporting unit: where its code or name stands and how it resolves."""

    kind: Literal[UNIT_KINDS] | Take  # type: ignore[valid-type]  # one list of kinds, declared in schemas.claims
    by: Literal["code", "name", "organisation_number"] = "code"
    provisional: bool = False
    """Whether a unit known only by name and in no register becomes a provisional unit."""


class Period(Take):
    """The period: how it is written, and its last day where two cells say it."""

    type: Literal["year", "quarter", "month", "day"]
    format: str | None = None
    """strptime format for `month` and `day`; default %Y-%m and %Y-%m-%d. A quarter is written 2024-Q1 or 2024K1."""
    until: Take | None = None
    """Where the last period stands, for a span: January to March. Same type and format."""


class ReportVersion(Strict):
    """Which column says the report's own version: the highest of a slot stands."""

    column: str
    type: Literal["integer", "datetime"] = "integer"
    format: str | None = None
    """strptime format of a datetime; default ISO 8601."""


class IgnoreRows(Strict):
    """Rows that stand among the units but are none: sums, footnotes. Counted as ignored."""

    column: str
    values: tuple[str, ...] = ()
    pattern: str | None = None
    why: str
