"""Texts to the typed fields of records, and what can be wrong with each.

The cells frame has a row for every row of the batch: the contract's columns cleaned (`transforms.clean_text`), then
`_ignored`, `_version`, `_reported_at`, `_action`, and for field f `_text_f` (String, "" for none) and `_field_f`
(typed, null for none).
"""

import re
from collections.abc import Iterator
from typing import Final

import polars as pl

from schemas.claims import VALUE_DIGITS, VALUE_SCALE
from schemas.contract import Contract, FieldTake, Format, RecordSpec
from schemas.kind import FieldSpec, Kind
from transforms.clean_text import clean, clean_columns
from transforms.normalisation.cells import (
    instant_problems,
    report_columns,
    scale_value,
    text_problems,
    unknown_code,
)
from transforms.normalisation.problems import Problem
from transforms.normalisation.texts.dates import ISO_DATE, DateForm, read_date, read_datetime, to_utc
from transforms.normalisation.texts.ignored_rows import any_ignored
from transforms.normalisation.texts.take_text import apply_map, extracted, padded, source_text
from transforms.numbers import number, number_problem, without_noise
from transforms.placeholders import is_placeholder

_FIGURES: Final = ("number", "integer")
BOOLEAN_TEXTS: Final = ("true", "false")


def read_record_cells(
    batch: pl.DataFrame, contract: Contract, record: RecordSpec, kind: Kind
) -> tuple[pl.DataFrame, list[Problem]]:
    """Return the cells frame of a batch and every problem its rows can have, the contract's rules excepted."""
    fields = {name: (take, kind.fields[name]) for name, take in record.fields.items()}
    texts = [_text(take, spec).alias(f"_text_{name}") for name, (take, spec) in fields.items()]
    values = [
        _value(name, take, spec, contract.format).alias(f"_field_{name}") for name, (take, spec) in fields.items()
    ]
    figures = [c for take, spec in fields.values() if spec.type in _FIGURES for c in take.source_columns()]
    batch = without_noise(clean_columns(batch, contract.columns()), figures, contract.format)
    ignored = any_ignored(contract).alias("_ignored")
    lazy = batch.lazy().with_columns(ignored, *report_columns(contract), *texts)
    problems = [*_key_problems(contract, record)]
    for name, (take, spec) in fields.items():
        problems += _field_problems(name, take, spec, contract.format)
    return lazy.with_columns(values).collect(), [*problems, *instant_problems(contract)]


def _cell(column: str, take: FieldTake) -> pl.Expr:
    """Return a cell's text, "" where it is one of the declared missing values."""
    text = padded(extracted(pl.col(column), take), dict(zip(take.source_columns(), take.widths(), strict=True))[column])
    if not take.missing_values:
        return text
    return pl.when(text.is_in([clean(value) for value in take.missing_values])).then(pl.lit("")).otherwise(text)


def _text(take: FieldTake, spec: FieldSpec) -> pl.Expr:
    """Return a field's text as delivered, before it is mapped and read."""
    if take.columns or take.flags:
        cells = [_cell(column, take) for column in take.source_columns()]
        between = " " if take.between is None else take.between
        joined = pl.concat_str([pl.when(c != "").then(c) for c in cells], separator=between, ignore_nulls=True)
        if spec.type not in {"date", "datetime"}:
            return joined
        return pl.when(pl.all_horizontal([c != "" for c in cells])).then(joined).otherwise(pl.lit(""))
    return _cell(take.column, take) if take.column else source_text(take).fill_null("")


def _value(name: str, take: FieldTake, spec: FieldSpec, form: Format) -> pl.Expr:
    """Return a field's typed value; null where its text has none."""
    text = apply_map(pl.col(f"_text_{name}"), take)
    value: pl.Expr
    match spec.type:
        case "text" | "code":
            joins = ~is_placeholder(text) if spec.role == "identity" else pl.lit(True)
            value = pl.when((text != "") & joins).then(text)
        case "list":
            value = _list(name, take)
        case "integer":
            figure = _figure(text, take, form)
            value = pl.when(figure == figure.floor()).then(figure.cast(pl.Int64, strict=False))
        case "number":
            value = _figure(text, take, form)
        case "boolean":
            value = text.replace_strict(list(BOOLEAN_TEXTS), [True, False], default=None, return_dtype=pl.Boolean)
        case "date":
            value = read_date(text, DateForm.of(take, form))
        case "datetime":
            time = read_datetime(text, DateForm.of(take, form))
            value = time if take.time_zone is None else to_utc(time, take.time_zone)
    return value


def _figure(text: pl.Expr, take: FieldTake, form: Format) -> pl.Expr:
    figure = number(_shortened(text, take, form), form)
    if take.decimals is not None:
        figure = figure.round(take.decimals)
    return figure if take.scale == 1 else scale_value(figure, *take.scale.as_integer_ratio())


