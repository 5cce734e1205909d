"""The rows of a draft: cells that one row can hold put together, columns that become rows put back as columns."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.contract import Contract, Unpivot
from transforms.prefill.cells import NO_PLACE, DraftCell
from transforms.prefill.texts.take_texts import Cells

_GROUP: Final = re.compile(r"\(\?P?<([A-Za-z_]\w*)>")
_PLAIN: Final = re.compile(r"(?:[^\\.^$*+?{}\[\]|()]|\\[^A-Za-z0-9])*")
"""A part of a regular expression that matches one text only: what is escaped is punctuation."""


@dataclass
class DraftRow:
    """One row of the file: its texts by column, and its figures by column."""

    keys: Cells
    figures: dict[str, DraftCell] = field(default_factory=dict)

    def texts(self) -> Cells:
        """Return all texts of the row by column."""
        return self.keys | {column: cell.text for column, cell in self.figures.items()}

    def takes(self, cell: DraftCell) -> bool:
        """Return whether the row can hold a cell: it has no other text in any of its columns."""
        fits = all(self.keys.get(column, text) == text for column, text in cell.keys.items())
        return fits and cell.column not in self.figures and cell.column not in self.keys

    def filled(self) -> bool:
        """Return whether any of its figures is filled in."""
        return any(cell.text for cell in self.figures.values())


def assemble_rows(cells: Iterable[DraftCell], contract: Contract) -> tuple[list[DraftRow], list[DraftCell]]:
    """Return the rows of which a figure is filled in, and the cells that are in none of them.

    A row whose figures are all unknown is no row of the draft: what it would hold is among the other cells.
    """
    rows: list[DraftRow] = []
    outside: list[DraftCell] = []
    for cell in cells:
        placed = delivered_cell(cell, contract)
        if not placed.keys or placed.why == NO_PLACE:
            outside.append(placed)
            continue
        row = next((row for row in rows if row.takes(placed)), None)
        if row is None:
            row = DraftRow({})
            rows.append(row)
        row.keys |= placed.keys
        row.figures[placed.column] = placed
    outside += [cell for row in rows if not row.filled() for cell in row.figures.values()]
    return [row for row in rows if row.filled()], outside


def delivered_cell(cell: DraftCell, contract: Contract) -> DraftCell:
    """Return a cell as it is in the file: where columns become rows, in the column whose name states what it is."""
    unpivot = contract.unpivot
    if unpivot is None or cell.column != unpivot.value:
        return cell
    made = unpivot.made()
    stated = {name: text for name, text in cell.keys.items() if name in made}
    column = next((name for name in _column_names(unpivot, stated) if name is not None), None)
    keys = {name: text for name, text in cell.keys.items() if name not in made}
    placed = DraftCell(cell.claim, column or cell.column, keys, cell.item, cell.text, cell.why)
    return placed if column else placed.emptied(cell.why or NO_PLACE)


def _column_names(unpivot: Unpivot, stated: Cells) -> Iterable[str | None]:
    """Yield the names of columns that state these texts, by the contract's list, then by its pattern."""
    if isinstance(unpivot.columns, dict):
        own = unpivot.columns
        yield from (name for name in own if all(_text(own, name, key, unpivot) == stated[key] for key in stated))
    else:
        yield from (name for name in unpivot.columns if stated.get(unpivot.name or "", name) == name)
    if unpivot.pattern is not None:
        yield stated.get(unpivot.name or "") or named_by_pattern(unpivot.pattern, stated)


def _text(columns: dict[str, Cells], name: str, key: str, unpivot: Unpivot) -> str:
    return name if key == unpivot.name else columns[name].get(key, "")


def named_by_pattern(pattern: str, stated: Cells) -> str | None:
    """Return the name that a pattern of plain text and mentioned groups gives with these texts; None for any other."""
    name, position = "", 0
    for start, group, end in _groups(pattern):
        plain = pattern[position:start]
        if not _PLAIN.fullmatch(plain) or group not in stated:
            return None
        name += _unescaped(plain) + stated[group]
        position = end
    rest = pattern[position:]
    if not _PLAIN.fullmatch(rest):
        return None
    name += _unescaped(rest)
    return name


def _groups(pattern: str) -> list[tuple[int, str, int]]:
    """Return where each mentioned group of a pattern begins and ends, and its name."""
    found, position = [], 0
    while (opened := _GROUP.search(pattern, position)) is not None:
        position = _closing(pattern, opened.end())
        found.append((opened.start(), opened[1], position))
    return found


def _closing(pattern: str, position: int) -> int:
    """Return where the group that is open at a position ends."""
    depth, inside = 1, False
    while position < len(pattern) and depth:
        character = pattern[position]
        if character == "\\":
            position += 1
        elif inside:
            inside = character != "]"
        elif character == "[":
            inside = True
        else:
            depth += {"(": 1, ")": -1}.get(character, 0)
        position += 1
    return position


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def draft_columns(rows: Sequence[DraftRow], contract: Contract, header: Sequence[str] = ()) -> list[str]:
    """Return the columns of the file: those that the form's header has too in its order, then the others.

    header: the names of the columns in an example of the form. Those that the contract knows and does not use are in
    the file where the header has them.
    """
    mentioned = [name for row in rows for name in row.texts()]
    wanted = list(dict.fromkeys([*contract.file_columns(), *mentioned]))
    known = {*wanted, *contract.ignored_columns()}
    usable = [name for name in dict.fromkeys(header) if name in known]
    return [*usable, *(name for name in wanted if name not in usable)]
