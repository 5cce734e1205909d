"""The tables of a record kind: every column declared once, from the kind's own fields.

Internal: `<kind>_records` (every delivery of every report), `<kind>_reports` (the standing reports with their blocking
keys), `<kind>_edges` (scored pairs), `<kind>_retired`. Published by a release: `<kind>` (one row per item),
`<kind>_sources`, `<kind>_conflicts`, `<kind>_changes`, `<kind>_history`.
"""

from typing import Final

import polars as pl

from schemas.claims import ACTIONS, CONF_STATUS, Column
from schemas.kind import Kind

SINGLE_PARTITION: Final = "all"
"""The one partition of a kind's tables."""
RECORDS_PREFIX: Final = "records/"
"""Prefix of the partition name under which the ledger lists a submission's records of a kind, next to months."""
RECORD_AGREEMENTS: Final = ("single", "complete", "conflict")
RECORD_RELATIONS: Final = ("single", "complete", "conflict")
EVENTS: Final = ("merged", "split", "moved", "retired", "renewed")
CAUSES: Final = ("submission", "decision", "model", "rules")

_RELEASE: Final = Column("release", pl.Int32, "The release in which this row last changed")
_PARTITION: Final = Column("partition", pl.String, "Always `all`")

_ENVELOPE: Final = (
    Column("report_id", pl.String, "The report: hash of contract, reporter and report key"),
    Column("submission_id", pl.String, "The submission it came in"),
    Column("contract", pl.String, "The contract it was read with"),
    Column("obligation", pl.String, "The reporting duty it answers"),
    Column("sender", pl.String, "Who delivered it"),
    Column("reported_by", pl.String, "Whose report it is; may differ from the sender"),
    Column("report_key", pl.String, "The report's own key: JSON array text"),
    Column("row", pl.Int32, "Record number of its first row in the file, the header being 1"),
    Column("rows", pl.List(pl.Int32), "Record numbers of all its rows: a report may have several parts"),
    Column("row_keys", pl.List(pl.String), "What the delivery itself calls each row, if it does", nullable=True),
    Column("reported_at", pl.Datetime("us"), "When, by the report's own account", nullable=True),
    Column("version", pl.Int64, "The report's own version: the highest of a report counts", nullable=True),
    Column("confidential", pl.Boolean, "Whether the sender marked it as confidential"),
)
_CONTENT: Final = (
    Column("part_values", pl.String, "Each part's own values where parts differ: JSON array text", nullable=True),
    Column("content", pl.String, "Hash of what the report says"),
    Column("precedence", pl.Int16, "Rank when reports tie, lowest first; null is unranked", nullable=True),
)


def _fields(kind: Kind, *, published: bool = False) -> tuple[Column, ...]:
    return tuple(
        Column(name, f.published_dtype() if published else f.dtype(), f.doc, nullable=True)
        for name, f in kind.fields.items()
    )


def record_columns(kind: Kind) -> tuple[Column, ...]:
    """Return the columns of `<kind>_records`, internal: one row per delivery of a report (`batch` is added)."""
    return (
        *_ENVELOPE,
        Column("action", pl.String, "What the report asks for", values=ACTIONS),
        *_fields(kind),
        *_CONTENT,
        _PARTITION,
    )


def report_index_columns(kind: Kind) -> tuple[Column, ...]:
    """Return the columns of `<kind>_reports`, internal: one row per standing report; `block_<n>` of `Kind.rules` n.

    A rule of which a report may have several keys has a list of them, `blocks_<n>`.
    """
    one, several = ("block", pl.Int64), ("blocks", pl.List(pl.Int64))
    kinds = [several if kind.has_lists(n) else one for n in range(len(kind.rules()))]
    keys = (
        Column(f"{name}_{n}", dtype, f"Hash of rule {n}'s value", nullable=True)
        for n, (name, dtype) in enumerate(kinds)
    )
    return (Column("report_id", pl.String, "The report"), *keys, _RELEASE, _PARTITION)


EDGE: Final = (
    Column("a", pl.String, "The report with the smaller id"),
    Column("b", pl.String, "The other report"),
    Column("weight", pl.Float64, "Match weight: log2 of the odds that they are one item"),
    _RELEASE,
    _PARTITION,
)
"""`<kind>_edges`, internal: every scored pair with at least the weight for a review."""

RETIRED_RECORD: Final = (
    Column("id", pl.String, "A report or an item"),
    Column("what", pl.String, "Which of them", values=("report", "item")),
    _RELEASE,
    _PARTITION,
)
"""`<kind>_retired`, internal: rows of these ids that an earlier release wrote are no longer live."""


