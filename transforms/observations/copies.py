"""Copies: claims that repeat what another obligation has brought, and are no second opinion on it.

A compiler of statistics that repeats the figures of a register adds nothing to them: if both are the same, nobody has
confirmed anything, and if they differ, the copy is out of date. Where an item has a standing claim of the original, the
copy is one of its sources and no more. Where it has none, the copy is a claim like any other.
"""

import polars as pl


def is_copy(statements: pl.DataFrame) -> pl.Series | None:
    """Return of each statement whether it is set aside as a copy (Boolean); None if none is.

    Statements have item_id, copy_of, obligation and contract. Where all of an item's statements repeat each other, in a
    circle, none is set aside.
    """
    if "copy_of" not in statements.columns or not statements["copy_of"].count():
        return None
    places = statements.select("item_id", "copy_of", "obligation", "contract").with_row_index("at")
    copying = places.filter(pl.col("copy_of").is_not_null())
    mine = places.join(copying.select("item_id").unique(), on="item_id", how="semi")
    originals = [mine.select("item_id", pl.col(name).alias("copy_of")) for name in ("obligation", "contract")]
    copies = copying.join(pl.concat(originals).unique(), on=["item_id", "copy_of"], how="semi")
    remaining = mine.join(copies, on="at", how="anti").select("item_id").unique()
    copies = copies.join(remaining, on="item_id", how="semi")
    if copies.is_empty():
        return None
    marks = pl.repeat(value=False, n=statements.height, eager=True)
    return marks.scatter(copies["at"], values=True)
