"""Why two reports are not one item: what keeps their items apart, by the rule of `transforms.linkage.clustering`.

The same inputs that made the clusters are asked again, of few reports: pure, and nothing is decided anew.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import polars as pl

from transforms.linkage.clustering import STEPS, Rule, resolve

Reason = Literal["decision", "reporter", "coherence", "weight", "nothing"]
"""What keeps two reports apart: a decision; that one reporter reported both items; that the reports around them do not
fit; that they do not weigh enough; nothing, and the next night joins them."""
NO_DECISIONS: pl.DataFrame = pl.DataFrame(schema={"id": pl.Int64, "a": pl.String, "b": pl.String, "verdict": pl.String})


@dataclass(frozen=True)
class Known:
    """What a release knows of reports that hang together, directly or through others.

    reports: report_id, reported_by, item_id; those that stand. edges: a, b, weight (bits). decisions: id, a, b,
    verdict; those that the release counts. identities: `resolve.IDENTITY`, None if the kind declares none.
    """

    reports: pl.DataFrame
    edges: pl.DataFrame
    decisions: pl.DataFrame
    rule: Rule
    identities: pl.DataFrame | None = None

    def item_of(self, report: str) -> str:
        """Return the item of a report."""
        return str(self.reports.filter(report_id=report)["item_id"].item())

    def members(self, item: str) -> pl.DataFrame:
        """Return the reports of an item."""
        return self.reports.filter(item_id=item)

    def overruled(self) -> pl.DataFrame:
        """Return the ties that could not hold (`resolve.OVERRULED`)."""
        return resolve(self.reports, self.edges, self.decisions, self.rule, self.identities).overruled


@dataclass(frozen=True)
class Apart:
    """What there is between the items of two reports.

    decisions: ids of those that call a report of one and a report of the other different. reporters: who reported both,
    where a reporter reports an item once. mean: the mean match weight in bits between the two cores, what weight alone
    holds together around each report, over `pairs` pairs of reports, of which `weighed` have an edge and each other
    counts `absent`. joins: whether weight alone would make them one.
    """

    decisions: list[int]
    reporters: list[str]
    mean: float
    pairs: int
    weighed: int
    absent: float
    joins: bool

    @property
    def constrained(self) -> bool:
        """Whether a decision or the kind's own constraint keeps them apart, whatever the weight."""
        return bool(self.decisions or self.reporters)

    def reason(self, weight: float | None, automatic: float) -> Reason:
        """Return what keeps two reports of this weight (bits; None: none is kept) apart, the strongest reason."""
        if self.decisions:
            return "decision"
        if self.reporters:
            return "reporter"
        if weight is None or weight < automatic:
            return "weight"
        return "nothing" if self.joins else "coherence"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def apart(known: Known, a: str, b: str) -> Apart:
    """Return what there is between the items of two reports that stand in two items."""
    first, second = (known.members(known.item_of(report)) for report in (a, b))
    cores = [_core(known, side, report) for side, report in ((first, a), (second, b))]
    weights = across(known.edges, *cores)["weight"]
    pairs = len(cores[0]) * len(cores[1])
    absent = known.rule.absent / STEPS
    mean = (sum(weights) + absent * (pairs - len(weights))) / pairs
    said = known.decisions.filter(pl.col("verdict") == "different")
    different = across(said, first["report_id"], second["report_id"])
    return Apart(
        decisions=different["id"].sort().to_list(),
        reporters=_in_both(first, second) if known.rule.one_report_per_item else [],
        mean=mean,
        pairs=pairs,
        weighed=len(weights),
        absent=absent,
        joins=mean >= known.rule.automatic,
    )


def across(pairs: pl.DataFrame, one: pl.Series, other: pl.Series) -> pl.DataFrame:
    """Return the pairs (a, b) of which one end is among one set of reports and the other end among the other."""
    here, there = one.implode(), other.implode()
    return pairs.filter(
        (pl.col("a").is_in(here) & pl.col("b").is_in(there)) | (pl.col("a").is_in(there) & pl.col("b").is_in(here))
    )


def nearest(known: Known, item: str) -> pl.DataFrame:
    """Return the pair of greatest weight between an item and each other one that any edge leads to, greatest first.

    Columns: report_id (the item's own), other_id, other_item, weight.
    """
    items = known.reports.select("report_id", "item_id")
    ends = [
        known.edges.select(pl.col(one).alias("report_id"), pl.col(other).alias("other_id"), "weight")
        for one, other in (("a", "b"), ("b", "a"))
    ]
    told = pl.concat(ends).join(items, on="report_id").filter(pl.col("item_id") == item)
    leading = told.join(items.rename({"report_id": "other_id", "item_id": "other_item"}), on="other_id")
    away = leading.filter(pl.col("other_item") != item)
    ordered = away.sort("weight", "report_id", "other_id", descending=[True, False, False])
    first = ordered.unique("other_item", keep="first", maintain_order=True)
    return first.select("report_id", "other_id", "other_item", "weight")


def _core(known: Known, members: pl.DataFrame, report: str) -> pl.Series:
    """Return the reports that weight alone holds together with a report, within its item.

    Nothing in an item is apart, so no constraint had a say in how its cores came to be.
    """
    ids = members["report_id"]
    within = known.edges.filter(pl.col("a").is_in(ids.implode()), pl.col("b").is_in(ids.implode()))
    alone = Rule(known.rule.automatic, one_report_per_item=False)
    clusters = resolve(members, within, NO_DECISIONS, alone).clusters
    mine = clusters.filter(report_id=report)["cluster"].item()
    return clusters.filter(cluster=mine)["report_id"]


def _in_both(first: pl.DataFrame, second: pl.DataFrame) -> list[str]:
    return sorted(set(first["reported_by"]) & set(second["reported_by"]))
