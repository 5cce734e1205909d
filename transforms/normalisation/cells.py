"""Texts to typed cells: the unit, the period, the figures of every row, and what can be wrong with each.

The cells frame has a row for every row of the batch: the contract's columns cleaned (`transforms.clean_text`), then
`_ignored`, `_unit_id`, `_kind_text`, `_unit_code`, `_unit_name`, `_start`, `_end`, `_version`, `_reported_at`,
`_action`, and for claim number i `_value_i` and `_original_i` (the cell as delivered).
"""

from functools import reduce
from operator import and_, or_

import polars as pl

from schemas.claims import VALUE, VALUE_DIGITS, VALUE_SCALE
from schemas.contract import ClaimSpec, Contract, Period, ReportVersion, Take, Unit
from transforms.clean_text import clean, clean_columns
from transforms.normalisation.problems import Problem
from transforms.numbers import number, number_problem, without_noise
from transforms.placeholders import TOTALS, is_placeholder
from transforms.register.lookup import Register, normalise_name, resolve_units

ISO_DATE = "%Y-%m-%d"
ISO_DATETIME = "%Y-%m-%dT%H:%M:%S%.f"
YEARS = (1000, 2999)
"""The first and the last year of a date: any other is a slip, such as 24 for 2024 or 9999 for no end."""
VALUE_LIMIT = 10**VALUE_DIGITS
CODES_SHOWN = 12
"""How many codes of a map a reject lists: what fits a line."""


def mapped_text(take: Take) -> pl.Expr:
    """Return the String of a `Take` for every row: trimmed, mapped; null where the map has no such code."""
    return apply_map(source_text(take), take)


def apply_map(text: pl.Expr, take: Take) -> pl.Expr:
    """Return the text mapped by a `Take`; null where its map has no such code, unchanged without a map."""
    if take.map is None:
        return text
    known = {clean(code): clean(value) for code, value in take.map.items()}
    return text.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.String)


def source_text(take: Take) -> pl.Expr:
    """Return the String of a `Take` for every row before it is mapped."""
    if take.column is not None:
        return pl.col(take.column)
    if take.option is not None:
        return pl.col("sender" if take.option == "sender" else "option_period")
    return pl.lit(None if take.value is None else clean(take.value), dtype=pl.String)


def read_cells(batch: pl.DataFrame, contract: Contract, register: Register) -> tuple[pl.DataFrame, list[Problem]]:
    """Return the cells frame of a batch and every problem its rows can have, the contract's rules excepted."""
    originals = [pl.col(c.column).alias(f"_original_{i}") for i, c in enumerate(contract.claims)]
    batch = clean_columns(batch.with_columns(originals), contract.columns())
    batch = without_noise(batch, [c.column for c in contract.claims], contract.format)
    cells = _with_unit_and_period(batch.with_columns(_ignored(contract).alias("_ignored")), contract, register)
    values = [_value(i, c, contract) for i, c in enumerate(contract.claims)]
    cells = cells.with_columns(*values, *report_columns(contract))
    return cells, [*_code_problems(contract), *_lookup_problems(contract), *_value_problems(contract)]


def ignored_rows(contract: Contract) -> list[pl.Expr]:
    """Return Booleans, at least one of which is true for each row that the contract ignores."""
    conditions = [pl.lit(False)]
    for rows in contract.ignore_rows:
        column = pl.col(rows.column)
        conditions.append(column.is_in([clean(text) for text in rows.values]))
        if rows.pattern:
            conditions.append(column.str.contains(f"^(?:{rows.pattern})$"))
    return conditions


def _ignored(contract: Contract) -> pl.Expr:
    skipped = [(pl.col(c.column) == "") & (c.missing == "skip") for c in contract.claims]
    return reduce(or_, [*ignored_rows(contract), reduce(and_, skipped)])


