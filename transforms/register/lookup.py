"""The register of reporting units: which unit a code or a name denotes on a date, or why none.

`transforms.register.build` builds it, and defines unit and link.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Final

import polars as pl
from stdnum.no import orgnr

from transforms.clean_text import cleaned

LAST_DAY: Final = dt.date.max
"""Replaces an open end where ends are compared."""
HYPHENS: Final = "[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"
"""Every kind of hyphen, dash and minus but the ASCII one."""
CANDIDATES_SHOWN: Final = 6
"""Units that a message lists where a name or code could be several."""
UNIT_COLUMNS: Final = ("unit_id", "unit_code", "unit_name")
NO_ORGANISATIONS: Final = (*(str(digit) * 9 for digit in range(10)), "123456785")
"""Their check digits are right, and no organisation has them: they fill the cell."""
_ORGANISATION: Final = r"^(?:NO)?\s*([0-9](?:[\s.]?[0-9]){8})\s*(?:MVA)?$"
_ANSWER: Final = pl.Schema(
    [("_row", pl.UInt32), *((name, pl.String) for name in (*UNIT_COLUMNS, "reason", "expected"))]
)


CODES: Final = pl.Schema(
    [
        *((name, pl.String) for name in ("kind", "system", "code", "unit_id")),
        ("valid_from", pl.Date),
        ("valid_to", pl.Date),
    ]
)
"""The columns of `Register.codes`."""


@dataclass(frozen=True)
class Register:
    """All reporting units of one snapshot.

    units: unit_id, kind, code, name, valid_from, valid_to (null is open); one row per link
    names: kind, name (normalised), unit_id, valid_from, valid_to; one row per way to write a link's name
    edges: kind, old_unit, new_unit, old_code, new_code, date, relation (same, merged, split), whole (whether the new
        unit is exactly its merged parts)
    digest: 16 hex digits of the content
    codes: kind, system (code:SYSTEM), code, unit_id, valid_from, valid_to; the codes of a link in other code systems
    """

    units: pl.DataFrame
    names: pl.DataFrame
    edges: pl.DataFrame
    digest: str
    codes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CODES))


def normalise_name(name: pl.Expr) -> pl.Expr:
    """Return a name in the form in which names are compared: NFKC, lower case, one kind of hyphen, single spaces."""
    folded = cleaned(name).str.normalize("NFKC").str.to_lowercase().str.replace_all("ß", "ss", literal=True)
    return folded.str.replace_all(HYPHENS, "-").str.replace_all(r"\s+", " ").str.strip_chars()


def tidy_name(name: pl.Expr) -> pl.Expr:
    """Return a name normalised, with one way to write the sign between the halves of a pair and around a county."""
    dashed = normalise_name(name).str.replace_all(r"\s*/\s*|\s+-\s+", " - ")
    return dashed.str.replace_all(r"\s*\(\s*", " (").str.replace_all(r"\s*\)", ")")


def resolve_units(register: Register, keys: pl.DataFrame, *, follow: bool = False) -> pl.DataFrame:
    """Return the rows of keys, in order, with unit_id, unit_code, unit_name, reason and expected.

    follow: whether a key that ended before the date denotes the one unit that follows it, if there is one.
    keys: kind, by (code, code:SYSTEM, name, organisation_number), key, date and, optionally, until (the first day after
    the period, which the unit must live to the end of). A row has either the unit or the reason: unknown-unit,
    unit-not-valid (`expected` is when it is valid and which units exist on the date), ambiguous-unit (`expected` lists
    the candidates), bad-check-digit, unknown-code (not the form of an organisation number).
    """
    rows = keys.select("kind", "by", "key", "date").with_row_index("_row")
    entries = _entries(register, rows)
    valid = entries.filter(_is_valid(pl.col("date"))).select("_row", "date", "unit_id").unique()
    invalid = entries.join(valid, on="_row", how="anti")
    followed = _successors(register, invalid) if follow else _ANSWER.to_frame()
    invalid = invalid.join(followed, on="_row", how="anti")
    picked = _pick(_as_of(register, valid))
    found = pl.concat([picked, followed, _explain(register, invalid), _organisations(rows)])
    nothing = pl.all_horizontal(pl.col("unit_id", "reason").is_null())
    unknown = pl.format("a unit of the register: {} by {}", "kind", pl.col("by").str.replace("_", " "))
    answers = rows.join(found, on="_row", how="left", maintain_order="left").select(
        "unit_id",
        "unit_code",
        "unit_name",
        reason=pl.when(nothing).then(pl.lit("unknown-unit")).otherwise("reason"),
        expected=pl.when(nothing).then(unknown).otherwise("expected"),
    )
    if "until" in keys.columns:
        answers = _living(register, answers.with_columns(keys["until"]))
    return pl.concat([keys, answers], how="horizontal")


def _living(register: Register, answers: pl.DataFrame) -> pl.DataFrame:
    """Return the answers without the units that end before the period does; a renumbered unit lives on."""
    lifetimes = register.units.group_by("unit_id").agg(_end().alias("ends"))
    answers = answers.join(lifetimes, on="unit_id", how="left", maintain_order="left")
    dead = (pl.col("ends") < pl.col("until")).fill_null(False)
    ended = pl.format("a unit that exists in the whole period; this one ends on {}", "ends")
    alive = [pl.when(~dead).then(name).alias(name) for name in UNIT_COLUMNS]
    return answers.with_columns(
        *alive,
        reason=pl.when(dead).then(pl.lit("unit-not-valid")).otherwise("reason"),
        expected=pl.when(dead).then(ended).otherwise("expected"),
    ).drop("ends", "until")


def known_keys(register: Register, kind: str | None, by: str, keys: pl.Series) -> pl.Series:
    """Return which codes or names the register has for a kind of unit (None: any kind), at whatever time."""
    if by == "code":
        units = register.units.select("kind", key="code")
        wanted = keys.str.strip_chars()
    else:
        units = register.names.select("kind", key="name")
        wanted = keys.to_frame("key").select(tidy_name(pl.col("key"))).to_series()
    known = units if kind is None else units.filter(pl.col("kind") == kind)
    return wanted.is_in(known["key"].drop_nulls().unique().implode())


def _is_valid(date: pl.Expr) -> pl.Expr:
    return (pl.col("valid_from") <= date) & (date < pl.col("valid_to")).fill_null(True)


def _entries(register: Register, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the register's entries for each key at any time: _row, date, unit_id, valid_from, valid_to."""
    codes = rows.filter(pl.col("by") == "code").with_columns(pl.col("key").str.strip_chars())
    names = rows.filter(pl.col("by") == "name").with_columns(tidy_name(pl.col("key")))
    entries = [
        codes.join(register.units, left_on=["kind", "key"], right_on=["kind", "code"]),
        names.join(register.names, left_on=["kind", "key"], right_on=["kind", "name"]),
    ]
    if register.codes.height:
        others = rows.filter(pl.col("by").str.starts_with("code:")).with_columns(pl.col("key").str.strip_chars())
        entries.append(others.join(register.codes, left_on=["kind", "by", "key"], right_on=["kind", "system", "code"]))
    return pl.concat([s.select("_row", "date", "unit_id", "valid_from", "valid_to") for s in entries])


