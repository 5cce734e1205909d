"""The nights of the record kinds, one after the other: found, written to the lake, counted into the staged release."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import polars as pl

from flows.installation import Installation
from flows.record_writing import write, write_whole
from flows.release.records.chunks import Part, parts
from flows.release.records.resolution import Basis, KindNight, kind_night
from flows.release.staged import Staged
from infra import telemetry
from infra.checks import engine as checks
from infra.checks.expectations import shapes
from infra.lake import delta as lake
from infra.lake import kind_tables as lake_records
from infra.ledger import submissions as ledger
from schemas.kind import Kind
from transforms.identity import distinct
from transforms.records.content import record_lane_sums


@telemetry.span("resolve")
def stage_records(
    installation: Installation, staged: Staged, kinds: Iterable[Basis], progress: Callable[[str], None]
) -> None:
    """Match and consolidate what the night reaches of each kind, and write what differs."""
    root = installation.settings.lake
    for basis in kinds:
        name = basis.kind.kind
        if basis.kind.compared() and basis.model is None:
            progress(f"{name} has no model: only declared identities and decisions join reports. `engang train {name}`")
        progress(f"matching {name}{' anew' if basis.anew else ''}")
        night = kind_night(installation, basis)
        warnings = pl.concat([night.scored.warnings, _overruled(night)])
        for warning in warnings.iter_rows(named=True):
            progress(f"{name}: {warning['what']}: {warning['detail']} ({warning['count']} reports)")
        staged.items[name] = 0
        _checked(staged, basis.kind, write_whole(root, night))
        for part in parts(night):
            _checked(staged, basis.kind, write(root, night, part))
            _count(staged, name, part)
            del part  # so that the next is made when this one is gone
        _note(staged, night, warnings)
        lake_records.compact(root, basis.kind)


def _checked(staged: Staged, kind: Kind, written: dict[str, pl.DataFrame]) -> None:
    for table, rows in written.items():
        staged.suites.setdefault(table, checks.TableCheck(table, shapes(kind)[table])).add(rows)


def _count(staged: Staged, name: str, part: Part) -> None:
    staged.count(record_lane_sums(part.content_after), part.after.buckets, 1)
    staged.count(record_lane_sums(part.content_before), part.before.buckets, -1)
    staged.items[name] += part.after.items.height - part.before.items.height


def _note(staged: Staged, night: KindNight, warnings: pl.DataFrame) -> None:
    """Write down what the ledger is told of the night."""
    basis, name = night.basis, night.basis.kind.kind
    if basis.anew or basis.decided.height:
        staged.remade.add(name)
    told = staged.records
    homes = night.homes.select(pl.lit(name).alias("kind"), "report_id", "item_id").sort("report_id")  # quickest to add
    staged.records = replace(
        told,
        homes=pl.concat([told.homes, homes]),
        counted=[*told.counted, *basis.decided.filter("after")["id"]],
        uncounted=[*told.uncounted, *basis.decided.filter("before")["id"]],
        warnings=pl.concat([told.warnings, warnings]),
    )


def _overruled(night: KindNight) -> pl.DataFrame:
    """Return the ties that were left out as warnings: what says two reports are one, and what keeps them apart."""
    by = {"different": "a decision that two reports are different", "reporter": "one report an item by each reporter"}
    tie = pl.when(pl.col("tie") == "decision").then(pl.format("decision {}", "decision")).otherwise(pl.lit("a key"))
    detail = pl.format(
        "{} that {} and {} are the same gives way to {}", tie, "a", "b", pl.col("reason").replace_strict(by)
    )  # fmt: skip
    return night.overruled.select(
        pl.lit(night.basis.kind.kind).alias("kind"),
        pl.lit("overruled").alias("what"),
        detail.alias("detail"),
        pl.lit(2, dtype=pl.Int64).alias("count"),
    )


def record_rows(installation: Installation, staged: Staged, last: ledger.Release | None) -> dict[str, tuple[int, int]]:
    """Return of each kind that the night touched how many items it has by count, and how many distinct ids."""
    root, told = installation.settings.lake, last["counts"] if last else {}
    found = {}
    for name, gained in staged.items.items():
        kind = installation.kinds[name]
        live = lake_records.live(root, kind, name, lake.versions(root, lake_records.versioned([kind])))
        ids = live.select("item_id", "release").collect()
        new, others = (ids.filter((pl.col("release") == staged.release) == now)["item_id"] for now in (True, False))
        again = int(others.is_in(new.implode()).sum()) if others.len() else 0  # they were distinct in the last release
        twice = new.len() - distinct(new) + again
        found[name] = told.get(name, 0) + gained, ids.height - twice
    return found
