"""Claims of one item to one fact, its sources, its conflict if any, and the bucket of every row.

A pure function of the counted claims: `consolidate(claims)` returns what a release publishes of them. The night calls
it twice on the items it touches, for the claims that counted before and for those that count now, and writes the
difference.
"""

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from schemas.claims import BOUND, CONFLICT, OBSERVATION, SOURCE, VALUE, frame_schema
from transforms import identity
from transforms.observations import agreement
from transforms.observations.confidentiality import HIDDEN, conf_status, mark_hidden, without_confidential
from transforms.observations.copies import is_copy
from transforms.observations.corrections import corrected_buckets
from transforms.receipts.fates import BUCKET_CODES, BUCKET_OF_CODE, NO_FATES, bucket_code, fate

_TEXTS: Final = ("item_id", "obligation", "sender", "reported_by", "concept", "unit_id", "unit_kind")
STATEMENT: Final = pl.Schema([
    *((name, pl.String()) for name in _TEXTS),
    *((name, pl.Date()) for name in ("period_start", "period_end")),
    ("value", VALUE), ("lower", BOUND), ("upper", BOUND), ("reports", pl.UInt32()),
])  # fmt: skip
"""The columns of `ConsolidatedClaims.statements`."""


@dataclass(frozen=True)
class ConsolidatedClaims:
    """The published tables of some claims (columns as in `schemas.claims`, without `release`), and the row buckets.

    buckets: submission_id, bucket, rows (Int64: how many delivered rows are counted in that bucket). statements: what
    each obligation's standing claims say of each item, additive lines summed, as
    `transforms.overlap.statements.read_statements` reads them from a release: the columns that overlap is counted from.
    fates: the bucket of each row (`transforms.receipts.fates`).
    """

    observations: pl.DataFrame
    sources: pl.DataFrame
    conflicts: pl.DataFrame
    buckets: pl.DataFrame
    statements: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=STATEMENT))
    fates: pl.Series = field(default_factory=lambda: NO_FATES)


def consolidate(claims: pl.DataFrame) -> ConsolidatedClaims:
    """Return what is published of these claims: all counted claims of some whole items and slots.

    Each has the `arrival` and the `stream` of its submission (`transforms.submissions`).
    """
    claims = claims.rechunk()  # rows are taken out of it again and again: from many chunks that takes ten times as long
    items = agreement.group_by_item(claims)
    claims = claims.with_columns(corrected_buckets(claims, items).alias("bucket"))
    live = claims.filter(pl.col("bucket").is_null()) if claims["bucket"].count() else claims
    statements = _statements(live)
    copies = is_copy(statements)
    if copies is None:
        items = items if statements is claims else agreement.group_by_item(statements)
        judged, order = agreement.judge_claims(statements, items), items["at"]
    else:
        judged = _with_copies(agreement.judge_claims(statements.filter(~copies)), statements.filter(copies))
        order = identity.order_ids(judged["item_id"])["at"]
    sources = _sources(live, judged)
    observations = _observations(judged, order)
    rows = _row_buckets(claims, sources)
    names = [n for n in frame_schema(SOURCE).names() if n != "release"]
    return ConsolidatedClaims(
        observations=observations,
        sources=sources.select(names),
        conflicts=_conflicts(judged),
        buckets=_buckets(claims, rows),
        statements=_stated(judged),
        fates=rows.select(fate(pl.col("code"))).to_series(),
    )


def count_unstated(claims: pl.DataFrame, before: ConsolidatedClaims | None, after: ConsolidatedClaims) -> int:
    """Return how many of the items that were published before and are not now nothing states any more.

    claims: those of both sides, with `before`, `after`. An item is counted if none of its claims counts now, or each is
    a withdrawal, corrected or withdrawn; so an item that only got lost is not.
    """
    removed = pl.Series("item_id", [], dtype=pl.String)
    if before is not None:
        removed = before.observations.join(after.observations, on="item_id", how="anti")["item_id"]
    if removed.is_empty():
        return 0
    mine, slots = pl.col("item_id").is_in(removed.implode()), pl.col("slot_id")
    rows = claims.filter("after", mine | slots.is_in(claims.filter(mine)["slot_id"].drop_nulls().unique().implode()))
    stated = rows.filter(corrected_buckets(rows, agreement.group_by_item(rows)).is_null())["item_id"]
    return removed.len() - removed.filter(removed.is_in(stated.implode())).len()


