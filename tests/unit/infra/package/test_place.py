"""Packages in a folder: each whole or not at all, listed, and `latest` a link to one of them."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from infra.package import place
from infra.package.place import DESCRIPTOR, LATEST_PACKAGE, VERSIONS
from schemas.errors import StoreError, UsageError


def publish(root: Path, release: int, text: str = "x") -> None:
    """Write a package, list it and let `latest` hold the newest."""
    with place.package_folder(root, str(release)) as folder:
        (folder / DESCRIPTOR).write_text(json.dumps({"engang": {"release": release}}), encoding="utf-8")
        (folder / "data.csv").write_text(text, encoding="utf-8")
    place.point_latest(root, str(place.list_version(root, {"release": release, "text": text})))


def listed(root: Path) -> list[int]:
    return [entry["release"] for entry in place.read_versions(root)]


def test_where_nothing_is_published_nothing_is_listed(tmp_path: Path) -> None:
    assert (listed(tmp_path), place.latest_version(tmp_path), place.list_packages(tmp_path)) == ([], None, [])
    place.remove_versions(tmp_path, [1])
    place.remove_packages(tmp_path / "absent")
    assert not list(tmp_path.iterdir())


def test_versions_are_in_order_of_their_releases_and_latest_is_the_newest(tmp_path: Path) -> None:
    for release in (9, 10, 2):
        publish(tmp_path, release)
    assert listed(tmp_path) == [2, 9, 10]
    assert json.loads((tmp_path / VERSIONS).read_text())["latest"] == 10
    assert place.latest_version(tmp_path) == 10
    assert (tmp_path / LATEST_PACKAGE).readlink() == Path("10")


def test_a_package_that_is_written_again_replaces_itself_alone(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    publish(tmp_path, 2)
    publish(tmp_path, 1, "new")
    assert place.read_versions(tmp_path) == [{"release": 1, "text": "new"}, {"release": 2, "text": "x"}]
    assert (tmp_path / "1" / "data.csv").read_text() == "new"
    assert place.latest_version(tmp_path) == 2


def test_a_package_that_fails_leaves_the_earlier_one(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with suppress(ZeroDivisionError), place.package_folder(tmp_path, "1") as folder:
        (folder / "data.csv").write_text("half", encoding="utf-8")
        raise ZeroDivisionError
    assert (tmp_path / "1" / "data.csv").read_text() == "x"


def test_a_folder_that_holds_anything_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "thesis.txt").write_text("mine", encoding="utf-8")
    expected = f"{tmp_path}/1 already exists and holds no package: name a new folder, `--to {tmp_path}/1/package`"
    with pytest.raises(UsageError) as caught, place.package_folder(tmp_path, "1"):
        raise AssertionError
    assert str(caught.value) == expected
    assert (tmp_path / "1" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("removed", [[1], [1, 2], [1, 2, 3], [7]])
def test_packages_that_are_removed_are_listed_no_more(removed: list[int], tmp_path: Path) -> None:
    for release in (1, 2, 3):
        publish(tmp_path, release)
    place.remove_versions(tmp_path, removed)
    remaining = [release for release in (1, 2, 3) if release not in removed]
    assert listed(tmp_path) == remaining
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.isdecimal()) == [str(r) for r in remaining]


def test_what_a_killed_night_left_is_a_package_too_and_what_others_put_there_is_not(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    for name in (".2.partial", ".1.previous", "3", "notes", ".hidden", ".x.partial"):
        (tmp_path / name).mkdir()
    (tmp_path / "4").write_text("a file", encoding="utf-8")
    (tmp_path / "notes" / DESCRIPTOR).write_text("{}", encoding="utf-8")
    (tmp_path / "5").symlink_to("notes")
    assert place.list_packages(tmp_path) == [f"{tmp_path}/{name}/" for name in (".1.previous", ".2.partial", "1")]
    place.remove_packages(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", ".x.partial", "3", "4", "5", "notes"]


def test_a_listed_package_whose_descriptor_was_lost_is_removed_with_the_others(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    (tmp_path / "1" / DESCRIPTOR).unlink()
    assert place.list_packages(tmp_path) == [f"{tmp_path}/1/"]
    place.remove_packages(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_place_on_s3(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no place on S3"):
        place._store(tmp_path)  # noqa: SLF001
