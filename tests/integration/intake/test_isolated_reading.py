"""Whatever goes wrong while one file is read, or whatever it costs, parks that file on every path, and no other."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flows.installation import Installation
from flows.intake import arrivals, isolation, worker
from flows.intake.deliveries import Delivery, land
from flows.intake.inbox import dismiss_parked, retry_parked
from flows.intake.receipt import Receipt
from flows.intake.registration import check_delivery, receive, reconcile, register
from infra.inbox import work_queue
from infra.ledger import submissions as ledger_submissions
from infra.storage import landing
from schemas.errors import StoreError
from schemas.reading_limits import ReadingLimits
from tests.integration.intake.test_arrivals import put
from tests.support.misbehaving_reader import misbehaving_reader
from tests.support.small_installation import HEADER, open_small

TROUBLES = {
    "memory": "takes more than",
    "seconds": "processor seconds",
    "abort": "ended by signal 6",
    "killed": "ended by signal 9",
    "exit": "ended by exit code 3",
    "error": "unforeseen: RuntimeError at sitecustomize.py",
    "no-memory": "unforeseen: MemoryError",
}

SECONDS = 4
"""Of processor time: those of a sound file go to imports of its process, and on a slow machine to many page faults."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.setattr(arrivals, "QUIET_SECONDS", 0)
    opened = open_small(tmp_path / "home")
    with misbehaving_reader(monkeypatch):
        yield limited(opened)


def limited(home: Installation, seconds: int = 60) -> Installation:
    """Return the installation with little memory for a file, and few seconds for one that would use them up."""
    return replace(home, settings=replace(home.settings, reading=ReadingLimits(400 * 2**20, seconds)))


def good(day: int) -> bytes:
    return f"{HEADER}0301;{day:02}.01.2024;alle;{day};\n".encode()


def bad(trouble: str) -> bytes:
    return f"!{trouble}\n".encode() + good(9)


def by_submit(home: Installation, files: list[bytes]) -> list[Receipt]:
    given = [Delivery(f"{n}.csv", data, "folketall", "kommunen") for n, data in enumerate(files)]
    receipts = [receipt for some in receive(home, given) for receipt in some]
    assert [receipt.filename for receipt in receipts] == [f"{n}.csv" for n in range(len(files))]
    return [receipt for receipt in receipts if receipt.status != "parked"]


def by_arrival(home: Installation, files: list[bytes]) -> list[Receipt]:
    for n, data in enumerate(files):
        put(home, f"kommunen/folketall/{n}.csv", data)
    arrivals.reconcile_arrivals(home)
    return worker.process_inbox(home)


def by_listing(home: Installation, files: list[bytes]) -> list[Receipt]:
    land(home, [Delivery(f"{n}.csv", data, "folketall", "kommunen") for n, data in enumerate(files)])
    return reconcile(home)


@pytest.mark.parametrize("way", [by_submit, by_arrival, by_listing])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_guilty_file_is_parked_and_the_others_are_registered(
    home: Installation, way: Callable[[Installation, list[bytes]], list[Receipt]], trouble: str
) -> None:
    home = limited(home, SECONDS) if trouble == "seconds" else home
    receipts = way(home, [good(1), good(2), bad(trouble), good(3), good(4)])
    assert [receipt.status for receipt in receipts] == ["registered"] * 4
    (parked,) = work_queue.list_parked(home.engine).to_dicts()
    assert TROUBLES[trouble] in parked["reason"]
    assert "secret" not in parked["reason"]
    assert parked["source"] == ("arrivals" if way is by_arrival else "landing")
    assert ledger_submissions.read_submissions(home.engine).height == 4
    assert reconcile(home) == worker.process_inbox(home) == [], "it waits for a person"
    assert work_queue.list_parked(home.engine)["id"].to_list() == [parked["id"]]


def test_several_guilty_files_are_each_found(home: Installation) -> None:
    receipts = by_submit(home, [bad("abort"), good(1), bad("error"), good(2), bad("exit"), good(3)])
    assert [receipt.filename for receipt in receipts] == ["1.csv", "3.csv", "5.csv"]
    assert work_queue.list_parked(home.engine).height == 3


@pytest.mark.parametrize("way", [by_submit, by_listing])
def test_what_has_landed_is_retried_or_dismissed_like_an_arrival(
    home: Installation, monkeypatch: pytest.MonkeyPatch, way: Callable[[Installation, list[bytes]], list[Receipt]]
) -> None:
    assert way(home, [bad("error"), bad("abort")]) == []
    first, second = work_queue.list_parked(home.engine)["id"].to_list()
    assert dismiss_parked(home, [second], why="a test of the sender's", who="me") == [second]
    assert retry_parked(home, [first]) == [first]
    assert worker.process_inbox(home) == []
    assert work_queue.list_parked(home.engine)["id"].to_list() == [first], "nothing has changed: parked again"
    isolation.stop_reader()
    monkeypatch.undo()
    retry_parked(home)
    (receipt,) = worker.process_inbox(home)
    assert receipt.status == "rejected"
    assert reconcile(home) == []
    assert work_queue.count_open(home.engine).height == 0


