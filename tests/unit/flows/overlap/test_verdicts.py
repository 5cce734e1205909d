"""Verdicts on suspected double reporting: which fit which evidence, what is asked, what nobody may be shown."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.installation import Installation
from flows.overlap import verdicts
from flows.overlap.verdicts import SuspectedQueue, decode_evidence, give_verdict, list_overlap_verdicts
from infra.ledger.overlap_verdicts import read_overlap_verdicts
from schemas.errors import UsageError
from schemas.overlap import SUSPECTED_KINDS, SUSPECTED_VERDICTS
from tests.support.small_installation import open_small

ROW: dict[str, Any] = {
    "series_a": "a1", "series_b": "b1", "kind": "same", "obligation_a": "x", "obligation_b": "y", "parts": None,
    "verdict": None,
}  # fmt: skip
FITS = {
    "same": {"same", "different", "later"},
    "near": {"same", "different", "later"},
    "sum": {"derivable", "different", "later"},
    "constant": {"different", "later"},
}
"""Kind of evidence -> the verdicts that it allows."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    home = open_small(tmp_path / "home")
    yield home
    home.engine.dispose()


@pytest.mark.parametrize("verdict", SUSPECTED_VERDICTS)
@pytest.mark.parametrize("kind", SUSPECTED_KINDS)
def test_a_verdict_fits_the_kind_of_evidence(home: Installation, kind: str, verdict: str) -> None:
    row = {**ROW, "kind": kind}
    if verdict in FITS[kind]:
        recorded = give_verdict(home, row, verdict, why=" seen ", who="kari")
        assert recorded.row == {**row, "verdict": verdict}
        (stored,) = list_overlap_verdicts(home)
        assert (stored["id"], stored["who"], stored["why"], stored["on"]) == (recorded.id, "kari", "seen", recorded.row)
        return
    allowed = ", ".join(name for name in SUSPECTED_VERDICTS if name in FITS[kind]).replace(", later", " or later")
    expected = f"verdict: found '{verdict}' on evidence of kind '{kind}', expected {allowed}"
    with pytest.raises(UsageError) as caught:
        give_verdict(home, row, verdict, why="seen", who="kari")
    assert str(caught.value) == expected
    assert list_overlap_verdicts(home) == []


@pytest.mark.parametrize(
    ("verdict", "why", "who", "expected"),
    [
        ("maybe", "seen", "kari", "verdict: found 'maybe', expected same, derivable, different, later"),
        ("same", " ", "kari", "--why: expected 1 to "),
        ("same", "a\x07b", "kari", "--why: expected 1 to "),
        ("same", "seen", " ", "--who: expected 1 to "),
    ],
)
def test_what_is_no_verdict_is_not_recorded(
    home: Installation, verdict: str, why: str, who: str, expected: str
) -> None:
    with pytest.raises(UsageError) as caught:
        give_verdict(home, ROW, verdict, why=why, who=who)
    assert str(caught.value).startswith(expected)
    assert list_overlap_verdicts(home) == []


def test_the_user_who_runs_this_decides_by_default(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ola")
    give_verdict(home, ROW, "later", why="no time")
    assert list_overlap_verdicts(home)[0]["who"] == "ola"


def test_the_evidence_of_a_verdict_is_the_row_that_it_was_given_on(home: Installation) -> None:
    given = {**ROW, "parts": json.dumps([{"obligation": "z"}]), "bits": 12.5, "breakdown_a": '{"sex":"æ"}'}
    give_verdict(home, given, "same", why="seen", who="kari")
    assert decode_evidence(read_overlap_verdicts(home.engine).row(0, named=True)) == {**given, "verdict": "same"}


def queue(*rows: dict[str, Any], closed: dict[str, list[str]] | None = None) -> SuspectedQueue:
    return SuspectedQueue(pl.DataFrame(rows, infer_schema_length=None), pl.DataFrame(), closed or {})


def test_what_nobody_has_decided_is_asked_first_and_what_was_put_off_last() -> None:
    several = queue(
        {"n": 1, "verdict": "later"}, {"n": 2, "verdict": None}, {"n": 3, "verdict": "same"},
        {"n": 4, "verdict": None}, {"n": 5, "verdict": "later"}, {"n": 6, "verdict": "different"},
    )  # fmt: skip
    assert [row["n"] for row in several.questions()] == [2, 4, 1, 5]
    assert [row["n"] for row in several.questions(3)] == [2, 4, 1]
    assert several.questions(0) == []


@pytest.mark.parametrize(
    ("stated", "closed", "is_shown"),
    [
        ({}, {}, True),
        ({}, {"x": ["z"], "z": ["x"]}, True),
        ({}, {"x": ["y"]}, False),
        ({}, {"y": ["x"]}, False),
        ({"obligation_b": None}, {"x": ["y"]}, True),
        ({"obligation_b": None, "parts": '[{"obligation": "z"}]'}, {"x": ["z"]}, False),
        ({"obligation_b": None, "parts": '[{"obligation": "z"}]'}, {"z": ["x"]}, False),
        ({"parts": '[{"obligation": "z"}, {"obligation": "w"}]'}, {"z": ["w"]}, False),
    ],
)
def test_no_figure_is_shown_of_two_of_which_one_may_not_see_the_other(
    stated: dict[str, Any], closed: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch, *, is_shown: bool
) -> None:
    places = pl.DataFrame({"unit_id": [str(n) for n in range(9)]})
    monkeypatch.setattr(verdicts, "differing_places", lambda *_: places)
    found = queue(ROW, closed=closed).differing({**ROW, **stated}, limit=2)
    assert found == ([{"unit_id": "0"}, {"unit_id": "1"}] if is_shown else [])
