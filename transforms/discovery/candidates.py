"""Candidate pairs of series: those that share values at the same units and periods, found by joins on values.

The cost follows how often values agree, not the number of pairs: a value that many series share at one place is no
evidence, and a sample of units is enough to find pairs that agree as often as discovery asks for.
"""

from typing import Final

import numpy as np
import polars as pl

from transforms.discovery.series_figures import SeriesFigures

EXACT_BELOW: Final = 200
"""Values below this count as close when they are equal, others when they differ by `CLOSE_SHARE` at most."""
CLOSE_SHARE: Final = 0.01
SHARED_BY: Final = 20
"""A value that more series than this share at one unit and period brings none of them together."""
SAMPLE: Final = 1_000_000
"""About so many figures are compared to find candidates."""
FEWEST_CLOSE: Final = 5
"""A candidate pair has so many close values in the sample."""
SIGNIFICANT_DIGITS: Final = 3
"""A value has so many significant digits at least to be compared at another scale."""


def candidate_pairs(known: SeriesFigures) -> pl.DataFrame:
    """Return pairs of series that have close values at `FEWEST_CLOSE` places or more: a < b (UInt32), scale, shift.

    scale (Int8): the power of ten by which b's values are multiplied to be a's.
    shift (Int8): the periods by which b's values are moved to be a's; a pair may have one row without and one with a
    shift, in this order. Pairs of one declared item (the same concept and breakdown) are left out: nothing is to be
    discovered there. A series that sums others over units or periods is paired with reported ones only.
    """
    names = known.names.select("series", "concept", "breakdown", "over")
    rows = _sampled(known).filter(pl.col("value") != 0)
    found = pl.concat([_joined(_close_keys(rows)), _joined(_digit_keys(rows)), _shifted(rows, known)])
    key = ["a", "b", "scale", "shift"]
    pairs = found.group_by(key).agg(pl.len().alias("close")).filter(pl.col("close") >= FEWEST_CLOSE)
    for side in ("a", "b"):
        pairs = pairs.join(names.rename({"series": side}), on=side, suffix="_b")
    other = (pl.col("concept") != pl.col("concept_b")) | (pl.col("breakdown") != pl.col("breakdown_b"))
    reported = (pl.col("over") == "") & (pl.col("over_b") == "")
    sums = (pl.col("over") == "") != (pl.col("over_b") == "")
    is_shifted = (pl.col("shift") != 0).alias("shifted")
    best = pairs.filter((reported & other) | sums).with_columns(is_shifted)
    best = best.sort(
        "a", "b", "shifted", "close", "scale", "shift", descending=[False, False, False, True, False, True]
    )
    return best.unique(["a", "b", "shifted"], keep="first", maintain_order=True).select(key)


def _sampled(known: SeriesFigures) -> pl.DataFrame:
    """Return the figures of so many units, chosen by the hash of their ids, that they are about `SAMPLE`."""
    share = min(1.0, SAMPLE / max(known.figures.height, 1))
    return known.of_units(pl.col("unit_id").hash(0) <= int(share * (2**64 - 1)))


def _close_keys(rows: pl.DataFrame) -> pl.DataFrame:
    """Return each value with the key of its percent, and of the next one: close values share one of them."""
    value, size = pl.col("value"), pl.col("value").abs()
    step = (size.log() / np.log1p(CLOSE_SHARE)).floor()
    large = size >= EXACT_BELOW
    first = rows.with_columns(key=pl.when(large).then(step * value.sign()).otherwise(value), near=pl.lit(0, pl.Int8))
    second = rows.filter(large).with_columns(key=(step + 1) * value.sign(), near=pl.lit(1, pl.Int8))
    both = pl.concat([first, second])
    return both.with_columns(large=large, scale=pl.lit(0, pl.Int8))


def _digit_keys(rows: pl.DataFrame) -> pl.DataFrame:
    """Return values with their digits as the key, whatever the position of the decimal point: equal values share it."""
    power = pl.col("value").abs().log10().floor()
    digits = (pl.col("value") / pl.lit(10.0).pow(power)).round(9)
    significant = (digits * 10 ** (SIGNIFICANT_DIGITS - 2)).round(6) % 1 != 0
    return rows.with_columns(
        key=digits, scale=power.cast(pl.Int8), near=pl.lit(0, pl.Int8), large=pl.lit(value=True)
    ).filter(significant)


def _joined(keyed: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each two series that share a key at a unit and period: a < b, and the scale from b to a."""
    place = ["place", "large", "key"]
    rare = keyed.filter(pl.len().over(place).is_between(2, SHARED_BY)).select(*place, "series", "scale", "near")
    joined = rare.join(rare, on=place, suffix="_b").filter(pl.col("series") < pl.col("series_b"))
    scale = (pl.col("scale") - pl.col("scale_b")).cast(pl.Int8)
    once = (pl.col("near") == 0) | (pl.col("near_b") == 0)  # two values that share both their keys share the first
    return joined.filter(once).select(a="series", b="series_b", scale=scale, shift=pl.lit(0, pl.Int8))


def _shifted(rows: pl.DataFrame, known: SeriesFigures) -> pl.DataFrame:
    """Return a row for each two series of which one has the other's value one period later: a < b, and the shift.

    A value that the series had in the period before is left out: figures that seldom change are equal at any shift.
    """
    place = ["place", "value"]
    stepped = known.names.filter(pl.col("over") == "", pl.col("step").is_not_null())["series"]
    reported = rows.filter(pl.col("series").is_in(stepped.implode()))
    new = reported.join(known.later(reported), on=["series", *place], how="anti")
    rare = new.filter(pl.len().over(place) <= SHARED_BY)
    joined = rare.join(known.later(rare), on=place, suffix="_b").filter(pl.col("series") != pl.col("series_b"))
    forward = pl.col("series") < pl.col("series_b")
    return joined.select(
        a=pl.min_horizontal("series", "series_b"),
        b=pl.max_horizontal("series", "series_b"),
        scale=pl.lit(0, pl.Int8),
        shift=pl.when(forward).then(1).otherwise(-1).cast(pl.Int8),
    )
