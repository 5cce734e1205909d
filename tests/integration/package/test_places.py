"""Where packages are: a folder or S3, the newest under `latest`, none left of what was erased, written by hand too."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from flows.intake.deliveries import Delivery
from flows.intake.registration import receive
from flows.package import publish, rows
from flows.package.publish import package_night, write_package
from flows.pipeline import nightly
from flows.release.erase import erase
from flows.releases import find_release
from infra.package import place as places
from infra.package.place import (
    list_packages,
    list_version,
    package_folder,
    point_latest,
    read_versions,
    remove_packages,
)
from infra.settings import read_settings
from infra.storage.places import S3Place
from infra.storage.s3 import S3Store
from schemas.errors import UsageError
from tests.integration.package.conftest import Packages
from tests.support.cli_runner import engang
from tests.support.opened_tables import count_openings
from tests.support.small_installation import HEADER, open_small


def write(root: S3Place | Path, release: int, *extra: str) -> None:
    with package_folder(root, str(release)) as folder:
        (folder / "datapackage.json").write_text(json.dumps({"engang": {"release": release}}))
        for name in extra:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(name)
    point_latest(root, str(list_version(root, {"release": release, "path": f"{release}/"})))


def test_s3_has_packages_and_copies_of_the_latest(s3: S3Place) -> None:
    root = s3 / "packages"
    assert places.latest_version(root) is None
    write(root, 1, "csv/gone.csv")
    write(root, 2, "csv/new.csv")
    assert places.latest_version(root) == 2
    keys = {found.key for found in S3Store(root).listing()}
    assert keys == {
        "1/csv/gone.csv", "1/datapackage.json", "2/csv/new.csv", "2/datapackage.json", "latest/csv/new.csv",
        "latest/datapackage.json", "versions.json",
    }  # fmt: skip
    write(root, 1, "csv/again.csv")
    assert places.latest_version(root) == 2, "one that is written again is not the latest"
    assert [each["release"] for each in read_versions(root)] == [1, 2]
    remove_packages(root)
    assert list(S3Store(root).listing()) == []


def test_a_failed_package_leaves_all_as_it_was(tmp_path: Path, s3: S3Place) -> None:
    for root in (tmp_path, s3 / "packages"):
        write(root, 1)
        with pytest.raises(FileNotFoundError), package_folder(root, "2") as folder:
            (folder / "datapackage.json").rename(folder / "absent" / "file")
        assert places.latest_version(root) == 1
        assert len(read_versions(root)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "latest", "versions.json"]


@pytest.mark.usefixtures("unchecked")
def test_no_package_keeps_what_was_erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_EXPORTS", str(tmp_path / "out"))
    assert read_settings(tmp_path).packages_at == tmp_path / "out"
    home = open_small(tmp_path / "home")
    given_files = {"a.csv": "0301;01.01.2024;alle;54321;\n", "b.csv": "4601;01.01.2024;alle;6;\n"}
    given = [Delivery(name, f"{HEADER}{text}".encode(), "folketall", "kommunen") for name, text in given_files.items()]
    receipts = [receipt for some in receive(home, given) for receipt in some]
    assert package_night(home, None) is None
    messages: list[str] = []
    nightly(home, messages.append, export="never")
    assert "writing engang.duckdb" in messages
    nightly(home, messages.append, export="never")
    assert messages.count("writing engang.duckdb") == 1, "it is there already"
    for name in (".7.partial", "8", "9"):  # a killed night left two of them, the last one is somebody's
        (tmp_path / "out" / name).mkdir()
    (tmp_path / "out" / "8" / "datapackage.json").write_text("{}")
    done = erase(home, receipts[0].submission_id, why="a test", who="me")
    assert done.packages == [f"{tmp_path / 'out'}/{name}/" for name in (".7.partial", "1", "8")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["2", "9", "latest", "versions.json"]
    for file in (tmp_path / "out" / "latest" / "parquet").iterdir():
        assert "54321" not in pl.read_parquet(file).write_json()
    assert pl.read_parquet(tmp_path / "out" / "latest" / "parquet" / "history.parquet")["value"].to_list() == [6]


def test_a_package_that_is_written_while_a_submission_is_erased_is_removed(
    packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = replace(packages.home, settings=replace(packages.home.settings, packages_at=tmp_path / "out"))
    monkeypatch.setattr(publish, "oldest_readable_release", lambda _: 4)
    with pytest.raises(UsageError, match="a submission was erased while"):
        write_package(home, find_release(home, 3))
    assert list((tmp_path / "out").iterdir()) == []


def test_the_command_writes_a_package_by_hand(
    packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = packages.home.settings
    monkeypatch.setenv("ENGANG_HOME", str(settings.home))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(settings.contracts))
    monkeypatch.delenv("ENGANG_EXPORTS", raising=False)
    result = engang("export", "--format", "package", "--release", "1", "--to", tmp_path / "one", "--json")
    described = result.json
    assert (described["release"], described["place"]) == (1, str(tmp_path / "one"))
    assert described["rows"]["observations"] == 3
    assert described["files"] == len([path for path in (tmp_path / "one").rglob("*") if path.is_file()])
    assert "writing engang.duckdb" in result.err
    assert {path.name for path in tmp_path.iterdir()} == {"one"}, "what is written by hand is no version"


def test_settings_of_a_publication_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_PUBLISHER", "Etaten")
    monkeypatch.setenv("ENGANG_EXPORTS_URL", "https://example.org/data/")
    publication = read_settings().publication
    assert (publication.publisher, publication.address) == ("Etaten", "https://example.org/data")
    monkeypatch.setenv("ENGANG_EXPORTS_URL", "example.org")
    with pytest.raises(UsageError, match="ENGANG_EXPORTS_URL"):
        read_settings()


def test_a_package_opens_each_table_once(packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "GROUP_BYTES", 1)  # each month is read by itself
    release = find_release(packages.home, 3)
    opened = count_openings(monkeypatch)
    assert write_package(packages.home, release, tmp_path / "three").rows["observations"] == 4
    assert {name for name, n in opened.items() if n > 1} == set()
    assert opened["observations"] == opened["coverage"] == 1


def test_a_night_publishes_to_s3(packages: Packages, s3: S3Place) -> None:
    root = s3 / "packages"
    home = replace(packages.home, settings=replace(packages.home.settings, packages_at=root))
    done = package_night(home, 3)
    assert done is not None
    assert done.place == f"{root}/3"
    assert package_night(home, 3) is None, "it is there already"
    store = S3Store(root)
    descriptor = json.loads(store.get("latest/datapackage.json"))
    for resource in descriptor["resources"][:4]:
        assert hashlib.sha256(store.get(f"latest/{resource['path']}")).hexdigest() in resource["hash"]
    copies = [found.key for found in store.listing("latest/")]
    assert len(copies) == done.files == len(list(store.listing("3/")))
    assert list_packages(home.settings.packages) == [f"{root}/3/"]
