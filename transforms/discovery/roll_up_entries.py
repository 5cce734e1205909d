"""The roll-up that an accepted sum declares: an entry of `derives` of the total's concept."""

import json
from typing import Any, Final

from schemas.errors import UsageError

_ENTRIES: Final = {
    "units": {"units": "municipality"},
    "months": {"periods": "month"},
    "quarters": {"periods": "quarter"},
}


def roll_up_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of `derives` for a row of kind `sum`; `UsageError` if the vocabulary cannot state it."""
    parts = json.loads(row["parts"] or "[]")
    total = (row["concept_a"], row["breakdown_a"])
    _check_sum(row)
    over = {part["over"] for part in parts}
    if len(over) == 1 and over <= _ENTRIES.keys():
        if {(part["concept"], part["breakdown"]) for part in parts} != {total}:
            raise UsageError("the parts have another concept or breakdown than the total: first give them its own")
        return dict(_ENTRIES[over.pop()])
    return _over_series(total, parts)


def _check_sum(row: dict[str, Any]) -> None:
    if row["kind"] != "sum":
        raise UsageError(f"{row['kind']}: only a sum of other series is derivable")
    if row["scale"] != 1:
        raise UsageError(f"the parts are to be multiplied by {row['scale']:g}: first accept what they are the same as")


def _over_series(total: tuple[str, str], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the roll-up of parts that are series of their own: of other concepts, or of other codes."""
    breakdowns = {part["breakdown"] for part in parts}
    concepts = [part["concept"] for part in parts]
    if breakdowns == {total[1]} and len(set(concepts)) == len(concepts) and total[0] not in concepts:
        return {"sum_of": sorted(concepts)}
    if set(concepts) == {total[0]}:
        return _over_codes(json.loads(total[1]), [json.loads(part["breakdown"]) for part in parts])
    raise UsageError(
        "the parts are neither of one concept nor of one breakdown: first accept what they are the same as"
    )


def _over_codes(total: dict[str, str], parts: list[dict[str, str]]) -> dict[str, Any]:
    """Return the roll-up over the one dimension in which the parts differ from each other and from the total."""
    names = {name for part in parts for name in part if part.get(name) != total.get(name)}
    if len(names) != 1:
        raise UsageError(f"the parts differ from the total in {len(names)} dimensions, expected one")
    name = names.pop()
    return {"over": name, "parts": sorted(part[name] for part in parts)}
