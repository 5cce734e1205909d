"""The parts of all contracts, for claims and records: the sources of texts, the format of the file."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, Self, TypeAlias
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
        accepted = {*known, *(cls.model_fields if cls.model_config.get("populate_by_name") else ())}
        for key in given if isinstance(given, dict) else ():
            if key not in accepted:
                hint = did_you_mean(str(key), known)
                unknown = f"unknown key {key!r}" + (f"; {hint}" if hint else ".")
                raise ValueError(f"{unknown} Known here: {', '.join(known)}")
        return given


WIDEST_CODE: Final = 32
"""The most digits that a padded code may have."""
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
    columns: tuple[str, ...] | None = None
    """Several columns of the row, their texts joined; empty if one of them is."""
    between: str | None = None
    """The text between those of several columns; by default none (in a record's field one blank)."""
    extract: str | None = None
    """Regular expression (RE2) with one group, which is what is read of a cell that matches: `^([0-9]{4}) .*` of `0301
    Oslo`. Another cell is read whole."""
    pad: int | tuple[int, ...] | None = None
    """How many digits a number has that is a code: zeros are put before shorter ones. For several columns one width, or
    one for each."""
    map: dict[str, str] | None = None
    """Code -> shared code; a code that is not in the map is a reject."""
    map_default: str | None = None
    """What a code becomes that is not in the map."""
    unmapped: Literal["reject", "keep"] | None = None
    """What to do with a code that is not in the map: reject it (the default), or keep it as it is."""
    personal: Personal | None = None
    """Whether its columns hold personal data: `pseudonymise` or `drop` them before anything else reads them, or `keep`
    them. Pseudonyms need the setting ENGANG_PSEUDONYM_KEY."""

    def source_columns(self) -> tuple[str, ...]:
        """Return the columns that it reads."""
        return (self.column,) if self.column else self.columns or ()

    def widths(self) -> tuple[int, ...]:
        """Return how many digits the text of each of its columns has at least; 0 for any."""
        count = len(self.source_columns())
        return self.pad if isinstance(self.pad, tuple) else (self.pad or 0,) * count

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(bool(x) or x == "" for x in (self.column, self.value, self.option, self.columns)) != 1:
            raise ValueError("give exactly one of column, columns, value, option")
        return self

    @model_validator(mode="after")
    def _fits_its_source(self) -> Self:
        if len(self.widths()) != len(self.source_columns()) or not all(0 <= w <= WIDEST_CODE for w in self.widths()):
            raise ValueError(f"pad: give one width of at most {WIDEST_CODE}, or one for each column")
        if (self.map_default is not None or self.unmapped) and self.map is None:
            raise ValueError("map_default and unmapped are for a `map`")
        if self.map_default is not None and self.unmapped:
            raise ValueError("give map_default or unmapped, not both")
        return self


def without_unset(fields: Any, key: str) -> Any:  # noqa: ANN401  JSON
    """Return a dumped model without a key where it is not set: digests from before the key existed remain valid."""
    if isinstance(fields, dict):
        return {k: without_unset(v, key) for k, v in fields.items() if k != key or v is not None}
    return [without_unset(value, key) for value in fields] if isinstance(fields, list) else fields


def group_names(pattern: str | None) -> list[str]:
    """Return the names of the groups of a regular expression, each once."""
    return list(dict.fromkeys(re.findall(r"\(\?P?<([A-Za-z_]\w*)>", pattern or "")))


def has_short_year(form: str | None) -> bool:
    """Return whether a strptime format has a year of two digits."""
    return re.search("%[-_0]?[yDxg]", (form or "").replace("%%", "")) is not None


class Titles(Strict):
    """A title in Bokmål, Nynorsk and English."""

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
        listed = () if self.allowed == "any" else (*(self.allowed or ()), self.default)
        return tuple(dict.fromkeys(sender for sender in listed if sender is not None))


class Repair(Strict):
    """A declared repair of the text before it is read: a regular expression (RE2), its replacement, and why."""

    pattern: str
    """Regular expression (RE2)."""
    replacement: str
    """Replacement text; `$1` is the first group."""
    why: str
    """Why the repair is needed."""


class FixedField(Strict):
    """One field of a record of fixed width: its place in each line, counted in characters."""

    name: str = Field(min_length=1)
    """The name that the contract's other keys use as `column`."""
    start: int = Field(ge=1, le=32_767)
    """Position of its first character; the first of the line is 1."""
    length: int = Field(ge=1, le=32_767)
    """Number of characters."""
    decimals: int = Field(default=0, ge=0, le=9)
    """How many of the last digits are decimals, where no decimal mark is written: 2 reads `00150` as 1.50."""
    empty: str = ""
    """The text that a blank field stands for: `_Z`, not applicable, where it is part of a key."""

    @property
    def end(self) -> int:
        """The position of its last character."""
        return self.start + self.length - 1


FileType: TypeAlias = Literal[
    "csv", "json", "xlsx", "parquet", "fixed_width", "xml", "xls", "xlsb", "ods", "sdmx_csv"
]  # fmt: skip
"""The formats that are read. sdmx_csv: SDMX-CSV 2.0, whose delimiter is a comma unless `delimiter` is another."""


class Format(Strict):
    """How the bytes are written."""

    type: FileType
    """The file format. `sdmx_csv` is SDMX-CSV 2.0: its columns are named by their ids, its delimiter is a comma, and
    rows without an ACTION get `I`."""
    fields: tuple[FixedField, ...] = ()
    """Fixed width: the fields of a line. Those that the contract does not map are not read."""
    short_lines: Literal["reject", "pad"] = "reject"
    """Fixed width, CSV: what a row is that ends before its last field: cut off, or without what is empty at its end."""
    delimiter: str = ";"
    """CSV: the character between fields."""
    quote: str | None = '"'
    """CSV: the quote character; null for none."""
    encoding: Literal["utf-8", "latin-1", "cp1252", "utf-16", "cp865", "mac-roman"] = "utf-8"
    """Encoding of text files; an XML document declares its own. It is not guessed: text that looks like another one is
    a warning, or an error where it cannot be this one."""
    decimal: Literal[".", ","] = "."
    """Decimal mark of numbers written as text; number cells of JSON, XLSX and Parquet need none."""
    thousands: Literal[" ", ".", ",", "'"] | None = None
    """Thousands separator of numbers written as text; a space includes NBSP and narrow NBSP."""
    repairs: tuple[Repair, ...] = ()
    """Declared repairs of the text before it is read, in order."""
    rows: str | None = None
    """JSON: path of the list of rows, `a.b`; columns are then `x.y` of the document and `a.b[].z` of a row. `a[].b`:
    the rows are in a list of each element of `a`, whose own values are columns `a[].x`.
    XML: path of the elements that are rows, from the root, `Form.Row`; columns are then `Form.Row[].year` and
    `Form.Row[].@id` (an attribute) of a row, `Form.Head.@year` of the elements around it."""
    lines: bool | None = None
    """JSON: whether each line is a document of its own (JSON Lines), and a row; columns are then `x.y`."""
    sheet: str | None = None
    """Workbooks: name of the sheet; by default the first that is not hidden."""
    sheets: tuple[str, ...] | str | dict[str, dict[str, str]] | None = None
    """Workbooks: several sheets, in the place of `sheet`: their names, or a regular expression (RE2) of whole names,
    whose groups become columns of the rows: `Tabell (?<year>[0-9]{4})`. Each name may have a mapping of its own: the
    contract's column -> its name in that sheet. Row 20000005 is row 5 of the third sheet."""
    sheet_column: str | None = None
    """Workbooks with `sheets`: the new column of the rows that holds the name of the sheet. Columns of claims that are
    for other sheets alone, by `when`, may be missing in a sheet."""
    header_row: int = Field(default=1, ge=1)
    """CSV and workbooks: the record that names the columns. Those before it, titles, are not read."""
    header_rows: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    """CSV and workbooks: several records that name the columns together, in the place of `header_row`. The names of a
    column are joined by a blank; an empty cell of any but the last takes the name to its left."""
    skip_footer: int | None = Field(default=None, ge=0)
    """CSV and workbooks: how many rows at the end are notes. They count as ignored."""
    until_empty_row: bool | None = None
    """CSV and workbooks: whether the rows end at the first empty one. What follows it counts as ignored."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        self._check_rows()
        self._check_fields()
        self._check_sheets()
        self._check_quoting()
        self._check_header()
        if self.thousands == self.decimal:
            raise ValueError("thousands and decimal may not be the same character")
        return self

    def _check_rows(self) -> None:
        if self.lines is not None and (self.type != "json" or self.rows is not None):
            raise ValueError("lines is for JSON without `rows`")
        if self.type in {"json", "xml"} and self.rows is None and not self.lines:
            raise ValueError(f"{self.type.upper()} needs `rows`, the path of the rows")

    def _check_fields(self) -> None:
        names = [each.name for each in self.fields]
        if (self.type == "fixed_width") != bool(names) or len(set(names)) < len(names):
            raise ValueError("fixed_width, and no other type, needs `fields`, each of another name")

    def _check_sheets(self) -> None:
        if self.sheets is not None and (self.sheet is not None or not self.sheets):
            raise ValueError("sheets has at least one name, or a pattern, and is in the place of sheet")
        if self.sheet_column and self.sheets is None:
            raise ValueError("sheet_column is for several `sheets`")

    def _check_quoting(self) -> None:
        if len(self.delimiter.encode()) != 1 or (self.quote is not None and len(self.quote.encode()) != 1):
            raise ValueError("delimiter and quote are one ASCII character each")

    def _check_header(self) -> None:
        if self.header_rows is not None and (
            list(self.header_rows) != sorted(set(self.header_rows)) or not self.header_rows or self.header_row != 1
        ):
            raise ValueError("header_rows are in order, at least one, and in the place of header_row")

    def sheet_groups(self) -> list[str]:
        """Return the names of the groups of the pattern of sheets."""
        return group_names(self.sheets) if isinstance(self.sheets, str) else []

    def sheet_columns(self) -> list[str]:
        """Return the columns of rows that the names of sheets give."""
        return [*([self.sheet_column] if self.sheet_column else []), *self.sheet_groups()]

    def last_header_row(self) -> int:
        """Return the number of the last record that names the columns."""
        return self.header_rows[-1] if self.header_rows else self.header_row

    def problems(self, columns: Iterable[str]) -> list[str]:
        """Return what is wrong with the columns that a contract maps: each is a field of fixed width, or in the XML."""
        if self.type == "xml":
            root = (self.rows or "").split(".")[0]
            inside = (f"{root}.", f"{root}[]")
            return [
                f"column {name!r} is not in the document <{root}>" for name in columns if not name.startswith(inside)
            ]
        names = [each.name for each in self.fields]
        unknown = [column for column in columns if names and column not in names]
        return [
            f"column {name!r} is none of format.fields; {did_you_mean(name, names) or ''}".rstrip("; ")
            for name in unknown
        ]


HIGHEST_VERSION: Final = 99_999_999_999_999
"""The limit of whole numbers as versions where the contract states none: 14 digits, as in 20240131235959."""


def check_zone(zone: str | None) -> None:
    """Raise `ValueError` for a time zone that there is not."""
    if zone is not None and zone not in available_timezones():
        raise ValueError(f"time_zone: {zone!r} is no zone; {did_you_mean(zone, available_timezones())}")


class ReportVersion(Strict):
    """The column with the report's own version or time; of a sender's statements the highest version counts."""

    column: str
    """The column."""
    type: Literal["integer", "datetime"] = "integer"
    """How the version is written. A time more than a day after the delivery was received is rejected."""
    format: str | None = None
    """strptime format of a datetime; default ISO 8601."""
    century: int | None = Field(default=None, ge=1000, le=2900)
    """The first of the hundred years that years of two digits (`%y`) denote: 1930 for 1930 to 2029. Without it they are
    rejected."""
    time_zone: str | None = None
    """The zone of a datetime, `Europe/Oslo`, from which it is converted to UTC; by default it is UTC."""
    max: int = Field(default=HIGHEST_VERSION, ge=0, le=2**59)
    """The greatest whole number that is accepted as a version; its negative is the least."""

    @model_validator(mode="after")
    def _has_a_zone(self) -> Self:
        check_zone(self.time_zone)
        if self.time_zone is not None and self.type != "datetime":
            raise ValueError("time_zone is for `type: datetime`")
        return self


class IgnoreRows(Strict):
    """Rows between the units that are not units: sums, footnotes. Counted as ignored."""

    column: str
    """The column to look at."""
    values: tuple[str, ...] = ()
    """Exact texts of rows to ignore."""
    pattern: str | None = None
    """Regular expression (RE2) that the whole text matches."""
    all_but: tuple[str, ...] | None = None
    """Exact texts of the rows that are not ignored: all others are."""
    why: str
    """Why these rows are ignored."""
