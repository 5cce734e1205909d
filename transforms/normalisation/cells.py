"""Texts to typed cells: the unit, the period, the figures of every row, and what can be wrong with each.

The cells frame has a row for every row of the batch: the contract's columns trimmed, and beside them `_ignored`,
`_unit_id`, `_kind_text`, `_unit_code`, `_unit_name`, `_start`, `_end`, `_version`, `_reported_at`, `_action`, and for
claim number i `_value_i` and `_original_i` (the cell as delivered).
"""

from functools import reduce
from operator import and_, or_

import polars as pl

from schemas.claims import VALUE, VALUE_DIGITS, VALUE_SCALE
from schemas.contract import ClaimSpec, Contract, Period, ReportVersion, Take, Unit
from transforms.normalisation.numbers import number, number_problem
from transforms.normalisation.problems import Problem
from transforms.register.lookup import Register, normalise_name, resolve

ISO_DATETIME = "%Y-%m-%dT%H:%M:%S%.f"
LARGEST = 10**VALUE_DIGITS
CODES_SHOWN = 12
"""How many codes of a map a reject names: what fits a line."""
LATEST = 2**59
"""The highest version, so that versions can be ordered together with their actions in 64 bits."""


def take(told: Take) -> pl.Expr:
    """Return the String that a `Take` gives for every row: trimmed, mapped; null where the map has no such code."""
    text = taken(told)
    if told.map is None:
        return text
    return text.replace_strict(list(told.map), list(told.map.values()), default=None, return_dtype=pl.String)


def taken(told: Take) -> pl.Expr:
    """Return the String that a `Take` finds for every row, before it is mapped."""
    if told.column is not None:
        return pl.col(told.column)
    if told.option is not None:
        return pl.col("sender" if told.option == "sender" else "option_period")
    return pl.lit(told.value, dtype=pl.String)


def read_cells(batch: pl.DataFrame, contract: Contract, register: Register) -> tuple[pl.DataFrame, list[Problem]]:
    """Return the cells frame of a batch and every problem its rows can have (the contract's rules apart)."""
    originals = [pl.col(c.column).alias(f"_original_{i}") for i, c in enumerate(contract.claims)]
    trimmed = [pl.col(c).str.strip_chars() for c in contract.columns()]
    trimming = batch.lazy().with_columns(originals).with_columns(trimmed)
    cells = _look_up(trimming.with_columns(_ignored(contract).alias("_ignored")).collect(), contract, register)
    values = [_value(i, c, contract) for i, c in enumerate(contract.claims)]
    cells = cells.with_columns(*values, *report_columns(contract))
    return cells, [*_code_problems(contract), *_lookup_problems(contract), *_value_problems(contract)]


def ignored_rows(contract: Contract) -> list[pl.Expr]:
    """Return Booleans of which at least one is true where the contract names the row as none that counts."""
    named = [pl.lit(False)]
    for rows in contract.ignore_rows:
        column = pl.col(rows.column)
        named.append(column.is_in(list(rows.values)))
        if rows.pattern:
            named.append(column.str.contains(f"^(?:{rows.pattern})$"))
    return named


def _ignored(contract: Contract) -> pl.Expr:
    says_nothing = [(pl.col(c.column) == "") & (c.missing == "skip") for c in contract.claims]
    return reduce(or_, [*ignored_rows(contract), reduce(and_, says_nothing)])


def _look_up(cells: pl.DataFrame, contract: Contract, register: Register) -> pl.DataFrame:
    """Read period and unit once for each distinct text, and join them back."""
    unit, period = contract.place()
    kind = unit.kind
    texts = {
        "_unit_text": take(unit),
        "_kind_text": take(kind) if isinstance(kind, Take) else pl.lit(kind),
        "_start_text": take(period),
        "_until_text": take(period.until) if period.until else pl.lit(None, pl.String),
    }
    cells = cells.with_columns(**texts)
    told = (unit, kind, period, period.until)
    varying = [name for name, t in zip(texts, told, strict=True) if isinstance(t, Take) and t.value is None]
    varying = varying or ["_unit_text"]
    keys = cells.unique(subset=varying, keep="any").select(*texts)
    keys = _resolved(_period(keys, period), unit, register)
    return cells.join(keys.drop([t for t in texts if t not in varying]), on=varying, how="left", nulls_equal=True)


