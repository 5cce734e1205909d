"""Conflicts: items whose reports contradict each other, with each figure and the cell that it is from."""

from collections.abc import Iterator
from typing import Any, Final

import polars as pl

from flows.site.blocks import Cell, CodeBlock, KeyFigures, PageLink, PageSection, PageTable, Paragraph, SitePage
from flows.site.find import page_path
from flows.site.writer import SiteWriter

MOST_CLAIMS: Final = 700
"""Claims of conflicts that one page lists."""


def conflicts_page(writer: SiteWriter) -> SitePage:
    """Return the page of all conflicts: counted by concept, and listed."""
    texts, content = writer.texts["conflicts"], writer.content
    counts = content.conflict_counts
    totals = dict(counts.group_by("outcome").agg(pl.col("items").sum()).iter_rows())
    every, listed = sum(totals.values()), content.conflicts["item_id"].n_unique()
    figures = KeyFigures(
        (
            (texts["all"], writer.number(every)),
            (texts["withheld"], writer.number(totals.get("withheld", 0))),
            (texts["settled"], writer.number(totals.get("settled", 0))),
        )
    )
    by_concept = PageTable(
        texts["by_concept"],
        ((texts["concept"], False), (texts["outcome"], False), (texts["items"], True)),
        tuple(
            (writer.concept_link(row["concept"]), texts["outcomes"][row["outcome"]], writer.figure(row["items"]))
            for row in counts.iter_rows(named=True)
        ),
    )
    note = writer.left_out(listed, every)
    sections = (
        PageSection("key-figures", texts["key_figures"], (figures, Paragraph((texts["filter"],)))),
        PageSection("concepts", texts["by_concept"], (by_concept,)),
        PageSection(
            "list", texts["list"], (*((Paragraph((note,)),) if note else ()), conflict_table(writer, content.conflicts))
        ),
    )
    return SitePage("conflicts.html", texts["title"], texts["lead"], sections)


def conflict_table(writer: SiteWriter, claims: pl.DataFrame) -> PageTable:
    """Return a table with a row for each claim of conflicts."""
    texts, shown = writer.texts["conflicts"], claims.head(MOST_CLAIMS)
    heads = ("item", "unit", "period", "reporter", "value", "cell", "outcome")
    return PageTable(
        texts["list"],
        tuple((texts[name], name == "value") for name in heads),
        tuple(
            (
                writer.item_link(row),
                writer.unit_link(row["unit_id"], row["unit_name"]),
                writer.period(row["period_start"], row["period_end"]),
                *_claim(writer, row),
            )
            for row in shown.iter_rows(named=True)
        ),
        writer.left_out(shown.height, claims.height),
    )


def _claim(writer: SiteWriter, row: dict[str, Any]) -> tuple[Cell, ...]:
    outcome = writer.texts["conflicts"]["outcomes"][row["outcome"]]
    value = writer.value(row["value"], row["value"])
    return (row["reported_by"], value, writer.cell_of(row["filename"], row["row"], row["column"]), outcome)


def item_pages(writer: SiteWriter) -> Iterator[SitePage]:
    """Yield the page of each listed conflict's item: who states what, and which figure was chosen or why none was."""
    for claims in writer.content.conflicts.partition_by("item_id", maintain_order=True):
        yield _item_page(writer, claims)


def _item_page(writer: SiteWriter, claims: pl.DataFrame) -> SitePage:
    texts, first = writer.texts["items"], claims.row(0, named=True)
    links = writer.concept_link(first["concept"]), " · ", writer.unit_link(first["unit_id"], first["unit_name"])
    why = texts["why_withheld" if (claims["outcome"] == "withheld").any() else "why_settled"]
    about = (_item_figures(writer, claims), Paragraph((why,)), Paragraph(links))
    command = f"engang explain {first['item_id']} --release {writer.content.release['release']}"
    sections = (
        PageSection("key-figures", texts["key_figures"], about),
        PageSection("claims", texts["claims"], (_claim_table(writer, claims),)),
        PageSection("command", texts["command"], (CodeBlock(texts["command"], command),)),
    )
    above = PageLink(writer.texts["conflicts"]["title"], "conflicts.html")
    title = f"{writer.concept(first['concept'], first['breakdown'])}, {first['unit_name']}"
    return SitePage(page_path("items", first["item_id"]), title, texts["lead"], sections, above)


def _item_figures(writer: SiteWriter, claims: pl.DataFrame) -> KeyFigures:
    texts, first = writer.texts["items"], claims.row(0, named=True)
    chosen = claims.filter(pl.col("outcome") == "published")["value"].to_list()
    return KeyFigures(
        (
            (texts["unit"], first["unit_name"]),
            (texts["period"], writer.period(first["period_start"], first["period_end"])),
            (texts["measure"], writer.measure(first["unit_measure"])),
            (texts["published"], writer.value(chosen[0], chosen[0]) if chosen else texts["withheld"]),
        )
    )


def _claim_table(writer: SiteWriter, claims: pl.DataFrame) -> PageTable:
    texts, heads = writer.texts["items"], writer.texts["conflicts"]
    shown = (*((heads[key], key == "value") for key in ("reporter", "value", "cell", "outcome")),)
    rows = claims.iter_rows(named=True)
    return PageTable(
        texts["claims"],
        (*shown, (texts["sender"], False), (texts["obligation"], False)),
        tuple(
            (*_claim(writer, row), row["sender"], writer.obligation_link(row["obligation"] or row["contract"]))
            for row in rows
        ),
    )
