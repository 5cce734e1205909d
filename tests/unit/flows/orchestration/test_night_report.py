"""The report of a night: each part says something, long lists are cut and counted."""

from types import SimpleNamespace
from typing import Any, cast

import polars as pl

from flows.orchestration.night_report import MOST_LINES, night_report
from flows.release.publish import Night
from schemas.claims import COUNT_COLUMNS

SOME = pl.DataFrame({"status": ["live", "rejected"], "submissions": [3, 1], **{name: [7, 0] for name in COUNT_COLUMNS}})
PUBLISHED = Night(4, published=True, digest="abc", counts={"items": 12}, findings=[])


def report(
    done: Night | None, failure: str | None = None, deliveries: pl.DataFrame = SOME, parked: int = 0
) -> list[str]:
    objects = [{"object": f"a/{n}.csv", "sender": "anna"} for n in range(parked)]
    state = SimpleNamespace(inbox={"parked": parked, "parked_objects": objects}, rejected=[], problems=["look\n here"])
    places = {"Site": "site/index.html"} if done else {}
    return night_report(done, failure, deliveries, cast("Any", state), places).splitlines()


def test_all_that_a_night_did_is_in_one_place() -> None:
    lines = report(PUBLISHED)
    assert lines[0] == "# Release 4 published"
    assert {"| files live | 3 |", "| rows delivered | 7 |", "Digest `abc`.", "| items | 12 |"} <= set(lines)
    assert {"- Site: <site/index.html>", "- look here", "None."} <= set(lines)


def test_long_lists_are_cut_and_counted() -> None:
    lines = report(PUBLISHED, parked=MOST_LINES + 5)
    assert f"- `a/{MOST_LINES - 1}.csv` of anna" in lines
    assert "- and 5 more" in lines


def test_a_night_that_failed_says_so_first() -> None:
    lines = report(None, "no space\nleft", SOME.clear())
    assert lines[:3] == ["# The night failed", "", "no space left"]
    assert {"Nothing since the last release.", "Nowhere yet."} <= set(lines)
