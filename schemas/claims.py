"""The shared schema: every column of every table, declared once.

Dtypes, documentation (schemas/README.md and the data dictionary of `release.json`), Great Expectations suites and the
Delta tables all derive from the `Column` rows below.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

VALUE_SCALE: Final = 9
"""Decimal places a value may have: values are `Decimal(38, 9)`, so 28 digits before the point and 9 after it."""
VALUE_DIGITS: Final = 28
VALUE: Final = pl.Decimal(38, VALUE_SCALE)
BOUND: Final = pl.Decimal(38, VALUE_SCALE + 1)
"""Dtype of the ends of an interval: half a unit of the ninth decimal place needs a tenth place."""


@dataclass(frozen=True)
class Column:
    """One column: its dtype, its meaning, whether it may be null, and its value set if it has one."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    doc: str
    nullable: bool = False
    values: tuple[str, ...] | None = None


AGREEMENTS: Final = ("single", "complete", "consistent", "conflict")
RELATIONS: Final = ("single", "complete", "consistent", "conflict", "additive", "copy")
ACTIONS: Final = ("append", "replace", "withdraw")
ACTION_RANK: Final = {action: rank for rank, action in enumerate(ACTIONS)}
"""Within a submission and version: a replacement supersedes what it replaces, a withdrawal supersedes both."""
VERDICTS: Final = ("same", "different", "unsure")
"""What a person can decide about two reports."""
OBS_STATUS: Final = ("A", "B", "E", "F", "M", "P", "Q")
"""SDMX code list CL_OBS_STATUS 2.1, the codes in use: normal, break, estimated, forecast, missing, provisional,
and Q for a value that is withheld (suppressed) because its claims conflict."""
CONF_STATUS: Final = ("F", "C")
"""SDMX code list CL_CONF_STATUS, the codes in use: free, and confidential."""
BUCKETS: Final = (
    "published", "duplicate", "additive", "superseded", "withdrawn", "conflict", "rejected", "ignored",
)  # fmt: skip
"""Nothing is lost: every delivered row ends in exactly one of these."""
CLAIM_BUCKETS: Final = ("published", "duplicate", "additive", "superseded", "withdrawn", "conflict")
COUNT_COLUMNS: Final = ("delivered", "claims", "rejected", "ignored", "warnings")
"""The counts of a submission: rows delivered, claims made, rows rejected, rows ignored, warnings."""
READING_COLUMNS: Final = ("batch", "status", "content_digest", *COUNT_COLUMNS)
"""The columns of a submission that depend on how it was read: rereading replaces them."""

REASONS: Final = {
    "empty-file": "the file has no rows",
    "wrong-encoding": "the bytes are not text in the contract's encoding",
    "too-large": "a file, an archive member or a cell is over its limit",
    "unreadable": "the file is not of the contract's format",
    "missing-column": "a column that the contract maps is not in the file",
    "unknown-column": "a column that the contract neither maps nor ignores",
    "too-many-fields": "the row has more fields than the header",
    "too-few-fields": "the row has fewer fields than the header",
    "wrong-length": "the line is longer or shorter than a record of fixed width",
    "not-a-number": "text where a number should be, NaN and infinities included",
    "out-of-range": "a number beyond 28 digits or 9 decimals, or a version beyond the contract's limit",
    "missing-value": "a required cell is empty",
    "not-a-date": "a date or period that does not exist or is not written as declared",
    "from-the-future": "a version or time more than a day after the delivery was received",
    "not-authorised": "a reporter for whom the contract does not let this sender speak",
    "unknown-code": "a code that is not in the contract's map or code list",
    "unknown-unit": "a reporting unit that is in no register",
    "unit-not-valid": "a unit's code that is valid, but not on that date",
    "ambiguous-unit": "a name or code that could be several units on that date",
    "bad-check-digit": "an organisation number whose check digit is wrong",
    "duplicate-key": "a key that repeats inside one file where the contract says it may not",
    "rejected-twin": "a sound row whose key stands in a rejected row too",
    "placeholder": "a text that stands for no value where an identity should be: it joins nothing",
    "sum-row": "a unit that no register has and whose name is that of a total",
    "percent": "numbers that a workbook shows in percent",
    "not-read": "a part of a file that is not read: another sheet, merged cells, a formula without a result",
    "person-number": "a Norwegian person number where the contract declares no personal data: it is never published",
    "rule": "a rule of the contract",
}
"""Why a row or file is rejected: code -> meaning."""


