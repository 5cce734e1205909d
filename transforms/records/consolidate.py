"""Consolidation of records: each item's surviving values, its sources (deliveries), and the conflicts between them.

A pure function of the counting deliveries and of the item of each report. The night calls it twice for the reports that
it reaches, with the deliveries that count before and after; the difference is written.
"""

from dataclasses import dataclass, field
from functools import reduce
from typing import Final

import polars as pl

from schemas.claims import ACTION_RANK, Column, empty, frame_schema
from schemas.kind import Kind
from schemas.record_tables import CONFLICT_RECORD, SINGLE_PARTITION, item_columns, source_table_columns
from transforms.identity import count_distinct, order_ids
from transforms.observations.confidentiality import conf_status, without_confidential
from transforms.receipts.fates import BUCKET_CODES, NO_FATES, bucket_code, fate
from transforms.records.survivorship import conflicting_items, equality_value, surviving_value, value_text

FIELD_CONFLICT: Final = pl.Schema({"item_id": pl.UInt32, "field": pl.String})
NO_FIELDS: Final = pl.lit([], dtype=pl.List(pl.String))
CLAIM_ID: Final = pl.concat_str("submission_id", "row", separator="-").alias("claim_id")
OLDEST: Final = -(2**62)
"""The version of a delivery without one."""
WITHDRAWN_BUCKET: Final = pl.when(pl.col("action") == "withdraw").then(pl.lit("withdrawn"))


@dataclass(frozen=True)
class ConsolidatedRecords:
    """What is published of some records (columns as in `schemas.record_tables`, without `release`), and row buckets.

    buckets: submission_id, bucket, rows (Int64): how many delivered rows count in each bucket. fates: the bucket of
    each of these rows (`transforms.receipts.fates`).
    """

    items: pl.DataFrame
    sources: pl.DataFrame
    conflicts: pl.DataFrame
    buckets: pl.DataFrame
    fates: pl.Series = field(default_factory=lambda: NO_FATES)


def consolidate_records(marked: pl.DataFrame, kind: Kind, chosen: pl.Series | None = None) -> ConsolidatedRecords:
    """Return what is published of these deliveries: the columns of `<kind>_records`, as marked by `mark_standing`.

    Each has the `item_id` of its report, null if the report does not stand. chosen: whether to consolidate each
    delivery, in whole items; all by default.
    """
    marked = _without_confidential_values(marked, kind)
    numbered, ids = _numbered_by_item(marked, chosen)
    sole, others = numbered.filter("sole"), numbered.filter(~pl.col("sole"))
    items, sources_of_several, conflicts = _consolidate_several(_deliveries_at(marked, others), kind)
    single = _single_items(
        _deliveries_at(marked.select("item_id", "reported_at", "confidential", *kind.fields), sole), kind
    )
    published = _merged(single, items)
    sole_sources = sole.select("_n", "item_id", "standing", relation=pl.lit("single"), lead=True)
    order = _merged(sole_sources, sources_of_several)
    names = _without_release(source_table_columns(kind))
    wide = marked.select(name for name in names if name in marked.columns and name != "item_id")
    sources = wide[order["_n"]].with_columns(*order.select("item_id", "relation", "lead"), CLAIM_ID).select(names)
    counted = sources.select("submission_id", "rows", "lead", standing=order["standing"])
    buckets = _buckets(marked, chosen, counted)
    fates = _fates(marked, chosen, counted.with_columns(arrival=marked["arrival"].gather(order["_n"])))
    published, sources, conflicts = (_with_item_ids(rows, ids) for rows in (published, sources, conflicts))
    return ConsolidatedRecords(published, sources, conflicts, buckets, fates)