def _as_of(register: Register, keys: pl.DataFrame) -> pl.DataFrame:
    """Return the units of _row, date, unit_id with the code and name they have on the date."""
    units = keys.join(register.units, on="unit_id").filter(_is_valid(pl.col("date")))
    return units.select("_row", "unit_id", unit_code="code", unit_name="name")


def _successors(register: Register, invalid: pl.DataFrame) -> pl.DataFrame:
    """Return the answers for keys that ended before the date and whose unit exactly one follows then."""
    near = _nearest(invalid).filter(pl.col("valid_to") <= pl.col("date")).select("_row", "date", "unit_id")
    units = _as_of(register, _walk(register, near.unique(), forward=True))
    one = units.filter(pl.col("_row").is_unique())
    return pl.concat([_ANSWER.to_frame(), one], how="diagonal").select(_ANSWER.names())


def _candidates() -> pl.Expr:
    units = pl.concat_str("unit_code", "unit_name", separator=" ").sort()
    more = pl.when(pl.len() > CANDIDATES_SHOWN).then(pl.format(" and {} more", pl.len() - CANDIDATES_SHOWN))
    shown = units.head(CANDIDATES_SHOWN).str.join(", ")
    return pl.concat_str(shown, more.otherwise(pl.lit(""))).alias("candidates")


