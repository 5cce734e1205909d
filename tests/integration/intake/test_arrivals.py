"""From arrivals to registered submissions: folder and S3, lost leases, bad objects, failing stores, the served loop."""

import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from flows.installation import Installation
from flows.intake import arrivals as intake
from flows.intake import registration as receiving
from flows.intake import worker
from flows.intake.batches import storing
from flows.intake.receipt import Receipt
from flows.monitoring.status import status
from infra.inbox import work_queue as inbox
from infra.ledger import submissions as ledger_submissions
from infra.ledger import tables
from infra.ledger.open import open_ledger
from infra.ledger.sql import write_transaction
from infra.storage import landing
from infra.storage.folder import FolderStore
from infra.storage.places import S3Place
from schemas.errors import StoreAwayError, StoreError
from tests.support.misbehaving_reader import misbehaving_reader
from tests.support.small_installation import HEADER, open_small

Put = Callable[[str, bytes], None]
AT_ONCE = timedelta(0)


def rows(number: int) -> bytes:
    return f"{HEADER}0301;{1 + number % 28:02}.{1 + number // 28 % 12:02}.2024;g{number // 336};{number};\n".encode()


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    return open_small(tmp_path / "home")


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Installation, Put]:
    """Give an installation, wholly in folders and SQLite or in S3 and PostgreSQL, and what delivers to it."""
    small = open_small(tmp_path / "home")
    if request.param == "folder":
        return small, lambda key, data: put(small, key, data)
    at: S3Place = request.getfixturevalue("s3")
    url = request.getfixturevalue("new_postgresql")()
    settings = replace(small.settings, arrivals_at=at / "in", landing_at=at / "kept", ledger_url=url)
    installation = Installation(settings, open_ledger(url))
    return installation, lambda key, data: _put_s3(at / "in", key, data)


def _put_s3(at: S3Place, key: str, data: bytes) -> None:
    import boto3

    boto3.client("s3", endpoint_url=at.endpoint).put_object(Bucket=at.bucket, Key=at.key(key), Body=data)


def put(home: Installation, key: str, data: bytes, age: float = 10) -> Path:
    """Write an arrived file as if it had been there for a while."""
    import os

    path = Path(str(home.settings.arrivals)) / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def take(home: Installation) -> list[Receipt]:
    intake.reconcile_arrivals(home)
    return worker.process_inbox(home)


def statuses(home: Installation) -> dict[str, str]:
    return dict(ledger_submissions.read_submissions(home.engine, columns=["submission_id", "status"]).iter_rows())


def inbox_rows(home: Installation) -> list[dict[str, Any]]:
    with home.engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(tables.inbox).order_by("id")).mappings()]


def test_from_arrivals_to_registered_submissions(place: tuple[Installation, Put]) -> None:
    home, deliver = place
    for number in range(5):
        deliver(f"kommune/folketall/f{number}.csv", rows(number))
    deliver("skatteetaten/betaling/period=2024/p.csv", b"name,paid\nNordskj\xc3\xa6r Olje AS,0.30\n")
    receipts = take(home)
    assert sorted((r.sender, r.contract, r.period, r.status) for r in receipts) == [
        *[("kommune", "folketall", None, "registered")] * 5,
        ("skatteetaten", "betaling", "2024", "registered"),
    ]
    assert take(home) == []
    assert intake.reconcile_arrivals(home) == 0
    noted = inbox_rows(home)
    assert {row["status"] for row in noted} == {"done"}
    assert {row["submission_id"] for row in noted} == set(statuses(home))
    assert {note for note, _ in landing.list_notes(home.landing)} == set(statuses(home))


