"""The contract: one YAML file that declares everything about one obligation's deliveries.

It is read strictly: an unknown key, a duplicate key or a dangling reference is a `ContractError` that names the file,
the key and the nearest known one. Scalars are text, whole numbers, `true`, `false` or `null`: `0301` and `no` remain
text.
"""

import hashlib
import json
import re
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Final, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from schemas.claims import ACTIONS, OBS_STATUS, UNIT_KINDS
from schemas.contract_due import Due
from schemas.contract_parts import (
    HIGHEST_VERSION,
    IDENTIFIER,
    Format,
    IgnoreRows,
    Period,
    Personal,
    Repair,
    ReportVersion,
    Sender,
    Strict,
    Take,
    Titles,
    Unit,
    without_unset,
)
from schemas.contract_record import FieldTake, RecordSpec
from schemas.contract_rules import (
    ChangeRule,
    CompareRule,
    InRule,
    PatternRule,
    RangeRule,
    RequiredRule,
    Rule,
    UniqueRule,
)
from schemas.errors import ContractError
from schemas.strict_yaml import load_declared, read_declared

__all__ = [
    "CONTRACT_FOLDER", "IDENTIFIER", "RESERVED_COLUMNS", "ChangeRule", "ClaimSpec", "CompareRule", "Contract",
    "Example", "FieldTake", "Format", "IgnoreRows", "InRule", "PatternRule", "Period", "RangeRule", "RecordSpec",
    "Repair", "ReportVersion", "RequiredRule", "Rule", "Sender", "Strict", "Take", "Titles", "UniqueRule", "Unit",
    "load_contracts", "read_contract",
]  # fmt: skip

DESCRIPTIVE_KEYS: Final = {"title", "examples", "legal_basis", "hours_per_report", "rhythm", "due"}
"""Keys that do not change how a delivery is read."""
YOUNGER_KEYS: Final[dict[tuple[str, ...], object]] = {
    ("record",): None,
    ("correction",): "item",
    ("sender", "speaks_for"): None,
    ("report_version", "max"): HIGHEST_VERSION,
    ("reported_at", "max"): HIGHEST_VERSION,
    ("record", "report_key_of"): "sender",
    ("personal",): {},
}
"""Keys that were added later: with these values a contract is read as before they existed."""
CONTRACT_FOLDER: Final = Path(__file__).parent / "contracts"
RESERVED_COLUMNS: Final = ("row", "submission_id", "sender", "option_period")
"""Columns that reading adds to a delivery's own: a mapped column of that name would be overwritten."""


class ClaimSpec(Strict):
    """One claim that a row makes."""

    concept: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """What is measured. Two contracts that use one concept report the same item."""
    column: str
    """The column that holds the value."""
    reported_by: Take
    """Whose statement the claim is."""
    unit_measure: Take
    """What the value counts: an ISO 4217 currency, `persons`, ..."""
    scale: Decimal = Field(default=Decimal(1), gt=0)
    """The factor: 1000 when the form is filled in thousands."""
    decimals: int | Literal["exact", "as_written"] | Take | None = None
    """Accuracy; by default that of the scale (1000 -> -3), exact for scale 1. A cell has a whole number or `exact`."""
    missing: Literal["skip", "reject"] = "reject"
    """What an empty cell gives: no claim, or a reject. A row whose cells are all empty is ignored."""
    breakdown: dict[str, Take] = Field(default_factory=dict)
    """Further dimensions of this claim only."""
    precedence: int | None = None
    """Rank in a conflict, lowest first; without one, conflicting values are withheld."""
    obs_status: Take | None = None
    """SDMX observation status of the value."""
    confidential: Take | None = None
    """Whether the sender marks the value as confidential: a map to `true`, `false`."""


class Example(Strict):
    """Rows as delivered, and the claims and rejects they must give; the contract's own test."""

    name: str
    """What the example shows."""
    given: str | tuple[tuple[str | int | None, ...], ...]
    """The file's text (CSV, JSON) or its table, header first (XLSX, Parquet)."""
    options: dict[str, str] = Field(default_factory=dict)
    """Options of the delivery: `sender`, `period`."""
    claims: tuple[dict[str, str | int | bool | None], ...] = ()
    """Expected claims, in order of row and position; each names the claim columns it checks."""
    records: tuple[dict[str, str | int | bool | tuple[str | int | None, ...] | None], ...] = ()
    """Expected records, in order of row; each names the columns it checks."""
    rejects: tuple[dict[str, str | int | None], ...] = ()
    """Expected rejects, in order of row."""
    ignored: int = 0
    """Expected number of ignored rows."""


