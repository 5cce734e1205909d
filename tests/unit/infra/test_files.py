"""Files and folders written atomically: whole or not at all, with nothing left of what failed."""

import os
from pathlib import Path

import polars as pl
import pytest

from infra import files
from infra.files import atomic_folder, atomic_path, check_input, write_atomic, write_model, write_parquet
from schemas.errors import StoreError, UsageError, os_error_number


class CrashError(Exception):
    """Stands for whatever ends a process in the middle of a write."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail(*_: object, **__: object) -> None:
    raise OSError(28, os.strerror(28))


def fill_and_crash(folder: Path) -> None:
    with atomic_folder(folder) as temporary:
        assert names(temporary) == []
        (temporary / "release.json").write_text("new")
        raise CrashError


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_atomic(file, "æ")
    assert file.read_bytes() == b"\xc3\xa6"
    write_atomic(file, b"\x00\xff")
    assert file.read_bytes() == b"\x00\xff"
    assert names(tmp_path) == ["a.json"]


def test_a_crash_before_the_replacement_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_atomic(file, "old")

    def write_and_crash() -> None:
        with atomic_path(file) as temporary:
            temporary.write_text("ne")
            assert temporary.parent == tmp_path, "a rename does not cross file systems"
            assert temporary.name.startswith("."), "no listing takes it for a file"
            raise CrashError

    with pytest.raises(CrashError):
        write_and_crash()
    assert (file.read_text(), names(tmp_path)) == ("old", ["a.json"])


@pytest.mark.parametrize("step", ["sync_to_disk", "replace"])
def test_an_error_while_a_file_is_put_in_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    file = tmp_path / "a.json"
    write_atomic(file, "old")
    monkeypatch.setattr(files if step == "sync_to_disk" else Path, step, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(file, "new")
    assert (file.read_text(), names(tmp_path)) == ("old", ["a.json"])


def test_a_file_is_on_disk_before_it_has_its_name_and_its_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_sync, real_replace = files.sync_to_disk, Path.replace

    def sync(path: Path) -> None:
        steps.append("sync folder" if path.is_dir() else "sync file")
        real_sync(path)

    def replace(path: Path, to: Path) -> Path:
        steps.append("replace")
        return real_replace(path, to)

    monkeypatch.setattr(files, "sync_to_disk", sync)
    monkeypatch.setattr(Path, "replace", replace)
    write_atomic(tmp_path / "a", "x")
    assert steps == ["sync file", "replace", "sync folder"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_a_file_has_the_mode_of_any_new_file(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "a", "x")
        with atomic_path(tmp_path / "b") as temporary:
            write_parquet(pl.DataFrame({"a": [1]}), temporary)
    finally:
        os.umask(before)
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in "ab"} == {mode}


def test_an_error_names_the_file_and_not_its_temporary_name(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "a.json"
    with pytest.raises(FileNotFoundError) as raised:
        write_atomic(file, "x")
    assert raised.value.filename == str(file)


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    for name in ("a" * 255, "€" * 85):
        write_atomic(tmp_path / name, "x")
    assert len(names(tmp_path)) == 2


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    for part in ("old", "new"):
        with atomic_folder(folder) as temporary:
            (temporary / part).mkdir()
            (temporary / part / "all.parquet").write_text(part)
    assert names(folder) == ["new"]
    assert names(tmp_path) == ["1"]


def test_a_folder_that_could_not_be_filled_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    with atomic_folder(folder) as temporary:
        (temporary / "release.json").write_text("old")
    with pytest.raises(CrashError):
        fill_and_crash(folder)
    assert ((folder / "release.json").read_text(), names(tmp_path)) == ("old", ["1"])


def test_a_folder_that_could_not_be_put_in_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "1"
    with atomic_folder(folder) as temporary:
        (temporary / "release.json").write_text("old")
    real = Path.rename

    def rename(path: Path, to: Path) -> Path:
        if path.name.endswith(".partial"):
            fail()
        return real(path, to)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="No space left"), atomic_folder(folder) as temporary:
        (temporary / "release.json").write_text("new")
    assert ((folder / "release.json").read_text(), names(tmp_path)) == ("old", ["1"])


def test_what_a_dead_process_left_of_a_folder_is_put_right(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    for left in (".1.partial", ".1.previous"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "release.json").write_text(left)
    with pytest.raises(CrashError):
        fill_and_crash(folder)
    assert ((folder / "release.json").read_text(), names(tmp_path)) == (".1.previous", ["1"])
    with atomic_folder(folder) as temporary:
        (temporary / "release.json").write_text("new")
    assert ((folder / "release.json").read_text(), names(tmp_path)) == ("new", ["1"])


def test_an_error_of_polars_is_one_of_the_system_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(message: str) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise pl.exceptions.ComputeError(message)

        monkeypatch.setattr(pl.DataFrame, "write_parquet", refuse)
        write_parquet(pl.DataFrame(), tmp_path / "a.parquet")

    with pytest.raises(OSError, match="No space left on device") as raised:
        write("parquet: File out of specification: No space left on device (os error 28)")
    assert (raised.value.errno, raised.value.filename) == (28, str(tmp_path / "a.parquet"))
    with pytest.raises(pl.exceptions.ComputeError, match="another"):
        write("another problem")


def test_the_number_of_a_system_s_error_is_read_from_a_message() -> None:
    assert os_error_number(OSError("Permission denied (os error 13): x")) == 13
    assert os_error_number(OSError("Permission denied")) is None


def test_a_model_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    assert write_model(tmp_path, "case", "0" * 64, "{}").read_text() == "{}"
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written: Not a directory"):
        write_model(tmp_path / "file", "case", "0" * 64, "{}")


def test_what_may_have_no_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for file in (tmp_path / "pipe", tmp_path / "zero", tmp_path):
        with pytest.raises(UsageError, match="it is no plain file"):
            check_input(file)


def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    check_input(tmp_path / "file", 5)
    check_input(tmp_path / "missing")
    with pytest.raises(UsageError, match="larger than 4 bytes"):
        check_input(tmp_path / "file", 4)
