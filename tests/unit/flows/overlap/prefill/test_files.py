"""The files of a draft: which there are, and that nobody else's is replaced."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flows.overlap.prefill.draft import Draft
from flows.overlap.prefill.files import draft_files, files_in_the_way, write_draft
from flows.overlap.prefill.sources import SIDECAR_COLUMNS, sources_csv, sources_json
from schemas.errors import UsageError

SOURCE = {**dict.fromkeys(SIDECAR_COLUMNS), "column": "n", "value": "=5", "filled": True}
DRAFT = Draft("form", "1120", "csv", b"draft", [SOURCE], [], "oslo", None, on_sheet=False)


@pytest.mark.parametrize(
    ("on_sheet", "sources", "names"),
    [
        (False, "csv", ["d.csv", "d.csv.sources.csv"]),
        (False, "sheet", ["d.csv", "d.csv.sources.csv"]),
        (False, "json", ["d.csv", "d.csv.sources.json"]),
        (True, "sheet", ["d.csv"]),
        (True, "json", ["d.csv", "d.csv.sources.json"]),
    ],
)
def test_the_sources_are_beside_a_draft_that_does_not_list_them_itself(
    sources: str, names: list[str], tmp_path: Path, *, on_sheet: bool
) -> None:
    draft = replace(DRAFT, on_sheet=on_sheet)
    written = write_draft(draft, tmp_path / "d.csv", sources, overwrite=False)
    assert [file.name for file in written] == names
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert (tmp_path / "d.csv").read_bytes() == b"draft"


def test_an_unknown_place_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--sources 'xml': expected one of sheet, csv, json"):
        draft_files(DRAFT, tmp_path / "d.csv", "xml")


@pytest.mark.parametrize("name", ["d.csv", "d.csv.sources.csv"])
def test_a_file_that_is_there_is_replaced_only_where_that_is_asked_for(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    assert files_in_the_way(DRAFT, tmp_path / "d.csv", "csv") == [tmp_path / name]
    with pytest.raises(UsageError, match=f"{name} exists: give another --out, or --force to overwrite it"):
        write_draft(DRAFT, tmp_path / "d.csv", "csv", overwrite=False)
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"
    write_draft(DRAFT, tmp_path / "d.csv", "csv", overwrite=True)
    assert (tmp_path / name).read_text(encoding="utf-8") != "mine"


def test_a_link_to_nothing_is_in_the_way_too(tmp_path: Path) -> None:
    (tmp_path / "d.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert files_in_the_way(DRAFT, tmp_path / "d.csv", "csv") == [tmp_path / "d.csv"]
    with pytest.raises(UsageError, match="exists"):
        write_draft(DRAFT, tmp_path / "d.csv", "csv", overwrite=False)
    assert not (tmp_path / "elsewhere.csv").exists()


def test_a_folder_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
            write_draft(DRAFT, tmp_path / "absent" / "d.csv", "csv", overwrite=overwrite)


def test_a_list_of_sources_runs_nothing_in_a_spreadsheet_and_is_exact_as_json() -> None:
    head, row = sources_csv([SOURCE]).splitlines()
    assert head.removeprefix("\ufeff").split(";") == list(SIDECAR_COLUMNS)
    assert row.split(";")[list(SIDECAR_COLUMNS).index("value")] == "'=5"
    (listed,) = json.loads(sources_json([SOURCE]))["figures"]
    assert (listed["value"], listed["filled"], listed["why"]) == ("=5", True, None)
