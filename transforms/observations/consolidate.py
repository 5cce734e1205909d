"""Claims of one item to one fact, its sources, its conflict if any, and the bucket of every row.

A pure function of the counted claims: `consolidate(claims)` returns what a release publishes of them. The night calls
it twice on the items it touches, for the claims that counted before and for those that count now, and writes the
difference.
"""

from dataclasses import dataclass

import polars as pl

from schemas.claims import ACTION_RANK, CONFLICT, OBSERVATION, SOURCE, VALUE, frame_schema
from transforms import identity
from transforms.observations import agreement


@dataclass(frozen=True)
class ConsolidatedClaims:
    """The published tables of some claims (columns as in `schemas.claims`, without `release`), and the row buckets.

    buckets: submission_id, bucket, rows (Int64: how many delivered rows are counted in that bucket).
    """

    observations: pl.DataFrame
    sources: pl.DataFrame
    conflicts: pl.DataFrame
    buckets: pl.DataFrame


def consolidate(claims: pl.DataFrame) -> ConsolidatedClaims:
    """Return what is published of these claims: all counted claims of some whole items and slots."""
    claims = _apply_versions(claims)
    live = claims.filter(pl.col("bucket").is_null()) if claims["bucket"].count() else claims
    judged = agreement.judge_claims(_statements(live))
    sources = _sources(live, judged)
    observations = _observations(judged)
    names = [n for n in frame_schema(SOURCE).names() if n != "release"]
    return ConsolidatedClaims(
        observations=observations,
        sources=sources.select(names),
        conflicts=_conflicts(judged),
        buckets=_buckets(claims, sources),
    )


def _apply_versions(claims: pl.DataFrame) -> pl.DataFrame:
    """Add `bucket` for claims that a later version of their slot superseded or withdrew; null is live."""
    if not claims["slot_id"].count():
        return claims.with_columns(bucket=pl.lit(None, dtype=pl.String))
    rank = pl.col("action").replace_strict(ACTION_RANK, return_dtype=pl.Int64)
    # Versions are microseconds or small integers: there is room for the action's two bits below them.
    order = pl.col("version").fill_null(-(2**60)) * 4 + rank
    ordered = claims.with_columns(_order=order)
    newest = (
        ordered.filter(pl.col("slot_id").is_not_null()).group_by("slot_id").agg(pl.col("_order").max().alias("_top"))
    )
    old = pl.col("_order") < pl.col("_top")
    bucket = pl.when(pl.col("action") == "withdraw").then(pl.lit("withdrawn")).when(old).then(pl.lit("superseded"))
    return ordered.join(newest, on="slot_id", how="left").with_columns(bucket=bucket).drop("_order", "_top")


def _statements(live: pl.DataFrame) -> pl.DataFrame:
    """Return what is judged: each claim, or the sum of a submission's additive lines with the address of the first."""
    if not live["additive"].any():
        return live
    keys = ["item_id", "reported_by", "submission_id"]
    summed = (
        live.filter("additive")
        .sort("row", "position")
        .group_by(keys, maintain_order=True)
        .agg(pl.col("value").sum(), pl.col("decimals").min(), pl.all().exclude(*keys, "value", "decimals").first())
        .select(live.columns)
        .cast({"value": VALUE})
    )
    return pl.concat([live.filter(~pl.col("additive")), summed])


