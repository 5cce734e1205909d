"""The statements of a release, and the hours of its obligations: what all of overlap is computed from."""

import polars as pl

from flows.installation import Installation
from infra.lake.item_tables import observation_tables
from infra.ledger.releases import Release
from schemas.errors import UsageError
from transforms.descriptions import obligation_rows
from transforms.overlap.measures import hours_of_obligations
from transforms.overlap.statements import read_figures, read_statements


def statements_of(
    installation: Installation,
    release: Release,
    partitions: list[str] | None = None,
    *,
    where: pl.Expr | None = None,
) -> pl.DataFrame:
    """Return the statements of a release (`transforms.overlap.statements.read_statements`), of these months or all.

    where: a condition on columns of `observations`; of other items nothing is read but the id.
    """
    tables = observation_tables(installation.settings.lake)
    sources, items = (tables.live(name, release["tables"], partitions) for name in ("sources", "observations"))
    if where is not None:
        items = items.filter(where)
        sources = sources.join(items.select("item_id"), on="item_id", how="semi")
    return read_statements(sources, items)


def figures_of(installation: Installation, release: Release, partitions: list[str] | None = None) -> pl.DataFrame:
    """Return what discovery compares of the statements of a release (`read_figures`), of these months or all."""
    tables = observation_tables(installation.settings.lake)
    return read_figures(*(tables.live(name, release["tables"], partitions) for name in ("sources", "observations")))


def hours_of(installation: Installation) -> pl.DataFrame:
    """Return the hours of one report of each obligation: obligation, low, high, basis; null if unknown.

    Several contracts may answer one obligation: the lowest and highest of them count.
    """
    return hours_of_obligations(obligation_rows(installation.contracts.values()))


def check_obligation(statements: pl.DataFrame, obligation: str) -> None:
    """Raise `UsageError` if nothing in the release was reported under an obligation."""
    known = statements["obligation"].unique().sort().to_list()
    if obligation not in known:
        from schemas.suggestions import did_you_mean

        raise UsageError(
            f"the release has no figures of obligation {obligation!r}: {did_you_mean(obligation, known)} "
            f"It has those of {', '.join(known) or 'none'}"
        )
