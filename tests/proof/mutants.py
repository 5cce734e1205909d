"""Mutants of a module: one small change each, of the kinds that slip into code: a sign, a bound, a call left out."""

import ast
import random
from collections.abc import Iterator
from typing import Final, NamedTuple

COMPARISONS: Final[dict[type[ast.cmpop], tuple[str, str]]] = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="), ast.In: (" in ", " not in "), ast.NotIn: (" not in ", " in "),
    ast.Is: (" is ", " is not "), ast.IsNot: (" is not ", " is "),
}  # fmt: skip
OPERATORS: Final[dict[type[ast.operator], tuple[str, str]]] = {
    ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"), ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "//"), ast.RShift: (">>", "<<"), ast.LShift: ("<<", ">>"),
}  # fmt: skip
METHODS: Final = {
    "min": "max", "max": "min", "first": "last", "last": "first", "any": "all", "all": "any", "is_null": "is_not_null",
    "is_not_null": "is_null", "any_horizontal": "all_horizontal", "all_horizontal": "any_horizontal", "head": "tail",
    "min_horizontal": "max_horizontal", "max_horizontal": "min_horizontal", "starts_with": "ends_with",
    "eq_missing": "ne_missing", "ne_missing": "eq_missing", "sum": "max", "add": "discard",
}  # fmt: skip
FUNCTIONS: Final = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
DROPPED: Final = frozenset({
    "filter", "fill_null", "abs", "unique", "sort", "drop_nulls", "over", "clip", "strip", "lower", "strip_chars",
    "to_lowercase", "reverse", "removeprefix", "rstrip", "with_columns", "where", "order_by", "limit", "distinct",
})  # fmt: skip
"""Methods whose call can be left out: what they are called on has the same type."""
JOINS: Final = {"left": "inner", "inner": "left", "semi": "anti", "anti": "semi", "full": "left"}


class Mutant(NamedTuple):
    """One change of a module's text: from `start` to `end` (in characters) stands `after` instead of `before`."""

    line: int
    start: int
    end: int
    before: str
    after: str

    def applied(self, text: str) -> str:
        """Return the changed text."""
        return text[: self.start] + self.after + text[self.end :]

    def describe(self, text: str) -> str:
        """Return the line before and after, as one line each."""
        old, new = (t.splitlines()[self.line - 1].strip() for t in (text, self.applied(text)))
        return f"{old} => {new if new != old else self.after}"


class _Finder(ast.NodeVisitor):
    """Gathers the mutants of a parsed module."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.lines = text.splitlines(keepends=True)
        self.found: list[Mutant] = []

    def at(self, line: int, byte: int) -> int:
        """Return the place, in characters, of a byte of a line."""
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:byte].decode())

    def begin(self, node: ast.expr | ast.stmt) -> int:
        """Return where a node begins."""
        return self.at(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Return where a node ends."""
        return self.at(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def note(self, start: int, end: int, after: str) -> None:
        """Note a change, if it is one."""
        before = self.text[start:end]
        if before != after:
            self.found.append(Mutant(self.text.count("\n", 0, start) + 1, start, end, before, after))

    def between(self, left: ast.expr, right: ast.expr, change: tuple[str, str]) -> None:
        """Note a change of the operator between two operands."""
        gap = self.text[self.end(left) : self.begin(right)]
        place = gap.find(change[0].strip())
        if place >= 0 and gap.count(change[0].strip()) == 1:
            start = self.end(left) + place
            self.note(start, start + len(change[0].strip()), change[1].strip())

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, right, op in zip(operands, operands[1:], node.ops, strict=False):
            self.between(left, right, COMPARISONS[type(op)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        change = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.between(left, right, change)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in OPERATORS and not isinstance(node.left, ast.JoinedStr):
            self.between(node.left, node.right, OPERATORS[type(node.op)])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        self.note(self.begin(node), self.begin(node.operand), "")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.note(self.begin(node), self.end(node), str(not node.value))
        elif isinstance(node.value, int):
            self.note(self.begin(node), self.end(node), str(node.value + 1))

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg == "how" and isinstance(node.value, ast.Constant) and node.value.value in JOINS:
            self.note(self.begin(node.value), self.end(node.value), f'"{JOINS[node.value.value]}"')
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute):
            name, stop = node.func.attr, self.end(node.func)
            if name in METHODS:
                self.note(stop - len(name), stop, METHODS[name])
            if name in DROPPED:
                self.note(self.end(node.func.value), self.end(node), "")
        elif isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            self.note(self.begin(node.func), self.end(node.func), FUNCTIONS[node.func.id])
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        start, end = self.begin(node.test), self.end(node.test)
        self.note(start, end, f"not ({self.text[start:end]})")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        start, end = self.begin(node.test), self.end(node.test)
        self.note(start, end, f"not ({self.text[start:end]})")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.note(self.begin(node), self.end(node), "pass")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self.note(self.begin(node), self.end(node), "pass")

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_arguments(self, node: ast.arguments) -> None:
        for default in (*node.defaults, *(d for d in node.kw_defaults if d is not None)):
            self.visit(default)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leave messages as they are."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Leave decorators and annotations as they are."""
        self.visit(node.args)
        for statement in node.body:
            self.visit(statement)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)


def mutants_of(text: str) -> list[Mutant]:
    """Return every mutant of a module that can be compiled, in the order of its text."""
    finder = _Finder(text)
    finder.visit(ast.parse(text))
    return [m for m in sorted(set(finder.found)) if _compiles(m.applied(text))]


def _compiles(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def sample(text: str, count: int, seed: int) -> Iterator[Mutant]:
    """Yield some mutants of a module, drawn by the seed, at most one a line while there are lines left."""
    rng = random.Random(seed)
    mutants = mutants_of(text)
    rng.shuffle(mutants)
    by_line: dict[int, list[Mutant]] = {}
    for mutant in mutants:
        by_line.setdefault(mutant.line, []).append(mutant)
    rounds = [own[n : n + 1] for n in range(max(map(len, by_line.values()), default=0)) for own in by_line.values()]
    yield from [mutant for few in rounds for mutant in few][:count]
