"""Roll-ups: which items are the parts of which whole, by the derivations that the vocabulary declares.

Each kind of derivation gives one row for each part that is there; whether all parts are, is for the caller to compare
with `needed`.
"""

import json
from collections.abc import Collection, Iterator
from typing import Final

import polars as pl

from schemas.claims import IDENTITY
from schemas.concepts import Derivation, Vocabulary

ITEM_IDENTITY: Final = tuple(column.name for column in IDENTITY)
MONTHS: Final = {"month": 1, "quarter": 3}
"""How many months a part of a longer period has."""
YEAR_MONTHS: Final = 12
MOST_ROUNDS: Final = 6
"""Roll-ups of roll-ups: units, periods, codes and sums of concepts, each once, end before."""


def parts_of_wholes(
    items: pl.DataFrame, vocabulary: Vocabulary, wholes: pl.DataFrame, *, of_any: bool = False
) -> pl.DataFrame:
    """Return the parts of every whole that the vocabulary's derivations give from these items.

    items: item_id and the columns of `ITEM_IDENTITY`. wholes: `transforms.derivations.wholes.WHOLES`. Columns: those of
    `ITEM_IDENTITY`, of the whole; rule (String), needed (UInt32, how many parts the whole has), part (String, the id
    of an item). of_any: the breakdowns and periods that make a whole where somebody reports it are those of any
    concept, not of its own alone.
    """
    found = [
        _with_rule(frame, rule_of(derivation))
        for name, concept in vocabulary.concepts.items()
        for derivation in concept.derives
        for frame in _parts(items, name, derivation, (vocabulary, wholes), of_any=of_any)
    ]
    return pl.concat([_with_rule(_rows(items.clear(), needed=0), ""), *found])


def rule_of(derivation: Derivation) -> str:
    """Return the name of a derivation among those of its concept: `units:municipality`, `over:sex`."""
    if derivation.sum_of:
        return f"sum_of:{'+'.join(derivation.sum_of)}"
    if derivation.over:
        return f"over:{derivation.over}" + ("=" + "+".join(derivation.parts) if derivation.parts else "")
    return f"periods:{derivation.periods}" if derivation.periods else f"units:{derivation.units}"


def deriving_concepts(vocabulary: Vocabulary, wanted: Collection[str] | None = None) -> set[str]:
    """Return the concepts that are a whole or a part of some derivation: no other item matters here.

    wanted: only those from which items of these concepts follow, the concepts that derive themselves included.
    """
    declared = {name: concept.derives for name, concept in vocabulary.concepts.items() if concept.derives}
    found: set[str] = set()
    open_names = set(declared if wanted is None else wanted) & set(declared)
    while open_names:
        found |= open_names
        parts = {part for name in open_names for each in declared.get(name, ()) for part in each.sum_of}
        open_names = parts - found
    return found


def _parts(
    items: pl.DataFrame, concept: str, derivation: Derivation, context: tuple[Vocabulary, pl.DataFrame], *, of_any: bool
) -> Iterator[pl.DataFrame]:
    """Yield the parts of one derivation's wholes: the columns of `ITEM_IDENTITY`, needed, part."""
    vocabulary, wholes = context
    if derivation.sum_of:
        names = sorted(set(derivation.sum_of))
        rows = items.filter(pl.col("concept").is_in(names)).with_columns(concept=pl.lit(concept))
        yield _rows(rows, needed=len(names))
        return
    own = items.filter(pl.col("concept") == concept)
    if own.is_empty():
        return
    reported = items if of_any else own
    if derivation.over:
        yield _over_codes(own, derivation, vocabulary, reported)
    elif derivation.periods:
        yield _over_periods(own, MONTHS[derivation.periods], reported)
    else:
        higher = wholes.filter(pl.col("kind") == derivation.units).select("unit_id", "whole", "period_start", "parts")
        placed = own.join(higher, on=["unit_id", "period_start"]).with_columns(unit_id="whole")
        yield _rows(placed, needed=pl.col("parts"))


def _rows(rows: pl.DataFrame, *, needed: int | pl.Expr) -> pl.DataFrame:
    count = pl.lit(needed) if isinstance(needed, int) else needed
    return rows.select(*ITEM_IDENTITY, count.cast(pl.UInt32).alias("needed"), pl.col("item_id").alias("part"))


def _with_rule(rows: pl.DataFrame, rule: str) -> pl.DataFrame:
    return rows.with_columns(rule=pl.lit(rule))


def _over_codes(
    own: pl.DataFrame, derivation: Derivation, vocabulary: Vocabulary, reported: pl.DataFrame
) -> pl.DataFrame:
    """Return the parts of the item of a dimension's total, and of the item without the dimension.

    Of a dimension with a total the item without it counts only where somebody reports such items.
    """
    name = derivation.over or ""
    dimension = vocabulary.dimensions[name]
    codes = set(derivation.parts or dimension.codes) - {dimension.total}
    texts = set(reported["breakdown"].unique())
    pairs = []
    for text in sorted(own["breakdown"].unique()):
        breakdown: dict[str, str] = json.loads(text)
        if breakdown.get(name) in codes:
            without = _breakdown_text({key: code for key, code in breakdown.items() if key != name})
            if dimension.total is not None:
                pairs.append((text, _breakdown_text({**breakdown, name: dimension.total})))
            if dimension.total is None or without in texts:
                pairs.append((text, without))
    schema = {"breakdown": pl.String, "whole": pl.String}
    placed = own.join(pl.DataFrame(pairs, schema=schema, orient="row"), on="breakdown")
    return _rows(placed.with_columns(breakdown="whole"), needed=len(codes))


def _breakdown_text(breakdown: dict[str, str]) -> str:
    """Return a breakdown as items have it."""
    return json.dumps(breakdown, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _over_periods(own: pl.DataFrame, months: int, reported: pl.DataFrame) -> pl.DataFrame:
    """Return the parts, of so many months each, of calendar years and of longer periods that somebody reports."""
    spans = reported.select("period_start", "period_end").unique()
    length = (_month("period_end") - _month("period_start")).alias("months")
    whole_months = (pl.col("period_start").dt.day() == 1) & (pl.col("period_end").dt.day() == 1)
    measured = spans.filter(whole_months).with_columns(length)
    parts = measured.filter(pl.col("months") == months)
    years = pl.date(pl.col("period_start").dt.year(), 1, 1)
    calendar = parts.select(period_start=years, period_end=years.dt.offset_by("1y"), months=pl.lit(YEAR_MONTHS))
    longer = pl.concat([measured.filter(pl.col("months") > months), calendar.cast(measured.schema)]).unique()
    wholes = longer.filter(pl.col("months") % months == 0).select(
        start="period_start", end="period_end", needed=pl.col("months") // months
    )
    offset = _month("period_start") - _month("start")
    placed = parts.join(wholes, how="cross").filter(
        pl.col("period_start") >= pl.col("start"), pl.col("period_end") <= pl.col("end"), offset % months == 0
    )
    rows = own.join(placed, on=["period_start", "period_end"])
    return _rows(rows.with_columns(period_start="start", period_end="end"), needed=pl.col("needed"))


def _month(name: str) -> pl.Expr:
    """Return the number of a date's month since the year 0."""
    return pl.col(name).dt.year() * YEAR_MONTHS + pl.col(name).dt.month()
