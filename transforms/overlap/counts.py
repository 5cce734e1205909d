"""Counts of statements: what some items add to the tables of overlap.

Each count is a sum over items, so what a night changes is what the items that it reaches add now, less what they added
before: no other item is read, and the order does not matter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Final

import polars as pl

from schemas.overlap import REPORT_KEY
from transforms.overlap.statements import interval_width

OVERLAP_KEY: Final = ("obligation_a", "obligation_b", "concept", "period_start")
REPORTER_KEY: Final = ("reporter_a", "reporter_b", "concept", "period_start")
MOST_REPORTERS: Final = 30
"""Reporters of an item that more than so many state are not compared in pairs."""
NAME_SEPARATOR: Final = " "
"""Between the names of obligations in one text: no name has a blank."""
KEYS: Final = {
    "pairs": (*OVERLAP_KEY, "partition"),
    "reporter_pairs": (*REPORTER_KEY, "partition"),
    "reports": REPORT_KEY,
    "sets": ("obligations", "most_accurate", "concept", "period_start", "partition"),
    "scopes": ("scope", "name"),
}
"""The columns that identify the rows of each frame of `OverlapCounts`."""
ROW_KEYS: Final = {**KEYS, "scope_reports": ("scope", "name", "obligation")}
"""The same, and of the reports of scopes (`transforms.overlap.measures.scope_reports`)."""
_NAMES: Final = ("obligation", "sender", "reported_by", "unit_id", "unit_kind", "concept")
_SINGLE: Final = ("obligation", "concept", "period_start")


@dataclass(frozen=True)
class OverlapCounts:
    """Signed counts (Int64) of some items, by the columns of `KEYS`.

    pairs, reporter_pairs: items, agreeing, consistent, conflicting of two obligations, and of two reporters. reports:
    figures, figures_elsewhere, items of each report. sets: items that exactly these obligations have, and those of them
    that have the items most accurately (their names in one text each). scopes: items, figures, figures_elsewhere of
    each sender and unit.
    """

    pairs: pl.DataFrame
    reporter_pairs: pl.DataFrame
    reports: pl.DataFrame
    sets: pl.DataFrame
    scopes: pl.DataFrame


def count_statements(statements: pl.DataFrame) -> OverlapCounts:
    """Return what statements of whole items count: all that counting statements say of each of the items.

    Columns: those of `transforms.observations.consolidate.STATEMENT`, and others, which are not read.
    """
    coded = _coded(statements)
    several, once = (coded.filter(reports) for reports in (pl.col("reports") > 1, pl.col("reports") == 1))
    numbered = _numbered(several.drop("reports"))
    alone, shared = _by_obligations(numbered)
    single = pl.concat([rows.select(_SINGLE) for rows in (once, alone.unique("item", keep="any"))])
    counts = OverlapCounts(
        pairs=_dated(_pairs(shared, "obligation", OVERLAP_KEY)),
        reporter_pairs=_dated(_pairs(_of_reporters(numbered), "reported_by", REPORTER_KEY)),
        reports=_dated(_summed(list(_reports(once, alone, shared)), REPORT_KEY[:-1])),
        sets=_dated(_summed([_single_sets(single), _shared_sets(shared)], KEYS["sets"][:-1])),
        scopes=_summed(list(_scopes(once, alone, shared)), KEYS["scopes"]),
    )
    return OverlapCounts(**{f.name: getattr(counts, f.name).cast({pl.Enum: pl.String}) for f in fields(counts)})


def add_counts(several: Iterable[OverlapCounts]) -> OverlapCounts:
    """Return the sums of several counts; rows that count nothing are left out."""
    counts = list(several)
    frames = {name: _summed([getattr(each, name) for each in counts], key) for name, key in KEYS.items()}
    return OverlapCounts(**frames)


def subtracted(counts: OverlapCounts) -> OverlapCounts:
    """Return the counts with the opposite sign."""
    frames = {f.name: getattr(counts, f.name) for f in fields(counts)}
    return OverlapCounts(**{name: rows.with_columns(-pl.col(_counted(rows, name))) for name, rows in frames.items()})


def sum_rows(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the rows of one of the frames of `ROW_KEYS` added up, sorted; those that count nothing are left out."""
    return _summed([rows], ROW_KEYS[name])


def _counted(rows: pl.DataFrame, name: str) -> list[str]:
    return [column for column in rows.columns if column not in KEYS[name]]


def _summed(frames: list[pl.DataFrame], key: tuple[str, ...]) -> pl.DataFrame:
    """Return the frames added up by their key, sorted; rows of zeros are left out."""
    rows = pl.concat(frames)
    counts = [column for column in rows.columns if column not in key]
    summed = rows.group_by(key).agg(pl.col(counts).sum())
    return summed.filter(pl.any_horizontal(pl.col(counts) != 0)).select(*key, *counts).sort(key)


