"""The landing zone: where a delivery lies, what its note holds, what has changed of it, what is erased."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infra.storage import landing
from infra.storage.folder import FolderStore
from infra.storage.landing import Note
from infra.storage.places import S3Place
from infra.storage.s3 import S3Store
from infra.storage.store import content_hash
from schemas.errors import StoreError

DATA = b"kommune;antall\n1124;7\n"
SHA = content_hash(DATA)
NOTE = Note("sub1", "klepp", "kommunen", SHA, "f.csv", None, len(DATA), "2026-03-01T12:00:00+00:00")
KEY = f"klepp/kommunen/{SHA}"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "landing")


def test_bytes_and_note_lie_side_by_side(store: FolderStore) -> None:
    assert landing.put(store, NOTE, DATA) == NOTE
    assert sorted(found.key for found in store.listing()) == [KEY, f"{KEY}.sub1.json"]
    assert json.loads(store.get(f"{KEY}.sub1.json")) == {
        "submission_id": "sub1", "contract": "klepp", "sender": "kommunen", "sha256": SHA, "filename": "f.csv",
        "period": None, "bytes": len(DATA), "received_at": "2026-03-01T12:00:00+00:00",
    }  # fmt: skip
    assert landing.get(store, "klepp", "kommunen", SHA) == DATA


def test_the_first_note_of_a_delivery_holds(store: FolderStore) -> None:
    first = replace(NOTE, as_of="2026-02-01T00:00:00", replaces="sub0", period="2026-02")
    landing.put(store, first, DATA)
    assert landing.put(store, replace(NOTE, received_at="2027-01-01T00:00:00+00:00"), DATA) == first
    assert landing.read_note(store, landing.note_key(NOTE)) == first


def test_bytes_that_are_not_those_of_the_note_are_refused(store: FolderStore) -> None:
    with pytest.raises(StoreError, match="its bytes changed while they were read"):
        landing.put(store, NOTE, DATA + b"x")
    assert list(store.listing()) == []


def test_every_delivery_is_listed_by_its_note_alone(store: FolderStore) -> None:
    landing.put(store, NOTE, DATA)
    landing.put(store, replace(NOTE, submission_id="sub2"), DATA)
    for other in (
        "klepp/x.sub3.json",
        f"{KEY}.tmp",
        "a/b/c/d.sub4.json",
        f"klepp/kommunen/{'0' * 64}.sub5.backup.json",
    ):
        store.put_once(other, b"{}")
    assert sorted(landing.list_notes(store)) == [
        ("sub1", f"{KEY}.sub1.json"), ("sub2", f"{KEY}.sub2.json"),
        ("sub5", f"klepp/kommunen/{'0' * 64}.sub5.backup.json"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"3", b'{"submission_id": "x"}', b"\xff", b"[" * 100_000])
def test_what_is_no_note_is_named(store: FolderStore, text: bytes) -> None:
    store.put_once("c/s/x.y.json", text)
    with pytest.raises(
        StoreError, match=r"^landing zone: c/s/x\.y\.json is no delivery note \(.*restore it from a copy$"
    ):
        landing.read_note(store, "c/s/x.y.json")


def test_changed_and_missing_bytes_are_named(store: FolderStore) -> None:
    landing.put(store, NOTE, DATA)
    (store.root / KEY).write_bytes(DATA[:-1])
    for read in (
        lambda: landing.get(store, "klepp", "kommunen", SHA),
        lambda: landing.content(store, "klepp", "kommunen", SHA, len(DATA)),
    ):
        with pytest.raises(StoreError) as raised:
            read()
        assert str(raised.value) == f"landing zone: {SHA} of klepp/kommunen has changed; restore it from a copy"
    with pytest.raises(StoreError, match="is missing; restore it from a copy, or deliver it again"):
        landing.get(store, "klepp", "kommunen", "0" * 64)


@pytest.mark.parametrize(
    ("contract", "sender", "sha256", "named"),
    [("../x", "s", SHA, "../x"), ("c", "a/b", SHA, "a/b"), ("c", "", SHA, ""), ("c", "s", SHA[:-1], SHA[:-1]),
     ("c", "s", SHA.upper(), SHA.upper()), ("c", "s", SHA + "0", SHA + "0")],
)  # fmt: skip
def test_no_delivered_text_names_a_file_unchecked(
    store: FolderStore, contract: str, sender: str, sha256: str, named: str
) -> None:
    with pytest.raises(StoreError) as raised:
        landing.get(store, contract, sender, sha256)
    assert str(raised.value).startswith(f"landing zone: {named!r} cannot name a folder or file; expected ^")
    with pytest.raises(StoreError, match="cannot name a folder or file"):
        landing.note_key(replace(NOTE, submission_id="a/../b"))


@pytest.mark.parametrize(("most", "streamed"), [(len(DATA), False), (len(DATA) - 1, True)])
def test_a_large_delivery_is_given_as_a_file(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, most: int, streamed: bool
) -> None:
    landing.put(store, NOTE, DATA)
    monkeypatch.setattr(landing, "STREAM_ABOVE_BYTES", most)
    found = landing.content(store, "klepp", "kommunen", SHA, len(DATA))
    assert found == (store.root / KEY if streamed else DATA)


def test_deliveries_are_read_in_order_some_ahead(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [f"file {n}".encode() for n in range(20)]
    for data in many:
        landing.put(store, replace(NOTE, sha256=content_hash(data)), data)
    asked: list[int] = []

    def wanted() -> Iterator[tuple[str, str, str, int]]:
        for number, data in enumerate(many):
            asked.append(number)
            yield "klepp", "kommunen", content_hash(data), len(data)

    each = landing.get_each(store, wanted())
    assert next(each) == b"file 0"
    assert len(asked) == 9, "eight are read ahead"
    assert list(each) == many[1:]
    asked.clear()
    monkeypatch.setattr(landing, "READ_AHEAD_BYTES", 12)
    assert next(landing.get_each(store, wanted())) == b"file 0"
    assert len(asked) == 3, "two files of six bytes are read ahead"


def test_damage_is_what_is_missing_or_of_another_size(store: FolderStore) -> None:
    landing.put(store, NOTE, DATA)
    missing = "0" * 64
    damage = landing.delivery_damage(store, "klepp", "kommunen", [(SHA, len(DATA)), (SHA, 99), (missing, 4)])
    assert [str(found) for found in damage] == [
        f"{KEY}: found {len(DATA)} bytes, expected 99 bytes",
        f"klepp/kommunen/{missing}: found nothing, expected 4 bytes",
    ]
    assert landing.delivery_damage(store, "klepp", "kommunen", []) == []


def test_an_erased_delivery_loses_its_note_and_its_bytes_unless_another_has_them(store: FolderStore) -> None:
    erased = {"contract": "klepp", "sender": "kommunen", "sha256": SHA, "submission_id": "sub1"}
    landing.put(store, NOTE, DATA)
    landing.put(store, replace(NOTE, submission_id="sub2"), DATA)
    landing.erase_delivery(store, erased, with_bytes=False)
    assert sorted(found.key for found in store.listing()) == [KEY, f"{KEY}.sub2.json"]
    landing.erase_delivery(store, erased, with_bytes=True)
    assert [found.key for found in store.listing()] == [f"{KEY}.sub2.json"]


def test_a_place_has_its_kind_of_store(tmp_path: Path) -> None:
    assert isinstance(landing.open_store(tmp_path), FolderStore)
    assert isinstance(landing.open_store(S3Place("bucket")), S3Store)
