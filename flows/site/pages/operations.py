"""Operations: the last nights, parked files, and what was delivered under each contract."""

from flows.site.blocks import Block, PageSection, PageTable, Paragraph, SitePage
from flows.site.writer import SiteWriter
from schemas.claims import COUNT_COLUMNS


def operations_page(writer: SiteWriter) -> SitePage:
    """Return the page on operations."""
    texts = writer.texts["operations"]
    return SitePage(
        "operations.html", texts["title"], texts["lead"], (_nights(writer), _parked(writer), _deliveries(writer))
    )


def _nights(writer: SiteWriter) -> PageSection:
    texts, rows = writer.texts["operations"], writer.surroundings.nights
    table = PageTable(
        texts["nights"],
        ((texts["started"], False), (texts["finished"], False), (texts["status"], False)),
        tuple(
            (
                writer.moment(row["started_at"]),
                writer.moment(row["finished_at"]) if row["finished_at"] else writer.texts["none"],
                texts["statuses"].get(row["status"], row["status"]),
            )
            for row in rows.iter_rows(named=True)
        ),
    )
    block: Block = table if rows.height else Paragraph((texts["no_nights"],))
    return PageSection("nights", texts["nights"], (block,))


def _parked(writer: SiteWriter) -> PageSection:
    texts, rows = writer.texts["operations"], writer.surroundings.parked
    table = PageTable(
        texts["parked"],
        ((texts["sender"], False), (texts["since"], False)),
        tuple(
            (row["sender"] or writer.texts["unknown"], writer.moment(row["done_at"]))
            for row in rows.iter_rows(named=True)
        ),
        writer.left_out(rows.height, writer.surroundings.parked_all),
    )  # fmt: skip
    block: Block = table if rows.height else Paragraph((texts["no_parked"],))
    return PageSection("parked", texts["parked"], (Paragraph((texts["parked_lead"],)), block))


def _deliveries(writer: SiteWriter) -> PageSection:
    texts, rows = writer.texts["operations"], writer.surroundings.deliveries
    names = ("submissions", *COUNT_COLUMNS)
    table = PageTable(
        texts["deliveries"],
        ((texts["contract"], False), *((texts[name], True) for name in names)),
        tuple((row["contract"], *(writer.figure(row[name]) for name in names)) for row in rows.iter_rows(named=True)),
    )
    return PageSection("deliveries", texts["deliveries"], (table,))
