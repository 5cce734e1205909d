"""The window of nightly discovery: the newest months of each series, as many as the budget has room for."""

import polars as pl
import pytest

from schemas.claims import frame_schema
from schemas.overlap import COVERAGE
from transforms.discovery.window import discovery_window


def coverage(*rows: tuple[list[str], str, str, int]) -> pl.DataFrame:
    """Return the table: obligations, concept, month, items a row."""
    frame = pl.DataFrame(rows, schema=["obligations", "concept", "partition", "items"], orient="row")
    dated = frame.with_columns(most_accurate="obligations", period_start=pl.format("{}-01", "partition").str.to_date())
    schema = frame_schema(COVERAGE)
    return dated.select(schema.names()).cast(schema)


MONTHLY = [(["tax"], "pay", f"2024-{month:02}", 10) for month in range(1, 13)]
ELECTIONS = [(["count", "press"], "votes", month, 40) for month in ("2013-09", "2017-09")]


@pytest.mark.parametrize(
    ("budget", "months", "figures"),
    [(280, 14, 280), (279, 13, 270), (190, 5, 190), (189, 4, 180), (179, 2, 90)],
)
def test_of_each_series_the_newest_months_are_compared(budget: int, months: int, figures: int) -> None:
    window = discovery_window(coverage(*MONTHLY, *ELECTIONS), budget)
    assert (len(window.months), window.figures, window.all_figures) == (months, figures, 280)
    assert {"2017-09", "2024-12"} <= set(window.months)
    assert (window.units(), window.compared) == (None, figures)


def test_where_one_month_of_each_is_too_many_a_share_of_the_units_is_compared() -> None:
    window = discovery_window(coverage(*MONTHLY, *ELECTIONS), 45)
    assert (window.months, window.share, window.compared) == (("2017-09", "2024-12"), 0.5, 45)
    chosen = window.units()
    assert chosen is not None
    units = pl.DataFrame({"unit_id": [f"unit {number}" for number in range(2_000)]})
    assert 900 < units.filter(chosen).height < 1_100
    assert units.filter(chosen).equals(units.sample(fraction=1, shuffle=True, seed=1).filter(chosen).sort(
        pl.col("unit_id").str.slice(5).cast(pl.Int32)
    ))  # fmt: skip


def test_without_a_budget_or_without_figures_nothing_is_compared() -> None:
    assert discovery_window(coverage(*MONTHLY), 0).months == ()
    empty = discovery_window(coverage(*MONTHLY).clear(), 100)
    assert (empty.months, empty.counts()) == (
        (), {"figures": 0, "figures_compared": 0, "figures_compared_at_most": 100}
    )  # fmt: skip
