"""The register of reporting units: which unit a code or a name means on a date, or why none.

`transforms.register.build` makes it, and says what a unit and a link are.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import polars as pl
from stdnum.no import orgnr

LAST_DAY: Final = dt.date.max
"""Stands for an open end where ends are compared."""
UNIT: Final = ("unit_id", "unit_code", "unit_name")
FOUND: Final = pl.Schema([("_row", pl.UInt32), *((name, pl.String) for name in (*UNIT, "reason", "expected"))])


@dataclass(frozen=True)
class Register:
    """The reporting units of one snapshot, whole.

    units: unit_id, kind, code, name, valid_from, valid_to (null is open); one row a link
    names: kind, name (normalised), unit_id, valid_from, valid_to; one row for each way to write a link's name
    edges: kind, old_unit, new_unit, old_code, new_code, date, relation (same, merged, split), whole (whether the new
        unit is exactly its merged parts)
    digest: 16 hex digits of the content
    """

    units: pl.DataFrame
    names: pl.DataFrame
    edges: pl.DataFrame
    digest: str


def normalise_name(name: pl.Expr) -> pl.Expr:
    """Return a name in the form in which names are compared: NFKC, no case, single spaces."""
    folded = name.str.normalize("NFKC").str.to_lowercase().str.replace_all("ß", "ss", literal=True)
    return folded.str.replace_all(r"\s+", " ").str.strip_chars()


def tidy_name(name: pl.Expr) -> pl.Expr:
    """Return a name normalised, the signs between the halves of a pair and around a county written in one way."""
    dashed = normalise_name(name).str.replace_all(r"\s*/\s*|\s+[-\u2013\u2014]\s+", " - ")
    return dashed.str.replace_all(r"\s*\(\s*", " (").str.replace_all(r"\s*\)", ")")


def resolve(register: Register, keys: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of keys, in order, with unit_id, unit_code, unit_name, reason and expected.

    keys: kind, by (code, name, organisation_number), key, date. Either the unit is given or the reason: unknown-unit,
    unit-not-valid (expected says when it is valid and what is there on the date), ambiguous-unit (expected names the
    candidates), bad-check-digit.
    """
    rows = keys.select("kind", "by", "key", "date").with_row_index("_row")
    said = _statements(register, rows)
    valid = said.filter(_holds(pl.col("date"))).select("_row", "date", "unit_id").unique()
    late = said.join(valid, on="_row", how="anti")
    found = pl.concat([_picked(_as_of(register, valid)), _explained(register, late), _organisations(rows)])
    nothing = pl.all_horizontal(pl.col("unit_id", "reason").is_null())
    unknown = pl.format("a unit of the register: {} by {}", "kind", pl.col("by").str.replace("_", " "))
    answers = rows.join(found, on="_row", how="left", maintain_order="left").select(
        "unit_id",
        "unit_code",
        "unit_name",
        reason=pl.when(nothing).then(pl.lit("unknown-unit")).otherwise("reason"),
        expected=pl.when(nothing).then(unknown).otherwise("expected"),
    )
    return pl.concat([keys, answers], how="horizontal")


def successors(register: Register, unit_id: str, date: dt.date) -> pl.DataFrame:
    """Return what is left of a unit on a later date: unit_id, unit_code, unit_name, relation.

    One row `same`: it is still there; one `derivable`: it has gone into that one; several `ambiguous`: it was split,
    these are the candidates; none: the register does not know the unit, or its time has not come.
    """
    start = pl.DataFrame({"_row": 0, "date": date, "unit_id": unit_id}, schema_overrides={"_row": pl.UInt32})
    reached = _as_of(register, _walk(register, start, forward=True))
    same = pl.col("unit_id") == unit_id
    relation = pl.when(same).then(pl.lit("same")).when(pl.len() == 1).then(pl.lit("derivable"))
    return reached.select(*UNIT, relation=relation.otherwise(pl.lit("ambiguous"))).sort("unit_code")


