"""The diff of a staged release: every item and id that changes, before and after; its summary in counts and samples."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.release.records.inputs import KindInputs
from flows.release.staged import StagedRelease
from infra.lake.item_tables import ItemTables, kind_tables, observation_tables
from infra.ledger.releases import Release
from schemas.claims import AGREEMENTS, BUCKETS, Column
from schemas.kind import Kind
from schemas.record_tables import item_columns
from transforms import identity
from transforms.numbers import decimal_text

DIFF_SCHEMA: Final = {
    "table": pl.String, "change": pl.String, "item_id": pl.String, "what": pl.String, "contract": pl.String,
    "period": pl.String, "before": pl.String, "after": pl.String,
}  # fmt: skip
"""One row per item that is added, changed or removed, and per id that is merged, split, moved, retired or renewed.

what: concept and unit. period: month. before, after: the value and how its reports agree; for a record the fields that
differ; for an id the other id and how many reports moved to it.
"""
SAMPLES_PER_CHANGE: Final = 3
MAX_MONTHS: Final = 18
"""With more months than this, changes are counted by year."""
MAX_VALUE_CHARS: Final = 60
"""Characters of a value that are shown."""
UNCOMPARED_COLUMNS: Final = ("item_id", "release", "partition", "first_reported", "last_reported")


def staged_diff(
    installation: Installation, staged: StagedRelease, last: Release, kinds: Iterable[KindInputs]
) -> pl.DataFrame:
    """Return what the staged release would change (`DIFF_SCHEMA`), sorted."""
    parts = [_observations(installation, staged, last)]
    for inputs in kinds:
        parts += [_records(installation, staged, last, inputs.kind), _ids(installation, staged, inputs.kind)]
    return pl.concat([part.select(pl.col(c).cast(t) for c, t in DIFF_SCHEMA.items()) for part in parts]).sort(
        list(DIFF_SCHEMA)
    )


@dataclass(frozen=True)
class _Changes:
    """What a staged release changes of observations, or of one kind.

    rows: the table of changes. items: the changed items before and after. contracts: item_id, contract.
    """

    rows: pl.DataFrame
    items: tuple[pl.LazyFrame, pl.LazyFrame]
    contracts: pl.DataFrame


def _changes(tables: ItemTables, staged: StagedRelease, last: Release) -> _Changes:
    rows, now = tables.changes(staged.release).collect(), tables.versions()
    partitions = rows["partition"].unique().to_list()
    changed = pl.col("item_id").is_in(rows["item_id"].implode())

    def _both(name: str) -> tuple[pl.LazyFrame, pl.LazyFrame]:
        before, after = (tables.live(name, versions, partitions) for versions in (last["tables"], now))
        return before.filter(changed), after.filter(changed)

    sources = pl.concat(side.select("item_id", "contract") for side in _both(f"{tables.prefix}sources"))
    contracts = sources.group_by("item_id").agg(pl.col("contract").unique().sort().str.join(", ")).collect()
    return _Changes(rows, _both(tables.items), contracts)


def _observations(installation: Installation, staged: StagedRelease, last: Release) -> pl.DataFrame:
    found = _changes(observation_tables(installation.settings.lake), staged, last)
    label = pl.format("{} {} {}", "concept", "breakdown", "unit_name").alias("what")
    labels = pl.concat([side.select("item_id", label).collect() for side in found.items])
    return (
        found.rows.join(labels.unique("item_id", keep="last", maintain_order=True), on="item_id", how="left")
        .join(found.contracts, on="item_id", how="left")
        .with_columns(
            *(_fact(side) for side in ("before", "after")),
            table=pl.lit("observations"),
            period=pl.col("partition"),
        )
    )


def _fact(side: str) -> pl.Expr:
    """Return a value and how its reports agree, as text; null if there is no item."""
    value = decimal_text(pl.col(f"value_{side}")).fill_null("withheld")
    return pl.format("{} ({})", value, f"agreement_{side}").alias(side)


def _records(installation: Installation, staged: StagedRelease, last: Release, kind: Kind) -> pl.DataFrame:
    found, name = _changes(kind_tables(installation.settings.lake, kind), staged, last), kind.kind
    columns = [c for c in item_columns(kind) if c.name not in UNCOMPARED_COLUMNS]
    fields = [c.name for c in columns]
    items = found.rows.select("item_id", "change")
    for side, rows in zip(("before", "after"), found.items, strict=True):
        texts = rows.select("item_id", *map(_text, columns)).rename({f: f"{f}_{side}" for f in fields})
        items = items.join(texts.collect(), on="item_id", how="left")
    return items.join(found.contracts, on="item_id", how="left").with_columns(
        *(_differing(fields, side).alias(side) for side in ("before", "after")),
        table=pl.lit(name),
        what=pl.lit(name),
        period=pl.lit(None, pl.String),
    )


def _text(column: Column) -> pl.Expr:
    """Return a value as text; the members of a list are joined."""
    value = pl.col(column.name)
    if column.dtype == pl.List:
        return value.cast(pl.List(pl.String)).list.join(" / ")
    return value.cast(pl.String)


def _differing(fields: list[str], side: str) -> pl.Expr:
    """Return `field: value` of the fields that differ; of all fields for an item that is added or removed."""
    shown = []
    for name in fields:
        value = pl.col(f"{name}_{side}")
        differs = pl.col(f"{name}_before").ne_missing(pl.col(f"{name}_after"))
        short = (
            pl.when(value.str.len_chars() > MAX_VALUE_CHARS)
            .then(value.str.head(MAX_VALUE_CHARS) + "…")
            .otherwise(value)
        )
        text = pl.format("{}: {}", pl.lit(name), short.fill_null("nothing"))
        shown.append(pl.when(differs & (value.is_not_null() | (pl.col("change") == "changed"))).then(text))
    absent = pl.col("change") == ("added" if side == "before" else "removed")
    return pl.when(~absent).then(pl.concat_str(shown, separator="; ", ignore_nulls=True))


def _ids(installation: Installation, staged: StagedRelease, kind: Kind) -> pl.DataFrame:
    history = kind_tables(installation.settings.lake, kind).scan(f"{kind.kind}_history")
    return history.filter(pl.col("release") == staged.release).select(
        pl.lit(f"{kind.kind} ids").alias("table"),
        pl.col("event").alias("change"),
        "item_id",
        pl.lit(kind.kind).alias("what"),
        pl.lit(None, pl.String).alias("contract"),
        pl.lit(None, pl.String).alias("period"),
        pl.lit(None, pl.String).alias("before"),
        pl.format("{} ({} reports)", pl.col("other_id").fill_null("none"), "reports").alias("after"),
    ).collect()  # fmt: skip


def fingerprint(diff: pl.DataFrame) -> str:
    """Return a digest of a diff; it does not depend on the order of rows."""
    sums = diff.select(identity.lanes(*map(pl.col, DIFF_SCHEMA))).sum()
    return identity.digest((*sums.row(0), diff.height)) if diff.height else identity.digest((0,))


def diff_summary(diff: pl.DataFrame, staged: StagedRelease, last: Release) -> dict[str, Any]:
    """Return a diff as plain values: counts by table and change, by contract and period; samples; before and after.

    `agreements` counts observations. `rows` counts delivered rows, each once, in the bucket of its leading claim: an
    item may become a conflict while no row changes its bucket.
    """
    period = pl.col("period")
    if diff["period"].n_unique() > MAX_MONTHS:
        period = period.str.head(4)
    by = diff.with_columns(period).group_by("table", "contract", "period", "change").len("items")
    rows = dict(staged.buckets.group_by("bucket").agg(pl.col("rows").sum()).iter_rows())
    before = {bucket: last["counts"].get(f"rows_{bucket}", 0) for bucket in BUCKETS}
    agreed = {name: last["counts"].get(name, 0) for name in AGREEMENTS}
    agreements = {name: [n, n + staged.agreements.get(name, 0)] for name, n in agreed.items()}
    return {
        "digest": fingerprint(diff),
        "changes": diff.group_by("table", "change").len("items").sort("table", "change").to_dicts(),
        "by": by.sort("table", "contract", "period", "change", nulls_last=True).to_dicts(),
        "samples": diff.group_by("table", "change", maintain_order=True).head(SAMPLES_PER_CHANGE).to_dicts(),
        "agreements": {name: both for name, both in agreements.items() if any(both)},
        "rows": {b: [before[b], rows.get(b, 0)] for b in BUCKETS if before[b] or rows.get(b, 0)},
        "release_digest": [last["digest"], identity.digest(tuple(staged.lanes))],
    }
