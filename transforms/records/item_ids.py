"""Which id each item of a record kind bears: the id of the report that founded it, kept as reports join and leave.

Every report is at home in one item, from its first publication on. A new report is at home where it is first
published; a report that leaves for an item that lives without it, or to be one of its own, is at home there from then.
Where items merge, nobody moves: each report stays at home where it was, so undoing the merge gives the ids from before.

1. A cluster may bear the ids that its reports are at home in. Of several clusters, one may: that of the report that has
   been at home there longest, of those that stood in the last release before any that comes back; the founder before
   the others, then the least report id.
2. Of several ids, a cluster bears the one that was first published; the others resolve to it.
3. A cluster left without an id is founded: by its oldest report whose own id names no item. Where each names one, which
   lives on without its founder, the oldest founds again, under a hash of its id and of how often it was at home.

So an id names one item at most, an item whose reports are the same keeps its id, and no id ever names another's item.
All this is said of reports that stand; one that was never published is at home nowhere.

`homes` (`HOME`) are rows written so far, old ones too: all that name, as report_id or as item_id, a report concerned or
an item that one is at home in. A report without a row is at home in the item of its own id since its first publication;
an empty item_id says that it was counted then, but did not stand. `first` (`FIRST`) tells of the same reports and items
since when they are published.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from transforms import identity as identify

HOME: Final = {"report_id": pl.String, "item_id": pl.String, "release": pl.Int32}
"""Where a report is at home since a release."""
FIRST: Final = {"report_id": pl.String, "first": pl.Int32}
"""The release that first counted a report; none, or null, for one that is new."""
EVENT: Final = {"event": pl.String, "item_id": pl.String, "other_id": pl.String, "reports": pl.Int32}
"""What became of an id (`schemas.record_tables.HISTORY`); reports: how many went with it."""


@dataclass(frozen=True)
class Named:
    """items: report_id, item_id. homes: report_id, item_id, the rows to write. events: `EVENT`, sorted."""

    items: pl.DataFrame
    homes: pl.DataFrame
    events: pl.DataFrame


def name(clusters: pl.DataFrame, homes: pl.DataFrame, first: pl.DataFrame, before: pl.DataFrame) -> Named:
    """Return the id of each cluster, the homes that change, and what became of the ids from before.

    clusters: report_id, cluster (its least report id); whole clusters, among them those of all reports that `before`
    names and that stand, and of all that are at home where a report that comes back is. before: report_id, item_id of
    the last release; whole items.
    """
    kept = _kept(clusters, before)
    rest = clusters.join(kept, on="report_id", how="anti")
    woken = kept.join(_kin(rest.join(before, on="report_id", how="anti"), homes, first), on="report_id", how="semi")
    kept = kept.join(woken, on="item_id", how="anti")
    rest = clusters.join(kept, on="report_id", how="anti")
    homes, first = _concerning(rest, homes, first)
    known = rest.join(_noted(homes, first), on="report_id", how="semi").select("cluster").unique()
    new = rest.join(known, on="cluster", how="anti").select("report_id", item_id="cluster")
    changed = rest.join(known, on="cluster", how="semi")
    told = _named(changed, homes, first, before.join(kept, on="item_id", how="anti"))
    follow = new.filter(pl.col("item_id") != pl.col("report_id"))
    return Named(pl.concat([kept, new, told.items]), pl.concat([follow, told.homes]), told.events)


def _kept(clusters: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, item_id of the items whose reports are the same as before: by rule 1 they keep their id."""
    told = clusters.join(before, on="report_id")
    item = pl.col("item_id")
    found = told.group_by("cluster").agg(
        pl.len().alias("stay"), item.first(), (item == item.first()).all().alias("one")
    )
    sizes = clusters.group_by("cluster").len()
    had = before.group_by("item_id").agg(pl.len().alias("had"))
    whole = found.filter("one").join(had, on="item_id").join(sizes, on="cluster")
    same = whole.filter(pl.col("stay") == pl.col("had"), pl.col("stay") == pl.col("len"))
    return told.join(same, on="cluster", how="semi").select("report_id", "item_id")


