"""Texts to typed cells: the unit, the period, the figures of every row, and what can be wrong with each.

The cells frame has a row for every row of the batch: the contract's columns cleaned (`transforms.clean_text`), then
`_ignored`, `_unit_id`, `_kind_text`, `_unit_code`, `_unit_name`, `_start`, `_end`, `_version`, `_reported_at`,
`_action`, and for claim number i `_value_i` and `_original_i` (the cell as delivered).
"""

from dataclasses import replace
from functools import reduce
from operator import and_

import polars as pl

from schemas.claims import VALUE, VALUE_DIGITS, VALUE_SCALE
from schemas.contract import ClaimSpec, Contract, ReportVersion, Take
from schemas.contract_terms import conversions_of
from transforms.clean_text import clean, clean_columns
from transforms.conversions import convert_values
from transforms.normalisation.problems import Problem
from transforms.normalisation.texts.dates import DateForm, read_datetime, to_utc
from transforms.normalisation.texts.figure_cells import (
    applies,
    has_marks,
    is_missing,
    read_marks,
    unclaimed_rows,
    where_any,
)
from transforms.normalisation.texts.ignored_rows import any_ignored
from transforms.normalisation.texts.take_text import mapped_text, source_text
from transforms.normalisation.texts.unit_period import place_problems, with_unit_and_period
from transforms.numbers import number, number_problem, without_noise
from transforms.register.lookup import Register
from transforms.rejects import shown_codes

VALUE_LIMIT = 10**VALUE_DIGITS


def read_cells(batch: pl.DataFrame, contract: Contract, register: Register) -> tuple[pl.DataFrame, list[Problem]]:
    """Return the cells frame of a batch and every problem its rows can have, the contract's rules excepted."""
    originals = [pl.col(c.column).alias(f"_original_{i}") for i, c in enumerate(contract.claims)]
    batch = clean_columns(batch.with_columns(originals), contract.columns())
    batch = without_noise(read_marks(batch, contract), [c.column for c in contract.claims], contract.format)
    cells = with_unit_and_period(batch.with_columns(_ignored(contract).alias("_ignored")), contract, register)
    if contract.action:
        cells = cells.with_columns(_withdraws=_withdraws(contract))
    values = [_value(i, c, contract) for i, c in enumerate(contract.claims)]
    cells = cells.with_columns(*values, *report_columns(contract))
    problems = [*_code_problems(contract), *place_problems(contract), *instant_problems(contract)]
    return cells, [*problems, *_value_problems(contract)]


def _ignored(contract: Contract) -> pl.Expr:
    skips = reduce(and_, [_skipped(i, claim) for i, claim in enumerate(contract.claims)])
    for unclaimed in unclaimed_rows(contract):
        skips &= ~unclaimed.bad
    return any_ignored(contract) | (skips & ~_withdraws(contract) if contract.action else skips)


def _skipped(index: int, claim: ClaimSpec) -> pl.Expr:
    """Return whether a row makes no claim of one kind, and nothing is wrong with that."""
    nothing = (pl.col(claim.column) == "") & (claim.missing == "skip")
    if has_marks(claim):
        nothing |= is_missing(index, claim)
    condition = applies(claim)
    return nothing if condition is None else nothing | ~condition


def withdraws(contract: Contract) -> pl.Expr:
    """Return whether each row of a cells frame withdraws all its claims: it needs no figures for that."""
    return pl.col("_withdraws") if contract.action else pl.lit(value=False)


def _withdraws(contract: Contract) -> pl.Expr:
    if contract.action is None:
        return pl.lit(value=False)
    asked = (mapped_text(contract.action) == "withdraw").fill_null(value=False)
    return reduce(and_, [asked, *(pl.col(claim.column) == "" for claim in contract.claims)])


def _value(index: int, claim: ClaimSpec, contract: Contract) -> pl.Expr:
    figure, conversions = scaled_figure(claim, contract), conversions_of(contract, claim)
    if conversions:
        figure = convert_values(figure, mapped_text(claim.unit_measure), conversions)
    return figure.alias(f"_value_{index}")


def scaled_figure(claim: ClaimSpec, contract: Contract) -> pl.Expr:
    """Return the figure of each row in whole units of the measure that it states."""
    figure = number(pl.col(claim.column), contract.format)
    return figure if claim.scale == 1 else scale_value(figure, *claim.scale.as_integer_ratio())


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
        (_instant(version, contract) if version else pl.lit(None, pl.Int64)).cast(pl.Int64).alias("_version"),
        (_instant(reported, contract) if reported else pl.lit(None)).cast(pl.Datetime("us")).alias("_reported_at"),
        (mapped_text(contract.action) if contract.action else pl.lit("append")).alias("_action"),
    ]


