"""Discovery: double reporting that no contract declares, listed with its evidence for a person to judge.

Series that state the same figures, or nearly the same, or sums of others, or hardly ever change.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from schemas.claims import frame_schema
from schemas.overlap import SUSPECTED
from schemas.record_tables import SINGLE_PARTITION
from transforms.discovery.candidates import candidate_pairs
from transforms.discovery.evidence import (
    Agreement,
    Places,
    SeriesValues,
    Values,
    agreement_of,
    agrees_often,
    common_places,
    series_values,
)
from transforms.discovery.series import series_id, series_of
from transforms.discovery.series_figures import SERIES, SeriesFigures, unit_sizes
from transforms.discovery.sums import SUM_SHARE, FoundSum, sums_of_series

FEWEST_COMMON: Final = 10
"""Series are compared at so many common units and periods at least."""
LEAST_Z: Final = 3.5
LEAST_BITS: Final = 10.0
"""The evidence must exceed this by the logarithm of the number of pairs that are compared (Bonferroni)."""
SAME_SHARE: Final = 0.5
"""`same`: this share of the common values is equal."""
NEAR_EQUAL: Final = 0.25
NEAR_PERCENT: Final = 0.75
"""`near`: so many are equal, and so many within one percent."""
UNCHANGED_SHARE: Final = 0.9
FEWEST_STEPS: Final = 20
"""`constant`: of so many steps from one period to the next, this share leaves the figure as it was."""


Name = dict[str, str]
"""What identifies a series: `SERIES` and over."""


@dataclass(frozen=True)
class PlacedSeries:
    """The series by number: their values as they are and one period later, and their names; each place with its size.

    places: sorted; sizes: in the same order.
    """

    values: dict[int, SeriesValues]
    later: dict[int, SeriesValues]
    names: dict[int, Name]
    places: Places
    sizes: Values


def suspected_of(statements: pl.DataFrame) -> pl.DataFrame:
    """Return double reporting that nobody declared in these statements, as `suspected_overlap`."""
    if statements.height < 2 * FEWEST_COMMON:  # no two series have so many places
        return pl.DataFrame(schema=frame_schema(SUSPECTED))
    return suspected_overlap(series_of(statements))


def suspected_overlap(known: SeriesFigures) -> pl.DataFrame:
    """Return double reporting that nobody declared, as table `suspected`, most evidence first."""
    pairs = candidate_pairs(known)
    shifted = pairs.filter(pl.col("shift") != 0)
    late = known.figures.filter(pl.col("series").is_in(pl.concat([shifted["a"], shifted["b"]]).unique().implode()))
    values, later = series_values(known.figures), series_values(known.later(late))
    names = dict(zip(known.names["series"], known.names.select(*SERIES, "over").to_dicts(), strict=True))
    sizes = unit_sizes(known)
    series = PlacedSeries(values, later, names, sizes["place"].to_numpy(), sizes["size"].to_numpy())
    sums = list(sums_of_series(known.names, values))
    parts = {(found.total, part) for found in sums for part in found.parts}
    rows = [
        *_similar_rows(pairs, parts, series),
        *_sum_rows(sums, names),
        *_constant_rows(known, names),
    ]
    table = pl.DataFrame(rows, schema=frame_schema(SUSPECTED), orient="row")
    order = ["bits", "kind", "obligation_a", "concept_a", "breakdown_a", "obligation_b", "concept_b", "breakdown_b"]
    return table.sort(order, descending=[True] + [False] * (len(order) - 1), nulls_last=True)


def _similar_rows(pairs: pl.DataFrame, parts: set[tuple[int, int]], series: PlacedSeries) -> Iterator[dict[str, Any]]:
    """Yield the pairs of series whose values agree more often than chance, without a total and a part of it."""
    needed = LEAST_BITS + np.log2(max(pairs.height, 1))
    unmoved: set[tuple[int, int]] = set()
    for a, b, scale, shift in pairs.iter_rows():
        if not parts.isdisjoint({(a, b), (b, a)}) or (shift and (a, b) in unmoved):
            continue
        found = _agreement(series, a, b, scale=scale, shift=shift)
        if found is not None and _is_evidence(found, needed):
            for row in _similar_row(series.names[a], series.names[b], found, 10.0**scale):
                unmoved.add((a, b))
                if not shift or row["kind"] == "same":
                    yield {**row, "shift": shift}


def _is_evidence(found: Agreement, needed: float) -> bool:
    """Return whether two series agree at enough places and more often than chance; needed: the least bits."""
    return found.common >= FEWEST_COMMON and found.z >= LEAST_Z and found.bits >= needed


def _agreement(series: PlacedSeries, a: int, b: int, *, scale: int, shift: int) -> Agreement | None:
    """Return how two series agree at the places of both, the second one scaled; None at too few places.

    shift: 1 moves the second one to the next period, -1 the first one.
    """
    one = (series.later if shift < 0 else series.values)[a]
    other = (series.later if shift > 0 else series.values)[b]
    common, at_a, at_b = common_places(one.places, other.places)
    if common.size < FEWEST_COMMON:
        return None
    values, scaled = one.values[at_a], np.round(other.values[at_b] * 10.0**scale, 9)
    if not agrees_often(values, scaled, NEAR_EQUAL):
        return None
    return agreement_of(values, scaled, series.sizes[np.searchsorted(series.places, common)])


def _similar_row(a: Name, b: Name, found: Agreement, scale: float) -> Iterator[dict[str, Any]]:
    """Yield the row of two series that agree, if they agree often enough for one of the kinds."""
    near = found.equal >= NEAR_EQUAL * found.common and found.percent >= NEAR_PERCENT * found.common
    if a["over"] or b["over"]:
        total, part = (b, a) if a["over"] else (a, b)
        if found.equal >= SUM_SHARE * found.common:
            yield _row("sum", total, found, parts=[part], scale=scale if total is a else 1 / scale)
    elif found.equal >= SAME_SHARE * found.common:
        yield _row("same", a, found, b=b, scale=scale)
    elif near:
        yield _row("near", a, found, b=b, scale=scale)


def _row(
    kind: str,
    a: Name,
    found: Agreement,
    *,
    b: Name | None = None,
    parts: list[Name] | None = None,
    scale: float = 1.0,
) -> dict[str, Any]:
    """Return a row of `suspected`: a series, and the one or those that it agrees with."""
    agreeing = found.percent if kind == "near" else found.equal
    sides = {f"{name}_a": a[name] for name in SERIES} | {f"{name}_b": b[name] if b else None for name in SERIES}
    return {
        "kind": kind,
        "series_a": series_id(a),
        "series_b": series_id(parts or b or a),
        **sides,
        "parts": None if parts is None else json.dumps(parts, ensure_ascii=False, sort_keys=True),
        "common": found.common,
        "agreeing": agreeing,
        "share": agreeing / found.common,
        "chance": found.chance,
        "z": found.z,
        "bits": found.bits,
        "scale": scale,
        "shift": 0,
        "verdict": None,
        "partition": SINGLE_PARTITION,
    }


def _sum_rows(sums: list[FoundSum], names: dict[int, Name]) -> Iterator[dict[str, Any]]:
    """Yield the series that equal a sum of others."""
    for found in sums:
        agreement = Agreement(found.common, found.equal, found.equal, found.equal, 0.0, 0.0, found.bits)
        yield _row("sum", names[found.total], agreement, parts=[names[part] for part in found.parts])


def _constant_rows(known: SeriesFigures, names: dict[int, Name]) -> Iterator[dict[str, Any]]:
    """Yield the series whose figures seldom change from one period to the next."""
    places = known.units.height * known.periods.height
    key = pl.col("series").cast(pl.UInt64) * places + pl.col("place")
    reported = known.reported()
    # Both are in the order of one number: they are joined by merging, in a tenth of the time that hashing takes.
    now, before = (rows.select("series", "value", key=key).sort("key") for rows in (reported, known.later(reported)))
    steps = now.join(before.select("key", before="value"), on="key")
    counts = (
        steps.filter((pl.col("value") != 0) | (pl.col("before") != 0))
        .group_by("series")
        .agg(common=pl.len(), equal=(pl.col("value") == pl.col("before")).sum())
        .filter((pl.col("common") >= FEWEST_STEPS) & (pl.col("equal") >= UNCHANGED_SHARE * pl.col("common")))
        .sort("series")
    )
    for series, common, equal in counts.iter_rows():
        yield _row("constant", names[series], Agreement(common, equal, equal, equal, 0.0, 0.0, 0.0))
