"""What Engang stores is closed to the other users of the machine, whatever the umask."""

import os
from pathlib import Path

import pytest

from tests.support.cli_runner import engang


def test_home_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "deep" / "home"
    monkeypatch.setenv("ENGANG_HOME", str(home))
    before = os.umask(0)
    try:
        assert engang("demo").code == 0
    finally:
        os.umask(before)
    paths = [home, *home.rglob("*")]
    assert {"ledger.db", "landing", "lake", "releases"} <= {path.name for path in paths}
    assert [str(path) for path in paths if path.stat().st_mode & 0o077] == []