def _with_unit_and_period(cells: pl.DataFrame, contract: Contract, register: Register) -> pl.DataFrame:
    """Add period and unit: read once for each distinct text, then joined to the rows."""
    unit, period = contract.place()
    kind = unit.kind
    texts = {
        "_unit_text": mapped_text(unit),
        "_kind_text": mapped_text(kind) if isinstance(kind, Take) else pl.lit(kind),
        "_start_text": mapped_text(period),
        "_until_text": mapped_text(period.until) if period.until else pl.lit(None, pl.String),
    }
    cells = cells.with_columns(**texts)
    takes = (unit, kind, period, period.until)
    varying = [name for name, t in zip(texts, takes, strict=True) if isinstance(t, Take) and t.value is None]
    varying = varying or ["_unit_text"]
    keys = cells.unique(subset=varying, keep="any").select(*texts)
    keys = _add_unit(_add_period(keys, period), unit, register)
    return cells.join(keys.drop([t for t in texts if t not in varying]), on=varying, how="left", nulls_equal=True)


def _add_period(keys: pl.DataFrame, period: Period) -> pl.DataFrame:
    start, end = _span(pl.col("_start_text"), period)
    if period.until:
        end = _span(pl.col("_until_text"), period)[1]
    dated = keys.with_columns(_start=start, _end=end)
    sound = (pl.col("_start") < pl.col("_end")).fill_null(False)
    return dated.with_columns(pl.when(sound).then(pl.col("_start", "_end")))


def _span(text: pl.Expr, period: Period) -> tuple[pl.Expr, pl.Expr]:
    """Return the first day of a period's text and the first day after it; null where there is no such day."""
    if period.type == "year":
        whole = text.str.extract(r"^([0-9]{4})$")
        start, length = (whole + "-01-01").str.to_date("%Y-%m-%d", strict=False), "1y"
    elif period.type == "quarter":
        year = text.str.extract(r"^([0-9]{4})-?[QKqk]([1-4])$", 1)
        month = text.str.extract(r"^([0-9]{4})-?[QKqk]([1-4])$", 2).cast(pl.Int8) * 3 - 2
        whole = year + "-" + month.cast(pl.String) + "-1"
        start, length = whole.str.to_date("%Y-%m-%d", strict=False), "1q"
    elif period.type == "month":
        start = (text + "/01").str.to_date(f"{period.format or '%Y-%m'}/%d", strict=False)
        length = "1mo"
    else:
        start, length = iso_date(text, period.format), "1d"
    start = sound_date(start)
    return start, start.dt.offset_by(length)


def sound_date(date: pl.Expr) -> pl.Expr:
    """Return dates and times whose year has four digits as people write them; null for others (9999, 24, 124)."""
    return pl.when(date.dt.year().is_between(*YEARS)).then(date)


def iso_date(text: pl.Expr, form: str | None) -> pl.Expr:
    """Return the date of each text; a spreadsheet's date with the time 00:00:00 is one too."""
    if form in {None, ISO_DATE}:
        text = text.str.replace("[ T]00:00:00$", "")
    return sound_date(text.str.to_date(form or ISO_DATE, strict=False))


def iso_datetime(text: pl.Expr, form: str | None) -> pl.Expr:
    """Return the date and time of each text, in microseconds; a blank may separate the two."""
    if form is None:
        text = text.str.replace("^([0-9-]{10}) ", "${1}T")
    return sound_date(text.str.to_datetime(form or ISO_DATETIME, strict=False, time_unit="us"))


def _add_unit(keys: pl.DataFrame, unit: Unit, register: Register) -> pl.DataFrame:
    query = keys.select(
        pl.col("_kind_text").alias("kind"),
        pl.lit(unit.by).alias("by"),
        pl.col("_unit_text").alias("key"),
        pl.col("_start").alias("date"),
        pl.col("_end").alias("until"),
    )
    found = resolve_units(register, query)
    keys = keys.with_columns(
        found["unit_id"].alias("_unit_id"),
        found["unit_code"].alias("_unit_code"),
        found["unit_name"].alias("_unit_name"),
        found["reason"].alias("_unit_reason"),
        found["expected"].alias("_unit_expected"),
    )
    if not unit.provisional:
        return keys
    provisional = (pl.col("_unit_reason") == "unknown-unit") & (pl.col("_unit_text") != "")
    name = pl.concat_str(pl.lit("provisional"), "_kind_text", normalise_name(pl.col("_unit_text")), separator=":")
    return keys.with_columns(
        pl.when(provisional).then(name).otherwise("_unit_id").alias("_unit_id"),
        pl.when(provisional).then(pl.col("_unit_text")).otherwise("_unit_name").alias("_unit_name"),
        pl.when(~provisional).then(pl.col("_unit_reason")).alias("_unit_reason"),
    )


