"""Derivable items of a release: the tables `derivable` and `derivable_from`."""

from collections.abc import Collection
from dataclasses import replace

import polars as pl

from flows.installation import Installation
from infra.lake.item_tables import observation_tables
from infra.ledger.releases import Release
from transforms.derivations.derive import Derived, derive
from transforms.derivations.roll_ups import ITEM_IDENTITY, deriving_concepts
from transforms.derivations.wholes import wholes_of


def derive_items(installation: Installation, release: Release, concepts: Collection[str] | None = None) -> Derived:
    """Return what follows from the items of a release by the roll-ups that the vocabulary and contracts declare.

    concepts: of the items that are wanted, all by default; the derivable items of their parts are returned too.
    """
    names = sorted(deriving_concepts(installation.vocabulary, concepts))
    vocabulary = replace(installation.vocabulary, concepts={n: installation.vocabulary.concepts[n] for n in names})
    if not names:  # nothing is read
        release = {**release, "tables": {}}
    observations = observation_tables(installation.settings.lake).live("observations", release["tables"])
    items = (
        observations.filter(pl.col("concept").is_in(names))
        .select("item_id", *ITEM_IDENTITY, "value", "decimals", "conf_status")
        .collect()
    )
    days = items["period_start"].unique().sort().to_list()
    return derive(items, vocabulary, wholes_of(installation.register.units, days))