def _instant(version: ReportVersion, contract: Contract) -> pl.Expr:
    """Return a version: the integer as Int64, or the date and time; null where there is none."""
    text = pl.col(version.column)
    if version.type == "integer":
        whole = text.str.to_integer(strict=False)
        return pl.when(whole.is_between(-version.max, version.max)).then(whole)
    time = read_datetime(text, DateForm.of(version, contract.format))
    return time if version.time_zone is None else to_utc(time, version.time_zone)


def accuracy(text: pl.Expr) -> pl.Expr:
    """Return the number of decimals in a text as Int16; null where the text is not an integer."""
    return text.str.to_integer(strict=False).cast(pl.Int16, strict=False)


def _code_problems(contract: Contract) -> list[Problem]:
    """Return what can be wrong with every mapped or required text: not in its map, or empty."""
    optional = [c.decimals for c in contract.claims] + [c.obs_status for c in contract.claims]
    owners: dict[str, list[ClaimSpec]] = {}
    for claim in contract.claims:
        for take in claim.takes():
            owners.setdefault(take.model_dump_json(), []).append(claim)
    shared = {t.model_dump_json() for t in contract.shared_takes()}
    problems = [*unclaimed_rows(contract)]
    for key, take in {t.model_dump_json(): t for t in contract.takes()}.items():
        for problem in text_problems(take, optional=take in optional):
            bad = problem.bad if key in shared else where_any(owners.get(key, []), problem.bad)
            problems.append(replace(problem, bad=bad))
    return problems


def text_problems(take: Take, *, optional: bool) -> list[Problem]:
    """Return what can be wrong with a mapped or required text: not in its map, or empty."""
    problems = []
    text, column = source_text(take), next(iter(take.source_columns()), None)
    if take.map is not None and take.map_default is None and take.unmapped != "keep":
        problems.append(unknown_code(text, column, list(take.map)))
    if column is not None and not optional and not (take.map and "" in take.map):
        hint = "fill in the cell and deliver again"
        problems.append(Problem("missing-value", column, text == "", text, "a text", hint))
    return problems


def unknown_code(text: pl.Expr, column: str | None, known: list[str]) -> Problem:
    """Return the problem of a text that is not one of the known codes; empty text does not have it."""
    codes = [clean(code) for code in known]
    hint = "use a known code, or add this one to the contract's map"
    # An empty cell is not a code: where it may not be empty, missing-value reports it.
    return Problem("unknown-code", column, ~text.is_in([*codes, ""]), text, f"one of {shown_codes(known)}", hint)


def instant_problems(contract: Contract) -> list[Problem]:
    """Return what can be wrong with the report's own version and time."""
    return [_instant_problem(v, contract) for v in dict.fromkeys((contract.report_version, contract.reported_at)) if v]


def _instant_problem(version: ReportVersion, contract: Contract) -> Problem:
    text = pl.col(version.column)
    bad = (text != "") & _instant(version, contract).is_null()
    if version.type == "integer":
        too_large = pl.when(text.str.contains("^[+-]?[0-9]+$")).then(pl.lit("out-of-range"))
        expected, hint = f"a whole number of at most {version.max}", "correct it, or state the limit as `max`"
        return Problem(too_large.otherwise(pl.lit("not-a-number")), version.column, bad, text, expected, hint)
    what = f"a date and time ({version.format or 'as 2024-12-31T23:59:59'})"
    what += f", {DateForm.of(version, contract.format).years()}"
    return Problem("not-a-date", version.column, bad, text, what, "correct it")


def _value_problems(contract: Contract) -> list[Problem]:
    return [
        replace(problem, bad=where_any([claim], problem.bad))
        for i, claim in enumerate(contract.claims)
        for problem in _figure_problems(i, claim, contract)
    ]


def _figure_problems(index: int, claim: ClaimSpec, contract: Contract) -> list[Problem]:
    expected = f"a number with at most {VALUE_DIGITS} digits and {VALUE_SCALE} decimals"
    expected += f", decimal mark {contract.format.decimal!r}"
    text, original = pl.col(claim.column), pl.col(f"_original_{index}")
    unread = (text != "") & pl.col(f"_value_{index}").is_null()
    reason = number_problem(text, contract.format).fill_null("out-of-range")
    problems = [Problem(reason, claim.column, unread, original, expected, "correct the number")]
    if isinstance(claim.decimals, Take):
        decimals = mapped_text(claim.decimals)
        valid = decimals.is_in(["", "exact"]) | accuracy(decimals).is_not_null()
        what = "a whole number of decimals, or `exact`"
        column = next(iter(claim.decimals.source_columns()), None)
        problems.append(Problem("not-a-number", column, ~valid, decimals, what, "correct the accuracy"))
    if claim.missing == "reject":
        hint = "give the number, or leave the row out"
        missing = (text == "") & ~withdraws(contract)
        missing = missing & ~is_missing(index, claim) if has_marks(claim) else missing
        problems.append(Problem("missing-value", claim.column, missing, original, "a number", hint))
    return problems
