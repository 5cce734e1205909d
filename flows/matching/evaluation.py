"""How well a release matched the reports of a kind, against a file of what is true."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.matching.truth import REPORT, Truth, read_truth
from flows.queries.kind_release import KindRelease, decisions_of, open_kind, reports_of, weighed
from flows.release.records.resolution import declared
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.linkage.blocking import comparable, key_columns
from transforms.linkage.clustering import connected
from transforms.linkage.evaluation import (
    COMPONENTS,
    ITEMS,
    LABELS,
    PAIRS,
    Matched,
    Score,
    cluster_score,
    false_pairs,
    grid,
    missed_pairs,
    pair_score,
    sweep,
)
from transforms.linkage.waterfall import PRIOR

WEIGHED: Final = 500
"""So many of the missed pairs are weighed to find the worst."""
HIDDEN: Final = "(personal)"


@dataclass(frozen=True)
class Evaluation:
    """How well a release matched, of the reports that the truth names.

    threshold: the one in use, bits; None where no model scores. reports: how many of the release the truth names, of
    `of`; true: how many pairs are one item in truth. at: the score of `PAIRS`, `ITEMS`, `COMPONENTS` at the threshold
    in use; scores: over thresholds, `transforms.linkage.evaluation.SCORES`. false, missed: the worst errors, a
    dictionary each with a, b, compared_by, weight and fields (field, a, b, level, bits). notes: sentences.
    """

    kind: str
    release: int
    model: str | None
    threshold: float | None
    reports: int
    of: int
    at: dict[str, Score]
    scores: pl.DataFrame
    false: list[dict[str, Any]]
    missed: list[dict[str, Any]]
    notes: list[str]

    @property
    def true(self) -> int:
        """How many pairs are one item in truth."""
        return self.at[ITEMS].true

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values: `pairs` and `clusters` at the `threshold` in use first."""
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
class Asked:
    """What is asked: the truth's file and the columns of it, how many errors each way, whether personal values show."""

    truth: Path
    key: str | None = None
    label: str | None = None
    errors: int = 3
    show_values: bool = False


def evaluate(installation: Installation, kind: Kind, asked: Asked) -> Evaluation:
    """Compare the items of the current release with the truth; `UsageError` if nothing can be compared."""
    read = open_kind(installation, kind)
    contracts = [c.record for c in installation.contracts.values() if c.record and c.record.kind == kind.kind]
    keys = {record.row_key for record in contracts if record.row_key}
    truth = read_truth(asked.truth, keys, kind.kind, asked.key, asked.label)
    matched = _matched(read)
    labels, notes = _labels(read, truth)
    if labels.is_empty():
        raise UsageError(
            f"{asked.truth}: none of the {truth.rows.height} keys in its column {truth.key!r} is that of a row in "
            f"release {read.number}: --key names another column"
        )
    false, missed = _errors(read, false_pairs(matched, labels), missed_pairs(matched, labels), asked)
    return Evaluation(
        kind=kind.kind,
        release=read.number,
        model=read.model.digest if read.model else None,
        threshold=read.rule.automatic if read.model else None,
        reports=labels.height,
        of=matched.reports.height,
        at=_at(matched, labels),
        scores=sweep(matched, labels, _thresholds(read, matched)),
        false=false,
        missed=missed,
        notes=[*([read.unscored] if read.unscored else []), *notes],
    )


def _matched(read: KindRelease) -> Matched:
    told = read.live("sources").select("report_id", "reported_by", "item_id").unique().sort("report_id").collect()
    return Matched(
        reports=told.select("report_id", "reported_by"),
        items=told.select("report_id", pl.col("item_id").alias("cluster")),
        edges=read.live("edges").select("a", "b", "weight").collect(),
        decisions=decisions_of(read),
        identities=declared(read.live("reports").collect(), read.kind) if read.kind.identities() else None,
        rule=read.rule,
    )


def _labels(read: KindRelease, truth: Truth) -> tuple[pl.DataFrame, list[str]]:
    """Return labels (`transforms.linkage.evaluation.LABELS`) of the reports that the truth names, and notes."""
    sources = read.live("sources")
    keys = sources.with_columns(pl.col("report_id").alias("key"))
    if truth.key != REPORT:
        keys = sources.explode("row_keys").rename({"row_keys": "key"})
    told = keys.select("report_id", "reported_by", "key").unique().join(truth.rows.lazy(), on="key")
    reporter = pl.col("reported_by") if read.kind.one_report_per_item else pl.col("report_id")
    by_report = told.group_by("report_id").agg(
        pl.col("label").min(), reporter.first().alias("reporter"), pl.col("label").n_unique().alias("labels")
    )
    labels = by_report.sort("report_id").collect()
    torn = labels.filter(pl.col("labels") > 1).height
    notes = [f"{torn} reports have rows of several labels: each was taken by the least"] if torn else []
    return labels.select(*LABELS), notes


