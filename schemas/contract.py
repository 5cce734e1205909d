"""The contract: one YAML file that says everything about one obligation's deliveries.

Strictly read: an unknown key, a duplicate key, a reference that leads nowhere is a `ContractError` that names the
file, the key and the nearest known one. Scalars are text, whole numbers, `true`, `false` or `null`: `0301` and `no`
stay what they are.
"""

import hashlib
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from schemas.claims import ACTIONS, OBS_STATUS, UNIT_KINDS
from schemas.contract_due import Due
from schemas.contract_parts import (
    IDENTIFIER,
    Format,
    IgnoreRows,
    Period,
    Repair,
    ReportVersion,
    Sender,
    Strict,
    Take,
    Titles,
    Unit,
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
    "FOLDER", "IDENTIFIER", "RESERVED", "ChangeRule", "ClaimSpec", "CompareRule", "Contract", "Example", "FieldTake",
    "Format", "IgnoreRows", "InRule", "PatternRule", "Period", "RangeRule", "RecordSpec", "Repair", "ReportVersion",
    "RequiredRule", "Rule", "Sender", "Strict", "Take", "Titles", "UniqueRule", "Unit", "load_contracts",
    "read_contract",
]  # fmt: skip

BESIDE: Final = {"title", "examples", "legal_basis", "hours_per_report", "rhythm", "due"}
"""Keys that change nothing of how a delivery is read."""
FOLDER: Final = Path(__file__).parent / "contracts"
RESERVED: Final = ("row", "submission_id", "sender", "option_period")
"""Columns that stand beside a delivery's own while it is read: a mapped one of that name would be overwritten."""


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
    breakdown: dict[str, Take] = Field(default_factory=dict)
    precedence: int | None = None
    obs_status: Take | None = None
    confidential: Take | None = None


class Example(Strict):
    """Rows as delivered, and the claims and rejects they must give; the contract's own test."""

    name: str
    given: str | tuple[tuple[str | int | None, ...], ...]
    """The file's text (CSV, JSON) or its table, header first (XLSX, Parquet)."""
    options: dict[str, str] = Field(default_factory=dict)
    claims: tuple[dict[str, str | int | bool | None], ...] = ()
    """Expected claims, in order of row and position; each names the claim columns it checks."""
    records: tuple[dict[str, str | int | bool | tuple[str | int | None, ...] | None], ...] = ()
    """Expected records, in order of row; each names the columns it checks."""
    rejects: tuple[dict[str, str | int | None], ...] = ()
    ignored: int = 0


class Contract(Strict):
    """One obligation's deliveries, whole.

    Its rows make either `claims`, which have a unit and a period, or one `record` each.
    """

    contract: str = Field(pattern=IDENTIFIER)
    version: int = Field(ge=1)
    obligation: str = Field(pattern=IDENTIFIER)
    title: Titles
    agency: str
    legal_basis: str
    rhythm: Literal["once", "daily", "weekly", "monthly", "quarterly", "yearly", "four-yearly", "event"]
    hours_per_report: Decimal | None
    due: Due | None = None
    sender: Sender = Sender()
    format: Format
    ignore: tuple[str, ...] = ()
    """Columns known and not used. In JSON a name covers all that stands beneath it."""
    unknown_columns: Literal["reject", "warn"] = "reject"
    ignore_rows: tuple[IgnoreRows, ...] = ()
    unit: Unit | None = None
    period: Period | None = None
    breakdown: dict[str, Take] = Field(default_factory=dict)
    report_version: ReportVersion | None = None
    reported_at: ReportVersion | None = None
    action: Take | None = None
    repeat: Literal["sum", "error", "warn", "distinct"] | None = None
    claims: tuple[ClaimSpec, ...] = ()
    record: RecordSpec | None = None
    rules: tuple[Rule, ...] = ()
    examples: tuple[Example, ...] = Field(min_length=1)

    def place(self) -> tuple[Unit, Period]:
        """Return where unit and period of the claims stand; `ContractError` if the contract makes none."""
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
        told = self.record.takes() if self.record else []
        return [t for t in (*shared, *own, *told) if isinstance(t, Take)]

    def columns(self) -> list[str]:
        """Return the columns of the file that the contract maps, in order of mention."""
        named = self.record.keys() if self.record else []
        named += [column for t in self.takes() for column in t.named()] + [c.column for c in self.claims]
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
        told = self.model_dump(mode="json", exclude=BESIDE)
        if told["record"] is None:
            del told["record"]  # as the digest was before there were records
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        problems = [f"column {c!r} is both mapped and ignored" for c in self.columns() if c in self.ignore]
        problems += [f"column {c!r} bears a name of our own: rename it" for c in self.columns() if c in RESERVED]
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
    """Return what is wrong with the choice between claims and a record: each has keys that the other has not."""
    needed = ("unit", "period", "repeat", "claims")
    given = [key for key in (*needed, "breakdown") if getattr(contract, key) not in (None, (), {})]
    if contract.record is None:
        missing = [key for key in needed if key not in given]
        return [f"{key}: Field required, unless a `record` stands in stead of claims" for key in missing]
    return [f"{key} is for claims: a contract with a `record` makes none" for key in given]


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
    return read_declared(text, name, Contract)


def load_contracts(folder: Path = FOLDER) -> dict[str, Contract]:
    """Load every contract of a folder by id. Raises `ContractError` for the first file that is wrong."""
    return load_declared(folder, read_contract, "contract")