def _without_confidential_values(marked: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the deliveries, those that their senders marked as confidential without values: they have no vote."""
    if not marked["confidential"].any():
        return marked
    return marked.with_columns(without_confidential(*kind.fields, "part_values"))


def _numbered_by_item(marked: pl.DataFrame, chosen: pl.Series | None) -> tuple[pl.DataFrame, pl.Series]:
    """Return the deliveries that have an item, in the order of item ids; and the ids.

    Columns: _n (the delivery's row), item_id (the item's place among the ids: small numbers join and sort faster),
    standing, sole (whether it stands and is the only delivery of its item).
    """
    rows = marked.select("item_id", "standing").with_row_index("_n")
    rows = rows.filter(pl.col("item_id").is_not_null(), *([] if chosen is None else [chosen]))
    ordered = rows[order_ids(rows["item_id"])["at"]]
    runs = ordered["item_id"].rle().struct.unnest()
    number = ordered["item_id"].rle_id()
    only = runs["len"].gather(number) == 1
    return ordered.with_columns(number, sole=only & ordered["standing"]), runs["value"].rename("item_id")


def _deliveries_at(marked: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the deliveries of some rows of `_numbered_by_item`, with `_n` and the places of their items."""
    return marked[rows["_n"]].with_columns(*rows.select("_n", "item_id"))


def _with_item_ids(rows: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Return the rows with each item's place replaced by its id."""
    return rows.with_columns(ids.gather(rows["item_id"]))


def _consolidate_several(deliveries: pl.DataFrame, kind: Kind) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the items, sources and conflicts of the deliveries of items with more than one delivery."""
    votes = filter_rows(deliveries, "standing")
    only = pl.len().over("item_id") == 1
    several = _ranked(votes.filter(~only))
    differing = _conflicting_fields(several, kind)
    items = pl.concat([_single_items(votes.filter(only), kind), _several_items(several, differing, kind)]).sort(
        "item_id"
    )
    conflicts = _conflicts(several, items, differing, kind)
    return items, _sources(votes, items, conflicts), conflicts


def _merged(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of two frames, each in the order of its items, in that order."""
    if not first.height or not second.height:
        return first if first.height else second
    return pl.concat([first, second]).sort("item_id", maintain_order=True)


def mark_standing(deliveries: pl.DataFrame) -> pl.DataFrame:
    """Return the deliveries with `bucket` (String) and `standing` (Boolean): at most one delivery of a report stands.

    Deliveries of a report are in order: by its own version (none is the oldest), then by `arrival`, within a submission
    by action. The newest stands, or none if it is a withdrawal. Of deliveries in a row that are equal to the newest,
    the first stands and the others are duplicates; all others are superseded. A standing delivery has no bucket yet.
    Columns used: report_id, submission_id, row, version, action, content, arrival.
    """
    if count_distinct(deliveries["report_id"]) < deliveries.height:
        marked = _mark_repeated(deliveries)
    else:
        marked = deliveries.with_columns(WITHDRAWN_BUCKET.otherwise(None).alias("bucket"))
    return marked.with_columns(pl.col("bucket").is_null().alias("standing"))


def filter_rows(rows: pl.DataFrame, condition: pl.Expr | pl.Series | str) -> pl.DataFrame:
    """Return the rows that meet a condition; if all do, the frame itself instead of a copy of every column."""
    mask = condition if isinstance(condition, pl.Series) else rows.select(condition).to_series()
    return rows if mask.all() else rows.filter(mask)


def _mark_repeated(deliveries: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("action").replace_strict(ACTION_RANK, return_dtype=pl.Int8).alias("_action")
    version = pl.col("version").fill_null(OLDEST)
    rows = deliveries.select("report_id", "action", "content", "arrival", "row", version, rank).with_row_index("_n")
    rows = rows.filter(pl.col("report_id").is_duplicated() | (pl.col("action") == "withdraw"))
    ordered = rows.sort("report_id", "version", "arrival", "_action", "row").with_row_index("_place")
    place = pl.col("_place").cast(pl.Int64)
    stated = ("version", "action", "content")
    differs = pl.any_horizontal(pl.col(c) != pl.col(c).last().over("report_id") for c in stated)
    last_other = place.filter(differs).max().over("report_id")
    standing = pl.coalesce(last_other + 1, place.min().over("report_id"))
    bucket = (
        WITHDRAWN_BUCKET
        .when(place < standing).then(pl.lit("superseded"))
        .when(place > standing).then(pl.lit("duplicate"))
    )  # fmt: skip
    marked = ordered.select("_n", bucket.alias("bucket")).sort("_n")
    none = pl.repeat(None, deliveries.height, dtype=pl.String, eager=True)
    return deliveries.with_columns(none.scatter(marked["_n"], marked["bucket"]).alias("bucket"))


def _ranked(votes: pl.DataFrame) -> pl.DataFrame:
    """Return the votes in the order that breaks ties, numbered as `_rank`."""
    return votes.sort("precedence", "reported_at", "report_id", nulls_last=True).with_row_index("_rank")


def _single_items(votes: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the items of one report with one vote: its values."""
    texts = [n for n, f in kind.fields.items() if f.role == "text"]
    return votes.select(
        "item_id",
        *(pl.when(pl.col(n).is_not_null()).then(pl.concat_list(n)).alias(n) if n in texts else n for n in kind.fields),
        pl.lit("single").alias("agreement"),
        NO_FIELDS.alias("conflicting"),
        conf_status(pl.col("confidential")),
        pl.lit(1, dtype=pl.Int32).alias("reports"),
        pl.lit(1, dtype=pl.Int32).alias("reporters"),
        pl.col("reported_at").alias("first_reported"),
        pl.col("reported_at").alias("last_reported"),
        pl.lit(SINGLE_PARTITION).alias("partition"),
    )


def _several_items(votes: pl.DataFrame, differing: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the items of several reports."""
    counts = votes.group_by("item_id").agg(
        conf_status(pl.col("confidential").any()),
        pl.len().cast(pl.Int32).alias("reports"),
        pl.col("reported_by").n_unique().cast(pl.Int32).alias("reporters"),
        pl.col("reported_at").min().alias("first_reported"),
        pl.col("reported_at").max().alias("last_reported"),
    )
    fields = pl.collect_all([surviving_value(votes.lazy(), name, spec) for name, spec in kind.fields.items()])
    conflicting = differing.group_by("item_id").agg(pl.col("field").sort().alias("conflicting"))
    rows = reduce(lambda rows, field: rows.join(field, on="item_id", how="left"), [counts, *fields, conflicting])
    agreement = pl.when(pl.col("conflicting").is_not_null()).then(pl.lit("conflict")).otherwise(pl.lit("complete"))
    rows = rows.with_columns(
        agreement.alias("agreement"), pl.coalesce("conflicting", NO_FIELDS), pl.lit(SINGLE_PARTITION).alias("partition")
    )
    return rows.select(_without_release(item_columns(kind)))


def _conflicting_fields(votes: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the fields on which an item's reports differ: item_id, field."""
    by_field = pl.collect_all([conflicting_items(votes.lazy(), name, spec) for name, spec in kind.fields.items()])
    return pl.concat([FIELD_CONFLICT.to_frame(), *by_field])


def _conflicts(votes: pl.DataFrame, published: pl.DataFrame, differing: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return one row for each field on which an item's reports differ and each vote with a value in it."""
    names = _without_release(CONFLICT_RECORD)
    rows = [empty(CONFLICT_RECORD).lazy().select(names).with_columns(pl.col("item_id").cast(pl.UInt32))]
    for name in differing["field"].unique(maintain_order=True):
        spec = kind.fields[name]
        items = differing.lazy().filter(field=name)
        survivors = published.lazy().select("item_id", equality_value(name, spec).alias("_published"))
        outcome = pl.when(equality_value(name, spec) == pl.col("_published")).then(pl.lit("published"))
        values = votes.lazy().filter(pl.col(name).is_not_null()).join(items, on="item_id")
        compared = values.join(survivors, on="item_id").with_columns(
            value_text(name, spec).alias("value"), outcome.otherwise(pl.lit("outranked")).alias("outcome")
        )
        rows.append(compared.select(names))
    return pl.concat(rows).sort("item_id", "field", "report_id", "submission_id").collect()


def _sources(votes: pl.DataFrame, published: pl.DataFrame, conflicts: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each standing delivery: its relation to its item, and whether it leads it.

    Columns: _n, item_id, standing, relation, lead; in the order of items and, within an item, of `claim_id`.
    """
    outranked = conflicts.filter(pl.col("outcome") == "outranked").select("report_id", "submission_id").unique()
    relation = (
        pl.when(pl.col("_outranked").is_not_null()).then(pl.lit("conflict"))
        .when(pl.col("reports") == 1).then(pl.lit("single"))
        .otherwise(pl.lit("complete"))
    )  # fmt: skip
    rows = votes.select("_n", "item_id", "report_id", "submission_id", "row", "reported_at", "standing")
    rows = left_join_columns(rows, published.select("item_id", "reports"), "item_id")
    outranked = outranked.with_columns(pl.lit(True).alias("_outranked"))
    rows = left_join_columns(rows, outranked, "report_id", "submission_id")
    rows = left_join_columns(rows, _leading_reports(votes), "report_id").with_columns(
        relation.alias("relation"), pl.col("_leads").is_not_null().alias("lead"), CLAIM_ID
    )
    return rows.sort("item_id", "claim_id").select("_n", "item_id", "standing", "relation", "lead")


def left_join_columns(rows: pl.DataFrame, others: pl.DataFrame, *on: str) -> pl.DataFrame:
    """Return the rows with the other columns of `others`, which has at most one row a key; null where it has none.

    A join of whole frames copies every column, at ten times the cost. Frames with equal keys in equal order need none.
    """
    if rows.height == others.height and rows.select(on).equals(others.select(on), null_equal=False):
        return rows.hstack(others.drop(on))
    joined = rows.select(on).join(others, on=on, how="left", maintain_order="left")
    return rows.hstack(joined.drop(on))


def _leading_reports(votes: pl.DataFrame) -> pl.DataFrame:
    """Return report_id and `_leads` of each item's first report: its row counts as the published one."""
    reports = votes.lazy().select("item_id", "reported_at", "report_id")
    first = reports.sort("reported_at", "report_id", nulls_last=True).unique(
        "item_id", keep="first", maintain_order=True
    )
    return first.select("report_id", pl.lit(True).alias("_leads")).collect()


def _buckets(marked: pl.DataFrame, chosen: pl.Series | None, sources: pl.DataFrame) -> pl.DataFrame:
    """Return how many delivered rows count in each bucket, each row in one.

    The first row of a standing delivery is published (of the leading report) or a duplicate, its further rows are
    additive. All rows of another delivery count in that delivery's bucket.
    """
    rows = pl.col("rows").list.len().cast(pl.Int64)
    others = marked.lazy().filter(~pl.col("standing"), *([] if chosen is None else [chosen]))
    standing = (
        sources.lazy().filter("standing").group_by("submission_id", "lead").agg(pl.len().cast(pl.Int64), rows.sum())
    )
    first = pl.when("lead").then(pl.lit("published")).otherwise(pl.lit("duplicate"))
    counts = [
        others.select("submission_id", "bucket", rows),
        standing.select("submission_id", first.alias("bucket"), rows="len"),
        standing.select("submission_id", pl.lit("additive").alias("bucket"), pl.col("rows") - pl.col("len")),
    ]
    summed = pl.concat(counts).group_by("submission_id", "bucket").agg(pl.col("rows").sum())
    return summed.filter(pl.col("rows") > 0).sort("submission_id", "bucket").collect()


def _fates(marked: pl.DataFrame, chosen: pl.Series | None, sources: pl.DataFrame) -> pl.Series:
    """Return the fate of each delivered row, in the bucket in which `_buckets` counts it."""
    others = marked.lazy().filter(~pl.col("standing"), *([] if chosen is None else [chosen]))
    first = pl.when("lead").then(BUCKET_CODES["published"]).otherwise(BUCKET_CODES["duplicate"])
    standing = sources.lazy().filter("standing").select("arrival", "rows", code=first)
    further = standing.filter(pl.col("rows").list.len() > 1).with_columns(pl.col("rows").list.slice(1))
    rows = [
        others.select("arrival", "rows", code=bucket_code(pl.col("bucket"))).explode("rows"),
        standing.with_columns(pl.col("rows").list.first()),
        further.explode("rows").with_columns(code=pl.lit(BUCKET_CODES["additive"])),
    ]
    typed = (part.select("arrival", "code", row="rows").select(fate(pl.col("code"))) for part in rows)
    return pl.concat(typed).collect().to_series()


def count_departed_items(before: pl.DataFrame, after: pl.DataFrame) -> int:
    """Return how many items of the sources before are none after, for a reason that the sources show.

    Either none of its reports stands after, all were withdrawn; or it was joined to another one, and a delivery of a
    report of either is new or withdrawn: reports that arrive join items, and so does the withdrawal of one that kept
    items separate. Sources have report_id, submission_id, item_id.
    """
    delivery = ["report_id", "submission_id"]
    moves = before.select("report_id", item="item_id").unique().join(
        after.select("report_id", now="item_id").unique(), on="report_id", how="left"
    )  # fmt: skip
    arrived = after.join(before, on=delivery, how="anti")["item_id"]
    withdrawn = before.join(after, on=delivery, how="anti")["item_id"]
    changed = pl.col("now").is_in(arrived.implode()) | pl.col("item").is_in(withdrawn.implode()).any().over("now")
    items = moves.with_columns(changed=changed).group_by("item").agg(
        standing=pl.col("now").is_not_null().any(), changed=pl.col("changed").any()
    )  # fmt: skip
    departed = ~pl.col("item").is_in(after["item_id"].implode())
    return items.filter(departed, ~pl.col("standing") | pl.col("changed")).height


def _without_release(columns: tuple[Column, ...]) -> list[str]:
    return [name for name in frame_schema(columns).names() if name != "release"]
