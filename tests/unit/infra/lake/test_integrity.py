"""Files of a Delta table that are missing or truncated, and commits of its log that were cut."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from infra.lake.integrity import all_damage, log_damage, refuse_damage, table_damage
from infra.storage.places import S3Place
from schemas.errors import StoreError

JANUARY, FEBRUARY = "2026-01", "2026-02"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a lake with one table of two partitions, each written by a commit of its own."""
    root = tmp_path_factory.mktemp("lake")
    for month in (JANUARY, FEBRUARY):
        rows = pl.DataFrame({"partition": [month], "value": [1]}).to_arrow()
        write_deltalake(root / "claims", rows, mode="append", partition_by=["partition"])
    return root


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "lake"))


def table(root: Path) -> DeltaTable:
    return DeltaTable(root / "claims")


def file_of(root: Path, month: str) -> Path:
    (file,) = (root / "claims" / f"partition={month}").glob("*.parquet")
    return file


def shown(root: Path, *partitions: str) -> list[str]:
    return [str(damage) for damage in table_damage(root, "claims", table(root), list(partitions) or None)]


def commit(root: Path, version: int) -> Path:
    return root / f"claims/_delta_log/{version:020}.json"


def change(root: Path, version: int, of_lines: Callable[[list[str]], list[str]]) -> None:
    file = commit(root, version)
    file.write_text("".join(f"{line}\n" for line in of_lines(file.read_text().splitlines())))


def test_a_whole_table_has_no_damage(root: Path) -> None:
    assert all_damage(root, "claims", table(root)) == []
    refuse_damage(root, "claims", table(root))


@pytest.mark.parametrize("more", [-1, 1])
def test_a_file_of_another_size_is_named(root: Path, more: int) -> None:
    file = file_of(root, JANUARY)
    data = file.read_bytes()
    file.write_bytes(data[:more] if more < 0 else data + b"x")
    name = f"claims/partition={JANUARY}/{file.name}"
    assert shown(root) == [f"{name}: found {len(data) + more} bytes, expected {len(data)} bytes"]
    assert shown(root, FEBRUARY) == []
    assert len(shown(root, JANUARY)) == len(shown(root, JANUARY, FEBRUARY)) == 1


def test_a_missing_file_is_refused_before_it_is_read(root: Path) -> None:
    file = file_of(root, FEBRUARY)
    size = file.stat().st_size
    file.unlink()
    refuse_damage(root, "claims", table(root), [JANUARY])
    with pytest.raises(StoreError) as raised:
        refuse_damage(root, "claims", table(root))
    assert str(raised.value) == (
        f"lake: 1 files of claims in {root} are missing or damaged, the first claims/partition={FEBRUARY}/{file.name}: "
        f"found nothing, expected {size} bytes; restore them from the lake's backup, then run it again"
    )


def test_an_earlier_version_is_checked_by_its_own_files(root: Path) -> None:
    file_of(root, FEBRUARY).unlink()
    assert table_damage(root, "claims", DeltaTable(root / "claims", version=0)) == []
    assert len(table_damage(root, "claims", table(root))) == 1


def test_a_file_outside_the_table_spoils_every_partition(root: Path) -> None:
    outside = "../elsewhere/x.parquet"
    change(root, 1, lambda lines: [
        line.replace(json.loads(line)["add"]["path"], outside) if '{"add"' in line else line for line in lines
    ])  # fmt: skip
    assert len(shown(root, JANUARY)) == 1
    assert outside in shown(root, JANUARY)[0]


def test_a_commit_that_lost_lines_is_found(root: Path) -> None:
    change(root, 1, lambda lines: [line for line in lines if not line.startswith('{"add"')])
    expected = f"claims/_delta_log/{1:020}.json: found 0 files to add, expected 1 files to add"
    assert [str(damage) for damage in log_damage(root, "claims", 1)] == [expected]
    assert log_damage(root, "claims", 0) == []


def test_a_commit_that_removes_other_files_than_it_states_is_found(root: Path) -> None:
    change(root, 1, lambda lines: [*lines, '{"remove":{"path":"x"}}'])
    found = log_damage(root, "claims", 1)
    assert [str(damage).split(": ")[1] for damage in found] == ["found 1 files to remove, expected 0 files to remove"]


@pytest.mark.parametrize("metrics", [{"num_added_files": 2}, {"numFilesAdded": 2}, {"numRestoredFile": 2}])
def test_each_way_to_state_what_was_added_is_understood(root: Path, metrics: dict[str, int]) -> None:
    first = json.dumps({"commitInfo": {"operationMetrics": metrics}})
    commit(root, 1).write_text(f'{first}\n{{"add":{{}}}}\n')
    (damage,) = log_damage(root, "claims", 1)
    assert str(damage).endswith("found 1 files to add, expected 2 files to add")


@pytest.mark.parametrize("metrics", [{"num_removed_files": 0}, {"numFilesRemoved": 0}, {"numRemovedFile": 0}])
def test_each_way_to_state_what_was_removed_is_understood(root: Path, metrics: dict[str, int]) -> None:
    first = json.dumps({"commitInfo": {"operationMetrics": metrics}})
    commit(root, 1).write_text(f'{first}\n{{"remove":{{}}}}\n')
    (damage,) = log_damage(root, "claims", 1)
    assert str(damage).endswith("found 1 files to remove, expected 0 files to remove")


@pytest.mark.parametrize("first", ["{", "[]", '{"commitInfo": {}}', '{"commitInfo": {"operationMetrics": 3}}'])
def test_a_commit_of_another_program_states_nothing(root: Path, first: str) -> None:
    commit(root, 1).write_text(f'{first}\n{{"add":{{}}}}\n')
    assert log_damage(root, "claims", 1) == []


def test_an_empty_commit_is_damaged(root: Path) -> None:
    commit(root, 1).write_bytes(b"")
    expected = f"claims/_delta_log/{1:020}.json: found 0 lines, expected 1 lines"
    assert [str(damage) for damage in log_damage(root, "claims", 1)] == [expected]


@pytest.mark.parametrize(("checkpoint", "found"), [(0, 1), (1, 0), (2, 1)])
def test_commits_before_the_last_checkpoint_are_not_read(root: Path, checkpoint: int, found: int) -> None:
    commit(root, 1).write_bytes(b"")
    (root / f"claims/_delta_log/{checkpoint:020}.checkpoint.parquet").write_bytes(b"")
    assert len(log_damage(root, "claims", 1)) == found


def test_a_log_on_s3_is_whole_or_not_there() -> None:
    assert log_damage(S3Place("bucket"), "claims", 9) == []
