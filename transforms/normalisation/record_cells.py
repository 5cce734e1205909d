"""Texts to the typed fields of records, and what can be wrong with each.

The cells frame has a row for every row of the batch: the contract's columns trimmed, and beside them `_ignored`,
`_version`, `_reported_at`, `_action`, and for field f `_text_f` (String, "" for none) and `_field_f` (typed, null for
none). Texts are in Unicode's composed form (NFC).
"""

import re
from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Final

import polars as pl

from schemas.claims import VALUE_DIGITS, VALUE_SCALE
from schemas.contract import Contract, FieldTake, Format, RecordSpec
from schemas.kind import FieldSpec, Kind
from transforms.normalisation.cells import (
    ISO_DATETIME,
    ignored_rows,
    instant_problems,
    report_columns,
    scaled,
    taken,
    text_problems,
    unknown_code,
)
from transforms.normalisation.numbers import number, number_problem
from transforms.normalisation.problems import Problem

YES_NO: Final = ("true", "false")
ISO_DATE: Final = "%Y-%m-%d"


def read_record_cells(
    batch: pl.DataFrame, contract: Contract, record: RecordSpec, kind: Kind
) -> tuple[pl.DataFrame, list[Problem]]:
    """Return the cells frame of a batch and every problem its rows can have (the contract's rules apart)."""
    fields = {name: (told, kind.fields[name]) for name, told in record.fields.items()}
    texts = [_text(told, spec).alias(f"_text_{name}") for name, (told, spec) in fields.items()]
    values = [
        _value(name, told, spec, contract.format).alias(f"_field_{name}") for name, (told, spec) in fields.items()
    ]
    trimmed = [pl.col(c).str.strip_chars() for c in contract.columns()]
    ignored = reduce(or_, ignored_rows(contract)).alias("_ignored")
    lazy = batch.lazy().with_columns(trimmed).with_columns(ignored, *report_columns(contract), *texts)
    problems = [*_key_problems(contract, record)]
    for name, (told, spec) in fields.items():
        problems += _field_problems(name, told, spec, contract.format)
    return lazy.with_columns(values).collect(), [*problems, *instant_problems(contract)]


def _cell(column: str, told: FieldTake) -> pl.Expr:
    """Return a cell's text, empty where it says that it is."""
    text = pl.col(column)
    return (
        pl.when(text.is_in(list(told.missing_values))).then(pl.lit("")).otherwise(text) if told.missing_values else text
    )


def _text(told: FieldTake, spec: FieldSpec) -> pl.Expr:
    """Return what is delivered of a field, before it is mapped and read."""
    if told.columns or told.flags:
        cells = [_cell(column, told) for column in told.named()]
        joined = pl.concat_str([pl.when(c != "").then(c) for c in cells], separator=" ", ignore_nulls=True)
        if spec.type not in {"date", "datetime"}:
            return joined
        return pl.when(pl.all_horizontal([c != "" for c in cells])).then(joined).otherwise(pl.lit(""))
    return _cell(told.column, told) if told.column else taken(told).fill_null("")


def _mapped(text: pl.Expr, told: FieldTake) -> pl.Expr:
    if told.map is None:
        return text
    return text.replace_strict(list(told.map), list(told.map.values()), default=None, return_dtype=pl.String)


def _value(name: str, told: FieldTake, spec: FieldSpec, form: Format) -> pl.Expr:
    """Return a field typed; null where its text says none."""
    text = _mapped(pl.col(f"_text_{name}"), told)
    value: pl.Expr
    match spec.type:
        case "text" | "code":
            value = pl.when(text != "").then(text.str.normalize("NFC"))
        case "list":
            value = _list(name, told)
        case "integer":
            figure = _figure(text, told, form)
            value = pl.when(figure == figure.floor()).then(figure.cast(pl.Int64, strict=False))
        case "number":
            value = _figure(text, told, form)
        case "boolean":
            value = text.replace_strict(list(YES_NO), [True, False], default=None, return_dtype=pl.Boolean)
        case "date":
            value = text.str.to_date(told.format or ISO_DATE, strict=False)
        case "datetime":
            value = text.str.to_datetime(told.format or ISO_DATETIME, strict=False, time_unit="us")
    return value


def _figure(text: pl.Expr, told: FieldTake, form: Format) -> pl.Expr:
    figure = number(_shortened(text, told, form), form)
    if told.decimals is not None:
        figure = figure.round(told.decimals)
    return figure if told.scale == 1 else scaled(figure, *told.scale.as_integer_ratio())


