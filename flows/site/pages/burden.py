"""What obligations cost, and the least that must be reported."""

from typing import Any

from flows.dossier_page.drawings import BarRow, draw_bars
from flows.site.blocks import Block, BulletList, Cell, KeyFigures, PageSection, PageTable, Paragraph, Picture, SitePage
from flows.site.writer import SiteWriter


def burden_page(writer: SiteWriter) -> SitePage:
    """Return the page on the burden: the ranking, the minimal set and the frontier."""
    texts = writer.texts["burden"]
    sections = (_ranking(writer), _minimal(writer), _frontier(writer))
    return SitePage("burden.html", texts["title"], texts["lead"], sections)


def _ranking(writer: SiteWriter) -> PageSection:
    texts, ranked = writer.texts["burden"], writer.content.burden
    drawn = [
        BarRow(writer.obligation(row["obligation"]), _parts(row), writer.hours(row["hours_low"], row["hours_high"]))
        for row in ranked
        if row["hours_high"] is not None
    ]
    heads = ("obligation", "agency", "reports", "figures", "figures_elsewhere", "share", "hours", "hours_elsewhere")
    table = PageTable(
        texts["ranking"],
        tuple((texts[name], number > 1) for number, name in enumerate(heads)),
        tuple(_ranked(writer, row) for row in ranked),
    )
    titles = (texts["chart"], writer.texts["table_below"])
    legend = (("known", texts["known_part"]), ("own", texts["own_part"]))
    picture = (Picture(draw_bars("ranking", titles, drawn), legend),) if drawn else ()
    return PageSection("ranking", texts["ranking"], (Paragraph((texts["ranking_lead"],)), *picture, table))


def _parts(row: dict[str, Any]) -> tuple[tuple[str, float], ...]:
    known = row["hours_elsewhere_high"] or 0.0
    return (("known", known), ("own", row["hours_high"] - known))


def _ranked(writer: SiteWriter, row: dict[str, Any]) -> tuple[Cell, ...]:
    duty = writer.duties.get(row["obligation"])
    share = row["figures_elsewhere"] / row["figures"] if row["figures"] else None
    return (
        writer.obligation_link(row["obligation"]),
        writer.agency_link(duty["agency"] if duty else None),
        *(writer.figure(row[name]) for name in ("reports", "figures", "figures_elsewhere")),
        writer.percent(share),
        writer.hours(row["hours_low"], row["hours_high"]),
        writer.hours(row["hours_elsewhere_low"], row["hours_elsewhere_high"]),
    )


def _minimal(writer: SiteWriter) -> PageSection:
    texts, found = writer.texts["burden"], writer.content.minimal
    figures = KeyFigures(
        (
            (texts["items"], writer.number(found.items)),
            (texts["hours_kept"], writer.number(found.hours_kept, 1)),
            (texts["hours_all"], writer.number(found.hours_all, 1)),
        )
    )
    none = (writer.texts["none"],)
    blocks: list[Block] = [
        Paragraph((texts["minimal_lead"],)), figures,
        Paragraph((texts["needed"],)), BulletList(tuple(map(writer.obligation_link, found.needed)) or none),
        Paragraph((texts["dropped"],)), BulletList(tuple(map(writer.obligation_link, found.dropped)) or none),
    ]  # fmt: skip
    if found.unknown:
        names = ", ".join(map(writer.obligation, found.unknown))
        blocks.append(Paragraph((texts["unknown"].format(names=names),)))
    return PageSection("minimal", texts["minimal"], tuple(blocks))


def _frontier(writer: SiteWriter) -> PageSection:
    texts = writer.texts["burden"]
    table = PageTable(
        texts["frontier"],
        ((texts["items"], True), (texts["hours"], True), (texts["obligations"], False)),
        tuple(
            (
                writer.figure(step["items"]),
                writer.figure(step["hours"], 1),
                ", ".join(map(writer.obligation, step["kept"])) or writer.texts["none"],
            )
            for step in writer.content.minimal.frontier
        ),
    )
    return PageSection("frontier", texts["frontier"], (Paragraph((texts["frontier_lead"],)), table))