def _shortened(text: pl.Expr, take: FieldTake, form: Format) -> pl.Expr:
    """Return a number's text cut to the decimals of a value, if the contract rounds it to fewer anyway.

    What is cut off still rounds: a last digit 0 or 5 that is followed by more than zeros becomes 1 or 6.
    """
    if take.decimals is None:
        return text
    mark = re.escape(form.decimal)
    head, more = f"^([^{mark}]*{mark}[0-9]{{{VALUE_SCALE - 1}}})", "[0-9]*[1-9][0-9]*$"
    text = text.str.replace(f"{head}0{more}", "${1}1").str.replace(f"{head}5{more}", "${1}6")
    return text.str.replace(f"{head}([0-9])[0-9]+$", "$1$2")


def _list(name: str, take: FieldTake) -> pl.Expr:
    """Return the distinct elements, sorted; null where there are none."""
    element = pl.element()
    elements = _elements(name, take)
    if not take.flags:
        elements = elements.list.eval(apply_map(element.str.strip_chars(), take))
    found = elements.list.eval(element.filter(element != "").unique().sort())
    return pl.when(found.list.len() > 0).then(found)


def _elements(name: str, take: FieldTake) -> pl.Expr:
    if take.flags:
        marked = [pl.when(_flag(column, take) == "true").then(pl.lit(e)) for column, e in take.flags.items()]
        return pl.concat_list(marked)
    if take.columns:
        return pl.concat_list([_cell(column, take) for column in take.columns])
    text = pl.col(f"_text_{name}")
    return text.str.split(take.separator) if take.separator else pl.concat_list(text)


def _flag(column: str, take: FieldTake) -> pl.Expr:
    return apply_map(_cell(column, take), take)


def _key_problems(contract: Contract, record: RecordSpec) -> Iterator[Problem]:
    for take in (record.reported_by, record.confidential, contract.action):
        if take is not None:
            yield from text_problems(take, optional=False)
    for column in record.report_key:
        if column != record.reported_by.column:
            hint = "fill in the cell and deliver again"
            yield Problem("missing-value", column, pl.col(column) == "", pl.col(column), "the report's key", hint)
    for column in record.report_key:
        text, hint = pl.col(column), "give each report a key of its own, and deliver again"
        # Reports without a number of their own would become parts of one report.
        yield Problem("placeholder", column, is_placeholder(text), text, "the report's own key", hint)


def _field_problems(name: str, take: FieldTake, spec: FieldSpec, form: Format) -> Iterator[Problem]:
    text, value = pl.col(f"_text_{name}"), pl.col(f"_field_{name}")
    column = next(iter(take.source_columns()), None)
    if take.required:
        yield Problem("missing-value", column, text == "", text, f"the {spec.type} of {name}", "fill in the cell")
    if spec.role == "identity" and spec.type in {"text", "code"}:
        hint = "give the number, or leave the cell empty; the report is kept, and joined to no other by it"
        placeholder = is_placeholder(apply_map(text, take))
        yield Problem("placeholder", column, placeholder, text, f"the {name}", hint, severity="warning")
    if take.flags:
        for flag in take.flags:
            yield unknown_code(pl.coalesce(_flag(flag, take), pl.col(flag)), flag, list(BOOLEAN_TEXTS))
    elif take.map is not None:
        yield _unmapped(name, take, spec, column)
    if take.unreadable != "empty" and spec.type not in {"text", "code", "list"}:
        known = apply_map(text, take).is_not_null()
        reason, expected = _unreadable(spec, take, form, apply_map(text, take))
        severity = "warning" if take.unreadable == "warn" else "critical"
        bad = (text != "") & known & value.is_null()
        yield Problem(reason, column, bad, text, expected, "correct the cell and deliver again", severity=severity)


def _unmapped(name: str, take: FieldTake, spec: FieldSpec, column: str | None) -> Problem:
    known = list(take.map or ())
    problem = unknown_code(pl.col(f"_text_{name}"), column, known)
    if spec.type != "list":
        return problem
    unknown = ~pl.element().str.strip_chars().is_in([*known, ""])
    elements = _elements(name, take).list.eval(unknown).list.any()
    return Problem(problem.reason, column, elements, problem.found, problem.expected, problem.hint)


def _unreadable(spec: FieldSpec, take: FieldTake, form: Format, text: pl.Expr) -> tuple[str | pl.Expr, str]:
    """Return the reason for a text that cannot be read as the field's type, and what was expected."""
    years = DateForm.of(take, form).years()
    limits = f"with at most {VALUE_DIGITS} digits and {VALUE_SCALE} decimals, decimal mark {form.decimal!r}"
    match spec.type:
        case "integer":
            figure = number(text, form)
            fraction = pl.when(figure != figure.floor()).then(pl.lit("not-a-number"))
            return pl.coalesce(number_problem(text, form), fraction, pl.lit("out-of-range")), "a whole number"
        case "number":
            reason = number_problem(_shortened(text, take, form), form)
            return reason.fill_null("out-of-range"), f"a number {limits}"
        case "boolean":
            return "unknown-code", " or ".join(BOOLEAN_TEXTS)
        case "date":
            return "not-a-date", f"a date ({take.format or ISO_DATE}), {years}"
        case _:
            return "not-a-date", f"a date and time ({take.format or 'as 2024-12-31T23:59:59'}), {years}"
