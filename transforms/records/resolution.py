"""Record resolution, decided: from counted deliveries and linked reports to items, their ids, and why ids changed.

Pure: what the ledger and the lake know comes in as frames, what is to be written goes out (`KindResolution`).
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

import polars as pl

from schemas.kind import Kind
from schemas.record_tables import HISTORY
from transforms.linkage.blocking import blocking_index, declared_identities
from transforms.linkage.candidates import BLOCK_WARNING
from transforms.linkage.clustering import MAX_SCORED_GROUP, NO_EDGE_BITS, Clustering, cluster_reports
from transforms.linkage.incremental import LinkageInputs, LinkedReports, ScoredPairs
from transforms.linkage.pairs import mark_unblocked
from transforms.linkage.unblocked import Unscored, score_unblocked
from transforms.preparation.reporters import linked_reporter
from transforms.records.consolidate import filter_rows, left_join_columns, mark_standing
from transforms.records.item_ids import FIRST_RELEASE, ID_EVENT, AssignedIds, assign_item_ids

MAX_CAUSE_IDS: Final = 20
"""How many submissions or decisions an event names as its cause at most."""


@dataclass(frozen=True)
class CountedDeliveries:
    """All deliveries of some reports, and what each of two releases counts of them.

    rows: `<kind>_records` with before, after (whether the last release counts it, whether this one does) and
    first_release. before, after: the rows that count there, marked by `mark_standing`.
    """

    rows: pl.DataFrame
    before: pl.DataFrame
    after: pl.DataFrame

    def standing(self, side: Literal["before", "after"]) -> pl.DataFrame:
        """Return the one delivery of each report that stands."""
        return filter_rows(self.before if side == "before" else self.after, "standing")


def count_deliveries(rows: pl.DataFrame) -> CountedDeliveries:
    """Return the deliveries with what the last release and this one count of them."""
    return CountedDeliveries(rows, *(mark_standing(filter_rows(rows, side)) for side in ("before", "after")))


@dataclass(frozen=True)
class KnownIds:
    """What is known of the ids of some reports and of their items.

    items: report_id, item_id of those that stand in the last release. assignments: `ITEM_ASSIGNMENT` rows written so
    far. founders: the deliveries of `absent_founders`.
    """

    items: pl.DataFrame
    assignments: pl.DataFrame
    founders: pl.DataFrame


@dataclass(frozen=True)
class KindResolution:
    """What a night found of a kind: all that it writes follows from it.

    before, after: the deliveries that it reached, as the last release and as this one counts them, marked by
    `mark_standing`, each with the item_id of its report. history: rows of `<kind>_history`, `release` left out.
    assignments: report_id, item_id to be written. overruled: `clustering.OVERRULED_TIE`.
    """

    scored: ScoredPairs
    before: pl.DataFrame
    after: pl.DataFrame
    history: pl.DataFrame
    assignments: pl.DataFrame
    overruled: pl.DataFrame


def resolve_items(
    inputs: LinkageInputs, deliveries: CountedDeliveries, linked: LinkedReports, known: KnownIds
) -> KindResolution:
    """Return the items of all reports that a night reaches, before and after. deliveries: those of these reports."""
    clustering, unscored = _cluster(inputs, deliveries.standing("after"), linked.edges)
    assigned = _assign(clustering.clusters, deliveries.rows, known)
    items = (known.items, assigned.items)
    reached = linked.reached if assigned.events.height else linked.reached.clear()
    history = _with_causes(assigned.events, items, _causes(inputs, deliveries.rows, reached), _sole_cause(inputs))
    before, after = (
        left_join_columns(side, of.select("report_id", "item_id"), "report_id")
        for side, of in zip((deliveries.before, deliveries.after), items, strict=True)
    )
    warnings = pl.concat([linked.scored.warnings, _unscored_warning(inputs.kind, unscored)])
    scored = replace(linked.scored, warnings=warnings)
    return KindResolution(scored, before, after, history, assigned.assignments, clustering.overruled)


def _unscored_warning(kind: Kind, unscored: Unscored) -> pl.DataFrame:
    detail = f"{unscored.pairs} pairs in components of more than {MAX_SCORED_GROUP} reports count {NO_EDGE_BITS:g} bits"
    rows = [(kind.kind, "pairs without a weight", detail, unscored.reports)] if unscored.pairs else []
    return pl.DataFrame(rows, schema=BLOCK_WARNING, orient="row")


def _cluster(inputs: LinkageInputs, reports: pl.DataFrame, edges: pl.DataFrame) -> tuple[Clustering, Unscored]:
    kind = inputs.kind
    within = edges.select("a", "b", "weight").join(reports, left_on="a", right_on="report_id", how="semi")
    within = within.join(reports, left_on="b", right_on="report_id", how="semi")
    unblocked, unscored = score_unblocked(reports, within, kind, inputs.model, inputs.rule)
    within = mark_unblocked(within, unblocked) if unblocked.height else within
    identities = declared_identities(blocking_index(reports, kind), kind) if kind.identities() else None
    decisions = inputs.decisions.filter("after")
    reporters = reports.select("report_id", linked_reporter(kind))
    return cluster_reports(reporters, within, decisions, inputs.rule, identities), unscored


# Ids


def absent_founders(assignments: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """Return the reports after whom assigned items are named, without those of which deliveries are given.

    A founder may have left its item; since when it is published decides whether its id is free.
    """
    founders = assignments.filter(pl.col("item_id") != "").select(report_id="item_id").unique()
    return founders.join(rows, on="report_id", how="anti")["report_id"]


def returning_reports(rows: pl.DataFrame) -> pl.Series:
    """Return the reports that come back: a release counted them, the last one does not, and this one does.

    None of its deliveries counted in the last release, or one of them withdrew it.
    """
    standing = pl.col("before").any() & ~(pl.col("before") & (pl.col("action") == "withdraw")).any()
    reports = rows.group_by("report_id").agg(
        pl.col("first_release").is_not_null().any().alias("published"),
        standing.alias("standing"),
        pl.col("after").any(),
    )
    return reports.filter("published", ~pl.col("standing"), "after")["report_id"]


def _assign(clusters: pl.DataFrame, rows: pl.DataFrame, known: KnownIds) -> AssignedIds:
    """Return the id of each cluster. rows: the deliveries of all reports of the clusters, and of others reached."""
    names = ("report_id", "first_release", "after")
    parts = [rows.select(names), *([known.founders.select(names)] if known.founders.height else [])]
    first = _first_releases(pl.concat(parts), clusters)
    new = known.assignments.is_empty() and known.items.is_empty() and first["first"].null_count() == first.height
    assigned = (
        _assign_new(clusters)
        if new
        else assign_item_ids(clusters, known.assignments, first.select(*FIRST_RELEASE), known.items)
    )
    return replace(assigned, assignments=pl.concat([assigned.assignments, _counted_only(first, clusters)]))


def _first_releases(rows: pl.DataFrame, clusters: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, first (the release that first counted it), after (whether it is counted), a row a report."""
    first = pl.col("first_release").cast(pl.Int32).alias("first")
    if rows.height == clusters.height:  # one delivery of each report, and of no other
        return rows.select("report_id", first, "after")
    return rows.group_by("report_id").agg(first.min(), pl.col("after").any())


