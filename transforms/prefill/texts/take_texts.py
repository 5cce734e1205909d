"""The cells that give a text: the inverse of `transforms.normalisation.texts.take_text`."""

from collections.abc import Iterable

from schemas.contract_parts import Take
from transforms.clean_text import clean

Cells = dict[str, str]
"""Column -> text."""


def cells_for(take: Take, wanted: Iterable[str]) -> Cells | None:
    """Return the cells in which a take reads one of these texts, the first that it can; None if it can read none.

    No cells where it reads none: a constant that is the text, and an option of the delivery, which the sender states.
    """
    for text in wanted:
        for source in texts_read_as(take, text):
            found = _cells(take, source)
            if found is not None:
                return found
    return None


def texts_read_as(take: Take, text: str) -> list[str]:
    """Return the delivered texts that a take's map makes this one of, in the contract's order."""
    if take.map is None:
        return [text]
    found = [code for code, value in take.map.items() if clean(value) == text]
    if not found and take.unmapped == "keep" and text not in map(clean, take.map):
        found.append(text)
    return found


def _cells(take: Take, source: str) -> Cells | None:
    if take.option is not None:
        return {}
    if take.value is not None:
        return {} if clean(take.value) == clean(source) else None
    columns = take.source_columns()
    if len(columns) == 1:
        return {columns[0]: source}
    parts = _split(source, take)
    return None if parts is None or not all(parts) else dict(zip(columns, parts, strict=True))


def _split(source: str, take: Take) -> list[str] | None:
    """Return the text in as many parts as the take has columns; None where nobody knows where one ends."""
    widths = take.widths()
    if take.between:
        parts = source.split(take.between)
        return parts if len(parts) == len(widths) else None
    if not all(widths[:-1]):
        return None
    ends = [sum(widths[: n + 1]) for n in range(len(widths) - 1)]
    return [source[start:end] for start, end in zip([0, *ends], [*ends, len(source)], strict=True)]
