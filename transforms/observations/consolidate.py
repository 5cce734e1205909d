"""Claims of one item to one fact, its sources, its conflict if any, and the bucket of every row.

A pure function of the claims that count: `consolidate(claims)` gives what a release publishes of them. The night calls
it twice on what it touched, for the claims that counted before and for those that count now; what differs is written.
"""

from dataclasses import dataclass

import polars as pl

from schemas.claims import CONFLICT, OBSERVATION, SOURCE, VALUE, frame_schema
from transforms import identity as identify
from transforms.observations import agreement as law

ACTION_RANK = {"append": 0, "replace": 1, "withdraw": 2}
"""Within a slot and version: a replacement beats what was there, a withdrawal beats both."""


@dataclass(frozen=True)
class Consolidated:
    """What is published of some claims (columns as in `schemas.claims`, `release` left out), and the row buckets.

    buckets: submission_id, bucket, rows (Int64): under which bucket how many delivered rows are counted.
    """

    observations: pl.DataFrame
    sources: pl.DataFrame
    conflicts: pl.DataFrame
    buckets: pl.DataFrame


def consolidate(claims: pl.DataFrame) -> Consolidated:
    """Return what is published of these claims: all claims that count of the items and slots they speak of."""
    claims = _slots(claims)
    live = claims.filter(pl.col("bucket").is_null()) if claims["bucket"].count() else claims
    judged = law.choose(_statements(live))
    sources = _sources(live, judged)
    observations = _observations(judged)
    names = [n for n in frame_schema(SOURCE).names() if n != "release"]
    return Consolidated(
        observations=observations,
        sources=sources.select(names),
        conflicts=_conflicts(judged),
        buckets=_buckets(claims, sources),
    )


def _slots(claims: pl.DataFrame) -> pl.DataFrame:
    """Mark, as `bucket`, the claims that a later version of their slot superseded or withdrew; null is live."""
    if not claims["slot_id"].count():
        return claims.with_columns(bucket=pl.lit(None, dtype=pl.String))
    rank = pl.col("action").replace_strict(ACTION_RANK, return_dtype=pl.Int64)
    # Versions are microseconds or small integers: the action's two bits fit below them.
    order = pl.col("version").fill_null(-(2**60)) * 4 + rank
    ordered = claims.with_columns(_order=order)
    newest = (
        ordered.filter(pl.col("slot_id").is_not_null()).group_by("slot_id").agg(pl.col("_order").max().alias("_top"))
    )
    old = pl.col("_order") < pl.col("_top")
    bucket = pl.when(pl.col("action") == "withdraw").then(pl.lit("withdrawn")).when(old).then(pl.lit("superseded"))
    return ordered.join(newest, on="slot_id", how="left").with_columns(bucket=bucket).drop("_order", "_top")


def _statements(live: pl.DataFrame) -> pl.DataFrame:
    """Return what the law weighs: each claim, or the sum of a submission's additive lines under its first line."""
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
    """Return one row a live claim, additive lines one by one: what joins it to its item, whether its value stands."""
    if live["additive"].any():
        keys = ["item_id", "reported_by", "submission_id"]
        sums = judged.filter("additive").select(*keys, "agreement", "chosen", "represents")
        lines = live.filter("additive").join(sums, on=keys, how="left").with_columns(agreement=pl.lit("additive"))
        judged = pl.concat([judged.filter(~pl.col("additive")), lines], how="diagonal")
    named = judged.lazy().with_columns(pl.col("agreement").alias("relation"), identify.claim_id())
    return named.select(*(n for n in frame_schema(SOURCE).names() if n != "release"), "lead").collect()


def _observations(judged: pl.DataFrame) -> pl.DataFrame:
    """Return one row an item: identity and unit from the claim that represents it, value and accuracy if one stands."""
    stands = pl.col("chosen")
    fact = {
        "value": pl.when(stands).then("value"),
        "decimals": pl.when(stands).then("decimals"),
        "obs_status": pl.when(stands).then("obs_status").otherwise(pl.lit("Q")),
        "reports": pl.col("reports").cast(pl.Int32),
        "reporters": pl.col("reporters").cast(pl.Int32),
    }
    names = [n for n in frame_schema(OBSERVATION).names() if n != "release"]
    facts = judged.lazy().filter("represents").with_columns(**fact).select(names)
    return facts.sort("item_id").collect()  # one item is then found in one small group of its month's file


def _conflicts(judged: pl.DataFrame) -> pl.DataFrame:
    """Return one row a claim (or sum of lines) of every item in conflict: what it says, what was done."""
    clash = judged.lazy().filter(pl.col("agreement") == "conflict")
    settled = pl.col("chosen").any().over("item_id")
    outcome = (
        pl.when("chosen")
        .then(pl.lit("published"))
        .when(settled)
        .then(pl.lit("outranked"))
        .otherwise(pl.lit("withheld"))
    )
    names = [n for n in frame_schema(CONFLICT).names() if n != "release"]
    told = clash.with_columns(*law.bounds(), identify.claim_id(), outcome.alias("outcome"))
    return told.select(names).sort("item_id", "claim_id").collect()


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


FACT = ("item_id", "unit_name", "value", "decimals", "obs_status", "agreement", "reports", "reporters")
REPORT = ("item_id", "claim_id", "original", "value", "decimals", "relation", "chosen")
"""What a release's digest is made of: every fact and every report behind it, with what joins it to its item. The rest
of their columns follows from the identity that the item's id is the hash of, and from the bytes that the claim's names.
"""


def lane_sums(observations: pl.DataFrame, sources: pl.DataFrame) -> tuple[int, ...]:
    """Return the lanes of these facts and sources, summed: their share of the release's digest."""
    sums = [
        table.lazy().select(identify.lanes(*map(pl.col, columns))).sum().collect(engine="streaming").row(0)
        for table, columns in ((observations, FACT), (sources, REPORT))
    ]
    return tuple(sum(lanes) for lanes in zip(*sums, strict=True))


def content(observations: pl.DataFrame, sources: pl.DataFrame) -> pl.DataFrame:
    """Return one row an item, to tell what changed: item_id, partition, value, agreement and its own four lanes."""
    behind = sources.lazy().select("item_id", *identify.lanes(*map(pl.col, REPORT)))
    behind = behind.group_by("item_id").agg(pl.col(identify.LANES).sum().name.suffix("_s"))
    told = observations.lazy().with_columns(identify.lanes(*map(pl.col, FACT)))
    both = told.join(behind, on="item_id", how="left")
    lanes = [(pl.col(lane) + pl.col(f"{lane}_s")).alias(lane) for lane in identify.LANES]
    return both.select("item_id", "partition", "value", "agreement", *lanes).collect()
