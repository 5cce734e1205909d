"""Figures as a form asks for them: in its unit of measure and scale, as exactly as is known and no more so."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from schemas.claims import VALUE_SCALE
from schemas.concepts import Conversion
from schemas.contract import ClaimSpec, Format

HALF: Final = Fraction(1, 2)
NOT_EXACT: Final = "the value cannot be written exactly in the unit that the form asks for"
TOO_VAGUE: Final = "the value is known less exactly than the form states it"


class FigureText(NamedTuple):
    """The text of a figure and how many decimals it is accurate to, in the form's unit; or why there is none.

    decimals: None for exact.
    """

    text: str = ""
    decimals: int | None = None
    why: str | None = None


def figure_text(
    value: Decimal, plus_minus: Decimal, claim: ClaimSpec, form: Format, conversion: Conversion | None
) -> FigureText:
    """Return the text in which a form states a value that is known to be within `plus_minus` of what is meant.

    conversion: from the form's unit of measure into that of the value. The text never states more than is known: where
    the form takes its figures as exact, only exact values have one.
    """
    factor = (Fraction(conversion.times, conversion.by) if conversion else Fraction(1)) * Fraction(claim.scale)
    figure, vague = Fraction(value) / factor, Fraction(plus_minus) / factor
    needed = _decimals_needed(figure)
    if needed is None:
        return FigureText(why=NOT_EXACT)
    places = _places(claim)
    if claim.decimals == "as_written" or (claim.decimals is None and places > 0):
        return _as_written(figure, needed, vague, places, form)
    if vague > _vaguest(claim):
        return FigureText(why=TOO_VAGUE)
    # a form that declares its accuracy states none
    accuracy = _accuracy(Fraction(plus_minus)) if vague and not isinstance(claim.decimals, int) else None
    return _text(figure, needed, form)._replace(decimals=accuracy)


def _vaguest(claim: ClaimSpec) -> Fraction | float:
    """Return by how much a figure may be off what is meant, as the form takes it."""
    if isinstance(claim.decimals, int):  # declared for whole units of the measure, whatever the scale
        return HALF * Fraction(10) ** -claim.decimals / Fraction(claim.scale)
    return 0 if claim.decimals in {None, "exact"} else math.inf


def _places(claim: ClaimSpec) -> int:
    """Return the power of ten that the form's scale is; 0 for any other scale."""
    power = claim.scale.log10()
    return int(power) if power == int(power) else 0


def _as_written(figure: Fraction, needed: int, vague: Fraction, places: int, form: Format) -> FigureText:
    """Return a text with as many decimals as the value is accurate to: the form is read so."""
    digits = max(places, needed, 0)
    if vague:
        digits = _accuracy(vague)
    if digits < needed:
        return FigureText(why=TOO_VAGUE)
    return _text(figure, min(max(digits, 0), VALUE_SCALE), form)


def _accuracy(vague: Fraction) -> int:
    """Return the greatest number of decimals d for which half a unit of the d-th is no less than this."""
    d = VALUE_SCALE
    while HALF * Fraction(10) ** -d < vague:
        d -= 1
    return d


def _decimals_needed(figure: Fraction) -> int | None:
    """Return how many decimals a number has; None if more than a figure may have."""
    for decimals in range(VALUE_SCALE + 1):
        if (figure * 10**decimals).denominator == 1:
            return decimals
    return None


def _text(figure: Fraction, decimals: int, form: Format) -> FigureText:
    steps = figure * 10**decimals
    text = f"{abs(int(steps)):0{decimals + 1}}"
    if decimals:
        text = f"{text[:-decimals]}{form.decimal}{text[-decimals:]}"
    return FigureText(("-" if steps < 0 else "") + text)
