"""What a staged release changes: every item and id, before and after; in numbers, by contract and period; samples."""

from collections.abc import Iterable
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.release.records.resolution import Basis
from flows.release.staged import Staged
from infra.lake import delta as lake
from infra.lake import kind_tables as lake_records
from infra.ledger import submissions as ledger
from schemas.claims import AGREEMENTS, BUCKETS, Column
from schemas.kind import Kind
from schemas.record_tables import item
from transforms import identity as identify

DIFF: Final = {
    "table": pl.String, "change": pl.String, "item_id": pl.String, "what": pl.String, "contract": pl.String,
    "period": pl.String, "before": pl.String, "after": pl.String,
}  # fmt: skip
"""One row an item that is added, changed or removed, or an id that is merged, split, moved, retired or renewed.

what: concept and unit. period: month. before, after: the value and how its reports agree; of a record the fields that
differ; of an id the other one and how many reports went with it.
"""
SAMPLES: Final = 3
MONTHS: Final = 18
"""With more months than this, years are counted."""
SHOWN: Final = 60
"""Letters of a value that are shown."""
BESIDE: Final = ("item_id", "release", "partition", "first_reported", "last_reported")


def diff_of(installation: Installation, staged: Staged, last: ledger.Release, kinds: Iterable[Basis]) -> pl.DataFrame:
    """Return what the staged release would change (`DIFF`), sorted."""
    parts = [_observations(installation, staged, last)]
    for basis in kinds:
        parts += [_records(installation, staged, last, basis.kind), _ids(installation, staged, basis.kind)]
    return pl.concat([part.select(pl.col(c).cast(t) for c, t in DIFF.items()) for part in parts]).sort(list(DIFF))


def _observations(installation: Installation, staged: Staged, last: ledger.Release) -> pl.DataFrame:
    root = installation.settings.lake
    changes = lake.scan(root, "changes").filter(pl.col("release") == staged.release).collect()
    months, now = changes["partition"].unique().to_list(), lake.versions(root)
    wanted = pl.col("item_id").is_in(changes["item_id"].implode())
    sides = [(last["tables"], months), (now, months)]
    named = pl.concat(
        [
            lake.live(root, "observations", *side)
            .filter(wanted)
            .select("item_id", pl.format("{} {} {}", "concept", "breakdown", "unit_name").alias("what"))
            .collect()
            for side in sides
        ]
    ).unique("item_id", keep="last", maintain_order=True)
    sources = pl.concat([lake.live(root, "sources", *s).filter(wanted).select("item_id", "contract") for s in sides])
    return (
        changes.join(named, on="item_id", how="left")
        .join(_contracts(sources), on="item_id", how="left")
        .with_columns(
            *(_fact(side) for side in ("before", "after")),
            table=pl.lit("observations"),
            period=pl.col("partition"),
        )
    )


def _fact(side: str) -> pl.Expr:
    """Return a value and how its reports agree, as text; null where there is no item."""
    digits = pl.col(f"value_{side}").cast(pl.String)
    value = digits.str.strip_chars_end("0").str.strip_chars_end(".").fill_null("withheld")
    return pl.format("{} ({})", value, f"agreement_{side}").alias(side)


def _contracts(sources: pl.LazyFrame) -> pl.DataFrame:
    return sources.group_by("item_id").agg(pl.col("contract").unique().sort().str.join(", ")).collect()


def _records(installation: Installation, staged: Staged, last: ledger.Release, kind: Kind) -> pl.DataFrame:
    root, name = installation.settings.lake, kind.kind
    now = lake.versions(root, lake_records.versioned([kind]))
    changes = lake_records.scan(root, kind, f"{name}_changes").filter(pl.col("release") == staged.release)
    told = changes.select("item_id", "change").collect()
    wanted = pl.col("item_id").is_in(told["item_id"].implode())
    columns = [c for c in item(kind) if c.name not in BESIDE]
    fields = [c.name for c in columns]
    for side, tables in (("before", last["tables"]), ("after", now)):
        rows = lake_records.live(root, kind, name, tables).filter(wanted).select("item_id", *map(_text, columns))
        told = told.join(rows.rename({f: f"{f}_{side}" for f in fields}).collect(), on="item_id", how="left")
    both = [lake_records.live(root, kind, f"{name}_sources", t).filter(wanted) for t in (last["tables"], now)]
    sources = pl.concat([side.select("item_id", "contract") for side in both])
    return told.join(_contracts(sources), on="item_id", how="left").with_columns(
        *(_differing(fields, side).alias(side) for side in ("before", "after")),
        table=pl.lit(name),
        what=pl.lit(name),
        period=pl.lit(None, pl.String),
    )


def _text(column: Column) -> pl.Expr:
    """Return a value as text: a list's members joined."""
    value = pl.col(column.name)
    if column.dtype == pl.List:
        return value.cast(pl.List(pl.String)).list.join(" / ")
    return value.cast(pl.String)


def _differing(fields: list[str], side: str) -> pl.Expr:
    """Return `field: value` of the fields that differ; of all, for an item that comes or goes."""
    shown = []
    for name in fields:
        value = pl.col(f"{name}_{side}")
        differs = pl.col(f"{name}_before").ne_missing(pl.col(f"{name}_after"))
        short = pl.when(value.str.len_chars() > SHOWN).then(value.str.head(SHOWN) + "…").otherwise(value)
        told = pl.format("{}: {}", pl.lit(name), short.fill_null("nothing"))
        shown.append(pl.when(differs & (value.is_not_null() | (pl.col("change") == "changed"))).then(told))
    absent = pl.col("change") == ("added" if side == "before" else "removed")
    return pl.when(~absent).then(pl.concat_str(shown, separator="; ", ignore_nulls=True))


def _ids(installation: Installation, staged: Staged, kind: Kind) -> pl.DataFrame:
    history = lake_records.scan(installation.settings.lake, kind, f"{kind.kind}_history")
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
    """Return a digest of a diff, which no order of its rows changes."""
    sums = diff.select(identify.lanes(*map(pl.col, DIFF))).sum()
    return identify.digest((*sums.row(0), diff.height)) if diff.height else identify.digest((0,))


def in_numbers(diff: pl.DataFrame, staged: Staged, last: ledger.Release) -> dict[str, Any]:
    """Return a diff as plain values: counts by table and change, by contract and period; samples; before and after.

    `agreements` counts observations, `rows` delivered rows: each once, in the bucket of its leading claim, so an item
    may come into conflict and no row does.
    """
    period = pl.col("period")
    if diff["period"].n_unique() > MONTHS:
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
        "samples": diff.group_by("table", "change", maintain_order=True).head(SAMPLES).to_dicts(),
        "agreements": {name: both for name, both in agreements.items() if any(both)},
        "rows": {b: [before[b], rows.get(b, 0)] for b in BUCKETS if before[b] or rows.get(b, 0)},
        "release_digest": [last["digest"], identify.digest(tuple(staged.lanes))],
    }
