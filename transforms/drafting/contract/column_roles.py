"""What the columns of a table of figures are: period, unit, figures, dimensions; the others are of no use."""

import re
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import polars as pl

from transforms.drafting.contract.unit_days import with_valid_day
from transforms.drafting.contract.unit_guess import UnitGuess, guess_unit
from transforms.drafting.table.value_forms import (
    FigureCells,
    NumberForm,
    column_figures,
    find_number_form,
    period_form,
)
from transforms.register.lookup import Register

SAMPLED: Final = 100_000
"""Rows by which the roles are found; whether a key repeats is found by all."""
CODE_NAMES: Final = re.compile(
    r"(^|[_ .-])(nr|no|kode|code|cd|id|num|nummer|number|konto|art|funksjon|sumlev|level|index|seq|rank|zip|postnr|tlf|"
    r"lat|lon|lng|latitude|longitude|x|y|region|division|state|county|version|versjon)$|(nr|kode|nummer|code|fips\w*|_id)$",
    re.IGNORECASE,
)
TWIN_ENDING: Final = r"([_ .-]|tekst|text|navn|name|label)"
"""What follows the name of a column of codes in the name of the column with their texts."""
PERIOD_SEPARATOR: Final = "[_ -]?"
_YEAR: Final = "(?:19|20)[0-9]{2}"


@dataclass(frozen=True)
class ColumnPeriod:
    """How the names of columns state a period: its type and format, and the regular expression of its text."""

    type: str
    pattern: str
    format: str | None = None

    def group(self) -> str:
        """Return the regular expression as a group that is named by the type."""
        return f"(?P<{self.type}>{self.pattern})"

    def match(self, name: str) -> re.Match[str] | None:
        """Return what a column's name states: the groups `figure` and that of the period."""
        return re.match(rf"^(?P<figure>.*?){PERIOD_SEPARATOR}{self.group()}$", name)


COLUMN_PERIODS: Final = (
    ColumnPeriod("year", _YEAR),
    ColumnPeriod("quarter", f"{_YEAR}-?[QKqk][1-4]"),
    ColumnPeriod("month", f"{_YEAR}M(?:0[1-9]|1[0-2])", "%YM%m"),
    ColumnPeriod("month", f"{_YEAR}-(?:0[1-9]|1[0-2])"),
    ColumnPeriod("half_year", f"{_YEAR}-?[Hh][12]"),
)
"""The periods with which names of columns end, as `Personer 2019K1`."""
LEAST_PERIODS: Final = 2
MOST_SERIES: Final = 40
LONG_TEXT: Final = 60
"""Mean characters of a text that is no dimension."""


@dataclass(frozen=True)
class Wishes:
    """What a person states in the place of a guess: the columns of unit and period; and the figures' number marks."""

    unit_column: str | None = None
    period_column: str | None = None


@dataclass(frozen=True)
class ColumnRoles:
    """The role of each column, and the evidence for it.

    period: column, type, format, or None if an option of the delivery states it. series: the periods in the names of
    columns, written as `series_period`: figure -> its columns; then `period` is None, and the figures are the cells of
    these columns.
    """

    numbers: NumberForm
    unit: UnitGuess
    period: dict[str, Any] | None
    figures: dict[str, FigureCells]
    series: dict[str, list[str]] = field(default_factory=dict)
    series_period: ColumnPeriod = COLUMN_PERIODS[0]
    dimensions: list[str] = field(default_factory=list)
    repeats: int = 0
    unused: list[str] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)


def find_roles(texts: pl.DataFrame, register: Register, wishes: Wishes) -> ColumnRoles:
    """Return the roles of the columns of a table of texts."""
    sample = texts.head(SAMPLED)
    period = _period(sample, wishes.period_column)
    dated = [period["column"]] if period else []
    rest = [name for name in sample.columns if name not in dated]
    unit = guess_unit(sample.select(rest), register, wishes.unit_column)
    numbers = find_number_form(sample)
    free = [name for name in rest if name not in unit.columns]
    figures = _figures(sample, free, numbers)
    series, written = ({}, COLUMN_PERIODS[0]) if period else _series(list(figures))
    figures = _of_series(figures, series)
    unit = with_valid_day(unit, sample, (next(iter(dated), None), [*chain(*series.values())]), register)
    others = [name for name in free if name not in figures]
    if unit.take.get("by") == "name":  # upper and lower case name the same unit
        texts = texts.with_columns(pl.col(unit.columns).str.to_lowercase())
    dimensions = _dimensions(texts, [*unit.columns, *dated], others)
    repeats = texts.height - _count_keys(texts, [*unit.columns, *dated, *dimensions])
    unused = [name for name in others if name not in dimensions]
    why = {name: _figure_evidence(cells) for name, cells in figures.items()}
    return ColumnRoles(numbers, unit, period, figures, series, written, dimensions, repeats, unused, why)


