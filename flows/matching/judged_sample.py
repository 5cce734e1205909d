"""Evaluation without known answers: a person judges a sample of pairs, and precision and recall are estimated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from flows.installation import Installation
from flows.matching.decisions import RecordedDecision, decide
from flows.queries.kind_release import KindRelease, counted_decisions, open_kind, pending_decisions, standing_reports
from flows.queries.pairs import Pair, compare_pairs
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.evaluation.estimate import BoundedEstimate, estimate_scores
from transforms.evaluation.frame import SETTLING, JudgedSample, SamplingFrame, draw_sample, sampling_frame


@dataclass(frozen=True)
class SampleEvaluation:
    """A release and the pairs from which a sample of about `wanted` is drawn; answers are read from the ledger."""

    release: KindRelease
    frame: SamplingFrame
    wanted: int
    of: int

    def sample(self) -> JudgedSample:
        """Return the sample with what is known of it now."""
        counted, pending = counted_decisions(self.release), pending_decisions(self.release)
        return draw_sample(self.frame, self.release.rule.automatic, self.wanted, counted, pending)


@dataclass(frozen=True)
class SampleResult:
    """What is known of a sample: its strata, how many pairs are judged or open, and the estimates.

    estimates: precision, recall, f1 of `items` and of `pairs`. reports: how many of the release's `of` reports the
    sample is of.
    """

    kind: str
    release: int
    reports: int
    of: int
    unseen: int
    strata: list[dict[str, Any]]
    judged: int
    unsure: int
    open: int
    estimates: dict[str, dict[str, BoundedEstimate]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        estimates = {of: {name: e.as_dict() for name, e in found.items()} for of, found in self.estimates.items()}
        fields = ("kind", "release", "reports", "of", "judged", "unsure", "open", "unseen", "strata")
        return {name: getattr(self, name) for name in fields} | {"estimates": estimates}


def open_sample(
    installation: Installation, kind: Kind, wanted: int, progress: Callable[[str], None] = lambda _: None
) -> SampleEvaluation:
    """Find the pairs of the current release that a sample is drawn from.

    Raises `UsageError` if no release has the kind, no pair can be weighed, or there is none.
    """
    release = open_kind(installation, kind)
    if release.unscored or release.model is None:
        raise UsageError(f"nothing to judge: {release.unscored}")
    reports = standing_reports(release, pl.col("report_id").is_not_null())
    progress(f"searching the pairs of {reports.height} reports")
    frame = sampling_frame(reports, release.kind, release.model)
    if frame.pairs.is_empty():
        raise UsageError(f"nothing to judge: no two reports of kind {kind.kind} have anything in common")
    return SampleEvaluation(release, frame, wanted, reports.height)


def open_pairs(evaluation: SampleEvaluation, sample: JudgedSample) -> list[Pair]:
    """Return the pairs of the sample without a verdict, compared, in the order in which they are asked."""
    pairs = sample.pairs.filter(pl.col("verdict").is_null())
    ends = pl.concat([pairs["a"], pairs["b"]]).unique()
    reports = standing_reports(evaluation.release, pl.col("report_id").is_in(ends.implode()))
    return compare_pairs(evaluation.release, pairs, reports)


def judge(evaluation: SampleEvaluation, pair: Pair, verdict: str, *, why: str, who: str | None) -> RecordedDecision:
    """Record a verdict on a pair of the sample as a decision."""
    reason = why or f"judged in a sample of release {evaluation.release.number}"
    return decide(evaluation.release.installation, pair.ends, verdict, why=reason, who=who)


def sample_result(evaluation: SampleEvaluation, sample: JudgedSample) -> SampleResult:
    """Return the estimates from what is judged of the sample."""
    strata, frame = sample.strata, evaluation.frame
    return SampleResult(
        kind=evaluation.release.kind.kind,
        release=evaluation.release.number,
        reports=frame.reports,
        of=evaluation.of,
        unseen=round(frame.unseen),
        strata=strata.to_dicts(),
        judged=int(sample.pairs["verdict"].is_in(SETTLING).sum() or 0),
        unsure=int((sample.pairs["verdict"] == "unsure").sum() or 0),
        open=sample.pairs["verdict"].null_count(),
        estimates=estimate_scores(strata, frame.unseen),
    )
