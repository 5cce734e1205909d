"""Which branch of the law decided an item, from what a release stores of it.

A pure function of stored columns, so the reason is that of the release asked about, whatever was delivered since.
"""

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

DecidingBranch = Literal[
    "single", "sum", "complete", "consistent", "unranked", "ranks conflict", "ranked first", "ranked complete",
    "ranked consistent",
]  # fmt: skip
"""single: one claim. sum: one claim, the sum of several lines. complete, consistent: the claims agree. The others are
of claims in conflict. unranked: none has a precedence. ranks conflict: those of the lowest precedence conflict too.
ranked first: one alone has the lowest precedence. ranked complete, ranked consistent: those that share it agree."""


@dataclass(frozen=True)
class DecidedItem:
    """The branch that decided an item, with the counts that its sentence needs.

    claims: the item's claims, a sum of lines being one. reporters: who made them. lines: the lines that are summed.
    rank: the lowest precedence among claims in conflict. ranked: how many claims have it.
    """

    branch: DecidingBranch
    claims: int
    reporters: int
    lines: int = 0
    rank: int | None = None
    ranked: int = 0


def deciding_branch(observation: dict[str, Any], sources: pl.DataFrame, conflicts: pl.DataFrame) -> DecidedItem:
    """Return the branch that decided an item.

    observation: its row of `observations`. sources, conflicts: its rows in those tables; `conflicts` has a row for each
    claim or sum of lines.
    """
    claims, reporters = observation["reports"], observation["reporters"]
    lines = sources.filter(pl.col("relation") == "additive").height
    match observation["agreement"]:
        case "single":
            return DecidedItem("sum" if lines > 1 else "single", claims, reporters, lines)
        case "complete":
            return DecidedItem("complete", claims, reporters, lines)
        case "consistent":
            return DecidedItem("consistent", claims, reporters, lines)
    first = conflicts.filter(pl.col("precedence") == pl.col("precedence").min())
    rank = None if first.is_empty() else int(first["precedence"][0])
    return DecidedItem(_conflict_branch(first), claims, reporters, lines, rank, first.height)


def _conflict_branch(first: pl.DataFrame) -> DecidingBranch:
    """Return the branch that decided a conflict. first: the rows of the lowest precedence."""
    if first.is_empty():
        return "unranked"
    if (first["outcome"] == "withheld").any():
        return "ranks conflict"
    if first.height == 1:
        return "ranked first"
    return (
        "ranked complete"
        if first.select("value", "decimals", "lower", "upper").n_unique() == 1
        else "ranked consistent"
    )
