"""Reports of one item to one row: the surviving value of each field, every delivery behind it, where reports differ.

A pure function of the deliveries that count and of which report is of which item. The night calls it twice on what it
touched, for what counted before and for what counts now; what differs is written.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Final

import polars as pl

from schemas.claims import Column, empty, frame_schema
from schemas.kind import Kind
from schemas.record_tables import ALL, CONFLICT_RECORD, item, source
from transforms.identity import distinct, in_order
from transforms.observations.consolidate import ACTION_RANK
from transforms.records.survivorship import clashing, comparable, in_words, survivor

CLASHES: Final = pl.Schema({"item_id": pl.UInt32, "field": pl.String})
NONE: Final = pl.lit([], dtype=pl.List(pl.String))
CLAIM: Final = pl.concat_str("submission_id", "row", separator="-").alias("claim_id")
WITHDRAWN: Final = pl.when(pl.col("action") == "withdraw").then(pl.lit("withdrawn"))


@dataclass(frozen=True)
class RecordsConsolidated:
    """What is published of some records (columns as in `schemas.record_tables`, `release` left out), and row buckets.

    buckets: submission_id, bucket, rows (Int64): under which bucket how many delivered rows are counted.
    """

    items: pl.DataFrame
    sources: pl.DataFrame
    conflicts: pl.DataFrame
    buckets: pl.DataFrame


def consolidate_records(deliveries: pl.DataFrame, items: pl.DataFrame, kind: Kind) -> RecordsConsolidated:
    """Return what is published of these deliveries: all that count of the reports they are of.

    `deliveries` has the columns of `<kind>_records`. `items` says of each report that stands (see `standing`) which
    item it is of: report_id, item_id.
    """
    return consolidated(beside(standing(deliveries), items.select("report_id", "item_id"), "report_id"), kind)


def consolidated(marked: pl.DataFrame, kind: Kind, part: pl.Series | None = None) -> RecordsConsolidated:
    """Return what `consolidate_records` does, of deliveries that `standing` has marked, each with its `item_id`.

    part: of each delivery whether it is looked at, whole items; all are by default.
    """
    placed, ids = _placed(marked, part)
    sole, others = placed.filter("sole"), placed.filter(~pl.col("sole"))
    items, behind, conflicts = _together(_taken(marked, others), kind)
    alone = _alone(_taken(marked.select("item_id", "reported_at", *kind.fields), sole), kind)
    published = _merged(alone, items)
    told = sole.select("_n", "item_id", "standing", relation=pl.lit("single"), lead=True)
    order = _merged(told, behind)
    names = _unnumbered(source(kind))
    wide = marked.select(name for name in names if name in marked.columns and name != "item_id")
    sources = wide[order["_n"]].with_columns(*order.select("item_id", "relation", "lead"), CLAIM).select(names)
    buckets = _buckets(marked, part, sources.select("submission_id", "rows", "lead", standing=order["standing"]))
    published, sources, conflicts = (_named(rows, ids) for rows in (published, sources, conflicts))
    return RecordsConsolidated(published, sources, conflicts, buckets)


def _placed(marked: pl.DataFrame, part: pl.Series | None) -> tuple[pl.DataFrame, pl.Series]:
    """Return the deliveries that are of an item, in the order of the items' ids; and the ids.

    Columns: _n (the delivery's place), item_id (the item's place among the ids), standing, sole (whether it stands and
    is all that there is of its item).
    """
    rows = marked.select("item_id", "standing").with_row_index("_n")
    rows = rows.filter(pl.col("item_id").is_not_null(), *([] if part is None else [part]))
    ordered = rows.sort(in_order("item_id"))
    runs = ordered["item_id"].rle().struct.unnest()
    number = ordered["item_id"].rle_id()
    alone = runs["len"].gather(number) == 1
    return ordered.with_columns(number, sole=alone & ordered["standing"]), runs["value"].rename("item_id")


def _taken(marked: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the deliveries of some rows of `_placed`, with `_n` and the places of their items."""
    return marked[rows["_n"]].with_columns(*rows.select("_n", "item_id"))


