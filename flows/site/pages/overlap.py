"""Which obligations ask for the same items: as a heat map, and concept by concept; what is suspected and derivable."""

import json
from typing import Any, Final

import polars as pl

from flows.dossier_page.drawings import draw_heat
from flows.site.blocks import Cell, Lines, PageSection, PageTable, Paragraph, Picture, SitePage
from flows.site.writer import SiteWriter

MOST_PAIRS: Final = 300
MOST_SUSPECTED: Final = 200
SERIES_SHOWN: Final = 8
"""Series of a sum that are named."""
_COUNTS: Final = ("items", "agreeing", "consistent", "conflicting", "expected")


def overlap_page(writer: SiteWriter) -> SitePage:
    """Return the page on overlap."""
    texts = writer.texts["overlap"]
    pairs = pair_rows(writer.content.overlap, "obligation_a", "obligation_b")
    sections = (_heat(writer, pairs), _by_concept(writer))
    return SitePage("overlap.html", texts["title"], texts["lead"], sections)


def pair_rows(overlap: pl.DataFrame, *by: str) -> list[dict[str, Any]]:
    """Return the counts of overlap over all periods, most items first; rows of no common item are left out."""
    sums = overlap.group_by(by).agg(pl.col(_COUNTS).sum()).filter(pl.col("items") > 0)
    return sums.sort(["items", *by], descending=[True, *(False for _ in by)]).to_dicts()


def _heat(writer: SiteWriter, pairs: list[dict[str, Any]]) -> PageSection:
    texts = writer.texts["overlap"]
    names = list(dict.fromkeys(name for row in pairs for name in (row["obligation_a"], row["obligation_b"])))
    places = {name: number for number, name in enumerate(names)}
    shares = {
        place: (row["items"] / row["expected"], writer.percent(row["items"] / row["expected"]))
        for row in pairs
        for place in (
            (places[row["obligation_a"]], places[row["obligation_b"]]),
            (places[row["obligation_b"]], places[row["obligation_a"]]),
        )
    }
    table = pair_table(writer, texts["pairs"], pairs)
    if not pairs:
        return PageSection("heat", texts["heat"], (Paragraph((texts["nothing"],)),))
    titles = (texts["heat"], writer.texts["table_below"])
    picture = Picture(draw_heat("heat", titles, list(map(writer.obligation, names)), shares))
    return PageSection("heat", texts["heat"], (Paragraph((texts["heat_lead"],)), picture, table))


def pair_table(writer: SiteWriter, caption: str, rows: list[dict[str, Any]]) -> PageTable:
    """Return a table of pairs of obligations, and of a concept of both if rows have one."""
    texts, with_concept = writer.texts["overlap"], bool(rows) and "concept" in rows[0]
    heads = [(texts["one"], False), (texts["other"], False), *([(texts["concept"], False)] if with_concept else [])]
    heads += [(texts[name], True) for name in ("items", "share", "agreeing", "consistent", "conflicting")]
    return PageTable(
        caption,
        tuple(heads),
        tuple(
            (
                writer.obligation_link(row["obligation_a"]),
                writer.obligation_link(row["obligation_b"]),
                *([writer.concept_link(row["concept"])] if with_concept else []),
                writer.figure(row["items"]),
                writer.percent(row["items"] / row["expected"]),
                *(writer.figure(row[name]) for name in ("agreeing", "consistent", "conflicting")),
            )
            for row in rows[:MOST_PAIRS]
        ),
        writer.left_out(min(len(rows), MOST_PAIRS), len(rows)),
    )


def _by_concept(writer: SiteWriter) -> PageSection:
    texts = writer.texts["overlap"]
    rows = pair_rows(writer.content.overlap, "obligation_a", "obligation_b", "concept")
    return PageSection("concepts", texts["by_concept"], (pair_table(writer, texts["by_concept"], rows),))


def found_page(writer: SiteWriter) -> SitePage:
    """Return the page on what is suspected and derivable: double reporting that nobody has declared."""
    texts = writer.texts["found"]
    return SitePage("found.html", texts["title"], texts["lead"], (_suspected(writer), _derivable(writer)))


def _suspected(writer: SiteWriter) -> PageSection:
    texts, rows = writer.texts["found"], writer.content.suspected
    if rows.is_empty():
        return PageSection("suspected", texts["suspected"], (Paragraph((texts["no_suspected"],)),))
    ranked = rows.sort(["bits", "series_a", "series_b"], descending=[True, False, False]).head(MOST_SUSPECTED)
    heads = ("kind", "first", "second", "agreeing", "chance", "bits", "verdict")
    table = PageTable(
        texts["suspected"],
        tuple((texts[name], name in {"agreeing", "chance", "bits"}) for name in heads),
        tuple(_suspicion(writer, row) for row in ranked.iter_rows(named=True)),
        writer.left_out(ranked.height, rows.height),
    )
    return PageSection("suspected", texts["suspected"], (Paragraph((texts["suspected_lead"],)), table))


def _suspicion(writer: SiteWriter, row: dict[str, Any]) -> tuple[Cell, ...]:
    texts = writer.texts["found"]
    of = writer.texts["of"].format(k=writer.number(row["agreeing"]), n=writer.number(row["common"]))
    return (
        texts["kinds"][row["kind"]],
        _series(writer, row, "a"),
        _sum_of(writer, row["parts"]) if row["parts"] else _series(writer, row, "b"),
        of,
        writer.percent(row["chance"]),
        writer.number(row["bits"], 1),
        texts["verdicts"][row["verdict"] or "none"],
    )


def _sum_of(writer: SiteWriter, parts: str) -> Cell:
    """Return the series that a sum is of, the first ones by their names."""
    texts, series = writer.texts["found"], json.loads(parts)
    names = [writer.concept(part["concept"], part["breakdown"]) for part in series[:SERIES_SHOWN]]
    over = [texts["over"][part["over"]] for part in series[:1] if part["over"] in texts["over"]]
    note = writer.left_out(len(names), len(series))
    return Lines((texts["sum_of"], *names, *over, *((note,) if note else ())))


def _series(writer: SiteWriter, row: dict[str, Any], end: str) -> Cell:
    obligation, concept = row[f"obligation_{end}"], row[f"concept_{end}"]
    if obligation is None or concept is None:
        return ""
    return Lines((writer.concept_link(concept, row[f"breakdown_{end}"] or "{}"), writer.obligation_link(obligation)))


def _derivable(writer: SiteWriter) -> PageSection:
    texts, rows = writer.texts["found"], writer.content.derivable
    if rows.is_empty():
        return PageSection("derivable", texts["derivable"], (Paragraph((texts["no_derivable"],)),))
    table = PageTable(
        texts["derivable"],
        ((texts["concept"], False), (texts["rule"], False), (texts["relation"], False), (texts["items"], True)),
        tuple(
            (
                writer.concept_link(row["concept"]), _rule(writer, row["rule"]), texts["relations"][row["relation"]],
                writer.figure(row["items"]),
            )
            for row in rows.iter_rows(named=True)
        ),
    )  # fmt: skip
    return PageSection("derivable", texts["derivable"], (Paragraph((texts["derivable_lead"],)), table))


def _rule(writer: SiteWriter, rule: str) -> str:
    """Return a roll-up in words, by how it begins; what it is over as it is named."""
    how, _, what = rule.partition(":")
    pattern = writer.texts["found"]["rules"].get(how)
    title = writer.texts["unit_kinds"].get(what, what)
    return rule if pattern is None else str(pattern).format(what=title.replace("=", ": ").replace("+", " + "))
