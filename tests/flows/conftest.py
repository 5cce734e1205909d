"""Fixtures of the flows' tests: one Prefect server of the session's own, and a home for each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the session's flows against a Prefect server of their own, and give its URL."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ["PREFECT_HOME"] = str(tmp_path_factory.mktemp("prefect"))
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        url = PREFECT_API_URL.value()
        assert url is not None
        yield url


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an installation's home, and make it the one of the environment; nothing is in it yet."""
    for name in ("ENGANG_LEDGER", "ENGANG_CODELISTS", "ENGANG_CONTRACTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGANG_CHECK_PAGE", "off")
    return tmp_path / "home"
