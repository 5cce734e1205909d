"""Who agrees with a row and who contradicts it, of those whose statements its sender may be shown."""

from typing import Final

import polars as pl

SPEAKER: Final = ("contract", "sender", "reported_by")
"""Who states something: nobody is another opinion on his own statements."""


def observation_opinions(claims: pl.DataFrame, statements: pl.DataFrame) -> pl.DataFrame:
    """Return what others state of the items of some standing claims: row, position, `SPEAKER` of the other, opinion.

    opinion: agrees, contradicts, or null where either value is withheld. Two agree if one number is in both intervals,
    and equally accurate ones if they are equal. claims: row, position, item_id, `SPEAKER`, lower, upper (null for a sum
    of lines, whose statement counts). statements: `transforms.overlap.statements.read_statements`.
    """
    stated = statements.select("item_id", *SPEAKER, "lower", "upper")
    own = claims.join(stated, on=["item_id", *SPEAKER], how="left", suffix="_sum", maintain_order="left")
    own = own.with_columns(pl.coalesce(name, f"{name}_sum").alias(name) for name in ("lower", "upper"))
    own = own.unique(["row", "position"], keep="first", maintain_order=True)
    both = own.select("row", "position", "item_id", *SPEAKER, "lower", "upper").join(
        stated, on="item_id", suffix="_other", maintain_order="left_right"
    )
    others = both.filter(pl.any_horizontal(pl.col(name) != pl.col(f"{name}_other") for name in SPEAKER))
    disjoint = pl.max_horizontal("lower", "lower_other") > pl.min_horizontal("upper", "upper_other")
    alike = (pl.col("upper") - pl.col("lower")) == (pl.col("upper_other") - pl.col("lower_other"))
    differs = disjoint | (alike & (pl.col("lower") != pl.col("lower_other")))
    known = pl.col("lower").is_not_null() & pl.col("lower_other").is_not_null()
    return _opinions(others, ["row", "position"], differs, known)


def record_opinions(reports: pl.DataFrame, others: pl.DataFrame, conflicts: pl.DataFrame) -> pl.DataFrame:
    """Return what other reports of the items of some reports state: report_id, `SPEAKER` of the other, opinion.

    opinion: contradicts where both state a field on which the item's reports differ, each another value; agrees, or
    null where either is confidential. reports, others: report_id, item_id, confidential, `SPEAKER`. conflicts: item_id,
    field, report_id, value.
    """
    both = reports.join(others, on="item_id", suffix="_other", maintain_order="left_right")
    both = both.filter(pl.any_horizontal(pl.col(name) != pl.col(f"{name}_other") for name in SPEAKER))
    mine = conflicts.select("item_id", "field", "report_id", "value")
    pairs = mine.join(mine, on=["item_id", "field"], suffix="_other").filter(pl.col("value") != pl.col("value_other"))
    ends = pairs.select("report_id", "report_id_other", differs=pl.lit(value=True)).unique()
    judged = both.join(ends, on=["report_id", "report_id_other"], how="left", maintain_order="left")
    known = ~(pl.col("confidential") | pl.col("confidential_other"))
    return _opinions(judged, ["report_id"], pl.col("differs").fill_null(value=False), known)


def _opinions(both: pl.DataFrame, key: list[str], differs: pl.Expr, known: pl.Expr) -> pl.DataFrame:
    opinion = pl.when(known).then(pl.when(differs).then(pl.lit("contradicts")).otherwise(pl.lit("agrees")))
    speakers = (pl.col(f"{name}_other").alias(name) for name in SPEAKER)
    return both.select(*key, *speakers, opinion.alias("opinion")).unique(maintain_order=True)
