"""Pages to look things up: the data dictionary, methods in plain words, how to load and cite."""

from collections.abc import Iterator
from typing import Any, Final

from flows.site.blocks import CodeBlock, CodeText, ForeignText, PageLink, PageSection, PageTable, Paragraph, SitePage
from flows.site.find import page_path
from flows.site.writer import SiteWriter
from schemas.dictionary import dictionary

LOADERS: Final = {
    "Python (Polars)": """import polars as pl

items = pl.read_parquet('data/observations.parquet')
print(items.filter(pl.col('agreement') != 'conflict'))""",
    "Python (pandas)": """import pandas as pd

items = pd.read_parquet('data/observations.parquet')""",
    "R (arrow)": """library(arrow)
library(dplyr)

items <- read_parquet('data/observations.parquet')
figures <- items |> filter(agreement != 'conflict')""",
    "DuckDB": """SELECT unit_name, concept, value
FROM 'data/observations.parquet'
WHERE agreement <> 'conflict';""",
}
"""How a table of the site is loaded, in the folder of the release."""
WHOLE_RELEASE: Final = """engang export --release {n} --to releases/{n}
engang query "SELECT * FROM observations LIMIT 10" --release {n}"""
BIBTEX_BRACES: Final = str.maketrans("{}", "()")
"""A brace in a name would end it."""


def dictionary_page(writer: SiteWriter) -> SitePage:
    """Return the list of the published tables."""
    texts = writer.texts["dictionary"]
    table = PageTable(
        texts["tables"],
        ((texts["name"], False), (texts["columns"], True)),
        tuple(
            (PageLink(name, page_path("dictionary", name)), writer.figure(len(entries)))
            for name, entries in _tables(writer).items()
        ),
    )
    return SitePage(
        "dictionary.html", texts["title"], texts["lead"], (PageSection("tables", texts["tables"], (table,)),)
    )


def dictionary_pages(writer: SiteWriter) -> Iterator[SitePage]:
    """Yield the page of each published table: every column of it. Its descriptions are in English."""
    texts = writer.texts["dictionary"]
    above = PageLink(texts["title"], "dictionary.html")
    heads = ((texts["column"], False), (texts["type"], False), (texts["nullable"], False), (texts["means"], False))
    for name, entries in _tables(writer).items():
        title = texts["table"].format(name=name)
        table = PageTable(title, heads, tuple(_column(writer, entry) for entry in entries))
        section = PageSection("columns", texts["columns"], (table,))
        yield SitePage(page_path("dictionary", name), title, texts["table_lead"], (section,), above)


def _tables(writer: SiteWriter) -> dict[str, list[dict[str, Any]]]:
    return dictionary(each.kind for each in writer.records)


def _column(writer: SiteWriter, entry: dict[str, Any]) -> tuple[CodeText | ForeignText | str, ...]:
    values = f": {', '.join(entry['values'])}" if entry["values"] else ""
    nullable = writer.texts["yes" if entry["nullable"] else "no"]
    return (
        CodeText(entry["column"]),
        CodeText(entry["type"]),
        nullable,
        ForeignText(f"{entry['means']}{values}", "en"),
    )


def methods_page(writer: SiteWriter) -> SitePage:
    """Return the methods in plain words, and what each term means."""
    texts = writer.texts["methods"]
    sections = tuple(
        PageSection(name, part["title"], tuple(Paragraph((line,)) for line in part["text"]))
        for name, part in texts["parts"].items()
    )
    heads = ((texts["term"], False), (texts["means"], False))
    terms = PageTable(texts["terms"], heads, tuple((name, means) for name, means in texts["meanings"]))
    return SitePage(
        "methods.html", texts["title"], texts["lead"], (*sections, PageSection("terms", texts["terms"], (terms,)))
    )


def use_page(writer: SiteWriter) -> SitePage:
    """Return how to load the release, and how to cite it."""
    texts, release = writer.texts["use"], writer.content.release
    number, day, stated = release["release"], writer.content.day, writer.content.installation.settings.publication
    source = {"publisher": stated.publisher or texts["no_publisher"], "title": stated.title}
    cite = texts["citation"].format(number=number, day=writer.day(day), digest=release["digest"], **source)
    author, title = (text.translate(BIBTEX_BRACES) for text in source.values())
    bibtex = (
        f"@misc{{engang_release_{number},\n  author = {{{{{author}}}}},\n  title = {{{title}, release {number}}},\n"
        f"  year = {{{day.year}}},\n  note = {{digest {release['digest']}}}\n}}"
    )
    licence = texts["licence"].format(licence=stated.licence) if stated.licence else texts["no_licence"]
    loaders = tuple(CodeBlock(name, text) for name, text in LOADERS.items())
    files = Paragraph((f"{texts['load_lead']} ", PageLink(writer.texts["explorer"]["title"], "explorer.html")))
    whole = (Paragraph((texts["load_all"],)), CodeBlock("Engang", WHOLE_RELEASE.format(n=number)))
    sections = (
        PageSection("load", texts["load"], (files, *loaders, *whole)),
        PageSection(
            "cite",
            texts["cite"],
            (
                Paragraph((texts["cite_lead"],)),
                CodeBlock(texts["as_text"], cite),
                CodeBlock("BibTeX", bibtex),
                Paragraph((licence,)),
            ),
        ),
        PageSection(
            "check", texts["check"], (Paragraph((texts["check_lead"],)), CodeBlock(texts["digest"], release["digest"]))
        ),
    )
    return SitePage("use.html", texts["title"], texts["lead"], sections)
