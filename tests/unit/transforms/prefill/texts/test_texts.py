"""The texts of a draft are those that the reading of deliveries reads back as what is meant."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from schemas.concepts import Conversion
from schemas.contract import ClaimSpec, Format, Period, Take
from schemas.errors import UsageError
from transforms.normalisation.texts.dates import DateForm
from transforms.normalisation.texts.periods import read_span
from transforms.normalisation.texts.take_text import mapped_text
from transforms.prefill.texts.figure_texts import NOT_EXACT, TOO_VAGUE, figure_text
from transforms.prefill.texts.period_texts import period_asked, period_texts
from transforms.prefill.texts.take_texts import cells_for

CSV = Format(type="csv", decimal=",")
MONTHLY = Period.model_validate({"column": "p", "type": "month", "format": "%m.%Y"})


@pytest.mark.parametrize(
    ("take", "wanted", "cells"),
    [
        ({"column": "a"}, "x", {"a": "x"}),
        ({"column": "a", "map": {"1": "x", "2": "x"}}, "x", {"a": "1"}),
        ({"column": "a", "map": {"1": "y"}}, "x", None),
        ({"column": "a", "map": {"1": "y"}, "unmapped": "keep"}, "x", {"a": "x"}),
        ({"column": "a", "map": {"x": "y"}, "unmapped": "keep"}, "x", None),
        ({"column": "a", "map": {"1": "y"}, "map_default": "x"}, "x", None),
        ({"value": "x"}, "x", {}),
        ({"value": "y"}, "x", None),
        ({"option": "period"}, "x", {}),
        ({"columns": ["a", "b"], "pad": [2, 3]}, "01001", {"a": "01", "b": "001"}),
        ({"columns": ["a", "b"], "between": "-"}, "1-2", {"a": "1", "b": "2"}),
        ({"columns": ["a", "b"], "between": "-"}, "12", None),
        ({"columns": ["a", "b"]}, "12", None),
    ],
)
def test_cells_are_read_as_the_text(take: dict[str, object], wanted: str, cells: dict[str, str] | None) -> None:
    found = Take.model_validate(take)
    assert cells_for(found, [wanted]) == cells
    if cells:
        assert pl.DataFrame(cells).select(mapped_text(found)).item() == wanted


@pytest.mark.parametrize(
    ("period", "text"),
    [
        ({"type": "year"}, "2024"),
        ({"type": "year", "starts": "07-01"}, "2024"),
        ({"type": "year", "starts": "07-01", "year_of": "end"}, "2024"),
        ({"type": "year", "as_of": "07-01"}, "2024"),
        ({"type": "half_year"}, "2024-H1"),
        ({"type": "half_year"}, "2024-H2"),
        ({"type": "quarter"}, "2024-Q4"),
        ({"type": "month"}, "2024-12"),
        ({"type": "month", "format": "%m.%Y"}, "02.2024"),
        ({"type": "month", "format": "%m%y", "century": 2000}, "0224"),
        ({"type": "week"}, "2026-W01"),
        ({"type": "day", "format": "%d.%m.%Y"}, "29.02.2024"),
        ({"type": "school_year"}, "2024/25"),
    ],
)
def test_a_period_is_written_as_it_is_read(period: dict[str, object], text: str) -> None:
    spec = Period.model_validate({"column": "p", **period})
    start, end = pl.select(p=pl.lit(text)).select(*_read(spec)).row(0)
    assert start is not None
    assert text in period_texts(start, spec)
    assert period_asked(text, spec, CSV) == (start, end)


def _read(spec: Period) -> tuple[pl.Expr, pl.Expr]:
    start, end = read_span(pl.col("p"), spec, DateForm.of(spec, CSV))
    return start.alias("start"), end.alias("end")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2025", "2025-01-01", "2026-01-01"), ("2025-Q2", "2025-04-01", "2025-07-01"),
        ("2025-Q4", "2025-10-01", "2026-01-01"), ("2025-12", "2025-12-01", "2026-01-01"),
        ("2024-02-29", "2024-02-29", "2024-03-01"),
    ],
)  # fmt: skip
def test_a_period_may_be_asked_for_as_any_is_written(text: str, start: str, end: str) -> None:
    days = dt.date.fromisoformat(start), dt.date.fromisoformat(end)
    assert period_asked(text, MONTHLY, CSV) == days


WRONG = [
    "soon",
    "2025-00",
    "2025-13",
    "2025-01-00",
    "2025-02-30",
    "2025-Q0",
    "25",
    "",
    "0000",
    "\u0662\u0660\u0662\u0664",
]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_period_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=f"period '{text}'"):
        period_asked(text, MONTHLY, CSV)


@pytest.mark.parametrize(
    ("value", "vague", "claim", "text"),
    [
        ("14250310", "0", {"scale": "1000"}, "14250,310"),
        ("14250000", "500", {"scale": "1000"}, "14250"),
        ("14250310", "500", {"scale": "1000"}, TOO_VAGUE),
        ("14250000", "500", {}, TOO_VAGUE),
        ("14250000", "500", {"decimals": -3}, "14250000"),
        ("14250000", "5000", {"decimals": -3}, TOO_VAGUE),
        ("12.5", "0.05", {"decimals": "as_written"}, "12,5"),
        ("-0.25", "0", {"decimals": "exact"}, "-0,25"),
        ("1", "0", {"scale": "3"}, NOT_EXACT),
        ("0", "0", {"scale": "0.001"}, "0"),
    ],
)
def test_a_figure_states_no_more_than_is_known(value: str, vague: str, claim: dict[str, object], text: str) -> None:
    spec = ClaimSpec.model_validate(
        {"concept": "c", "column": "n", "reported_by": {"value": "A"}, "unit_measure": {"value": "NOK"}, **claim}
    )
    found = figure_text(Decimal(value), Decimal(vague), spec, CSV, None)
    assert text in {found.text, found.why}


def test_a_figure_is_converted_back_into_the_unit_of_the_form() -> None:
    spec = ClaimSpec.model_validate(
        {"concept": "c", "column": "n", "reported_by": {"value": "A"}, "unit_measure": {"value": "minutes"}}
    )
    minutes = Conversion(to="hours", times=1, by=60)
    assert figure_text(Decimal("1.5"), Decimal(0), spec, CSV, minutes).text == "90"
