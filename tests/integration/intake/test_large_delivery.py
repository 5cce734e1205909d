"""A large file is landed as a stream, read when it is parsed, and is what small ones are in all else."""

import gzip
import os
from pathlib import Path

import pytest

from flows.installation import Installation
from flows.intake import archives as files
from flows.intake import deliveries
from flows.intake.archives import read_files
from flows.intake.deliveries import Delivery, land, make_delivery
from flows.intake.registration import receive, reconcile, register
from infra.ledger import submissions as ledger_submissions
from infra.storage import landing
from schemas.errors import StoreError, UsageError
from tests.support.small_installation import HEADER, kept_claims, open_small

TEXT = f"{HEADER}0301;01.01.2024;alle;709 037;\n".encode()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setattr(files, "STREAM_ABOVE_BYTES", len(TEXT) - 1)
    return open_small(tmp_path / "home")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "large.csv"
    path.write_bytes(TEXT)
    return path


def given(home: Installation, path: Path) -> Delivery:
    ((name, data),) = read_files(path, home.settings)
    return make_delivery(home, name, data, "folketall", sender="kommunen", period=None)


def test_a_large_file_is_received_as_its_bytes_are(home: Installation, file: Path) -> None:
    large = given(home, file)
    assert large.data == file, "not read yet"
    ((receipt,),) = receive(home, [large])
    assert (receipt.status, receipt.claims) == ("registered", 1)
    (note,) = (landing.read_note(home.landing, key) for _, key in landing.list_notes(home.landing))
    assert (note.bytes, note.sha256) == (len(TEXT), landing.content_hash(TEXT))
    assert landing.get(home.landing, "folketall", "kommunen", note.sha256) == TEXT
    ((again,),) = receive(home, [Delivery("small.csv", TEXT, "folketall", "kommunen")])
    assert (again.status, again.submission_id) == ("redelivered", receipt.submission_id)
    assert kept_claims(home, receipt.submission_id).height == 1


def test_a_large_file_that_changes_while_it_is_received_counts_for_nothing(home: Installation, file: Path) -> None:
    landed = land(home, [given(home, file)])
    file.write_bytes(TEXT.replace(b"709", b"999"))
    with pytest.raises(StoreError, match="changed while it was received"):
        register(home, landed)
    assert not ledger_submissions.read_submissions(home.engine).height
    (receipt,) = reconcile(home)
    assert kept_claims(home, receipt.submission_id)["value"].to_list() == [709_037]


def test_a_gzipped_file_is_bounded_by_what_it_holds(home: Installation, file: Path) -> None:
    packed = file.with_name("large.csv.gz")
    packed.write_bytes(gzip.compress(os.urandom(100) + TEXT))
    assert isinstance(given(home, packed).data, bytes)
    tight = home.settings.__class__(**{**vars(home.settings), "max_file_bytes": len(TEXT) - 1})
    with pytest.raises(UsageError, match="the limit is"):
        list(read_files(file, tight))


def test_batches_count_large_files_as_they_are_when_read(
    home: Installation, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "BATCH_BYTES", 3 * len(TEXT))
    packed = file.with_name("packed.csv.gz")
    packed.write_bytes(gzip.compress(TEXT * 3))
    plain, tight = given(home, file), Delivery("p", packed, "folketall", "kommunen")
    assert [len(b) for b in deliveries.batches([plain] * 4)] == [3, 1]
    assert [len(b) for b in deliveries.batches([plain, tight, plain])] == [1, 1, 1]


@pytest.mark.parametrize("most", [0, 2**20])
def test_what_is_read_ahead_comes_in_order(home: Installation, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(landing, "READ_AHEAD_BYTES", most)
    some = [Delivery(f"{n}", b"%d" % n, "folketall", "kommunen") for n in range(30)]
    notes = [note for note, _ in land(home, some)]
    wanted = [(n.contract, n.sender, n.sha256, n.bytes) for n in notes]
    assert list(landing.get_each(home.landing, wanted)) == [d.data for d in some]
    (home.settings.home / "landing" / "folketall" / "kommunen" / notes[9].sha256).unlink()
    read = landing.get_each(home.landing, wanted)
    assert [next(read) for _ in range(9)] == [d.data for d in some[:9]]
    with pytest.raises(StoreError, match="is missing"):
        next(read)


def test_what_landed_and_was_not_registered_is_found_a_few_at_a_time(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "NOTES_PER_LOOKUP", 2)
    some = [
        Delivery(f"{day}.csv", f"{HEADER}0301;0{day}.01.2024;alle;{day};\n".encode(), "folketall", "kommunen")
        for day in range(1, 8)
    ]
    ((first, *_),) = receive(home, some[:3])
    land(home, some)
    found = reconcile(home)
    assert sorted(r.filename for r in found) == ["4.csv", "5.csv", "6.csv", "7.csv"]
    assert first.submission_id not in {r.submission_id for r in found}
    assert reconcile(home) == []
