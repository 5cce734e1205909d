"""Blocking and drafts on public sets with known truth; skipped where the data is not there."""

import polars as pl
import pytest

from schemas.blocking import Key
from schemas.kind import Kind, load_kinds, read_kind
from tests.support.paths import DATA
from transforms.drafting.block_report import captured_pairs, report_blocks
from transforms.drafting.draft_text import kind_as_yaml
from transforms.drafting.kind_draft import draft_kind
from transforms.linkage.blocking import blocking_index, without_capped_keys
from transforms.linkage.candidates import blocks_over_limit

SETS = DATA / "er"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not SETS.exists(), reason=f"no public sets at {SETS}")]
PRODUCT = {"name": "name", "description": "description", "price": "price"}
LEAST_RECALL = {
    "febrl3": 0.999, "febrl4": 0.9999, "fake_1000": 0.93, "chicago_early_childhood": 0.999, "restaurants": 0.97,
    "cora": 0.9, "abt_buy": 0.94,
}  # fmt: skip
"""Recall of the drafted blocking rules, at least."""


def truth(name: str) -> pl.DataFrame:
    pairs = pl.read_parquet(SETS / name / "pairs.parquet")
    ends = ("id_l", "id_r")
    return pairs.select(pl.min_horizontal(ends).alias("a"), pl.max_horizontal(ends).alias("b")).unique()


def candidates(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the candidate pairs (a, b) of the reports."""
    ordered = reports.sort("report_id")
    index = blocking_index(ordered, kind).with_columns(ordered["reported_by"])
    within = without_capped_keys(index, blocks_over_limit(index, kind), kind)
    pairs = captured_pairs(within, kind, 1.0)
    return pairs.select(ordered["report_id"].gather(pairs[end]).alias(end) for end in ("a", "b"))


def recall(pairs: pl.DataFrame, name: str) -> float:
    true = truth(name)
    return true.join(pairs, on=["a", "b"], how="semi").height / true.height


def test_rare_words_find_more_with_fewer_pairs() -> None:
    kind = load_kinds(SETS / "abt_buy" / "kinds")["product"]
    records = pl.read_parquet(SETS / "abt_buy" / "records.parquet")
    reports = records.select(pl.col("id").alias("report_id"), pl.col("source").alias("reported_by"), *PRODUCT)
    reports = reports.with_columns(pl.col("price").cast(pl.Float64, strict=False))
    rare = kind.model_copy(update={"blocking": ((Key(field="name", rare="word"),),)})
    before, after = candidates(reports, kind), candidates(reports, rare)
    assert recall(after, "abt_buy") >= 0.88 > recall(before, "abt_buy")
    assert after.height < before.height


@pytest.mark.parametrize("name", LEAST_RECALL)
def test_a_draft_finds_the_true_pairs(name: str) -> None:
    records = pl.read_parquet(SETS / name / "records.parquet")
    draft = draft_kind(records, "thing", ("cluster",))
    kind = read_kind(kind_as_yaml(draft), "thing.yml")
    columns = {field: pl.col(column).cast(pl.String) for field, column in draft.fields.items()}
    numbers = [field for field, spec in kind.fields.items() if spec.type == "number"]
    by = pl.lit("all") if draft.reporter is None else pl.col(draft.reporter)
    reports = records.select(report_id=pl.col(draft.key).cast(pl.String), reported_by=by, **columns)
    reports = reports.with_columns(pl.col(numbers).cast(pl.Float64, strict=False))
    pairs = candidates(reports, kind)
    assert recall(pairs, name) >= LEAST_RECALL[name]
    assert pairs.height <= draft.pairs
    report = report_blocks(reports, kind)
    assert report.recall is not None
    assert report.recall == pytest.approx(recall(pairs, name), abs=0.08)
