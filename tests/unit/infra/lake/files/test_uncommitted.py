"""Files that several processes write and one commits: many in one commit, whole or not at all."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import polars as pl
import pytest

from infra.lake import delta
from infra.lake.files import uncommitted
from infra.lake.files.uncommitted import Committer, UncommittedFile, commit_files, write_uncommitted
from schemas.claims import Column
from schemas.errors import StoreError

COLUMNS = (
    Column("report_id", pl.String, "The report"),
    Column("rows", pl.List(pl.Int32), "Its rows"),
    Column("partition", pl.String, "Always `all`"),
)
MORE = (*COLUMNS, Column("weight", pl.Decimal(38, 9), "Its weight", nullable=True))


def reports(number: int) -> pl.DataFrame:
    schema = {column.name: column.dtype for column in COLUMNS}
    return pl.DataFrame({"report_id": [f"r{number}"], "rows": [[number, 2]], "partition": ["all"]}, schema)


def write(root: Path, number: int) -> list[UncommittedFile]:
    return write_uncommitted(root, "boat_records", reports(number), COLUMNS)


def read(root: Path) -> list[str]:
    return sorted(delta.scan(root, "boat_records").collect()["report_id"])


def test_threads_that_wait_for_a_commit_share_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committer, commits, all_wait = Committer(tmp_path), [], Barrier(9)
    first = write(tmp_path, 0)

    def commit(root: Path, name: str, files: list[UncommittedFile], columns: tuple[Column, ...]) -> None:
        if not commits:  # the others come while this one is under way
            all_wait.wait()
        commits.append(len(files))
        commit_files(root, name, files, columns)

    def later(number: int) -> None:
        files = write(tmp_path, number)
        all_wait.wait()
        committer.commit("boat_records", files, COLUMNS)

    monkeypatch.setattr(uncommitted, "commit_files", commit)
    with ThreadPoolExecutor(9) as pool:
        steps = [
            pool.submit(committer.commit, "boat_records", first, COLUMNS),
            *(pool.submit(later, n) for n in range(1, 9)),
        ]
        for step in steps:
            step.result()
    assert sum(commits) == 9
    assert len(commits) < 9
    assert read(tmp_path) == [f"r{number}" for number in range(9)]


def test_a_commit_that_fails_fails_for_its_writer_and_the_next_one_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committer = Committer(tmp_path)
    files = write(tmp_path, 1)
    with monkeypatch.context() as broken:
        broken.setattr(delta, "open_table", lambda *_: 1 / 0)
        with pytest.raises(StoreError, match="took no files"):
            committer.commit("boat_records", files, COLUMNS)
    committer.commit("boat_records", files, COLUMNS)
    assert read(tmp_path) == ["r1"]


def test_a_kinds_table_gains_the_columns_that_a_batch_has(tmp_path: Path) -> None:
    commit_files(tmp_path, "boat_records", write(tmp_path, 1), COLUMNS)
    weighed = reports(2).with_columns(weight=pl.lit("2.5").cast(pl.Decimal(38, 9)))
    commit_files(tmp_path, "boat_records", write_uncommitted(tmp_path, "boat_records", weighed, MORE), MORE)
    found = delta.scan(tmp_path, "boat_records").sort("report_id").collect()
    assert found["weight"].cast(pl.String).to_list() == [None, "2.500000000"]
    assert found["rows"].to_list() == [[1, 2], [2, 2]]


def test_files_of_a_writer_that_died_go_when_small_files_are_merged_a_week_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        commit_files(tmp_path, "boat_records", write(tmp_path, number), COLUMNS)
    (old,), (young,) = write(tmp_path, 8), write(tmp_path, 9)
    folder = tmp_path / "boat_records"
    week = 8 * 24 * 3600
    os.utime(folder / old.key, (time.time() - week, time.time() - week))
    monkeypatch.setattr(delta, "MANY_FILES", 2)
    assert delta.merge_small_files(tmp_path, "boat_records") == 3
    assert [(folder / file.key).exists() for file in (old, young)] == [False, True]
    assert read(tmp_path) == ["r0", "r1", "r2"]
