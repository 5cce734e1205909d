"""Settings are read from the environment, and what cannot be one is said."""

from pathlib import Path

import pytest

from infra.settings import read_settings
from schemas.errors import UsageError


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "LEDGER", "CODELISTS", "CONTRACTS", "KINDS", "MAX_FILE_BYTES", "MAX_ARCHIVE_FILES"):
        monkeypatch.delenv(f"ENGANG_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_defaults(tmp_path: Path) -> None:
    told = read_settings()
    assert told.home == tmp_path / ".engang"
    assert told.ledger_url == f"sqlite:///{tmp_path / '.engang' / 'ledger.db'}"
    assert (told.contracts, told.kinds) == (None, None)
    assert (told.max_file_bytes, told.max_archive_files) == (5_368_709_120, 1_000_000)


def test_the_environment_and_the_caller_overrule_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_HOME", "there")
    monkeypatch.setenv("ENGANG_KINDS", "kinds")
    assert read_settings().kinds == Path("kinds")
    monkeypatch.setenv("ENGANG_MAX_FILE_BYTES", "10")
    assert read_settings().lake == tmp_path / "there" / "lake"
    assert read_settings(tmp_path / "here").landing == tmp_path / "here" / "landing"
    assert read_settings().max_file_bytes == 10


@pytest.mark.parametrize("told", ["5G", "", "-1", "1e6", "٣"])
def test_a_limit_that_is_no_whole_number_is_wrong_use(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_MAX_FILE_BYTES", told)
    with pytest.raises(UsageError, match="ENGANG_MAX_FILE_BYTES"):
        read_settings()
