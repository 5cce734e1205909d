"""Record kinds: how many reports are of one thing, and why they were joined. No value of any record."""

from collections.abc import Iterator
from typing import Final

from flows.site.blocks import (
    Block,
    Cell,
    CodeText,
    ForeignText,
    KeyFigures,
    Lines,
    PageLink,
    PageSection,
    PageTable,
    Paragraph,
    SitePage,
)
from flows.site.find import page_path
from flows.site.records import RecordContent
from flows.site.writer import SiteWriter
from schemas.kind import Kind

MOST_JOINED_REPORTS: Final = 12
"""Reports of an item that are listed."""


def kinds_page(writer: SiteWriter) -> SitePage:
    """Return the list of record kinds."""
    texts = writer.texts["kinds"]
    table = PageTable(
        texts["title"],
        ((texts["kind"], False), (texts["items"], True), (texts["reports"], True), (texts["several"], True)),
        tuple(
            (
                PageLink(_title(writer, each.kind), page_path("records", each.kind.kind)), writer.figure(each.items),
                writer.figure(each.reports), writer.figure(_several(each)),
            )
            for each in writer.records
        ),
    )  # fmt: skip
    block: Block = table if writer.records else Paragraph((texts["no_kinds"],))
    return SitePage("records.html", texts["title"], texts["lead"], (PageSection("kinds", texts["all"], (block,)),))


def _title(writer: SiteWriter, kind: Kind) -> str:
    return {"nb": kind.title.nb, "nn": kind.title.nn, "en": kind.title.en}[writer.language]


def _several(each: RecordContent) -> int:
    return sum(items for reports, items in each.sizes.iter_rows() if reports > 1)


def kind_pages(writer: SiteWriter) -> Iterator[SitePage]:
    """Yield the page of each record kind of the release."""
    for each in writer.records:
        yield _kind_page(writer, each)


def _kind_page(writer: SiteWriter, each: RecordContent) -> SitePage:
    texts = writer.texts["kinds"]
    figures = KeyFigures(
        (
            (texts["items"], writer.number(each.items)),
            (texts["reports"], writer.number(each.reports)),
            (texts["several"], writer.number(_several(each))),
        )
    )
    sections = [
        PageSection("key-figures", texts["key_figures"], (figures, *_warnings(writer, each))),
        PageSection("sizes", texts["sizes"], (_counted(writer, texts["sizes"], "reports", each.sizes.rows()),)),
        PageSection("agreement", texts["agreement"], (_agreement(writer, each),)),
        PageSection("pairs", texts["pairs"], (_pairs(writer, each),)),
        PageSection("why", texts["why"], (Paragraph((texts["why_lead"],)), *_rules(writer, each.kind))),
        PageSection("fields", texts["fields"], (_fields(writer, each),)),
    ]
    if not each.kind.personal and each.joined.height:
        sections.append(PageSection("joined", texts["joined"], (_joined(writer, each),)))
    above = PageLink(texts["title"], "records.html")
    path = page_path("records", each.kind.kind)
    return SitePage(path, _title(writer, each.kind), texts["kind_lead"], tuple(sections), above, each.kind.kind)


def _warnings(writer: SiteWriter, each: RecordContent) -> tuple[Block, ...]:
    if each.warnings.is_empty():
        return ()
    texts = writer.texts["kinds"]
    rows = tuple(
        (CodeText(row["what"]), ForeignText(row["detail"] or "", "en"), writer.figure(row["count"]))
        for row in each.warnings.iter_rows(named=True)
    )
    heads = ((texts["warning"], False), (texts["detail"], False), (texts["count"], True))
    return (PageTable(texts["warnings"], heads, rows),)


def _counted(writer: SiteWriter, caption: str, head: str, rows: list[tuple[int, int]]) -> PageTable:
    texts = writer.texts["kinds"]
    cells = tuple((writer.figure(first), writer.figure(items)) for first, items in rows)
    return PageTable(caption, ((texts[head], True), (texts["items"], True)), cells)


def _agreement(writer: SiteWriter, each: RecordContent) -> PageTable:
    texts, names = writer.texts["kinds"], writer.texts["record_agreements"]
    rows = tuple((names[agreement], writer.figure(items)) for agreement, items in each.agreements.iter_rows())
    return PageTable(texts["agreement"], ((texts["how"], False), (texts["items"], True)), rows)


def _pairs(writer: SiteWriter, each: RecordContent) -> Block:
    texts = writer.texts["kinds"]
    if each.pairs.is_empty():
        return Paragraph((texts["no_pairs"],))
    rows = tuple(
        (
            writer.obligation_link(row["obligation_a"]),
            writer.obligation_link(row["obligation_b"]),
            writer.figure(row["items"]),
        )
        for row in each.pairs.iter_rows(named=True)
    )
    return PageTable(texts["pairs"], ((texts["one"], False), (texts["other"], False), (texts["items"], True)), rows)


def _rules(writer: SiteWriter, kind: Kind) -> tuple[Block, ...]:
    texts = writer.texts["kinds"]
    compared = PageTable(
        texts["compared"],
        ((texts["field"], False), (texts["means"], False)),
        tuple((CodeText(name), ForeignText(field.doc, "en")) for name, field in kind.compared().items()),
    )
    automatic = kind.thresholds.automatic
    limits = texts["thresholds"].format(
        automatic=texts["best_f1"] if isinstance(automatic, str) else writer.percent(automatic),
        review=writer.percent(kind.thresholds.review),
    )
    return (compared, Paragraph((limits,)))


def _fields(writer: SiteWriter, each: RecordContent) -> Block:
    texts = writer.texts["kinds"]
    if each.fields.is_empty():
        return Paragraph((texts["no_fields"],))
    rows = tuple((CodeText(name), writer.figure(items)) for name, items in each.fields.iter_rows())
    return PageTable(texts["fields"], ((texts["field"], False), (texts["items"], True)), rows)


def _joined(writer: SiteWriter, each: RecordContent) -> PageTable:
    texts = writer.texts["kinds"]
    rows = []
    for row in each.joined.iter_rows(named=True):
        parts: tuple[Cell, ...] = tuple(
            texts["part"].format(
                obligation=writer.obligation(part["obligation"]), sender=part["sender"], row=writer.number(part["row"])
            )
            for part in row["parts"][:MOST_JOINED_REPORTS]
        )
        note = writer.left_out(len(parts), len(row["parts"]))
        agreement = writer.texts["record_agreements"][row["agreement"]]
        rows.append((CodeText(row["item_id"]), Lines((*parts, *((note,) if note else ()))), agreement))
    heads = ((texts["item"], False), (texts["joined_reports"], False), (texts["how"], False))
    return PageTable(texts["joined"], heads, tuple(rows), writer.left_out(each.joined.height, _several(each)))
