"""Obligations and agencies: who asks for what, and on which legal basis."""

from collections.abc import Iterator
from typing import Any, Final

import polars as pl

from flows.dossier_page.page import dossier_part
from flows.site.blocks import (
    Block,
    BulletList,
    Cell,
    ForeignText,
    KeyFigures,
    PageLink,
    PageSection,
    PageTable,
    Paragraph,
    SitePage,
)
from flows.site.find import page_path
from flows.site.pages.conflicts import conflict_table
from flows.site.pages.overlap import pair_rows, pair_table
from flows.site.pages.start import latest_scope
from flows.site.writer import SiteWriter

MOST_DUTIES: Final = 500
MOST_AGENCIES: Final = 200
WHOLLY_DROPPABLE: Final = ("droppable_exact", "droppable_within_tolerance")
"""The verdicts under which an obligation could be dropped as a whole."""


def obligations_page(writer: SiteWriter) -> SitePage:
    """Return the list of obligations, with the verdict of each dossier."""
    texts, rows = writer.texts["obligations"], writer.content.obligations
    assessed = pl.col("obligation").is_in(list(writer.dossiers))
    rows = rows.sort(assessed, descending=True, maintain_order=True)
    table = _duty_table(writer, texts["title"], rows, with_agency=True)
    sections = (
        PageSection("answer", texts["answer"], _answer(writer)),
        PageSection("obligations", texts["all"], (table,)),
    )
    return SitePage("obligations.html", texts["title"], texts["lead"], sections)


def _answer(writer: SiteWriter) -> tuple[Block, ...]:
    """Return which obligations could be dropped, as a whole and in part, or that none could."""
    texts, dossiers = writer.texts["obligations"], writer.dossiers
    blocks: list[Block] = []
    for name, verdicts in (("whole", WHOLLY_DROPPABLE), ("part", ("droppable_in_part",))):
        links = tuple(writer.obligation_link(each) for each, d in dossiers.items() if d["verdict"] in verdicts)
        sentence = texts[f"{name}_some" if links else f"{name}_none"]
        blocks.append(Paragraph((sentence.format(k=writer.number(len(links)), n=writer.number(len(dossiers))),)))
        blocks += [BulletList(links)] if links else []
    return tuple(blocks)


def agencies_of(writer: SiteWriter) -> list[str]:
    """Return the agencies that have a page: the first by name."""
    return writer.content.obligations["agency"].drop_nulls().unique().sort().head(MOST_AGENCIES).to_list()


def dossier_pages(writer: SiteWriter) -> Iterator[SitePage]:
    """Yield the dossier of each obligation that has one."""
    above = PageLink(writer.texts["obligations"]["title"], "obligations.html")
    for name, dossier in writer.dossiers.items():
        part = dossier_part(dossier, writer.content.installation.vocabulary, writer.language)
        yield SitePage(page_path("obligations", name), part.heading, part.lead, (), above, name, body=part.html)


def agencies_page(writer: SiteWriter) -> SitePage:
    """Return the list of agencies."""
    texts, names = writer.texts["agencies"], agencies_of(writer)
    rows = [(name, latest_scope(writer.content.redundancy, "agency", name)) for name in names]
    every = writer.content.obligations["agency"].drop_nulls().n_unique()
    heads = ("agency", "figures", "figures_elsewhere", "hours", "hours_elsewhere")
    table = PageTable(
        texts["title"],
        tuple((texts[name], name != "agency") for name in heads),
        tuple((writer.agency_link(name), *_counted(writer, row)) for name, row in rows),
        writer.left_out(len(rows), every),
    )
    return SitePage("agencies.html", texts["title"], texts["lead"], (PageSection("agencies", texts["all"], (table,)),))


def _counted(writer: SiteWriter, row: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        writer.figure(row.get("figures", 0)),
        writer.figure(row.get("figures_elsewhere", 0)),
        writer.hours(row.get("hours_low"), row.get("hours_high")),
        writer.hours(row.get("hours_elsewhere_low"), row.get("hours_elsewhere_high")),
    )


def agency_page(writer: SiteWriter, name: str) -> SitePage:
    """Return the page of an agency: its obligations, what others ask too, its conflicts."""
    texts, content = writer.texts["agencies"], writer.content
    duties = content.obligations.filter(agency=name)
    own = duties["obligation"].to_list()
    whole = latest_scope(content.redundancy, "agency", name)
    figures = KeyFigures(
        (
            (texts["figures"], writer.number(whole.get("figures", 0))),
            (texts["figures_elsewhere"], writer.number(whole.get("figures_elsewhere", 0))),
            (texts["hours"], writer.hours(whole.get("hours_low"), whole.get("hours_high"))),
            (
                texts["hours_elsewhere"],
                writer.hours(whole.get("hours_elsewhere_low"), whole.get("hours_elsewhere_high")),
            ),
        )
    )
    mine = content.overlap.filter(pl.col("obligation_a").is_in(own) | pl.col("obligation_b").is_in(own))
    pairs = pair_rows(mine, "obligation_a", "obligation_b", "concept")
    items = content.conflicts.filter(pl.col("obligation").is_in(own))["item_id"].unique()
    conflicts = content.conflicts.filter(pl.col("item_id").is_in(items.implode()))
    sections = (
        PageSection("key-figures", texts["key_figures"], (figures,)),
        PageSection("obligations", texts["obligations"], (_duty_table(writer, texts["obligations"], duties),)),
        PageSection("overlap", texts["overlap"], (_or_nothing(pair_table(writer, texts["overlap"], pairs), texts),)),
        PageSection("conflicts", texts["conflicts"], (_or_nothing(conflict_table(writer, conflicts), texts),)),
    )
    above = PageLink(texts["title"], "agencies.html")
    return SitePage(page_path("agencies", name), name, texts["agency_lead"], sections, above)


def _or_nothing(table: PageTable, texts: dict[str, Any]) -> PageTable | Paragraph:
    return table if table.rows else Paragraph((texts["nothing"],))


def _duty_table(writer: SiteWriter, caption: str, duties: pl.DataFrame, *, with_agency: bool = False) -> PageTable:
    texts, shown = writer.texts["obligations"], duties.head(MOST_DUTIES)
    heads = ("obligation", *(("agency",) if with_agency else ()), "legal_basis", "rhythm", "hours_each", "verdict")
    return PageTable(
        caption,
        tuple((texts[name], False) for name in heads),
        tuple(_duty(writer, row, with_agency=with_agency) for row in shown.iter_rows(named=True)),
        writer.left_out(shown.height, duties.height),
    )


def _duty(writer: SiteWriter, row: dict[str, Any], *, with_agency: bool) -> tuple[Cell, ...]:
    texts = writer.texts["obligations"]
    dossier, basis = writer.dossiers.get(row["obligation"]), row["legal_basis"]
    return (
        writer.obligation_link(row["obligation"]),
        *((writer.agency_link(row["agency"]),) if with_agency else ()),
        ForeignText(basis, "nb") if basis else writer.texts["unknown"],
        texts["rhythms"].get(row["rhythm"], row["rhythm"]),
        writer.hours(row["hours_low"], row["hours_high"]),
        texts["verdicts"][dossier["verdict"]] if dossier else texts["verdicts"]["not_assessed"],
    )