class Contract(Strict):
    """The deliveries of one obligation.

    Its rows make either `claims`, which have a unit and a period, or one `record` each.
    """

    contract: str = Field(pattern=IDENTIFIER)
    """Name of the contract, used in the landing zone, in commands and in published tables."""
    version: int = Field(ge=1)
    """Raise it when the way deliveries are read changes."""
    obligation: str = Field(pattern=IDENTIFIER)
    """Name of the reporting obligation; several contracts may answer one obligation."""
    title: Titles
    """Title of the obligation."""
    agency: str
    """The agency that requires the reports."""
    legal_basis: str
    """Statute or regulation that imposes the obligation."""
    rhythm: Literal["once", "daily", "weekly", "monthly", "quarterly", "yearly", "four-yearly", "event"]
    """How often a report is due."""
    hours_per_report: Decimal | None
    """Hours that one report costs its sender; null if nobody knows."""
    due: Due | None = None
    """When deliveries are due, and from whom."""
    sender: Sender = Sender()
    """Who delivers."""
    format: Format
    """How the delivered bytes are written."""
    ignore: tuple[str, ...] = ()
    """Columns that are known and not used. In JSON a name covers everything below it."""
    unknown_columns: Literal["reject", "warn"] = "reject"
    """What to do with a column that is neither mapped nor ignored: reject the file, or warn."""
    ignore_rows: tuple[IgnoreRows, ...] = ()
    """Rows that are not about a reporting unit: totals, footnotes."""
    unit: Unit | None = None
    """The reporting unit of a row. Claims only."""
    period: Period | None = None
    """The period of a row. Claims only."""
    breakdown: dict[str, Take] = Field(default_factory=dict)
    """Further dimensions shared by all claims of a row. Claims only."""
    report_version: ReportVersion | None = None
    """Column with the report's own version: of a sender's statements the highest version supersedes the others."""
    reported_at: ReportVersion | None = None
    """Column with the time at which the report was made; its type must be `datetime`."""
    action: Take | None = None
    """What a row asks for: a map to `append`, `replace`, `withdraw`."""
    correction: Literal["item", "whole"] = "item"
    """What a newer report of the same sender replaces: the statements on the items that it mentions, or all of the
    sender's statements under this contract on the unit and period (`whole`). A withdrawal takes out the same. Newest is
    the highest version, else what was received last. Claims only: a newer report of a record always replaces it."""
    repeat: Literal["sum", "error", "warn", "distinct"] | None = None
    """What a key means that repeats within one file: additive lines, error, warning, distinct items. Rows of one record
    are its parts; without `repeat` they are rejected where they differ in an identity field."""
    claims: tuple[ClaimSpec, ...] = ()
    """The claims that each row makes. Either this or `record`."""
    record: RecordSpec | None = None
    """The record that each row makes. Either this or `claims`."""
    personal: dict[str, Personal] = Field(default_factory=dict)
    """Column -> what is done with its personal data, for columns of keys and others that no field declares."""
    rules: tuple[Rule, ...] = ()
    """Validation rules over the rows."""
    examples: tuple[Example, ...] = Field(min_length=1)
    """Example rows with the claims, records and rejects they must give: the contract's own test."""

    def place(self) -> tuple[Unit, Period]:
        """Return the sources of the claims' unit and period; raise `ContractError` if the contract makes no claims."""
        if self.unit is None or self.period is None:
            raise ContractError(f"contract {self.contract!r} makes records, which have no unit and no period")
        return self.unit, self.period

    def takes(self) -> list[Take]:
        """Return every `Take` of the contract."""
        shared: list[object] = [self.action, *self.breakdown.values()]
        if self.unit and self.period:
            shared = [self.unit, self.unit.kind, self.period, self.period.until, *shared]
        own = [
            take
            for c in self.claims
            for take in (c.reported_by, c.unit_measure, c.decimals, c.obs_status, c.confidential, *c.breakdown.values())
        ]
        record = self.record.takes() if self.record else []
        return [t for t in (*shared, *own, *record) if isinstance(t, Take)]

    def columns(self) -> list[str]:
        """Return the columns of the file that the contract maps, in order of mention."""
        columns = self.record.keys() if self.record else []
        columns += [column for t in self.takes() for column in t.source_columns()] + [c.column for c in self.claims]
        columns += [v.column for v in (self.report_version, self.reported_at) if v]
        columns += [i.column for i in self.ignore_rows]
        for rule in self.rules:
            columns += [x for f in ("column", "left", "right") if (x := getattr(rule, f, None))]
            columns += getattr(rule, "columns", ())
        return list(dict.fromkeys(columns))

    def options(self) -> list[str]:
        """Return the options that a delivery must state because the file does not."""
        return sorted({t.option for t in self.takes() if t.option and t.option != "sender"})

    def digest(self) -> str:
        """Return 16 hex characters over everything that decides how a delivery is read."""
        fields = without_unset(self.model_dump(mode="json", exclude=DESCRIPTIVE_KEYS), "personal")
        for (*path, key), default in YOUNGER_KEYS.items():
            mapping = reduce(lambda found, step: found.get(step) or {}, path, fields)
            if key in mapping and mapping[key] == default:
                del mapping[key]  # so that digests from before the key existed remain valid
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = [f"column {c!r} is both mapped and ignored" for c in self.columns() if c in self.ignore]
        problems += [f"column {c!r} has a reserved name: rename it" for c in self.columns() if c in RESERVED_COLUMNS]
        problems += [f"personal: no column {c!r} is mapped" for c in self.personal if c not in self.columns()]
        problems += _bad_shape(self)
        if self.reported_at and self.reported_at.type != "datetime":
            problems.append("reported_at is a time: give it `type: datetime`")
        problems += _bad_maps(self.action, ACTIONS)
        problems += self.due.problems(self.rhythm) if self.due else []
        problems += _bad_claims(self)
        if self.record:
            problems += _bad_maps(self.record.confidential, ("true", "false"))
        problems += [*_bad_rules(self), *_bad_patterns(self)]
        if problems:
            raise ValueError("; ".join(sorted(problems)))
        return self


