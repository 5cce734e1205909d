"""How the texts of a column are written: numbers with their marks, codes of missing values, periods."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

SPACES: Final = r"[\u0020\u00a0\u2009\u202f]"
MINUS: Final = r"^[-+\u2212\u2013]?"
MOST_MISSING_CODES: Final = 6
LEAST_NUMBERS: Final = 0.6
"""Share of a column's texts that are numbers, so that the others may be codes of missing values."""
NO_FIGURE_TEXTS: Final = {
    ".", "..", "...", "…", ":", "-", "\u2013", "na", "n/a", "nan", "null", "none", "x", "c", "s", "u", "[c]", "[x]",
    "(d)", "d", "*", "**", "?", "ukjent", "mangler", "missing", "nil", "#n/a", "(na)", "(x)", "z", "ikke oppgitt",
}  # fmt: skip
"""Texts that state that there is no figure, in small letters."""
SUPPRESSED: Final = r"^[<≤] ?[0-9]+$"
PERCENT_SIGN: Final = "%"
MARK: Final = r"[ \u00a0\u202f]?([*†‡#]+|%|\(?[A-Za-zÀ-ÿ]{1,2}\)|[a-z])$"
"""What may follow a figure as a mark of its status or a footnote, `12*`, `3 (r)`, `4 p`, or of percent, `6,8 %`."""
MARK_STATUS: Final = {"p": "P", "e": "E", "b": "B", "u": "U", "i": "I"}
"""Letters that are SDMX observation statuses wherever they stand so; what any other mark means, nobody can see."""
PERIOD_NAMES: Final = re.compile(
    r"year|(^|[_ .-])(aar|år|ar)($|[_ .-])|^aar|^år|period|date|dato|time|tid|month|måned|maaned|kvartal|quarter|"
    r"valgår|vintage",
    re.IGNORECASE,
)
_NUMBER_MARKS: Final = ((".", None), (",", None), (",", " "), (".", " "), (",", "."), (".", ","), (".", "'"))
_PERIODS: Final[tuple[tuple[str, str | None, str], ...]] = (
    ("year", None, r"^(1[89]|20|21)[0-9]{2}$"),
    ("half_year", None, r"^(19|20)[0-9]{2}-?[Hh][12]$"),
    ("quarter", None, r"^(19|20)[0-9]{2}-?[QKqk][1-4]$"),
    ("week", None, r"^(19|20)[0-9]{2}-?[WUwu][0-5][0-9]$"),
    ("school_year", None, r"^(19|20)[0-9]{2}[/\-\u2013]([0-9]{2}|(19|20)[0-9]{2})$"),
    ("month", None, r"^(19|20)[0-9]{2}-(0[1-9]|1[0-2])$"),
    ("month", "%YM%m", r"^(19|20)[0-9]{2}M(0[1-9]|1[0-2])$"),
    ("month", "%Y%m", r"^(19|20)[0-9]{2}(0[1-9]|1[0-2])$"),
    ("day", None, r"^(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]$"),
    ("day", "%d.%m.%Y", r"^[0-3][0-9]\.[01][0-9]\.(19|20)[0-9]{2}$"),
    ("day", "%Y%m%d", r"^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$"),
)
"""Type and format of a period, and the texts that are written so."""


@dataclass(frozen=True)
class NumberForm:
    """The marks of the numbers of a file, and the evidence for them."""

    decimal: str = "."
    thousands: str | None = None
    evidence: str = "no number has a decimal mark"


@dataclass(frozen=True)
class FigureCells:
    """What a column of numbers has besides them: codes of missing values, suppressed counts, marks after numbers."""

    numbers: int
    empty: int
    missing: list[str] = field(default_factory=list)
    suppressed: bool = False
    marks: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)


def number_pattern(form: NumberForm) -> str:
    """Return the pattern of whole cells that are numbers in a form."""
    decimals = rf"({re.escape(form.decimal)}[0-9]+)?"
    if form.thousands is None:
        return rf"{MINUS}[0-9]+{decimals}$"
    mark = SPACES if form.thousands == " " else re.escape(form.thousands)
    return rf"{MINUS}([0-9]{{1,3}}({mark}[0-9]{{3}})+|[0-9]+){decimals}$"


