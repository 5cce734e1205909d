"""The contract: one YAML file that says everything about one obligation's deliveries.

Strictly read: an unknown key, a duplicate key, a reference that leads nowhere is a `ContractError` that names the
file, the key and the nearest known one. Scalars are text, whole numbers, `true`, `false` or `null`: `0301` and `no`
stay what they are.
"""

import difflib
import hashlib
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.claims import ACTIONS, OBS_STATUS, UNIT_KINDS
from schemas.errors import ContractError
from schemas.strict_yaml import read_mapping

FOLDER: Final = Path(__file__).parent / "contracts"
RESERVED: Final = ("row", "submission_id", "sender", "option_period")
"""Columns that stand beside a delivery's own while it is read: a mapped one of that name would be overwritten."""
IDENTIFIER: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
"""What names a contract or a sender: it becomes a folder of the landing zone, so nothing else may."""

Severity = Literal["critical", "warning"]
Scope = Literal["row", "file"]


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


class ClaimSpec(Strict):
    """One claim that a row makes."""

    concept: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    column: str
    reported_by: Take
    unit_measure: Take
    scale: Decimal = Field(default=Decimal(1), gt=0)
    """What one stands for: 1000 when the form is filled in thousands."""
    decimals: int | Literal["exact", "as_written"] | Take | None = None
    """Accuracy; by default that of the scale (1000 -> -3), exact for scale 1. A cell says a whole number or `exact`."""
    missing: Literal["skip", "reject"] = "reject"
    """An empty cell: no claim, or a reject. A row none of whose cells says anything is ignored."""
    breakdown: dict[str, Take] = {}
    precedence: int | None = None
    obs_status: Take | None = None
    confidential: Take | None = None


class IgnoreRows(Strict):
    """Rows that stand among the units but are none: sums, footnotes. Counted as ignored."""

    column: str
    values: tuple[str, ...] = ()
    pattern: str | None = None
    why: str


class _Rule(Strict):
    id: str = Field(pattern=IDENTIFIER)
    severity: Severity = "critical"
    rejects: Scope = "row"
    """What a critical break rejects: the row or the whole file."""


class RangeRule(_Rule):
    """The number in a column lies between min and max, both included."""

    check: Literal["range"]
    column: str
    min: Decimal | None = None
    max: Decimal | None = None


class InRule(_Rule):
    """The text in a column is one of these."""

    check: Literal["in"]
    column: str
    values: tuple[str, ...]


class PatternRule(_Rule):
    """The whole text in a column matches a regular expression (RE2)."""

    check: Literal["pattern"]
    column: str
    pattern: str


class RequiredRule(_Rule):
    """The cell is not empty."""

    check: Literal["required"]
    column: str


class UniqueRule(_Rule):
    """No two rows of the file have the same texts in these columns; all that do break it."""

    check: Literal["unique"]
    columns: tuple[str, ...]


class CompareRule(_Rule):
    """The number in one column compares so with that in another; empty cells pass."""

    check: Literal["compare"]
    left: str
    op: Literal["<", "<=", "=", ">=", ">", "!="]
    right: str


class ChangeRule(_Rule):
    """A value differs from its series' previous period by at most this share (0.5 is 50 %).

    It warns and cannot reject: what stood before depends on the order of arrival, what is published must not.
    """

    check: Literal["change"]
    concept: str
    max_share: Decimal
    severity: Literal["warning"] = "warning"


Rule = Annotated[
    RangeRule | InRule | PatternRule | RequiredRule | UniqueRule | CompareRule | ChangeRule,
    Field(discriminator="check"),
]


class Example(Strict):
    """Rows as delivered, and the claims and rejects they must give; the contract's own test."""

    name: str
    given: str | tuple[tuple[str | int | None, ...], ...]
    """The file's text (CSV, JSON) or its table, header first (XLSX, Parquet)."""
    options: dict[str, str] = {}
    claims: tuple[dict[str, str | int | bool | None], ...] = ()
    """Expected claims, in order of row and position; each names the claim columns it checks."""
    rejects: tuple[dict[str, str | int | None], ...] = ()
    ignored: int = 0