def _sources(live: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Return one row per live claim, each additive line included: its relation to the item, whether it is chosen."""
    if live["additive"].any():
        keys = ["item_id", "reported_by", "submission_id"]
        sums = judged.filter("additive").select(*keys, "agreement", "chosen", "represents")
        lines = live.filter("additive").join(sums, on=keys, how="left").with_columns(agreement=pl.lit("additive"))
        judged = pl.concat([judged.filter(~pl.col("additive")), lines], how="diagonal")
    related = judged.lazy().with_columns(pl.col("agreement").alias("relation"), identity.claim_id())
    return related.select(*(n for n in frame_schema(SOURCE).names() if n != "release"), "lead").collect()


def _observations(judged: pl.DataFrame) -> pl.DataFrame:
    """Return one row per item: identity and unit of the representing claim, value and accuracy if one is chosen."""
    chosen = pl.col("chosen")
    fact = {
        "value": pl.when(chosen).then("value"),
        "decimals": pl.when(chosen).then("decimals"),
        "obs_status": pl.when(chosen).then("obs_status").otherwise(pl.lit("Q")),
        "reports": pl.col("reports").cast(pl.Int32),
        "reporters": pl.col("reporters").cast(pl.Int32),
    }
    names = [n for n in frame_schema(OBSERVATION).names() if n != "release"]
    facts = judged.lazy().filter("represents").with_columns(**fact).select(names)
    return facts.sort("item_id").collect()  # an item is then in one small row group of its month's file


def _conflicts(judged: pl.DataFrame) -> pl.DataFrame:
    """Return one row per claim (or sum of lines) of every item in conflict: its interval and the outcome."""
    claims = judged.lazy().filter(pl.col("agreement") == "conflict")
    settled = pl.col("chosen").any().over("item_id")
    outcome = (
        pl.when("chosen")
        .then(pl.lit("published"))
        .when(settled)
        .then(pl.lit("outranked"))
        .otherwise(pl.lit("withheld"))
    )
    names = [n for n in frame_schema(CONFLICT).names() if n != "release"]
    rows = claims.with_columns(*agreement.bounds(), identity.claim_id(), outcome.alias("outcome"))
    return rows.select(names).sort("item_id", "claim_id").collect()


def _buckets(claims: pl.DataFrame, sources: pl.DataFrame) -> pl.DataFrame:
    """Count each row once, in the bucket of its leading claim."""
    relation = pl.col("relation")
    bucket = (
        pl.when(relation == "additive").then(pl.lit("additive"))
        .when(relation == "conflict").then(pl.lit("conflict"))
        .when("chosen").then(pl.lit("published"))
        .otherwise(pl.lit("duplicate"))
    )  # fmt: skip
    counted = [
        sources.lazy().filter("lead").select("submission_id", bucket.alias("bucket")),
        claims.lazy().filter(pl.col("lead") & pl.col("bucket").is_not_null()).select("submission_id", "bucket"),
    ]
    rows = pl.concat(counted).group_by("submission_id", "bucket").agg(pl.len().cast(pl.Int64).alias("rows"))
    return rows.sort("submission_id", "bucket").collect()


FACT_CONTENT = ("item_id", "unit_name", "value", "decimals", "obs_status", "agreement", "reports", "reporters")
SOURCE_CONTENT = ("item_id", "claim_id", "original", "value", "decimals", "relation", "chosen")
"""The input of a release's digest: every fact and every claim behind it, with its relation to the item. The other
columns follow from the identity, of which item_id is the hash, and from the bytes that claim_id addresses.
"""


def lane_sums(observations: pl.DataFrame, sources: pl.DataFrame) -> tuple[int, ...]:
    """Return the summed lanes of these facts and sources: their share of the release's digest."""
    sums = [
        table.lazy().select(identity.lanes(*map(pl.col, columns))).sum().collect(engine="streaming").row(0)
        for table, columns in ((observations, FACT_CONTENT), (sources, SOURCE_CONTENT))
    ]
    return tuple(sum(lanes) for lanes in zip(*sums, strict=True))


def observation_content(observations: pl.DataFrame, sources: pl.DataFrame) -> pl.DataFrame:
    """Return one row per item, to detect changes: item_id, partition, value, agreement and its four lanes."""
    sums = sources.lazy().select("item_id", *identity.lanes(*map(pl.col, SOURCE_CONTENT)))
    sums = sums.group_by("item_id").agg(pl.col(identity.LANES).sum().name.suffix("_s"))
    facts = observations.lazy().with_columns(identity.lanes(*map(pl.col, FACT_CONTENT)))
    both = facts.join(sums, on="item_id", how="left")
    lanes = [(pl.col(lane) + pl.col(f"{lane}_s")).alias(lane) for lane in identity.LANES]
    return both.select("item_id", "partition", "value", "agreement", *lanes).collect()
