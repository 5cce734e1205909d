"""A night published in parts is the night published at once, and no item is in two parts."""

from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pytest

from flows.release.records import chunks
from tests.support.mishap_frames import KIND, deliveries, of_items
from transforms.records.consolidate import left_join_columns, mark_standing
from transforms.records.content import record_lane_sums
from transforms.records.resolution import KindResolution

if TYPE_CHECKING:
    from transforms.linkage.incremental import ScoredPairs


def night(before: dict[str, str], after: dict[str, str]) -> KindResolution:
    """Return a night by which reports that were of some items are of others."""
    frame = deliveries([{"report_id": r, "place": r, "story": r, "submission_id": f"s-{r}"} for r in "abcdefghijkl"])
    marked = mark_standing(frame)
    sides = [left_join_columns(marked, of_items(frame, **items), "report_id") for items in (before, after)]
    none = pl.DataFrame()
    return KindResolution(cast("ScoredPairs", None), sides[0], sides[1], none, none, none)


@pytest.mark.parametrize("most", [1, 3, 5])
def test_parts_are_the_whole(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    resolution = night(
        {"b": "a", "c": "a", "f": "e", "l": "k"}, {"c": "b", "d": "b", "f": "e", "h": "g", "k": "a", "l": "k2"}
    )
    (whole,) = chunks.records_parts(KIND, resolution)
    monkeypatch.setattr(chunks, "CHUNK_REPORTS", most)
    parts = list(chunks.records_parts(KIND, resolution))
    assert len(parts) > 1
    for side in ("before", "after"):
        for name in ("items", "sources", "conflicts"):
            got = pl.concat(getattr(getattr(p, side), name) for p in parts)
            want: Any = getattr(getattr(whole, side), name)
            assert got.sort(got.columns[:3]).equals(want.sort(want.columns[:3]))
        lanes = [record_lane_sums(getattr(p, f"content_{side}")) for p in parts]
        assert tuple(map(sum, zip(*lanes, strict=True))) == record_lane_sums(getattr(whole, f"content_{side}"))
    changes = pl.concat(p.changes for p in parts)
    assert changes.height == changes["item_id"].n_unique()
    assert changes.sort("item_id").equals(whole.changes)