def _kin(reports: pl.DataFrame, homes: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Return report_id of all that may be at home where some reports are."""
    at = at_home(reports, homes, first).select(item_id="home")
    followers = homes.join(at, on="item_id", how="semi").select("report_id")
    return pl.concat([followers, at.select(report_id="item_id")])


def _concerning(reports: pl.DataFrame, homes: pl.DataFrame, first: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what `homes` and `first` say of these reports and of the items that they are at home in."""
    at = at_home(reports, homes, first).select(report_id="home")
    ids = pl.concat([reports.select("report_id"), at]).unique()
    told = [homes.join(ids, left_on=column, right_on="report_id", how="semi") for column in ("report_id", "item_id")]
    return pl.concat(told).unique(), first.join(ids, on="report_id", how="semi")


def _named(clusters: pl.DataFrame, homes: pl.DataFrame, first: pl.DataFrame, before: pl.DataFrame) -> Named:
    """Do what `name` does, for clusters of which anything changed."""
    nodes = clusters.select("report_id", "cluster").join(at_home(clusters, homes, first), on="report_id", how="left")
    nodes = nodes.join(before.select("report_id", was="item_id"), on="report_id", how="left")
    born = _born(homes, first)
    borne = _borne(nodes, born)
    names = borne.sort("born", "item_id").unique("cluster", keep="first").select("cluster", "item_id")
    orphans = nodes.join(names, on="cluster", how="anti")
    names = pl.concat([names, _founded(orphans, homes, first, born)])
    named = nodes.join(names, on="cluster").join(borne.select(home="item_id", at="cluster"), on="home", how="left")
    stays = (pl.col("at") == pl.col("cluster")).fill_null(False)
    moved = named.filter(~stays).join(_noted(homes, first), on="report_id", how="left")
    by_default = pl.col("noted").is_null() & (pl.col("item_id") == pl.col("report_id"))
    items = named.select("report_id", "item_id")
    now = borne.rename({"item_id": "id"}).join(names, on="cluster")
    return Named(items, moved.filter(~by_default).select("report_id", "item_id"), _events(items, before, now))


def at_home(reports: pl.DataFrame, homes: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, home, since (release) of the reports (report_id) that were ever published."""
    ids = reports.select("report_id")
    last = homes.join(ids, on="report_id", how="semi").sort("release").unique("report_id", keep="last")
    told = ids.join(first.join(ids, on="report_id", how="semi"), on="report_id", how="left")
    told = told.join(last, on="report_id", how="left")
    noted = pl.col("release").is_not_null()
    home = pl.when(noted).then("item_id").when(pl.col("first").is_not_null()).then("report_id")
    since = pl.when(noted).then("release").otherwise("first")
    return told.select("report_id", home.replace("", None).alias("home"), since=since).drop_nulls("home")


def holder(item_id: str, homes: pl.DataFrame, items: pl.DataFrame) -> str | None:
    """Return the id that an id resolves to: of the item in which its reports stand now; None if none of them does.

    homes: `HOME`, all rows of the reports that were ever at home in it, and of the report of its name. items:
    report_id, item_id of the reports that stand, those among them at least.
    """
    own = pl.DataFrame({"report_id": [item_id], "first": [0]}, schema=FIRST)
    reports = pl.concat([homes.select("report_id"), own.select("report_id")]).unique()
    at = at_home(reports, homes, own).filter(pl.col("home") == item_id)
    return next(iter(items.join(at, on="report_id", how="semi")["item_id"]), None)


def _noted(homes: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, noted (true) of the reports of whose home something is known."""
    known = [homes.select("report_id"), first.drop_nulls("first").select("report_id")]
    return pl.concat(known).unique().with_columns(noted=True)


def _born(homes: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Return item_id, born: the release in which an id was first published."""
    written = homes.filter(pl.col("item_id") != "").select("item_id", born="release")
    earliest = homes.group_by("report_id").agg(pl.col("release").min())
    alone = first.drop_nulls("first").join(earliest, on="report_id", how="left")
    alone = alone.filter((pl.col("release") > pl.col("first")).fill_null(True))
    own = alone.select(item_id="report_id", born="first")
    return pl.concat([written, own]).group_by("item_id").agg(pl.col("born").min())


def _borne(nodes: pl.DataFrame, born: pl.DataFrame) -> pl.DataFrame:
    """Return item_id, cluster, back (whether only reports that come back speak for it), born: who may bear which id."""
    homed = nodes.drop_nulls("home").with_columns(
        back=pl.col("was").is_null(), follower=pl.col("home") != pl.col("report_id")
    )
    speaks = homed.sort("back", "since", "follower", "report_id").unique("home", keep="first")
    return speaks.select("cluster", "back", item_id="home").join(born, on="item_id")


def _founded(orphans: pl.DataFrame, homes: pl.DataFrame, first: pl.DataFrame, born: pl.DataFrame) -> pl.DataFrame:
    """Return cluster, item_id of the clusters that bear no id."""
    times = homes.group_by("report_id").agg(pl.len().alias("times"))
    told = orphans.select("report_id", "cluster").join(first, on="report_id", how="left")
    told = told.join(times, on="report_id", how="left").with_columns(pl.col("times").fill_null(0))
    told = told.join(born.select(report_id="item_id", taken=True), on="report_id", how="left")
    told = told.with_columns(pl.col("taken").fill_null(False))
    oldest = told.sort("taken", pl.col("first").fill_null(2**31 - 1), "report_id").unique("cluster", keep="first")
    own = pl.when("taken").then(identify.founded_again()).otherwise("report_id")
    return oldest.select("cluster", own.alias("item_id"))


def _events(items: pl.DataFrame, before: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """Return `EVENT` rows. now: id, item_id (the item that bears it or took it over), back; of ids spoken for."""
    pair = ["item_id", "other_id"]
    went = before.join(items.rename({"item_id": "other_id"}), on="report_id", how="left")
    went = went.group_by(pair).agg(pl.len().alias("reports"))  # other_id is null for those that stand no longer
    old, new = before.select("item_id").unique(), items.group_by("item_id").agg(pl.len().alias("reports"))
    lost = old.join(new, on="item_id", how="anti").join(
        now.select(item_id="id", other_id="item_id"), on="item_id", how="left"
    )
    lost = lost.join(went, on=pair, how="left", nulls_equal=True)
    left = went.filter(pl.col("item_id") != pl.col("other_id")).join(lost, on=pair, how="anti")
    back = now.filter(pl.col("back"), pl.col("id") == pl.col("item_id"))
    renewed = new.join(old, on="item_id", how="anti").join(back, on="item_id", how="semi")
    stood = pl.col("other_id").is_in(old["item_id"].implode())
    told = [
        lost.with_columns(event=_either(pl.col("other_id").is_null(), "retired", "merged")),
        left.with_columns(event=_either(stood, "moved", "split")),
        renewed.with_columns(event=pl.lit("renewed"), other_id=pl.lit(None, pl.String)),
    ]
    rows = pl.concat([t.select(pl.col(c).cast(dtype) for c, dtype in EVENT.items()) for t in told])
    return rows.with_columns(pl.col("reports").fill_null(0)).sort("event", *pair)


def _either(test: pl.Expr, yes: str, no: str) -> pl.Expr:
    return pl.when(test).then(pl.lit(yes)).otherwise(pl.lit(no))