def _bad_shape(contract: Contract) -> list[str]:
    """Return the keys that do not fit the choice between claims and a record."""
    needed = ("unit", "period", "repeat", "claims")
    given = [key for key in (*needed, "breakdown") if getattr(contract, key) not in (None, (), {})]
    given += ["correction"] if contract.correction == "whole" else []
    given += ["repeat: distinct"] if contract.repeat == "distinct" else []
    if contract.record is None:
        missing = [key for key in needed if key not in given]
        return [f"{key}: Field required, unless the contract has a `record`" for key in missing]
    return [f"{key} is for claims: a contract with a `record` makes none" for key in given if key != "repeat"]


def _bad_claims(contract: Contract) -> list[str]:
    problems = []
    if contract.unit and isinstance(contract.unit.kind, Take):
        problems += _bad_maps(contract.unit.kind, UNIT_KINDS)
    for claim in contract.claims:
        problems += _bad_maps(claim.obs_status, OBS_STATUS)
        problems += _bad_maps(claim.confidential, ("true", "false"))
        problems += _bad_accuracies(claim.decimals)
    return problems


def _bad_rules(contract: Contract) -> list[str]:
    ids = [r.id for r in contract.rules]
    concepts = {c.concept for c in contract.claims}
    return [f"rule {i!r} is declared twice" for i in set(ids) if ids.count(i) > 1] + [
        f"rule {r.id!r} is about concept {r.concept!r}, which no claim has"
        for r in contract.rules
        if isinstance(r, ChangeRule) and r.concept not in concepts
    ]


def _bad_maps(take: Take | None, allowed: tuple[str, ...]) -> list[str]:
    """Return what is wrong with a text that must be one of the allowed: a cell needs a map to them."""
    if take is None:
        return []
    if take.map is None and take.value is None:
        return [f"column {take.column or take.option!r} needs a map to {', '.join(allowed)}"]
    texts = list(take.map.values()) if take.map else [take.value or ""]
    return [f"{t!r} is none of {', '.join(allowed)}" for t in texts if t not in allowed]


def _bad_accuracies(decimals: int | str | Take | None) -> list[str]:
    texts = decimals.map.values() if isinstance(decimals, Take) and decimals.map else ()
    return [f"{t!r} is neither a whole number nor `exact`" for t in texts if not re.fullmatch("-?[0-9]+|exact", t)]


def _bad_patterns(contract: Contract) -> list[str]:
    patterns = [r.pattern for r in contract.rules if isinstance(r, PatternRule)]
    patterns += [i.pattern for i in contract.ignore_rows if i.pattern] + [r.pattern for r in contract.format.repairs]
    found = []
    for pattern in patterns:
        try:
            pl.Series([""]).str.contains(pattern)
        except pl.exceptions.ComputeError as error:
            found.append(f"{pattern!r} is not a regular expression: {error}")
    return found


def read_contract(text: str, name: str = "contract") -> Contract:
    """Read one contract from YAML text; `name` is the file to name in errors. Raises `ContractError`."""
    contract = read_declared(text, name, Contract)
    # Here and not in the model: contracts that the ledger holds from before this rule are still read.
    if contract.sender.default is None and contract.sender.allowed is None:
        raise ContractError(
            f"{name}: sender: nobody may deliver: give `default`, or list the senders in `allowed`; "
            "`allowed: any` is for everybody"
        )
    return contract


def load_contracts(folder: Path = CONTRACT_FOLDER) -> dict[str, Contract]:
    """Load every contract of a folder by id. Raises `ContractError` for the first file that is wrong."""
    return load_declared(folder, read_contract, "contract")