def _pick(present: pl.DataFrame) -> pl.DataFrame:
    """Return the one unit of each row, or the reason ambiguous-unit with several units as candidates."""
    one = present.filter(pl.col("_row").is_unique())
    several = present.filter(pl.col("_row").is_duplicated()).group_by("_row").agg(_candidates())
    several = several.select("_row", reason=pl.lit("ambiguous-unit"), expected=pl.format("one of {}", "candidates"))
    return pl.concat([one, several], how="diagonal").select(_ANSWER.names())


def _explain(register: Register, invalid: pl.DataFrame) -> pl.DataFrame:
    """Return, for keys that denote no unit on the date, when they do and which units exist on the date instead.

    After a split the key is ambiguous: it could be any of the parts.
    """
    if invalid.is_empty():
        return _ANSWER.to_frame()
    rows = _validities(invalid).join(_units_on_date(register, _nearest(invalid)), on="_row", how="left")
    several = ((pl.col("count") > 1) & pl.col("later")).fill_null(False)
    now = pl.coalesce(
        pl.when(pl.col("same") & (pl.col("count") == 1)).then(pl.format("the same unit is {}", "candidates")),
        pl.when(pl.col("later")).then(pl.format("it is part of {}", "candidates")),
        pl.when(~pl.col("later")).then(pl.format("there was {}", "candidates")),
        pl.lit("the register has nothing of it"),
    )
    dated = pl.format("{}; on {} {}", "validity", "date", now)
    undated = pl.format("{}; no date is given", "validity")
    choices = pl.format("one of {}; {}", "candidates", "validity")
    return rows.select(
        "_row",
        *(pl.lit(None, pl.String).alias(unit) for unit in UNIT_COLUMNS),
        reason=pl.when(several).then(pl.lit("ambiguous-unit")).otherwise(pl.lit("unit-not-valid")),
        expected=pl.when(several).then(choices).otherwise(pl.coalesce(dated, undated)),
    )


def _units_on_date(register: Register, near: pl.DataFrame) -> pl.DataFrame:
    """Return _row, candidates, count, later and same: the successors or predecessors of the entries on the date."""
    ended = pl.col("valid_to") <= pl.col("date")
    walked = [
        _walk(register, near.filter(side).select("_row", "date", "unit_id"), forward=later).with_columns(later=later)
        for side, later in ((ended.fill_null(False), True), (~ended.fill_null(False), False))
    ]
    reached = pl.concat(walked)
    units = _as_of(register, reached).join(reached.select("_row", "unit_id", "later"), on=["_row", "unit_id"])
    units = units.join(near.select("_row", "unit_id", same=True).unique(), on=["_row", "unit_id"], how="left")
    summary = (pl.col("later").first(), pl.col("same").any(), pl.len().alias("count"))
    return units.group_by("_row").agg(_candidates(), *summary)


