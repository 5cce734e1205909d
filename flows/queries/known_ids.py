"""Look up ids of records: reports that were ever delivered, items that are or were published."""

from typing import Final

import polars as pl

from flows.installation import Installation
from infra.lake import delta as lake
from infra.lake.item_tables import kind_tables
from infra.ledger import records as ledger_records
from infra.ledger import submissions as ledger_submissions
from schemas.kind import Kind
from transforms.submissions import mark_counting

KNOWN_REPORT: Final = {
    "report_id": pl.String(),
    "kind": pl.String(),
    "reported_by": pl.String(),
    "standing": pl.Boolean(),
}
"""A delivered report: its kind, its reporter, whether one of its deliveries stands."""


def kind_of(installation: Installation, id_: str) -> Kind | None:
    """Return the record kind of the report, current item or former item that an id names; None if it names none."""
    root = installation.settings.lake
    kinds = [kind for kind in installation.kinds.values() if lake.exists(root, f"{kind.kind}_records")]
    if not kinds:
        return None
    known = known_reports(installation, {id_})
    if known.height:
        return installation.kinds[known["kind"][0]]
    return next((kind for kind in kinds if _is_item(installation, kind, id_)), None)


def known_reports(installation: Installation, reports: set[str]) -> pl.DataFrame:
    """Return those of the reports that were ever delivered (`KNOWN_REPORT`)."""
    by_kind = [_known_of_kind(installation, kind, sorted(reports)) for kind in installation.kinds.values()]
    return pl.concat([pl.DataFrame(schema=KNOWN_REPORT), *by_kind])


def scan_records(installation: Installation, kind: Kind) -> pl.LazyFrame:
    """Return every record of a kind that was ever registered, released or not."""
    return kind_tables(installation.settings.lake, kind).scan(f"{kind.kind}_records")


def _known_of_kind(installation: Installation, kind: Kind, reports: list[str]) -> pl.DataFrame:
    from transforms.preparation.reporters import linked_reporter
    from transforms.records.consolidate import mark_standing

    rows = scan_records(installation, kind).filter(pl.col("report_id").is_in(reports))
    standing_columns = ["report_id", "submission_id", "row", "version", "action", "content"]
    deliveries = rows.select(*standing_columns, "batch", "contract", "sender", "reported_by").collect()
    if deliveries.is_empty():
        return pl.DataFrame(schema=KNOWN_REPORT)
    pairs = deliveries.select("contract", "sender").unique().iter_rows()
    submissions = [ledger_submissions.read_submissions(installation.engine, contract=c, sender=s) for c, s in pairs]
    counting = mark_counting(pl.concat(submissions)).select("submission_id", "batch", "counts", "arrival")
    deliveries = deliveries.join(counting, on=["submission_id", "batch"])
    standing = mark_standing(deliveries.filter("counts")).filter("standing")["report_id"]
    known = deliveries.with_columns(linked_reporter(kind)).group_by("report_id").agg(pl.col("reported_by").first())
    return known.with_columns(
        pl.lit(kind.kind).alias("kind"), pl.col("report_id").is_in(standing.implode()).alias("standing")
    ).select(list(KNOWN_REPORT))


def _is_item(installation: Installation, kind: Kind, item_id: str) -> bool:
    """Return whether a report was ever assigned to this item: an item can be founded under an id of no report."""
    return ledger_records.read_assignment_history(installation.engine, kind.kind, [item_id]).height > 0
