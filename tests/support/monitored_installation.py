"""Installations for tests of the watch: contracts with due dates, submissions written straight to the ledger."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from flows.installation import Installation
from infra.lake import delta as lake
from infra.ledger import submissions as ledger_submissions
from infra.ledger.open import open_ledger
from infra.settings import DEMO_CODELISTS, read_settings
from schemas.claims import REJECT, empty
from schemas.contract import CONTRACT_FOLDER

NOW = datetime.now(UTC).replace(tzinfo=None)
LONN = (CONTRACT_FOLDER / "demo-lonn.yml").read_text(encoding="utf-8")
DUE = "due: {after_period: {days: 15}}"
SENDER = "sender: {default: lonnsregisteret}"


def open_watched(home: Path, ledger_url: str, **contracts: str) -> Installation:
    """Open an installation with contracts like demo-lonn, each with a line of `due` and, after a |, of `sender`."""
    folder = home / "contracts"
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in contracts.items():
        due, _, sender = lines.partition("|")
        text = LONN.replace("demo-lonn", name).replace(DUE, due).replace(SENDER, sender or "sender: {allowed: any}")
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    settings = replace(read_settings(home), contracts=folder, codelists=DEMO_CODELISTS, ledger_url=ledger_url)
    lake.open_lake(settings.lake)
    return Installation(settings, open_ledger(ledger_url))


def deliver(
    installation: Installation,
    contract: str,
    sender: str,
    months: Iterable[str] | str,
    *,
    status: str = "live",
    received: datetime = datetime(2026, 1, 2, 3, 4, 5),
) -> str:
    """Register a submission that speaks of these months."""
    engine, definition = installation.engine, installation.contracts[contract]
    months = [months] if isinstance(months, str) else list(months)
    id_ = f"{contract}-{sender}-{'+'.join(months)}-{status}"
    row = {
        "submission_id": id_, "contract": contract, "contract_digest": definition.digest(),
        "obligation": definition.obligation, "sender": sender, "filename": "f.csv", "period": None, "sha256": id_,
        "bytes": 10, "received_at": received, "status": status, "content_digest": id_, "batch": "b", "delivered": 1,
        "claims": 1, "rejected": 0, "ignored": 0, "warnings": 0,
    }  # fmt: skip
    partitions = pl.DataFrame({"submission_id": [id_] * len(months), "partition": months, "claims": [1] * len(months)})
    units = pl.DataFrame(schema={"unit_id": pl.String, "kind": pl.String, "name": pl.String})
    ledger_submissions.register_contract(engine, contract, definition.digest(), "")
    ledger_submissions.register_submissions(engine, pl.DataFrame([row]), partitions, empty(REJECT), units)
    landed = installation.settings.home / "landing" / contract / sender / id_
    landed.parent.mkdir(parents=True, exist_ok=True)
    landed.write_bytes(b"0123456789")
    return id_
