"""The stores of a landing zone, folder and S3 alike: once, whole, as written, and found by listing."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from infra.storage import landing
from infra.storage import s3 as landing_s3
from infra.storage import s3_multipart as landing_s3_parts
from infra.storage.folder import FolderStore
from infra.storage.places import S3Place
from infra.storage.s3 import S3Store
from infra.storage.store import Store, StoredObject, content_hash
from schemas.errors import StoreError
from tests.support.paths import ROOT
from tests.support.servers import new_bucket


@pytest.fixture(params=["folder", "s3", "s3 without versions"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Give an empty store; the test runs once on each kind."""
    if request.param == "folder":
        return landing.open_store(tmp_path / "store")
    endpoint: str = request.getfixturevalue("aws")
    return landing.open_store(new_bucket(endpoint, versions=request.param == "s3"))


def test_an_object_is_written_once_and_read_as_written(store: Store, tmp_path: Path) -> None:
    assert store.put_once("a/b c æ%+?#/&=.csv", b"first")
    assert not store.put_once("a/b c æ%+?#/&=.csv", b"second")
    assert store.get("a/b c æ%+?#/&=.csv") == b"first"
    assert store.fetch("a/b c æ%+?#/&=.csv", tmp_path / "copy") == hashlib.sha256(b"first").hexdigest()
    assert (tmp_path / "copy").read_bytes() == b"first"
    assert store.put_once("empty", b"")
    assert store.get("empty") == b""


def test_a_file_is_kept_like_bytes_and_only_as_its_hash_says(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"delivered")
    with pytest.raises(StoreError, match="changed while"):
        store.put_once("key", file, sha256="0" * 64)
    assert list(store.listing()) == []
    assert store.put_once("key", file, sha256=hashlib.sha256(b"delivered").hexdigest())
    assert store.get("key") == b"delivered"


