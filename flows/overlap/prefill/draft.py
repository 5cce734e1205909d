"""The draft of a report: what is known of it, in the contract's own format, with where each figure is from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.intake.registration import check_delivery
from flows.overlap.known import KnownReport, known_report
from flows.overlap.prefill.sources import source_rows, source_table
from infra import telemetry
from schemas.contract import Contract
from schemas.errors import SubmissionError, UsageError
from transforms.examples.example_file import example_bytes
from transforms.parsing.csv_header import read_header
from transforms.parsing.shapes.table_edges import joined_names
from transforms.parsing.text import to_utf8
from transforms.prefill.cells import DraftCell, empty_keys, plan_cells
from transforms.prefill.files.documents import document_columns
from transforms.prefill.files.layout import Layout, is_writable
from transforms.prefill.files.write import draft_bytes, field_text
from transforms.prefill.read_back import Delivered, numbered_rows, unread_cells
from transforms.prefill.rows import DraftRow, assemble_rows, draft_columns
from transforms.prefill.texts.period_texts import period_texts
from transforms.prefill.texts.take_texts import texts_read_as

MOST_WRITINGS: Final = 4
"""So often a draft is written again without figures that its contract does not read, or its rules reject."""
OTHER_FILE: Final = "it belongs in a file of its own"
UNREAD: Final = "the form does not read the figure as this item"
UNFIT: Final = "a text of its row may not stand in such a file"
NO_ROOM: Final = "its field has no room for it"
DRAFT_SUFFIXES: Final = {"fixed_width": "txt", "sdmx_csv": "csv"}


@dataclass(frozen=True)
class Draft:
    """A draft and what is in it.

    sources: a row for each figure that the form asks for: `flows.overlap.prefill.sources.source_rows`. on_sheet:
    whether the draft itself lists them, on a sheet. rejects: what `engang check` finds wrong with the draft as it is
    (`schemas.claims.REJECT`): figures that are left to the sender. period: what is stated as `--period`, if the file
    states none.
    """

    contract: str
    unit: str
    suffix: str
    data: bytes
    sources: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    sender: str
    period: str | None
    on_sheet: bool

    @property
    def filled(self) -> int:
        """How many figures are filled in."""
        return sum(row["filled"] for row in self.sources)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, without the bytes."""
        return {
            "contract": self.contract,
            "unit": self.unit,
            "sender": self.sender,
            "period": self.period,
            "figures": len(self.sources),
            "filled": self.filled,
            "passes": self.passes,
            "sources": self.sources,
            "rejects": self.rejects,
        }

    def verdict(self) -> str:
        """Return in words whether a check accepts the draft, and what is left to do."""
        if self.passes:
            return "`engang check` accepts the draft as it is"
        faults = {(reject["row"], reject["column"]) for reject in self.rejects if reject["severity"] == "critical"}
        columns = ", ".join(sorted({column for _, column in faults if column})) or "whole rows"
        return f"left to the sender: {len(faults)} cells that the form asks for ({columns})"

    @property
    def passes(self) -> bool:
        """Whether `engang check` accepts the draft as it is."""
        return not any(reject["severity"] == "critical" for reject in self.rejects)


def draw_up_draft(
    installation: Installation,
    contract_name: str,
    unit: str,
    period: str,
    *,
    sender: str | None = None,
    everyone: bool = False,
    sheet: bool = True,
) -> Draft:
    """Return the draft of a report, checked as a delivery is (arguments as `flows.overlap.known.known_report`).

    sender: who would deliver it, by default the contract's default sender, else the first that may. sheet: whether a
    workbook lists its sources on a sheet. A figure is filled in only if the file, read by its contract, states that
    item and value, and no rule rejects it. Raises `UsageError` where the contract's files cannot be written.
    """
    report = known_report(installation, contract_name, unit, period, everyone=everyone)
    contract, place = report.contract, report.place
    delivered = Delivered(sender or _sender(contract), _stated_period(contract, report))
    cells = plan_cells(report.items, contract, installation.register, delivered.sender)
    cells = [_writable(cell, contract) for cell in cells]
    on_sheet = sheet and contract.format.type == "xlsx" and not isinstance(contract.format.sheets, str)
    made = _Made([], [], b"", [])
    for _ in range(MOST_WRITINGS):
        rows, outside = _one_file(*assemble_rows(cells, contract), contract)
        layout = _layout(rows, contract, installation, place)
        made = _Made(rows, outside, draft_bytes(layout), _rejects(installation, layout, delivered))
        emptied = _emptied(made, contract, installation, delivered)
        if not emptied:
            break
        cells = [emptied.get(_key(cell), cell) for cell in cells]
    listed = source_rows(report, made.rows, made.outside)
    data = made.data
    if on_sheet:
        data = draft_bytes(replace(_layout(made.rows, contract, installation, place), sources=source_table(listed)))
    _log(contract, listed)
    suffix = DRAFT_SUFFIXES.get(contract.format.type, contract.format.type)
    return Draft(
        contract.contract, place["unit_code"] or unit, suffix, data, listed, made.rejects, delivered.sender,
        delivered.period, on_sheet,
    )  # fmt: skip


@dataclass(frozen=True)
class _Made:
    """A draft that was written: its rows, the cells that are in none, its bytes, what a check finds wrong."""

    rows: list[DraftRow]
    outside: list[DraftCell]
    data: bytes
    rejects: list[dict[str, Any]]


