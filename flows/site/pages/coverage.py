"""Coverage and lateness: which periods have reports of which obligation, and who is late."""

from typing import Any, Final

import polars as pl

from flows.dossier_page.drawings import BarRow, draw_bars
from flows.monitoring.obligations import Obligation
from flows.site.blocks import Cell, Lines, PageSection, PageTable, Paragraph, Picture, SitePage
from flows.site.writer import SiteWriter

MOST_PERIODS: Final = 12
"""Periods of each obligation that are listed: the latest."""
MOST_ROWS: Final = 600
MOST_LATE: Final = 20
"""Late senders that are named for each contract."""


def coverage_page(writer: SiteWriter) -> SitePage:
    """Return the page on coverage and lateness."""
    texts = writer.texts["coverage"]
    lead = texts["lead"].format(day=writer.day(writer.content.day))
    return SitePage("coverage.html", texts["title"], lead, (_deadlines(writer), _periods(writer)))


def _deadlines(writer: SiteWriter) -> PageSection:
    texts, rows = writer.texts["coverage"], writer.surroundings.deadlines
    if not rows:
        return PageSection("deadlines", texts["deadlines"], (Paragraph((texts["no_deadlines"],)),))
    drawn = [
        BarRow(row.contract, (("own", row.delivered), ("late", row.expected - row.delivered)), _of(writer, row))
        for row in rows
        if row.expected
    ]
    titles = (texts["chart"], writer.texts["table_below"])
    legend = (("own", texts["on_time"]), ("late", texts["late"]))
    picture = (Picture(draw_bars("deadlines", titles, drawn), legend),) if drawn else ()
    heads = ("contract", "period", "due", "delivered", "late", "next_due")
    table = PageTable(
        texts["deadlines"],
        tuple((texts[name], False) for name in heads),
        tuple(_deadline(writer, row) for row in rows),
    )
    return PageSection("deadlines", texts["deadlines"], (*picture, table))


def _of(writer: SiteWriter, row: Obligation) -> str:
    return str(writer.texts["of"]).format(k=writer.number(row.delivered), n=writer.number(row.expected))


def _deadline(writer: SiteWriter, row: Obligation) -> tuple[Cell, ...]:
    late = [f"{sender} ({period})" for period, sender in row.late[:MOST_LATE]]
    note = writer.left_out(len(late), len(row.late))
    return (
        row.contract,
        row.period or writer.texts["none"],
        writer.day(row.due) if row.due else writer.texts["none"],
        _of(writer, row),
        Lines((*late, *((note,) if note else ()))) if late else writer.texts["none"],
        f"{writer.day(row.next_due)} ({row.next_period})" if row.next_due else writer.texts["none"],
    )


def _complete(writer: SiteWriter, row: dict[str, Any]) -> str:
    """Return whether as many units have reports for a period as for any other of its obligation."""
    if row["units"] == row["most"]:
        return str(writer.texts["yes"])
    counts = {"k": writer.number(row["units"]), "n": writer.number(row["most"])}
    return str(writer.texts["coverage"]["partial"]).format(**counts)


def _periods(writer: SiteWriter) -> PageSection:
    texts = writer.texts["coverage"]
    every = writer.content.periods.with_columns(most=pl.col("units").max().over("obligation"))
    latest = every.group_by("obligation", maintain_order=True).head(MOST_PERIODS)
    shown = latest.head(MOST_ROWS)
    table = PageTable(
        texts["periods"],
        (
            (texts["obligation"], False), (texts["period"], False), (texts["units"], True), (texts["reports"], True),
            (texts["figures"], True), (texts["complete"], False),
        ),
        tuple(
            (
                writer.obligation_link(row["obligation"]), writer.period(row["period_start"], row["period_end"]),
                *(writer.figure(row[name]) for name in ("units", "reports", "figures")), _complete(writer, row),
            )
            for row in shown.iter_rows(named=True)
        ),
        writer.left_out(shown.height, writer.content.periods.height),
    )  # fmt: skip
    return PageSection("periods", texts["periods"], (Paragraph((texts["periods_lead"],)), table))
