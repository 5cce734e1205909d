"""A contract's rules as Polars expressions, each true for the rows that break the rule.

Every expression ends in `.fill_null(False)`, so a null never decides. An empty cell breaks `required` and no other
rule; a cell that is compared as a number and is not one breaks the rule that compares it. Cells are read without
surrounding white space.
"""

import operator
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

import polars as pl

from schemas.claims import VALUE, VALUE_DIGITS, VALUE_SCALE
from schemas.contract import (
    ChangeRule,
    CompareRule,
    Contract,
    Format,
    InRule,
    PatternRule,
    RangeRule,
    RequiredRule,
    Rule,
    UniqueRule,
)
from transforms.clean_text import clean
from transforms.numbers import number
from transforms.rejects import shown_codes

RowRule = RangeRule | InRule | PatternRule | RequiredRule | UniqueRule | CompareRule
"""A rule that a delivery's own rows decide; a `ChangeRule` needs the previous value."""

_LIMIT: Final = Decimal(10) ** VALUE_DIGITS
_STEP: Final = Decimal(1).scaleb(-VALUE_SCALE)
_EXACT: Final = Context(prec=2 * (VALUE_DIGITS + VALUE_SCALE))
"""Python's default context has 28 digits, too few for a value."""
NO_NUMBERS: Final[Mapping[str, pl.Expr]] = {}
_COMPARE: Final[dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "!=": operator.ne,
}


def rule_breaks(rule: RowRule, contract: Contract, numbers: Mapping[str, pl.Expr] = NO_NUMBERS) -> pl.Expr:
    """Return a Boolean without nulls: this row breaks the rule.

    Works on one or more whole submissions: text columns as delivered, and `submission_id`. `numbers`: the number of a
    text column where it was read before: to read it once more takes ten times as long as to compare it.
    """
    match rule:
        case RangeRule():
            breaks = _out_of_range(rule, _number(rule.column, contract, numbers))
        case InRule():
            breaks = _filled(rule.column) & ~_text(rule.column).is_in([clean(value) for value in rule.values])
        case PatternRule():
            breaks = _filled(rule.column) & ~_text(rule.column).str.contains(f"^(?:{rule.pattern})$")
        case RequiredRule():
            breaks = ~_filled(rule.column)
        case UniqueRule():
            key = pl.struct("submission_id", *(_text(c).fill_null("") for c in rule.columns))
            breaks = key.is_duplicated() & pl.any_horizontal([_filled(c) for c in rule.columns])
        case CompareRule():
            breaks = _comparison_fails(rule, contract.format)
    return breaks.fill_null(False)


def _number(column: str, contract: Contract, numbers: Mapping[str, pl.Expr]) -> pl.Expr:
    return numbers[column] if column in numbers else number(pl.col(column), contract.format)


def change_breaks(rule: ChangeRule) -> pl.Expr:
    """Return a Boolean without nulls: `value` differs from `previous` by more than the rule's share of it.

    Works on claims joined with the previous values: columns value, previous (Decimal(38, 9)). Without a previous value
    the rule holds; from 0 every change breaks it. The share and the difference it allows have nine decimals.
    """
    share = _bound(rule.max_share, ROUND_FLOOR)
    change = (pl.col("value") - pl.col("previous")).abs()
    base = pl.col("previous").abs()
    if share > 0:
        # Two values never differ by more than 2 * _LIMIT, so a greater base allows no more and the product fits.
        enough = _bound(_EXACT.divide(2 * _LIMIT, share), ROUND_CEILING)
        base = pl.min_horizontal(base, _literal(enough))
    return (change > base * _literal(share)).fill_null(False)


def rule_expectation(rule: Rule) -> str:
    """Return what the rule expects, for the reject of a row that breaks it."""
    match rule:
        case RangeRule():
            sentence = _expected_range(rule)
        case InRule():
            sentence = f"one of {shown_codes(rule.values)}"
        case PatternRule():
            sentence = f"text that is wholly {rule.pattern}"
        case RequiredRule():
            sentence = "a cell that is not empty"
        case UniqueRule():
            sentence = f"no two rows of the file with the same {', '.join(rule.columns)}"
        case CompareRule():
            sentence = f"{rule.left} {rule.op} {rule.right}"
        case ChangeRule():
            sentence = f"a change of at most {_written(rule.max_share * 100)} % from the period before"
    return sentence


def rule_columns(rule: RowRule) -> tuple[str, ...]:
    """Return the columns that a rule reads; rejects name the first."""
    match rule:
        case UniqueRule():
            return rule.columns
        case CompareRule():
            return (rule.left, rule.right)
        case _:
            return (rule.column,)


def _text(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars()


def _filled(column: str) -> pl.Expr:
    """Return whether the cell has anything but white space; never null."""
    return (_text(column) != "").fill_null(False)


def _literal(value: Decimal) -> pl.Expr:
    return pl.lit(value, dtype=VALUE)


def _not_a_number(column: str, fmt: Format) -> pl.Expr:
    return _filled(column) & number(pl.col(column), fmt).is_null()


def _out_of_range(rule: RangeRule, value: pl.Expr) -> pl.Expr:
    breaks = _filled(rule.column) & value.is_null()
    if rule.min is not None:
        breaks |= (value < _literal(_bound(rule.min, ROUND_CEILING))).fill_null(False)
    if rule.max is not None:
        breaks |= (value > _literal(_bound(rule.max, ROUND_FLOOR))).fill_null(False)
    return breaks


def _bound(bound: Decimal, rounding: str) -> Decimal:
    """Return the bound with the scale of values, clipped to their range: no comparison changes its result."""
    return max(-_LIMIT, min(_LIMIT, bound)).quantize(_STEP, rounding, _EXACT)


def _comparison_fails(rule: CompareRule, fmt: Format) -> pl.Expr:
    numbers = [number(pl.col(column), fmt) for column in (rule.left, rule.right)]
    wrong = (~_COMPARE[rule.op](*numbers)).fill_null(False)
    return wrong | _not_a_number(rule.left, fmt) | _not_a_number(rule.right, fmt)


def _expected_range(rule: RangeRule) -> str:
    match rule.min, rule.max:
        case None, None:
            return "a number"
        case low, None:
            return f"a number of at least {_written(low)}"
        case None, high:
            return f"a number of at most {_written(high)}"
        case low, high:
            return f"a number from {_written(low)} to {_written(high)}"


def _written(number_: Decimal | None) -> str:
    """Return a number without exponent and trailing zeros."""
    text = f"{number_:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
