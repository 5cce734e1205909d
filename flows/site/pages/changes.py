"""What changed since the release before."""

from typing import Any

import polars as pl

from flows.site.blocks import Block, Cell, CodeText, KeyFigures, PageSection, PageTable, Paragraph, SitePage
from flows.site.writer import SiteWriter


def changes_page(writer: SiteWriter) -> SitePage:
    """Return the page on changes."""
    texts, content = writer.texts["changes"], writer.content
    totals = dict(content.change_counts.group_by("change").agg(pl.col("items").sum()).iter_rows())
    figures = KeyFigures(tuple((texts["kinds"][name], writer.number(totals.get(name, 0))) for name in texts["kinds"]))
    number = content.release["release"]
    lead = texts["lead_first"] if number == 1 else texts["lead"].format(before=writer.number(number - 1))
    by_concept = PageTable(
        texts["by_concept"],
        ((texts["concept"], False), (texts["change"], False), (texts["items"], True)),
        tuple(
            (_concept(writer, row), texts["kinds"][row["change"]], writer.figure(row["items"]))
            for row in content.change_counts.iter_rows(named=True)
        ),
    )
    nothing = (Paragraph((texts["nothing"],)),)
    blocks: tuple[Block, ...] = (by_concept,) if content.change_counts.height else nothing
    listed: tuple[Block, ...] = (_list(writer, sum(totals.values())),) if content.changes.height else nothing
    sections = (
        PageSection("key-figures", texts["key_figures"], (figures,)),
        PageSection("concepts", texts["by_concept"], blocks),
        PageSection("list", texts["list"], listed),
    )
    return SitePage("changes.html", texts["title"], lead, sections)


def _concept(writer: SiteWriter, row: dict[str, Any]) -> Cell:
    if row["concept"]:
        return writer.concept_link(row["concept"])
    return str(writer.texts["changes"]["no_longer"] if row["change"] == "removed" else writer.texts["not_shown"])


def _list(writer: SiteWriter, every: int) -> PageTable:
    texts, rows = writer.texts["changes"], writer.content.changes
    heads = ("item", "unit", "period", "change", "before", "after")
    return PageTable(
        texts["list"],
        tuple((texts[name], name in {"before", "after"}) for name in heads),
        tuple(_change(writer, row) for row in rows.iter_rows(named=True)),
        writer.left_out(rows.height, every),
    )


def _change(writer: SiteWriter, row: dict[str, Any]) -> tuple[Cell, ...]:
    texts = writer.texts["changes"]
    if row["concept"] is None:
        what: tuple[Cell, ...] = (CodeText(row["item_id"]), "", "")
    else:
        unit = writer.unit_link(row["unit_id"], row["unit_name"])
        what = (writer.item_link(row), unit, writer.period(row["period_start"], row["period_end"]))
    return (*what, texts["kinds"][row["change"]], _side(writer, row, "before"), _side(writer, row, "after"))


def _side(writer: SiteWriter, row: dict[str, Any], side: str) -> str:
    """Return the value of a side with how its reports agreed; nothing where the item was not there."""
    agreement = row[f"agreement_{side}"]
    if agreement is None:
        return str(writer.texts["none"])
    value = row[f"value_{side}"]
    return f"{writer.value(value, value)} ({writer.texts['agreements'][agreement]})"
