"""The keys of a contract, and the columns that they name; `schemas.contract` checks and reads whole ones."""

from decimal import Decimal
from typing import Literal, TypeAlias

from pydantic import ConfigDict, Field

from schemas.concepts import Concept, Dimension, Measure, Terms
from schemas.contract_claims import ClaimSpec, Unpivot
from schemas.contract_due import Due
from schemas.contract_duty import NOT_FILLED_IN, Hours, RegisterId, SharedWith
from schemas.contract_parts import IDENTIFIER, Format, IgnoreRows, Personal, ReportVersion, Sender, Strict, Take, Titles
from schemas.contract_place import Period, Unit
from schemas.contract_record import RecordSpec
from schemas.contract_rules import Rule
from schemas.errors import ContractError

Table: TypeAlias = tuple[tuple[str | int | None, ...], ...]
"""Rows of cells, as an example gives them."""


class Example(Strict):
    """Rows as delivered, and the claims and rejects they must give; the contract's own test."""

    name: str
    """What the example shows."""
    given: str | Table | dict[str, Table]
    """The file's text (CSV, JSON) or its table, header first (XLSX, Parquet); of several sheets name -> table."""
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


class ContractKeys(Strict):
    """All keys of a contract."""

    model_config = ConfigDict(populate_by_name=True)

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
    """Statute or regulation that imposes the obligation. `FILL IN` of a draft is reported as unknown."""
    purpose: str | None = None
    """What the agency uses the reports for."""
    reporters: str | tuple[str, ...] | None = None
    """Who has the duty: in words, or a list. `due.senders` names those whose deliveries are expected."""
    used_by: tuple[str, ...] = ()
    """Agencies that use what is reported, besides the one that requires it."""
    may_share: SharedWith | None = None
    """The agencies that may be shown what is reported, besides the one that requires it; `all` or `none`. By default
    nobody has stated it."""
    rhythm: Literal["once", "daily", "weekly", "monthly", "quarterly", "yearly", "four-yearly", "event"]
    """How often a report is due."""
    hours_per_report: Decimal | None = None
    """Hours that one report costs its sender, as the agency declares them; null if nobody knows."""
    hours: Hours | None = None
    """The same with its uncertainty, basis and source; it takes precedence over `hours_per_report`."""
    register_id: RegisterId | None = Field(default=None, alias="register")
    """The obligation's entry in a register of reporting duties."""
    due: Due | None = None
    """When deliveries are due, and from whom."""
    sender: Sender = Sender()
    """Who delivers."""
    format: Format
    """How the delivered bytes are written."""
    ignore: tuple[str, ...] | Literal["rest"] = ()
    """Columns that are known and not used. In JSON a name covers everything below it. `rest`: all that are not mapped.
    A column without a name is named by its place: `"#3"` is the third."""
    unknown_columns: Literal["reject", "warn"] = "reject"
    """What to do with a column that is neither mapped nor ignored: reject the file, or warn."""
    ignore_rows: tuple[IgnoreRows, ...] = ()
    """Rows that are not about a reporting unit: totals, footnotes."""
    unpivot: Unpivot | None = None
    """Columns that become rows. Claims only."""
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
    copy_of: str | None = Field(default=None, pattern=IDENTIFIER)
    """The obligation, or contract, whose figures it repeats, as a compiler of statistics does. Where the item has a
    claim of that one, its own is a source, but neither a second report nor a party of a conflict. Claims only."""
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
    concepts: dict[str, Concept] = Field(default_factory=dict)
    """New concepts that the contract brings into the vocabulary; other contracts refer to them by name."""
    dimensions: dict[str, Dimension] = Field(default_factory=dict)
    """New dimensions that it brings."""
    measures: dict[str, Measure] = Field(default_factory=dict)
    """New units of measure that it brings."""
    terms: Terms | None = None
    """Never written in the file: what the vocabulary adds to the contract when it is loaded."""

    def place(self) -> tuple[Unit, Period]:
        """Return the sources of the claims' unit and period; raise `ContractError` if the contract makes no claims."""
        if self.unit is None or self.period is None:
            raise ContractError(f"contract {self.contract!r} makes records, which have no unit and no period")
        return self.unit, self.period

    def takes(self) -> list[Take]:
        """Return every `Take` of the contract."""
        own = [take for claim in self.claims for take in claim.takes()]
        return [*self.shared_takes(), *own, *(self.record.takes() if self.record else ())]

    def shared_takes(self) -> list[Take]:
        """Return the `Take`s that all claims of a row share."""
        shared: list[object] = [self.action, *self.breakdown.values()]
        if self.unit and self.period:
            shared = [self.unit, self.unit.kind, self.period, self.period.until, *shared]
        return [t for t in shared if isinstance(t, Take)]

    def columns(self) -> list[str]:
        """Return the columns of the rows that the contract maps, in order of mention."""
        columns = self.record.keys() if self.record else []
        columns += [column for t in self.takes() for column in t.source_columns()] + [c.column for c in self.claims]
        columns += [v.column for v in (self.report_version, self.reported_at) if v]
        return list(dict.fromkeys([*columns, *self._checked_columns()]))

    def _checked_columns(self) -> list[str]:
        """Return the columns by whose texts rows make claims, are ignored, or are checked."""
        columns = [column for claim in self.claims for column in claim.when or ()]
        columns += [i.column for i in self.ignore_rows]
        return columns + [column for rule in self.rules for column in _rule_columns(rule)]

    def file_columns(self) -> list[str]:
        """Return the columns of the file that the contract names: of rows that `unpivot` makes, the delivered ones."""
        made = [*self.format.sheet_columns(), *(self.unpivot.made() if self.unpivot else ())]
        listed = self.unpivot.listed() if self.unpivot else ()
        return list(dict.fromkeys([*(c for c in self.columns() if c not in made), *listed])) if made else self.columns()

    def ignored_columns(self) -> tuple[str, ...]:
        """Return the names of columns that are known and not used."""
        return () if self.ignore == "rest" else self.ignore

    def known_hours(self) -> Hours | None:
        """Return the hours that one report costs; None where nobody knows, or nobody states how they are known."""
        if self.hours is not None:
            return self.hours if self.hours.basis else None
        if self.hours_per_report is None or self.known_legal_basis() is None:
            return None
        return Hours.model_construct(value=self.hours_per_report, basis="declared")

    def hours_range(self) -> tuple[float | None, float | None]:
        """Return the least and the most hours that one report costs; None where nobody knows."""
        hours = self.known_hours()
        return (None, None) if hours is None else (float(hours.least()), float(hours.most()))

    def known_legal_basis(self) -> str | None:
        """Return the legal basis; None in a draft where nobody has filled it in."""
        return None if self.legal_basis.strip() == NOT_FILLED_IN else self.legal_basis

    def options(self) -> list[str]:
        """Return the options that a delivery must state because the file does not."""
        return sorted({t.option for t in self.takes() if t.option and t.option != "sender"})


def _rule_columns(rule: Rule) -> list[str]:
    """Return the columns that a rule names."""
    single = [getattr(rule, key, None) for key in ("column", "left", "right")]
    return [*filter(None, single), *getattr(rule, "columns", ())]
