"""The warnings of rules that compare a delivery with the previous period: they need the current release."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import polars as pl

from flows.installation import Installation
from flows.intake.reading import Reading
from infra.lake.item_tables import observation_tables
from infra.ledger import releases as ledger_releases
from infra.settings import Settings
from schemas.claims import VALUE
from schemas.contract import Contract
from transforms.normalisation.observations import Normalised
from transforms.normalisation.previous_period import change_rules, change_warnings, previous_items
from transforms.rejects import bound_rejects


def with_change_warnings(installation: Installation, contract: Contract, reading: Reading) -> Reading:
    """Return the reading with these warnings; the previous values are those of the file or of the current release."""
    return add_change_warnings(installation.settings, contract, reading, lambda: current_versions(installation))


def current_versions(installation: Installation) -> Mapping[str, int]:
    """Return the versions of the current release's tables; none before the first."""
    last = ledger_releases.current_release(installation.engine)
    return last["tables"] if last is not None else {}


def add_change_warnings(
    settings: Settings, contract: Contract, reading: Reading, released: Callable[[], Mapping[str, int]]
) -> Reading:
    """Return the reading with these warnings. released: gives the versions of the current release's tables."""
    if not change_rules(contract) or not isinstance(reading.normalised, Normalised):
        return reading
    previous = previous_items(reading.normalised.claims, contract)
    known = pl.DataFrame(schema={"item_id": pl.String, "value": VALUE})
    if previous.height and (tables := released()):
        months = previous["previous_partition"].unique().to_list()
        facts = observation_tables(settings.lake).live("observations", tables, months)
        wanted = pl.col("item_id").is_in(previous["previous_id"].unique().implode())
        known = facts.filter(wanted).select("item_id", "value").collect()
    warnings = change_warnings(previous, known, contract)
    added = warnings.group_by("submission_id").agg(pl.len().cast(pl.Int64).alias("added"))
    counts = reading.counts.join(added, on="submission_id", how="left", maintain_order="left")
    counts = counts.with_columns(warnings=pl.col("warnings") + pl.col("added").fill_null(0)).drop("added")
    rejects = bound_rejects(pl.concat([reading.rejects, warnings]), settings.reading.rejects)
    return replace(reading, rejects=rejects, counts=counts)
