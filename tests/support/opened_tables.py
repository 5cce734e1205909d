"""Counts how often each table of the lake is opened or looked for: on S3 each time costs a request a commit."""

from collections import Counter
from pathlib import Path

import pytest

from infra.lake import delta as lake


def count_openings(patch: pytest.MonkeyPatch) -> Counter[str]:
    """Return the counts by table, which grow while the patch is in force."""
    opened: Counter[str] = Counter()
    open_version, exists = lake._open_version, lake.exists  # noqa: SLF001

    def count(root: Path, name: str, version: int | None = None) -> object:
        opened[name] += 1
        return open_version(root, name, version)

    def count_look(root: Path, name: str) -> bool:
        opened[name] += 1
        return exists(root, name)

    patch.setattr(lake, "_open_version", count)
    patch.setattr(lake, "exists", count_look)
    return opened
