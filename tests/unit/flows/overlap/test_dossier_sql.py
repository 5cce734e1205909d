"""The SQL of a dossier gives the figures of the dossier, on the tables that a release would have."""

import datetime as dt
from decimal import Decimal
from operator import itemgetter

import duckdb
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.overlap.dossier_sql import dossier_sql
from schemas.claims import VALUE, frame_schema
from schemas.overlap import DERIVABLE_FROM
from transforms.overlap.dossier import ITEM_COUNTS, draw_verdict
from transforms.overlap.replacements import replacements
from transforms.overlap.statements import ITEM_COLUMNS, read_statements

ITEMS = ["whole", "part-1", "part-2", "alone"]
OBLIGATIONS = ["it's", "b", "c"]
EDGES = pl.DataFrame(
    [("whole", rule, f"part-{number}") for rule in ("over:sex", "units:m") for number in (1, 2)],
    schema=frame_schema(DERIVABLE_FROM),
    orient="row",
)
DAY = dt.date(2024, 1, 1)
RECEIVED = pl.DataFrame(
    [(f"{name} {item}", dt.datetime(2024, 2, 1 + at)) for name in OBLIGATIONS for at, item in enumerate(ITEMS)],
    schema=["submission_id", "received_at"],
    orient="row",
)
Source = tuple[str, str, int | None, int | None, int, str, int | None]
source = st.tuples(
    st.sampled_from(OBLIGATIONS),
    st.sampled_from(ITEMS),
    st.sampled_from([None, 0, 100, 100, 200, 201]),
    st.sampled_from([None, None, -1, -2, 0]),
    st.integers(1, 2),
    st.sampled_from("xy"),
    st.sampled_from([None, None, 5_000, 333_333]),
)


def sources_of(rows: list[Source]) -> pl.DataFrame:
    """Return claims: one or two additive lines of each."""
    lines = [
        {
            "item_id": item,
            "obligation": name,
            "contract": name,
            "sender": name,
            "reported_by": reporter,
            "submission_id": f"{name} {item}",
            "value": None if value is None else Decimal(value),
            "decimals": decimals,
            "tolerance": tolerance,
            "relation": "additive" if times > 1 else "single",
        }
        for name, item, value, decimals, times, reporter, tolerance in rows
        for _ in range(times)
    ]
    return pl.DataFrame(
        lines, schema_overrides={"value": VALUE, "decimals": pl.Int16, "tolerance": pl.Int32}, infer_schema_length=None
    )


def observations_of(sources: pl.DataFrame) -> pl.DataFrame:
    stated = {"concept": "beds", "breakdown": "{}", "unit_kind": "other", "period_start": DAY, "period_end": DAY}
    constants = [pl.lit(value).alias(name) for name, value in stated.items()]
    unit = pl.col("item_id").str.head(4)
    frame = sources.select("item_id").unique().with_columns(*constants, unit_id=unit, unit_code=unit)
    return frame.select(ITEM_COLUMNS)


@settings(max_examples=25)
@given(st.lists(source, min_size=1, max_size=14, unique_by=itemgetter(0, 1, 5)))
def test_each_figure_is_repeated(rows: list[Source]) -> None:
    sources = sources_of(rows)
    observations = observations_of(sources)
    obligation = rows[0][0]
    statements = read_statements(sources.lazy(), observations.lazy())
    found = draw_verdict(replacements(statements, obligation, EDGES, RECEIVED), obligation, (None, None))
    texts = dossier_sql(obligation, sums=True)
    tables = {"sources": sources, "observations": observations, "submissions": RECEIVED, "derivable_from": EDGES}
    with duckdb.connect() as connection:
        for name, frame in tables.items():
            connection.register(name, frame.to_arrow())
        (columns,) = connection.sql(texts["columns"]).fetchall()
        assert columns[2:] == tuple(getattr(found, name) for name in ("items", *ITEM_COUNTS) if name != "summed")
        differing = connection.sql(texts["differing_items"]).pl()
        assert set(differing["item_id"]) == {row["item_id"] for row in found.differing_items}
        for name in ("items", "tolerated", "units", "units_agreeing"):
            assert connection.sql(texts[name]).fetchall() == [(getattr(found, name),)], name
        if not found.summed:
            assert connection.sql(dossier_sql(obligation, sums=False)["columns"]).fetchall() == [columns]


def test_obligations_are_quoted() -> None:
    texts = dossier_sql("it's", ["that's", "b"], sums=False)
    assert "obligation = 'it''s'" in texts["hours"]
    assert "obligation NOT IN ('it''s', 'that''s', 'b')" in texts["covered"]
