"""A contract's rules as Polars expressions: each says of every row whether it breaks the rule.

Every expression ends in `.fill_null(False)`, so that a null never decides. An empty cell breaks `required` and no other
rule; a cell that should be compared as a number and is none breaks the rule that compares it. Cells are read without
the white space around them.
"""

import operator
from collections.abc import Callable
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
from transforms.normalisation.numbers import number

RowRule = RangeRule | InRule | PatternRule | RequiredRule | UniqueRule | CompareRule
"""A rule that a delivery's own rows decide; a `ChangeRule` needs what stood before."""

_LIMIT: Final = Decimal(10) ** VALUE_DIGITS
_STEP: Final = Decimal(1).scaleb(-VALUE_SCALE)
_EXACT: Final = Context(prec=2 * (VALUE_DIGITS + VALUE_SCALE))
"""Python's own context keeps 28 digits, too few for a value."""
_COMPARE: Final[dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "!=": operator.ne,
}


def rule_breaks(rule: RowRule, contract: Contract) -> pl.Expr:
    """Return a Boolean without nulls: this row breaks the rule.

    Works on one or more whole submissions: text columns as delivered, and `submission_id`.
    """
    match rule:
        case RangeRule():
            breaks = _out_of_range(rule, contract.format)
        case InRule():
            breaks = _said(rule.column) & ~_text(rule.column).is_in(list(rule.values))
        case PatternRule():
            breaks = _said(rule.column) & ~_text(rule.column).str.contains(f"^(?:{rule.pattern})$")
        case RequiredRule():
            breaks = ~_said(rule.column)
        case UniqueRule():
            key = pl.struct("submission_id", *(_text(c).fill_null("") for c in rule.columns))
            breaks = key.is_duplicated() & pl.any_horizontal([_said(c) for c in rule.columns])
        case CompareRule():
            breaks = _compares_wrongly(rule, contract.format)
    return breaks.fill_null(False)


def change_breaks(rule: ChangeRule) -> pl.Expr:
    """Return a Boolean without nulls: `value` is further from `previous` than the rule's share of it.

    Works on claims joined with what stood before: columns value, previous (Decimal(38, 9)); without a previous value
    nothing is broken, and from 0 every change is. The share and what it
    allows count to nine decimals.
    """
    share = _bound(rule.max_share, ROUND_FLOOR)
    change = (pl.col("value") - pl.col("previous")).abs()
    base = pl.col("previous").abs()
    if share > 0:
        # Two values are never further apart than 2 * _LIMIT, so a greater base allows no more: the product fits.
        enough = _bound(_EXACT.divide(2 * _LIMIT, share), ROUND_CEILING)
        base = pl.min_horizontal(base, _literal(enough))
    return (change > base * _literal(share)).fill_null(False)


def expected(rule: Rule) -> str:
    """Return what the rule expects, for the reject that names its break."""
    match rule:
        case RangeRule():
            sentence = _expected_range(rule)
        case InRule():
            sentence = "one of " + ", ".join(rule.values)
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
    """Return the columns that a rule looks at, the one to name in a reject first."""
    match rule:
        case UniqueRule():
            return rule.columns
        case CompareRule():
            return (rule.left, rule.right)
        case _:
            return (rule.column,)


def _text(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars()


def _said(column: str) -> pl.Expr:
    """Return whether the cell holds anything but white space; never null."""
    return (_text(column) != "").fill_null(False)


def _literal(value: Decimal) -> pl.Expr:
    return pl.lit(value, dtype=VALUE)


def _no_number(column: str, fmt: Format) -> pl.Expr:
    return _said(column) & number(pl.col(column), fmt).is_null()


def _out_of_range(rule: RangeRule, fmt: Format) -> pl.Expr:
    value, breaks = number(pl.col(rule.column), fmt), _no_number(rule.column, fmt)
    if rule.min is not None:
        breaks |= (value < _literal(_bound(rule.min, ROUND_CEILING))).fill_null(False)
    if rule.max is not None:
        breaks |= (value > _literal(_bound(rule.max, ROUND_FLOOR))).fill_null(False)
    return breaks


def _bound(bound: Decimal, rounding: str) -> Decimal:
    """Return the bound as a value can be compared with it; one beyond all values decides as before."""
    return max(-_LIMIT, min(_LIMIT, bound)).quantize(_STEP, rounding, _EXACT)


def _compares_wrongly(rule: CompareRule, fmt: Format) -> pl.Expr:
    left, right = number(pl.col(rule.left), fmt), number(pl.col(rule.right), fmt)
    wrong = (~_COMPARE[rule.op](left, right)).fill_null(False)
    return wrong | _no_number(rule.left, fmt) | _no_number(rule.right, fmt)


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
    """Return a number as a person writes it: no exponent, no trailing zeros."""
    text = f"{number_:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
