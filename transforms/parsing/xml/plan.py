"""What a contract takes from an XML document: its elements and attributes as a tree, and the scope of each column.

A path names elements by their local names: `Form.Sender.@id` is an attribute of the document, `Form.Row[].year` an
element of a row `Form.Row`. A column outside the row belongs to the nearest element around both: its scope.
"""

from dataclasses import dataclass, field
from typing import Final, Self

from schemas.contract import Contract

TEXT: Final = ""
"""The key of an element's own text among its attributes."""


@dataclass
class PlanNode:
    """One element: its columns by attribute name (`TEXT`: its text), its children, and its level if it is a scope.

    ignored: whether all else in it is ignored.
    """

    path: str
    columns: dict[str, int] = field(default_factory=dict)
    ignored: bool = False
    ignored_attributes: set[str] = field(default_factory=set)
    level: int | None = None
    children: dict[str, Self] = field(default_factory=dict)

    @property
    def unread(self) -> bool:
        """Whether nothing of the element is read: it is ignored, and no column is in it."""
        return self.ignored and not self.columns and not self.children

    def below(self, path: str) -> Self:
        """Return the node at a path below this one; create it if it does not exist."""
        node = self
        for name in path.split(".") if path else ():
            place = f"{node.path}.{name}" if node.path else name
            node = node.children.setdefault(name, type(self)(place))
        return node

    def child(self, name: str) -> Self | None:
        """Return the child of this name, or with the dots in the name taken as steps; None if it is not known."""
        found = self.children.get(name)
        if found is None and "." in name:
            found = self
            for step in name.split("."):
                found = found.children.get(step) if found else None
        return found


@dataclass(frozen=True)
class Plan:
    """The tree of the document; the columns' names; of each level, from the root to the row, which columns it has."""

    root: PlanNode
    names: list[str]
    levels: list[list[int]]
    row: PlanNode
    rows_name: str
    strict: bool
    """Whether what the contract does not name is unknown, not ignored."""


def plan_of(contract: Contract) -> Plan:
    """Return what the contract takes from a document."""
    rows = contract.format.rows or ""
    document = PlanNode("")
    row = document
    steps = rows.split(".")
    for level, step in enumerate(steps):
        row = row.below(step)
        row.level = level
    row.path += "[]"
    names = contract.file_columns()
    levels: list[list[int]] = [[] for _ in steps]
    for number, name in enumerate(names):
        node, attribute = _place(document, row, name, rows)
        node.columns[attribute] = number
        levels[_level(name, steps)].append(number)
    for name in contract.ignored_columns():
        node, attribute = _place(document, row, name, rows)
        if attribute:
            node.ignored_attributes.add(attribute)
        else:
            node.ignored = True
    return Plan(document, names, levels, row, steps[-1], contract.ignore != "rest")


def _place(document: PlanNode, row: PlanNode, name: str, rows: str) -> tuple[PlanNode, str]:
    """Return the node and the attribute (`TEXT` for its text) that a column's name means."""
    path, at, attribute = name.rpartition("@")
    path = path.removesuffix(".") if at else name
    attribute = attribute if at else TEXT
    inside = f"{rows}[]"
    if path == inside or path.startswith(f"{inside}."):
        return row.below(path[len(inside) + 1 :]), attribute
    return document.below(path), attribute


def _level(name: str, steps: list[str]) -> int:
    """Return the level of the nearest element around both the column and the rows."""
    rows = ".".join(steps)
    if name == f"{rows}[]" or name.startswith(f"{rows}[]."):
        return len(steps) - 1
    return max(
        level for level in range(len(steps)) if level == 0 or name.startswith(".".join(steps[: level + 1]) + ".")
    )
