"""Give a small installation whose files are read in the process of the test: what is read, not by whom."""

import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from flows.installation import Installation
from flows.intake import registration, worker
from flows.intake.reading import Reading, Rules, read_batch
from infra.ledger.open import open_ledger
from infra.storage.landing import Note
from infra.storage.store import Content, bytes_of
from schemas.contract import Contract
from tests.support.small_installation import open_small
from transforms.register.lookup import Register


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Register]:
    """Give the file of an empty ledger and the register of units, made once a run."""
    folder = tmp_path_factory.mktemp("known")
    open_ledger(f"sqlite:///{folder / 'ledger.db'}").dispose()
    installation = open_small(folder / "home")
    return folder / "ledger.db", installation.register


@pytest.fixture
def home(known: tuple[Path, Register], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """Give an installation of the test's own."""

    def read_here(installation: Installation, contract: Contract, files: Sequence[tuple[Note, Content]]) -> Reading:
        rules = Rules(contract, None, installation.register, installation.settings.reading)
        return read_batch([(note, partial(bytes_of, content)) for note, content in files], rules)

    for module in (registration, worker):
        monkeypatch.setattr(module, "start_reader", lambda: None)
    monkeypatch.setattr(registration, "read_isolated", read_here)
    ledger, register = known
    (tmp_path / "home").mkdir()
    shutil.copy(ledger, tmp_path / "home" / "ledger.db")
    installation = open_small(tmp_path / "home").with_presets(register=register)
    yield installation
    installation.engine.dispose()
