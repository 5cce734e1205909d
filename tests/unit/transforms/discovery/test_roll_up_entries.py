"""An accepted sum becomes a roll-up that the vocabulary can state, or an error that names why not."""

import json
from typing import Any

import pytest

from schemas.concepts import Derivation
from schemas.errors import UsageError
from transforms.discovery.roll_up_entries import roll_up_of

Part = tuple[str, dict[str, str], str]


def row(parts: list[Part], total: dict[str, str] | None = None, **other: Any) -> dict[str, Any]:
    listed = [{"concept": c, "breakdown": json.dumps(b), "over": over} for c, b, over in parts]
    return {"kind": "sum", "scale": 1.0, "concept_a": "pay", "breakdown_a": json.dumps(total or {}),
            "parts": json.dumps(listed), **other}  # fmt: skip


@pytest.mark.parametrize(
    ("suspected", "entry"),
    [
        (row([("pay", {}, "units")]), {"units": "municipality"}),
        (row([("pay", {}, "months")]), {"periods": "month"}),
        (row([("pay", {}, "quarters")]), {"periods": "quarter"}),
        (row([("wages", {}, ""), ("fees", {}, "")]), {"sum_of": ["fees", "wages"]}),
        (row([("pay", {"t": "b"}, ""), ("pay", {"t": "a"}, "")], {"t": "T"}), {"over": "t", "parts": ["a", "b"]}),
        (row([("pay", {"t": "b"}, ""), ("pay", {"t": "a"}, "")]), {"over": "t", "parts": ["a", "b"]}),
    ],
)
def test_a_sum_becomes_a_roll_up(suspected: dict[str, Any], entry: dict[str, Any]) -> None:
    assert roll_up_of(suspected) == entry
    Derivation.model_validate(entry)


@pytest.mark.parametrize(
    ("suspected", "reason"),
    [
        (row([], kind="same"), "same: only a sum"),
        (row([("pay", {}, "units")], scale=1000.0), "multiplied by 1000"),
        (row([("wages", {}, "units")]), "another concept"),
        (row([("pay", {"t": "a", "u": "1"}, ""), ("pay", {"t": "b", "u": "2"}, "")]), "2 dimensions"),
        (row([("wages", {"t": "a"}, ""), ("fees", {}, "")]), "neither of one concept nor of one breakdown"),
    ],
)
def test_what_the_vocabulary_cannot_state_is_left_to_a_person(suspected: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        roll_up_of(suspected)
