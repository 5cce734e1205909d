"""Evaluation: how well a release matched the reports of a kind, measured against a truth file."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.matching.truth import REPORT_COLUMN, TruthFile, read_truth
from flows.queries.kind_release import (
    KindRelease,
    counted_decisions,
    open_kind,
    standing_reports,
    unblocked_pairs,
    weigh_pairs,
)
from flows.queries.pairs import compared_values
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.evaluation.scores import (
    COMPONENTS,
    ITEMS,
    PAIRS,
    TRUTH_LABEL,
    MatchResult,
    PairScore,
    false_pairs,
    missed_pairs,
    score_clusters,
    score_edges,
    unconstrained_clusters,
)
from transforms.evaluation.sweep import sweep_thresholds, threshold_grid
from transforms.linkage.blocking import LIST_PREFIX, declared_identities, key_columns, prepare_comparison
from transforms.linkage.clustering import LinkageRule
from transforms.linkage.waterfall import PRIOR
from transforms.preparation.reporters import linked_reporter

MAX_MISSED_WEIGHED: Final = 500
"""How many of the missed pairs are weighed to find the worst."""
HIDDEN_VALUE: Final = "(personal)"


@dataclass(frozen=True)
class Evaluation:
    """How well a release matched the reports that the truth labels.

    threshold: the one in use, in bits; None without a model. reports: how many of the release's `of` reports have a
    label. at: the score of `PAIRS`, `ITEMS`, `COMPONENTS` at the threshold in use. scores: over thresholds,
    `transforms.evaluation.sweep.SCORES`. false, missed: the worst errors, a dictionary each with a, b, compared_by,
    weight and fields (field, a, b, level, bits). notes: sentences.
    """

    kind: str
    release: int
    model: str | None
    threshold: float | None
    reports: int
    of: int
    at: dict[str, PairScore]
    scores: pl.DataFrame
    false: list[dict[str, Any]]
    missed: list[dict[str, Any]]
    notes: list[str]

    @property
    def true(self) -> int:
        """How many pairs are one item by the truth."""
        return self.at[ITEMS].true

    def as_dict(self) -> dict[str, Any]:
        """Return plain values; `pairs`, `clusters` and `components` are the scores at the threshold in use."""
        names = {"pairs": PAIRS, "clusters": ITEMS, "components": COMPONENTS}
        return {
            **{name: self.at[of].as_dict() for name, of in names.items()},
            "threshold": self.threshold,
            "release": self.release,
            "model": self.model,
            "reports": self.reports,
            "true_pairs": self.true,
            "thresholds": self.scores.to_dicts(),
            "errors": {"false": self.false, "missed": self.missed},
            "notes": self.notes,
        }


@dataclass(frozen=True)
class EvaluationRequest:
    """The truth file and its columns, how many errors of each kind to show, whether to show personal values.

    sweep: whether to evaluate other thresholds than the one in use, which clusters all reports again for each.
    """

    truth: Path
    key: str | None = None
    label: str | None = None
    errors: int = 3
    show_values: bool = False
    sweep: bool = True


def evaluate(installation: Installation, kind: Kind, request: EvaluationRequest) -> Evaluation:
    """Compare the items of the current release with the truth; `UsageError` if nothing can be compared."""
    release = open_kind(installation, kind)
    row_keys = _row_keys(installation, kind)
    truth = read_truth(request.truth, {key for _, key in row_keys}, kind.kind, request.key, request.label)
    result = _match_result(release)
    own = [contract for contract, key in row_keys if key == truth.key]
    labels, notes = _truth_labels(release, truth, own)
    if labels.is_empty():
        raise UsageError(
            f"{request.truth}: none of the {truth.rows.height} keys in its column {truth.key!r} is the key of a row in "
            f"release {release.number}: --key names another column"
        )
    thresholds = _thresholds(release, result, sweep=request.sweep)
    if len(thresholds) > 1:
        lowest = LinkageRule(min(thresholds), result.rule.one_report_per_item)
        result = replace(result, unblocked=unblocked_pairs(release, result.edges, lowest))
    false, missed = _worst_errors(release, false_pairs(result, labels), missed_pairs(result, labels), request)
    return Evaluation(
        kind=kind.kind,
        release=release.number,
        model=release.model.digest if release.model else None,
        threshold=release.rule.automatic if release.model else None,
        reports=labels.height,
        of=result.reports.height,
        at=_at(result, labels),
        scores=sweep_thresholds(result, labels, thresholds),
        false=false,
        missed=missed,
        notes=[*([release.unscored] if release.unscored else []), *notes],
    )


def _row_keys(installation: Installation, kind: Kind) -> list[tuple[str, str]]:
    """Return the contracts of a kind whose rows have a key of their own, each with the column of that key."""
    records = [(c.contract, c.record) for c in installation.contracts.values() if c.record]
    return [(name, record.row_key) for name, record in records if record.kind == kind.kind and record.row_key]


def _match_result(release: KindRelease) -> MatchResult:
    sources = release.live("sources").select("report_id", linked_reporter(release.kind), "item_id")
    reports = sources.unique().sort("report_id").collect()
    index = release.live("reports").collect() if release.kind.identities() else None
    return MatchResult(
        reports=reports.select("report_id", "reported_by"),
        items=reports.select("report_id", pl.col("item_id").alias("cluster")),
        edges=release.live("edges").select("a", "b", "weight").collect(),
        decisions=counted_decisions(release),
        identities=None if index is None else declared_identities(index, release.kind),
        rule=release.rule,
    )


def _truth_labels(release: KindRelease, truth: TruthFile, own: list[str]) -> tuple[pl.DataFrame, list[str]]:
    """Return the labels of the reports (`transforms.evaluation.scores.TRUTH_LABEL`), and notes.

    own: the contracts whose rows have the truth's key column as their key; if there are any, the keys are theirs alone.
    """
    sources = release.live("sources").with_columns(linked_reporter(release.kind))
    if own:
        sources = sources.filter(pl.col("contract").is_in(own))
    keys = sources.with_columns(pl.col("report_id").alias("key"))
    if truth.key != REPORT_COLUMN:
        keys = sources.explode("row_keys").rename({"row_keys": "key"})
    wanted = ["report_id", "reported_by", "key", *(name for name in truth.places if name != "reported_by")]
    labelled = keys.select(wanted).unique().join(truth.rows.lazy(), on=["key", *truth.places])
    reporter = pl.col("reported_by") if release.kind.one_report_per_item else pl.col("report_id")
    by_report = labelled.group_by("report_id").agg(
        pl.col("label").min(), reporter.first().alias("reporter"), pl.col("label").n_unique().alias("labels")
    )
    labels = by_report.sort("report_id").collect()
    ambiguous = labels.filter(pl.col("labels") > 1).height
    notes = [f"{ambiguous} reports have rows of several labels: the least label counts"] if ambiguous else []
    return labels.select(*TRUTH_LABEL), notes


def _at(result: MatchResult, labels: pl.DataFrame) -> dict[str, PairScore]:
    """Return the scores at the threshold in use."""
    used = result.rule.automatic
    return {
        PAIRS: score_edges(result.edges, labels, used),
        ITEMS: score_clusters(result.items, labels),
        COMPONENTS: score_clusters(unconstrained_clusters(result.reports, result.edges, used), labels),
    }


def _thresholds(release: KindRelease, result: MatchResult, *, sweep: bool) -> list[float]:
    """Return the thresholds to evaluate: without a model, or a sweep, only the one that the release used."""
    used = result.rule.automatic
    if not sweep or release.review is None:
        return [used]
    return threshold_grid(release.review, used, result.edges)


# The worst errors


def _worst_errors(
    release: KindRelease, false: pl.DataFrame, missed: pl.DataFrame, request: EvaluationRequest
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the worst of both with all fields; of the missed, pairs never compared first, then the least weights."""
    first_missed = missed.head(MAX_MISSED_WEIGHED if request.errors else 0)
    both = pl.concat([false.head(request.errors), first_missed]).select("a", "b")
    ends = pl.concat([both["a"], both["b"]]).unique()
    reports = standing_reports(release, pl.col("report_id").is_in(ends.implode()))
    weights = weigh_pairs(release, both, reports).with_columns(pl.col("bits") + pl.col("frequency_bits"))
    sums = weights.group_by("a", "b").agg(pl.col("bits").sum().alias("weight"))
    described = _compared_by(both, reports, release.kind).join(sums, on=["a", "b"], how="left")
    worst_false = false.head(request.errors).select("a", "b").join(described, on=["a", "b"], maintain_order="left")
    never_compared_first = (pl.col("compared_by").is_not_null(), "weight", "a", "b")
    worst_missed = missed.select("a", "b").join(described, on=["a", "b"]).sort(*never_compared_first)
    details = _ErrorDetails(release.kind, reports, weights, values=request.show_values or not release.kind.personal)
    return (
        [details.describe(pair) for pair in worst_false.to_dicts()],
        [details.describe(pair) for pair in worst_missed.head(request.errors).to_dicts()],
    )