def _holds(date: pl.Expr) -> pl.Expr:
    return (pl.col("valid_from") <= date) & (date < pl.col("valid_to")).fill_null(True)


def _statements(register: Register, rows: pl.DataFrame) -> pl.DataFrame:
    """Return what the register says of each key at any time: _row, date, unit_id, valid_from, valid_to."""
    codes = rows.filter(pl.col("by") == "code").with_columns(pl.col("key").str.strip_chars())
    names = rows.filter(pl.col("by") == "name").with_columns(tidy_name(pl.col("key")))
    said = [
        codes.join(register.units, left_on=["kind", "key"], right_on=["kind", "code"]),
        names.join(register.names, left_on=["kind", "key"], right_on=["kind", "name"]),
    ]
    return pl.concat([s.select("_row", "date", "unit_id", "valid_from", "valid_to") for s in said])


def _as_of(register: Register, placed: pl.DataFrame) -> pl.DataFrame:
    """Return the units of _row, date, unit_id with the code and name they have on the date."""
    there = placed.join(register.units, on="unit_id").filter(_holds(pl.col("date")))
    return there.select("_row", "unit_id", unit_code="code", unit_name="name")


def _candidates() -> pl.Expr:
    return pl.concat_str("unit_code", "unit_name", separator=" ").sort().str.join(", ").alias("candidates")


def _picked(present: pl.DataFrame) -> pl.DataFrame:
    """Return the one unit of each row, or all of them as the candidates of an ambiguity."""
    one = present.filter(pl.col("_row").is_unique())
    several = present.filter(pl.col("_row").is_duplicated()).group_by("_row").agg(_candidates())
    several = several.select("_row", reason=pl.lit("ambiguous-unit"), expected=pl.format("one of {}", "candidates"))
    return pl.concat([one, several], how="diagonal").select(FOUND.names())


def _explained(register: Register, late: pl.DataFrame) -> pl.DataFrame:
    """Return, for keys that mean no unit on the date, when they do and what is there on the date instead.

    Where a split has left several, the key is ambiguous: it could be any of them.
    """
    if late.is_empty():
        return FOUND.to_frame()
    rows = _validities(late).join(_there(register, _nearest(late)), on="_row", how="left")
    several = ((pl.col("count") > 1) & pl.col("later")).fill_null(False)
    now = pl.coalesce(
        pl.when(pl.col("same") & (pl.col("count") == 1)).then(pl.format("the same unit is {}", "candidates")),
        pl.when(pl.col("later")).then(pl.format("it has gone into {}", "candidates")),
        pl.when(~pl.col("later")).then(pl.format("there was {}", "candidates")),
        pl.lit("the register has nothing of it"),
    )
    dated = pl.format("{}; on {} {}", "validity", "date", now)
    undated = pl.format("{}; no date is given", "validity")
    listed = pl.format("one of {}; {}", "candidates", "validity")
    return rows.select(
        "_row",
        *(pl.lit(None, pl.String).alias(unit) for unit in UNIT),
        reason=pl.when(several).then(pl.lit("ambiguous-unit")).otherwise(pl.lit("unit-not-valid")),
        expected=pl.when(several).then(listed).otherwise(pl.coalesce(dated, undated)),
    )


def _there(register: Register, near: pl.DataFrame) -> pl.DataFrame:
    """Return _row, candidates, count, later and same: what the units of the statements are on the date."""
    gone = pl.col("valid_to") <= pl.col("date")
    walked = [
        _walk(register, near.filter(side).select("_row", "date", "unit_id"), forward=later).with_columns(later=later)
        for side, later in ((gone.fill_null(False), True), (~gone.fill_null(False), False))
    ]
    reached = pl.concat(walked)
    units = _as_of(register, reached).join(reached.select("_row", "unit_id", "later"), on=["_row", "unit_id"])
    units = units.join(near.select("_row", "unit_id", same=True).unique(), on=["_row", "unit_id"], how="left")
    summary = (pl.col("later").first(), pl.col("same").any(), pl.len().alias("count"))
    return units.group_by("_row").agg(_candidates(), *summary)


