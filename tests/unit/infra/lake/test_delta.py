"""The lake's tables: versions, what a run wrote itself, restoring to a release, partitions."""

from pathlib import Path

import polars as pl
import pytest

from infra.lake import delta as lake
from infra.lake.partitions import partition_rows, partition_sizes
from schemas.claims import frame_schema
from schemas.errors import StoreError

SCHEMA = frame_schema(lake.RETIRED)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a lake with one table of retired items, still empty."""
    lake._create(tmp_path, "retired", SCHEMA)  # noqa: SLF001
    return tmp_path


def rows(*given: tuple[str, int, str]) -> pl.DataFrame:
    return pl.DataFrame(list(given), SCHEMA, orient="row")


def ids(root: Path, version: int | None = None, partitions: list[str] | None = None) -> list[str]:
    return lake.scan(root, "retired", version, partitions).collect()["item_id"].sort().to_list()


def add(root: Path, item: str, month: str = "2026-01") -> None:
    lake.append(root, "retired", rows((item, 1, month)))


def test_each_append_is_a_version_and_nothing_is_none(root: Path) -> None:
    add(root, "a")
    add(root, "b", "2026-02")
    lake.append(root, "retired", rows())
    assert lake.newest_versions(root) == {"retired": 2}
    assert [ids(root, version) for version in (0, 1, 2, None)] == [[], ["a"], ["a", "b"], ["a", "b"]]
    assert ids(root, None, ["2026-02"]) == ["b"]
    assert [lake.list_partitions(root, "retired", version) for version in (0, 1, 2)] == [
        [], ["2026-01"], ["2026-01", "2026-02"],
    ]  # fmt: skip
    assert sorted(partition_rows(root, "retired").rows()) == [("2026-01", 1), ("2026-02", 1)]
    assert [month for month, size in partition_sizes(root, "retired") if size > 0] == ["2026-01", "2026-02"]
    assert (lake.exists(root, "retired"), lake.exists(root, "sources")) == (True, False)


def test_a_table_of_an_older_version_gets_the_columns_that_it_lacks(tmp_path: Path) -> None:
    older = pl.Schema({name: dtype for name, dtype in SCHEMA.items() if name != "release"})
    lake._create(tmp_path, "retired", older)  # noqa: SLF001
    lake._write(tmp_path, "retired", rows(("a", 1, "2026-01")).drop("release"), mode="append")  # noqa: SLF001
    assert lake.scan(tmp_path, "retired").select(SCHEMA.names()).collect().rows() == [("a", None, "2026-01")]
    add(tmp_path, "b")
    assert lake.scan(tmp_path, "retired").sort("item_id").select("item_id", "release").collect().rows() == [
        ("a", None), ("b", 1),
    ]  # fmt: skip


def test_only_the_partitions_that_are_named_are_overwritten(root: Path) -> None:
    for item, month in (("a", "2026-01"), ("b", "2026-02"), ("c", "2026-03")):
        add(root, item, month)
    lake.overwrite(root, "retired", ["2026-01", "2026-02"], rows(("d", 2, "2026-02")))
    assert ids(root) == ["c", "d"]
    lake.overwrite(root, "retired", ["2026-02"], rows())
    assert ids(root) == ["c"]


def test_what_was_written_after_the_release_is_removed(root: Path) -> None:
    for item in "ab":
        add(root, item)
    lake.restore(root, {"retired": 1})
    assert ids(root) == ["a"]
    assert lake.newest_versions(root) == {"retired": 3}
    lake.restore(root, {"retired": 3})
    assert lake.newest_versions(root) == {"retired": 3}, "nothing is left to remove"
    lake.restore(root, {})
    assert ids(root) == []


@pytest.mark.parametrize(("table", "found"), [("retired", "version 0"), ("sources", "nothing")])
def test_a_lake_that_is_older_than_its_release_is_named(root: Path, table: str, found: str) -> None:
    with pytest.raises(StoreError) as raised:
        lake.restore(root, {table: 1})
    assert str(raised.value) == (
        f"lake: of the table {table} found {found} in {root}, expected version 1 of the last release: the lake was "
        "lost or is older than the ledger; restore it from its backup"
    )


def test_a_run_publishes_only_what_it_wrote_alone(root: Path) -> None:
    add(root, "a")
    with lake.signed_by("r1"):
        add(root, "b")
        assert lake.own_versions(root, ["retired"], {"retired": 1}) == {"retired": 2}
        with pytest.raises(StoreError, match=r"another run \(None\) wrote to the table retired at the same time"):
            lake.own_versions(root, ["retired"], {})
        with lake.signed_by("r2"):
            add(root, "c")
        with pytest.raises(StoreError, match=r"another run \(r2\) wrote"):
            lake.own_versions(root, ["retired"], {"retired": 1})
        lake.restore(root, {"retired": 2}, ["retired"])
        assert lake.own_versions(root, ["retired"], {"retired": 1}) == {"retired": 4}, "what it restored is its own"


def test_a_version_is_opened_once_where_that_is_asked_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int | None] = []
    open_version = lake._open_version  # noqa: SLF001

    def count(place: Path, name: str, version: int | None) -> object:
        opened.append(version)
        return open_version(place, name, version)

    monkeypatch.setattr(lake, "_open_version", count)
    with lake.opened_once():
        for version in (0, 0, None, None):
            lake.scan(root, "retired", version)
    lake.scan(root, "retired", 0)
    assert opened == [0, None, None, 0]


def test_versions_written_meanwhile_are_seen_where_tables_are_opened_once(root: Path) -> None:
    with lake.opened_once():
        assert lake.newest_versions(root, ["retired", "absent"]) == {"retired": 0}
        add(root, "a")
        assert lake.newest_versions(root, ["retired"]) == {"retired": 1}
        with lake.opened_once():
            add(root, "b")
            assert lake.newest_versions(root, ["retired"]) == {"retired": 2}
        lake.restore(root, {"retired": 1}, ["retired"])
        assert lake.newest_versions(root, ["retired"]) == {"retired": 3}
        assert lake.scan(root, "retired").collect().height == 1


def test_a_missing_file_is_named_and_a_missing_table_has_none(root: Path) -> None:
    add(root, "a")
    assert lake.damaged_files(root, "retired") == []
    (file,) = lake.files(root, "retired", 1)
    Path(file).unlink()
    (damage,) = lake.damaged_files(root, "retired")
    assert damage.found is None
    assert lake.damaged_files(root, "retired", 0) == []
    assert lake.damaged_files(root, "sources") == []
    with pytest.raises(StoreError, match="lake: 1 files of retired in"):
        lake.scan(root, "retired")
