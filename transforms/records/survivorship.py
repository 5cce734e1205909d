"""Whose value is published of one field, and where reports differ on it.

`votes` is a lazy frame with one row a version of a report: item_id, standing, reported_at, `_rank` (UInt32, ascending:
the order of reports where nothing else decides) and the field. An empty field has no say.
"""

from decimal import Decimal
from typing import Final

import polars as pl

from schemas.claims import VALUE
from schemas.kind import FieldSpec

MICROSECONDS: Final = 60_000_000
"""In a minute, in which the tolerance of a time is told."""
_RANK: Final = pl.col("_rank")


def survivor(votes: pl.LazyFrame, name: str, spec: FieldSpec) -> pl.LazyFrame:
    """Return the published value of a field, item_id and the field: one row an item of which a report says anything.

    Of a text every version there is, in the order of reports. Else one value of the reports that stand, as
    `FieldSpec.survives` says; the order of reports decides between equals.
    """
    said = votes.filter(pl.col(name).is_not_null())
    if spec.role == "text":
        versions = said.group_by("item_id", name).agg(_RANK.min()).sort("_rank")
        return versions.group_by("item_id", maintain_order=True).agg(name)
    stands = said.filter("standing")
    if spec.survives == "most":
        each = stands.group_by("item_id", comparable(name, spec).alias("_value"))
        best = each.agg(pl.len().alias("_reports"), pl.col(name).first(), _RANK.min())
        ordered = best.sort("_reports", "_rank", descending=[True, False])
    else:
        by, descending = _order(name, spec)
        ordered = stands.sort(by, _RANK, descending=[descending, False], nulls_last=True)
    return ordered.group_by("item_id", maintain_order=True).agg(pl.col(name).first())


def _order(name: str, spec: FieldSpec) -> tuple[pl.Expr, bool]:
    """Return what a surviving value is the first of, and whether the greatest is the first."""
    if spec.survives in {"first", "last"}:
        return pl.col("reported_at"), spec.survives == "last"
    if spec.survives == "longest":
        length = pl.col(name).list.len() if spec.type == "list" else pl.col(name).cast(pl.String).str.len_chars()
        return length, True
    return pl.col(name), spec.survives == "greatest"


def clashing(votes: pl.LazyFrame, name: str, spec: FieldSpec) -> pl.LazyFrame:
    """Return the items on whose field reports differ by more than it tolerates: item_id and `field`, its name.

    Versions of a report that do not stand differ too: a report that disagrees with itself is a conflict. A text is told
    in each one's own words and never a conflict.
    """
    said = votes.filter(pl.col(name).is_not_null(), pl.lit(spec.role != "text"))
    value = comparable(name, spec)
    ends = said.group_by("item_id").agg(value.min().alias("_least"), value.max().alias("_greatest"))
    return ends.filter(_apart(spec)).select("item_id", pl.lit(name).alias("field"))


def _apart(spec: FieldSpec) -> pl.Expr:
    least, greatest = pl.col("_least"), pl.col("_greatest")
    if spec.tolerance and spec.type in {"integer", "number"}:
        return greatest.cast(VALUE) - least.cast(VALUE) > pl.lit(Decimal(repr(spec.tolerance))).cast(VALUE)
    if spec.tolerance and spec.type in {"date", "datetime"}:
        return greatest - least > pl.duration(microseconds=round(spec.tolerance * MICROSECONDS))
    return least != greatest


def comparable(name: str, spec: FieldSpec) -> pl.Expr:
    """Return what two values must have in common to be equal: a list is what it holds, in any order."""
    return pl.col(name).list.unique().list.sort().list.join("\x1f") if spec.type == "list" else pl.col(name)


def in_words(name: str, spec: FieldSpec) -> pl.Expr:
    """Return a value as text: a number without empty places, a list by comma, a time as ISO 8601."""
    value = pl.col(name)
    if spec.type == "list":
        return value.list.join(", ")
    if spec.type == "number":
        return value.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
    if spec.type == "datetime":
        return value.dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
    return value.cast(pl.String)
