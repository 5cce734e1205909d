"""Nothing that is withheld can be read off derivable items or dossiers: they are the same whatever the value is."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.claims import CLAIM, frame_schema
from schemas.concepts import load_vocabulary
from transforms.derivations.derive import derive
from transforms.derivations.wholes import WHOLES
from transforms.identity import item_id
from transforms.observations.consolidate import consolidate
from transforms.overlap.dossier import draw_verdict
from transforms.overlap.replacements import replacements
from transforms.overlap.statements import read_statements

DAY = dt.date(2024, 1, 1)
SAME: dict[str, Any] = {
    "row": 2, "column": "x", "original": "1", "action": "append", "concept": "votes", "period_start": DAY,
    "period_end": dt.date(2025, 1, 1), "breakdown": "{}", "unit_measure": "votes", "obs_status": "A",
    "unit_kind": "other", "unit_name": "U", "additive": False, "position": 0, "lead": True, "partition": "2024-01",
    "item_id": "",
}  # fmt: skip
FIGURES = {("county", "c"): 30, ("municipal", "m1"): 10, ("municipal", "m2"): 20, ("other", "m1"): 10}
HOLDERS = pl.DataFrame(
    [(part, "municipality", "c", "county", DAY, 2) for part in ("m1", "m2")], schema=WHOLES, orient="row"
)


def shown(figures: dict[tuple[str, str], int], secret: tuple[str, str]) -> tuple[str, set[str]]:
    """Return all that is shown of these figures, of which one is secret, and the units of derivable items."""
    rows = [
        {
            **SAME, "obligation": obligation, "contract": obligation, "sender": obligation, "reported_by": obligation,
            "unit_id": unit, "submission_id": f"{obligation} {unit}", "value": Decimal(figure),
            "confidential": (obligation, unit) == secret, "arrival": number, "stream": number,
        }
        for number, ((obligation, unit), figure) in enumerate(figures.items())
    ]  # fmt: skip
    schema = {**frame_schema(CLAIM), "arrival": pl.UInt32, "stream": pl.UInt32}
    published = consolidate(pl.DataFrame(rows, schema=schema, strict=False).with_columns(item_id()))
    derived = derive(published.observations, load_vocabulary(), HOLDERS)
    statements = read_statements(published.sources.lazy(), published.observations.lazy())
    found = [
        draw_verdict(replacements(statements, name, derived.edges), name, (1.0, 2.0)).as_dict()
        for name in ("county", "municipal", "other")
    ]
    text = json.dumps(found, default=str, sort_keys=True) + derived.items.write_csv() + derived.edges.write_csv()
    return text, set(derived.items["unit_id"])


@pytest.mark.parametrize("secret", [("county", "c"), ("municipal", "m2")])
def test_another_value_of_a_secret_shows_nothing_else(secret: tuple[str, str]) -> None:
    text, units = shown(FIGURES, secret)
    assert units == set(), "no sum of a secret part, and none that is a secret total"
    assert (text, units) == shown({**FIGURES, secret: 31415}, secret)
    assert shown(FIGURES, ("county", "none"))[1] == {"c"}


def test_a_secret_that_somebody_else_states_freely_is_a_part() -> None:
    assert shown(FIGURES, ("municipal", "m1"))[1] == {"c"}
