"""Names of archives and of what is no delivery; what an archive may hold; the files of a folder and of an archive."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from flows.intake import archives
from flows.intake.archives import Unpacked, archive_ending, check_size, is_archive, is_hidden, read_files
from infra.settings import Settings, read_settings
from schemas.errors import OverLimitError, UsageError


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return read_settings(tmp_path_factory.mktemp("home"))


def contents(found: Iterator[tuple[str, bytes | Path]]) -> list[tuple[str, bytes]]:
    return [(name, data if isinstance(data, bytes) else data.read_bytes()) for name, data in found]


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.zip", ".zip"), ("A.ZIP", ".zip"), ("a.tar", ".tar"), ("a.tgz", ".tgz"), ("a.tar.gz", ".tar.gz"),
        ("a.Tar.Xz", ".tar.xz"), ("a.tar.bz2", ".tar.bz2"),
    ],
)  # fmt: skip
def test_an_archive_is_known_by_its_ending(name: str, ending: str) -> None:
    assert is_archive(name)
    assert archive_ending(name) == ending


@pytest.mark.parametrize("name", ["a.csv", "a.gz", "a.csv.gz", "zip", "a.zip.csv", "a.xlsx"])
def test_other_files_are_not_unpacked(name: str) -> None:
    assert not is_archive(name)


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        (".a.csv", True), ("b/.git/a.csv", True), ("~$a.xlsx", True), ("__MACOSX/a.csv", True), ("a.csv", False),
        ("b/a.csv", False), ("../a.csv", False), ("a~$.csv", False),
    ],
)  # fmt: skip
def test_hidden_files_are_no_deliveries(name: str, hidden: bool) -> None:
    assert is_hidden(name) is hidden


def test_an_archive_may_hold_so_many_bytes_and_files_and_no_more(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"x" * 10)
    budget = Unpacked(path, replace(settings, max_archive_files=2))
    budget.add(budget.most - 1)
    budget.add(1)
    with pytest.raises(UsageError, match=f"a.zip: it unpacks to more than {budget.most} bytes"):
        budget.add(1)
    budget.add_member()
    budget.add_member()
    with pytest.raises(UsageError, match=r"a.zip: more than 2 files; split the archive"):
        budget.add_member()


@pytest.mark.parametrize(("size", "fits"), [(100, True), (101, False)])
def test_a_file_has_a_greatest_size(settings: Settings, size: int, fits: bool) -> None:
    small = replace(settings, max_file_bytes=100)
    for delivered in (size, b"x" * size):
        if fits:
            check_size("f", delivered, small)
        else:
            with pytest.raises(UsageError, match="f: 101 bytes, the limit is 100; deliver it in parts"):
                check_size("f", delivered, small)


def test_the_files_of_a_folder_come_in_the_order_of_their_names(tmp_path: Path, settings: Settings) -> None:
    for name in ("b.csv", "a/z.csv", "a/y.csv", ".hidden", "a/~$y.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert contents(read_files(tmp_path, settings)) == [
        ("a/y.csv", b"a/y.csv"), ("a/z.csv", b"a/z.csv"), ("b.csv", b"b.csv"),
    ]  # fmt: skip
    assert contents(read_files(tmp_path / "b.csv", settings)) == [("b.csv", b"b.csv")]
    with pytest.raises(UsageError, match="no such file or folder"):
        list(read_files(tmp_path / "none", settings))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("above", [3, 50, 1 << 20])
def test_a_file_over_its_limit_is_refused_whether_it_is_streamed_or_not(
    tmp_path: Path, settings: Settings, above: int, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    monkeypatch.setattr(archives, "STREAM_ABOVE_BYTES", above)
    data = gzip.compress(b"x" * 50) if packed else b"x" * 50
    (tmp_path / "f").write_bytes(data)
    ((name, content),) = read_files(tmp_path / "f", settings)
    assert (name, isinstance(content, Path)) == ("f", above == 3 and not packed)
    with pytest.raises(UsageError, match="f: "):
        list(read_files(tmp_path / "f", replace(settings, max_file_bytes=len(data) - 1)))
    if packed:
        assert len(list(read_files(tmp_path / "f", replace(settings, max_file_bytes=50)))) == 1
        with pytest.raises(UsageError, match="bytes of gzip that hold more than 49"):
            list(read_files(tmp_path / "f", replace(settings, max_file_bytes=49)))


def zipped(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def tarred(path: Path, **members: bytes) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)


MEMBERS = {"b": b"second", "a": b"first", ".c": b"hidden"}


@pytest.mark.parametrize("limit", [1 << 20, 6, 5, 3])
def test_the_members_of_an_archive_are_its_files(
    tmp_path: Path, settings: Settings, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "STREAM_ABOVE_BYTES", limit)
    zipped(tmp_path / "a.zip", **MEMBERS)
    tarred(tmp_path / "a.tgz", **MEMBERS)
    members = list(read_files(tmp_path / "a.zip", settings))
    assert [isinstance(data, Path) for _, data in members] == [limit < 5, limit < 6]
    assert contents(iter(members)) == [("a", b"first"), ("b", b"second")]
    assert sorted(contents(read_files(tmp_path / "a.tgz", settings))) == [("a", b"first"), ("b", b"second")]


@pytest.mark.parametrize("name", ["a.zip", "a.tgz"])
def test_an_archive_over_its_budget_gives_no_member(tmp_path: Path, settings: Settings, name: str) -> None:
    (zipped if name == "a.zip" else tarred)(tmp_path / name, **MEMBERS)
    with pytest.raises(UsageError, match="more than 1 files"):
        list(read_files(tmp_path / name, replace(settings, max_archive_files=1)))
    with pytest.raises(UsageError, match="6 bytes, the limit is 5"):
        list(read_files(tmp_path / name, replace(settings, max_file_bytes=5)))


def test_a_member_over_its_limit_is_refused_and_the_others_are_read(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "STREAM_ABOVE_BYTES", 40)
    zipped(tmp_path / "a.zip", a=b"x", b=gzip.compress(b"y" * 50), c=b"z" * 41, d=b"w" * 40)
    refused: list[OverLimitError] = []
    small = replace(settings, max_file_bytes=40)
    assert contents(read_files(tmp_path / "a.zip", small, refused.append)) == [("a", b"x"), ("d", b"w" * 40)]
    assert [str(error).split(": ", 1)[0] for error in refused] == ["b", "c"]


@pytest.mark.parametrize("name", ["a.zip", "a.tgz"])
@pytest.mark.parametrize("most", [11, 11_000, 100_000])
def test_an_archive_that_unpacks_to_more_than_its_budget_gives_no_member(
    tmp_path: Path, settings: Settings, name: str, most: int
) -> None:
    (zipped if name == "a.zip" else tarred)(tmp_path / name, a=b"x" * 6_000, b=b"y" * 5_001)
    limited = replace(settings, reading=replace(settings.reading, unpacked_bytes=most))
    if most == 100_000:
        assert len(contents(read_files(tmp_path / name, limited))) == 2
    else:
        refused: list[OverLimitError] = []
        assert list(read_files(tmp_path / name, limited, refused.append)) == []
        assert f"it unpacks to more than {most} bytes" in str(refused[0])


def test_members_that_share_bytes_are_refused(tmp_path: Path, settings: Settings) -> None:
    zipped(tmp_path / "a.zip", a=b"first", b=b"other")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    second = data.rindex(b"PK\x01\x02") + 42  # where the directory says that it begins
    data[second : second + 4] = bytes(4)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(UsageError, match=r"a.zip: its members overlap"):
        list(read_files(tmp_path / "a.zip", settings))


@pytest.mark.parametrize(("second", "overlaps"), [(42, False), (41, True), (0, True)])
def test_a_member_begins_where_the_one_before_ends(tmp_path: Path, second: int, overlaps: bool) -> None:
    members = [zipfile.ZipInfo("bb"), zipfile.ZipInfo("aa")]
    for member, start in zip(members, (second, 0), strict=True):
        member.header_offset, member.compress_size = start, 10
    with pytest.raises(UsageError) if overlaps else nullcontext():
        archives._refuse_overlaps(tmp_path / "a.zip", members)  # noqa: SLF001  no archive is written like this


@pytest.mark.parametrize("name", ["a.zip", "a.tar.xz", "a.tar"])
def test_what_is_no_archive_is_an_error_with_what_to_do(tmp_path: Path, settings: Settings, name: str) -> None:
    (tmp_path / name).write_bytes(b"no archive" * 100)
    with pytest.raises(UsageError, match=f"(?s){name}: cannot be unpacked .*; make the archive again$"):
        list(read_files(tmp_path / name, settings))