def item_columns(kind: Kind) -> tuple[Column, ...]:
    """Return the columns of the published table `<kind>`: one row per item."""
    return (
        Column("item_id", pl.String, "The id of the report that founded it; never changes meaning"),
        *_fields(kind, published=True),
        Column("agreement", pl.String, "How its reports agree", values=RECORD_AGREEMENTS),
        Column("conflicting", pl.List(pl.String), "Fields on which its reports differ, sorted"),
        Column(
            "conf_status",
            pl.String,
            "SDMX confidentiality status: C when it has a report marked as confidential, whose values are left out",
            nullable=True,
            values=CONF_STATUS,
        ),
        Column("reports", pl.Int32, "How many reports it is based on"),
        Column("reporters", pl.Int32, "How many distinct reporters it is based on"),
        Column("first_reported", pl.Datetime("us"), "When it was first reported, by the reports", nullable=True),
        Column("last_reported", pl.Datetime("us"), "When it was last reported, by the reports", nullable=True),
        _RELEASE,
        _PARTITION,
    )


def source_table_columns(kind: Kind) -> tuple[Column, ...]:
    """Return the columns of `<kind>_sources`: one row per counted delivery of a report, with all its values."""
    return (
        Column("item_id", pl.String, "The item"),
        Column("claim_id", pl.String, "submission_id and row: the same for ever"),
        *_ENVELOPE,
        *_fields(kind),
        *_CONTENT,
        Column("relation", pl.String, "What joins it to the item", values=RECORD_RELATIONS),
        Column("lead", pl.Boolean, "Whether its first row is the item's published row"),
        _RELEASE,
        _PARTITION,
    )


CONFLICT_RECORD: Final = (
    Column("item_id", pl.String, "The item"),
    Column("field", pl.String, "The field on which reports differ"),
    Column("report_id", pl.String, "The report"),
    Column("reported_by", pl.String, "Whose report it is"),
    Column("submission_id", pl.String, "The submission"),
    Column("value", pl.String, "What this report says, as text"),
    Column("outcome", pl.String, "What was done", values=("published", "outranked")),
    _RELEASE,
    _PARTITION,
)
"""`<kind>_conflicts`: one row per report and field on which an item's reports differ."""

CHANGE_RECORD: Final = (
    Column("item_id", pl.String, "The item"),
    Column("change", pl.String, "What happened since the release before", values=("added", "changed", "removed")),
    Column("agreement_before", pl.String, "How its reports agreed", nullable=True, values=RECORD_AGREEMENTS),
    Column("agreement_after", pl.String, "How its reports agree", nullable=True, values=RECORD_AGREEMENTS),
    Column("reports_before", pl.Int32, "How many reports it had", nullable=True),
    Column("reports_after", pl.Int32, "How many reports it has", nullable=True),
    _RELEASE,
    _PARTITION,
)
"""`<kind>_changes`: one row per item and release that added, changed or removed it."""

HISTORY: Final = (
    Column("event", pl.String, "What happened to the id", values=EVENTS),
    Column("item_id", pl.String, "The id it happened to"),
    Column("other_id", pl.String, "merged: what it now resolves to; split, moved: what took reports", nullable=True),
    Column("reports", pl.Int32, "How many reports went with it"),
    Column("cause", pl.String, "What caused it", values=CAUSES),
    Column(
        "cause_id",
        pl.String,
        "The submission, decision, model or version of the rules; several by comma",
        nullable=True,
    ),
    _RELEASE,
    _PARTITION,
)
"""`<kind>_history`: append-only, what happened to every id."""


def published_kind_tables(kind: Kind) -> dict[str, tuple[Column, ...]]:
    """Return the tables that a release publishes of a kind, by name."""
    name = kind.kind
    return {
        name: item_columns(kind),
        f"{name}_sources": source_table_columns(kind),
        f"{name}_conflicts": CONFLICT_RECORD,
        f"{name}_changes": CHANGE_RECORD,
        f"{name}_history": HISTORY,
    }


def internal_kind_tables(kind: Kind) -> dict[str, tuple[Column, ...]]:
    """Return the internal tables of a kind whose version a release records (not `<kind>_records`, as for claims)."""
    name = kind.kind
    return {f"{name}_reports": report_index_columns(kind), f"{name}_edges": EDGE, f"{name}_retired": RETIRED_RECORD}
