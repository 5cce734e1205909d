"""Files that Polars writes into a table's folder: one a month, in the order of the rows, all or none committed."""

import json
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from infra.lake import delta as lake
from infra.lake.files import appended_files
from infra.lake.files.parquet_options import ROW_GROUP_ROWS
from schemas.claims import frame_schema

SCHEMA = frame_schema(lake.RETIRED)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a lake with one table, empty, in a folder whose name Delta writes escaped."""
    place = tmp_path / "år 1"
    place.mkdir()
    lake._create(place, "retired", SCHEMA)  # noqa: SLF001
    return place


def rows(*given: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame([(item, 1, month) for item, month in given], SCHEMA, orient="row")


def files(root: Path) -> list[Path]:
    return sorted((root / "retired").rglob("*.parquet"))


@pytest.mark.parametrize("mixed", [False, True], ids=["month by month", "mixed"])
def test_each_month_is_one_file_in_the_order_of_the_rows(root: Path, *, mixed: bool) -> None:
    months = [("c", "2026-01"), ("a", "2026-01"), ("b", "2026-02"), ("d", "2026-02")]
    frame = rows(*(months[at] for at in ([0, 2, 1, 3] if mixed else range(4))))
    lake.append(root, "retired", frame)
    assert [pl.read_parquet(file)["item_id"].to_list() for file in files(root)] == [["c", "a"], ["b", "d"]]
    assert lake.scan(root, "retired").sort("item_id").collect().select(SCHEMA.names()).equals(frame.sort("item_id"))


def test_a_look_up_of_an_id_is_helped_by_statistics(root: Path) -> None:
    count = ROW_GROUP_ROWS + 1
    lake.append(root, "retired", rows(*((f"{at:024x}", "2026-01") for at in range(count))))
    (file,) = files(root)
    adds = pl.DataFrame(DeltaTable(root / "retired").get_add_actions(flatten=True))
    assert adds.select("num_records", "min.item_id", "max.item_id").row(0) == (count, "0" * 24, f"{count - 1:024x}")
    assert pl.scan_parquet(file).filter(item_id=f"{5:024x}").collect().height == 1


def test_a_commit_states_how_many_files_it_adds(root: Path) -> None:
    with lake.signed_by("nightly-1"):
        lake.append(root, "retired", rows(("a", "2026-01"), ("b", "2026-02")))
    commit = root / "retired" / "_delta_log" / f"{1:020}.json"
    lines = commit.read_text().splitlines(keepends=True)
    stated = json.loads(lines[0])["commitInfo"]
    assert (stated[appended_files.FILES_PROPERTY], stated[lake.RUN_PROPERTY]) == ("2", "nightly-1")
    assert lake.damaged_files(root, "retired") == []
    commit.write_text("".join(lines[:-1]))
    assert [(found.found, found.expected) for found in lake.damaged_files(root, "retired")] == [(1, 2)]


def test_what_cannot_be_written_whole_leaves_no_file(root: Path) -> None:
    (root / "retired" / "partition=2026-02").touch()
    with pytest.raises(FileExistsError):
        lake.append(root, "retired", rows(("a", "2026-01"), ("b", "2026-02")))
    assert files(root) == []
    assert lake.newest_versions(root) == {"retired": 0}


def test_rows_of_another_type_are_converted_as_before(root: Path) -> None:
    lake.append(root, "retired", rows(("a", "2026-01")).cast({"release": pl.Int64}))
    assert lake.scan(root, "retired").collect().schema["release"] == pl.Int32
