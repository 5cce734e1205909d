"""The tables that describe a release, written where their content is another one than that of the last release."""

import polars as pl

from flows.installation import Installation
from infra.imported_obligations import read_imports
from infra.lake import delta as lake
from infra.lake.item_tables import description_tables
from infra.ledger.releases import Release
from schemas.record_tables import SINGLE_PARTITION
from transforms.descriptions import concept_rows, dimension_rows, obligation_rows
from transforms.overlap.imports.declared import unanswered
from transforms.register.hierarchy import unit_rows


def write_descriptions(installation: Installation, last: Release | None) -> None:
    """Write the tables whose content has changed since the last release; they belong to it once it is published.

    A rebuild reads by contracts of other times, and has none.
    """
    if installation.presets.contracts is not None:
        return
    tables, released = description_tables(installation.settings.lake), last["tables"] if last else {}
    for name, rows in _descriptions(installation).items():
        if name in released and tables.scan(name, released[name]).collect().equals(rows):
            continue
        if lake.exists(tables.root, name):
            lake.overwrite(tables.root, name, [SINGLE_PARTITION], rows, tables.columns[name])
        else:
            tables.append(name, rows)


def _descriptions(installation: Installation) -> dict[str, pl.DataFrame]:
    contracts, vocabulary = installation.contracts.values(), installation.vocabulary
    own = obligation_rows(contracts)
    imported = unanswered(read_imports(installation.settings.home), own).select(own.columns)
    return {
        "concepts": concept_rows(vocabulary, contracts),
        "dimensions": dimension_rows(vocabulary),
        "obligations": pl.concat([own, imported]),
        "units": unit_rows(installation.register),
    }