def test_the_same_bytes_again_are_a_redelivery_and_restore_what_was_withdrawn(place: tuple[Installation, Put]) -> None:
    home, deliver = place
    deliver("kommune/folketall/a.csv", rows(1))
    (first,) = take(home)
    deliver("kommune/folketall/b.csv", rows(1))
    assert [r.status for r in take(home)] == ["redelivered"]
    receiving.withdraw(home, first.submission_id)
    assert take(home) == []
    assert statuses(home) == {first.submission_id: "withdrawn"}
    deliver("kommune/folketall/c.csv", rows(1))
    assert [r.status for r in take(home)] == ["restored"]
    assert statuses(home) == {first.submission_id: "live"}


def test_what_can_never_be_received_is_parked_with_its_reason(home: Installation) -> None:
    put(home, "kommune/folketall/good.csv", rows(1))
    put(home, "stray.csv", b"x")
    put(home, "kommune/unknown/f.csv", b"x")
    put(home, "kommune/betaling/period=2024/f.csv", b"x")
    put(home, "selskapet/betaling/f.csv", b"x")
    put(home, "kommune/folketall/bad.zip", b"no archive")
    (receipt,) = take(home)
    assert receipt.filename == "good.csv"
    reasons = dict(inbox.list_parked(home.engine).select("object", "reason").iter_rows())
    assert {key: next(word for word in ("<sender>/<contract>", "no contract", "may not deliver", "state their period",
                                        "cannot be unpacked") if word in reason)
            for key, reason in reasons.items()} == {
        "stray.csv": "<sender>/<contract>",
        "kommune/unknown/f.csv": "no contract",
        "kommune/betaling/period=2024/f.csv": "may not deliver",
        "selskapet/betaling/f.csv": "state their period",
        "kommune/folketall/bad.zip": "cannot be unpacked",
    }  # fmt: skip
    assert worker.process_inbox(home) == []


def test_a_file_over_the_limit_is_parked_unread(home: Installation) -> None:
    put(home, "kommune/folketall/f.csv", rows(1))
    small = Installation(replace(home.settings, max_file_bytes=10), home.engine)
    assert take(small) == []
    assert "the limit is 10" in inbox.list_parked(home.engine)["reason"].item()
    inbox.requeue_parked(home.engine)
    assert len(worker.process_inbox(home)) == 1


def test_a_large_file_is_streamed_and_not_held(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.intake import archives as files

    for module in (worker, files):
        monkeypatch.setattr(module, "STREAM_ABOVE_BYTES", 20)
    assert home.landing  # probed, which reads
    monkeypatch.setattr(FolderStore, "get", lambda *_: pytest.fail("it is read whole"))
    put(home, "kommune/folketall/large.csv", rows(1))
    ((status, filename),) = [(r.status, r.filename) for r in take(home)]
    assert (status, filename) == ("registered", "large.csv")


def test_a_rejected_file_is_done_and_an_archive_is_its_files(home: Installation, tmp_path: Path) -> None:
    put(home, "kommune/folketall/bad.csv", b"no;such;columns\n1;2;3\n")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"{number}.csv", rows(number))
    put(home, "kommune/folketall/a.zip", (tmp_path / "a.zip").read_bytes())
    assert sorted(r.status for r in take(home)) == ["registered"] * 3 + ["rejected"]
    assert {row["status"] for row in inbox_rows(home)} == {"done"}


def test_a_worker_that_comes_too_late_keeps_what_was_withdrawn_withdrawn(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home, "kommune/folketall/f.csv", rows(1))
    intake.reconcile_arrivals(home)
    monkeypatch.setattr(inbox.lease, "__kwdefaults__", {**(inbox.lease.__kwdefaults__ or {}), "lease_time": AT_ONCE})
    real, done = receiving.register, []

    def slow(installation: Installation, landed: Any, settle: Any = None) -> list[Receipt]:
        if not done:  # while this worker dawdles, another does it all, and it is withdrawn
            done.append(True)
            (receipt,) = worker.process_inbox(installation, "quick")
            receiving.withdraw(installation, receipt.submission_id)
        return real(installation, landed, settle)

    monkeypatch.setattr(receiving, "register", slow)
    assert worker.process_inbox(home, "slow") == []
    assert list(statuses(home).values()) == ["withdrawn"]
    assert [row["status"] for row in inbox_rows(home)] == ["done"]


