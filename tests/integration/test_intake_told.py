"""What intake tells: that something arrived, that something is parked, once each; and that it waits for nobody."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from small_home import HEADER, open_small

from flows.events import PARKED, RECEIVED
from flows.installation import Installation
from flows.intake import arrivals as intake
from infra.inbox import work_queue as inbox
from infra.ledger import outbox
from infra.settings import Telling
from infra.storage.folder import FolderStore
from schemas.errors import StoreError


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    small = open_small(tmp_path / "home")
    return Installation(replace(small.settings, telling=Telling(webhook="https://localhost/x")), small.engine)


def put(home: Installation, key: str) -> None:
    path = Path(str(home.settings.arrivals)) / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "0301;01.01.2024;g;7;\n", encoding="utf-8")
    os.utime(path, (time.time() - 9, time.time() - 9))


def told(home: Installation, kind: str) -> list[str]:
    return sorted(outbox.unsent(home.engine).filter(type=kind)["subject"])


def test_a_parked_object_is_told_of_once_each_time_it_is_parked(home: Installation) -> None:
    put(home, "kommune/unknown/f.csv")
    put(home, "stray.csv")
    intake.take_in(home, listing=True)
    assert [intake.announce_parked(home) for _ in range(2)] == [2, 2]
    assert len(told(home, PARKED)) == 2
    assert not [text for text in outbox.unsent(home.engine)["subject"] if "csv" in text]
    (row,) = inbox.retry(home.engine, [int(told(home, PARKED)[0].split("/")[1])])
    intake.take_in(home)
    intake.announce_parked(home)
    assert told(home, PARKED).count(f"inbox/{row}") == 2


def test_a_watch_that_only_notes_tells_that_something_arrived(home: Installation) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=intake.watch, args=(home, stop), kwargs={"drains": False})
    thread.start()
    try:
        put(home, "kommune/folketall/f.csv")
        until = time.monotonic() + 20
        while not told(home, RECEIVED) and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join()
    assert told(home, RECEIVED) == ["inbox"]
    assert inbox.counts(home.engine).select("status", "objects").rows() == [("waiting", 1)]


def test_a_night_does_not_wait_for_arrivals_that_are_away(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreError("the bucket is away")

    monkeypatch.setattr(FolderStore, "listing", away)
    said: list[str] = []
    assert intake.take_in(home, said.append, listing=True) == []
    assert said == ["what arrived is left to the next time: the bucket is away"]