class Contract(Strict):
    """One obligation's deliveries, whole."""

    contract: str = Field(pattern=IDENTIFIER)
    version: int = Field(ge=1)
    obligation: str = Field(pattern=IDENTIFIER)
    title: Titles
    agency: str
    legal_basis: str
    rhythm: Literal["once", "daily", "weekly", "monthly", "quarterly", "yearly", "four-yearly", "event"]
    hours_per_report: Decimal | None
    sender: Sender = Sender()
    format: Format
    ignore: tuple[str, ...] = ()
    """Columns known and not used. In JSON a name covers all that stands beneath it."""
    unknown_columns: Literal["reject", "warn"] = "reject"
    ignore_rows: tuple[IgnoreRows, ...] = ()
    unit: Unit
    period: Period
    breakdown: dict[str, Take] = {}
    report_version: ReportVersion | None = None
    reported_at: ReportVersion | None = None
    action: Take | None = None
    repeat: Literal["sum", "error", "warn", "distinct"]
    claims: tuple[ClaimSpec, ...] = Field(min_length=1)
    rules: tuple[Rule, ...] = ()
    examples: tuple[Example, ...] = Field(min_length=1)

    def takes(self) -> list[Take]:
        """Return every `Take` of the contract."""
        shared = [self.unit, self.unit.kind, self.period, self.period.until, self.action, *self.breakdown.values()]
        own = [
            take
            for c in self.claims
            for take in (c.reported_by, c.unit_measure, c.decimals, c.obs_status, c.confidential, *c.breakdown.values())
        ]
        return [t for t in (*shared, *own) if isinstance(t, Take)]

    def columns(self) -> list[str]:
        """Return the columns of the file that the contract maps, in order of mention."""
        named = [t.column for t in self.takes() if t.column] + [c.column for c in self.claims]
        named += [v.column for v in (self.report_version, self.reported_at) if v]
        named += [i.column for i in self.ignore_rows]
        for rule in self.rules:
            named += [x for f in ("column", "left", "right") if (x := getattr(rule, f, None))]
            named += getattr(rule, "columns", ())
        return list(dict.fromkeys(named))

    def options(self) -> list[str]:
        """Return the options that a delivery must state because the file does not."""
        return sorted({t.option for t in self.takes() if t.option and t.option != "sender"})

    def digest(self) -> str:
        """Return 16 hex characters over everything that decides how a delivery is read."""
        told = self.model_dump(mode="json", exclude={"title", "examples", "legal_basis", "hours_per_report", "rhythm"})
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        problems = [f"column {c!r} is both mapped and ignored" for c in self.columns() if c in self.ignore]
        problems += [f"column {c!r} bears a name of our own: rename it" for c in self.columns() if c in RESERVED]
        if self.reported_at and self.reported_at.type != "datetime":
            problems.append("reported_at is a time: give it `type: datetime`")
        problems += _bad_maps(self.action, ACTIONS)
        if isinstance(self.unit.kind, Take):
            problems += _bad_maps(self.unit.kind, UNIT_KINDS)
        for claim in self.claims:
            problems += _bad_maps(claim.obs_status, OBS_STATUS)
            problems += _bad_maps(claim.confidential, ("true", "false"))
            problems += _bad_accuracies(claim.decimals)
        problems += [*_bad_rules(self), *_bad_patterns(self)]
        if problems:
            raise ValueError("; ".join(sorted(problems)))
        return self


def _bad_rules(contract: Contract) -> list[str]:
    ids = [r.id for r in contract.rules]
    concepts = {c.concept for c in contract.claims}
    return [f"rule {i!r} is declared twice" for i in set(ids) if ids.count(i) > 1] + [
        f"rule {r.id!r} speaks of concept {r.concept!r}, which no claim makes"
        for r in contract.rules
        if isinstance(r, ChangeRule) and r.concept not in concepts
    ]


def _bad_maps(take: Take | None, allowed: tuple[str, ...]) -> list[str]:
    """Return what is wrong with a text of which only some may come: nothing else may, so a cell needs a map."""
    if take is None:
        return []
    if take.map is None and take.value is None:
        return [f"column {take.column or take.option!r} needs a map to {', '.join(allowed)}"]
    told = list(take.map.values()) if take.map else [take.value or ""]
    return [f"{t!r} is none of {', '.join(allowed)}" for t in told if t not in allowed]


def _bad_accuracies(decimals: int | str | Take | None) -> list[str]:
    told = decimals.map.values() if isinstance(decimals, Take) and decimals.map else ()
    return [f"{t!r} is no whole number, nor `exact`" for t in told if not re.fullmatch("-?[0-9]+|exact", t)]


def _bad_patterns(contract: Contract) -> list[str]:
    patterns = [r.pattern for r in contract.rules if isinstance(r, PatternRule)]
    patterns += [i.pattern for i in contract.ignore_rows if i.pattern] + [r.pattern for r in contract.format.repairs]
    found = []
    for pattern in patterns:
        try:
            pl.Series([""]).str.contains(pattern)
        except pl.exceptions.ComputeError as error:
            found.append(f"{pattern!r} is no regular expression: {error}")
    return found


def read_contract(text: str, name: str = "contract") -> Contract:
    """Read one contract from YAML text; `name` is the file to name in errors. Raises `ContractError`."""
    given = read_mapping(text, name)
    try:
        return Contract.model_validate(given)
    except ValidationError as error:
        lines = [f"{name}: {'.'.join(map(str, e['loc'])) or 'contract'}: {e['msg']}" for e in error.errors()]
        raise ContractError("\n".join(lines)) from error


def load_contracts(folder: Path = FOLDER) -> dict[str, Contract]:
    """Load every contract of a folder by id. Raises `ContractError` for the first file that is wrong."""
    found: dict[str, Contract] = {}
    for path in sorted(folder.glob("*.yml")):
        contract = read_contract(path.read_text(encoding="utf-8"), path.name)
        if contract.contract != path.stem:
            raise ContractError(f"{path.name}: contract: found {contract.contract!r}, expected the file's own name")
        found[contract.contract] = contract
    return found
