"""Text as it is compared: composed (NFC), without invisible characters, with one kind of blank, trimmed.

Cells, headers, codes of maps and names of units all pass here before they mean anything, so that two texts that look
the same are the same. Delivered text stays as it is in the landing zone and in `original`.
"""

from functools import lru_cache
from typing import Final

import polars as pl

BLANKS: Final = r"[\p{Z}\x{85}\x{2800}--[ ]]"
"""Every kind of blank but the ASCII one: no-break, figure and thin spaces, line and paragraph separators, ..."""
INVISIBLE: Final = (
    r"[[\p{Cf}\p{Cc}\x{34F}\x{115F}\x{1160}\x{3164}\x{FFA0}\p{Variation_Selector}]--[\t\n\x0B\f\r\x{85}]]"
)
"""Characters that nobody sees: byte order marks, zero-width spaces, soft hyphens, directions, controls, fillers."""
_BEYOND_VISIBLE: Final = r"[^!-~]"
_BEYOND_PLAIN: Final = r"[^ -~]"


def cleaned(text: pl.Expr) -> pl.Expr:
    """Return texts in the form in which they are compared. Plain ASCII is only trimmed."""
    visible = text.str.replace_all(INVISIBLE, "").str.normalize("NFC")
    return visible.str.replace_all(BLANKS, " ").str.strip_chars()


def clean_columns(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Return the frame with these text columns cleaned; a column is touched only if a cell needs it."""
    spaced = [name for name, found in _having(frame, columns, _BEYOND_VISIBLE).items() if found]
    odd = {name for name, found in _having(frame, spaced, _BEYOND_PLAIN).items() if found}
    return frame.with_columns(
        cleaned(pl.col(name)) if name in odd else pl.col(name).str.strip_chars() for name in spaced
    )


@lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """Return one text in the form in which it is compared."""
    if text.isascii() and text.isprintable():
        return text.strip()
    found: str = pl.select(cleaned(pl.lit(text))).item()
    return found


def _having(frame: pl.DataFrame, columns: list[str], pattern: str) -> dict[str, bool]:
    if not columns or not frame.height:
        return {}
    return frame.select(pl.col(name).str.contains(pattern).any() for name in columns).row(0, named=True)
