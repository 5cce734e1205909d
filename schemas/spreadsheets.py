"""What a spreadsheet does with text."""

from typing import Final

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")
"""What a text begins with that a spreadsheet runs as a formula, in full width too."""