def _nearest(late: pl.DataFrame) -> pl.DataFrame:
    """Return the statements to go on from: the last ones before the date or, where there are none, the first after."""
    ended = pl.col("valid_to") <= pl.col("date")
    last = pl.col("valid_to").filter(ended).max().over("_row")
    first = pl.col("valid_from").min().over("_row")
    return late.filter(
        pl.when(last.is_not_null()).then(pl.col("valid_to") == last).otherwise(pl.col("valid_from") == first)
    )


def _validities(late: pl.DataFrame) -> pl.DataFrame:
    """Return _row, date and, in words, when its key is valid: touching and overlapping validities made one."""
    spans = late.select("_row", "date", "valid_from", "valid_to").sort("_row", "valid_from")
    reach = pl.col("valid_to").fill_null(LAST_DAY).cum_max().shift(1)
    begins = (pl.col("valid_from") > reach).fill_null(True).cum_sum().over("_row").alias("span")
    spans = spans.group_by("_row", "date", begins, maintain_order=True).agg(pl.col("valid_from").min(), _end())
    words = pl.coalesce(pl.format("{} to {}", "valid_from", "valid_to"), pl.format("from {}", "valid_from"))
    listed = words.str.join(" and ").alias("validity")
    rows = spans.group_by("_row", "date", maintain_order=True).agg(listed)
    return rows.with_columns(validity=pl.format("valid {}", "validity"))


def _end() -> pl.Expr:
    """Return the last valid_to of a group, null if one is open."""
    return pl.when(pl.col("valid_to").is_not_null().all()).then(pl.col("valid_to").max()).alias("valid_to")


def _walk(register: Register, starts: pl.DataFrame, *, forward: bool) -> pl.DataFrame:
    """Return _row, date, unit_id of the units that live on the date, going from the starts through merger and split."""
    lives = register.units.group_by("unit_id").agg(pl.col("valid_from").min(), _end())
    steps = register.edges.filter(pl.col("relation") != "same")
    steps = (
        steps.select(unit_id="old_unit", then="new_unit")
        if forward
        else steps.select(unit_id="new_unit", then="old_unit")
    )
    passed = (pl.col("valid_to") <= pl.col("date")) if forward else (pl.col("valid_from") > pl.col("date"))
    reached = [starts.clear()]
    while starts.height:
        placed = starts.join(lives, on="unit_id")
        reached.append(placed.filter(_holds(pl.col("date"))).select(starts.columns))
        starts = placed.filter(passed).join(steps, on="unit_id").select("_row", "date", unit_id="then").unique()
    return pl.concat(reached).unique()


def _organisations(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the answers for organisation numbers: nine digits, spaces apart, whose check digit is right."""
    digits = pl.col("key").str.replace_all(r"\s", "").alias("unit_code")
    asked = rows.filter(pl.col("by") == "organisation_number").select("_row", digits).drop_nulls()
    nine = asked["unit_code"].unique().str.extract("^([0-9]{9})$").drop_nulls()
    checked = nine.filter(pl.Series([orgnr.checksum(number) == 0 for number in nine], dtype=pl.Boolean))
    right = pl.col("unit_code").is_in(checked.implode())
    return asked.select(
        "_row",
        pl.when(right).then(pl.format("organisation:{}", "unit_code")).alias("unit_id"),
        pl.when(right).then("unit_code"),
        pl.when(right).then("unit_code").alias("unit_name"),
        reason=pl.when(~right).then(pl.lit("bad-check-digit")),
        expected=pl.when(~right).then(pl.lit("an organisation number: nine digits, the last one a check digit")),
    )
