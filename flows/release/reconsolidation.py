"""Consolidate everything again: the first night by other rules than those of the last release.

What is published then is what a rebuild from the landing zone gives (law 5). It is compared with what the lake holds,
which the new rules would not give: so the changes are those between the two releases, and only they are written.
"""

from collections.abc import Callable
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.release.records.inputs import KindInputs
from flows.release.staged import Baseline
from infra.lake.item_tables import kind_tables, observation_tables
from infra.lake.partitions import partition_rows
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from infra.storage.places import Place
from schemas.claims import CLAIM_BUCKETS
from schemas.record_tables import RECORDS_PREFIX
from transforms import rules_version
from transforms.observations.consolidate import ConsolidatedClaims
from transforms.records.consolidate import ConsolidatedRecords
from transforms.submissions import buckets_by_status

BUCKET_COUNTS: Final = {"submission_id": pl.String, "bucket": pl.String, "rows": pl.Int64}
"""Delivered rows by submission and bucket."""


def reconsolidation_reason(last: Release | None) -> str | None:
    """Return why everything is consolidated again, None if the last release follows the rules of this version."""
    if last is None or last["rules_digest"] == rules_version.RULES_DIGEST:
        return None
    older = f"release {last['release']} follows version {last['rules_digest']!r} of the rules"
    return f"{older}, this Engang applies version {rules_version.RULES_DIGEST!r}: all items are consolidated again"


def reconsolidation_baseline(
    installation: Installation, submissions: pl.DataFrame, last: Release, kinds: list[KindInputs]
) -> Baseline:
    """Return what such a release starts from: no item, and the buckets that the state of a submission decides.

    Rows of record kinds that the installation does not have any more stay in their buckets.
    """
    engine, root = installation.engine, installation.settings.lake
    partitions = ledger_submissions.read_submission_partitions(engine)
    of_kind = pl.col("partition").str.starts_with(RECORDS_PREFIX)
    resolved = [f"{RECORDS_PREFIX}{inputs.kind.kind}" for inputs in kinds]
    pinned = partitions.filter(of_kind, ~pl.col("partition").is_in(resolved)).select("submission_id").unique()
    pinned = pinned.join(submissions.filter("in_release"), on="submission_id", how="semi")
    known = ledger_releases.read_row_counts(engine, last["release"]).filter(pl.col("bucket").is_in(CLAIM_BUCKETS))
    buckets = pl.concat([
        buckets_by_status(submissions).cast({"rows": pl.Int64}),
        known.join(pinned, on="submission_id", how="semi").select("submission_id", "bucket", "rows"),
    ])  # fmt: skip
    published = partition_rows(root, "observations")["partition"]
    others = published.filter(~published.is_in(partitions["partition"].implode())).unique().to_frame()
    others = others.select(pl.lit("").alias("submission_id"), "partition", pl.lit(0).alias("claims"))
    return Baseline(buckets, pl.concat([partitions, others], how="vertical_relaxed"), everything=True)


def published_observations(installation: Installation, last: Release, partitions: list[str]) -> ConsolidatedClaims:
    """Return what the last release holds of some months, as if it had been consolidated just now; without buckets."""
    tables = observation_tables(installation.settings.lake)
    names = ("observations", "sources", "conflicts")
    observations, sources, conflicts = (tables.live(name, last["tables"], partitions).collect() for name in names)
    return ConsolidatedClaims(observations, sources, conflicts, pl.DataFrame(schema=BUCKET_COUNTS))


def published_records(root: Place, inputs: KindInputs) -> tuple[pl.Series, Callable[[pl.Series], ConsolidatedRecords]]:
    """Return the ids of a kind's published items, and what gives the rows of some of them, without buckets."""
    tables, name = kind_tables(root, inputs.kind), inputs.kind.kind
    ids = tables.live(name, inputs.released).select("item_id").collect().to_series()

    def _rows(some: pl.Series) -> ConsolidatedRecords:
        wanted = pl.col("item_id").is_in(some.implode())
        names = (name, f"{name}_sources", f"{name}_conflicts")
        items, sources, conflicts = (tables.live(x, inputs.released).filter(wanted).collect() for x in names)
        return ConsolidatedRecords(items, sources, conflicts, pl.DataFrame(schema=BUCKET_COUNTS))

    return ids, _rows
