"""The rule by which weights join reports: its threshold, and what a pair without a weight counts."""

from dataclasses import dataclass
from typing import Final

NO_EDGE_BITS: Final = -10.0
"""Weight in a mean of a pair that was not scored, in bits: odds of one to a thousand; or one bit below `automatic`, if
that is less.
"""
STEPS_PER_BIT: Final = 10**6
"""Weights are whole numbers of millionths of a bit, so their sums are exact."""


@dataclass(frozen=True)
class LinkageRule:
    """automatic: match weight (bits) from which weight alone joins. one_report_per_item: as the kind declares it."""

    automatic: float
    one_report_per_item: bool

    @property
    def threshold(self) -> int:
        """The automatic threshold in steps."""
        return round(self.automatic * STEPS_PER_BIT)

    @property
    def no_edge(self) -> int:
        """The weight of a pair without an edge, in steps; always less than the threshold."""
        return min(round(NO_EDGE_BITS * STEPS_PER_BIT), self.threshold - STEPS_PER_BIT)
