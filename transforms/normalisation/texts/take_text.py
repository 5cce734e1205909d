"""The text of a `Take` for every row: from its columns, an option of the delivery or a constant; then mapped."""

import polars as pl

from schemas.contract import Take
from transforms.clean_text import clean


def mapped_text(take: Take) -> pl.Expr:
    """Return the String of a `Take` for every row: trimmed, mapped; null where the map has no such code."""
    return apply_map(source_text(take), take)


def apply_map(text: pl.Expr, take: Take) -> pl.Expr:
    """Return the text mapped by a `Take`; null where its map has no such code, unchanged without a map."""
    if take.map is None:
        return text
    known = {clean(code): clean(value) for code, value in take.map.items()}
    other: pl.Expr | None = text if take.unmapped == "keep" else None
    if take.map_default is not None:  # an empty cell has no code
        other = pl.when(text == "").then(text).when(text.is_not_null()).then(pl.lit(clean(take.map_default)))
    return text.replace_strict(list(known), list(known.values()), default=other, return_dtype=pl.String)


def source_text(take: Take) -> pl.Expr:
    """Return the String of a `Take` for every row before it is mapped."""
    if take.column is not None or take.columns:
        return _joined(take)
    if take.option is not None:
        return pl.col("sender" if take.option == "sender" else "option_period")
    return pl.lit(None if take.value is None else clean(take.value), dtype=pl.String)


def _joined(take: Take) -> pl.Expr:
    """Return the text of one column, or of several joined, "" where one of them is empty."""
    cells = [
        padded(extracted(pl.col(c), take), width) for c, width in zip(take.source_columns(), take.widths(), strict=True)
    ]
    if len(cells) == 1:
        return cells[0]
    complete = pl.all_horizontal([pl.col(column) != "" for column in take.source_columns()])
    return pl.when(complete).then(pl.concat_str(cells, separator=take.between or "")).otherwise(pl.lit(""))


def extracted(text: pl.Expr, take: Take) -> pl.Expr:
    """Return what a `Take` reads of its cells: the group of its pattern where a cell matches, else the whole cell."""
    return pl.coalesce(text.str.extract(take.extract, 1), text) if take.extract else text


def padded(text: pl.Expr, width: int) -> pl.Expr:
    """Return texts of digits with at least so many, by zeros before them; other texts as they are."""
    return pl.when(text.str.contains("^[0-9]+$")).then(text.str.zfill(width)).otherwise(text) if width else text
