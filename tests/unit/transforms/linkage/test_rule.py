"""The threshold, and what a pair without a weight counts, in whole steps."""

import pytest

from transforms.linkage.rule import LinkageRule


@pytest.mark.parametrize(("automatic", "threshold", "no_edge"), [
    (4.5, 4_500_000, -10_000_000), (1.2345678, 1_234_568, -10_000_000),
    (-9.0, -9_000_000, -10_000_000), (-9.5, -9_500_000, -10_500_000), (-12.0, -12_000_000, -13_000_000),
])  # fmt: skip
def test_a_pair_without_a_weight_counts_a_bit_less_than_what_joins(
    automatic: float, threshold: int, no_edge: int
) -> None:
    rule = LinkageRule(automatic, one_report_per_item=True)
    assert (rule.threshold, rule.no_edge) == (threshold, no_edge)
