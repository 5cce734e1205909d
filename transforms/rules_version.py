"""The version of the rules by which claims and reports become facts and items.

The night writes what changes: items that no delivery reaches keep what an older version of the rules published. So each
release has the version that it follows, and the first night with another one consolidates everything again.
"""

from typing import Final

RULES_DIGEST: Final = "4"
"""Raise it with every change of `transforms` by which the same claims and reports give another release.

2: a sender's newest statement on an item counts (corrections by item and time), one that repeats a value is a source of
it, confidential values are withheld, sums of rounded lines have the interval of their lines.
3: a release has a tree of what it did with each row.
4: table `suspected` has sums of several concepts, and those of which a part is missing here and there; sums are exact.
"""
