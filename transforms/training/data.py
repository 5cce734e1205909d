"""What a model is trained on: the reports as they are compared, and how many pairs of them may be one item."""

import math
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import polars as pl

from schemas.comparisons import counts_words
from schemas.kind import Kind
from transforms.identity import digest, lanes
from transforms.linkage.blocking import (
    BLOCK_PREFIX,
    MIN_WORD_BITS,
    distinct_words,
    prepare_comparison,
    with_counted,
    without_capped_keys,
)
from transforms.linkage.candidates import blocks_over_limit, reports_by_key
from transforms.linkage.comparisons import splink_settings
from transforms.linkage.model import Frequencies, MatchModel, WordWeights, round_floats
from transforms.training.probabilities import SHARE_SETTING, with_declared

MIN_VALUE_COUNT: Final = 2
MIN_WORD_COUNT: Final = 4
"""A model does not list values and words that fewer reports have: they count as the rarest."""


@dataclass(frozen=True)
class TrainingData:
    """The reports of a kind, ready to be compared: sorted by id, without the keys of blocks over the limit.

    folded: the same with texts as texts. bare: a model with frequencies and word weights, without probabilities.
    """

    kind: Kind
    folded: pl.DataFrame
    compared: pl.DataFrame
    bare: MatchModel

    @property
    def smallest(self) -> float:
        """The least probability that so many reports can show."""
        return 1 / max(self.compared.height, 2)

    @cached_property
    def pairs(self) -> int:
        """How many pairs of reports may be one item."""
        reports = self.compared.height
        return reports * (reports - 1) // 2 - (self._pairs_of_one_reporter() if self.kind.one_report_per_item else 0)

    @cached_property
    def possible_matches(self) -> int:
        """How many of those pairs can be one item at the same time: a reporter has one report of an item."""
        if not self.kind.one_report_per_item:
            return self.pairs
        counts = sorted(self.compared["reported_by"].value_counts()["count"])
        return sum(n * (len(counts) - 1 - place) for place, n in enumerate(counts))

    def model(self, settings: dict[str, Any], best: float = 0.0) -> MatchModel:
        """Return the model with these settings of Splink and this threshold."""
        against = {name: f.against for name, f in self.kind.compared().items() if f.against is not None}
        learnt = {name: settings[name] for name in ("comparisons", SHARE_SETTING)}
        learnt = with_declared(deepcopy(learnt), against) if against else learnt
        return replace(self.bare, settings=splink_settings(self.kind) | round_floats(learnt), best=best)

    def pairs_by_rule(self, column: str) -> int:
        """Return how many pairs that may be one item share a key of this column."""
        return count_pairs(reports_by_key(self.compared, column), ["_key"], self.kind)

    def _pairs_of_one_reporter(self) -> int:
        counts = self.compared["reported_by"].value_counts()["count"].cast(pl.Int64)
        return int((counts * (counts - 1) // 2).sum())


def training_data(reports: pl.DataFrame, kind: Kind) -> TrainingData:
    """Return the training data of reports (`report_id`, `reported_by`, the kind's fields), whatever their order."""
    folded = prepare_comparison(reports.sort("report_id"), kind)
    bare = MatchModel(
        kind.kind, kind.match_digest(), {}, _frequencies(folded, kind), _word_weights(folded, kind), 0, {}
    )
    compared = with_counted(folded, kind, bare)
    compared = without_capped_keys(compared, blocks_over_limit(compared, kind), kind)
    return TrainingData(kind, folded, compared.sort("report_id"), bare)


def count_pairs(reports: pl.DataFrame, columns: list[str], kind: Kind) -> int:
    """Return how many pairs that may be one item have equal values in all columns, none of them null."""
    own = pl.col("reported_by") if kind.one_report_per_item else pl.col("report_id")
    counts = reports.drop_nulls(columns).group_by(*columns, _own=own).agg(pl.len().cast(pl.Int64).alias("n"))
    groups = counts.group_by(columns).agg(pl.col("n").sum().alias("all"), (pl.col("n") ** 2).sum().alias("own"))
    return int(groups.select((pl.col("all") ** 2 - pl.col("own")).sum()).item() or 0) // 2


def training_data_digest(compared: pl.DataFrame) -> str:
    """Return 32 hex characters over the reports that a model was trained on, whatever their order."""
    sums = compared.select(
        lanes(pl.col("report_id"), *(pl.col(c) for c in compared.columns if c.startswith(BLOCK_PREFIX)))
    )
    return digest(sums.sum().row(0))


def _frequencies(folded: pl.DataFrame, kind: Kind) -> dict[str, Frequencies]:
    frequencies = {}
    for name, field in kind.compared().items():
        if field.term_frequency:
            values = folded[name].cast(pl.String).drop_nulls()
            counts = values.value_counts(name="reports").filter(pl.col("reports") >= MIN_VALUE_COUNT).sort(name)
            shares = {value: round_floats(n / values.len()) for value, n in counts.iter_rows()}
            frequencies[name] = Frequencies(shares, round_floats(1 / max(values.len(), 1)))
    return frequencies


def _word_weights(folded: pl.DataFrame, kind: Kind) -> dict[str, WordWeights]:
    word_weights = {}
    for name, field in kind.compared().items():
        if counts_words(field.compare):
            texts = folded.select(distinct_words(pl.col(name)).alias("word")).drop_nulls()
            counts = texts.explode("word").drop_nulls().group_by("word").agg(pl.len().alias("texts"))
            counts = counts.filter(pl.col("texts") >= MIN_WORD_COUNT).sort("word")
            weights = {word: round(math.log2(max(texts.height, 1) / n), 1) for word, n in counts.iter_rows()}
            rarest = max(MIN_WORD_BITS, round(math.log2(max(texts.height, 2) / 2), 1))
            word_weights[name] = WordWeights(weights, rarest)
    return word_weights
