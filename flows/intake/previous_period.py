"""The warnings of rules that compare a delivery with the previous period: they need the current release."""

from dataclasses import replace

import polars as pl

from flows.installation import Installation
from flows.intake.reading import Reading
from infra.lake.item_tables import observation_tables
from infra.ledger import releases as ledger_releases
from schemas.claims import VALUE
from schemas.contract import Contract
from transforms.normalisation.observations import Normalised
from transforms.normalisation.previous_period import change_rules, change_warnings, previous_items
from transforms.rejects import bound_rejects


def with_change_warnings(installation: Installation, contract: Contract, reading: Reading) -> Reading:
    """Return the reading with these warnings; the previous values are those of the file or of the current release."""
    if not change_rules(contract) or not isinstance(reading.normalised, Normalised):
        return reading
    previous = previous_items(reading.normalised.claims, contract)
    last = ledger_releases.current_release(installation.engine)
    most = installation.settings.reading.rejects
    known = pl.DataFrame(schema={"item_id": pl.String, "value": VALUE})
    if last is not None and previous.height:
        months = previous["previous_partition"].unique().to_list()
        facts = observation_tables(installation.settings.lake).live("observations", last["tables"], months)
        wanted = pl.col("item_id").is_in(previous["previous_id"].unique().implode())
        known = facts.filter(wanted).select("item_id", "value").collect()
    warnings = change_warnings(previous, known, contract)
    added = warnings.group_by("submission_id").agg(pl.len().cast(pl.Int64).alias("added"))
    counts = reading.counts.join(added, on="submission_id", how="left", maintain_order="left")
    counts = counts.with_columns(warnings=pl.col("warnings") + pl.col("added").fill_null(0)).drop("added")
    return replace(reading, rejects=bound_rejects(pl.concat([reading.rejects, warnings]), most), counts=counts)
