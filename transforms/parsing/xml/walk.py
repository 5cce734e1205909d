"""An XML document read element by element, in bounded memory: no entities, no document type, a limited depth."""

from typing import Final
from xml.parsers import expat

import polars as pl

from schemas.errors import SubmissionError
from schemas.reading_limits import ReadingLimits
from transforms.parsing.raw_frame import check_count, check_shape
from transforms.parsing.xml.plan import TEXT, Plan, PlanNode

MOST_LEVELS: Final = 100
"""How deeply elements may be nested."""
SEVERAL: Final = "\0several"
"""The text of a cell for which the row has several elements. NUL occurs in no XML document."""
MIXED: Final = "\0elements"
"""The text of a cell whose element holds other elements."""
_BLANKS: Final = " \t\r\n"
_BATCH_ROWS: Final = 50_000
_PIECE: Final = 1 << 24
_EXPECTED: Final = "a well-formed XML document"


class Walker:
    """Reads a document, as UTF-8, along a plan: `frame` has its rows, `unknown` the paths that the plan does not name.

    Each level of the plan (the elements around the rows, and the row) has a list of texts for each of its columns, one
    text for each time that the element occurs; a row notes which one of every level it is in.
    """

    def __init__(self, plan: Plan, limits: ReadingLimits) -> None:
        """Take the plan."""
        self.plan = plan
        self.limits = limits
        self.unknown: dict[str, None] = {}
        self.root = ""
        self.met_rows = False
        self.rows = 0
        self._texts: list[list[str]] = [[] for _ in plan.names]
        self._around: list[list[int]] = [[] for _ in plan.levels[:-1]]
        self._batches: list[pl.DataFrame] = []
        self._open: list[PlanNode] = [plan.root]
        self._characters: list[str] = []
        self._passed = 0

    def read(self, data: bytes) -> pl.DataFrame:
        """Return the rows of a document: row Int32, and the plan's columns. Raises `SubmissionError`, `UnreadError`."""
        parser = new_parser()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        check_well_formed(data, parser)
        self._flush()
        return self._frame()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._passed:
            self._pass()
            return
        parent = self._open[-1]
        self.root = self.root or tag
        if self._characters:
            self._close_text(parent, mixed=True)
        node = parent.child(tag) or _child_without_prefix(parent, tag)
        if node is None:
            self._note_unknown(parent, tag.rpartition(":")[2])
            self._pass()
            return
        if node.unread:
            self._pass()
            return
        if len(self._open) > MOST_LEVELS:
            raise _too_deep()
        self._open.append(node)
        if node.level is not None:
            self._enter(node.level)
        if attributes:
            self._take_attributes(node, attributes)

    def _pass(self) -> None:
        self._passed += 1
        if self._passed + len(self._open) > MOST_LEVELS:
            raise _too_deep()

    def _note_unknown(self, parent: PlanNode, name: str) -> None:
        if TEXT in parent.columns:
            self._put(parent.columns[TEXT], MIXED)
        elif self.plan.strict and not parent.ignored:
            path = f"{parent.path}.{name}" if parent.path else name
            self.unknown[path] = None
            check_count(len(self.unknown), "columns", self.limits.columns, "ENGANG_READ_COLUMNS")

    def _enter(self, level: int) -> None:
        self.met_rows = self.met_rows or level >= len(self._around) - 1
        for column in self.plan.levels[level]:
            self._texts[column].append("")
        if level < len(self._around):
            return
        self.rows += 1
        for around, columns in zip(self._around, self.plan.levels, strict=False):
            around.append(len(self._texts[columns[0]]) - 1 if columns else 0)
        if self.rows % _BATCH_ROWS == 0:
            check_shape(self.rows, len(self.plan.names), self.limits)

    def _take_attributes(self, node: PlanNode, attributes: dict[str, str]) -> None:
        for name, text in attributes.items():
            prefix, _, local = name.rpartition(":")
            column = node.columns.get(local)
            if column is not None:
                self._put(column, text)
            elif prefix in {"xmlns", "xsi", "xml"} or name == "xmlns" or local in node.ignored_attributes:
                continue
            else:
                self._note_unknown_attribute(node, local)

    def _note_unknown_attribute(self, node: PlanNode, local: str) -> None:
        if self.plan.strict and not node.ignored:
            self.unknown[f"{node.path}.@{local}"] = None
            check_count(len(self.unknown), "columns", self.limits.columns, "ENGANG_READ_COLUMNS")

    def _put(self, column: int, text: str) -> None:
        texts = self._texts[column]
        if not texts:
            return
        if texts[-1] != MIXED:
            texts[-1] = text if not texts[-1] or text == MIXED else SEVERAL

    def _end(self, _: str) -> None:
        if self._passed:
            self._passed -= 1
            return
        node = self._open.pop()
        if self._characters:
            self._close_text(node, mixed=False)
        if node is self.plan.row and self.rows % _BATCH_ROWS == 0:
            self._flush()

    def _close_text(self, node: PlanNode, *, mixed: bool) -> None:
        """Take the text of an element up to its end, or up to an element in it."""
        text = "".join(self._characters).strip(_BLANKS)
        self._characters = []
        column = node.columns.get(TEXT)
        if text and column is not None:
            self._put(column, MIXED if mixed else text)
        elif text and self.plan.strict and not node.ignored:
            self.unknown[node.path] = None

    def _text(self, text: str) -> None:
        if not self._passed:
            self._characters.append(text)

    def _flush(self) -> None:
        """Move the finished rows to a frame: a list of texts takes several times as much memory."""
        own = self.plan.levels[-1]
        texts = {str(column): self._texts[column] for column in own}
        around = {f"in {level}": places for level, places in enumerate(self._around)}
        schema = {**dict.fromkeys(texts, pl.String), **dict.fromkeys(around, pl.UInt32)}
        before = sum(batch.height for batch in self._batches)
        batch = pl.DataFrame({"row": pl.int_range(before + 1, self.rows + 1, dtype=pl.Int32, eager=True)})
        self._batches.append(batch.hstack(pl.DataFrame({**texts, **around}, schema=schema).get_columns()))
        for column in own:
            self._texts[column] = []
        self._around = [[] for _ in self._around]

    def _frame(self) -> pl.DataFrame:
        rows = pl.concat(self._batches)
        columns = [rows["row"]]
        for level, numbers in enumerate(self.plan.levels):
            for column in numbers:
                name = self.plan.names[column]
                if level == len(self.plan.levels) - 1:
                    columns.append(rows[str(column)].alias(name))
                else:
                    texts = pl.Series(name, self._texts[column], dtype=pl.String)
                    columns.append(texts.gather(rows[f"in {level}"]).alias(name))
        return pl.DataFrame(columns).select("row", *self.plan.names)


def _child_without_prefix(parent: PlanNode, tag: str) -> PlanNode | None:
    return parent.child(tag.rpartition(":")[2]) if ":" in tag else None


def new_parser() -> "expat.XMLParserType":
    """Return a parser for text in UTF-8, whatever encoding the document declares."""
    return expat.ParserCreate("utf-8")


def check_well_formed(data: bytes, parser: "expat.XMLParserType") -> None:
    """Read a document with the parser's handlers; raise `SubmissionError` unreadable if it is not well-formed."""
    try:
        for start in range(0, len(data), _PIECE):
            parser.Parse(data[start : start + _PIECE], False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise SubmissionError("unreadable", str(error), _EXPECTED, "Was it cut short?") from error


def _refuse_doctype(*_: object) -> None:
    hint = "Entities of such a declaration could make a small file huge, so none is read: deliver the document without."
    raise SubmissionError("unreadable", "a document type declaration (DOCTYPE)", "a document without one", hint)


def _too_deep() -> SubmissionError:
    hint = "Deliver a document with fewer levels."
    return SubmissionError("unreadable", f"more than {MOST_LEVELS} levels", f"at most {MOST_LEVELS}", hint)
