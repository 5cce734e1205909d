"""The fingerprint of code lists changes with any of their files, and opens none."""

import os
from pathlib import Path

from infra.codelists import codelists_fingerprint


def test_it_changes_with_the_files(tmp_path: Path) -> None:
    empty = codelists_fingerprint(tmp_path)
    (tmp_path / "a.csv").write_text("x", encoding="utf-8")
    one = codelists_fingerprint(tmp_path)
    assert len({empty, one}) == 2
    assert codelists_fingerprint(tmp_path) == one
    os.utime(tmp_path / "a.csv", (1, 1))
    assert codelists_fingerprint(tmp_path) != one
