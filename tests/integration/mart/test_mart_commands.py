"""The commands `engang mart`: what they print, their exit codes, and a password that nobody sees."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.release.build import night
from tests.support.cli_runner import engang
from tests.support.paths import CONTRACTS
from tests.support.small_installation import open_small

pytestmark = pytest.mark.usefixtures("unchecked")
SECRET = "s3cret-of-the-mart"  # noqa: S105  of no account


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(CONTRACTS))
    for name in ("ENGANG_LEDGER", "ENGANG_CODELISTS", "ENGANG_MART"):
        monkeypatch.delenv(name, raising=False)


def test_sync_and_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_postgresql: Callable[[], str]) -> None:
    file = tmp_path / "good.csv"
    file.write_text("kommune;dag;gruppe;antall;merknad\n0301;01.01.2024;alle;5;\n")
    assert engang("submit", file, "-c", "folketall", "--sender", "kommunen").code == 0
    url = new_postgresql()
    assert engang("mart", "sync", url).code == 2, "nothing is released yet"
    night(open_small(tmp_path / "home"))
    monkeypatch.setenv("ENGANG_MART", url)
    behind = engang("mart", "status", "--json")
    assert (behind.code, behind.json["release"], behind.json["current"]) == (1, None, 1)
    assert engang("mart", "sync", url, "--json").json["outcome"] == "loaded"
    assert engang("mart", "sync").out == "the mart holds release 1: unchanged, 0 rows written\n"
    now = engang("mart", "status", "--json")
    assert (now.code, now.json["release"], now.json["up_to_date"]) == (0, 1, True)

    lost = url.replace("/t_", "/gone_").replace("postgres@", f"postgres:{SECRET}@")
    monkeypatch.setenv("ENGANG_MART", lost)
    failed, status = engang("mart", "sync"), engang("status", "--at", "2024-01-01")
    assert failed.code == 1
    assert "the mart is behind: the mart postgresql://postgres@/gone_" in status.out
    assert SECRET not in failed.err + status.out


def test_a_command_takes_no_password() -> None:
    for url in (f"postgresql://me:{SECRET}@host/db", f"postgresql://me@host/db?password={SECRET}"):
        refused = engang("mart", "sync", url)
        assert refused.code == 2
        assert SECRET not in refused.err
        assert "ENGANG_MART" in refused.err
    assert engang("mart", "status").code == 2, "no mart is set"
    several = engang("mart", "sync", f"postgresql://me:{SECRET}@{SECRET}@host/db")
    assert (several.code, SECRET in several.err, "%40" in several.err) == (2, False, True)
    wrong = engang("mart", "sync", f"nothing:{SECRET}@")
    assert wrong.code == 2
    assert SECRET not in wrong.err
