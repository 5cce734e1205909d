"""Concepts: what each means, who asks for it, and how its reports agree."""

from collections.abc import Iterator
from typing import Any, Final

from flows.site.blocks import Cell, ForeignText, KeyFigures, PageLink, PageSection, PageTable, Paragraph, SitePage
from flows.site.find import page_path
from flows.site.pages.conflicts import conflict_table
from flows.site.pages.overlap import pair_rows, pair_table
from flows.site.writer import SiteWriter

AGREEMENT_ORDER: Final = ("single", "complete", "consistent", "conflict")


def concepts_page(writer: SiteWriter) -> SitePage:
    """Return the list of concepts that the release has items of."""
    texts, counts = writer.texts["concepts"], _counts(writer)
    rows = [(name, counts[name]) for name in sorted(writer.concept_pages, key=writer.concept)]
    table = PageTable(
        texts["all"],
        (
            (texts["concept"], False),
            (texts["items"], True),
            *((writer.texts["agreements"][a], True) for a in AGREEMENT_ORDER),
        ),
        tuple(
            (writer.concept_link(name), writer.figure(sum(row.values())), *_agreements(writer, row))
            for name, row in rows
        ),
        writer.left_out(len(rows), len(counts)),
    )
    return SitePage("concepts.html", texts["title"], texts["lead"], (PageSection("concepts", texts["all"], (table,)),))


def _counts(writer: SiteWriter) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for concept, agreement, items in writer.content.concept_counts.iter_rows():
        counts.setdefault(concept, {})[agreement] = items
    return counts


def _agreements(writer: SiteWriter, row: dict[str, int]) -> tuple[Cell, ...]:
    return tuple(writer.figure(row.get(name, 0)) for name in AGREEMENT_ORDER)


def concept_pages(writer: SiteWriter) -> Iterator[SitePage]:
    """Yield the page of each concept that has one."""
    content = writer.content
    known = {row["concept"]: row for row in content.concepts.iter_rows(named=True)}
    spans = {row["concept"]: row for row in content.concept_periods.iter_rows(named=True)}
    asking = {name: row["obligation"] for row in content.obligations.iter_rows(named=True) for name in row["contracts"]}
    counts = _counts(writer)
    for name in sorted(writer.concept_pages):
        declared = known.get(name, {"definition": "", "measures": [], "contracts": []})
        duties = sorted({asking[contract] for contract in declared["contracts"] if contract in asking})
        yield _concept_page(writer, declared | {"concept": name}, spans[name], duties, counts[name])


def _concept_page(
    writer: SiteWriter, declared: dict[str, Any], span: dict[str, Any], duties: list[str], counts: dict[str, int]
) -> SitePage:
    texts, content, name = writer.texts["concepts"], writer.content, declared["concept"]
    figures = KeyFigures(
        (
            (texts["items"], writer.number(sum(counts.values()))),
            (texts["periods"], writer.period(span["first"], span["beyond"])),
            (texts["measures"], ", ".join(map(writer.measure, declared["measures"])) or writer.texts["unknown"]),
            (texts["asked_by"], writer.number(len(duties))),
        )
    )
    agreement = PageTable(
        texts["agreement"],
        ((texts["how"], False), (texts["items"], True)),
        tuple((writer.texts["agreements"][a], writer.figure(counts[a])) for a in AGREEMENT_ORDER if a in counts),
    )
    pairs = pair_rows(content.overlap.filter(concept=name), "obligation_a", "obligation_b")
    overlap = pair_table(writer, texts["overlap"], pairs) if pairs else Paragraph((texts["no_overlap"],))
    claims = content.conflicts.filter(concept=name)
    conflicts = conflict_table(writer, claims) if claims.height else Paragraph((texts["no_conflicts"],))
    stated = declared["definition"]
    definition = Paragraph((ForeignText(stated, "en") if stated else texts["no_definition"],))
    sections = (
        PageSection("definition", texts["definition"], (definition, figures)),
        PageSection("asked", texts["who_asks"], (_asked(writer, duties),)),
        PageSection("agreement", texts["agreement"], (agreement,)),
        PageSection("overlap", texts["overlap"], (overlap,)),
        PageSection("figures", texts["figures"], (_figures(writer, name, sum(counts.values())),)),
        PageSection("conflicts", texts["conflicts"], (conflicts,)),
    )
    above = PageLink(texts["title"], "concepts.html")
    lead = texts["concept_lead"].format(name=name)
    return SitePage(page_path("concepts", name), writer.concept(name), lead, sections, above, name)


def _asked(writer: SiteWriter, duties: list[str]) -> PageTable:
    """Return a table of the obligations that ask for a concept, with their agencies."""
    texts = writer.texts["concepts"]
    return PageTable(
        texts["who_asks"],
        ((texts["obligation"], False), (texts["agency"], False)),
        tuple((writer.obligation_link(duty), writer.agency_link(writer.duties[duty]["agency"])) for duty in duties),
    )


def _figures(writer: SiteWriter, name: str, every: int) -> PageTable:
    """Return a table of published figures of a concept, those of the latest periods."""
    texts, rows = writer.texts["concepts"], writer.content.figures.filter(concept=name)
    heads = ("item", "unit", "period", "value", "measure", "how")
    return PageTable(
        texts["figures"],
        tuple((texts[head], head == "value") for head in heads),
        tuple(
            (
                writer.item_link(row)
                if row["item_id"] in writer.item_pages
                else writer.concept(name, row["breakdown"]),
                writer.unit_link(row["unit_id"], row["unit_name"]),
                writer.period(row["period_start"], row["period_end"]),
                _published(writer, row),
                writer.measure(row["unit_measure"]),
                writer.texts["agreements"][row["agreement"]],
            )
            for row in rows.iter_rows(named=True)
        ),
        writer.left_out(rows.height, every),
    )


def _published(writer: SiteWriter, row: dict[str, Any]) -> str:
    """Return a published value, or why there is none."""
    if row["value"] is None:
        return str(writer.texts["concepts"]["withheld"])
    return writer.value(row["value"], row["value"]) if row["is_shown"] else str(writer.texts["not_shown"])
