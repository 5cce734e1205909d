"""The first page: from what was delivered to unique items and hours, and how that has developed."""

from typing import Any, Final

import polars as pl

from flows.dossier_page.drawings import BarRow, draw_bars, draw_steps
from flows.site.blocks import (
    BulletList,
    Cell,
    KeyFigures,
    PageLink,
    PageSection,
    PageTable,
    Paragraph,
    Picture,
    SitePage,
)
from flows.site.writer import SiteWriter

TAKEN: Final = ("rejected", "ignored", "superseded", "withdrawn", "duplicate", "conflict", "additive")
"""The buckets of rows that are not published as they are, in the order of the waterfall."""
LAST_RELEASES: Final = 12
ANSWERS: Final = (
    ("twice", "burden", "ranking"), ("droppable", "obligations", "answer"), ("unit", "units", "units"),
    ("withheld", "conflicts", "list"), ("who", "conflicts", "list"), ("changed", "changes", "key-figures"),
    ("load", "use", "load"), ("means", "methods", "terms"), ("complete", "coverage", "periods"),
    ("cite", "use", "cite"),
)  # fmt: skip
"""Questions of a reader, and the page and section with the answer."""


def start_page(writer: SiteWriter) -> SitePage:
    """Return the first page."""
    content, texts = writer.content, writer.texts["start"]
    whole = latest_scope(content.redundancy, "all", "all")
    counts = content.release["counts"]
    rows = sum(count for name, count in counts.items() if name.startswith("rows_"))
    records = sum(each.items for each in writer.records)
    figures = KeyFigures(
        (
            (texts["rows"], writer.number(rows)),
            (texts["items"], writer.number(counts["items"] + records)),
            (texts["several"], writer.number(content.twice_all)),
            (texts["hours"], writer.hours(whole.get("hours_low"), whole.get("hours_high"))),
            (
                texts["hours_elsewhere"],
                writer.hours(whole.get("hours_elsewhere_low"), whole.get("hours_elsewhere_high")),
            ),
        )
    )
    both = texts["kinds_of_items"].format(figures=writer.number(counts["items"]), records=writer.number(records))
    split = (Paragraph((both,)),) if records else ()
    return SitePage(
        "index.html",
        texts["title"].format(release=writer.number(content.release["release"])),
        texts["lead"].format(day=writer.moment(content.release["published_at"])),
        (
            PageSection("key-figures", texts["key_figures"], (figures, *split, _sentence(writer, whole))),
            _waterfall(writer, rows),
            _trend(writer),
            PageSection("questions", texts["questions"], (BulletList(_answers(writer)),)),
        ),
    )


def latest_scope(redundancy: pl.DataFrame, scope: str, name: str) -> dict[str, Any]:
    """Return the newest row of a scope of the table `redundancy`; empty if there is none."""
    rows = redundancy.filter(scope=scope, name=name).sort("release").tail(1).to_dicts()
    return rows[0] if rows else {}


def _sentence(writer: SiteWriter, whole: dict[str, Any]) -> Paragraph:
    if not whole or not whole["figures"]:
        return Paragraph((writer.texts["start"]["nothing"],))
    text = writer.texts["start"]["sentence"].format(
        figures=writer.number(whole["figures"]),
        elsewhere=writer.number(whole["figures_elsewhere"]),
        share=writer.percent(whole["figures_elsewhere"] / whole["figures"]),
        redundancy=writer.percent(whole["redundancy"]),
    )
    return Paragraph((text,))


def _answers(writer: SiteWriter) -> tuple[Cell, ...]:
    questions = writer.texts["start"]["answers"]
    return tuple(PageLink(questions[name], f"{page}.html#{section}") for name, page, section in ANSWERS)


def _waterfall(writer: SiteWriter, rows: int) -> PageSection:
    texts, counts = writer.texts["start"], writer.content.release["counts"]
    taken = [(name, counts.get(f"rows_{name}", 0)) for name in TAKEN]
    steps = [
        ("delivered", rows),
        *((name, n) for name, n in taken if n),
        ("published", counts.get("rows_published", 0)),
    ]
    names = writer.texts["buckets"]
    drawn = [(names[name], float(amount), writer.number(amount)) for name, amount in steps]
    table = PageTable(
        texts["waterfall"],
        ((texts["bucket"], False), (texts["meaning"], False), (texts["row_count"], True)),
        tuple((names[name], writer.texts["bucket_means"][name], writer.figure(amount)) for name, amount in steps),
    )
    picture = Picture(draw_steps("waterfall", (texts["waterfall"], writer.texts["table_below"]), drawn))
    return PageSection("waterfall", texts["waterfall"], (Paragraph((texts["waterfall_lead"],)), picture, table))


def _trend(writer: SiteWriter) -> PageSection:
    content, texts = writer.content, writer.texts["start"]
    last = content.releases[-LAST_RELEASES:]
    whole = content.redundancy.filter(scope="all").sort("release")
    found = [(row, _known_at(whole, row["release"])) for row in reversed(last)]
    names = [texts["release"].format(release=writer.number(row["release"])) for row, _ in found]
    drawn = [
        BarRow(
            name,
            (
                ("own", row["counts"]["items"]),
                ("known", max(row["counts"].get("figures", 0) - row["counts"]["items"], 0)),
            ),
            texts["of"].format(items=writer.number(row["counts"]["items"]), figures=_count(writer, row, "figures")),
        )
        for name, (row, _) in zip(names, found, strict=True)
    ]
    table = PageTable(
        texts["trend"],
        (
            (texts["release_number"], True), (texts["published"], False), (texts["items"], True),
            (texts["figures"], True), (texts["redundancy"], True), (texts["conflicts"], True),
        ),
        tuple(
            (
                writer.figure(row["release"]),
                writer.moment(row["published_at"]),
                writer.figure(row["counts"]["items"]),
                _count(writer, row, "figures"),
                writer.percent(known.get("redundancy")),
                _count(writer, row, "conflict"),
            )
            for row, known in found
        ),
        writer.left_out(len(found), len(content.releases)),
    )  # fmt: skip
    legend = (("own", texts["items"]), ("known", texts["repeated"]))
    picture = Picture(draw_bars("trend", (texts["trend"], writer.texts["table_below"]), drawn), legend)
    return PageSection("trend", texts["trend"], (picture, table))


def _count(writer: SiteWriter, row: dict[str, Any], name: str) -> str:
    return writer.number(row["counts"].get(name))


def _known_at(whole: pl.DataFrame, release: int) -> dict[str, Any]:
    """Return the counts that hold for a release: the newest up to it."""
    rows = whole.filter(pl.col("release") <= release).tail(1).to_dicts()
    return rows[0] if rows else {}
