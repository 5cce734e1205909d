"""Give an empty ledger on SQLite: migrated once a run, copied for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from infra.ledger.open import open_ledger


@pytest.fixture(scope="session")
def migrated_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of a ledger that is only ever copied."""
    file = tmp_path_factory.mktemp("ledger") / "ledger.db"
    open_ledger(f"sqlite:///{file}").dispose()
    return file


@pytest.fixture
def engine(migrated_ledger: Path, tmp_path: Path) -> Iterator[Engine]:
    """Give an empty ledger of the test's own."""
    file = shutil.copy(migrated_ledger, tmp_path / "ledger.db")
    engine = open_ledger(f"sqlite:///{file}")
    yield engine
    engine.dispose()
