"""How the site writes things in a language: numbers, dates, periods, and the names of what a release holds."""

import functools
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.check_page.texts import Language, number_text
from flows.dossier_page.page import column_label
from flows.installation import OSLO
from flows.site.blocks import Cell, CodeText, FigureCell, Lines, PageLink
from flows.site.content import MOST_CONCEPTS, SiteContent
from flows.site.find import page_path
from flows.site.records import RecordContent
from flows.site.surroundings import Surroundings
from schemas.strict_yaml import read_mapping

SITE_TEXT_FOLDER: Final = Path(__file__).parent / "texts"
MONTHS_OF_QUARTER: Final = 3
MONTHS_OF_YEAR: Final = 12
MOST_DIGITS: Final = 9
EXACT: Final = Context(prec=60, rounding=ROUND_HALF_UP)
"""Enough digits for any value; a half is rounded up, as readers do."""


@functools.cache
def site_texts(language: Language) -> dict[str, Any]:
    """Return the texts of the site in a language."""
    file = SITE_TEXT_FOLDER / f"{language}.yml"
    return read_mapping(file.read_text(encoding="utf-8"), file.name)


@dataclass(frozen=True)
class SiteWriter:
    """Writes what a release holds in one language. dossiers: obligation -> `flows.overlap.dossier.describe_dossier`."""

    content: SiteContent
    records: tuple[RecordContent, ...]
    surroundings: Surroundings
    dossiers: dict[str, dict[str, Any]]
    language: Language

    @cached_property
    def texts(self) -> dict[str, Any]:
        """The texts of the language."""
        return site_texts(self.language)

    def number(self, value: Decimal | float | None, digits: int = MOST_DIGITS) -> str:
        """Return a number as the language writes it, without zeros at its end; what is null is not known."""
        if value is None:
            return str(self.texts["unknown"])
        exact = EXACT.quantize(Decimal(str(value)), Decimal((0, (1,), -digits)))
        whole, _, places = f"{exact.copy_abs():f}".partition(".")
        places = places.rstrip("0")
        mark = "." if self.language == "en" else ","
        sign = "\N{MINUS SIGN}" if exact < 0 else ""
        return sign + number_text(int(whole), self.language) + (mark + places if places else "")

    def figure(self, value: Decimal | float | None, digits: int = MOST_DIGITS) -> FigureCell:
        """Return a number as a cell."""
        return FigureCell(self.number(value, digits))

    def percent(self, share: float | None) -> str:
        """Return a share as a percentage."""
        if share is None:
            return str(self.texts["unknown"])
        space = "" if self.language == "en" else "\N{NO-BREAK SPACE}"
        return f"{self.number(100 * share, 1)}{space}%"

    def hours(self, low: float | None, high: float | None) -> str:
        """Return hours from low to high."""
        if low is None or high is None:
            return str(self.texts["unknown"])
        if round(low, 1) == round(high, 1):
            return self.number(high, 1)
        return str(self.texts["range"]).format(low=self.number(low, 1), high=self.number(high, 1))

    def value(self, low: Decimal | None, high: Decimal | None) -> str:
        """Return a value, or the range of several; null where it is withheld or not shown."""
        if low is None or high is None:
            return str(self.texts["not_shown"])
        if low == high:
            return self.number(low)
        return str(self.texts["range"]).format(low=self.number(low), high=self.number(high))

    def day(self, day: date | None) -> str:
        """Return a day as the language writes it."""
        if day is None:
            return str(self.texts["unknown"])
        point = "" if self.language == "en" else "."
        return f"{day.day}{point} {self.texts['months'][day.month - 1]} {day.year}"

    def moment(self, at: datetime | None) -> str:
        """Return a time (UTC) as day and time in Oslo."""
        if at is None:
            return str(self.texts["unknown"])
        local = at.replace(tzinfo=UTC).astimezone(OSLO)
        return str(self.texts["moment"]).format(day=self.day(local.date()), time=f"{local:%H:%M}")

    def period(self, start: date, end: date) -> str:
        """Return a period: a year, a quarter, a month, a day, or from when to when."""
        months = 12 * (end.year - start.year) + end.month - start.month
        whole = start.day == end.day == 1
        if whole and months == MONTHS_OF_YEAR and start.month == 1:
            return str(start.year)
        if whole and months == MONTHS_OF_QUARTER and start.month % MONTHS_OF_QUARTER == 1:
            return str(self.texts["quarter"]).format(number=start.month // MONTHS_OF_QUARTER + 1, year=start.year)
        if whole and months == 1:
            return f"{self.texts['months'][start.month - 1]} {start.year}"
        last = end - timedelta(days=1)
        if last == start:
            return self.day(start)
        return str(self.texts["from_to"]).format(first=self.day(start), last=self.day(last))

    def concept(self, name: str, breakdown: str = "{}") -> str:
        """Return the title of a concept, with that of a breakdown."""
        return column_label(
            {"concept": name, "breakdown": breakdown}, self.content.installation.vocabulary, self.language
        )

    def concept_link(self, name: str, breakdown: str = "{}") -> Cell:
        """Return the title of a concept as a link to its page, if it has one."""
        title = self.concept(name, breakdown)
        return PageLink(title, page_path("concepts", name)) if name in self.concept_pages else title

    @cached_property
    def concept_pages(self) -> frozenset[str]:
        """The concepts that have a page."""
        counts = self.content.concept_counts.group_by("concept").agg(pl.col("items").sum())
        ranked = counts.sort(["items", "concept"], descending=[True, False])
        return frozenset(ranked["concept"].head(MOST_CONCEPTS))

    @cached_property
    def duties(self) -> dict[str, dict[str, Any]]:
        """Obligation -> its row of the release's table."""
        return {row["obligation"]: row for row in self.content.obligations.iter_rows(named=True)}

    @cached_property
    def dossier_pages(self) -> frozenset[str]:
        """The obligations that have a dossier."""
        return frozenset(self.dossiers)

    def obligation(self, name: str) -> str:
        """Return the title of an obligation."""
        duty = self.duties.get(name)
        return str(duty[f"title_{self.language}"]) if duty else name

    def obligation_link(self, name: str) -> Cell:
        """Return the title of an obligation as a link to its dossier, if it has one."""
        title = self.obligation(name)
        return PageLink(title, page_path("obligations", name)) if name in self.dossier_pages else title

    def agency_link(self, name: str | None) -> Cell:
        """Return an agency as a link to its page."""
        return PageLink(name, page_path("agencies", name)) if name else str(self.texts["no_agency"])

    @cached_property
    def unit_pages(self) -> frozenset[str]:
        """The reporting units that have a page."""
        return frozenset(self.content.units["unit_id"])

    def unit_link(self, unit_id: str, name: str) -> Cell:
        """Return the name of a reporting unit as a link to its page, if it has one."""
        return PageLink(name, page_path("units", unit_id)) if unit_id in self.unit_pages else name

    @cached_property
    def item_pages(self) -> frozenset[str]:
        """The items that have a page: those in a listed conflict."""
        return frozenset(self.content.conflicts["item_id"])

    def item_link(self, row: dict[str, Any]) -> Cell:
        """Return what an item is as a link to its page, or to that of its concept."""
        name, breakdown = row["concept"], row["breakdown"]
        if row["item_id"] in self.item_pages:
            return PageLink(self.concept(name, breakdown), page_path("items", row["item_id"]))
        return self.concept_link(name, breakdown)

    def measure(self, name: str) -> str:
        """Return the title of a unit of measure."""
        known = self.content.installation.vocabulary.measures.get(name)
        return (
            name if known is None else {"nb": known.title.nb, "nn": known.title.nn, "en": known.title.en}[self.language]
        )

    def cell_of(self, filename: str | None, row: int | None, column: str | None) -> Cell:
        """Return where a claim is from: file, row, column."""
        where = str(self.texts["cell"]).format(row=self.number(row), column=column) if column else ""
        return Lines((CodeText(filename or str(self.texts["unknown"])), where))

    def left_out(self, shown: int, every: int) -> str | None:
        """Return a note of how many rows a table leaves out; None if it has all."""
        if shown >= every:
            return None
        return str(self.texts["left_out"]).format(shown=self.number(shown), every=self.number(every))
