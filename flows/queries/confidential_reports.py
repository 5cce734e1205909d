"""Reports with the values that their senders marked as confidential, for those who may see them."""

import polars as pl

from flows.queries.kind_release import KindRelease
from infra.lake.item_tables import kind_tables
from infra.ledger import backfills as ledger_backfills
from infra.ledger import submissions as ledger_submissions

CELL = ("submission_id", "row", "report_id")


def with_confidential_values(snapshot: KindRelease, reports: pl.DataFrame) -> pl.DataFrame:
    """Return rows of `<kind>_sources` with the values that the published table leaves out, as the release read them."""
    marked = reports.filter("confidential")
    if marked.is_empty():
        return reports
    engine, name = snapshot.installation.engine, snapshot.kind.kind
    ids = marked["submission_id"].unique()
    current = ledger_submissions.read_submissions(engine, ids=ids.to_list(), columns=["submission_id", "batch"])
    readings = ledger_backfills.batches_at(engine, snapshot.number, current)
    values = [*snapshot.kind.fields, "part_values"]
    stored = kind_tables(snapshot.installation.settings.lake, snapshot.kind).scan(f"{name}_records")
    stored = stored.filter("confidential", pl.col("submission_id").is_in(ids.implode()))
    found = stored.select(*CELL, "batch", *values).collect().join(readings, on=["submission_id", "batch"], how="semi")
    both = reports.join(found.drop("batch"), on=CELL, how="left", suffix="_stored", maintain_order="left")
    return both.with_columns(pl.coalesce(f"{x}_stored", x).alias(x) for x in values).select(reports.columns)