def _compared_by(pairs: pl.DataFrame, reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return a, b and `compared_by`: the first blocking rule or identity that the two share, null if none."""
    keys = prepare_comparison(reports, kind).select("report_id", *key_columns(kind))
    both = pairs.join(keys, left_on="a", right_on="report_id").join(
        keys, left_on="b", right_on="report_id", suffix="_b"
    )
    rules = [
        pl.when(_share_key(name)).then(pl.lit(" + ".join(part.field for part in rule)))
        for name, rule in zip(key_columns(kind), kind.rules(), strict=True)
    ]
    return both.select("a", "b", pl.coalesce(*rules, pl.lit(None, dtype=pl.String)).alias("compared_by"))


def _share_key(name: str) -> pl.Expr:
    """Return whether the two reports of a pair share a key of a column."""
    if name.startswith(LIST_PREFIX):
        return pl.col(name).list.set_intersection(f"{name}_b").list.len() > 0
    return pl.col(name) == pl.col(f"{name}_b")


@dataclass(frozen=True)
class _ErrorDetails:
    """What errors are described from: the reports of their pairs, the weights of fields, whether to show values."""

    kind: Kind
    reports: pl.DataFrame
    weights: pl.DataFrame
    values: bool

    def describe(self, pair: dict[str, Any]) -> dict[str, Any]:
        """Return a pair with its fields: the two values, their comparison level and its weight in bits."""
        a, b = (self.reports.row(by_predicate=pl.col("report_id") == pair[end], named=True) for end in ("a", "b"))
        own = self.weights.filter(pl.col("a") == pair["a"], pl.col("b") == pair["b"])
        by_field = {row["field"]: row for row in own.iter_rows(named=True)}
        one, other = compared_values(self.kind, a), compared_values(self.kind, b)
        names = [name for name in one if one[name] is not None or other[name] is not None]
        fields = [{"field": PRIOR, "a": None, "b": None, **_level(by_field.get(PRIOR))}] if by_field else []
        fields += [
            {
                "field": name,
                "a": self._visible(one[name]),
                "b": self._visible(other[name]),
                **_level(by_field.get(name)),
            }
            for name in names
        ]
        return {**pair, "fields": fields}

    def _visible(self, value: object) -> object:
        return value if self.values or value is None else HIDDEN_VALUE


def _level(row: dict[str, Any] | None) -> dict[str, Any]:
    return {"level": None, "bits": None} if row is None else {"level": row["level"], "bits": round(row["bits"], 2)}