def _dated(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with their partition: the month in which the period begins."""
    at = rows.columns.index("period_end" if "period_end" in rows.columns else "period_start") + 1
    return rows.insert_column(at, rows["period_start"].dt.strftime("%Y-%m").alias("partition"))


def _coded(statements: pl.DataFrame) -> pl.DataFrame:
    """Return statements in one chunk, their names as numbers in the order of the texts: cheaper to group by."""
    names = [statements[name].cast(pl.Enum(statements[name].unique().sort())) for name in _NAMES]
    return statements.with_columns(names).rechunk()


def _numbered(several: pl.DataFrame) -> pl.DataFrame:
    """Return statements with the number of their item instead of its id: grouping by it is cheaper."""
    items = several.select("item_id").unique().with_row_index("item")
    return several.join(items, on="item_id").drop("item_id")


def _by_obligations(several: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the statements of items that one obligation has, and of those that several have."""
    ends = several.group_by("item").agg(least=pl.col("obligation").min(), greatest=pl.col("obligation").max())
    shared = ends.filter(pl.col("least") != pl.col("greatest")).select("item")
    return several.join(shared, on="item", how="anti"), several.join(shared, on="item", how="semi")


def _of_reporters(several: pl.DataFrame) -> pl.DataFrame:
    """Return the statements of items that several reporters state, but not more than `MOST_REPORTERS`."""
    reporters = several.group_by("item").agg(reporters=pl.col("reported_by").n_unique())
    chosen = reporters.filter(pl.col("reporters").is_between(2, MOST_REPORTERS)).select("item")
    return several.join(chosen, on="item", how="semi")


def _count(name: str) -> pl.Expr:
    return pl.len().cast(pl.Int64).alias(name)


def _reports(once: pl.DataFrame, alone: pl.DataFrame, shared: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the counts of reports: figures, those that another obligation has, and those that no earlier reporter has.

    The last add up to the items of an obligation: of several reporters of one, the first by name has it.
    """
    place = list(REPORT_KEY[:-1])
    figures = once.group_by(place).agg(_count("figures"))
    yield figures.with_columns(figures_elsewhere=pl.lit(0, pl.Int64), items=pl.col("figures"))
    for rows, elsewhere in ((alone, False), (shared, True)):
        cell = ["item", "obligation", "reported_by"]
        others = [name for name in place if name not in {*cell, "sender"}]
        cells = rows.group_by(cell).agg(pl.col(others).first(), pl.col("sender").min())
        first = cells.group_by("item", "obligation").agg(first=pl.col("reported_by").min())
        cells = cells.join(first, on=["item", "obligation"])
        earliest = (pl.col("reported_by") == pl.col("first")).sum().cast(pl.Int64)
        counts = cells.group_by(place).agg(_count("figures"), earliest.alias("items"))
        part = pl.col("figures") if elsewhere else pl.lit(0, pl.Int64)
        yield counts.select(*place, "figures", part.alias("figures_elsewhere"), "items")


def _pairs(shared: pl.DataFrame, who: str, key: tuple[str, ...]) -> pl.DataFrame:
    """Return the counts of each two obligations, or reporters (`who`), that state the same items.

    agreeing: all claims of both have one value; consistent: their intervals share a number; an item of which a value is
    withheld is counted in `items` only.
    """
    stated = shared.group_by("item", who).agg(
        pl.col("concept", "period_start").first(),
        known=pl.col("value").is_not_null().all(),
        least=pl.col("value").min(),
        greatest=pl.col("value").max(),
        lower=pl.col("lower").max(),
        upper=pl.col("upper").min(),
    )
    pairs = stated.join(stated, on="item", suffix="_b").filter(pl.col(who) < pl.col(f"{who}_b"))
    known = pl.col("known") & pl.col("known_b")
    agreeing = known & (pl.min_horizontal("least", "least_b") == pl.max_horizontal("greatest", "greatest_b"))
    meets = pl.max_horizontal("lower", "lower_b") <= pl.min_horizontal("upper", "upper_b")
    kinds = {"agreeing": agreeing, "consistent": known & ~agreeing & meets, "conflicting": known & ~agreeing & ~meets}
    counts = [rows.sum().cast(pl.Int64).alias(name) for name, rows in kinds.items()]
    return pairs.rename({who: key[0], f"{who}_b": key[1]}, strict=False).group_by(key).agg(_count("items"), *counts)


def _single_sets(single: pl.DataFrame) -> pl.DataFrame:
    """Return how many items one obligation has alone."""
    counts = single.group_by("obligation", "concept", "period_start").agg(_count("items"))
    return counts.select(
        pl.col("obligation").cast(pl.String).alias("obligations"),
        pl.col("obligation").cast(pl.String).alias("most_accurate"),
        "concept",
        "period_start",
        "items",
    )


def _shared_sets(shared: pl.DataFrame) -> pl.DataFrame:
    """Return how many items each set of several obligations has."""
    cells = shared.group_by("item", "obligation").agg(
        pl.col("concept", "period_start").first(), width=interval_width().fill_null(float("inf")).min()
    )
    best = pl.when(pl.col("width") == pl.col("width").min().over("item")).then("obligation")
    names = {"obligations": pl.col("obligation"), "most_accurate": pl.col("best")}
    texts = {column: name.cast(pl.String) for column, name in names.items()}
    sets = (
        cells.with_columns(best.alias("best"))
        .sort("obligation")
        .group_by("item")
        .agg(
            *(text.str.join(NAME_SEPARATOR, ignore_nulls=True).alias(column) for column, text in texts.items()),
            pl.col("concept", "period_start").first(),
        )
    )
    return sets.group_by(*names, "concept", "period_start").agg(_count("items"))


def _scopes(once: pl.DataFrame, alone: pl.DataFrame, shared: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the counts of senders and units."""
    for scope, column in (("sender", "sender"), ("unit", "unit_id")):
        name = [pl.lit(scope).alias("scope"), pl.col(column).cast(pl.String).alias("name")]
        for rows in (once, alone.unique(["item", column], keep="any")):
            counts = rows.group_by(column).agg(_count("items"))
            yield counts.select(*name, "items", figures="items", figures_elsewhere=pl.lit(0, pl.Int64))
        items = shared.group_by("item", column).agg(pl.col("obligation").n_unique().cast(pl.Int64).alias("figures"))
        counts = items.group_by(column).agg(_count("items"), pl.col("figures").sum())
        yield counts.select(*name, "items", "figures", figures_elsewhere="figures")
