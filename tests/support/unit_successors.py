"""What became of a unit, as `resolve_units` reports it for a code that is not valid on a date."""

import re
from datetime import date

import polars as pl

from transforms.register.lookup import Register, resolve_units

PATTERNS = {
    "same": r"valid .*; on \S+ the same unit is (.+)",
    "derivable": r"valid .*; on \S+ it is part of (.+)",
    "ambiguous": r"one of (.+); valid .+",
}
"""Relation of the units on the date to the unit asked for -> the expectation that lists them."""


def successors(register: Register, code: str, day: date, kind: str = "municipality") -> list[tuple[str, str]]:
    """Return (code, relation) of the units that a unit has become on a later date; none if it did not exist yet."""
    schema = {"kind": pl.String, "by": pl.String, "key": pl.String, "date": pl.Date}
    keys = pl.DataFrame([(kind, "code", code, day)], schema=schema, orient="row")
    found = resolve_units(register, keys).row(0, named=True)
    assert found["unit_id"] is None, f"{code} is valid on {day}"
    assert found["reason"] in {"unit-not-valid", "ambiguous-unit"}
    for relation, pattern in PATTERNS.items():
        if match := re.fullmatch(pattern, found["expected"]):
            assert (relation == "ambiguous") == (found["reason"] == "ambiguous-unit")
            return [(unit.split()[0], relation) for unit in match[1].split(", ")]
    return []
