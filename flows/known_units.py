"""Rejects that today's register would not give: their units were unknown when the rows were read, and are known now.

Nothing is read again by itself when the code lists change. `engang status` names how many rows it is about, and a
backfill by the same contract version rereads their submissions.
"""

import polars as pl

from flows.installation import Installation
from infra.ledger import monitoring as ledger_monitoring
from schemas.contract_parts import Take
from transforms.register.lookup import known_keys

LOOKED_UP: tuple[str, ...] = ("code", "name")
"""What the register is asked for; an organisation number is known by its check digit."""


def now_known_units(installation: Installation, contract: str | None = None) -> pl.DataFrame:
    """Return the rejected rows of unknown units that the register has now: contract, submission_id, rows."""
    rejected = ledger_monitoring.read_unknown_units(installation.engine, contract)
    parts = [rejected.clear().drop("found")]
    for (name,), rows in rejected.group_by("contract"):
        definition = installation.contracts.get(str(name))
        if definition is None or definition.unit is None or definition.unit.by not in LOOKED_UP:
            continue
        unit = definition.unit
        kind = None if isinstance(unit.kind, Take) else str(unit.kind)
        parts.append(rows.filter(known_keys(installation.register, kind, unit.by, rows["found"])).drop("found"))
    return pl.concat(parts).group_by("contract", "submission_id").agg(pl.col("rows").sum()).sort("contract", "rows")
