"""A small installation for tests: the contracts beside this file, the demo's code lists, SQLite."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from flows.installation import Installation
from infra.lake import delta as lake
from infra.ledger import submissions as ledger_submissions
from infra.ledger.open import open_ledger
from infra.settings import DEMO_CODELISTS, read_settings
from tests.support.paths import CONTRACTS

HEADER = "kommune;dag;gruppe;antall;merknad\n"


def open_small(home: Path, contracts: Path = CONTRACTS) -> Installation:
    """Open a small installation, made where it is not there yet."""
    settings = replace(
        read_settings(home), contracts=contracts, codelists=DEMO_CODELISTS, ledger_url=f"sqlite:///{home / 'ledger.db'}"
    )
    home.mkdir(parents=True, exist_ok=True)
    lake.open_lake(settings.lake)
    return Installation(settings, open_ledger(settings.ledger_url))


def kept_claims(installation: Installation, submission: str) -> pl.DataFrame:
    """Return the claims of a submission that count, in order of row."""
    claims = lake.scan(installation.settings.lake, "claims").filter(submission_id=submission)
    registered = ledger_submissions.read_submissions(installation.engine, ids=[submission], columns=["batch"])["batch"]
    return claims.filter(pl.col("batch").is_in(registered.implode())).sort("row", "position").collect()
