"""Verdicts on suspected double reporting are added, never changed."""

import json

import pytest
from sqlalchemy import Engine

from infra.ledger.overlap_verdicts import add_overlap_verdict, read_overlap_verdicts
from schemas.errors import StoreError

ROW = {"kind": "same", "series_a": "aa", "series_b": "bb", "concept_a": "køyretøy", "share": 0.5, "verdict": None}


def test_every_verdict_is_stored_with_who_why_when_and_its_evidence(engine: Engine) -> None:
    first = add_overlap_verdict(engine, ROW, "same", who="kari", why="one count")
    second = add_overlap_verdict(engine, ROW, "later", who="ola", why="not sure")
    rows = read_overlap_verdicts(engine).to_dicts()
    assert [(row["id"], row["verdict"], row["who"], row["why"]) for row in rows] == [
        (first, "same", "kari", "one count"),
        (second, "later", "ola", "not sure"),
    ]
    assert rows[0]["at"] <= rows[1]["at"]
    assert json.loads(rows[0]["evidence"]) == ROW


def test_no_other_verdict_is_stored(engine: Engine) -> None:
    with pytest.raises(StoreError, match="verdict"):
        add_overlap_verdict(engine, ROW, "perhaps", who="kari", why="x")
    assert read_overlap_verdicts(engine).is_empty()