ENVELOPE: Final = (
    Column("submission_id", pl.String, "The submission it came in"),
    Column("contract", pl.String, "The contract it was read with"),
    Column("obligation", pl.String, "The reporting duty it answers"),
    Column("sender", pl.String, "Who delivered it"),
    Column("reported_by", pl.String, "Whose statement it is; may differ from the sender"),
    Column("row", pl.Int32, "Record number in the file, the header being 1"),
    Column("column", pl.String, "The column of the file, or the path in a JSON document"),
    Column("original", pl.String, "The text as delivered", nullable=True),
    Column("reported_at", pl.Datetime("us"), "When, by the report's own account", nullable=True),
    Column("version", pl.Int64, "The report's own version: of a sender's statements the highest counts", nullable=True),
    Column("action", pl.String, "What the report asks for", values=ACTIONS),
    Column("confidential", pl.Boolean, "Whether the sender marked it as confidential"),
)

IDENTITY: Final = (
    Column("concept", pl.String, "What is measured"),
    Column("unit_id", pl.String, "The reporting unit: the same through a 1:1 renumbering"),
    Column("period_start", pl.Date, "First day of the period"),
    Column("period_end", pl.Date, "First day after the period (half-open)"),
    Column("breakdown", pl.String, "Further dimensions: JSON object text, keys sorted, {} for none"),
    Column("unit_measure", pl.String, "What the value counts: an ISO 4217 currency, persons, votes"),
)
"""Two claims that are equal in these columns are about the same item, whatever sender, form, scale or file."""

TOLERANCE_COLUMN: Final = Column(
    "tolerance", pl.Int32, "How far another value may be from it, in millionths of it; null for its accuracy alone",
    nullable=True,
)  # fmt: skip
PERCENT: Final = 10_000
"""One percent in the unit of `TOLERANCE_COLUMN`."""
CLAIM: Final = (
    *ENVELOPE,
    *IDENTITY,
    Column("value", VALUE, "The figure, exact, in whole units of its measure"),
    Column("decimals", pl.Int16, "Accuracy as in XBRL: -3 is to the thousand; null is exact", nullable=True),
    Column("obs_status", pl.String, "SDMX observation status", values=OBS_STATUS),
    Column("unit_kind", pl.String, "Kind of reporting unit"),
    Column("unit_code", pl.String, "The unit's code in the period", nullable=True),
    Column("unit_name", pl.String, "The unit's name in the period, or as delivered if it is provisional"),
    Column("precedence", pl.Int16, "Rank when claims conflict, lowest first; null is unranked", nullable=True),
    TOLERANCE_COLUMN,
    Column("copy_of", pl.String, "The obligation or contract that it repeats", nullable=True),
    Column("additive", pl.Boolean, "Whether it is one of several lines that are summed"),
    Column("position", pl.Int16, "Which of the contract's claims it is, from 0"),
    Column("lead", pl.Boolean, "Whether its row is counted under it: the row's first claim"),
    Column("item_id", pl.String, "The item: hash of the identity"),
    Column("slot_id", pl.String, "Hash of sender, contract, unit, period, for `correction: whole`", nullable=True),
    Column("partition", pl.String, "Month of period_start, YYYY-MM: where it is kept"),
)
"""One normalised statement, internal table `claims` (which adds `batch`, the commit it came in)."""

REJECT: Final = (
    Column("submission_id", pl.String, "The submission"),
    Column("row", pl.Int32, "Record number, null for the whole file", nullable=True),
    Column("column", pl.String, "The column, null for the whole row", nullable=True),
    Column("reason", pl.String, "Reason code", values=tuple(REASONS)),
    Column("rule", pl.String, "The contract's rule, if one was broken", nullable=True),
    Column("severity", pl.String, "critical: the row is rejected; warning: it is kept", values=("critical", "warning")),
    Column("found", pl.String, "What was found, at most 200 characters", nullable=True),
    Column("expected", pl.String, "What was expected"),
    Column("hint", pl.String, "What to do"),
)

