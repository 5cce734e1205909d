"""A wider search than blocking: what it looks for, and how many matches it misses."""

import polars as pl

from schemas.blocking import Key
from schemas.kind import read_kind
from tests.support.matching_installation import KIND
from transforms.evaluation.wider import WiderSearch, wider_kind
from transforms.linkage.model import MatchModel

MISHAP = read_kind(KIND)
NO_MODEL = MatchModel("mishap", "", {}, {}, {}, 0.0, {})


def test_every_compared_field_is_searched_by_what_few_reports_share() -> None:
    wide = wider_kind(MISHAP)
    assert wide.blocking[:2] == MISHAP.blocking
    assert wide.blocking[2:] == (
        (Key(field="day"),), (Key(field="place", rare="word"),), (Key(field="place", rare="qgram"),),
        (Key(field="speed"),), (Key(field="story", rare="word"),), (Key(field="story", rare="qgram"),),
    )  # fmt: skip
    assert wide.block_limits() == [1000, 1000, *[30] * 6]
    assert not any(key.rare == "qgram" for rule in wider_kind(MISHAP, runs=False).blocking for key in rule)


def test_weights_that_hold_among_candidates_alone_allow_no_wider_search() -> None:
    blocked = MISHAP.model_copy(update={"chance": "blocked"})
    assert wider_kind(blocked) == blocked


def test_matches_that_one_field_alone_finds_foretell_those_that_none_finds() -> None:
    one_field = MISHAP.model_copy(update={"blocking": ((Key(field="place"),), (Key(field="day"),))})
    rows = [(f"{pair}{end}", day, place) for pair, day, place in PLACES for end in "ab"]
    compared = pl.DataFrame(
        rows, schema={"report_id": pl.String, "block_0": pl.Int64, "block_1": pl.Int64}, orient="row"
    )
    pairs = pl.DataFrame({"a": [f"{pair}a" for pair, *_ in PLACES], "b": [f"{pair}b" for pair, *_ in PLACES]})
    search = WiderSearch(one_field, NO_MODEL, compared)
    assert search.unseen_matches(pairs) == 4 * 3 / (2 * (2 + 1))
    assert search.unseen_matches(pairs.clear()) == 0


PLACES = [("r", 1, None), ("s", 2, None), ("t", None, 3), ("u", None, 4), ("v", 5, 5), ("w", 6, 6), ("x", None, None)]
"""A pair, and the keys that both of its reports have: four share one field, two share both, one none."""
