"""2,000 nights in which something goes wrong: no wrong release, and all is published in the end.

S3 and SQS fail behind a real proxy, PostgreSQL is really restarted, the disk really fills up where one can be mounted.

    pytest -m slow tests/proof/test_fault_storm.py -s
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from flows.intake import deliveries
from flows.release import build as nights
from infra.checks import engine as checks
from tests.proof.faults import Disk
from tests.proof.servers import FaultyS3, Postgres, faulty_s3, postgres
from tests.proof.storm import Figures, Storm
from tests.proof.worlds import credentials
from tests.support.temporary_installation import receipt_of

SEED = 4
LAKE_IN_FOLDER = "S3, the lake in a folder, and PostgreSQL"
MANY = {"folder and SQLite": 600, "folder and PostgreSQL": 500, LAKE_IN_FOLDER: 600, "S3 and PostgreSQL": 300}
FEW = {"folder and SQLite": 16, "folder and PostgreSQL": 12, LAKE_IN_FOLDER: 8, "S3 and PostgreSQL": 4}


@pytest.fixture(autouse=True, scope="module")
def _swift() -> Iterator[None]:
    """Leave the checks' engine out: it only reads and takes a second a night; what it looks at is looked at here.

    A file is received when the reference has it, whatever the clock: what corrects what follows from that.
    """
    with pytest.MonkeyPatch.context() as patch, credentials():
        patch.setattr(deliveries, "_receipt_times", lambda batch: [_received(each) for each in batch])
        patch.setattr(nights, "check_staged", lambda *_: [])
        patch.setattr(checks, "preload", lambda: None)
        yield


def _received(delivery: deliveries.Delivery) -> datetime:
    assert isinstance(delivery.data, bytes)
    return receipt_of(delivery.data, delivery.contract, delivery.sender)


@pytest.fixture(scope="module")
def s3() -> Iterator[FaultyS3]:
    with faulty_s3() as store:
        yield store


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as database:
        yield database


def let_pass(kind: str, nights_: int, tmp_path: Path, request: pytest.FixtureRequest, seed: int = SEED) -> Figures:
    """Let so many nights pass on one kind of installation; nothing wrong may come of it."""
    store = request.getfixturevalue("s3") if kind.startswith("S3") else None
    database = request.getfixturevalue("server") if kind.endswith("PostgreSQL") else None
    disk = Disk(tmp_path / "disk") if "folder" in kind else None
    try:
        folder = disk.folder if disk and not store else tmp_path
        figures = Storm(folder, kind, seed, store, database, disk, disk.folder if disk and store else None).run(nights_)
    finally:
        if disk is not None:
            disk.remove()
    figures.report(kind)
    assert figures.wrong == [], "\n".join(figures.wrong[:10])
    assert not figures.unclean, "\n".join(figures.traces[:5])
    return figures


@pytest.mark.parametrize("kind", FEW)
def test_few_nights(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    figures = let_pass(kind, FEW[kind], tmp_path, request)
    assert figures.published > FEW[kind] // 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", MANY)
def test_many_nights(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    figures = let_pass(kind, MANY[kind], tmp_path, request)
    assert figures.published > MANY[kind] // 4
    assert figures.drawn.total() > MANY[kind] // 2
