"""A checked file as its sender reads it: the outcome, the same faults together, then every row."""

from collections.abc import Iterable, Sequence
from typing import Any

from flows.check_page.check import Checked
from flows.check_page.phrases import translated
from flows.check_page.texts import Language, reason_text, texts_of
from flows.spreadsheet import spreadsheet_csv


def outcome_of(checked: Checked) -> str:
    """Return the key of a file's outcome: accepted, warned, partly, rejected, unread or draft."""
    receipt = checked.receipt
    if receipt.status in {"parked", "rejected"}:
        return "unread" if receipt.status == "parked" else "rejected"
    if receipt.open_answers:
        return "draft"
    if receipt.rejected:
        return "partly"
    return "warned" if receipt.warnings else "accepted"


def receipt_csv(results: Sequence[Checked], language: Language) -> str:
    """Return the receipts as CSV for a spreadsheet: a line for each file, then one for each of its rejects."""
    texts = texts_of(language)
    names = ("file", "severity", "row", "column", "code", "reason", "found", "expected", "hint")
    lines: list[Sequence[object]] = [[texts["columns"][name] for name in names]]
    for checked in results:
        receipt, outcome = checked.receipt, texts["outcome"][outcome_of(checked)]
        counts = (f"{texts[name]}: {getattr(receipt, name)}" for name in ("delivered", "rejected", "warnings"))
        summary = ", ".join(counts)
        problem = (receipt.problem or "") if receipt.status == "parked" else ""
        lines.append([receipt.filename, texts["receipt_title"], None, "", "", outcome, summary, "", problem])
        for reject in in_order(checked.rejects):
            title, advice = reason_text(reject["reason"], language)
            place = [receipt.filename, texts["severity"][reject["severity"]], reject["row"], reject["column"]]
            expected, hint = (translated(reject[name], language) or reject[name] for name in ("expected", "hint"))
            stated = [reject["reason"], title, reject["found"], expected, hint or advice]
            lines.append([*place, *stated])
    return spreadsheet_csv(lines)


def in_order(rejects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rejects in order of row, those of the whole file first."""
    return sorted(rejects, key=lambda reject: reject["row"] or 0)
