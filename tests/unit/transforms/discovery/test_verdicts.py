"""The last verdict on two series counts, in whichever order they are given."""

import json

import polars as pl

from schemas.claims import frame_schema
from schemas.overlap import SUSPECTED
from transforms.discovery.verdicts import evidence_of, suspected_row, with_verdicts

SUSPECTED_ROWS = pl.DataFrame(
    [{"series_a": "1", "series_b": "2"}, {"series_a": "3", "series_b": "4"}, {"series_a": "5", "series_b": "5"}]
)
TABLE = SUSPECTED_ROWS.select(
    pl.lit(None, dtype).alias(name) if name not in SUSPECTED_ROWS.columns else pl.col(name)
    for name, dtype in frame_schema(SUSPECTED).items()
)
VERDICTS = pl.DataFrame(
    [
        {"id": number, "series_a": a, "series_b": b, "verdict": verdict, "evidence": json.dumps({"of": [a, b]})}
        for number, (a, b, verdict) in enumerate(
            [("1", "2", "same"), ("4", "3", "different"), ("2", "1", "later"), ("4", "3", "same")]
        )
    ]
)


def test_a_row_shows_the_last_verdict_on_its_two_series() -> None:
    found = with_verdicts(TABLE, VERDICTS)
    assert found["verdict"].to_list() == ["later", "same", None]
    assert found.columns == TABLE.columns
    assert with_verdicts(TABLE, VERDICTS.clear())["verdict"].to_list() == [None, None, None]


def test_evidence_is_that_of_verdicts_that_count() -> None:
    assert evidence_of(VERDICTS, "same") == [{"of": ["4", "3"]}]
    assert evidence_of(VERDICTS, "different") == []


def test_a_row_is_found_by_its_two_series_in_either_order() -> None:
    assert suspected_row(TABLE, "2", "1") == suspected_row(TABLE, "1", "2") == TABLE.row(0, named=True)
    assert suspected_row(TABLE, "1", "3") is None