def _statements(live: pl.DataFrame) -> pl.DataFrame:
    """Return what is judged: each claim, or the sum of a submission's additive lines with the address of the first."""
    if not live["additive"].any():
        return live
    keys = ["item_id", "reported_by", "submission_id"]
    summed = (
        live.filter("additive")
        .sort("row", "position")
        .group_by(keys, maintain_order=True)
        .agg(
            pl.col("value").sum(),
            pl.col("decimals").min(),
            pl.col("confidential").any(),
            agreement.sum_slack(),
            pl.all().exclude(*keys, "value", "decimals", "confidential").first(),
        )
        .select(*live.columns, "slack")
        .cast({"value": VALUE})
    )
    single = live.filter(~pl.col("additive")).with_columns(pl.lit(None, pl.Int128).alias("slack"))
    return pl.concat([single, summed])


def _stated(judged: pl.DataFrame) -> pl.DataFrame:
    """Return the statements (and how many each item has, `reports`) without the values of confidential ones."""
    slack = "slack" if "slack" in judged.columns else None
    tolerance = "tolerance" if agreement.has_tolerance(judged) else None
    rows = judged.lazy().with_columns(*agreement.bounds(slack=slack, tolerance=tolerance))
    if (judged["agreement"] == "copy").any():  # a copy asks for the item too, though it confirms nothing
        rows = rows.with_columns(pl.len().over("item_id").alias("reports"))
    return rows.with_columns(without_confidential("value", "lower", "upper")).select(*STATEMENT).collect()


def _with_copies(judged: pl.DataFrame, copies: pl.DataFrame) -> pl.DataFrame:
    """Return the judged claims and the copies, which are sources of their items and nothing else."""
    counts = {name: pl.lit(0, judged.schema[name]).alias(name) for name in ("reports", "reporters")}
    flags = {name: pl.lit(value=False).alias(name) for name in ("chosen", "represents")}
    aside = copies.with_columns(*counts.values(), *flags.values(), agreement=pl.lit("copy"))
    return pl.concat([judged, aside.select(judged.columns)])


