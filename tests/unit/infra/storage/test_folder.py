"""A store in a folder: each key is written once, whole; links, hidden and changed files are refused."""

import os
from pathlib import Path

import pytest

from infra.storage.folder import FolderStore
from infra.storage.store import content_hash
from schemas.errors import StoreError


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def keys(store: FolderStore, prefix: str = "") -> list[str]:
    return sorted(found.key for found in store.listing(prefix))


def files(store: FolderStore) -> list[str]:
    return sorted(path.name for path in store.root.rglob("*") if path.is_file())


def test_a_key_is_written_once(store: FolderStore) -> None:
    assert store.put_once("a/b/c", b"first") is True
    assert store.put_once("a/b/c", b"second") is False
    assert store.get("a/b/c") == b"first"
    assert files(store) == ["c"], "no temporary file is left"


def test_what_is_stored_can_be_read_by_this_user_alone(store: FolderStore) -> None:
    store.put_once("a/c", b"x")
    modes = [path.stat().st_mode & 0o777 for path in (store.root, store.root / "a", store.root / "a/c")]
    assert modes == [0o700, 0o700, 0o600]


def test_a_file_is_copied_and_its_hash_checked(store: FolderStore, tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(b"x" * (1 << 20) + b"y")
    hashed = content_hash(source)
    assert store.put_once("a", source, hashed)
    assert store.fetch("a", copy) == hashed
    assert copy.read_bytes() == source.read_bytes()
    with pytest.raises(StoreError, match=r"'b': its bytes changed while they were read; deliver it again when it is"):
        store.put_once("b", source, "0" * 64)
    assert files(store) == ["a"]


def test_a_version_is_exactly_these_bytes(store: FolderStore) -> None:
    store.put_once("a", b"one")
    ((key, version, size, modified),) = store.listing()
    status = (store.root / "a").stat()
    assert (key, version, size) == ("a", f"{status.st_mtime_ns}-3", 3)
    assert modified.timestamp() == pytest.approx(status.st_mtime)
    assert store.get("a", version) == b"one"
    (store.root / "a").write_bytes(b"other")
    with pytest.raises(StoreError) as raised:
        store.get("a", version)
    expected = f"{store.root}: 'a' has changed since it was found; its new version will be read"
    assert str(raised.value) == expected
    assert store.get("a") == b"other"


def test_a_file_that_grows_while_it_is_read_is_refused(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_once("a", b"one")
    versions = iter(["1-3", "1-7"])
    monkeypatch.setattr("infra.storage.folder._version", lambda _: next(versions))
    with pytest.raises(StoreError, match="'a' has changed since it was found; its new version will be read"):
        store.fetch("a", tmp_path / "copy")


@pytest.mark.parametrize("key", ["", "/a", "a/../b", "..", "a\0b"])
def test_what_is_no_key_is_refused(store: FolderStore, key: str) -> None:
    for act in (store.get, store.delete, lambda k: store.put_once(k, b"")):
        with pytest.raises(StoreError) as raised:
            act(key)
        assert str(raised.value) == f"{store.root}: {key!r} is no key; expected a relative path"


def test_a_missing_file_says_what_to_do(store: FolderStore) -> None:
    for _ in range(2):
        with pytest.raises(StoreError) as raised:
            store.get("a/b")
        hint = "restore it from a copy, or deliver it again"
        assert str(raised.value) == f"{store.root}: 'a/b' is missing; {hint}"
        store.put_once("a/c", b"")


def test_links_pipes_and_folders_are_not_read(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/x").write_bytes(b"secret")
    store.put_once("real", b"x")
    (store.root / "link").symlink_to(tmp_path / "secret")
    (store.root / "linked").symlink_to(tmp_path / "folder")
    os.mkfifo(store.root / "pipe")
    (store.root / "sub").mkdir()
    assert keys(store) == ["real"]
    for key in ("link", "linked/x", "pipe", "sub"):
        with pytest.raises(StoreError, match=f"'{key}' cannot be read"):
            store.get(key)


def test_a_listing_has_what_begins_with_the_prefix_and_nothing_hidden(store: FolderStore) -> None:
    for key in ("a/b/1", "a/bc/2", "a/3", "ab/4", ".hidden/5", "a/.6"):
        store.put_once(key, b"")
    assert keys(store) == ["a/3", "a/b/1", "a/bc/2", "ab/4"]
    assert keys(store, "a/b") == ["a/b/1", "a/bc/2"]
    assert keys(store, "a/") == ["a/3", "a/b/1", "a/bc/2"]
    assert keys(store, "a") == ["a/3", "a/b/1", "a/bc/2", "ab/4"]
    assert keys(store, "a/b/") == ["a/b/1"]
    assert keys(store, "x/y") == []


def test_a_name_that_is_no_text_has_a_key_and_is_read_by_it(store: FolderStore) -> None:
    store.root.mkdir()
    (store.root / os.fsdecode(b"v\xe6r")).write_bytes(b"x")
    assert keys(store) == ["v\uf7e6r"]
    assert store.get("v\uf7e6r") == b"x"


def test_deleting_deletes_one_and_a_missing_one_is_no_error(store: FolderStore) -> None:
    store.put_once("a/1", b"")
    store.put_once("a/2", b"")
    for key in ("a/1", "a/1", "b/3"):
        store.delete(key)
    assert keys(store) == ["a/2"]


def test_a_probe_leaves_nothing_behind(store: FolderStore) -> None:
    store.probe(writes=False)
    assert not store.root.exists(), "a folder that will be made can be read"
    store.probe()
    assert files(store) == []


def test_a_folder_that_cannot_be_written_to_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"was not stored \(.*; check the disk and try again"):
        FolderStore(tmp_path / "file").put_once("a", b"")


def test_a_file_system_that_overwrites_is_found_out(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FolderStore, "put_once", lambda *_: False)
    monkeypatch.setattr("infra.storage.folder._link", lambda *_: False)
    with pytest.raises(StoreError) as raised:
        store.probe()
    problem = "found a file system that does not refuse an existing name; use a local disk, NFS or S3"
    assert str(raised.value) == f"{store.root}: {problem}"
