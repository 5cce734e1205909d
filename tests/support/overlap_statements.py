"""Statements of invented obligations, as `transforms.overlap.statements` reads them from a release."""

import datetime as dt
from decimal import Decimal

import polars as pl

from schemas.claims import BOUND, VALUE
from transforms.discovery.series_figures import SeriesFigures

DAY = dt.date(2024, 1, 1)
NEXT = dt.date(2025, 1, 1)


def statements(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Return statements: each row has obligation, unit and value, and what differs from one concept and one year."""
    full = [_statement(**row) for row in rows]  # type: ignore[arg-type]  # each key by its name
    frame = pl.DataFrame(
        full, schema_overrides={"value": VALUE, "lower": BOUND, "upper": BOUND}, infer_schema_length=None
    )
    return frame.cast({"unit_code": pl.String}).with_columns(pl.len().over("item_id").alias("reports"))


def _statement(
    obligation: str,
    unit: str,
    value: int | str | Decimal | None,
    *,
    concept: str = "beds",
    breakdown: str = "{}",
    year: int = 2024,
    month: int | None = None,
    half: str = "0",
    reporter: str | None = None,
    kind: str = "municipality",
) -> dict[str, object]:
    number = None if value is None else Decimal(value)
    return {
        "item_id": f"{concept} {breakdown} {unit} {year} {month}",
        "obligation": obligation,
        "reported_by": reporter or unit,
        "submission_id": f"{obligation} {year}",
        "contract": obligation,
        "sender": reporter or unit,
        "value": number,
        "lower": None if number is None else number - Decimal(half),
        "upper": None if number is None else number + Decimal(half),
        "concept": concept,
        "breakdown": breakdown,
        "unit_id": unit,
        "unit_kind": kind,
        "unit_code": unit,
        "period_start": DAY.replace(year=year, month=month or 1),
        "period_end": NEXT.replace(year=year + (month in {None, 12}), month=(month or 12) % 12 + 1),
    }


def shuffled(known: SeriesFigures, seed: int) -> SeriesFigures:
    """Return the series with the values of each one in another order."""
    key = pl.struct("series", "place").hash(seed)
    return known._replace(figures=known.figures.with_columns(pl.col("value").sort_by(key).over("series")))
