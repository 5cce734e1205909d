"""Watching a folder: a file is told once, when neither its bytes nor its name have changed for half a second."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.storage import folder_watch
from infra.storage.folder_watch import QUIET_SECONDS, FolderWatch, is_quiet
from schemas.errors import StoreError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give a clock: seconds that the time of day, and that which only goes on, are ahead."""
    ahead = SimpleNamespace(day=0.0, steady=0.0)
    day, day_ns, steady = time.time, time.time_ns, time.monotonic
    monkeypatch.setattr(folder_watch.time, "time", lambda: day() + ahead.day)
    monkeypatch.setattr(folder_watch.time, "time_ns", lambda: day_ns() + int(ahead.day * 1e9))
    monkeypatch.setattr(folder_watch.time, "monotonic", lambda: steady() + ahead.steady)
    return ahead


def polled(watch: FolderWatch) -> list[str]:
    return [found.key for found in watch.poll()]


@pytest.mark.parametrize(("modified", "renamed", "quiet"), [
    (99.5, 99.5, True), (99.6, 99.5, False), (99.5, 99.6, False), (90, 90, True), (101, 90, False),
])  # fmt: skip
def test_a_file_is_quiet_half_a_second_after_its_last_change(
    monkeypatch: pytest.MonkeyPatch, modified: float, renamed: float, quiet: bool
) -> None:
    monkeypatch.setattr(folder_watch.time, "time", lambda: 100.0)
    times = os.stat_result((0, 0, 0, 0, 0, 0, 0, 0, modified, renamed))
    assert is_quiet(times) is quiet


def test_a_file_is_told_once_when_it_is_complete(tmp_path: Path, clock: SimpleNamespace) -> None:
    watch = FolderWatch(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1").write_bytes(b"x")
    (tmp_path / "a/.hidden").write_bytes(b"x")
    assert polled(watch) == []
    clock.day = QUIET_SECONDS + 0.1
    assert polled(watch) == ["a/1"]
    assert polled(watch) == []
    (tmp_path / "b").write_bytes(b"y")
    clock.day += 60
    assert polled(watch) == ["b"]


def test_a_file_in_a_new_folder_below_is_found(tmp_path: Path, clock: SimpleNamespace) -> None:
    watch = FolderWatch(tmp_path)
    clock.day = 60
    assert polled(watch) == []
    (tmp_path / "x/y").mkdir(parents=True)
    (tmp_path / "x/y/2").write_bytes(b"")
    (tmp_path / "x/1").write_bytes(b"")
    assert polled(watch) == ["x/1", "x/y/2"]
    (tmp_path / "x/y/3").write_bytes(b"")
    assert polled(watch) == ["x/y/3"]


def test_where_the_disk_has_another_clock_two_polls_tell(tmp_path: Path, clock: SimpleNamespace) -> None:
    watch = FolderWatch(tmp_path)
    (tmp_path / "a").write_bytes(b"x")
    clock.day = -3600
    assert polled(watch) == []
    clock.steady = QUIET_SECONDS - 0.2
    assert polled(watch) == []
    (tmp_path / "a").write_bytes(b"xy")
    clock.steady = 2 * QUIET_SECONDS
    assert polled(watch) == [], "it has grown since"
    clock.steady = 4 * QUIET_SECONDS
    assert polled(watch) == ["a"]
    assert polled(watch) == []


def test_a_file_that_is_gone_before_it_is_complete_is_forgotten(tmp_path: Path) -> None:
    watch = FolderWatch(tmp_path)
    (tmp_path / "a").write_bytes(b"x")
    assert polled(watch) == []
    (tmp_path / "a").unlink()
    assert polled(watch) == []
    assert watch._growing == {}  # noqa: SLF001


def test_links_are_not_followed(tmp_path: Path, clock: SimpleNamespace) -> None:
    clock.day = 60
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret").write_bytes(b"")
    (inside / "folder").symlink_to(outside)
    (inside / "file").symlink_to(outside / "secret")
    assert polled(FolderWatch(inside)) == []


def test_a_folder_that_is_not_there_yet_has_no_files(tmp_path: Path) -> None:
    assert polled(FolderWatch(tmp_path / "later")) == []


def test_a_folder_that_cannot_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folder_watch, "_entries", refuse)
    with pytest.raises(StoreError) as raised:
        polled(FolderWatch(tmp_path))
    expected = f"{tmp_path}: cannot be read ([Errno 13] Permission denied); give this user the right to read it"
    assert str(raised.value) == expected