def _sources(live: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Return one row per live claim, each additive line included: its relation to the item, whether it is chosen."""
    if live["additive"].any():
        keys = ["item_id", "reported_by", "submission_id"]
        sums = judged.filter("additive").select(*keys, "agreement", "chosen", "represents")
        lines = live.filter("additive").join(sums, on=keys, how="left").with_columns(agreement=pl.lit("additive"))
        judged = pl.concat([judged.filter(~pl.col("additive")), lines], how="diagonal")
    related = judged.lazy().with_columns(pl.col("agreement").alias("relation"), identity.claim_id())
    shown = related.with_columns(without_confidential("original", "value", "decimals"))
    return shown.select(*(n for n in frame_schema(SOURCE).names() if n != "release"), "lead", "arrival").collect()


def _observations(judged: pl.DataFrame, order: pl.Series) -> pl.DataFrame:
    """Return one row per item: identity and unit of the representing claim, value and accuracy if one is chosen.

    order: the rows of the judged claims in the order of their items' ids. The result is in the order of months, then
    of items: an item is in one small row group of its month's file.
    """
    chosen = pl.col("chosen") & ~pl.col(HIDDEN)
    fact = {
        "value": pl.when(chosen).then("value"),
        "decimals": pl.when(chosen).then("decimals"),
        "obs_status": pl.when(chosen).then("obs_status").otherwise(pl.lit("Q")),
        "conf_status": conf_status(pl.col(HIDDEN)),
        "reports": pl.col("reports").cast(pl.Int32),
        "reporters": pl.col("reporters").cast(pl.Int32),
    }
    names = [n for n in frame_schema(OBSERVATION).names() if n != "release"]
    marked = mark_hidden(judged)
    rows = order.filter(marked["represents"].gather(order))
    needed = dict.fromkeys((*names, "chosen", HIDDEN))
    months = marked["partition"].gather(rows)
    rows = pl.select(rows, months.cast(pl.Enum(months.unique().sort()))).sort("partition", maintain_order=True)["at"]
    return marked.select(n for n in needed if n in marked.columns)[rows].with_columns(**fact).select(names)


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
    slack = "slack" if "slack" in judged.columns else None
    tolerance = "tolerance" if agreement.has_tolerance(judged) else None
    bounds = agreement.bounds(slack=slack, tolerance=tolerance)
    rows = claims.with_columns(*bounds, identity.claim_id(), outcome.alias("outcome"))
    rows = rows.with_columns(without_confidential("value", "decimals", "lower", "upper"))
    return rows.select(names).sort("item_id", "claim_id").collect()


def _row_buckets(claims: pl.DataFrame, sources: pl.DataFrame) -> pl.DataFrame:
    """Return each row once, with the code of the bucket of its leading claim: arrival, row, code."""
    relation = pl.col("relation")
    code = (
        pl.when(relation == "additive").then(BUCKET_CODES["additive"])
        .when(relation == "conflict").then(BUCKET_CODES["conflict"])
        .when("chosen").then(BUCKET_CODES["published"])
        .otherwise(BUCKET_CODES["duplicate"])
    )  # fmt: skip
    rows = [sources.lazy().filter("lead").select("arrival", "row", code=code.cast(pl.UInt8))]
    if claims.height > sources.height:  # else all stand
        corrected = claims.lazy().filter(pl.col("lead") & pl.col("bucket").is_not_null())
        rows.append(corrected.select("arrival", "row", code=bucket_code(pl.col("bucket"))))
    return pl.concat(rows).collect()


def _buckets(claims: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Count the rows of each submission by bucket."""
    ids = claims.lazy().group_by("arrival").agg(pl.col("submission_id").first())
    counts = rows.lazy().group_by("arrival", "code").agg(pl.len().cast(pl.Int64).alias("rows"))
    bucket = pl.col("code").replace_strict(BUCKET_OF_CODE, return_dtype=pl.String).alias("bucket")
    counted = counts.join(ids, on="arrival").select("submission_id", bucket, "rows")
    return counted.sort("submission_id", "bucket").collect()


FACT_CONTENT = ("item_id", "unit_name", "value", "decimals", "obs_status", "agreement", "reports", "reporters")
SOURCE_CONTENT = ("item_id", "claim_id", "original", "value", "decimals", "relation", "chosen")
"""The input of a release's digest: every fact and every claim behind it, with its relation to the item. The other
columns follow from the identity, of which item_id is the hash, and from the bytes that claim_id addresses.
"""


def lane_sums(observations: pl.DataFrame, sources: pl.DataFrame) -> tuple[int, ...]:
    """Return the summed lanes of these facts and sources: their share of the release's digest."""
    sums = [
        identity.frame_lanes(table, *map(pl.col, columns)).sum().row(0)
        for table, columns in ((observations, FACT_CONTENT), (sources, SOURCE_CONTENT))
    ]
    return tuple(sum(lanes) for lanes in zip(*sums, strict=True))


def observation_content(
    observations: pl.DataFrame, sources: pl.DataFrame, conflicts: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return one row per item, to detect changes: item_id, partition, value, agreement and its four lanes.

    conflicts: covered too where given; by the same rules they follow from the sources.
    """
    rows = [sources.lazy().select("item_id", *identity.lanes(*map(pl.col, SOURCE_CONTENT)))]
    if conflicts is not None:
        names = [n for n in frame_schema(CONFLICT).names() if n != "release"]
        rows.append(conflicts.lazy().select("item_id", *identity.lanes(*map(pl.col, names))))
    sums = pl.concat(rows).group_by("item_id").agg(pl.col(identity.LANES).sum().name.suffix("_s"))
    facts = observations.lazy().with_columns(identity.lanes(*map(pl.col, FACT_CONTENT)))
    both = facts.join(sums, on="item_id", how="left")
    lanes = [(pl.col(lane) + pl.col(f"{lane}_s")).alias(lane) for lane in identity.LANES]
    return both.select("item_id", "partition", "value", "agreement", *lanes).collect()
