"""Persistent ids of items: an item has the id of the report that founded it, while reports join and leave.

Every report is assigned to one item from its first publication on. A new report is assigned to the item in which it is
first published. A report that leaves for an item that exists without it, or for a new item of its own, is assigned to
that item from then on. A merge changes no assignment, so undoing the merge restores the earlier ids.

1. A cluster may have the ids of the items that its reports are assigned to. If reports of several clusters are assigned
   to one item, one cluster may have the id: that of the report assigned for longest. Reports that stood in the last
   release go before returning ones, then the founder before the others, then the least report id.
2. Of several ids, a cluster has the one that was first published; the others resolve to it.
3. A cluster without an id is founded by its oldest report whose own id names no item. If each of them names one, which
   exists without its founder, the oldest founds an item under a hash of its id and its number of assignments.

So an id names at most one item, an item with the same reports keeps its id, and an id never moves to another item. All
this holds for standing reports; a report that was never published is assigned to no item.

`assignments` (`ITEM_ASSIGNMENT`) are all ledger rows, old ones too, that name (as report_id or item_id) a report of the
clusters or an item that one of them is assigned to. A report without a row is assigned to the item of its own id since
its first publication. An empty item_id marks a report that was counted then but did not stand. `first`
(`FIRST_RELEASE`) has the first release of the same reports and items.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from transforms import identity

ITEM_ASSIGNMENT: Final = {"report_id": pl.String, "item_id": pl.String, "release": pl.Int32}
"""The item that a report is assigned to since a release."""
FIRST_RELEASE: Final = {"report_id": pl.String, "first": pl.Int32}
"""The release that first counted a report; no row, or null, for a new report."""
ID_EVENT: Final = {"event": pl.String, "item_id": pl.String, "other_id": pl.String, "reports": pl.Int32}
"""What happened to an id (`schemas.record_tables.HISTORY`); reports: how many went to `other_id`."""


@dataclass(frozen=True)
class AssignedIds:
    """items: report_id, item_id. assignments: report_id, item_id of the rows to write. events: `ID_EVENT`, sorted."""

    items: pl.DataFrame
    assignments: pl.DataFrame
    events: pl.DataFrame


def assign_item_ids(
    clusters: pl.DataFrame, assignments: pl.DataFrame, first: pl.DataFrame, before: pl.DataFrame
) -> AssignedIds:
    """Return the id of each cluster, the assignments that change, and what happened to the ids of the last release.

    clusters: report_id, cluster (its least report id); whole clusters, among them those of all standing reports in
    `before`, and of all reports assigned to an item that a returning report is assigned to. before: report_id, item_id
    of the last release; whole items.
    """
    unchanged = _unchanged_items(clusters, before)
    rest = clusters.join(unchanged, on="report_id", how="anti")
    # An item with the same reports is settled, unless a report from outside it has a claim to an id among them.
    contenders = _assigned_with(rest.join(before, on="report_id", how="anti"), assignments, first)
    contested = unchanged.join(contenders, on="report_id", how="semi")
    unchanged = unchanged.join(contested, on="item_id", how="anti")
    rest = clusters.join(unchanged, on="report_id", how="anti")
    assignments, first = _relevant(rest, assignments, first)
    known = rest.join(_published(assignments, first), on="report_id", how="semi").select("cluster").unique()
    new = rest.join(known, on="cluster", how="anti").select("report_id", item_id="cluster")
    changed = rest.join(known, on="cluster", how="semi")
    assigned = _assign_changed(changed, assignments, first, before.join(unchanged, on="item_id", how="anti"))
    followers = new.filter(pl.col("item_id") != pl.col("report_id"))
    return AssignedIds(
        items=pl.concat([unchanged, new, assigned.items]),
        assignments=pl.concat([followers, assigned.assignments]),
        events=assigned.events,
    )


def _unchanged_items(clusters: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, item_id of the items whose reports are the same as before: by rule 1 they keep their id."""
    both = clusters.join(before, on="report_id")
    item = pl.col("item_id")
    by_cluster = both.group_by("cluster").agg(
        pl.len().alias("shared"), item.first(), (item == item.first()).all().alias("one_item")
    )
    sizes = clusters.group_by("cluster").len()
    sizes_before = before.group_by("item_id").agg(pl.len().alias("before"))
    matched = by_cluster.filter("one_item").join(sizes_before, on="item_id").join(sizes, on="cluster")
    same = matched.filter(pl.col("shared") == pl.col("before"), pl.col("shared") == pl.col("len"))
    return both.join(same, on="cluster", how="semi").select("report_id", "item_id")