def _nearest(invalid: pl.DataFrame) -> pl.DataFrame:
    """Return the entries to start from: the last ones before the date or, where there are none, the first after it."""
    ended = pl.col("valid_to") <= pl.col("date")
    last = pl.col("valid_to").filter(ended).max().over("_row")
    first = pl.col("valid_from").min().over("_row")
    return invalid.filter(
        pl.when(last.is_not_null()).then(pl.col("valid_to") == last).otherwise(pl.col("valid_from") == first)
    )


def _validities(invalid: pl.DataFrame) -> pl.DataFrame:
    """Return _row, date and `validity`, a text: when the key is valid, touching and overlapping periods merged."""
    spans = invalid.select("_row", "date", "valid_from", "valid_to").sort("_row", "valid_from")
    reach = pl.col("valid_to").fill_null(LAST_DAY).cum_max().shift(1)
    begins = (pl.col("valid_from") > reach).fill_null(True).cum_sum().over("_row").alias("span")
    spans = spans.group_by("_row", "date", begins, maintain_order=True).agg(pl.col("valid_from").min(), _end())
    texts = pl.coalesce(pl.format("{} to {}", "valid_from", "valid_to"), pl.format("from {}", "valid_from"))
    joined = texts.str.join(" and ").alias("validity")
    rows = spans.group_by("_row", "date", maintain_order=True).agg(joined)
    return rows.with_columns(validity=pl.format("valid {}", "validity"))


def _end() -> pl.Expr:
    """Return the last valid_to of a group, null if one is open."""
    return pl.when(pl.col("valid_to").is_not_null().all()).then(pl.col("valid_to").max()).alias("valid_to")


def _walk(register: Register, starts: pl.DataFrame, *, forward: bool) -> pl.DataFrame:
    """Return _row, date, unit_id of the units that exist on the date, following mergers and splits from the starts."""
    lifetimes = register.units.group_by("unit_id").agg(pl.col("valid_from").min(), _end())
    steps = register.edges.filter(pl.col("relation") != "same")
    source, target = ("old_unit", "new_unit") if forward else ("new_unit", "old_unit")
    steps = steps.select(unit_id=source, next_unit=target)
    passed = (pl.col("valid_to") <= pl.col("date")) if forward else (pl.col("valid_from") > pl.col("date"))
    reached = [starts.clear()]
    while starts.height:
        dated = starts.join(lifetimes, on="unit_id")
        reached.append(dated.filter(_is_valid(pl.col("date"))).select(starts.columns))
        starts = dated.filter(passed).join(steps, on="unit_id").select("_row", "date", unit_id="next_unit").unique()
    return pl.concat(reached).unique()


def _organisations(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the answers for organisation numbers: nine digits with a correct check digit.

    Blanks and points between the digits and the forms `NO ... MVA` of the value-added tax are read too.
    """
    digits = pl.col("key").str.to_uppercase().str.extract(_ORGANISATION).str.replace_all(r"[\s.]", "")
    numbers = rows.filter(pl.col("by") == "organisation_number").drop_nulls("key")
    numbers = numbers.select("_row", digits.alias("unit_code"))
    nine = numbers["unit_code"].unique().drop_nulls()
    sound = [number not in NO_ORGANISATIONS and orgnr.checksum(number) == 0 for number in nine]
    valid = pl.col("unit_code").is_in(nine.filter(pl.Series(sound, dtype=pl.Boolean)).implode()).fill_null(False)
    formed = pl.col("unit_code").is_not_null() & ~pl.col("unit_code").is_in(NO_ORGANISATIONS)
    return numbers.select(
        "_row",
        pl.when(valid).then(pl.format("organisation:{}", "unit_code")).alias("unit_id"),
        pl.when(valid).then("unit_code"),
        pl.when(valid).then("unit_code").alias("unit_name"),
        reason=pl.when(~valid).then(pl.when(formed).then(pl.lit("bad-check-digit")).otherwise(pl.lit("unknown-code"))),
        expected=pl.when(~valid).then(pl.lit("an organisation number: nine digits, the last one a check digit")),
    )