def _at(matched: Matched, labels: pl.DataFrame) -> dict[str, Score]:
    """Return the scores at the threshold in use."""
    used = matched.rule.automatic
    return {
        PAIRS: pair_score(matched.edges, labels, used),
        ITEMS: cluster_score(matched.items, labels),
        COMPONENTS: cluster_score(connected(matched.reports, matched.edges, used), labels),
    }


def _thresholds(read: KindRelease, matched: Matched) -> list[float]:
    """Return the thresholds to show: without a model there is nothing to show them of but what was released."""
    used = matched.rule.automatic
    return [used] if read.review is None else grid(read.review, used, matched.edges)


# The worst errors


def _errors(
    read: KindRelease, false: pl.DataFrame, missed: pl.DataFrame, asked: Asked
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the worst of both, each told whole: of the missed, those never compared first, then the least weights."""
    both = pl.concat([false.head(asked.errors), missed.head(WEIGHED if asked.errors else 0)]).select("a", "b")
    ends = pl.concat([both["a"], both["b"]]).unique()
    reports = reports_of(read, pl.col("report_id").is_in(ends.implode()))
    weights = weighed(read, both, reports).with_columns(pl.col("bits") + pl.col("frequency_bits"))
    sums = weights.group_by("a", "b").agg(pl.col("bits").sum().alias("weight"))
    told = _compared_by(both, reports, read.kind).join(sums, on=["a", "b"], how="left")
    worst = (
        false.head(asked.errors).select("a", "b").join(told, on=["a", "b"], maintain_order="left"),
        missed.select("a", "b").join(told, on=["a", "b"]).sort(pl.col("compared_by").is_not_null(), "weight", "a", "b"),
    )
    shown = _Shown(read.kind, reports, weights, values=asked.show_values or not read.kind.personal)
    first, second = ([shown.whole(row) for row in pairs.head(asked.errors).to_dicts()] for pairs in worst)
    return first, second


def _compared_by(pairs: pl.DataFrame, reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return a, b and `compared_by`: the first rule or identity that brings them together, null if none does."""
    keys = comparable(reports, kind).select("report_id", *key_columns(kind))
    both = pairs.join(keys, left_on="a", right_on="report_id").join(
        keys, left_on="b", right_on="report_id", suffix="_b"
    )
    rules = [
        pl.when(pl.col(name) == pl.col(f"{name}_b")).then(pl.lit(" + ".join(part.field for part in rule)))
        for name, rule in zip(key_columns(kind), kind.rules(), strict=True)
    ]
    return both.select("a", "b", pl.coalesce(*rules, pl.lit(None, dtype=pl.String)).alias("compared_by"))


@dataclass(frozen=True)
class _Shown:
    """What errors are told from: the reports of their pairs, what each field weighs, whether values are shown."""

    kind: Kind
    reports: pl.DataFrame
    weights: pl.DataFrame
    values: bool

    def whole(self, pair: dict[str, Any]) -> dict[str, Any]:
        """Return a pair with its fields, of each what both reports say, at which level that is, and what it weighs."""
        a, b = (self.reports.row(by_predicate=pl.col("report_id") == pair[end], named=True) for end in ("a", "b"))
        own = self.weights.filter(pl.col("a") == pair["a"], pl.col("b") == pair["b"])
        said = {row["field"]: row for row in own.iter_rows(named=True)}
        names = [name for name in self.kind.fields if a[name] is not None or b[name] is not None]
        told = [{"field": PRIOR, "a": None, "b": None, **_of(said.get(PRIOR))}] if said else []
        told += [{"field": n, "a": self._shown(a[n]), "b": self._shown(b[n]), **_of(said.get(n))} for n in names]
        return {**pair, "fields": told}

    def _shown(self, value: object) -> object:
        return value if self.values or value is None else HIDDEN


def _of(said: dict[str, Any] | None) -> dict[str, Any]:
    return {"level": None, "bits": None} if said is None else {"level": said["level"], "bits": round(said["bits"], 2)}