def _assigned_with(reports: pl.DataFrame, assignments: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Return report_id of all that may be assigned to an item that some reports are assigned to."""
    items = current_assignments(reports, assignments, first).select(item_id="assigned_item")
    followers = assignments.join(items, on="item_id", how="semi").select("report_id")
    return pl.concat([followers, items.select(report_id="item_id")])


def _relevant(
    reports: pl.DataFrame, assignments: pl.DataFrame, first: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of `assignments` and `first` on these reports and on the items that they are assigned to."""
    items = current_assignments(reports, assignments, first).select(report_id="assigned_item")
    ids = pl.concat([reports.select("report_id"), items]).unique()
    rows = [
        assignments.join(ids, left_on=column, right_on="report_id", how="semi") for column in ("report_id", "item_id")
    ]
    return pl.concat(rows).unique(), first.join(ids, on="report_id", how="semi")


def _assign_changed(
    clusters: pl.DataFrame, assignments: pl.DataFrame, first: pl.DataFrame, before: pl.DataFrame
) -> AssignedIds:
    """Do what `assign_item_ids` does, for clusters in which anything changed."""
    assigned = current_assignments(clusters, assignments, first)
    reports = clusters.select("report_id", "cluster").join(assigned, on="report_id", how="left")
    reports = reports.join(before.select("report_id", item_before="item_id"), on="report_id", how="left")
    first_published = _first_published(assignments, first)
    candidates = _candidate_ids(reports, first_published)
    ids = candidates.sort("first_published", "item_id").unique("cluster", keep="first").select("cluster", "item_id")
    without_id = reports.join(ids, on="cluster", how="anti")
    ids = pl.concat([ids, _founded(without_id, assignments, first, first_published)])
    owners = candidates.select(assigned_item="item_id", owner="cluster")
    rows = reports.join(ids, on="cluster").join(owners, on="assigned_item", how="left")
    stays = (pl.col("owner") == pl.col("cluster")).fill_null(False)
    reassigned = rows.filter(~stays).join(_published(assignments, first), on="report_id", how="left")
    by_default = pl.col("published").is_null() & (pl.col("item_id") == pl.col("report_id"))
    items = rows.select("report_id", "item_id")
    resolved = candidates.rename({"item_id": "id"}).join(ids, on="cluster")
    return AssignedIds(
        items=items,
        assignments=reassigned.filter(~by_default).select("report_id", "item_id"),
        events=_events(items, before, resolved),
    )


def current_assignments(reports: pl.DataFrame, assignments: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, assigned_item, since (release) of those of the reports (report_id) that were ever published."""
    ids = reports.select("report_id")
    last = assignments.join(ids, on="report_id", how="semi").sort("release").unique("report_id", keep="last")
    rows = ids.join(first.join(ids, on="report_id", how="semi"), on="report_id", how="left")
    rows = rows.join(last, on="report_id", how="left")
    written = pl.col("release").is_not_null()
    item = pl.when(written).then("item_id").when(pl.col("first").is_not_null()).then("report_id")
    since = pl.when(written).then("release").otherwise("first")
    assigned = rows.select("report_id", item.replace("", None).alias("assigned_item"), since=since)
    return assigned.drop_nulls("assigned_item")


def successor_item(item_id: str, assignments: pl.DataFrame, items: pl.DataFrame) -> str | None:
    """Return the id that an id resolves to: of the item that its reports are in now; None if none of them stands.

    assignments: all rows of the reports that were ever assigned to it, and of the report with its id. items: report_id,
    item_id of standing reports, those among them at least.
    """
    own = pl.DataFrame({"report_id": [item_id], "first": [0]}, schema=FIRST_RELEASE)
    reports = pl.concat([assignments.select("report_id"), own.select("report_id")]).unique()
    members = current_assignments(reports, assignments, own).filter(pl.col("assigned_item") == item_id)
    return next(iter(items.join(members, on="report_id", how="semi")["item_id"]), None)


def _published(assignments: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, published (true) of the reports that a release counted."""
    known = [assignments.select("report_id"), first.drop_nulls("first").select("report_id")]
    return pl.concat(known).unique().with_columns(published=True)


def _first_published(assignments: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Return item_id, first_published: the release in which an id was first published."""
    written = assignments.filter(pl.col("item_id") != "").select("item_id", first_published="release")
    earliest = assignments.group_by("report_id").agg(pl.col("release").min())
    by_default = first.drop_nulls("first").join(earliest, on="report_id", how="left")
    by_default = by_default.filter((pl.col("release") > pl.col("first")).fill_null(True))
    own = by_default.select(item_id="report_id", first_published="first")
    return pl.concat([written, own]).group_by("item_id").agg(pl.col("first_published").min())


def _candidate_ids(reports: pl.DataFrame, first_published: pl.DataFrame) -> pl.DataFrame:
    """Return item_id, cluster (the one that may have it), returning (only returning reports give it), first_published.

    A returning report was published before, but does not stand in the last release.
    """
    assigned = reports.drop_nulls("assigned_item").with_columns(
        returning=pl.col("item_before").is_null(), follower=pl.col("assigned_item") != pl.col("report_id")
    )
    longest = assigned.sort("returning", "since", "follower", "report_id").unique("assigned_item", keep="first")
    return longest.select("cluster", "returning", item_id="assigned_item").join(first_published, on="item_id")


def _founded(
    reports: pl.DataFrame, assignments: pl.DataFrame, first: pl.DataFrame, first_published: pl.DataFrame
) -> pl.DataFrame:
    """Return cluster, item_id of the clusters without an id, by rule 3. reports: report_id, cluster."""
    times = assignments.group_by("report_id").agg(pl.len().alias("times"))
    taken = first_published.select(report_id="item_id", taken=True)
    rows = reports.select("report_id", "cluster").join(first, on="report_id", how="left")
    rows = rows.join(times, on="report_id", how="left").with_columns(pl.col("times").fill_null(0))
    rows = rows.join(taken, on="report_id", how="left").with_columns(pl.col("taken").fill_null(False))
    oldest = rows.sort("taken", pl.col("first").fill_null(2**31 - 1), "report_id").unique("cluster", keep="first")
    own = pl.when("taken").then(identity.refounded_item_id()).otherwise("report_id")
    return oldest.select("cluster", own.alias("item_id"))


def _events(items: pl.DataFrame, before: pl.DataFrame, resolved: pl.DataFrame) -> pl.DataFrame:
    """Return `ID_EVENT` rows. resolved: id, item_id (the item that has it or absorbed it), returning; of candidates."""
    pair = ["item_id", "other_id"]
    transfers = before.join(items.rename({"item_id": "other_id"}), on="report_id", how="left")
    transfers = transfers.group_by(pair).agg(pl.len().alias("reports"))  # other_id null: no longer standing
    old, new = before.select("item_id").unique(), items.group_by("item_id").agg(pl.len().alias("reports"))
    ended = old.join(new, on="item_id", how="anti").join(
        resolved.select(item_id="id", other_id="item_id"), on="item_id", how="left"
    )
    ended = ended.join(transfers, on=pair, how="left", nulls_equal=True)
    departed = transfers.filter(pl.col("item_id") != pl.col("other_id")).join(ended, on=pair, how="anti")
    returned = resolved.filter(pl.col("returning"), pl.col("id") == pl.col("item_id"))
    renewed = new.join(old, on="item_id", how="anti").join(returned, on="item_id", how="semi")
    existed = pl.col("other_id").is_in(old["item_id"].implode())
    events = [
        ended.with_columns(event=_either(pl.col("other_id").is_null(), "retired", "merged")),
        departed.with_columns(event=_either(existed, "moved", "split")),
        renewed.with_columns(event=pl.lit("renewed"), other_id=pl.lit(None, pl.String)),
    ]
    rows = pl.concat([e.select(pl.col(c).cast(dtype) for c, dtype in ID_EVENT.items()) for e in events])
    return rows.with_columns(pl.col("reports").fill_null(0)).sort("event", *pair)


def _either(condition: pl.Expr, yes: str, no: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(yes)).otherwise(pl.lit(no))
