"""The kinds of reporting units: those that the product knows, and those that code lists of one's own have."""

import re
from difflib import SequenceMatcher
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator

UNIT_KINDS: Final = ("municipality", "county", "electoral_district", "nation", "organisation", "school", "other")
_NEARLY: Final = 0.75
"""How alike an own kind and a known one may be: a nearer one is a slip of the pen."""


def kind_problem(kind: str) -> str | None:
    """Return what is wrong with the name of a kind of unit, None for nothing."""
    if kind in UNIT_KINDS:
        return None
    if not re.fullmatch("[a-z][a-z0-9_]{0,31}", kind):
        return f"kind {kind!r} is no name: expected lower-case letters, digits and _"
    near = [known for known in UNIT_KINDS if SequenceMatcher(None, kind, known).ratio() >= _NEARLY]
    return f"unknown kind {kind!r}; did you mean {near[0]!r}?" if near else None


def _checked(kind: str) -> str:
    if problem := kind_problem(kind):
        raise ValueError(problem)
    return kind


UnitKind: TypeAlias = Annotated[str, AfterValidator(_checked)]
"""A kind of unit: one of `UNIT_KINDS`, or another that a code list has."""
