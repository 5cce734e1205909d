"""Evaluation: how well a release matched the reports of a kind, measured against a truth file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.matching.truth import REPORT_COLUMN, TruthFile, read_truth
from flows.queries.kind_release import KindRelease, counted_decisions, open_kind, standing_reports, weigh_pairs
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.linkage.blocking import declared_identities, key_columns, prepare_comparison
from transforms.linkage.clustering import unconstrained_clusters
from transforms.linkage.evaluation import (
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
    sweep_thresholds,
    threshold_grid,
)
from transforms.linkage.waterfall import PRIOR

MAX_MISSED_WEIGHED: Final = 500
"""How many of the missed pairs are weighed to find the worst."""
HIDDEN_VALUE: Final = "(personal)"


@dataclass(frozen=True)
class Evaluation:
    """How well a release matched the reports that the truth labels.

    threshold: the one in use, in bits; None without a model. reports: how many of the release's `of` reports have a
    label. at: the score of `PAIRS`, `ITEMS`, `COMPONENTS` at the threshold in use. scores: over thresholds,
    `transforms.linkage.evaluation.SCORES`. false, missed: the worst errors, a dictionary each with a, b, compared_by,
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
    """The truth file and its columns, how many errors of each kind to show, and whether to show personal values."""

    truth: Path
    key: str | None = None
    label: str | None = None
    errors: int = 3
    show_values: bool = False


def evaluate(installation: Installation, kind: Kind, request: EvaluationRequest) -> Evaluation:
    """Compare the items of the current release with the truth; `UsageError` if nothing can be compared."""
    release = open_kind(installation, kind)
    contracts = [c.record for c in installation.contracts.values() if c.record and c.record.kind == kind.kind]
    keys = {record.row_key for record in contracts if record.row_key}
    truth = read_truth(request.truth, keys, kind.kind, request.key, request.label)
    result = _match_result(release)
    labels, notes = _truth_labels(release, truth)
    if labels.is_empty():
        raise UsageError(
            f"{request.truth}: none of the {truth.rows.height} keys in its column {truth.key!r} is the key of a row in "
            f"release {release.number}: --key names another column"
        )
    false, missed = _worst_errors(release, false_pairs(result, labels), missed_pairs(result, labels), request)
    return Evaluation(
        kind=kind.kind,
        release=release.number,
        model=release.model.digest if release.model else None,
        threshold=release.rule.automatic if release.model else None,
        reports=labels.height,
        of=result.reports.height,
        at=_at(result, labels),
        scores=sweep_thresholds(result, labels, _thresholds(release, result)),
        false=false,
        missed=missed,
        notes=[*([release.unscored] if release.unscored else []), *notes],
    )


def _match_result(release: KindRelease) -> MatchResult:
    reports = release.live("sources").select("report_id", "reported_by", "item_id").unique().sort("report_id").collect()
    index = release.live("reports").collect() if release.kind.identities() else None
    return MatchResult(
        reports=reports.select("report_id", "reported_by"),
        items=reports.select("report_id", pl.col("item_id").alias("cluster")),
        edges=release.live("edges").select("a", "b", "weight").collect(),
        decisions=counted_decisions(release),
        identities=None if index is None else declared_identities(index, release.kind),
        rule=release.rule,
    )


def _truth_labels(release: KindRelease, truth: TruthFile) -> tuple[pl.DataFrame, list[str]]:
    """Return the labels of the reports (`transforms.linkage.evaluation.TRUTH_LABEL`), and notes."""
    sources = release.live("sources")
    keys = sources.with_columns(pl.col("report_id").alias("key"))
    if truth.key != REPORT_COLUMN:
        keys = sources.explode("row_keys").rename({"row_keys": "key"})
    labelled = keys.select("report_id", "reported_by", "key").unique().join(truth.rows.lazy(), on="key")
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


def _thresholds(release: KindRelease, result: MatchResult) -> list[float]:
    """Return the thresholds to evaluate: without a model, only the one that the release used."""
    used = result.rule.automatic
    return [used] if release.review is None else threshold_grid(release.review, used, result.edges)


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
        pl.when(pl.col(name) == pl.col(f"{name}_b")).then(pl.lit(" + ".join(part.field for part in rule)))
        for name, rule in zip(key_columns(kind), kind.rules(), strict=True)
    ]
    return both.select("a", "b", pl.coalesce(*rules, pl.lit(None, dtype=pl.String)).alias("compared_by"))


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
        names = [name for name in self.kind.fields if a[name] is not None or b[name] is not None]
        fields = [{"field": PRIOR, "a": None, "b": None, **_level(by_field.get(PRIOR))}] if by_field else []
        fields += [
            {"field": name, "a": self._visible(a[name]), "b": self._visible(b[name]), **_level(by_field.get(name))}
            for name in names
        ]
        return {**pair, "fields": fields}

    def _visible(self, value: object) -> object:
        return value if self.values or value is None else HIDDEN_VALUE


def _level(row: dict[str, Any] | None) -> dict[str, Any]:
    return {"level": None, "bits": None} if row is None else {"level": row["level"], "bits": round(row["bits"], 2)}
