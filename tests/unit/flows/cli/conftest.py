"""A home in which nothing was ever done, and the folder in which the command runs."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the current folder, with files that are not what commands expect; the home is below it."""
    (tmp_path / "empty.csv").touch()
    (tmp_path / "table.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    (tmp_path / "latin.yml").write_bytes("agency: Miljø".encode("latin-1"))
    (tmp_path / "plain").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENGANG_HOME", "home")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path