def test_of_writers_at_the_same_moment_one_is_first(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        for round_ in range(5):
            won = list(pool.map(lambda n, r=round_: store.put_once(f"race/{r}", b"%d" % n), range(16)))  # type: ignore[misc]
            assert won.count(True) == 1
            assert store.get(f"race/{round_}") == b"%d" % won.index(True)


def test_a_listing_shows_what_is_there(store: Store) -> None:
    assert list(store.listing()) == []
    for key in ("a/x/1.csv", "a/x/2.csv", "a/y.csv", "ab/z.csv"):
        store.put_once(key, key.encode())
    found = {f.key: f for f in store.listing()}
    assert set(found) == {"a/x/1.csv", "a/x/2.csv", "a/y.csv", "ab/z.csv"}
    assert {f.key for f in store.listing("a/x/")} == {"a/x/1.csv", "a/x/2.csv"}
    assert {f.key for f in store.listing("a")} == set(found)
    assert {f.key for f in store.listing("b")} == set()
    one = found["a/y.csv"]
    assert (one.bytes, one.modified.tzinfo is not None) == (7, True)
    assert store.get(one.key, one.version) == b"a/y.csv"


def test_what_is_not_there_is_reported(store: Store, tmp_path: Path) -> None:
    for ask in (store.get, lambda key: store.fetch(key, tmp_path / "copy")):
        with pytest.raises(StoreError, match=r"'no/such'.*(is missing|does not exist)"):
            ask("no/such")


def test_what_is_deleted_leaves_no_version(store: Store) -> None:
    store.put_once("a/b/c", b"personal")
    store.put_once("a/b/c2", b"other")
    store.delete("a/b/c")
    store.delete("a/b/c")
    assert [found.key for found in store.listing(overwritten=True)] == ["a/b/c2"]
    assert store.put_once("a/b/c", b"again")


def test_a_probe_leaves_nothing_behind(store: Store) -> None:
    store.probe()
    store.probe(writes=False)
    assert list(store.listing()) == []


def test_many_objects_come_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(store, S3Store):
        _paged(store.client, monkeypatch)
    keys = {f"k/{n:03}" for n in range(25)}
    for key in keys:
        store.put_once(key, b"x")
    assert {f.key for f in store.listing("k/")} == keys


def _paged(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pages be of ten."""
    real = client.get_paginator

    class Ten:
        def __init__(self, operation: str) -> None:
            self.of = real(operation)

        def paginate(self, **options: Any) -> Any:
            return self.of.paginate(**options, PaginationConfig={"PageSize": 10})

    monkeypatch.setattr(client, "get_paginator", Ten)


# What changes under the reader's hands


def test_an_older_version_is_still_read_and_a_listing_shows_the_newest(s3: S3Place) -> None:
    store = S3Store(s3)
    store.put_once("file", b"old")
    (old,) = store.listing()
    store.client.put_object(Bucket=s3.bucket, Key=s3.key("file"), Body=b"new!")
    (new,) = store.listing()
    assert (new.version, new.bytes) != (old.version, old.bytes)
    assert (store.get("file", old.version), store.get("file", new.version), store.get("file")) == (
        b"old", b"new!", b"new!"
    )  # fmt: skip
    store.client.delete_object(Bucket=s3.bucket, Key=s3.key("file"))
    assert list(store.listing()) == []
    assert store.get("file", old.version) == b"old"


def test_where_no_versions_are_kept_a_changed_object_is_not_taken_for_the_old(aws: str, tmp_path: Path) -> None:
    place = new_bucket(aws, versions=False)
    store = S3Store(place)
    store.put_once("file", b"old")
    (old,) = store.listing()
    assert old.version.startswith("etag:")
    store.client.put_object(Bucket=place.bucket, Key=place.key("file"), Body=b"new")
    with pytest.raises(StoreError, match="has changed since it was found"):
        store.get("file", old.version)
    folder = FolderStore(tmp_path)
    folder.put_once("file", b"old")
    (before,) = folder.listing()
    (tmp_path / "file").write_bytes(b"newer")
    with pytest.raises(StoreError, match="has changed since it was found"):
        folder.get("file", before.version)


def test_a_folder_shows_neither_hidden_files_nor_links_and_names_are_any_bytes(tmp_path: Path) -> None:
    store, outside = FolderStore(tmp_path / "in"), tmp_path / "outside"
    outside.write_text("not delivered")
    (tmp_path / "in" / ".hidden").mkdir(parents=True)
    for name in (".x.partial", ".hidden/y"):
        (tmp_path / "in" / name).write_text("x")
    (tmp_path / "in" / "link").symlink_to(outside)
    (tmp_path / "in" / "links").symlink_to(tmp_path)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/in/l\xf8nn.csv")).write_bytes(b"latin")
    (found,) = store.listing()
    assert found.key.encode()  # a database takes it
    assert store.get(found.key, found.version) == b"latin"
    for key in ("../outside", "/etc/passwd", "a/../../outside", "", "a\0b"):
        with pytest.raises(StoreError, match="is no key"):
            store.get(key)


def test_a_folder_that_cannot_be_written_to_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match="was not stored"):
        FolderStore(tmp_path / "file").probe()


# Large objects


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is over 5 MiB go up in parts of that size, S3's least."""
    monkeypatch.setattr(landing_s3, "MULTIPART_BYTES", 5 * 2**20)
    monkeypatch.setattr(landing_s3_parts, "PART_BYTES", 5 * 2**20)


def uploads(store: S3Store) -> list[Any]:
    return store.client.list_multipart_uploads(Bucket=store.place.bucket).get("Uploads", [])


@pytest.mark.usefixtures("small_parts")
def test_a_large_object_goes_up_in_parts_once(s3: S3Place, tmp_path: Path) -> None:
    store, data, file = S3Store(s3), os.urandom(11 * 2**20), tmp_path / "large"
    file.write_bytes(data)
    with pytest.raises(StoreError, match="changed while"):
        store.put_once("large", file, sha256="0" * 64)
    assert (list(store.listing()), uploads(store)) == ([], [])
    assert store.put_once("large", file, sha256=hashlib.sha256(data).hexdigest())
    assert not store.put_once("large", data)
    assert store.client.head_object(Bucket=s3.bucket, Key=s3.key("large"))["ETag"].endswith('-3"')
    assert store.fetch("large", tmp_path / "copy") == hashlib.sha256(data).hexdigest()
    assert ((tmp_path / "copy").read_bytes() == data, uploads(store)) == (True, [])


@pytest.mark.usefixtures("small_parts")
def test_of_two_large_uploads_under_way_the_first_to_end_stands(s3: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    store, data = S3Store(s3), os.urandom(6 * 2**20)
    monkeypatch.setattr(S3Store, "_exists", lambda *_: False)  # as it is when both begin
    assert store.put_once("large", data)
    assert not store.put_once("large", data + b"later")
    assert (store.get("large"), uploads(store)) == (data, [])


GROWS = """
import re, sys
from pathlib import Path
from infra.storage.s3 import S3Store
from infra.storage.places import S3Place

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

store, file = S3Store(S3Place(sys.argv[1], "", sys.argv[2])), Path(sys.argv[3])
store.put_once("small", b"x" * 2**20)
store.get("small")
start = peak()
assert store.put_once("large", file)
up = peak()
print(up - start, peak() - start, store.fetch("large", file.with_suffix(".copy")), peak() - start)
"""


@pytest.mark.slow
def test_an_object_of_300_megabytes_takes_little_memory_either_way(aws: str, tmp_path: Path) -> None:
    file, place = tmp_path / "large", new_bucket(aws, versions=True)
    with file.open("wb") as to:
        for _ in range(300):
            to.write(os.urandom(2**20))
    command = [sys.executable, "-c", GROWS, place.bucket, aws, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    up, _, sha256, both = done.stdout.split()
    print(f"300 MiB: peak memory grew by {up} MiB on the way up, {both} MiB on the way up and down")
    assert sha256 == content_hash(file) == content_hash(file.with_suffix(".copy"))
    assert int(both) < 100


# A proxy in front of a store, and the faults it is set to make


class Between(BaseHTTPRequestHandler):
    """Hands requests on to moto, and does something wrong on the way."""

    protocol_version = "HTTP/1.1"
    to: ClassVar[str]
    drops: ClassVar[set[str]] = set()
    cuts: ClassVar[list[int]] = []
    alters: ClassVar[bool] = False
    hides: ClassVar[bool] = False
    conflicts: ClassVar[list[str]] = []
    asked: ClassVar[list[str]] = []

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append(f"{self.command} {self.headers.get('Range', '')}".strip())
        if self.conflicts and self.command == "PUT":
            error_body = f"<Error><Code>{self.conflicts.pop()}</Code></Error>".encode()
            self.answer(409, {"Content-Type": "application/xml"}, error_body)
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() not in {*self.drops, "host", "expect"}}
        upstream = HTTPConnection(self.to.removeprefix("http://"))
        upstream.request(self.command, self.path, body, headers)
        given = upstream.getresponse()
        data = given.read()
        if self.hides and b"<Contents>" in data:
            data = data[: data.index(b"<Contents>")] + data[data.rindex(b"</Contents>") + 11 :]
        if self.alters and self.command == "GET" and "list-type" not in self.path:
            data = data[:-1] + b"?"
        self.answer(given.status, dict(given.getheaders()), data)

    def answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding", "date", "server"}:
                self.send_header(name, value)
        length = headers.get("Content-Length", str(len(data))) if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command == "GET" and self.cuts and "list-type" not in self.path and "versioning" not in self.path:
            self.wfile.write(data[: self.cuts.pop()])
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any  # noqa: N815  http.server's names

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def between(s3: S3Place) -> Iterator[Callable[..., S3Store]]:
    """Give what makes a store behind a server that does something wrong."""
    servers = []

    def make(**options: Any) -> S3Store:
        handler = type("Wrong", (Between,), {"to": s3.endpoint, "asked": [], **options})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        store = S3Store(S3Place(s3.bucket, s3.prefix, f"http://127.0.0.1:{server.server_port}"))
        store.asked = handler.asked  # type: ignore[attr-defined]
        return store

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_store_that_heeds_all_is_taken(between: Callable[..., S3Store]) -> None:
    between().probe()


def test_a_store_that_ignores_conditional_writes_is_refused(between: Callable[..., S3Store]) -> None:
    with pytest.raises(StoreError, match=r"this store ignores If-None-Match.*overwrote"):
        between(drops={"if-none-match"}).probe()


def test_a_store_whose_listing_lags_is_refused(between: Callable[..., S3Store]) -> None:
    with pytest.raises(StoreError, match="ignores a write when it lists"):
        between(hides=True).probe()


def test_a_download_that_breaks_off_goes_on(between: Callable[..., S3Store], tmp_path: Path) -> None:
    data = os.urandom(3 * 2**20)
    store = between(cuts=[2**20 + 7, 2**20])
    store.put_once("file", data)
    assert store.fetch("file", tmp_path / "copy") == hashlib.sha256(data).hexdigest()
    assert (tmp_path / "copy").read_bytes() == data
    ranges = [request for request in store.asked if request.startswith("GET bytes")]  # type: ignore[attr-defined]
    assert len(ranges) == 2, "gone on with, not begun again"


def test_a_download_that_always_breaks_off_is_reported(between: Callable[..., S3Store]) -> None:
    store = between(cuts=[1] * 50)
    store.put_once("file", b"x" * 1000)
    with pytest.raises(StoreError, match="breaks off again and again"):
        store.get("file")


def test_altered_bytes_are_found(between: Callable[..., S3Store]) -> None:
    store = between(alters=True)
    store.put_once("file", b"x" * 1000)
    with pytest.raises(StoreError, match="arrived with other bytes than its checksum says"):
        store.get("file")


def test_a_write_that_meets_another_is_tried_again(between: Callable[..., S3Store]) -> None:
    store = between(conflicts=["ConditionalRequestConflict"] * 2)
    assert store.put_once("file", b"x")
    assert store.get("file") == b"x"


# What is wrong with the way there


def test_what_is_wrong_on_the_way_is_reported(s3: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match=r"s3://no-such-bucket.*there is no such bucket"):
        S3Store(S3Place("no-such-bucket", "", s3.endpoint)).probe()
    monkeypatch.setattr(landing_s3, "_client", landing_s3._client.__wrapped__)  # noqa: SLF001  a client of its own
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(StoreError, match="no credentials are found"):
        S3Store(s3).get("file")


def test_found_is_what_a_listing_gives() -> None:
    assert StoredObject._fields == ("key", "version", "bytes", "modified")


@pytest.mark.parametrize("replaced", ["file", "folder"])
def test_what_a_link_has_taken_the_place_of_is_not_read(tmp_path: Path, replaced: str) -> None:
    store, outside = FolderStore(tmp_path / "arrivals"), tmp_path / "outside"
    file = tmp_path / "arrivals" / "ond" / "c" / "x.csv"
    for folder in (file.parent, outside):
        folder.mkdir(parents=True)
        (folder / "x.csv").write_bytes(b"shown ")
        os.utime(folder / "x.csv", (1, 1))
    (outside / "x.csv").write_bytes(b"secret")
    os.utime(outside / "x.csv", (1, 1))
    (found,) = store.listing()
    assert store.get(found.key, found.version) == b"shown "
    file.unlink()
    if replaced == "file":
        file.symlink_to(outside / "x.csv")
    else:
        file.parent.rmdir()
        file.parent.symlink_to(outside)
    for read in (store.get, lambda *given: store.fetch(given[0], tmp_path / "copy", given[1])):
        with pytest.raises(StoreError, match="cannot be read"):
            read(found.key, found.version)


def test_a_pipe_that_takes_the_place_of_a_file_does_not_block(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="no regular file"):
        store.get("pipe")


def test_what_is_stored_is_for_this_user_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        store = FolderStore(tmp_path / "landing")
        assert store.put_once("contract/sender/hash", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "landing/contract/sender/hash").stat().st_mode & 0o777 == 0o600
    for folder in ("landing", "landing/contract", "landing/contract/sender"):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700
