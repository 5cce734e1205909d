"""Which branch of survivorship decided a field's published value: the field's rule, or what breaks its ties.

A pure function of the standing reports of an item, as `transforms.records.survivorship` reads them.
"""

from typing import Final, Literal

import polars as pl

from schemas.kind import FieldSpec
from transforms.records.survivorship import equality_value, survival_order

SurvivalBranch = Literal["none", "same", "versions", "rule", "precedence", "reported_at", "report_id"]
"""none: no report has a value. same: all that have one have the same. versions: a text survives in every version. rule:
the field's rule decides alone. The others are the column that decides between values to which the rule gives equal
rank."""
TIE_ORDER: Final = ("precedence", "reported_at", "report_id")
"""The order of reports, null last: it breaks ties (`transforms.records.consolidate`)."""


def survival_branch(reports: pl.DataFrame, name: str, spec: FieldSpec) -> SurvivalBranch:
    """Return what decided the published value of a field. reports: the standing reports of one item."""
    values = reports.filter(pl.col(name).is_not_null()).with_columns(equality_value(name, spec).alias("_value"))
    if values.is_empty():
        return "none"
    if values["_value"].n_unique() == 1:
        return "same"
    if spec.role == "text":
        return "versions"
    most = spec.survives == "most"
    by, descending = (pl.len().over("_value"), True) if most else survival_order(name, spec)
    ranked = values.with_columns(by.alias("_rule")).sort(
        "_rule", *TIE_ORDER, descending=[descending, False, False, False], nulls_last=True
    )
    winner, rival = ranked.head(1), ranked.filter(pl.col("_value") != ranked["_value"][0]).head(1)
    keys: tuple[SurvivalBranch, ...] = ("precedence", "reported_at", "report_id")
    if not winner["_rule"].equals(rival["_rule"], null_equal=True):
        return "rule"
    return next(key for key in keys if not winner[key].equals(rival[key], null_equal=True))
