"""Which element of an XML document is its row: the one that repeats the most and holds texts of its own."""

from collections import Counter
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
        self._path: list[str] = []
        self._has_children: list[bool] = []

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

    def columns(self, rows: str) -> list[str]:
        """Return the columns: the leaves and attributes of a row, then those of the document that occur once."""
        inside = [f"{rows}[]{path[len(rows) :]}" for path in self.leaves if path.startswith(f"{rows}.")]
        within = self.elements[rows]
        inside = [name for name in inside if self.elements[name.replace("[]", "", 1)] <= within]
        outside = [path for path in self.leaves if not path.startswith(f"{rows}.") and self.elements[path] == 1]
        return [*inside, *outside]

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= DEEPEST_ELEMENT:
            raise UsageError(f"its elements are nested more than {DEEPEST_ELEMENT} deep")
        if self._has_children:
            self._has_children[-1] = True
        self._path.append(_local(name))
        self._has_children.append(False)
        path = ".".join(self._path)
        self.elements[path] += 1
        for attribute in attributes:
            if not attribute.startswith(("xmlns", "xml:", "xsi:")):
                place = f"{path}.@{_local(attribute)}"
                self.elements[place] += 1
                self.leaves[place] = None

    def _end(self, _name: str) -> None:
        if not self._has_children.pop():
            self.leaves[".".join(self._path)] = None
        self._path.pop()

    def _refuse(self, *_declared: object) -> None:
        raise UsageError(_DECLARATION)


def _local(name: str) -> str:
    return name.rpartition(":")[2]
