"""A nightly whose sessions in the database end has lost the publishing lock, and does not know it: the next begins.

What the first still writes to the lake must never be in what the second publishes.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from flows import pipeline as steps
from flows.release import build as nights
from infra.checks import engine as checks
from infra.lake import delta as lake
from infra.ledger import releases as ledger_releases
from schemas.errors import StoreError
from tests.proof import oracle
from tests.proof.servers import Postgres, postgres
from tests.proof.worlds import World, new_world, register, submission_of
from tests.support import reference_release
from tests.support.observation_deliveries import Row, Sent

SENT = Sent("rettelse", "anna", (Row("0301", "2024-01", "a", "5"), Row("0301", "2024-01", "b", "7")))


@pytest.fixture
def server() -> Iterator[Postgres]:
    with postgres() as database:
        yield database


@pytest.fixture
def world(server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give an installation with one delivery that no release has yet, and two hosts."""
    monkeypatch.setattr(nights, "check_staged", lambda *_: [])  # it only reads, and takes a second
    monkeypatch.setattr(checks, "preload", lambda: None)
    made = new_world(tmp_path / "home", register(), None, server, None)
    made.put(SENT)
    steps.receive_arrivals(made.opened[0], listing=True)
    made.open()
    yield made
    made.close()


def test_what_one_writes_who_lost_the_lock_is_published_by_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, first = world.opened
    second = world.open()
    writes, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    append, publish = lake.append, nights.publish_staged
    errors: list[BaseException] = []

    def held(root: Any, name: str, frame: pl.DataFrame, *rest: Any) -> None:
        if not writes.is_set():  # the first one is about to write
            writes.set()
            assert go_on.wait(60)
        append(root, name, frame, *rest)

    def late(installation: Any, *args: Any, **fields: Any) -> Any:
        if installation is second:  # the second one is about to publish: now the first goes on
            go_on.set()
            assert ended.wait(60)
        return publish(installation, *args, **fields)

    monkeypatch.setattr(lake, "append", held)
    monkeypatch.setattr(nights, "publish_staged", late)
    thread = threading.Thread(target=_until_it_ends, args=(lambda: nights.night(first), errors, ended))
    thread.start()
    assert writes.wait(60)
    assert world.server
    assert world.server.terminate(world.database)
    for host in (reader, second):
        host.engine.dispose()
    with pytest.raises(StoreError, match=r"another run \(nightly-.*wrote to the table .* at the same time"):
        nights.night(second)
    thread.join()
    assert [type(error) for error in errors] == [StoreError]
    assert ledger_releases.current_release(reader.engine) is None
    second.engine.dispose()
    assert nights.night(second).release == 1
    name = submission_of(SENT)
    release = ledger_releases.current_release(reader.engine)
    assert release
    assert oracle.wrong(reader, {name: reference_release.read(SENT, name)}, release) == []


def _until_it_ends(work: Callable[[], object], errors: list[BaseException], ended: threading.Event) -> None:
    try:
        work()
    except StoreError as error:
        errors.append(error)
    ended.set()


def test_a_session_that_ends_as_it_asks_for_the_lock_is_reported_in_one_line(world: World, server: Postgres) -> None:
    host = world.opened[0]
    ended = 0

    def ends(_connection: sa.Connection, _cursor: object, statement: str, *__: object) -> None:
        nonlocal ended
        if "pg_try_advisory_lock" in statement and not ended:
            ended += server.terminate(world.database)

    sa.event.listen(host.engine, "before_cursor_execute", ends)
    with pytest.raises(StoreError, match=r"the publishing lock in PostgreSQL cannot be taken: .*Nothing was published"):
        steps.nightly(host, export="never")
    assert ended
    assert steps.nightly(host, export="never").release == 1
