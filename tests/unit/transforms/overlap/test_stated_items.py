"""Items that nobody else has are counted, not looked at: the dossier is the one that all statements give."""

import datetime as dt
from decimal import Decimal
from operator import itemgetter
from typing import Any

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.claims import CLAIM, empty, frame_schema
from schemas.overlap import DERIVABLE_FROM
from transforms.identity import item_id
from transforms.observations.consolidate import ConsolidatedClaims, consolidate
from transforms.overlap.counts import count_statements
from transforms.overlap.dossier import draw_verdict
from transforms.overlap.replacements import REPORT, replacements
from transforms.overlap.statements import read_stated_items, read_statements

DAY = dt.date(2024, 1, 1)
SAME: dict[str, Any] = {
    "row": 2, "column": "x", "original": "1", "action": "append", "period_start": DAY,
    "period_end": dt.date(2024, 2, 1),
    "breakdown": "{}", "unit_measure": "number", "obs_status": "A", "unit_kind": "other", "unit_name": "U",
    "position": 0, "lead": True, "partition": "2024-01", "item_id": "",
}  # fmt: skip
NO_EDGES = empty(DERIVABLE_FROM)

Stated = tuple[str, str, str, str, int, int | None, bool, str | None, bool]
claim = st.tuples(
    st.sampled_from("aab"), st.sampled_from(("beds", "staff")), st.sampled_from("123"), st.sampled_from("xy"),
    st.integers(1, 2), st.sampled_from((None, 0)), st.sampled_from((False, False, True)),
    st.sampled_from((None, None, "a", "b")), st.sampled_from((False, False, True)),
)  # fmt: skip
"""Obligation, concept, unit, reporter, value, decimals, confidential, what it copies, whether it is a line of a sum."""


def published(claims: list[Stated]) -> ConsolidatedClaims:
    rows = [
        {
            **SAME, "obligation": obligation, "contract": obligation, "sender": reporter, "reported_by": reporter,
            "concept": concept, "unit_id": unit, "unit_code": unit, "submission_id": f"s{number}", "arrival": number,
            "stream": number, "value": Decimal(value), "decimals": decimals, "confidential": confidential,
            "copy_of": copied, "additive": additive,
        }
        for number, (obligation, concept, unit, reporter, value, decimals, confidential, copied, additive)
        in enumerate(claims)
    ]  # fmt: skip
    schema = {**frame_schema(CLAIM), "arrival": pl.UInt32, "stream": pl.UInt32}
    return consolidate(pl.DataFrame(rows, schema=schema, strict=False).with_columns(item_id()))


def secret(*, confidential: bool) -> Stated:
    return ("a", "beds", "1", "y" if confidential else "x", 1, 0, confidential, None, False)


@settings(max_examples=25)
@example([secret(confidential=False), secret(confidential=True)])
@given(st.lists(claim, min_size=1, max_size=12, unique_by=itemgetter(0, 1, 2, 3)))
def test_the_dossier_is_that_of_all_statements(claims: list[Stated]) -> None:
    tables = published(claims)
    obligation = claims[0][0]
    sources, items = tables.sources.lazy(), tables.observations.lazy()
    reports = count_statements(tables.statements).reports.filter(pl.col("obligation") == obligation)
    figures = reports.group_by(REPORT).agg(pl.col("figures").sum())
    stated = read_stated_items(sources, items, obligation, NO_EDGES)
    replaced = replacements(stated.statements, obligation, NO_EDGES, figures=figures)
    found = draw_verdict(replaced, obligation, (1.0, 2.0), stated.alone, figures.height)
    whole = replacements(read_statements(sources, items), obligation, NO_EDGES)
    assert found == draw_verdict(whole, obligation, (1.0, 2.0))
