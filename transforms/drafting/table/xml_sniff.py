"""Which element of an XML document is its row: the one that repeats the most and holds texts of its own."""

from collections import Counter
from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

from schemas.errors import UsageError

DEEPEST_ELEMENT: Final = 64
_DECLARATION: Final = "it declares entities or a document type of its own, which are not read"


class RowFinder:
    """Counts the elements of a document by their path; local names, as a contract writes them."""

    def __init__(self) -> None:
        """Begin before the document."""
        self.elements: Counter[str] = Counter()
        self.leaves: dict[str, None] = {}
        self.repeated: set[str] = set()
        """Paths of elements that are several times in one parent."""
        self._path: list[str] = []
        self._children: list[set[str]] = []

    def read(self, data: bytes) -> None:
        """Read a document; `UsageError` for one that is not well-formed, nested too deeply, or declares entities."""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise UsageError(f"it begins as XML and is none: {error}") from error
        except LookupError as error:
            raise UsageError(f"it declares an encoding that is not known: {error}") from error

    def rows(self) -> str:
        """Return the path of the rows: the document itself if nothing repeats; `UsageError` if nothing is in it."""
        parents = {path.rpartition(".")[0] for path in self.leaves}
        counts = {path: count for path, count in self.elements.items() if path in parents and count > 1}
        root = next(iter(self.elements), "")
        if not counts and (not root or root in self.leaves):
            raise UsageError("it has no elements with texts in it, which would be the rows")
        return max(counts, key=lambda path: counts[path]) if counts else root

    def columns(self, rows: str) -> tuple[list[str], list[str]]:
        """Return the columns and what is none: elements that repeat in a row or elsewhere, to ignore with all in them.

        Columns are the leaves and attributes of a row, then those of the document that occur once.
        """
        columns: dict[bool, list[str]] = {True: [], False: []}
        lists: dict[str, None] = {}
        for path in self.leaves:
            is_inside = path.startswith(f"{rows}.")
            name = f"{rows}[]{path[len(rows) :]}" if is_inside else path
            steps = (name[:end] for end in _ends(name))
            repeated = next((step for step in steps if self._repeats(step, rows)), None)
            if repeated is not None:
                lists[repeated] = None
            elif is_inside or self.elements[path] == 1:
                columns[is_inside].append(name)
            else:
                lists[name] = None
        return [*columns[True], *columns[False]], list(lists)

    def _repeats(self, name: str, rows: str) -> bool:
        """Return whether an element repeats, but for the rows themselves and what they are in."""
        path = name.replace("[]", "", 1)
        return path in self.repeated and not f"{rows}.".startswith(f"{path}.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= DEEPEST_ELEMENT:
            raise UsageError(f"its elements are nested more than {DEEPEST_ELEMENT} deep")
        self._path.append(_local(name))
        path = ".".join(self._path)
        if self._children:
            if path in self._children[-1]:
                self.repeated.add(path)
            self._children[-1].add(path)
        self._children.append(set())
        self.elements[path] += 1
        for attribute in attributes:
            if not attribute.startswith(("xmlns", "xml:", "xsi:")):
                place = f"{path}.@{_local(attribute)}"
                self.elements[place] += 1
                self.leaves[place] = None

    def _end(self, _name: str) -> None:
        if not self._children.pop():
            self.leaves[".".join(self._path)] = None
        self._path.pop()

    def _refuse(self, *_declared: object) -> None:
        raise UsageError(_DECLARATION)


def _ends(path: str) -> Iterator[int]:
    """Yield where each step of a path ends."""
    yield from (place for place, character in enumerate(path) if character == ".")
    yield len(path)


def _local(name: str) -> str:
    return name.rpartition(":")[2]
