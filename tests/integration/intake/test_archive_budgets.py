"""An archive is unpacked within one budget for all its members, which is checked before a member is received."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from flows.intake import archives
from flows.intake.archives import check_size, read_files
from infra.settings import Settings, read_settings
from schemas import reading_limits
from schemas.errors import UsageError
from schemas.reading_limits import ReadingLimits
from tests.support.small_installation import open_small

MIB = 2**20


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(reading_limits, "ALWAYS_UNPACKED", MIB)
    return replace(read_settings(tmp_path), reading=ReadingLimits(unpack_ratio=20))


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def overlapping(path: Path) -> Path:
    """Write a zip whose directory names one member's bytes three times."""
    data = zipped(path, {"a.csv": b"a;b\n1;2\n" * 1000}).read_bytes()
    end = data.rindex(b"PK\x05\x06")
    (start,) = struct.unpack_from("<I", data, end + 16)
    entry = data[start:end]
    entries = entry + entry.replace(b"a.csv", b"b.csv") + entry.replace(b"a.csv", b"c.csv")
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 3, 3, len(entries), start, 0)
    path.write_bytes(data[:start] + entries + tail)
    return path


def test_members_of_a_zip_count_together_and_none_is_yielded_beyond(settings: Settings, tmp_path: Path) -> None:
    members = {f"{n}.csv": b"0" * (MIB // 3) for n in range(4)}
    found: list[tuple[str, object]] = []
    with pytest.raises(UsageError, match="ENGANG_UNPACK_RATIO"):
        found.extend(read_files(zipped(tmp_path / "a.zip", members), settings))
    assert found == []
    assert len(list(read_files(zipped(tmp_path / "b.zip", dict(list(members.items())[:3])), settings))) == 3


@pytest.mark.parametrize("mode", ["w:xz", "w:bz2", "w:gz"])
def test_a_packed_tar_ends_at_its_ratio(settings: Settings, tmp_path: Path, mode: str) -> None:
    path = tarred(tmp_path / f"a.tar.{mode[2:]}", {"a.csv": b"0" * (3 * MIB)}, mode)
    with pytest.raises(UsageError, match="the limit for an archive of its size"):
        list(read_files(path, settings))


@pytest.mark.parametrize("pack", [lzma.compress, bz2.compress])
def test_a_bomb_is_not_unpacked_to_its_end(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: object
) -> None:
    path = tmp_path / ("a.tar.xz" if pack is lzma.compress else "a.tar.bz2")
    path.write_bytes(pack(b"\0" * (200 * MIB)))  # type: ignore[operator]
    counted: list[int] = []
    real = archives.Unpacked.add

    def add(self: archives.Unpacked, size: int) -> None:
        counted.append(size)
        real(self, size)

    monkeypatch.setattr(archives.Unpacked, "add", add)
    with pytest.raises(UsageError):
        list(read_files(path, settings))
    assert sum(counted) < 10 * MIB


def test_members_that_overlap_are_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="overlap"):
        list(read_files(overlapping(tmp_path / "a.zip"), settings))


def test_a_gzip_is_bounded_by_its_ratio(settings: Settings) -> None:
    check_size("a.gz", gzip.compress(b"0" * MIB), settings)
    with pytest.raises(UsageError, match="bytes of gzip that hold more than"):
        check_size("a.gz", gzip.compress(b"0" * (MIB + 1)), settings)


def test_endings_in_capitals_and_lock_files(settings: Settings, tmp_path: Path) -> None:
    path = zipped(tmp_path / "A.ZIP", {"a.csv": b"a", "~$a.xlsx": b"b", "x/~$b.xlsx": b"c", ".hidden": b"d"})
    assert list(read_files(path, settings)) == [("a.csv", b"a")]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "~$a.xlsx").write_bytes(b"b")
    (folder / "a.csv").write_bytes(b"a")
    assert list(read_files(folder, settings)) == [("a.csv", b"a")]
    assert [name for name, _ in read_files(tarred(tmp_path / "B.TAR", {"b.csv": b"b"}), settings)] == ["b.csv"]


def test_a_large_member_goes_to_a_file_of_ours_that_ends_with_its_use(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "STREAM_ABOVE_BYTES", 3)
    members = read_files(zipped(tmp_path / "a.zip", {"../../a.csv": b"large", "b.csv": b"abc"}), settings)
    ((name, path), (_, small)) = members
    assert isinstance(path, Path)
    assert (name, small, path.read_bytes()) == ("../../a.csv", b"abc", b"large")
    assert path.name.startswith("engang-")
    where = Path(str(path))
    assert where.stat().st_mode & 0o777 == 0o600
    del path, members
    assert not where.exists()


def test_an_archive_of_a_large_member_is_received(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.intake.deliveries import deliveries_from_paths
    from flows.intake.registration import receive
    from tests.support.small_installation import HEADER

    home = open_small(tmp_path / "home")
    monkeypatch.setattr(archives, "STREAM_ABOVE_BYTES", 3)
    members = {f"{n}.csv": f"{HEADER}0301;0{n}.01.2024;alle;{n};\n".encode() for n in (1, 2)}
    paths = [zipped(tmp_path / "a.zip", members)]
    given = deliveries_from_paths(home, paths, "folketall", sender="kommunen", period=None)
    assert [r.status for receipts in receive(home, given) for r in receipts] == ["registered"] * 2
