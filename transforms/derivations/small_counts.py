"""Small counts withheld: those below the least of their concept, and what would give them away by subtraction.

Secondary suppression as statistical offices do it, in its simplest safe form: of each roll-up that the vocabulary
declares the whole is withheld where a part is, and a part where the whole is. Then any withheld value could be greater
and all that is shown be the same: none follows from others, and no sum bounds it from above.
"""

from collections.abc import Collection
from typing import Final

import polars as pl

from schemas.concepts import Vocabulary
from transforms.derivations.roll_ups import ITEM_IDENTITY, MOST_ROUNDS, parts_of_wholes
from transforms.identity import item_id

_EDGE: Final = ("item_id", "rule", "part")


def linked_concepts(vocabulary: Vocabulary, concepts: Collection[str]) -> set[str]:
    """Return these concepts and all that sums of concepts link with them: figures of no other give theirs away."""
    sums = [{name, *each.sum_of} for name, c in vocabulary.concepts.items() for each in c.derives if each.sum_of]
    found = set(concepts)
    while joined := [names for names in sums if names & found and not names <= found]:
        found = found.union(*joined)
    return found


def withheld_items(items: pl.DataFrame, vocabulary: Vocabulary, wholes: pl.DataFrame) -> pl.Series:
    """Return the ids of the items that are withheld, also of wholes that nobody reports.

    items: of all `linked_concepts`, also those without a value: item_id, the columns of `ITEM_IDENTITY`, value (the
    least that is stated of it), is_small (whether it is withheld in any case). wholes:
    `transforms.derivations.wholes.WHOLES`.
    """
    found = items.filter("is_small")["item_id"].unique()
    if found.is_empty():
        return found
    values = items.select("value", part="item_id")
    edges = _edges(items, vocabulary, wholes).join(values, on="part", how="left")
    edges = edges.sort("value", "part", nulls_last=True)
    known = 0
    while known < found.len():  # an item that is withheld may be a part of one whole and the whole of other parts
        known = found.len()
        found = pl.concat([found, _wholes_of(edges, found)]).unique()
        found = pl.concat([found, _least_parts_of(edges, found)]).unique()
    return found


def _edges(items: pl.DataFrame, vocabulary: Vocabulary, wholes: pl.DataFrame) -> pl.DataFrame:
    """Return item_id, rule and part of every whole that any of its parts is there of, as are wholes of wholes."""
    known = items.select("item_id", *ITEM_IDENTITY)
    for _ in range(MOST_ROUNDS):
        parts = parts_of_wholes(known, vocabulary, wholes, of_any=True).with_columns(item_id())
        fresh = parts.join(known, on="item_id", how="anti").unique("item_id").select(known.columns)
        if fresh.is_empty():
            break
        known = pl.concat([known, fresh])
    return parts.select(_EDGE)


def _wholes_of(edges: pl.DataFrame, found: pl.Series) -> pl.Series:
    return edges.filter(pl.col("part").is_in(found.implode()))["item_id"]


def _least_parts_of(edges: pl.DataFrame, found: pl.Series) -> pl.Series:
    """Return the least part of each withheld whole no part of which is withheld."""
    own = edges.filter(pl.col("item_id").is_in(found.implode()))
    least = own.group_by("item_id", "rule", maintain_order=True).agg(
        pl.col("part").first(), is_shown=~pl.col("part").is_in(found.implode()).any()
    )
    return least.filter("is_shown")["part"]
