"""Survivorship: which value of a field is published, and where reports differ on it.

`votes` is a lazy frame with one row for each standing report: item_id, reported_at, `_rank` (UInt32, ascending: the
order of reports that breaks ties) and the field. An empty field has no vote.
"""

from decimal import Decimal
from typing import Final

import polars as pl

from schemas.claims import VALUE
from schemas.kind import FieldSpec
from transforms.numbers import decimal_text

MICROSECONDS_PER_MINUTE: Final = 60_000_000
"""The tolerance of a time is declared in minutes."""
_RANK: Final = pl.col("_rank")


def surviving_value(votes: pl.LazyFrame, name: str, spec: FieldSpec) -> pl.LazyFrame:
    """Return item_id and the published value of the field: one row for each item that has a vote.

    A text survives in every version, in the order of reports. Of another field, one value survives, by
    `FieldSpec.survives`; the order of reports breaks ties.
    """
    values = votes.filter(pl.col(name).is_not_null())
    if spec.role == "text":
        versions = values.group_by("item_id", name).agg(_RANK.min()).sort("_rank")
        return versions.group_by("item_id", maintain_order=True).agg(name)
    if spec.survives == "most":
        each = values.group_by("item_id", equality_value(name, spec).alias("_value"))
        best = each.agg(pl.len().alias("_reports"), pl.col(name).first(), _RANK.min())
        ordered = best.sort("_reports", "_rank", descending=[True, False])
    else:
        by, descending = survival_order(name, spec)
        ordered = values.sort(by, _RANK, descending=[descending, False], nulls_last=True)
    return ordered.group_by("item_id", maintain_order=True).agg(pl.col(name).first())


def survival_order(name: str, spec: FieldSpec) -> tuple[pl.Expr, bool]:
    """Return the expression whose first value survives, and whether the greatest comes first."""
    if spec.survives in {"first", "last"}:
        return pl.col("reported_at"), spec.survives == "last"
    if spec.survives == "longest":
        length = pl.col(name).list.len() if spec.type == "list" else pl.col(name).cast(pl.String).str.len_chars()
        return length, True
    return pl.col(name), spec.survives == "greatest"


def conflicting_items(votes: pl.LazyFrame, name: str, spec: FieldSpec) -> pl.LazyFrame:
    """Return item_id and `field` (its name) of the items whose reports differ by more than the field's tolerance.

    A text is never a conflict, because each reporter uses its own words.
    """
    values = votes.filter(pl.col(name).is_not_null(), pl.lit(spec.role != "text"))
    value = equality_value(name, spec)
    ends = values.group_by("item_id").agg(value.min().alias("_least"), value.max().alias("_greatest"))
    return ends.filter(_beyond_tolerance(spec)).select("item_id", pl.lit(name).alias("field"))


def _beyond_tolerance(spec: FieldSpec) -> pl.Expr:
    least, greatest = pl.col("_least"), pl.col("_greatest")
    if spec.tolerance and spec.type in {"integer", "number"}:
        return greatest.cast(VALUE) - least.cast(VALUE) > pl.lit(Decimal(repr(spec.tolerance))).cast(VALUE)
    if spec.tolerance and spec.type in {"date", "datetime"}:
        return greatest - least > pl.duration(microseconds=round(spec.tolerance * MICROSECONDS_PER_MINUTE))
    return least != greatest


def equality_value(name: str, spec: FieldSpec) -> pl.Expr:
    """Return an expression that is the same for equal values: a list equals one with the same elements in any order."""
    return pl.col(name).list.unique().list.sort().list.join("\x1f") if spec.type == "list" else pl.col(name)


def value_text(name: str, spec: FieldSpec) -> pl.Expr:
    """Return a value as text: a number without trailing zeros, a list with commas, a time in ISO 8601."""
    value = pl.col(name)
    if spec.type == "list":
        return value.list.join(", ")
    if spec.type == "number":
        return decimal_text(value)
    if spec.type == "datetime":
        return value.dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
    return value.cast(pl.String)