OBSERVATION: Final = (
    Column("item_id", pl.String, "Hash of the identity; never changes meaning"),
    Column("concept", pl.String, "What is measured"),
    Column("unit_id", pl.String, "The reporting unit: the same through a 1:1 renumbering"),
    Column("unit_kind", pl.String, "Kind of reporting unit"),
    Column("unit_code", pl.String, "The unit's code in the period", nullable=True),
    Column("unit_name", pl.String, "The unit's name in the period"),
    *IDENTITY[2:],
    Column(
        "value",
        VALUE,
        "The published figure; null when withheld: a conflict, or confidential",
        nullable=True,
    ),
    Column("decimals", pl.Int16, "Accuracy of the published figure; null is exact", nullable=True),
    Column("obs_status", pl.String, "SDMX observation status; Q when withheld", values=OBS_STATUS),
    Column(
        "conf_status",
        pl.String,
        "SDMX confidentiality status: C when the value is withheld because only confidential claims state it",
        nullable=True,
        values=CONF_STATUS,
    ),
    Column("agreement", pl.String, "How its reports agree", values=AGREEMENTS),
    Column("reports", pl.Int32, "How many claims it is based on"),
    Column("reporters", pl.Int32, "How many distinct reporters it is based on"),
    Column("release", pl.Int32, "The release in which this row last changed"),
    Column("partition", pl.String, "Month of period_start, YYYY-MM"),
)

SOURCE: Final = (
    Column("item_id", pl.String, "The item"),
    Column("claim_id", pl.String, "submission_id, row and position: the same claim for ever"),
    *(c for c in ENVELOPE if c.name != "action"),
    Column("value", VALUE, "What this claim says; null when it is confidential", nullable=True),
    Column("decimals", pl.Int16, "How exactly", nullable=True),
    TOLERANCE_COLUMN,
    Column("relation", pl.String, "What joins it to the item", values=RELATIONS),
    Column("chosen", pl.Boolean, "Whether its value is the published one"),
    Column("release", pl.Int32, "The release in which this row last changed"),
    Column("partition", pl.String, "Month of period_start, YYYY-MM"),
)

CONFLICT: Final = (
    Column("item_id", pl.String, "The item"),
    Column("claim_id", pl.String, "The claim"),
    Column("concept", pl.String, "What is measured"),
    Column("unit_id", pl.String, "The reporting unit"),
    Column("unit_name", pl.String, "The unit's name"),
    *IDENTITY[2:],
    Column("contract", pl.String, "The contract"),
    Column("sender", pl.String, "Who delivered it"),
    Column("reported_by", pl.String, "Whose statement it is"),
    Column("submission_id", pl.String, "The submission"),
    Column("value", VALUE, "What this claim says; null when it is confidential", nullable=True),
    Column("decimals", pl.Int16, "How exactly", nullable=True),
    Column("lower", BOUND, "Least value it can mean", nullable=True),
    Column("upper", BOUND, "Greatest value it can mean", nullable=True),
    Column("precedence", pl.Int16, "Its declared rank, lowest first", nullable=True),
    Column("outcome", pl.String, "What was done", values=("published", "outranked", "withheld")),
    Column("release", pl.Int32, "The release in which this row last changed"),
    Column("partition", pl.String, "Month of period_start, YYYY-MM"),
)

CHANGE: Final = (
    Column("item_id", pl.String, "The item"),
    Column("change", pl.String, "What happened since the release before", values=("added", "changed", "removed")),
    Column("value_before", VALUE, "Its value in the release before", nullable=True),
    Column("value_after", VALUE, "Its value in this release", nullable=True),
    Column("agreement_before", pl.String, "How its reports agreed", nullable=True, values=AGREEMENTS),
    Column("agreement_after", pl.String, "How its reports agree", nullable=True, values=AGREEMENTS),
    Column("release", pl.Int32, "The release that changed it"),
    Column("partition", pl.String, "Month of period_start, YYYY-MM"),
)

EXPORTED_SUBMISSION: Final = (
    Column("submission_id", pl.String, "The submission"),
    Column("contract", pl.String, "The contract it was delivered under"),
    Column("sender", pl.String, "Who delivered it"),
    Column("filename", pl.String, "The name of the delivered file"),
    Column("sha256", pl.String, "The hash of its bytes"),
    Column("bytes", pl.Int64, "Their number"),
    Column("received_at", pl.Datetime("us"), "When it was received, UTC"),
    Column("period", pl.String, "The period that the sender stated, where the file states none", nullable=True),
    Column("as_of", pl.Datetime("us"), "The day that the sender stated it holds for", nullable=True),
)
"""`submissions` of an export: the deliveries that the release's sources name."""

PUBLISHED_TABLES: Final = {"observations": OBSERVATION, "sources": SOURCE, "conflicts": CONFLICT, "changes": CHANGE}
"""The tables that a release publishes."""


def frame_schema(columns: tuple[Column, ...]) -> pl.Schema:
    """Return the Polars schema of a table's columns, in order."""
    return pl.Schema({c.name: c.dtype for c in columns})


def empty(columns: tuple[Column, ...]) -> pl.DataFrame:
    """Return a frame with these columns and no rows."""
    return pl.DataFrame(schema=frame_schema(columns))
