"""Code maps: how the breakdown of one concept becomes that of another, by series that state the same figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.errors import UsageError

Breakdown = Mapping[str, str]
"""Dimension -> code."""


@dataclass(frozen=True)
class DimensionMap:
    """Where the code of a dimension comes from: the codes of a source dimension, or without one a constant."""

    source: str | None
    codes: dict[str, str]
    constant: str = ""

    def is_identity(self, name: str) -> bool:
        """Return whether this is the dimension of that name as it was."""
        return self.source == name and all(code == to for code, to in self.codes.items())


def map_breakdowns(pairs: Sequence[tuple[Breakdown, Breakdown]]) -> dict[str, DimensionMap]:
    """Return each dimension of the second breakdowns with the map that makes it of the first ones.

    pairs: of series that state the same figures. Raises `UsageError` where no code map does it: two codes would become
    one, one would become two, or a dimension has no counterpart.
    """
    _check_dimensions(pairs)
    sources, targets = (sorted(pairs[0][side]) for side in (0, 1))
    found: dict[str, DimensionMap] = {}
    for choose in (_same_name, _one_to_one):
        for target in targets:
            if target not in found:
                found |= choose(pairs, target, _unused(sources, found))
    maps = {target: found.get(target) or _constant(pairs, target) for target in targets}
    for source in _unused(sources, maps):
        if len({one[source] for one, _ in pairs}) > 1:
            raise UsageError(f"dimension {source!r} has no counterpart: its items would become one. {_BY_HAND}")
    return maps


_BY_HAND: Final = "Change the contract by hand"


def _unused(sources: Sequence[str], maps: Mapping[str, DimensionMap]) -> list[str]:
    used = {each.source for each in maps.values()}
    return [source for source in sources if source not in used]


def _check_dimensions(pairs: Sequence[tuple[Breakdown, Breakdown]]) -> None:
    for side in (0, 1):
        different = {tuple(sorted(pair[side])) for pair in pairs}
        if len(different) != 1:
            shown = " and ".join(", ".join(names) or "none" for names in sorted(different))
            raise UsageError(f"the accepted series have different dimensions: {shown}. {_BY_HAND}")
    if len({tuple(sorted(other.items())) for _, other in pairs}) < len(pairs):
        raise UsageError(f"several accepted series are the same as one: which of them is it? {_BY_HAND}")


def _same_name(
    pairs: Sequence[tuple[Breakdown, Breakdown]], target: str, sources: Sequence[str]
) -> dict[str, DimensionMap]:
    same = target in sources and all(one[target] == other[target] for one, other in pairs)
    return {target: DimensionMap(target, {one[target]: one[target] for one, _ in pairs})} if same else {}


def _constant(pairs: Sequence[tuple[Breakdown, Breakdown]], target: str) -> DimensionMap:
    """Return the map to the one code that a dimension has; `UsageError` if it has several."""
    codes = {other[target] for _, other in pairs}
    if len(codes) > 1:
        raise UsageError(f"no dimension gives the codes of {target!r}: {', '.join(sorted(codes))}. {_BY_HAND}")
    return DimensionMap(None, {}, codes.pop())


def _one_to_one(
    pairs: Sequence[tuple[Breakdown, Breakdown]], target: str, sources: Sequence[str]
) -> dict[str, DimensionMap]:
    for source in sources:
        codes = {(one[source], other[target]) for one, other in pairs}
        if len({a for a, _ in codes}) == len({b for _, b in codes}) == len(codes):
            return {target: DimensionMap(source, dict(sorted(codes)))}
    return {}