def _key(cell: DraftCell) -> tuple[int, str]:
    return cell.claim, cell.item["item_id"]


def _sender(contract: Contract) -> str:
    known = contract.sender.known()
    if contract.sender.default or known:
        return contract.sender.default or known[0]
    raise UsageError(f"contract {contract.contract!r} names no sender: give the one who will deliver it with --sender")


def _stated_period(contract: Contract, report: KnownReport) -> str | None:
    """Return the period as a sender states it, where the file does not."""
    _, period = contract.place()
    if "period" not in contract.options():
        return None
    texts = period_texts(report.place["period_start"], period)
    return next((source for text in texts for source in texts_read_as(period, text)), texts[0])


def _writable(cell: DraftCell, contract: Contract) -> DraftCell:
    """Return the cell without its figure where the file may not hold a text of its row, or has no room for it."""
    if not all(is_writable(text, contract.format) for text in cell.keys.values()):
        return replace(cell.emptied(cell.why or UNFIT), keys={})
    texts = {**cell.keys, cell.column: cell.text}
    fields = {field.name: field for field in contract.format.fields}
    for column, text in texts.items():
        field = fields.get(column)
        if field and field_text(text, field, contract.format, is_figure=column == cell.column) is None:
            return replace(cell.emptied(cell.why or NO_ROOM), keys={})
    return cell


def _one_file(
    rows: list[DraftRow], outside: list[DraftCell], contract: Contract
) -> tuple[list[DraftRow], list[DraftCell]]:
    """Return the rows that one file can hold: of a document all share what it states once."""
    shared = document_columns(contract)
    if not rows or not shared:
        return rows, outside
    first = [rows[0].keys.get(column) for column in shared]
    here = [row for row in rows if [row.keys.get(column) for column in shared] == first]
    others = [cell.emptied(OTHER_FILE) for row in rows if row not in here for cell in row.figures.values()]
    return here, [*outside, *others]


def _layout(rows: Sequence[DraftRow], contract: Contract, installation: Installation, place: dict[str, Any]) -> Layout:
    """Return what the file holds; with nothing known, one row of the unit and period for the sender to fill in."""
    keys = empty_keys(contract, installation.register, place)
    texts = [row.texts() for row in rows] or [{c: t for c, t in keys.items() if is_writable(t, contract.format)}]
    figures = {column for row in rows for column in row.figures} | {claim.column for claim in contract.claims}
    return Layout(draft_columns(rows, contract, _header(contract)), texts, frozenset(figures), contract)


def _header(contract: Contract) -> list[str]:
    """Return the names of the columns of the form as the contract's first example has them; none where it has none."""
    example, form = contract.examples[0], contract.format
    try:
        if form.type == "csv" and isinstance(example.given, str):
            return list(read_header(to_utf8(example_bytes(example, contract), contract), form).names)
    except (SubmissionError, UnicodeEncodeError):
        return []
    if form.type in {"xlsx", "parquet"} and not isinstance(example.given, str):
        above = [["" if cell is None else str(cell) for cell in row] for row in example.given]
        return joined_names(above[: len(form.header_rows or (1,))])
    return []


def _rejects(installation: Installation, layout: Layout, how: Delivered) -> list[dict[str, Any]]:
    """Return what a check finds wrong with a draft, as `engang check` does."""
    contract = layout.contract.contract
    name, data = f"draft.{layout.form.type}", draft_bytes(layout)
    delivery = make_delivery(installation, name, data, contract, sender=how.sender, period=how.period)
    receipt, rejects = check_delivery(installation, delivery, earlier=False)
    if receipt.status == "parked":
        raise UsageError(f"the draft could not be checked: {receipt.problem}")
    return rejects.to_dicts()


def _emptied(
    made: _Made, contract: Contract, installation: Installation, how: Delivered
) -> dict[tuple[int, str], DraftCell]:
    """Return the cells to leave empty: those that the file does not state, and those that the contract rejects."""
    filled = [cell for row in made.rows for cell in row.figures.values() if cell.text]
    unread = unread_cells(made.data, filled, contract, installation.register, how)
    found = {_key(cell): cell.emptied(UNREAD) for cell in unread}
    numbers = numbered_rows(made.data, contract, len(made.rows))
    for reject in made.rejects:
        if reject["severity"] == "critical" and reject["row"] in numbers:
            cell = made.rows[numbers[reject["row"]]].figures.get(reject["column"] or "")
            if cell and cell.text:
                why = " ".join(filter(None, (reject["reason"], reject["rule"])))
                found.setdefault(_key(cell), cell.emptied(f"the form rejects it: {why}"))
    return found


def _log(contract: Contract, listed: list[dict[str, Any]]) -> None:
    """Log counts, and nothing that a draft shows."""
    fields = {"contract": contract.contract, "figures": len(listed), "filled": sum(row["filled"] for row in listed)}
    telemetry.log("prefill").info("draft", extra=fields)


def draft_name(draft: Draft, period: str) -> str:
    """Return the name of a draft's file: contract, unit and period, without any character that a path could mean."""
    safe = (re.sub(r"[^A-Za-z0-9_-]+", "_", text)[:60] for text in (draft.contract, draft.unit, period))
    return f"{'-'.join(safe)}.{draft.suffix}"
