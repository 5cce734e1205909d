"""A release read: which there are, its tables, the units they speak of."""

import json
from typing import Any, cast

import polars as pl

from flows.installation import Installation
from infra import lake, ledger
from schemas.errors import UsageError


def released(installation: Installation, number: int | None = None) -> ledger.Release:
    """Return release `number`, the current one by default; `UsageError` if there is none."""
    if number is None:
        current = ledger.current_release(installation.engine)
        if current is None:
            raise UsageError("nothing is released yet: `engang submit` some files, then `engang nightly`")
        return current
    for row in ledger.releases(installation.engine).filter(pl.col("release") == number).iter_rows(named=True):
        return cast("ledger.Release", row | {name: json.loads(row[name]) for name in ("tables", "counts")})
    raise UsageError(f"there is no release {number}: `engang releases` lists them")


def table(installation: Installation, name: str, release: ledger.Release) -> pl.LazyFrame:
    """Return one published table of a release, lazily: what belongs to it and nothing else."""
    return lake.live(installation.settings.lake, name, release["tables"])


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
