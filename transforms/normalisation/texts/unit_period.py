"""The unit and the period of each row: read once for each distinct text, and what can be wrong with them.

Added to the cells are `_unit_id`, `_kind_text`, `_unit_code`, `_unit_name`, `_start`, `_end`, and for the rejects
`_unit_text`, `_start_text`, `_until_text`, `_unit_reason`, `_unit_expected`, `_unit_hint`.
"""

import datetime as dt
from typing import Final

import polars as pl

from schemas.contract import Contract, Period, Take, Unit
from transforms.normalisation.problems import Problem
from transforms.normalisation.texts.dates import DateForm
from transforms.normalisation.texts.periods import WRITTEN, read_span
from transforms.normalisation.texts.take_text import mapped_text
from transforms.placeholders import is_placeholder, is_total
from transforms.register.lookup import Register, normalise_name, resolve_units
from transforms.register.near_units import suggest_units

UNIT_HINT: Final = "correct the code or name, or the register"


def with_unit_and_period(cells: pl.DataFrame, contract: Contract, register: Register) -> pl.DataFrame:
    """Add period and unit: read once for each distinct text, then joined to the rows."""
    unit, period = contract.place()
    kind = unit.kind
    texts = {
        "_unit_text": mapped_text(unit),
        "_kind_text": mapped_text(kind) if isinstance(kind, Take) else pl.lit(kind),
        "_start_text": mapped_text(period),
        "_until_text": mapped_text(period.until) if period.until else pl.lit(None, pl.String),
    }
    cells = cells.with_columns(**texts)
    takes = (unit, kind, period, period.until)
    varying = [name for name, t in zip(texts, takes, strict=True) if isinstance(t, Take) and t.value is None]
    varying = varying or ["_unit_text"]
    keys = cells.unique(subset=varying, keep="any").select(*texts)
    keys = _add_unit(_add_period(keys, period, DateForm.of(period, contract.format)), unit, register)
    return cells.join(keys.drop([t for t in texts if t not in varying]), on=varying, how="left", nulls_equal=True)


def _add_period(keys: pl.DataFrame, period: Period, how: DateForm) -> pl.DataFrame:
    start, end = read_span(pl.col("_start_text"), period, how)
    if period.until:
        end = read_span(pl.col("_until_text"), period, how)[1]
    dated = keys.with_columns(_start=start, _end=end)
    sound = (pl.col("_start") < pl.col("_end")).fill_null(False)
    return dated.with_columns(pl.when(sound).then(pl.col("_start", "_end")))


def _valid_dates(unit: Unit) -> list[pl.Expr]:
    """Return `date` and `until`: when the unit must be valid, the period or the day whose codes the delivery uses."""
    if unit.valid_on is None:
        return [pl.col("_start").alias("date"), pl.col("_end").alias("until")]
    day = pl.lit(dt.date.fromisoformat(unit.valid_on))
    dated = pl.col("_start").is_not_null()
    return [pl.when(dated).then(day).alias("date"), pl.when(dated).then(day + pl.duration(days=1)).alias("until")]


def _unit_suggestions(register: Register, found: pl.DataFrame) -> pl.Series:
    """Return `_unit_hint`: what to do with each unit that is not found."""
    keys = found.filter(pl.col("reason") == "unknown-unit").select("kind", "by", "key").drop_nulls().unique()
    if keys.is_empty():
        return pl.Series("_unit_hint", [UNIT_HINT], pl.String).new_from_index(0, found.height)
    near = suggest_units(register, keys)
    rows = found.select("kind", "by", "key").join(near, on=["kind", "by", "key"], how="left", maintain_order="left")
    return rows.select(
        pl.concat_str("suggestion", pl.lit(UNIT_HINT), separator=" ", ignore_nulls=True).alias("_unit_hint")
    ).to_series()


def _add_unit(keys: pl.DataFrame, unit: Unit, register: Register) -> pl.DataFrame:
    query = keys.select(
        pl.col("_kind_text").alias("kind"),
        pl.lit(f"{unit.by}:{unit.system}" if unit.system else unit.by).alias("by"),
        pl.col("_unit_text").alias("key"),
        *_valid_dates(unit),
    )
    found = resolve_units(register, query, follow=unit.ended == "successor")
    keys = keys.with_columns(
        found["unit_id"].alias("_unit_id"),
        found["unit_code"].alias("_unit_code"),
        found["unit_name"].alias("_unit_name"),
        found["reason"].alias("_unit_reason"),
        found["expected"].alias("_unit_expected"),
    )
    if not unit.provisional:
        return keys.with_columns(_unit_suggestions(register, found))
    provisional = (pl.col("_unit_reason") == "unknown-unit") & (pl.col("_unit_text") != "")
    name = pl.concat_str(pl.lit("provisional"), "_kind_text", normalise_name(pl.col("_unit_text")), separator=":")
    return keys.with_columns(
        pl.when(provisional).then(name).otherwise("_unit_id").alias("_unit_id"),
        pl.when(provisional).then(pl.col("_unit_text")).otherwise("_unit_name").alias("_unit_name"),
        pl.when(~provisional).then(pl.col("_unit_reason")).alias("_unit_reason"),
        pl.lit(UNIT_HINT).alias("_unit_hint"),
    )


def place_problems(contract: Contract) -> list[Problem]:
    """Return what can be wrong with the period and the unit of a row."""
    unit, period = contract.place()
    written = period.format or WRITTEN[period.type]
    date = f"a {period.type.replace('_', ' ')} ({written}), {DateForm.of(period, contract.format).years()}"
    hint = "write the period as the contract declares it"
    given = pl.col("_start_text").ne_missing("") & pl.col("_until_text").ne_missing("")
    undated = pl.col("_start").is_null() & given
    span = pl.concat_str("_start_text", "_until_text", separator=" … ", ignore_nulls=True)
    complete = pl.col("_kind_text").is_not_null() & pl.col("_start").is_not_null() & (pl.col("_unit_text") != "")
    unknown = pl.col("_unit_reason").is_not_null() & complete
    reason, text, expected = (pl.col(c) for c in ("_unit_reason", "_unit_text", "_unit_expected"))
    return [
        Problem("not-a-date", next(iter(period.source_columns()), "--period"), undated, span, date, hint),
        Problem(reason, next(iter(unit.source_columns()), None), unknown, text, expected, pl.col("_unit_hint")),
        *(_name_problems(unit) if unit.provisional else ()),
    ]


def _name_problems(unit: Unit) -> list[Problem]:
    """Return what makes the name of a unit that no register has doubtful: the name of a total, or no name at all."""
    text, name = pl.col("_unit_text"), normalise_name(pl.col("_unit_text"))
    new = pl.col("_unit_id").str.starts_with("provisional:")
    hint = "name such rows under ignore_rows in the contract, or correct the name; it is accepted as it is"
    total, column = is_total(name), next(iter(unit.source_columns()), None)
    return [
        Problem("sum-row", column, new & total, text, "the name of one unit", hint, severity="warning"),
        Problem("placeholder", column, new & is_placeholder(text), text, "the name of one unit", hint,
                severity="warning"),
    ]  # fmt: skip