def _named(rows: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Return the rows with each item's place replaced by its id."""
    return rows.with_columns(ids.gather(rows["item_id"]))


def _together(told: pl.DataFrame, kind: Kind) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return items, what is behind them and conflicts of the deliveries of items that have more than one."""
    votes = kept(told, pl.col("bucket").is_null() | (pl.col("bucket") == "conflict").fill_null(False))
    alone = pl.len().over("item_id") == 1
    several = _ranked(votes.filter(~alone))
    clashes = _clashes(several, kind)
    items = pl.concat([_alone(votes.filter(alone), kind), _several(several, clashes, kind)]).sort("item_id")
    conflicts = _conflicts(several, items, clashes, kind)
    return items, _behind(told, items, conflicts), conflicts


def _merged(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of two frames that are in the order of their items, in that order."""
    if not first.height or not second.height:
        return first if first.height else second
    return pl.concat([first, second]).sort("item_id", maintain_order=True)


def standing(deliveries: pl.DataFrame) -> pl.DataFrame:
    """Return the deliveries with `bucket` String and `standing` Boolean: of each report the one delivery that stands.

    Of a report's deliveries those of the highest version stand over the others (superseded), a replacement of that
    version over what it replaces; a withdrawal there withdraws the report. Of several that remain the one with the
    least content stands; others say the same (duplicate) or do not (conflict: the report disagrees with itself).
    Columns used: report_id, submission_id, row, version, action, content. What stands has no bucket yet.
    """
    if distinct(deliveries["report_id"]) < deliveries.height:
        marked = _against_each_other(deliveries)
    else:
        marked = deliveries.with_columns(WITHDRAWN.otherwise(None).alias("bucket"))
    return marked.with_columns(pl.col("bucket").is_null().alias("standing"))


def kept(rows: pl.DataFrame, wanted: pl.Expr | pl.Series | str) -> pl.DataFrame:
    """Return the rows for which a condition holds: the frame itself, not a copy of every column, if it does for all."""
    mask = wanted if isinstance(wanted, pl.Series) else rows.select(wanted).to_series()
    return rows if mask.all() else rows.filter(mask)


def _against_each_other(deliveries: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("action").replace_strict(ACTION_RANK, return_dtype=pl.Int64)
    # Versions are microseconds or small integers: the action's two bits fit below them.
    order = pl.col("version").fill_null(-(2**60)) * 4 + rank
    told = deliveries.with_row_index("_n").with_columns(order.alias("_order"))
    told = told.with_columns(pl.col("_order").max().over("report_id").alias("_top"))
    first = (
        told.lazy()
        .filter(pl.col("_order") == pl.col("_top"), pl.col("action") != "withdraw")
        .select("report_id", "_n", "content", "submission_id", "row")
        .sort("content", "submission_id", "row")
        .unique("report_id", keep="first", maintain_order=True)
        .select("report_id", pl.col("_n").alias("_first"), pl.col("content").alias("_content"))
        .collect()
    )
    bucket = (
        WITHDRAWN
        .when(pl.col("_order") < pl.col("_top")).then(pl.lit("superseded"))
        .when(pl.col("_n") == pl.col("_first")).then(None)
        .when(pl.col("content") == pl.col("_content")).then(pl.lit("duplicate"))
        .otherwise(pl.lit("conflict"))
    )  # fmt: skip
    marked = told.join(first, on="report_id", how="left", maintain_order="left")
    return marked.select(*deliveries.columns, bucket.alias("bucket"))


def _ranked(votes: pl.DataFrame) -> pl.DataFrame:
    """Return the votes in the order that decides where nothing else does, numbered as `_rank`."""
    keys = ["precedence", "reported_at", "report_id", "bucket", "content", "submission_id"]
    nulls_last = [True, True, True, False, True, True]  # no bucket is what stands: it goes before what does not
    return votes.sort(keys, nulls_last=nulls_last).with_row_index("_rank")


def _alone(votes: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the items of one report that says one thing: what it says."""
    texts = [n for n, f in kind.fields.items() if f.role == "text"]
    return votes.select(
        "item_id",
        *(pl.when(pl.col(n).is_not_null()).then(pl.concat_list(n)).alias(n) if n in texts else n for n in kind.fields),
        pl.lit("single").alias("agreement"),
        NONE.alias("conflicting"),
        pl.lit(1, dtype=pl.Int32).alias("reports"),
        pl.lit(1, dtype=pl.Int32).alias("reporters"),
        pl.col("reported_at").alias("first_reported"),
        pl.col("reported_at").alias("last_reported"),
        pl.lit(ALL).alias("partition"),
    )


def _several(votes: pl.DataFrame, clashes: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the items of several reports, or of one that disagrees with itself."""
    stands = votes.filter("standing")
    counted = stands.group_by("item_id").agg(
        pl.len().cast(pl.Int32).alias("reports"),
        pl.col("reported_by").n_unique().cast(pl.Int32).alias("reporters"),
        pl.col("reported_at").min().alias("first_reported"),
        pl.col("reported_at").max().alias("last_reported"),
    )
    fields = pl.collect_all([survivor(votes.lazy(), name, spec) for name, spec in kind.fields.items()])
    differing = clashes.group_by("item_id").agg(pl.col("field").sort().alias("conflicting"))
    rows = reduce(lambda rows, field: rows.join(field, on="item_id", how="left"), [counted, *fields, differing])
    agreement = (
        pl.when(pl.col("conflicting").is_not_null()).then(pl.lit("conflict"))
        .when(pl.col("reports") > 1).then(pl.lit("complete"))
        .otherwise(pl.lit("single"))
    )  # fmt: skip
    told = rows.with_columns(
        agreement.alias("agreement"), pl.coalesce("conflicting", NONE), pl.lit(ALL).alias("partition")
    )
    return told.select(_unnumbered(item(kind)))


def _clashes(votes: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the fields on which an item's reports differ: item_id, field."""
    found = pl.collect_all([clashing(votes.lazy(), name, spec) for name, spec in kind.fields.items()])
    return pl.concat([CLASHES.to_frame(), *found])


def _conflicts(votes: pl.DataFrame, published: pl.DataFrame, clashes: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return one row a field on which an item's reports differ and a version of a report that says anything there."""
    names = _unnumbered(CONFLICT_RECORD)
    told = [empty(CONFLICT_RECORD).lazy().select(names).with_columns(pl.col("item_id").cast(pl.UInt32))]
    for name in clashes["field"].unique(maintain_order=True):
        spec = kind.fields[name]
        items = clashes.lazy().filter(field=name)
        stands = published.lazy().select("item_id", comparable(name, spec).alias("_published"))
        outcome = pl.when(comparable(name, spec) == pl.col("_published")).then(pl.lit("published"))
        said = votes.lazy().filter(pl.col(name).is_not_null()).join(items, on="item_id").join(stands, on="item_id")
        row = said.with_columns(
            in_words(name, spec).alias("value"), outcome.otherwise(pl.lit("outranked")).alias("outcome")
        )
        told.append(row.select(names))
    return pl.concat(told).sort("item_id", "field", "report_id", "submission_id").collect()


def _behind(told: pl.DataFrame, published: pl.DataFrame, conflicts: pl.DataFrame) -> pl.DataFrame:
    """Return one row a delivery that is not superseded: what joins it to its item, whether its row is the published.

    Columns: _n, item_id, standing, relation, lead; in the order of items and, in each, of `claim_id`.
    """
    outranked = conflicts.filter(pl.col("outcome") == "outranked").select("report_id", "submission_id").unique()
    relation = (
        pl.when(pl.col("bucket") == "duplicate").then(pl.lit("redelivery"))
        .when((pl.col("bucket") == "conflict") | pl.col("_outranked").is_not_null()).then(pl.lit("conflict"))
        .when(pl.col("reports") == 1).then(pl.lit("single"))
        .otherwise(pl.lit("complete"))
    )  # fmt: skip
    wanted = pl.col("bucket").is_in(["conflict", "duplicate"]).fill_null(False)
    names = ("_n", "item_id", "report_id", "submission_id", "row", "reported_at", "bucket", "standing")
    rows = kept(told.select(names), pl.col("bucket").is_null() | wanted)
    rows = beside(rows, published.select("item_id", "reports"), "item_id")
    rows = beside(rows, outranked.with_columns(pl.lit(True).alias("_outranked")), "report_id", "submission_id")
    rows = beside(rows, _leading(told), "report_id").with_columns(
        relation.alias("relation"),
        (pl.col("standing") & pl.col("_leads").is_not_null()).alias("lead"),
        CLAIM,
    )
    return rows.sort("item_id", "claim_id").select("_n", "item_id", "standing", "relation", "lead")


def beside(rows: pl.DataFrame, told: pl.DataFrame, *on: str) -> pl.DataFrame:
    """Return the rows as they stand with the other columns of `told`, which has a row a key at most: null where none.

    A join would copy every column of them, at ten times the cost; and nothing is joined that is in one order already.
    """
    if rows.height == told.height and rows.select(on).equals(told.select(on), null_equal=False):
        return rows.hstack(told.drop(on))
    found = rows.select(on).join(told, on=on, how="left", maintain_order="left")
    return rows.hstack(found.drop(on))


def _leading(told: pl.DataFrame) -> pl.DataFrame:
    """Return of each item the report that was reported first, report_id and `_leads`: its row is the published one."""
    stands = told.lazy().filter("standing").select("item_id", "reported_at", "report_id")
    first = stands.sort("reported_at", "report_id", nulls_last=True).unique(
        "item_id", keep="first", maintain_order=True
    )
    return first.select("report_id", pl.lit(True).alias("_leads")).collect()


def _buckets(marked: pl.DataFrame, part: pl.Series | None, behind: pl.DataFrame) -> pl.DataFrame:
    """Count each row once: of what stands the first row by itself, its further parts as additive; else all as one."""
    rows = pl.col("rows").list.len().cast(pl.Int64)
    others = marked.lazy().filter(~pl.col("standing"), *([] if part is None else [part]))
    stands = behind.lazy().filter("standing").group_by("submission_id", "lead").agg(pl.len().cast(pl.Int64), rows.sum())
    first = pl.when("lead").then(pl.lit("published")).otherwise(pl.lit("duplicate"))
    counted = [
        others.select("submission_id", "bucket", rows),
        stands.select("submission_id", first.alias("bucket"), rows="len"),
        stands.select("submission_id", pl.lit("additive").alias("bucket"), pl.col("rows") - pl.col("len")),
    ]
    summed = pl.concat(counted).group_by("submission_id", "bucket").agg(pl.col("rows").sum())
    return summed.filter(pl.col("rows") > 0).sort("submission_id", "bucket").collect()


def _unnumbered(columns: tuple[Column, ...]) -> list[str]:
    return [name for name in frame_schema(columns).names() if name != "release"]