def test_what_a_reconciliation_registered_is_settled_with_it(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home, "kommune/folketall/f.csv", rows(1))
    intake.reconcile_arrivals(home)

    def die(*_: object) -> list[Receipt]:
        raise SystemExit

    with monkeypatch.context() as dying:  # it dies after the bytes landed, before they are registered
        dying.setattr(receiving, "register", die)
        dying.setattr(inbox, "requeue_failed", lambda *_, **__: None)
        with pytest.raises(SystemExit):
            worker.process_inbox(home)
    (receipt,) = receiving.reconcile(home)
    assert [row["status"] for row in inbox_rows(home)] == ["done"]
    receiving.withdraw(home, receipt.submission_id)
    with write_transaction(home.engine) as connection:
        connection.execute(sa.update(tables.inbox).values(lease_until=None))
    assert worker.process_inbox(home) == []
    assert statuses(home) == {receipt.submission_id: "withdrawn"}


def test_one_object_that_fails_takes_no_other_down(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        put(home, f"kommune/folketall/f{number}.csv", b"!error\n" + rows(number) if number == 3 else rows(number))
    with misbehaving_reader(monkeypatch):
        assert len(take(home)) == 5
    (bad,) = [row for row in inbox_rows(home) if row["status"] != "done"]
    assert (bad["status"], bad["source"], bad["attempts"]) == ("parked", "arrivals", 1)
    assert "unforeseen: RuntimeError at sitecustomize.py" in bad["reason"]
    assert "secret" not in bad["reason"]
    assert receiving.reconcile(home) == [], "it waits for a person, though it has landed"
    assert worker.process_inbox(home) == []
    inbox.requeue_parked(home.engine)
    assert [receipt.status for receipt in worker.process_inbox(home)] == ["rejected"]


def test_an_object_that_cannot_be_registered_is_tried_five_times(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home, "kommune/folketall/f.csv", rows(1))

    def append(*_: object) -> None:
        raise RuntimeError("0301 secret")

    with monkeypatch.context() as broken:
        broken.setattr(storing, "append_batch", append)
        assert take(home) == []
        (row,) = inbox_rows(home)
        assert (row["status"], "secret" in row["reason"]) == ("waiting", False)
        for _ in range(4):
            with write_transaction(home.engine) as connection:
                connection.execute(sa.update(tables.inbox).values(not_before=None))
            assert worker.process_inbox(home) == []
    assert inbox.list_parked(home.engine)["attempts"].to_list() == [5]
    inbox.requeue_parked(home.engine)
    assert len(worker.process_inbox(home)) == 1


def test_a_store_that_is_away_costs_no_attempt(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        put(home, f"kommune/folketall/f{number}.csv", rows(number))
    intake.reconcile_arrivals(home)
    away = threading.Event()
    away.set()
    real = FolderStore.put_once

    def put_once(self: FolderStore, *arguments: Any) -> bool:
        if away.is_set():
            raise StoreError("no space left on device")
        return real(self, *arguments)

    assert home.landing
    monkeypatch.setattr(FolderStore, "put_once", put_once)
    for _ in range(7):
        with pytest.raises(StoreAwayError, match="no space left"):
            worker.process_inbox(home)
    assert {(row["status"], row["attempts"]) for row in inbox_rows(home)} == {("waiting", 0)}
    away.clear()
    assert len(worker.process_inbox(home)) == 3


def test_what_was_written_over_before_it_was_read_is_received_as_it_is_now(home: Installation) -> None:
    put(home, "kommune/folketall/f.csv", rows(1), age=30)
    intake.reconcile_arrivals(home)
    put(home, "kommune/folketall/f.csv", rows(2), age=20)
    receipts = worker.process_inbox(home)
    assert [r.status for r in receipts] == ["registered"]
    assert [(row["status"], row["reason"]) for row in inbox_rows(home)] == [
        ("done", worker.OVERWRITTEN),
        ("done", None),
    ]


def test_one_sender_s_flood_lets_the_others_through(home: Installation) -> None:
    for number in range(120):
        put(home, f"flood/folketall/f{number}.csv", rows(number))
    for number in range(8):
        put(home, f"quiet/folketall/f{number}.csv", rows(number))
    intake.reconcile_arrivals(home)
    receipts = worker.process_inbox(home, limit=16)
    assert sum(r.sender == "quiet" for r in receipts) == 8
    assert len(receipts) == 16


def wait_until(true: Callable[[], bool], seconds: float = 120) -> float:
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, "it does not come"
        time.sleep(0.02)
    return time.monotonic() - begun


def test_a_watch_receives_what_arrives_and_outlives_a_store_that_fails(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "RETRY_PAUSES", (0.05, 0.2))
    stop, received, away = threading.Event(), list[Receipt](), threading.Event()
    real = FolderStore.get

    def get(self: FolderStore, *arguments: Any) -> bytes:
        if away.is_set():
            raise StoreError("the disk is away")
        return real(self, *arguments)

    def probe(self: FolderStore, *, writes: bool = True) -> None:  # noqa: ARG001  as the real one
        if away.is_set():
            raise StoreError("the disk is away")

    monkeypatch.setattr(FolderStore, "get", get)
    monkeypatch.setattr(FolderStore, "probe", probe)
    thread = threading.Thread(target=intake.watch_arrivals, args=(home, stop, received.extend))
    thread.start()
    try:
        put(home, "kommune/folketall/first.csv", rows(1), age=0)
        seconds = wait_until(lambda: len(received) == 1)
        assert status(home).intake_seen is not None
        print(f"a file was registered {seconds:.2f} s after it arrived")
        put(home, "kommune/folketall/.second.csv.partial", rows(2))
        away.set()
        put(home, "kommune/folketall/third.csv", rows(3))
        time.sleep(1.5)
        away.clear()
        wait_until(lambda: len(received) == 2)
    finally:
        stop.set()
        thread.join()
    assert {r.filename for r in received} == {"first.csv", "third.csv"}
    assert status(home).intake_seen is None, "stopped as it should be"
    assert {(row["status"], row["attempts"]) for row in inbox_rows(home)} == {("done", 1)}


def test_a_growing_file_is_received_when_it_is_whole(home: Installation) -> None:
    stop, received = threading.Event(), list[Receipt]()
    thread = threading.Thread(target=intake.watch_arrivals, args=(home, stop, received.extend))
    thread.start()
    try:
        path = Path(str(home.settings.arrivals)) / "kommune" / "folketall" / "f.csv"
        path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            for line in (HEADER, *(f"0301;{day:02}.01.2024;g;{day};\n" for day in range(1, 9))):
                file.write(line.encode())
                file.flush()
                time.sleep(0.2)
        wait_until(lambda: bool(received))
    finally:
        stop.set()
        thread.join()
    assert [r.delivered for r in received] == [8]


def test_two_watches_do_everything_once(place: tuple[Installation, Put]) -> None:
    home, deliver = place
    for number in range(40):
        deliver(f"kommune/folketall/f{number}.csv", rows(number))
    receipts: list[list[Receipt]] = [[], []]
    intake.reconcile_arrivals(home)
    threads = [threading.Thread(target=lambda mine=mine: mine.extend(worker.process_inbox(home))) for mine in receipts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(r.filename for mine in receipts for r in mine) == sorted(f"f{n}.csv" for n in range(40))
    claims = ledger_submissions.count_submissions(home.engine)
    assert claims.filter(pl.col("status") == "live")["claims"].sum() == 40
