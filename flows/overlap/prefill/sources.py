"""Where each figure of a draft is from: the rows of its sidecar file or sheet, in plain words."""

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from flows.overlap.known import KnownReport
from flows.spreadsheet import spreadsheet_csv
from transforms.prefill.cells import DraftCell
from transforms.prefill.known import DERIVED
from transforms.prefill.rows import DraftRow

SIDECAR_COLUMNS: Final = (
    "row", "column", "concept", "breakdown", "value", "filled", "source", "sender", "reported_by", "received",
    "plus_minus", "sure", "why",
)  # fmt: skip
"""The columns of the list. row: of the draft, the first being 1; null for a figure of no row."""


def source_rows(report: KnownReport, rows: Sequence[DraftRow], outside: Iterable[DraftCell]) -> list[dict[str, Any]]:
    """Return a row (`SIDECAR_COLUMNS`) for each figure of a draft, then for each that is asked for and in no row of it.

    value: the text as the draft has it. filled: whether it is filled in. source: the obligations that have the value.
    sure: how sure it is, in words. why: why a figure is left empty, in words that depend on no value.
    """
    listed = []
    for number, row in enumerate(rows, start=1):
        listed += [_row(report, number, cell) for cell in row.figures.values()]
        listed += [_missing(report, number, claim) for claim in _left_out(report, row)]
    listed += [_row(report, None, cell) for cell in outside]
    others = {row["concept"] for row in listed}
    unlisted = [] if rows else [n for n, claim in enumerate(report.contract.claims) if claim.concept not in others]
    return listed + [_missing(report, None, number) for number in unlisted]


def _left_out(report: KnownReport, row: DraftRow) -> list[int]:
    """Return the claims that a row may make and of which nothing is known at all."""
    claims = report.contract.claims
    made = set(report.contract.unpivot.made()) if report.contract.unpivot else set()
    return [
        number
        for number, claim in enumerate(claims)
        if claim.column not in {*row.figures, *made}
        and all(row.keys.get(column) in texts for column, texts in claim.conditions().items())
    ]


def _row(report: KnownReport, number: int | None, cell: DraftCell) -> dict[str, Any]:
    """Return the row of a cell: its source where it is filled in, else why it is not and nothing else of it."""
    claim, item = report.contract.claims[cell.claim], cell.item
    filled = bool(cell.text)
    known = {
        "value": cell.text,
        "source": ", ".join(item["obligations"] or []),
        "sender": ", ".join(item["senders"] or []),
        "reported_by": item["reported_by"],
        "received": item["received_at"],
        "plus_minus": (item["upper"] - item["lower"]) / 2,
        "sure": _sure(report, item),
    } if filled else {}  # fmt: skip
    about = {"row": number, "column": cell.column, "concept": claim.concept, "breakdown": item["breakdown"]}
    return {
        **dict.fromkeys(SIDECAR_COLUMNS),
        **about,
        **known,
        "filled": filled,
        "why": None if filled else cell.why or report.why(claim, item),
    }


def _missing(report: KnownReport, number: int | None, claim: int) -> dict[str, Any]:
    spec = report.contract.claims[claim]
    about = {"row": number, "column": spec.column, "concept": spec.concept}
    return {**dict.fromkeys(SIDECAR_COLUMNS), **about, "filled": False, "why": report.why(spec, None)}


def _sure(report: KnownReport, item: dict[str, Any]) -> str:
    """Return how sure a value is, in words."""
    if item["state"] == DERIVED:
        return f"derived: the exact sum of {item['parts']} reported figures ({item['rule']})"
    sure = report.sureness(item)
    stated = f"stated by {len(item['obligations'])} obligations" if len(item["obligations"]) > 1 else "stated once"
    if not sure["compared"]:
        return f"{stated}; no other figures to compare"
    share = f"{sure['agreed']} of {sure['compared']} other figures were the same as this form's"
    return f"{stated}; {share} (95 % lower bound {100 * sure['bound']:.1f} %)"


def source_table(listed: Iterable[dict[str, Any]]) -> list[list[object]]:
    """Return the rows as a table of texts, its header first; None for nothing."""
    rows: list[list[object]] = [[_text(row[name]) for name in SIDECAR_COLUMNS] for row in listed]
    return [[*SIDECAR_COLUMNS], *rows]


def _text(value: object) -> str | int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
    return value.isoformat(sep=" ", timespec="seconds") if isinstance(value, dt.datetime) else str(value)


def sources_csv(listed: Iterable[dict[str, Any]]) -> str:
    """Return the list as CSV for a spreadsheet, formulas defused."""
    return spreadsheet_csv(source_table(listed))


def sources_json(listed: Iterable[dict[str, Any]]) -> str:
    """Return the list as JSON."""
    rows = [{name: row[name] if name == "filled" else _text(row[name]) for name in SIDECAR_COLUMNS} for row in listed]
    return json.dumps({"figures": rows}, ensure_ascii=False, indent=1) + "\n"