def find_number_form(texts: pl.DataFrame) -> NumberForm:
    """Return the marks by which the most cells of a table are numbers; of equals the one with the fewest marks."""
    cells = pl.concat([texts[name].alias("cell") for name in texts.columns]) if texts.width else pl.Series("cell", [""])
    cells = cells.str.replace(rf"{SPACES}?{PERCENT_SIGN}$", "")
    digits = cells.filter(cells.str.contains(rf"{MINUS}[0-9]") & ~cells.str.contains(r"\p{L}"))
    marked = digits.filter(digits.str.contains(rf"[.,']|[0-9]{SPACES}[0-9]"))
    if marked.is_empty():
        return NumberForm()
    counts = []
    for decimal, thousands in _NUMBER_MARKS:
        form = NumberForm(decimal, thousands)
        counts.append((int(marked.str.contains(number_pattern(form)).sum()), form))
    best, form = max(counts, key=lambda pair: pair[0])  # the first of equals has the fewest marks
    shown = marked.filter(marked.str.contains(number_pattern(form)))
    if not best:
        return NumberForm()
    why = f"{best} of {marked.len()} numbers with a mark are written so, as {shown[0]!r}"
    return NumberForm(form.decimal, form.thousands, why)


def column_figures(texts: pl.Series, form: NumberForm) -> FigureCells | None:
    """Return what a column of figures holds, None if it is no such column."""
    stated = texts.filter(texts != "")
    if stated.is_empty():
        return None
    is_number = stated.str.contains(number_pattern(form))
    others = stated.filter(~is_number)
    codes, suppressed, marked, rest = _sort_texts(others.unique().sort().to_list(), form)
    marks = sorted(set(marked.values()))
    if not is_number.any() and marks != [PERCENT_SIGN]:  # other marks make codes of numbers: 1a, 1b
        return None
    known = int(is_number.sum()) + int(others.is_in([*codes, *suppressed, *marked]).sum())
    percentages = others.is_in([text for text, mark in marked.items() if mark == PERCENT_SIGN])
    if known < LEAST_NUMBERS * stated.len() or len(rest) > MOST_MISSING_CODES:
        return None
    return FigureCells(
        int(is_number.sum()) + int(percentages.sum()), texts.len() - stated.len(), codes, bool(suppressed), marks, rest
    )


def _sort_texts(texts: list[str], form: NumberForm) -> tuple[list[str], list[str], dict[str, str], list[str]]:
    """Return those that say that there is no figure, suppressed ones, marked ones with their mark, and all others."""
    codes = [text for text in texts if text.lower() in NO_FIGURE_TEXTS]
    suppressed = [text for text in texts if re.match(SUPPRESSED, text)]
    marked = {text: mark for text in texts if text not in codes and (mark := _mark_of(text, form))}
    return codes, suppressed, marked, [text for text in texts if text not in {*codes, *suppressed, *marked}]


def _mark_of(text: str, form: NumberForm) -> str | None:
    """Return the mark that follows a number, None if the text is no such cell."""
    found = re.search(MARK, text)
    return found[1] if found and re.match(number_pattern(form), text[: found.start()]) else None


def mark_status(mark: str) -> str:
    """Return the observation status that a mark states, `A` (normal) where only the file's reader knows."""
    return MARK_STATUS.get(mark.strip("()").lower(), "A")


def period_form(name: str, texts: pl.Series) -> dict[str, Any] | None:
    """Return type and format of a column of periods, None if it holds none. A plain year needs a name of one."""
    if texts.is_empty() or (texts == "").any():
        return None
    for kind, written, pattern in _PERIODS:
        if texts.str.contains(pattern).all() and (kind != "school_year" or _are_school_years(texts)):
            return _form(name, kind, written)
    return None


def _form(name: str, kind: str, written: str | None) -> dict[str, Any] | None:
    only_digits = kind == "year" or written in {"%Y%m", "%Y%m%d"}
    if only_digits and not PERIOD_NAMES.search(name):
        return None
    return {"type": kind} | ({"format": written} if written else {})


def _are_school_years(texts: pl.Series) -> bool:
    """Return whether texts such as 2015/16 and 2015-2016 are all of two years that follow each other: no spans."""
    first, last = texts.str.slice(0, 4).cast(pl.Int32), texts.str.slice(5).str.tail(2).cast(pl.Int32)
    return bool(((first + 1) % 100 == last).all())
