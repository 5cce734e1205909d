"""Units as a contract writes them: the code, name or number in which it reads the unit that is meant."""

import datetime as dt
from typing import Any

import polars as pl

from schemas.contract import Unit
from schemas.contract_terms import stated_texts
from schemas.errors import UsageError
from transforms.register.lookup import Register, normalise_name, resolve_units

UnitPlace = dict[str, Any]
"""A unit as items have it: unit_id, unit_kind, unit_code, unit_name."""


def unit_asked(register: Register, unit: Unit, text: str, start: dt.date, end: dt.date) -> UnitPlace:
    """Return the unit that a person names for a period: by its id, its code, or as the contract's files name it.

    Raises `UsageError` if there is no such unit, or several; the answer depends on no delivery.
    """
    kinds = stated_kinds(unit)
    asked = (pl.col("unit_id") == text) | (pl.col("code") == text)
    valid = (pl.col("valid_from") <= start) & (start < pl.col("valid_to")).fill_null(value=True)
    found = register.units.filter(asked & valid)
    if kinds is not None:
        found = found.filter(pl.col("kind").is_in(kinds))
    units = found.select("unit_id", unit_kind="kind", unit_code="code", unit_name="name").unique("unit_id")
    places = units.sort("unit_id").to_dicts() or _as_delivered(register, unit, text, (start, end))
    if not places:
        raise UsageError(f"no unit {text!r} on {start}: give its code or name as the register has it, or its unit_id")
    if len(places) > 1:
        ids = ", ".join(str(place["unit_id"]) for place in places)
        raise UsageError(f"{text!r} could be several units: give one of {ids}")
    return places[0]


def stated_kinds(unit: Unit) -> list[str] | None:
    """Return the kinds of unit that a contract's rows may be about; None for any."""
    return [unit.kind] if isinstance(unit.kind, str) else stated_texts(unit.kind)


def _as_delivered(register: Register, unit: Unit, text: str, period: tuple[dt.date, dt.date]) -> list[UnitPlace]:
    """Return the units that the contract reads a text as: a name, an organisation number, a unit known by name only."""
    kinds = stated_kinds(unit) or register.units["kind"].unique().sort().to_list()
    start, end = period
    ways = dict.fromkeys([f"{unit.by}:{unit.system}" if unit.system else unit.by, "name"])
    keys = pl.DataFrame({"by": list(ways)}).join(pl.DataFrame({"kind": kinds}), how="cross")
    dated = keys.with_columns(key=pl.lit(text), date=pl.lit(start), until=pl.lit(end))
    read = resolve_units(register, dated).filter(pl.col("unit_id").is_not_null())
    found = read.select("unit_id", "unit_code", "unit_name", unit_kind="kind").unique("unit_id").sort("unit_id")
    if found.height or not unit.provisional:
        return found.to_dicts()
    if text.startswith("provisional:"):
        name = text.split(":", 2)[-1]
        return [{"unit_id": text, "unit_kind": text.split(":")[1], "unit_code": None, "unit_name": name}]
    name = pl.select(normalise_name(pl.lit(text))).item()
    return [
        {"unit_id": f"provisional:{kind}:{name}", "unit_kind": kind, "unit_code": None, "unit_name": text}
        for kind in kinds[:1]
    ]


def unit_texts(register: Register, unit: Unit, item: UnitPlace, until: dt.date) -> list[str]:
    """Return the texts that a contract reads as the unit of an item in its period, the plainest first.

    item: unit_id, unit_kind, unit_code, unit_name, period_start.
    """
    start: dt.date = item["period_start"]
    day = dt.date.fromisoformat(unit.valid_on) if unit.valid_on else start
    end = day + dt.timedelta(days=1) if unit.valid_on else until
    texts = _candidates(register, unit, item, day)
    if unit.provisional and str(item["unit_id"]).startswith("provisional:"):
        return [str(item["unit_name"])]
    if not texts:
        return texts
    by = f"{unit.by}:{unit.system}" if unit.system else unit.by
    keys = pl.DataFrame(
        {"kind": item["unit_kind"], "by": by, "key": texts, "date": day, "until": end},
        schema_overrides={"date": pl.Date, "until": pl.Date},
    )
    read = resolve_units(register, keys, follow=unit.ended == "successor")
    return read.filter(pl.col("unit_id") == item["unit_id"])["key"].to_list()


def _candidates(register: Register, unit: Unit, item: UnitPlace, day: dt.date) -> list[str]:
    at_day = (pl.col("valid_from") <= day) & (day < pl.col("valid_to")).fill_null(value=True)
    mine = (pl.col("unit_id") == item["unit_id"]) & at_day
    if unit.by == "organisation_number":
        return [str(item["unit_code"])]
    if unit.system:
        of_system = mine & (pl.col("system") == f"code:{unit.system}")
        return register.codes.filter(of_system)["code"].unique(maintain_order=True).to_list()
    units = register.units.filter(mine)
    if unit.by == "code":
        return list(dict.fromkeys([*units["code"].drop_nulls(), *_stated(item["unit_code"])]))
    names = units["name"].drop_nulls().unique(maintain_order=True).to_list()
    written = register.names.filter(mine)["name"].unique().sort().to_list()
    longer = [_cased(text, name) for name in names for text in written if text.startswith(name.lower())]
    return list(dict.fromkeys([*names, *sorted(longer, key=len), *written]))


def _stated(code: object) -> list[str]:
    return [] if code is None else [str(code)]


def _cased(text: str, name: str) -> str:
    """Return a normalised longer name with the capitals of the name that it begins with."""
    return name + text[len(name) :].title()