def _period(keys: pl.DataFrame, period: Period) -> pl.DataFrame:
    start, end = _span(pl.col("_start_text"), period)
    if period.until:
        end = _span(pl.col("_until_text"), period)[1]
    dated = keys.with_columns(_start=start, _end=end)
    sound = (pl.col("_start") < pl.col("_end")).fill_null(False)
    return dated.with_columns(pl.when(sound).then(pl.col("_start", "_end")))


def _span(text: pl.Expr, period: Period) -> tuple[pl.Expr, pl.Expr]:
    """Return first day and first day after of a period's text; null where there is no such day."""
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
        start, length = text.str.to_date(period.format or "%Y-%m-%d", strict=False), "1d"
    return start, start.dt.offset_by(length)


def _resolved(keys: pl.DataFrame, unit: Unit, register: Register) -> pl.DataFrame:
    asked = keys.select(
        pl.col("_kind_text").alias("kind"),
        pl.lit(unit.by).alias("by"),
        pl.col("_unit_text").alias("key"),
        pl.col("_start").alias("date"),
    )
    found = resolve(register, asked)
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
        figure = scaled(figure, *claim.scale.as_integer_ratio())
    return figure.alias(f"_value_{index}")


def scaled(figure: pl.Expr, times: int, by: int) -> pl.Expr:
    """Return the figure times a fraction, exactly; null, told as out of range, where that does not fit a value."""
    steps = figure.to_physical()
    parts = steps if by == 1 else steps // pl.lit(by, dtype=pl.Int128)
    fits = (parts * by == steps) & (parts.abs() <= pl.lit((LARGEST * 10**VALUE_SCALE - 1) // times, dtype=pl.Int128))
    return pl.when(fits).then(parts * pl.lit(times, dtype=pl.Int128)).reinterpret(dtype=VALUE)


def report_columns(contract: Contract) -> list[pl.Expr]:
    """Return `_version` Int64, `_reported_at` Datetime and `_action` of every row."""
    version, reported = contract.report_version, contract.reported_at
    return [
        (_instant(version) if version else pl.lit(None, pl.Int64)).cast(pl.Int64).alias("_version"),
        (_instant(reported) if reported else pl.lit(None)).cast(pl.Datetime("us")).alias("_reported_at"),
        (take(contract.action) if contract.action else pl.lit("append")).alias("_action"),
    ]


def _instant(told: ReportVersion) -> pl.Expr:
    """Return a version: the integer as Int64, or the date and time; null where there is none."""
    text = pl.col(told.column)
    if told.type == "integer":
        whole = text.str.to_integer(strict=False)
        return pl.when(whole.is_between(-LATEST, LATEST)).then(whole)
    return text.str.to_datetime(told.format or ISO_DATETIME, strict=False, time_unit="us")


def accuracy_told(text: pl.Expr) -> pl.Expr:
    """Return the decimals that a text says, as Int16; null where it says none."""
    return text.str.to_integer(strict=False).cast(pl.Int16, strict=False)


def _code_problems(contract: Contract) -> list[Problem]:
    """Return what can be wrong with every mapped or needed text: not in its map, or empty."""
    optional = [c.decimals for c in contract.claims] + [c.obs_status for c in contract.claims]
    told = {t.model_dump_json(): t for t in contract.takes()}.values()
    return [problem for t in told for problem in text_problems(t, optional=t in optional)]


def text_problems(told: Take, *, optional: bool) -> list[Problem]:
    """Return what can be wrong with a mapped or needed text: not in its map, or empty."""
    found = []
    text, column = taken(told), told.column
    if told.map is not None:
        found.append(unknown_code(text, column, list(told.map)))
    if column is not None and not optional and not (told.map and "" in told.map):
        hint = "fill in the cell and deliver again"
        found.append(Problem("missing-value", column, text == "", text, "a text", hint))
    return found


def unknown_code(text: pl.Expr, column: str | None, known: list[str]) -> Problem:
    """Return the problem of a text that is none of the known codes; an empty one is none."""
    shown = ", ".join(known[:CODES_SHOWN]) + (" …" if len(known) > CODES_SHOWN else "")
    hint = "use a known code, or add this one to the contract's map"
    # An empty cell is no code: where it may not be empty, that is told as missing.
    return Problem("unknown-code", column, ~text.is_in([*known, ""]), text, f"one of {shown}", hint)


def _lookup_problems(contract: Contract) -> list[Problem]:
    unit, period = contract.place()
    written = period.format or {"year": "YYYY", "quarter": "YYYY-Qn", "month": "%Y-%m", "day": "%Y-%m-%d"}[period.type]
    date = f"a {period.type} ({written})"
    hints = "write the period as the contract declares it", "correct the code or name, or the register"
    said = pl.col("_start_text").ne_missing("") & pl.col("_until_text").ne_missing("")
    undated = pl.col("_start").is_null() & said
    span = pl.concat_str("_start_text", "_until_text", separator=" … ", ignore_nulls=True)
    asked = pl.col("_kind_text").is_not_null() & pl.col("_start").is_not_null() & (pl.col("_unit_text") != "")
    unknown = pl.col("_unit_reason").is_not_null() & asked
    reason, text, expected = (pl.col(c) for c in ("_unit_reason", "_unit_text", "_unit_expected"))
    return [
        Problem("not-a-date", period.column or "--period", undated, span, date, hints[0]),
        Problem(reason, unit.column, unknown, text, expected, hints[1]),
        *instant_problems(contract),
    ]


def instant_problems(contract: Contract) -> list[Problem]:
    """Return what can be wrong with the report's own version and time."""
    return [_instant_problem(v) for v in dict.fromkeys((contract.report_version, contract.reported_at)) if v]


def _instant_problem(told: ReportVersion) -> Problem:
    text = pl.col(told.column)
    bad = (text != "") & _instant(told).is_null()
    if told.type == "integer":
        return Problem("not-a-number", told.column, bad, text, "a whole number of at most 17 digits", "correct it")
    what = f"a date and time ({told.format or 'as 2024-12-31T23:59:59'})"
    return Problem("not-a-date", told.column, bad, text, what, "correct it")


def _value_problems(contract: Contract) -> list[Problem]:
    found = []
    expected = f"a number with at most {VALUE_DIGITS} digits and {VALUE_SCALE} decimals"
    expected += f", decimal mark {contract.format.decimal!r}"
    for i, claim in enumerate(contract.claims):
        text = pl.col(claim.column)
        unread = (text != "") & pl.col(f"_value_{i}").is_null()
        reason = number_problem(text, contract.format).fill_null("out-of-range")
        original = pl.col(f"_original_{i}")
        found.append(Problem(reason, claim.column, unread, original, expected, "correct the number"))
        if isinstance(claim.decimals, Take):
            accuracy = take(claim.decimals)
            sound = accuracy.is_in(["", "exact"]) | accuracy_told(accuracy).is_not_null()
            told = "a whole number of decimals, or `exact`"
            found.append(Problem("not-a-number", claim.decimals.column, ~sound, accuracy, told, "correct the accuracy"))
        if claim.missing == "reject":
            hint = "give the number, or leave the row out"
            found.append(Problem("missing-value", claim.column, text == "", original, "a number", hint))
    return found
