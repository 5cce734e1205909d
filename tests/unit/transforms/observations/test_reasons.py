"""Which branch of the law decided an item, from the rows of a release."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from transforms.observations.reasons import DecidedItem, deciding_branch

CONFLICT = {
    "precedence": pl.Int16, "outcome": pl.String, "value": pl.Decimal(38, 9), "decimals": pl.Int16,
    "lower": pl.Decimal(38, 10), "upper": pl.Decimal(38, 10),
}  # fmt: skip


def conflicts(*rows: tuple[int | None, str, int]) -> pl.DataFrame:
    """Return rows of `conflicts` from precedence, outcome and value; each value is exact."""
    whole = [(rank, outcome, Decimal(n), None, Decimal(n), Decimal(n)) for rank, outcome, n in rows]
    return pl.DataFrame(whole, schema=CONFLICT, orient="row")


def decided(agreement: str, relations: str = "", rows: pl.DataFrame | None = None, reports: int = 2) -> DecidedItem:
    """Return the decision; relations: the first letter of each source's relation."""
    names = {"s": "single", "a": "additive", "c": "conflict"}
    sources = pl.DataFrame({"relation": [names[r] for r in relations]}, schema={"relation": pl.String})
    observation: dict[str, Any] = {"agreement": agreement, "reports": reports, "reporters": 3}
    return deciding_branch(observation, sources, conflicts() if rows is None else rows)


@pytest.mark.parametrize(
    ("relations", "branch", "lines"), [("s", "single", 0), ("a", "single", 1), ("aa", "sum", 2), ("aaa", "sum", 3)]
)
def test_one_claim_may_be_a_sum_of_several_lines(relations: str, branch: Any, lines: int) -> None:
    assert decided("single", relations, reports=1) == DecidedItem(branch, 1, 3, lines)


@pytest.mark.parametrize("agreement", ["complete", "consistent"])
def test_claims_that_agree(agreement: Any) -> None:
    assert decided(agreement, "saa", conflicts((1, "published", 1))) == DecidedItem(agreement, 2, 3, 2)


def test_claims_without_a_precedence() -> None:
    rows = conflicts((None, "withheld", 1), (None, "withheld", 2))
    assert decided("conflict", "cc", rows) == DecidedItem("unranked", 2, 3)
    assert decided("conflict") == DecidedItem("unranked", 2, 3)


def test_the_lowest_precedence_decides_if_one_claim_has_it() -> None:
    rows = conflicts((5, "outranked", 1), (2, "published", 2), (None, "outranked", 3))
    assert decided("conflict", "ccc", rows, 3) == DecidedItem("ranked first", 3, 3, 0, rank=2, ranked=1)
    assert decided("conflict", "ccc", rows.reverse(), 3).branch == "ranked first"


def test_claims_of_the_lowest_precedence_may_conflict_too() -> None:
    rows = conflicts((1, "withheld", 1), (1, "withheld", 2), (2, "outranked", 3))
    assert decided("conflict", "ccc", rows, 3) == DecidedItem("ranks conflict", 3, 3, 0, rank=1, ranked=2)
    # Only what has the lowest precedence is looked at.
    rows = conflicts((1, "published", 1), (1, "published", 1), (2, "withheld", 3))
    assert decided("conflict", "ccc", rows, 3).branch == "ranked complete"


@pytest.mark.parametrize("changed", [{}, {"value": 2}, {"decimals": 1}, {"lower": 0}, {"upper": 9}])
def test_claims_that_share_the_lowest_precedence_agree_in_full_or_within_their_accuracy(changed: dict) -> None:
    rows = conflicts((0, "published", 1), (0, "published", 1), (1, "outranked", 9))
    second = pl.int_range(pl.len()) == 1
    rows = rows.with_columns(
        pl.when(second).then(pl.lit(value)).otherwise(name).cast(CONFLICT[name]).alias(name)
        for name, value in changed.items()
    )
    expected = "ranked consistent" if changed else "ranked complete"
    assert decided("conflict", "ccc", rows, 3) == DecidedItem(expected, 3, 3, 0, rank=0, ranked=2)
