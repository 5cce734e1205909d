"""The pairs of a release from which a sample is drawn for judging, and what was judged of them."""

from dataclasses import dataclass
from typing import Final

import polars as pl
import polars_hash as plh

from schemas.kind import Kind
from transforms.evaluation.strata import STRATUM, allocate, count_strata, draw_pairs, with_strata
from transforms.evaluation.wider import search_wider
from transforms.linkage.blocking import prepare_comparison
from transforms.linkage.model import MatchModel, review_threshold
from transforms.linkage.scoring import score_groups

LOWEST_BITS: Final = -10.0
"""Pairs between items that score less are not judged: about one in a thousand is a match."""
MAX_DRAWN_REPORTS: Final = 20_000
"""Reports whose pairs are the frame: of more, so many are drawn at random, which leaves every share as it is."""
MAX_ITEM: Final = 200
"""Reports of the largest items of which every pair is in the frame; of larger ones, those that are scored."""
DECIDED: Final = -1
"""The stratum of pairs that a decision in the release settles: they are known, and not drawn."""


SETTLING: Final = ("same", "different")
"""Verdicts that say whether a pair is one item."""


@dataclass(frozen=True)
class SamplingFrame:
    """The pairs that a sample is drawn from: a, b, weight, within (one item).

    unseen: about how many matches are not among them. reports: how many reports they are of.
    """

    pairs: pl.DataFrame
    unseen: float
    reports: int


@dataclass(frozen=True)
class JudgedSample:
    """A sample of pairs to judge. pairs: those drawn, in random order: a, b, weight, within, verdict (null: none yet).

    strata: from `strata.allocate`, with judged, same, unsure: what is known of the pairs drawn from each. A stratum
    `DECIDED` has the pairs that decisions in the release settle.
    """

    pairs: pl.DataFrame
    strata: pl.DataFrame


def sampling_frame(reports: pl.DataFrame, kind: Kind, model: MatchModel) -> SamplingFrame:
    """Return the pairs of a release from which to draw; reports: standing ones with the kind's fields and item_id."""
    search = search_wider(reports, kind, model)
    drawn = _drawn_reports(reports["report_id"])
    items = reports.select("report_id", group="item_id")
    scored = search.pairs(drawn, min(review_threshold(kind, model), LOWEST_BITS))
    for end in ("a", "b"):
        scored = scored.join(items.rename({"report_id": end, "group": f"_{end}"}), on=end)
    scored = scored.select("a", "b", "weight", within=pl.col("_a") == pl.col("_b"))
    inside = _within_items(reports, items, drawn, kind, model)
    pairs = pl.concat([inside, scored.join(inside, on=["a", "b"], how="anti")])
    return SamplingFrame(pairs, search.unseen_matches(pairs.filter("within")), drawn.len())


def draw_sample(
    frame: SamplingFrame, threshold: float, wanted: int, counted: pl.DataFrame, pending: pl.DataFrame
) -> JudgedSample:
    """Return a sample of about `wanted` pairs; the same one whatever was answered since the release.

    counted, pending: a, b, verdict of the decisions that the release counts, and of those made since.
    """
    known = frame.pairs.join(_verdicts(counted), on=["a", "b"], how="left")
    settled = pl.col("verdict").is_in(SETTLING).fill_null(False)
    unsettled = with_strata(known.filter(~settled).rename({"verdict": "looked_at"}), threshold)
    strata = allocate(count_strata(unsettled), wanted)
    drawn = draw_pairs(unsettled, strata).join(_verdicts(pending), on=["a", "b"], how="left", maintain_order="left")
    drawn = drawn.with_columns(pl.coalesce("verdict", "looked_at").alias("verdict"))
    decided = with_strata(known.filter(settled), threshold).with_columns(stratum=pl.lit(DECIDED, pl.Int32))
    counts = count_strata(decided).with_columns(drawn="pairs")
    judged = pl.concat([part.select(*STRATUM, "joins", "verdict") for part in (drawn, decided)])
    return JudgedSample(
        drawn.select("a", "b", "weight", "within", "verdict"), _with_answers(pl.concat([strata, counts]), judged)
    )


def _with_answers(strata: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Return the strata with judged, same, unsure: how many of their pairs have which verdict."""
    verdict, places = pl.col("verdict"), [*STRATUM, "joins"]
    answers = judged.group_by(places).agg(
        verdict.is_in(SETTLING).sum().cast(pl.Int64).alias("judged"),
        *((verdict == name).sum().cast(pl.Int64).alias(name) for name in ("same", "unsure")),
    )
    joined = strata.join(answers, on=places, how="left", maintain_order="left")
    return joined.with_columns(pl.col("judged", "same", "unsure").fill_null(0))


def _verdicts(decisions: pl.DataFrame) -> pl.DataFrame:
    """Return a, b, verdict: of several on a pair, different prevails, then same."""
    return decisions.group_by("a", "b").agg(pl.col("verdict").min())  # different < same < unsure


def _drawn_reports(ids: pl.Series) -> pl.Series:
    """Return the reports whose pairs are wanted: the same ones at each run."""
    chance = plh.col("report_id").nchash.xxhash64()
    return ids.to_frame("report_id").sort(chance, "report_id").head(MAX_DRAWN_REPORTS)["report_id"]


def _within_items(
    reports: pl.DataFrame, items: pl.DataFrame, drawn: pl.Series, kind: Kind, model: MatchModel
) -> pl.DataFrame:
    """Return every pair within an item of a drawn report that may be one item: a, b, weight, within."""
    is_drawn = pl.col("report_id").is_in(drawn.implode())
    wanted = items.filter(pl.len().over("group").is_between(2, MAX_ITEM), is_drawn.any().over("group"))
    members = reports.join(wanted, on="report_id", how="semi")
    pairs = score_groups(prepare_comparison(members, kind, model), wanted, kind, model)
    return pairs.filter(pl.any_horizontal(pl.col("a", "b").is_in(drawn.implode()))).with_columns(within=pl.lit(True))
