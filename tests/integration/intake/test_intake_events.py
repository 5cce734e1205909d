"""What intake tells: that something arrived, that something is parked, once each; and that it waits for nobody."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from flows.events import SUBMISSION_PARKED, SUBMISSION_RECEIVED
from flows.installation import Installation
from flows.intake import arrivals as intake
from infra.inbox import work_queue as inbox
from infra.ledger import outbox
from infra.settings import ObservabilitySettings
from infra.storage.folder import FolderStore
from schemas.errors import StoreError
from tests.support.small_installation import HEADER, open_small


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    small = open_small(tmp_path / "home")
    return Installation(
        replace(small.settings, observability=ObservabilitySettings(webhook="https://localhost/x")), small.engine
    )


def put(home: Installation, key: str) -> None:
    path = Path(str(home.settings.arrivals)) / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "0301;01.01.2024;g;7;\n", encoding="utf-8")
    os.utime(path, (time.time() - 9, time.time() - 9))


def event_subjects(home: Installation, kind: str) -> list[str]:
    return sorted(outbox.read_unsent_events(home.engine).filter(type=kind)["subject"])


def test_a_parked_object_is_reported_once_each_time_it_is_parked(home: Installation) -> None:
    put(home, "kommune/unknown/f.csv")
    put(home, "stray.csv")
    intake.receive_arrivals(home, listing=True)
    assert [intake.announce_parked(home) for _ in range(2)] == [2, 2]
    assert len(event_subjects(home, SUBMISSION_PARKED)) == 2
    assert not [text for text in outbox.read_unsent_events(home.engine)["subject"] if "csv" in text]
    (row,) = inbox.requeue_parked(home.engine, [int(event_subjects(home, SUBMISSION_PARKED)[0].split("/")[1])])
    intake.receive_arrivals(home)
    intake.announce_parked(home)
    assert event_subjects(home, SUBMISSION_PARKED).count(f"inbox/{row}") == 2


def test_a_watch_that_only_notes_reports_that_something_arrived(home: Installation) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=intake.watch_arrivals, args=(home, stop), kwargs={"process": False})
    thread.start()
    try:
        put(home, "kommune/folketall/f.csv")
        until = time.monotonic() + 120
        while not event_subjects(home, SUBMISSION_RECEIVED) and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join()
    assert event_subjects(home, SUBMISSION_RECEIVED) == ["inbox"]
    assert inbox.count_open(home.engine).select("status", "objects").rows() == [("waiting", 1)]


def test_a_watch_reports_what_is_parked_while_it_runs(home: Installation) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=intake.watch_arrivals, args=(home, stop))
    thread.start()
    try:
        put(home, "kommune/unknown/f.csv")
        until = time.monotonic() + 120
        while not event_subjects(home, SUBMISSION_PARKED) and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join()
    assert event_subjects(home, SUBMISSION_PARKED) == ["inbox/1"]


def test_a_night_does_not_wait_for_arrivals_that_are_away(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreError("the bucket is away")

    monkeypatch.setattr(FolderStore, "listing", away)
    messages: list[str] = []
    assert intake.receive_arrivals(home, messages.append, listing=True) == []
    assert messages == ["arrivals are left for next time: the bucket is away"]
