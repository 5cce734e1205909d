"""The pages that answer in a sentence: which obligation could be dropped, and whether a period is complete."""

import datetime as dt
from types import SimpleNamespace
from typing import Any, cast

import polars as pl

from flows.site.blocks import BulletList, PageLink, PageTable, Paragraph
from flows.site.pages.coverage import coverage_page
from flows.site.pages.duties import obligations_page
from flows.site.writer import SiteWriter
from schemas.claims import frame_schema
from schemas.concepts import load_vocabulary
from schemas.description_tables import OBLIGATION

PERIODS = {
    "obligation": pl.String, "period_start": pl.Date, "period_end": pl.Date, "units": pl.Int64, "reports": pl.Int64,
    "figures": pl.Int64,
}  # fmt: skip


def writer(verdicts: dict[str, str], units: dict[int, int] | None = None) -> SiteWriter:
    """Return what writes pages in English about obligations with these verdicts, and units by month of one of them."""
    rows = [
        ("a", dt.date(2025, month, 1), dt.date(2025, month + 1, 1), *[count] * 3)
        for month, count in (units or {}).items()
    ]
    periods = pl.DataFrame(rows, schema=PERIODS, orient="row")
    content = SimpleNamespace(
        installation=SimpleNamespace(vocabulary=load_vocabulary()),
        obligations=pl.DataFrame(schema=frame_schema(OBLIGATION)),
        periods=periods,
        day=dt.date(2025, 6, 1),
    )
    around = SimpleNamespace(deadlines=[])
    dossiers: dict[str, Any] = {name: {"verdict": verdict} for name, verdict in verdicts.items()}
    return SiteWriter(cast("Any", content), (), cast("Any", around), dossiers, "en")


def answer(verdicts: dict[str, str]) -> list[Any]:
    """Return the sentences and links of the answer."""
    blocks = obligations_page(writer(verdicts)).sections[0].blocks
    parts = [b.parts if isinstance(b, Paragraph) else cast("BulletList", b).rows for b in blocks]
    return [part.text if isinstance(part, PageLink) else part for several in parts for part in several]


def test_none_can_be_dropped() -> None:
    assert answer({"a": "not_droppable", "b": "not_enough_history"}) == [
        "Of 2 assessed obligations none could be dropped as a whole.",
        "None could be dropped in part.",
    ]


def test_those_that_can_are_named() -> None:
    verdicts = ("droppable_exact", "droppable_within_tolerance", "droppable_in_part", "not_droppable")
    assert answer(dict(zip("abcd", verdicts, strict=True))) == [
        "Of 4 assessed obligations 2 could be dropped as a whole:", "a", "b",
        "In part, for some of what is asked, 1 could be dropped:", "c",
    ]  # fmt: skip


def test_a_period_with_fewer_units_than_another_is_not_complete() -> None:
    page = coverage_page(writer({}, {2: 40, 1: 41}))
    (table,) = (b for section in page.sections for b in section.blocks if isinstance(b, PageTable))
    assert [row[-1] for row in table.rows] == ["no: 40 of 41 units", "yes"]