def _assign_new(clusters: pl.DataFrame) -> AssignedIds:
    """Return what `assign_item_ids` does where nothing was ever published, at a tenth of the cost."""
    items = clusters.select("report_id", pl.col("cluster").alias("item_id"))
    return AssignedIds(items, items.filter(pl.col("report_id") != pl.col("item_id")), pl.DataFrame(schema=ID_EVENT))


def _counted_only(first: pl.DataFrame, clusters: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, item_id (empty) of the reports that are counted for the first time and do not stand."""
    new = first.filter(pl.col("first").is_null(), "after")
    if first.height == clusters.height:  # all of them stand
        new = new.clear()
    return new.join(clusters, on="report_id", how="anti").select("report_id", item_id=pl.lit(""))


# Why ids changed


def _sole_cause(inputs: LinkageInputs) -> tuple[str, str] | None:
    """Return the cause and its id of whatever changes, if there is one: new rules, or another model or kind.

    The id of a model is its digest, or that of the kind without one.
    """
    if inputs.new_rules is not None:
        return "rules", inputs.new_rules
    if not inputs.rematch:
        return None
    return "model", inputs.model.digest if inputs.model else inputs.kind.digest()


def _causes(inputs: LinkageInputs, rows: pl.DataFrame, reached: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, cause, cause_id: every report with each change among all that it is connected with."""
    changed = rows.lazy().filter(pl.col("before") != pl.col("after")).join(reached.lazy(), on="report_id", how="semi")
    submissions = changed.select("report_id", cause=pl.lit("submission"), cause_id="submission_id").collect()
    decisions = [
        inputs.changed_decisions.select(
            pl.col(end).alias("report_id"),
            pl.lit("decision").alias("cause"),
            pl.col("id").cast(pl.String).alias("cause_id"),
        )
        for end in ("a", "b")
    ]
    causes = pl.concat([submissions, *decisions]).join(reached, on="report_id")
    by_component = causes.select("component", "cause", "cause_id").unique()
    return reached.join(by_component, on="component").select("report_id", "cause", "cause_id")


def _with_causes(
    events: pl.DataFrame, items: tuple[pl.DataFrame, pl.DataFrame], causes: pl.DataFrame, sole: tuple[str, str] | None
) -> pl.DataFrame:
    """Return the events as rows of `<kind>_history`, `release` left out.

    items: report_id, item_id before and after. causes: as `_causes` returns them. sole: as `_sole_cause` returns it.
    """
    if sole is not None:
        rows = events.with_columns(pl.lit(sole[0]).alias("cause"), pl.lit(sole[1]).alias("cause_id"))
    else:
        reports = pl.concat(items).join(events, on="item_id", how="semi").unique()
        by_item = reports.join(causes, on="report_id").group_by("item_id", "cause").agg(
            pl.col("cause_id").unique().sort().head(MAX_CAUSE_IDS).str.join(",")
        )  # fmt: skip
        first = by_item.sort("item_id", "cause").unique("item_id", keep="first")  # a decision before a submission
        rows = events.join(first, on="item_id", how="left").with_columns(pl.col("cause").fill_null("submission"))
    return rows.select(c.name for c in HISTORY if c.name not in {"release", "partition"})
