"""Hop 5, the lake: the claims or records of a batch, appended by this process, or committed for a worker."""

import uuid
from typing import Final, NamedTuple

import polars as pl

from flows.installation import Installation
from flows.intake.reading import NormalisedBatch, Reading
from infra.lake import delta as lake
from schemas.claims import Column
from schemas.contract import Contract
from schemas.kind import Kind
from schemas.record_tables import RECORDS_PREFIX, record_columns
from transforms.normalisation.observations import Normalised

SUBMISSION_PARTITION: Final = pl.Schema({"submission_id": pl.String, "partition": pl.String, "claims": pl.Int64})
PROVISIONAL_UNIT: Final = pl.Schema({"unit_id": pl.String, "kind": pl.String, "name": pl.String})


class StoredBatch(NamedTuple):
    """What the ledger registers of a batch's claims or records, which are in the lake with its id.

    partitions: submission_id, partition, claims. units: unit_id, kind, name of units that no register has.
    """

    batch: str
    partitions: pl.DataFrame
    units: pl.DataFrame


def store_batch(installation: Installation, contract: Contract, reading: Reading) -> StoredBatch:
    """Bring what was read of a batch into the lake, durably: append it, or commit what a worker has written."""
    written = reading.uncommitted
    if written is not None:
        table, columns = batch_table(installation, contract)
        installation.committer.commit(table, written.files, columns)
        return StoredBatch(written.batch, written.partitions, written.units)
    batch, normalised = uuid.uuid4().hex, reading.normalised
    if normalised is not None:
        append_batch(installation, contract, normalised, batch)
    return StoredBatch(batch, partitions_of(normalised), provisional_units_of(normalised))


def append_batch(installation: Installation, contract: Contract, normalised: NormalisedBatch, batch: str) -> None:
    """Append the claims or records of a batch to the lake, durably."""
    root = installation.lake
    table, columns = batch_table(installation, contract)
    lake.append(root, table, batch_rows(normalised, batch), columns)


def batch_table(installation: Installation, contract: Contract) -> tuple[str, tuple[Column, ...] | None]:
    """Return the table of a contract's claims or records, and the columns of one of a kind."""
    if contract.record is None:
        return "claims", None
    kind = installation.kind(contract.record.kind)
    return f"{kind.kind}_records", batch_columns(kind)


def batch_columns(kind: Kind) -> tuple[Column, ...]:
    """Return the columns of a kind's table of records in the lake."""
    return (*record_columns(kind), lake.BATCH_COLUMN)


def batch_rows(normalised: NormalisedBatch, batch: str) -> pl.DataFrame:
    """Return the rows of a batch as the lake has them: with its id."""
    rows = normalised.claims if isinstance(normalised, Normalised) else normalised.records
    return rows.with_columns(pl.lit(batch).alias("batch"))


def partitions_of(normalised: NormalisedBatch | None) -> pl.DataFrame:
    """Return the partitions that each submission has claims in: submission_id, partition, claims.

    A partition is a month of observations, or `records/<kind>`.
    """
    if normalised is None:
        return pl.DataFrame(schema=SUBMISSION_PARTITION)
    if isinstance(normalised, Normalised):
        rows = normalised.claims.select("submission_id", "partition")
    else:
        rows = normalised.records.select("submission_id", pl.lit(RECORDS_PREFIX + normalised.kind).alias("partition"))
    return rows.group_by("submission_id", "partition").agg(pl.len().cast(pl.Int64).alias("claims")).sort(pl.all())


def provisional_units_of(normalised: NormalisedBatch | None) -> pl.DataFrame:
    """Return the units that no register has (unit_id, kind, name); records have none."""
    if not isinstance(normalised, Normalised):
        return pl.DataFrame(schema=PROVISIONAL_UNIT)
    units = normalised.claims.filter(pl.col("unit_id").str.starts_with("provisional:"))
    return units.group_by("unit_id").agg(
        pl.col("unit_kind").first().alias("kind"), pl.col("unit_name").min().alias("name")
    )
