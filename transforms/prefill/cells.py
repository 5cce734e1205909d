"""The cells of a draft: for each item that a form asks for its figure, and the texts by which its row states it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from schemas.concepts import Conversion
from schemas.contract import ClaimSpec, Contract, Take
from schemas.contract_terms import breakdowns, conversions_of
from transforms.clean_text import clean
from transforms.normalisation.personal import personal_columns
from transforms.overlap.breakdowns import fixed_codes, may_be_equal
from transforms.prefill.known import CONTRADICTED, FILLED, PERSONAL, TOO_SMALL, WITHHELD
from transforms.prefill.texts.figure_texts import FigureText, figure_text
from transforms.prefill.texts.period_texts import last_start, period_texts
from transforms.prefill.texts.take_texts import Cells, cells_for
from transforms.prefill.texts.unit_texts import unit_texts
from transforms.register.lookup import Register

WHY: Final = {
    WITHHELD: "the value is withheld",
    PERSONAL: "the value is personal data",
    TOO_SMALL: "the value is too small to be shown",
    CONTRADICTED: "the reports contradict each other",
}
"""Why an item has no value in a draft, by its state."""
NO_PLACE: Final = "the form has no place for it"


@dataclass(frozen=True)
class DraftCell:
    """The cell of one figure: its column, its text (empty where it is not filled in, `why`), and the texts of its row.

    claim: which of the contract's claims it is. keys: column -> text, of the row. item: the item as
    `transforms.prefill.known.KNOWN_ITEM` has it.
    """

    claim: int
    column: str
    keys: Cells
    item: dict[str, Any]
    text: str = ""
    why: str | None = None

    def emptied(self, why: str) -> "DraftCell":
        """Return the cell without its figure."""
        return replace(self, text="", why=why)


def plan_cells(known: pl.DataFrame, contract: Contract, register: Register, sender: str) -> list[DraftCell]:
    """Return a cell for each claim of a contract and each item that it asks for, in the contract's order.

    known: the items of one unit and period (`KNOWN_ITEM`). sender: the name that a column of reporters gets where it is
    not the column of the unit.
    """
    personal = set(personal_columns(contract, None))
    return [
        cell
        for number, claim in enumerate(contract.claims)
        for item in _asked(known, contract, claim)
        for cell in _cells(number, item, contract, register, (sender, personal))
    ]


def _asked(known: pl.DataFrame, contract: Contract, claim: ClaimSpec) -> list[dict[str, Any]]:
    """Return the items that a claim may state, by breakdown."""
    wanted = fixed_codes(breakdowns(contract, claim))
    rows = known.filter(pl.col("concept") == claim.concept).sort("breakdown", "unit_measure").to_dicts()
    return [row for row in rows if may_be_equal(wanted, row["breakdown"])]


def _cells(
    number: int, item: dict[str, Any], contract: Contract, register: Register, context: tuple[str, set[str]]
) -> Iterator[DraftCell]:
    """Yield the cell of an item, if the form can state its unit of measure."""
    claim, (sender, personal) = contract.claims[number], context
    measured = _measure(item["unit_measure"], contract, claim)
    if measured is None:
        return
    measure, conversion = measured
    figure = FigureText(why=WHY.get(item["state"]))
    if item["state"] in FILLED:
        spread = (item["upper"] - item["lower"]) / 2
        figure = figure_text(item["value"], spread, claim, contract.format, conversion)
    keys = _keys(item, contract, claim, (register, sender, measure, figure))
    cell = DraftCell(number, claim.column, keys or {}, item, figure.text, figure.why)
    if keys is None:
        yield cell.emptied(WHY.get(item["state"], NO_PLACE))
    elif personal & {claim.column, *keys}:
        yield cell.emptied(WHY[PERSONAL])
    else:
        yield cell


def _measure(wanted: str, contract: Contract, claim: ClaimSpec) -> tuple[Cells, Conversion | None] | None:
    """Return the cells that state a unit of measure, and how it is converted into that of the item; None if none do."""
    found = cells_for(claim.unit_measure, [wanted])
    conversions = conversions_of(contract, claim)
    if found is not None and wanted not in conversions:
        return found, None
    for name, conversion in conversions.items():
        cells = cells_for(claim.unit_measure, [name]) if conversion.to == wanted else None
        if cells is not None:
            return cells, conversion
    return None


def _keys(
    item: dict[str, Any], contract: Contract, claim: ClaimSpec, context: tuple[Register, str, Cells, FigureText]
) -> Cells | None:
    """Return the texts of an item's row; None where two of them would have to be in one cell, or one in none."""
    register, sender, measure, figure = context
    merged: Cells = dict(measure)
    parts: list[Cells | None] = [
        *_place_cells(item, contract, register),
        *_breakdown_cells(item, contract, claim),
        {column: texts[0] for column, texts in claim.conditions().items()},
    ]
    for part in parts:
        if part is None or any(merged.get(column, text) != text for column, text in part.items()):
            return None
        merged |= part
    for part in _attribute_cells(contract, claim, figure, sender):
        merged = part | merged
    return merged


def _place_cells(item: dict[str, Any], contract: Contract, register: Register) -> list[Cells | None]:
    """Return the cells of unit, kind and period, None for one that cannot be stated."""
    unit, period = contract.place()
    start, end = item["period_start"], item["period_end"]
    last = last_start(start, end, period)
    first_text = period_texts(start, period)
    found = [
        cells_for(unit, unit_texts(register, unit, item, end)),
        cells_for(unit.kind, [item["unit_kind"]]) if isinstance(unit.kind, Take) else {},
        cells_for(period, first_text),
    ]
    if period.until:
        found.append(cells_for(period.until, period_texts(last, period)))
    elif last != start and period.span:
        found[2] = cells_for(period, [f"{first_text[0]}{period.span}{period_texts(last, period)[0]}"])
    return found


def _breakdown_cells(item: dict[str, Any], contract: Contract, claim: ClaimSpec) -> list[Cells | None]:
    codes: dict[str, str] = json.loads(item["breakdown"])
    return [cells_for(take, [codes[name]]) for name, take in breakdowns(contract, claim).items()]


def _attribute_cells(contract: Contract, claim: ClaimSpec, figure: FigureText, sender: str) -> Iterator[Cells]:
    """Yield the cells of what is no part of the item: who reports, what the row asks for, status and accuracy."""
    wanted: list[tuple[Take | None, str]] = [
        (claim.reported_by, sender),
        (contract.action, "append"),
        (claim.obs_status, "A"),
        (claim.confidential, "false"),
    ]
    if isinstance(claim.decimals, Take):
        wanted.append((claim.decimals, "exact" if figure.decimals is None else str(figure.decimals)))
    if isinstance(claim.precedence, Take) and claim.precedence.map:
        wanted.append((claim.precedence, clean(next(iter(claim.precedence.map.values())))))
    for take, text in wanted:
        cells = cells_for(take, [text]) if take else None
        if cells:
            yield cells


def empty_keys(contract: Contract, register: Register, place: dict[str, Any]) -> Cells:
    """Return the texts of a row of which nothing is known but its unit and period.

    place: unit_id, unit_kind, unit_code, unit_name, period_start, period_end.
    """
    found: Cells = {}
    for part in _place_cells(place, contract, register):
        found |= part or {}
    return found