def _value(index: int, claim: ClaimSpec, contract: Contract) -> pl.Expr:
    figure = number(pl.col(claim.column), contract.format)
    if claim.scale != 1:
        figure = scale_value(figure, *claim.scale.as_integer_ratio())
    return figure.alias(f"_value_{index}")


def scale_value(figure: pl.Expr, times: int, by: int) -> pl.Expr:
    """Return the figure times a fraction, exactly; null where that does not fit a value (reported as out-of-range)."""
    steps = figure.to_physical()
    parts = steps if by == 1 else steps // pl.lit(by, dtype=pl.Int128)
    fits = (parts * by == steps) & (
        parts.abs() <= pl.lit((VALUE_LIMIT * 10**VALUE_SCALE - 1) // times, dtype=pl.Int128)
    )
    return pl.when(fits).then(parts * pl.lit(times, dtype=pl.Int128)).reinterpret(dtype=VALUE)


def report_columns(contract: Contract) -> list[pl.Expr]:
    """Return `_version` Int64, `_reported_at` Datetime and `_action` of every row."""
    version, reported = contract.report_version, contract.reported_at
    return [
        (_instant(version) if version else pl.lit(None, pl.Int64)).cast(pl.Int64).alias("_version"),
        (_instant(reported) if reported else pl.lit(None)).cast(pl.Datetime("us")).alias("_reported_at"),
        (mapped_text(contract.action) if contract.action else pl.lit("append")).alias("_action"),
    ]


def _instant(version: ReportVersion) -> pl.Expr:
    """Return a version: the integer as Int64, or the date and time; null where there is none."""
    text = pl.col(version.column)
    if version.type == "integer":
        whole = text.str.to_integer(strict=False)
        return pl.when(whole.is_between(-version.max, version.max)).then(whole)
    return iso_datetime(text, version.format)


def accuracy(text: pl.Expr) -> pl.Expr:
    """Return the number of decimals in a text as Int16; null where the text is not an integer."""
    return text.str.to_integer(strict=False).cast(pl.Int16, strict=False)


def _code_problems(contract: Contract) -> list[Problem]:
    """Return what can be wrong with every mapped or required text: not in its map, or empty."""
    optional = [c.decimals for c in contract.claims] + [c.obs_status for c in contract.claims]
    distinct = {t.model_dump_json(): t for t in contract.takes()}.values()
    return [problem for t in distinct for problem in text_problems(t, optional=t in optional)]


def text_problems(take: Take, *, optional: bool) -> list[Problem]:
    """Return what can be wrong with a mapped or required text: not in its map, or empty."""
    problems = []
    text, column = source_text(take), take.column
    if take.map is not None:
        problems.append(unknown_code(text, column, list(take.map)))
    if column is not None and not optional and not (take.map and "" in take.map):
        hint = "fill in the cell and deliver again"
        problems.append(Problem("missing-value", column, text == "", text, "a text", hint))
    return problems


def unknown_code(text: pl.Expr, column: str | None, known: list[str]) -> Problem:
    """Return the problem of a text that is not one of the known codes; empty text does not have it."""
    codes = [clean(code) for code in known]
    shown = ", ".join(known[:CODES_SHOWN]) + (" …" if len(known) > CODES_SHOWN else "")
    hint = "use a known code, or add this one to the contract's map"
    # An empty cell is not a code: where it may not be empty, missing-value reports it.
    return Problem("unknown-code", column, ~text.is_in([*codes, ""]), text, f"one of {shown}", hint)


def _lookup_problems(contract: Contract) -> list[Problem]:
    unit, period = contract.place()
    written = period.format or {"year": "YYYY", "quarter": "YYYY-Qn", "month": "%Y-%m", "day": "%Y-%m-%d"}[period.type]
    date = f"a {period.type} ({written}), {YEARS[0]} to {YEARS[1]}"
    hints = "write the period as the contract declares it", "correct the code or name, or the register"
    given = pl.col("_start_text").ne_missing("") & pl.col("_until_text").ne_missing("")
    undated = pl.col("_start").is_null() & given
    span = pl.concat_str("_start_text", "_until_text", separator=" … ", ignore_nulls=True)
    complete = pl.col("_kind_text").is_not_null() & pl.col("_start").is_not_null() & (pl.col("_unit_text") != "")
    unknown = pl.col("_unit_reason").is_not_null() & complete
    reason, text, expected = (pl.col(c) for c in ("_unit_reason", "_unit_text", "_unit_expected"))
    return [
        Problem("not-a-date", period.column or "--period", undated, span, date, hints[0]),
        Problem(reason, unit.column, unknown, text, expected, hints[1]),
        *(_name_problems(unit) if unit.provisional else ()),
        *instant_problems(contract),
    ]


def _name_problems(unit: Unit) -> list[Problem]:
    """Return what makes the name of a unit that no register has doubtful: the name of a total, or no name at all."""
    text, name = pl.col("_unit_text"), normalise_name(pl.col("_unit_text"))
    new = pl.col("_unit_id").str.starts_with("provisional:")
    hint = "name such rows under ignore_rows in the contract, or correct the name; it is accepted as it is"
    total = name.str.strip_chars(" :.=*").is_in(TOTALS)
    return [
        Problem("sum-row", unit.column, new & total, text, "the name of one unit", hint, severity="warning"),
        Problem("placeholder", unit.column, new & is_placeholder(text), text, "the name of one unit", hint,
                severity="warning"),
    ]  # fmt: skip


def instant_problems(contract: Contract) -> list[Problem]:
    """Return what can be wrong with the report's own version and time."""
    return [_instant_problem(v) for v in dict.fromkeys((contract.report_version, contract.reported_at)) if v]


def _instant_problem(version: ReportVersion) -> Problem:
    text = pl.col(version.column)
    bad = (text != "") & _instant(version).is_null()
    if version.type == "integer":
        too_large = pl.when(text.str.contains("^[+-]?[0-9]+$")).then(pl.lit("out-of-range"))
        expected, hint = f"a whole number of at most {version.max}", "correct it, or state the limit as `max`"
        return Problem(too_large.otherwise(pl.lit("not-a-number")), version.column, bad, text, expected, hint)
    what = f"a date and time ({version.format or 'as 2024-12-31T23:59:59'})"
    return Problem("not-a-date", version.column, bad, text, what, "correct it")


def _value_problems(contract: Contract) -> list[Problem]:
    problems = []
    expected = f"a number with at most {VALUE_DIGITS} digits and {VALUE_SCALE} decimals"
    expected += f", decimal mark {contract.format.decimal!r}"
    for i, claim in enumerate(contract.claims):
        text = pl.col(claim.column)
        unread = (text != "") & pl.col(f"_value_{i}").is_null()
        reason = number_problem(text, contract.format).fill_null("out-of-range")
        original = pl.col(f"_original_{i}")
        problems.append(Problem(reason, claim.column, unread, original, expected, "correct the number"))
        if isinstance(claim.decimals, Take):
            decimals = mapped_text(claim.decimals)
            valid = decimals.is_in(["", "exact"]) | accuracy(decimals).is_not_null()
            what = "a whole number of decimals, or `exact`"
            hint = "correct the accuracy"
            problems.append(Problem("not-a-number", claim.decimals.column, ~valid, decimals, what, hint))
        if claim.missing == "reject":
            hint = "give the number, or leave the row out"
            problems.append(Problem("missing-value", claim.column, text == "", original, "a number", hint))
    return problems
