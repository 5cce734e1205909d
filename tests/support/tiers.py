"""Which tests `.ci/run` and a plain `pytest` leave to `make thorough`: costly ones, each beside a cheaper of its kind.

`thorough.txt` lists them, so that one look shows what a commit is not tested with: tests of more than half a processor
second, but for those of each part that fit into the 20 processor minutes of a run (`tests/README.md`).
"""

from pathlib import Path
from typing import Final

import pytest

LIST: Final = Path(__file__).with_name("thorough.txt")
"""A line each: a module, a test function of it, or one of its cases."""


def mark_thorough(items: list[pytest.Item], *, whole: bool) -> None:
    """Mark the tests of the list; of a run that collects all tests, a line that means none of them is an error."""
    listed = frozenset(LIST.read_text(encoding="utf-8").splitlines())
    unknown = set(listed)
    for item in items:
        module, _, name = item.nodeid.partition("::")
        meant = {module, f"{module}::{name.partition('[')[0]}", item.nodeid} & listed
        if meant:
            item.add_marker(pytest.mark.thorough)
            unknown -= meant
    if whole and unknown:
        msg = f"{LIST.name} lists tests that are not there: {', '.join(sorted(unknown))}"
        raise pytest.UsageError(msg)
