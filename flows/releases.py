"""A release read: which there are, its tables, the units they speak of."""

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from flows.installation import Installation
from infra.lake import delta as lake
from infra.lake import kind_tables as lake_records
from infra.ledger import submissions as ledger
from schemas.claims import PUBLISHED
from schemas.errors import UsageError
from schemas.record_tables import published

if TYPE_CHECKING:
    from schemas.kind import Kind


def released(installation: Installation, number: int | None = None) -> ledger.Release:
    """Return release `number`, the current one by default; `UsageError` if there is none."""
    if number is None:
        current = ledger.current_release(installation.engine)
        if current is None:
            raise UsageError("nothing is released yet: `engang submit` some files, then `engang nightly`")
        return current
    for row in ledger.releases(installation.engine).filter(pl.col("release") == number).iter_rows(named=True):
        return ledger.as_release(row)
    raise UsageError(f"there is no release {number}: `engang releases` lists them")


def table(installation: Installation, name: str, release: ledger.Release) -> pl.LazyFrame:
    """Return one published table of a release, lazily: what belongs to it and nothing else.

    A table of a record kind that had no records yet is empty; `UsageError` for one that nothing publishes.
    """
    root = installation.settings.lake
    if name in PUBLISHED:
        return lake.live(root, name, release["tables"])
    for kind in installation.kinds.values():
        if name in published(kind):
            return lake_records.live(root, kind, name, release["tables"])
    kinds = ", ".join(installation.kinds)
    raise UsageError(f"no table {name!r}: a release has {', '.join(PUBLISHED)} and those of the kinds {kinds}")


def kinds_of(installation: Installation, release: ledger.Release) -> "list[Kind]":
    """Return the record kinds that a release has tables of."""
    if set(release["tables"]) <= set(lake.VERSIONED):
        return []
    return [kind for kind in installation.kinds.values() if kind.kind in release["tables"]]


def list_releases(installation: Installation) -> list[dict[str, Any]]:
    """Return every release: release, published_at, digest, counts."""
    rows = ledger.releases(installation.engine).iter_rows(named=True)
    return [
        {**{k: r[k] for k in ("release", "published_at", "digest")}, "counts": json.loads(r["counts"])} for r in rows
    ]


def registered_units(installation: Installation) -> pl.DataFrame:
    """Return the register's units, one row a validity: unit_id, kind, code, name, valid_from, valid_to."""
    return installation.register.units.sort("kind", "code", "valid_from")


def provisional_units(installation: Installation) -> pl.DataFrame:
    """Return the units known only by name, in no register: unit_id, kind, name."""
    return ledger.provisional_units(installation.engine)
