"""A small record kind for tests, and deliveries of it made from few words."""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from schemas.claims import frame_schema
from schemas.kind import Kind, read_kind
from schemas.record_tables import record_columns
from transforms.records.consolidate import (
    ConsolidatedRecords,
    consolidate_records,
    left_join_columns,
    mark_standing,
)

KIND = read_kind(
    """
    kind: mishap
    version: 1
    title: {en: Mishap, nb: Uhell, nn: Uhell}
    one_report_per_item: true
    fields:
      case: {type: code, role: identity, doc: The case}
      place: {type: text, role: comparison, doc: Where, compare: {by: similarity}, survives: longest}
      day: {type: date, role: comparison, doc: When, compare: {by: days, levels: [1]}, survives: first}
      at: {type: datetime, role: attribute, doc: What time, tolerance: 10, survives: last}
      speed: {type: number, role: attribute, doc: How fast, tolerance: 0.5}
      hurt: {type: integer, role: attribute, doc: How many, survives: greatest, parts: sum}
      cost: {type: number, role: attribute, doc: What it cost, survives: least}
      indoors: {type: boolean, role: attribute, doc: Whether inside}
      causes: {type: list, role: attribute, doc: Why}
      story: {type: text, role: text, doc: What happened}
    blocking: [[day]]
    """
)
FIELDS = tuple(KIND.fields)


def deliveries(reports: Iterable[Mapping[str, Any]], kind: Kind = KIND) -> pl.DataFrame:
    """Return deliveries with the columns of `<kind>_records`; columns that are not given get a minimal value.

    `content` is what the fields say, in words; a report is of its own reporter; each is received after the one before.
    """
    rows = []
    for n, each in enumerate(reports):
        row = {
            "report_id": f"r{n}",
            "submission_id": f"s{n}",
            "contract": "mishaps",
            "obligation": "mishaps",
            "sender": "agency",
            "reported_by": each.get("report_id", f"r{n}"),
            "report_key": "[]",
            "row": 2,
            "confidential": False,
            "action": "append",
            "partition": "all",
            "arrival": n,
            **each,
        }
        fields = {name: row.get(name) for name in kind.fields}
        rows.append({"rows": [row["row"]], "content": repr(fields), **row})
    return pl.DataFrame(rows, schema={**frame_schema(record_columns(kind)), "arrival": pl.UInt32}, strict=False)


def of_items(frame: pl.DataFrame, **items: str) -> pl.DataFrame:
    """Return which item each report is of: its own by default."""
    ids = frame["report_id"].unique(maintain_order=True).to_list()
    return pl.DataFrame(
        {"report_id": ids, "item_id": [items.get(i, i) for i in ids]}, {"report_id": pl.String, "item_id": pl.String}
    )


def consolidate_deliveries(frame: pl.DataFrame, items: pl.DataFrame, kind: Kind) -> ConsolidatedRecords:
    """Consolidate deliveries as the night does; items: report_id, item_id of the standing reports."""
    marked = left_join_columns(mark_standing(frame), items.select("report_id", "item_id"), "report_id")
    return consolidate_records(marked, kind)