def test_the_sender_who_delivers_a_parked_file_again_tries_it_again(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert by_submit(home, [bad("error")]) == []
    isolation.stop_reader()
    monkeypatch.undo()
    assert [receipt.status for receipt in by_submit(home, [bad("error")])] == ["rejected"]
    assert work_queue.count_open(home.engine).height == 0


def test_a_member_of_an_archive_is_parked_alone(home: Installation, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in {"1.csv": good(1), "2.csv": bad("abort"), "3.csv": good(3)}.items():
            archive.writestr(name, data)
    put(home, "kommunen/folketall/a.zip", (tmp_path / "a.zip").read_bytes())
    arrivals.reconcile_arrivals(home)
    assert [receipt.filename for receipt in worker.process_inbox(home)] == ["1.csv", "3.csv"]
    (parked,) = work_queue.list_parked(home.engine).to_dicts()
    assert parked["source"] == "landing"
    assert work_queue.count_done(home.engine) == 1


def test_check_reads_in_the_same_isolation(home: Installation) -> None:
    receipt, rejects = check_delivery(home, Delivery("a.csv", bad("abort"), "folketall", "kommunen"))
    assert (receipt.status, rejects.height) == ("parked", 0)
    assert receipt.problem is not None
    assert "signal 6" in receipt.problem
    receipt, _ = check_delivery(home, Delivery("a.csv", good(1), "folketall", "kommunen"))
    assert receipt.claims == 1
    assert work_queue.count_open(home.engine).height == 0


def test_a_process_that_holds_memory_from_before_is_replaced_before_it_decides(home: Installation) -> None:
    by_submit(home, [good(1)])
    assert by_submit(home, [bad("memory")]) == [], "over its budget in a new process too"
    assert [receipt.status for receipt in by_submit(home, [good(2)])] == ["registered"]


def test_a_process_that_ended_while_idle_costs_nothing(home: Installation) -> None:
    import os
    import signal

    by_submit(home, [good(1)])
    process = isolation._reader.start()._process  # noqa: SLF001  to end it from outside
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert [receipt.status for receipt in by_submit(home, [good(2), good(3)])] == ["registered"] * 2
    assert work_queue.list_parked(home.engine).height == 0


@pytest.mark.parametrize(("others", "place"), [(0, 0), (2, 0), (2, 2)])
@pytest.mark.parametrize("way", [by_submit, by_arrival, by_listing])
def test_a_process_that_is_killed_once_while_it_reads_loses_and_parks_nothing(
    home: Installation,
    tmp_path: Path,
    way: Callable[[Installation, list[bytes]], list[Receipt]],
    others: int,
    place: int,
) -> None:
    files = [good(n) for n in range(1, others + 1)]
    files.insert(place, bad(f"killed-until {tmp_path / 'killed'}"))
    receipts = way(home, files)
    assert (tmp_path / "killed").exists()
    assert sorted(receipt.status for receipt in receipts) == ["registered"] * others + ["rejected"], "it has no header"
    assert ledger_submissions.read_submissions(home.engine).height == others + 1
    assert work_queue.count_open(home.engine).height == 0
    assert reconcile(home) == worker.process_inbox(home) == []


def test_a_file_of_too_many_rows_is_parked_until_the_limit_is_raised(home: Installation) -> None:
    strict = replace(home, settings=replace(home.settings, reading=ReadingLimits(rows=1)))
    two = good(1) + good(2).splitlines(keepends=True)[1]
    assert [receipt.status for receipt in by_submit(strict, [two, good(3)])] == ["registered"]
    (parked,) = work_queue.list_parked(home.engine).to_dicts()
    assert parked["reason"].startswith("it has 2 rows, and at most 1 are read")
    retry_parked(home, [parked["id"]])
    (receipt,) = worker.process_inbox(home)
    assert (receipt.status, receipt.claims) == ("registered", 2)


def test_a_damaged_object_of_the_landing_zone_is_parked_and_the_others_are_registered(home: Installation) -> None:
    given = [Delivery(f"{n}.csv", good(n), "folketall", "kommunen") for n in range(1, 5)]
    notes = [note for note, _ in land(home, given)]
    folder = Path(str(home.settings.landing)) / "folketall" / "kommunen"
    (folder / notes[0].sha256).write_bytes(b"other bytes")
    (folder / notes[1].sha256).unlink()
    Path(str(home.settings.landing), landing.note_key(notes[2])).write_text("{}")
    assert [receipt.filename for receipt in reconcile(home)] == ["4.csv"]
    parked = work_queue.list_parked(home.engine)
    assert parked.height == 3
    assert all(parked["reason"].str.contains("has changed|is missing|no delivery note"))
    with pytest.raises(StoreError):
        landing.read_note(home.landing, landing.note_key(notes[2]))
    assert reconcile(home) == []


def test_rows_that_do_not_add_up_park_one_file(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.intake import reading

    rules = reading.Rules(home.contract("folketall"), None, home.register, ReadingLimits())
    files = [(note, lambda data=data: data) for note, data in land(home, [
        Delivery(f"{n}.csv", good(n), "folketall", "kommunen") for n in (1, 2)
    ])]  # fmt: skip
    real = reading.parse_file

    def parse_file(note: landing.Note, *rest: object) -> reading.ParsedFile:
        parsed = real(note, *rest)  # type: ignore[arg-type]
        assert parsed.parsed is not None
        more = replace(parsed.parsed, raw=parsed.parsed.raw.head(0)) if note.filename == "1.csv" else parsed.parsed
        return replace(parsed, parsed=more, rejects=parsed.rejects)

    monkeypatch.setattr(reading, "parse_file", parse_file)
    monkeypatch.setattr(reading, "_parser_counts", lambda file: {
        "submission_id": file.note.submission_id, "delivered": 1, "unread": 0, "notes": 0, "warned": 0,
        "refused": False,
    })  # fmt: skip
    result = reading.read_batch(files, rules)
    assert list(result.failures) == [files[0][0].submission_id]
    assert "do not add up" in result.failures[files[0][0].submission_id]
    assert result.counts["submission_id"].to_list() == [files[1][0].submission_id]
    assert register(home, land(home, [Delivery("2.csv", good(2), "folketall", "kommunen")]))[0].claims == 1
