"""Why two reports are not one item: what separates their items under the rule of `transforms.linkage.clustering`.

Pure: it reads the inputs of the clustering again, for few reports, and decides nothing.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import polars as pl

from transforms.linkage.clustering import STEPS_PER_BIT, LinkageRule, cluster_reports
from transforms.linkage.pairs import mark_unblocked, no_pairs

SeparationReason = Literal["decision", "reporter", "coherence", "weight", "nothing"]
"""What separates two reports: a decision; one reporter that reported both items; a mean weight over the reports around
them that is too low (coherence); a match weight of their own that is too low; or nothing, and the next night joins
them."""
NO_DECISIONS: pl.DataFrame = pl.DataFrame(schema={"id": pl.Int64, "a": pl.String, "b": pl.String, "verdict": pl.String})


@dataclass(frozen=True)
class LinkageEvidence:
    """The inputs of the clustering of some reports that are connected, directly or through others.

    reports: report_id, reported_by, item_id of standing reports. edges: a, b, weight (bits). decisions: id, a, b,
    verdict, as the release counts them. identities: `clustering.IDENTITY_KEY`, None if the kind declares none.
    unblocked: a, b, weight of the pairs without an edge that were scored (`transforms.linkage.unblocked`).
    """

    reports: pl.DataFrame
    edges: pl.DataFrame
    decisions: pl.DataFrame
    rule: LinkageRule
    identities: pl.DataFrame | None = None
    unblocked: pl.DataFrame = field(default_factory=no_pairs)

    @property
    def pairs(self) -> pl.DataFrame:
        """Every pair with a weight, as the clustering takes them."""
        return mark_unblocked(self.edges, self.unblocked)

    def item_of(self, report: str) -> str:
        """Return the item of a report."""
        return str(self.reports.filter(report_id=report)["item_id"].item())

    def members(self, item: str) -> pl.DataFrame:
        """Return the reports of an item."""
        return self.reports.filter(item_id=item)

    def overruled(self) -> pl.DataFrame:
        """Return the overruled ties (`clustering.OVERRULED_TIE`)."""
        return cluster_reports(self.reports, self.pairs, self.decisions, self.rule, self.identities).overruled


@dataclass(frozen=True)
class Separation:
    """What separates the items of two reports.

    decisions: ids of those that call a report of one item and a report of the other different. reporters: those who
    reported both, where a reporter reports an item once. mean: mean match weight in bits between the two cores (the
    reports that weight alone holds together with each), over `pairs` pairs, of which `weighed` were scored; every
    other pair counts `absent` bits. joins: whether weight alone would join the cores.
    """

    decisions: list[int]
    reporters: list[str]
    mean: float
    pairs: int
    weighed: int
    absent: float
    joins: bool

    def reason(self, weight: float | None, automatic: float) -> SeparationReason:
        """Return the strongest reason that separates two reports of this weight (bits; None: no edge)."""
        if self.decisions:
            return "decision"
        if self.reporters:
            return "reporter"
        if weight is None or weight < automatic:
            return "weight"
        return "nothing" if self.joins else "coherence"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def separation_of(evidence: LinkageEvidence, a: str, b: str) -> Separation:
    """Return what separates two reports of different items."""
    first, second = (evidence.members(evidence.item_of(report)) for report in (a, b))
    cores = [_core(evidence, side, report) for side, report in ((first, a), (second, b))]
    weights = pairs_across(evidence.pairs, *cores)["weight"]
    pairs = len(cores[0]) * len(cores[1])
    absent = evidence.rule.no_edge / STEPS_PER_BIT
    mean = (sum(weights) + absent * (pairs - len(weights))) / pairs
    different = evidence.decisions.filter(pl.col("verdict") == "different")
    between = pairs_across(different, first["report_id"], second["report_id"])
    return Separation(
        decisions=between["id"].sort().to_list(),
        reporters=_in_both(first, second) if evidence.rule.one_report_per_item else [],
        mean=mean,
        pairs=pairs,
        weighed=len(weights),
        absent=absent,
        joins=mean >= evidence.rule.automatic,
    )


def pairs_across(pairs: pl.DataFrame, one: pl.Series, other: pl.Series) -> pl.DataFrame:
    """Return the pairs (a, b) with one end in each of two sets of reports."""
    here, there = one.implode(), other.implode()
    return pairs.filter(
        (pl.col("a").is_in(here) & pl.col("b").is_in(there)) | (pl.col("a").is_in(there) & pl.col("b").is_in(here))
    )


def nearest_items(evidence: LinkageEvidence, item: str) -> pl.DataFrame:
    """Return the pair of greatest weight between an item and each other item that an edge leads to, greatest first.

    Columns: report_id (the item's own), other_id, other_item, weight.
    """
    items = evidence.reports.select("report_id", "item_id")
    ends = [
        evidence.edges.select(pl.col(one).alias("report_id"), pl.col(other).alias("other_id"), "weight")
        for one, other in (("a", "b"), ("b", "a"))
    ]
    own = pl.concat(ends).join(items, on="report_id").filter(pl.col("item_id") == item)
    leading = own.join(items.rename({"report_id": "other_id", "item_id": "other_item"}), on="other_id")
    away = leading.filter(pl.col("other_item") != item)
    ordered = away.sort("weight", "report_id", "other_id", descending=[True, False, False])
    first = ordered.unique("other_item", keep="first", maintain_order=True)
    return first.select("report_id", "other_id", "other_item", "weight")


def _core(evidence: LinkageEvidence, members: pl.DataFrame, report: str) -> pl.Series:
    """Return the reports that weight alone holds together with a report, within its item.

    An item holds no separate reports, so its cores do not depend on any constraint.
    """
    ids = members["report_id"]
    within = evidence.pairs.filter(pl.col("a").is_in(ids.implode()), pl.col("b").is_in(ids.implode()))
    by_weight = LinkageRule(evidence.rule.automatic, one_report_per_item=False)
    clusters = cluster_reports(members, within, NO_DECISIONS, by_weight).clusters
    mine = clusters.filter(report_id=report)["cluster"].item()
    return clusters.filter(cluster=mine)["report_id"]


def _in_both(first: pl.DataFrame, second: pl.DataFrame) -> list[str]:
    return sorted(set(first["reported_by"]) & set(second["reported_by"]))