def _shortened(text: pl.Expr, told: FieldTake, form: Format) -> pl.Expr:
    """Return a number's text without the decimals that no value has, where the contract has it rounded anyway."""
    if told.decimals is None:
        return text
    mark = re.escape(form.decimal)
    return text.str.replace(f"^([^{mark}]*{mark}[0-9]{{{VALUE_SCALE}}})[0-9]+$", "$1")


def _list(name: str, told: FieldTake) -> pl.Expr:
    """Return the distinct elements in order; null where there are none."""
    element = pl.element()
    elements = _elements(name, told)
    if not told.flags:
        elements = elements.list.eval(_mapped(element.str.strip_chars(), told))
    found = elements.list.eval(element.filter(element != "").str.normalize("NFC").unique().sort())
    return pl.when(found.list.len() > 0).then(found)


def _elements(name: str, told: FieldTake) -> pl.Expr:
    if told.flags:
        marked = [pl.when(_flag(column, told) == "true").then(pl.lit(e)) for column, e in told.flags.items()]
        return pl.concat_list(marked)
    if told.columns:
        return pl.concat_list([_cell(column, told) for column in told.columns])
    text = pl.col(f"_text_{name}")
    return text.str.split(told.separator) if told.separator else pl.concat_list(text)


def _flag(column: str, told: FieldTake) -> pl.Expr:
    return _mapped(_cell(column, told), told)


def _key_problems(contract: Contract, record: RecordSpec) -> Iterator[Problem]:
    for told in (record.reported_by, record.confidential, contract.action):
        if told is not None:
            yield from text_problems(told, optional=False)
    for column in record.report_key:
        if column != record.reported_by.column:
            hint = "fill in the cell and deliver again"
            yield Problem("missing-value", column, pl.col(column) == "", pl.col(column), "the report's key", hint)


def _field_problems(name: str, told: FieldTake, spec: FieldSpec, form: Format) -> Iterator[Problem]:
    text, value = pl.col(f"_text_{name}"), pl.col(f"_field_{name}")
    column = next(iter(told.named()), None)
    if told.required:
        yield Problem("missing-value", column, text == "", text, f"the {spec.type} of {name}", "fill in the cell")
    if told.flags:
        for flag in told.flags:
            yield unknown_code(pl.coalesce(_flag(flag, told), pl.col(flag)), flag, list(YES_NO))
    elif told.map is not None:
        yield _unmapped(name, told, spec, column)
    if told.unreadable != "empty" and spec.type not in {"text", "code", "list"}:
        known = _mapped(text, told).is_not_null()
        reason, expected = _unread(spec, told, form, _mapped(text, told))
        severity = "warning" if told.unreadable == "warn" else "critical"
        bad = (text != "") & known & value.is_null()
        yield Problem(reason, column, bad, text, expected, "correct the cell and deliver again", severity=severity)


def _unmapped(name: str, told: FieldTake, spec: FieldSpec, column: str | None) -> Problem:
    known = list(told.map or ())
    problem = unknown_code(pl.col(f"_text_{name}"), column, known)
    if spec.type != "list":
        return problem
    strange = ~pl.element().str.strip_chars().is_in([*known, ""])
    elements = _elements(name, told).list.eval(strange).list.any()
    return Problem(problem.reason, column, elements, problem.found, problem.expected, problem.hint)


def _unread(spec: FieldSpec, told: FieldTake, form: Format, text: pl.Expr) -> tuple[str | pl.Expr, str]:
    """Return the reason for a text that cannot be read as the field's type, and what was expected."""
    number_told = f"with at most {VALUE_DIGITS} digits and {VALUE_SCALE} decimals, decimal mark {form.decimal!r}"
    match spec.type:
        case "integer":
            whole = number(text, form)
            fraction = pl.when(whole != whole.floor()).then(pl.lit("not-a-number"))
            return pl.coalesce(number_problem(text, form), fraction, pl.lit("out-of-range")), "a whole number"
        case "number":
            reason = number_problem(_shortened(text, told, form), form)
            return reason.fill_null("out-of-range"), f"a number {number_told}"
        case "boolean":
            return "unknown-code", " or ".join(YES_NO)
        case "date":
            return "not-a-date", f"a date ({told.format or ISO_DATE})"
        case _:
            return "not-a-date", f"a date and time ({told.format or 'as 2024-12-31T23:59:59'})"