def _figures(texts: pl.DataFrame, columns: list[str], numbers: NumberForm) -> dict[str, FigureCells]:
    """Return what the columns of figures hold, of those that are no codes."""
    found = {name: column_figures(texts[name], numbers) for name in columns}
    return {name: cells for name, cells in found.items() if cells is not None and not _is_code(name, texts)}


def _of_series(figures: dict[str, FigureCells], series: dict[str, list[str]]) -> dict[str, FigureCells]:
    """Return the columns of figures that the series list; without series all of them."""
    if not series:
        return figures
    listed = {column for columns in series.values() for column in columns}
    return {name: cells for name, cells in figures.items() if name in listed}


def _count_keys(texts: pl.DataFrame, key: list[str]) -> int:
    """Return how many distinct keys a table has; without a key all rows are one."""
    return texts.select(key).n_unique() if key else min(texts.height, 1)


def _period(texts: pl.DataFrame, column: str | None) -> dict[str, Any] | None:
    """Return column, type and format of the period: the named column, else the first that holds periods."""
    for name in [column] if column else texts.columns:
        form = period_form(name if column is None else "period", texts[name])
        if form is not None:
            return {"column": name, **form}
    return {"column": column, "type": "year"} if column else None


def _is_code(name: str, texts: pl.DataFrame) -> bool:
    """Return whether numbers are codes: by the column's name, zeros before them, or a text that goes with each."""
    if any(each.match(name) for each in COLUMN_PERIODS) and not name.lower().startswith(("kommune", "fylke")):
        return False
    stated = texts[name].filter(texts[name] != "")
    if CODE_NAMES.search(name) or bool(stated.str.contains("^0[0-9]").any()):
        return True
    return bool(stated.str.contains("^[0-9]+$").all()) and _has_text_twin(name, texts)


def _has_text_twin(name: str, texts: pl.DataFrame) -> bool:
    """Return whether a column of texts goes with the column, by their names and one text a value."""
    stem = re.split(r"[_ -](?:nr|kode|code)$", name)[0].lower()
    twins = (n for n in texts.columns if n != name and re.match(rf"{re.escape(stem)}{TWIN_ENDING}", n.lower()))
    return any(
        texts[n].str.contains(r"\p{L}").any() and texts.select(name, n).n_unique() <= 1.1 * texts[name].n_unique()
        for n in twins
    )


def _series(figures: list[str]) -> tuple[dict[str, list[str]], ColumnPeriod]:
    """Return figure -> its columns of several periods, empty if hardly any name ends with one, and its form."""
    for period in COLUMN_PERIODS:
        series: dict[str, list[str]] = {}
        for name in figures:
            if match := period.match(name):
                series.setdefault(match["figure"], []).append(name)
        several = {figure: names for figure, names in series.items() if len(names) >= LEAST_PERIODS}
        covered = sum(map(len, several.values()))
        if covered and 2 * covered >= len(figures) and len(several) <= MOST_SERIES:
            return several, period
    return {}, COLUMN_PERIODS[0]


def _figure_evidence(figures: FigureCells) -> str:
    why = f"{figures.numbers} numbers, {figures.empty} empty cells"
    if figures.missing:
        why += f", codes of missing values: {', '.join(map(repr, figures.missing))}"
    if figures.marks:
        why += f", marks after numbers: {', '.join(map(repr, figures.marks))}"
    return why + ("" if not figures.other else f"; no numbers: {', '.join(map(repr, figures.other))}")


def _dimensions(texts: pl.DataFrame, keys: list[str], others: list[str]) -> list[str]:
    """Return the fewest columns, of those that could be dimensions, without which a key would repeat."""
    # A row without its code would be rejected: what has empty cells is no dimension.
    candidates = [n for n in others if (texts[n] != "").all() and texts[n].n_unique() > 1 and not _is_long(texts[n])]
    if not texts.height or not candidates:
        return []
    distinct = texts.select([*keys, *candidates]).n_unique()
    needed = list(candidates)
    # Names and long texts are left out before codes, and what has the most values before what has few.
    order = sorted(candidates, key=lambda n: (-_letters(texts[n]), -texts[n].n_unique()))
    for name in order:
        without = [n for n in needed if n != name]
        columns = [*keys, *without]
        if (texts.select(columns).n_unique() if columns else 1) == distinct:
            needed = without
    return needed


def _letters(texts: pl.Series) -> float:
    length = texts.str.len_chars().mean()
    return round(float(length), 1) if isinstance(length, float) else 0.0


def _is_long(texts: pl.Series) -> bool:
    return _letters(texts.filter(texts != "")) > LONG_TEXT
