"""The inbox worker: what it registers, parks, lets wait or closes; in which order and how many at once."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from flows.installation import Installation
from flows.intake import registration, worker
from flows.intake.worker import process_inbox
from infra.inbox import work_queue as inbox
from infra.inbox.messages import inbox_row
from infra.ledger import submissions as ledger_submissions
from infra.ledger import tables as t
from infra.ledger.erasures import begin_erasure
from schemas.errors import LeaseLost, StoreAwayError, StoreError
from tests.support.small_installation import HEADER
from tests.support.submission_rows import write

SOUND = HEADER + "0301;01.01.2024;alle;700 000;\n"
OTHER = HEADER + "1120;01.01.2024;alle;20 000;\n"


def bring(home: Installation, **files: str | bytes) -> None:
    """Put files of a sender, by name, where senders put theirs, and enqueue what is found there."""
    for name, content in files.items():
        ending = "zip" if isinstance(content, bytes) else "csv"
        path = home.settings.home / f"arrivals/ssb/folketall/{name}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows = [inbox_row(found.key, found.version, found.bytes) for found in home.arrivals.listing()]
    inbox.enqueue(home.engine, pl.DataFrame(rows, inbox.INBOX_ROW), "event")


def archive(**members: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        for name, text in members.items():
            packed.writestr(f"{name}.csv", text)
    return data.getvalue()


def rows(home: Installation, *names: str) -> list[tuple[Any, ...]]:
    query = sa.select(*(t.inbox.c[name] for name in names)).order_by(t.inbox.c.object)
    with home.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def registered(home: Installation) -> list[str]:
    return sorted(ledger_submissions.read_submissions(home.engine)["filename"])


def fail_with(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_an_empty_inbox_is_no_work(home: Installation) -> None:
    said: list[str] = []
    assert process_inbox(home, progress=said.append) == []
    assert said == []


def test_arrived_files_are_registered_and_settled(home: Installation) -> None:
    bring(home, a=SOUND, b=OTHER, c="no;header\n")
    said: list[str] = []
    receipts = process_inbox(home, "me", said.append)
    found = sorted((r.filename, r.status, r.sender, r.claims) for r in receipts)
    assert found == [
        ("a.csv", "registered", "ssb", 1),
        ("b.csv", "registered", "ssb", 1),
        ("c.csv", "rejected", "ssb", 0),
    ]
    assert rows(home, "status", "reason", "lease_by") == [("done", None, None)] * 3
    ids = dict(ledger_submissions.read_submissions(home.engine, columns=["filename", "submission_id"]).rows())
    assert rows(home, "submission_id") == [(ids["a.csv"],), (ids["b.csv"],), (ids["c.csv"],)]
    assert said == ["registered 3 submissions of 3 arrived objects"]


@pytest.mark.parametrize(("limit", "done"), [(1, 1), (2, 2), (3, 3), (9, 3), (None, 3)])
def test_no_more_objects_than_asked_for_are_processed(home: Installation, limit: int | None, done: int) -> None:
    bring(home, a=SOUND, b=OTHER, c=SOUND + "0301;02.01.2024;alle;7;\n")
    assert len(process_inbox(home, limit=limit)) == done
    assert [status for (status,) in rows(home, "status")].count("waiting") == 3 - done


def test_a_few_are_claimed_at_a_time(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "CLAIM_SIZE", 2)
    bring(home, a=SOUND, b=OTHER, c=SOUND + "0301;02.01.2024;alle;7;\n")
    said: list[str] = []
    process_inbox(home, "me", said.append)
    expected = ["registered 2 submissions of 2 arrived objects", "registered 3 submissions of 3 arrived objects"]
    assert said == expected


def test_an_object_of_no_contract_is_parked_and_the_others_go_on(home: Installation) -> None:
    bring(home, a=SOUND)
    path = home.settings.home / "arrivals/ssb/folketal/x.csv"
    path.parent.mkdir(parents=True)
    path.write_text(SOUND)
    bring(home)
    assert [r.filename for r in process_inbox(home)] == ["a.csv"]
    (parked, done) = rows(home, "object", "status", "reason", "attempts")
    assert parked[:2] == ("ssb/folketal/x.csv", "parked")
    assert parked[2].startswith("no contract 'folketal': ")
    assert done[1] == "done"


def test_a_file_over_the_limit_is_parked_before_it_is_fetched(home: Installation) -> None:
    small = replace(home, settings=replace(home.settings, max_file_bytes=len(SOUND) - 1))
    bring(small, a=SOUND, b=SOUND[:-2] + "\n")
    assert [r.filename for r in process_inbox(small)] == ["b.csv"]
    ((status, reason), (other, _)) = rows(home, "status", "reason")
    assert (status, other) == ("parked", "done")
    limit = f"{len(SOUND)} bytes, the limit is {len(SOUND) - 1}"
    assert reason == f"a.csv: {limit}; deliver it in parts, or raise ENGANG_MAX_FILE_BYTES"


def test_a_file_that_cannot_be_registered_waits_and_its_neighbour_is_registered(
    home: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    register = registration.register

    def stumble(home: Installation, landed: list[Any], *settle: Any) -> list[Any]:
        if any(each.note.filename == "a.csv" for each in landed):
            raise ZeroDivisionError
        return register(home, landed, *settle)

    monkeypatch.setattr(registration, "register", stumble)
    bring(home, a=SOUND, b=OTHER)
    assert [r.filename for r in process_inbox(home)] == ["b.csv"]
    (line,) = [each for each in caplog.records if each.message == "an arrived object was not registered"]
    assert (vars(line)["sender"], vars(line)["error"]) == ("ssb", "ZeroDivisionError")
    ((waits, attempts, reason, due), done) = rows(home, "status", "attempts", "reason", "not_before")
    assert (waits, attempts, done[0]) == ("waiting", 1, "done")
    assert reason.startswith("unforeseen: ZeroDivisionError at test_worker.py:")
    assert due > datetime(2026, 1, 1)
    assert process_inbox(home) == [], "its back-off is not over"


def test_where_a_store_is_away_all_are_given_back(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(home, a=SOUND, b=OTHER)
    monkeypatch.setattr(worker.landing, "put", fail_with(StoreError("s3 is away")))
    monkeypatch.setattr(worker, "check_stores", fail_with(StoreAwayError("nothing can be received now: s3 is away")))
    with pytest.raises(StoreAwayError):
        process_inbox(home)
    assert (
        rows(home, "status", "attempts", "not_before", "reason")
        == [("waiting", 0, None, "given back: nothing can be received now: s3 is away")] * 2
    )
    assert registered(home) == []


def test_a_store_that_is_well_is_not_the_cause(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(home, a=SOUND)
    monkeypatch.setattr("flows.intake.deliveries.landing.put", fail_with(StoreError("it fails")))
    assert process_inbox(home) == []
    assert rows(home, "status", "attempts", "reason") == [("waiting", 1, "it fails")]


def test_who_lost_the_lease_leaves_the_row_to_the_other(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(home, a=SOUND)
    monkeypatch.setattr(registration, "register", fail_with(LeaseLost("held by another")))
    assert process_inbox(home, "me", limit=1) == []
    assert rows(home, "status", "lease_by", "reason") == [("leased", "me", None)]


def test_what_the_sender_overwrote_is_closed_and_the_newer_version_received(home: Installation) -> None:
    bring(home, a=SOUND)
    path = home.settings.home / "arrivals/ssb/folketall/a.csv"
    path.write_text(OTHER)
    ((receipt),) = process_inbox(home)
    assert (receipt.filename, receipt.status) == ("a.csv", "registered")
    assert sorted(rows(home, "status", "reason", "found_by"), key=str) == [
        ("done", worker.OVERWRITTEN, "event"), ("done", None, "listing"),
    ]  # fmt: skip
    assert registered(home) == ["a.csv"]


def test_an_object_that_is_gone_waits(home: Installation) -> None:
    bring(home, a=SOUND)
    (home.settings.home / "arrivals/ssb/folketall/a.csv").unlink()
    assert process_inbox(home) == []
    ((status, reason),) = rows(home, "status", "reason")
    assert status == "waiting"
    assert reason.endswith("'ssb/folketall/a.csv' is missing; restore it from a copy, or deliver it again")


def test_each_file_of_an_archive_is_a_delivery(home: Installation) -> None:
    bring(home, z=archive(a=SOUND, b=OTHER))
    receipts = process_inbox(home)
    assert sorted((r.filename, r.status) for r in receipts) == [("a.csv", "registered"), ("b.csv", "registered")]
    assert rows(home, "status", "reason") == [("done", None)]


def test_a_worker_that_lost_an_archive_registers_no_more_of_it(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.intake.deliveries.BATCH_FILES", 1)
    register = registration.register

    def lose_after_the_first(home: Installation, landed: list[Any], *settle: Any) -> list[Any]:
        receipts = register(home, landed, *settle)
        write(home.engine, sa.update(t.inbox).values(lease_by="other"))
        return receipts

    monkeypatch.setattr(registration, "register", lose_after_the_first)
    bring(home, z=archive(a=SOUND, b=OTHER))
    assert len(process_inbox(home, "me", limit=1)) == 1
    assert registered(home) == ["a.csv"]
    assert rows(home, "status", "lease_by") == [("leased", "other")]


def test_an_archive_without_a_file_is_parked(home: Installation) -> None:
    bring(home, z=archive())
    assert process_inbox(home) == []
    assert rows(home, "status", "reason") == [("parked", "no file in it; hidden files are left out")]


@pytest.mark.parametrize("others", [0, 1])
def test_erased_bytes_are_refused_in_an_archive_and_alone(home: Installation, others: int) -> None:
    bring(home, a=SOUND)
    process_inbox(home)
    row = ledger_submissions.read_submissions(home.engine).row(0, named=True)
    begin_erasure(home.engine, row, who="kari", why="asked")
    bring(home, b=SOUND, z=archive(a=SOUND, **({"c": OTHER} if others else {})))
    assert [r.filename for r in process_inbox(home)] == ["c.csv"] * others
    (_, alone, packed) = rows(home, "status", "reason")
    assert alone[0] == "parked"
    assert "it was erased on" in alone[1]
    assert alone[1].endswith("by kari: asked")
    assert packed[0] == ("done" if others else "parked")


def test_a_lease_that_ended_is_taken_over(home: Installation) -> None:
    bring(home, a=SOUND)
    inbox.lease(home.engine, "dead", 1, lease_time=-timedelta(seconds=1))
    assert [r.status for r in process_inbox(home, "me")] == ["registered"]
    assert rows(home, "status", "attempts") == [("done", 2)]


@pytest.mark.parametrize(("limit", "registers"), [(3, 3), (4, 4), (9, 5), (None, 5)])
def test_no_more_is_processed_than_the_limit(
    home: Installation, monkeypatch: pytest.MonkeyPatch, limit: int | None, registers: int
) -> None:
    monkeypatch.setattr(worker, "CLAIM_SIZE", 2)
    bring(home, **{f"f{n}": HEADER + f"0301;0{n}.01.2024;alle;{n};\n" for n in range(1, 6)})
    assert len(process_inbox(home, limit=limit)) == registers
    assert len(registered(home)) == registers


def test_an_object_of_unknown_size_is_received(home: Installation) -> None:
    bring(home, a=SOUND)
    write(home.engine, sa.update(t.inbox).values(bytes=None))
    assert [receipt.status for receipt in process_inbox(home)] == ["registered"]
