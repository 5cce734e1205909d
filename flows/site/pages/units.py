"""Reporting units: what each of them reports twice."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from flows.dossier_page.drawings import BarRow, draw_bars
from flows.site.blocks import Cell, KeyFigures, Lines, PageLink, PageSection, PageTable, Paragraph, Picture, SitePage
from flows.site.find import page_path
from flows.site.writer import SiteWriter


def units_page(writer: SiteWriter) -> SitePage:
    """Return the list of reporting units, most double reporting first."""
    texts, content = writer.texts["units"], writer.content
    rows = content.units.to_dicts()
    drawn = [
        BarRow(
            row["unit_name"],
            (("known", row["figures_elsewhere"]), ("own", row["figures"] - row["figures_elsewhere"])),
            writer.texts["of"].format(k=writer.number(row["figures_elsewhere"]), n=writer.number(row["figures"])),
        )
        for row in rows
    ]
    legend = (("known", texts["figures_elsewhere"]), ("own", texts["figures_own"]))
    picture = Picture(draw_bars("units", (texts["chart"], writer.texts["table_below"]), drawn), legend)
    heads = ("unit", "code", "kind", "figures", "figures_elsewhere", "items_twice")
    table = PageTable(
        texts["all"],
        tuple((texts[name], number > 2) for number, name in enumerate(heads)),  # noqa: PLR2004
        tuple(_unit(writer, row) for row in rows),
        writer.left_out(len(rows), content.units_all),
    )
    return SitePage(
        "units.html", texts["title"], texts["lead"], (PageSection("units", texts["all"], (picture, table)),)
    )


def _unit(writer: SiteWriter, row: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        writer.unit_link(row["unit_id"], row["unit_name"]),
        row["unit_code"] or "",
        writer.texts["unit_kinds"].get(row["unit_kind"], row["unit_kind"]),
        *(writer.figure(row[name]) for name in ("figures", "figures_elsewhere", "items_twice")),
    )


def unit_pages(writer: SiteWriter) -> Iterator[SitePage]:
    """Yield the page of each reporting unit that has one."""
    content = writer.content
    counts = content.unit_counts.sort(["unit_id", "figures_elsewhere", "obligation"], descending=[False, True, False])
    duties = counts.partition_by("unit_id", as_dict=True)
    items = content.twice.partition_by("unit_id", as_dict=True)
    costs = content.redundancy.filter(scope="unit").sort("release").unique("name", keep="last", maintain_order=True)
    whole = {row["name"]: row for row in costs.iter_rows(named=True)}
    for row in content.units.iter_rows(named=True):
        key = (row["unit_id"],)
        own = items.get(key, content.twice.clear())
        yield _unit_page(writer, row, duties.get(key, counts.clear()), own, whole.get(row["unit_id"], {}))


def _unit_page(
    writer: SiteWriter, unit: dict[str, Any], duties: pl.DataFrame, items: pl.DataFrame, cost: dict[str, Any]
) -> SitePage:
    texts = writer.texts["units"]
    figures = KeyFigures(
        (
            (texts["items_twice"], writer.number(unit["items_twice"])),
            (
                texts["figures_elsewhere"],
                writer.texts["of"].format(k=writer.number(unit["figures_elsewhere"]), n=writer.number(unit["figures"])),
            ),
            (texts["hours"], writer.hours(cost.get("hours_low"), cost.get("hours_high"))),
            (texts["hours_elsewhere"], writer.hours(cost.get("hours_elsewhere_low"), cost.get("hours_elsewhere_high"))),
        )
    )
    asked = PageTable(
        texts["obligations"],
        ((texts["obligation"], False), (texts["figures"], True), (texts["figures_elsewhere"], True)),
        tuple(
            (
                writer.obligation_link(row["obligation"]),
                writer.figure(row["figures"]),
                writer.figure(row["figures_elsewhere"]),
            )
            for row in duties.iter_rows(named=True)
        ),
    )
    sections = (
        PageSection("key-figures", texts["key_figures"], (figures,)),
        PageSection("twice", texts["twice"], _twice(writer, unit, items)),
        PageSection("obligations", texts["obligations"], (asked,)),
    )
    title = texts["unit_title"].format(unit=unit["unit_name"])
    above = PageLink(texts["title"], "units.html")
    return SitePage(page_path("units", unit["unit_id"]), title, texts["unit_lead"], sections, above, unit["unit_id"])


def _twice(writer: SiteWriter, unit: dict[str, Any], items: pl.DataFrame) -> tuple[PageTable | Paragraph, ...]:
    texts = writer.texts["units"]
    if items.is_empty():
        return (Paragraph((texts["nothing"],)),)
    table = PageTable(
        texts["twice"],
        tuple((texts[name], False) for name in ("item", "period", "stated", "measure", "agreement")),
        tuple(
            (
                writer.item_link(row),
                writer.period(row["period_start"], row["period_end"]),
                Lines(tuple(_statement(writer, each) for each in row["statements"])),
                writer.measure(row["unit_measure"]),
                writer.texts["agreements"][row["agreement"]],
            )
            for row in items.iter_rows(named=True)
        ),
        writer.left_out(items.height, unit["items_twice"]),
    )
    return (table,)


def _statement(writer: SiteWriter, stated: dict[str, Any]) -> str:
    return f"{writer.value(stated['low'], stated['high'])} \N{EN DASH} {writer.obligation(stated['obligation'])}"
