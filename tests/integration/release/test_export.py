"""A release as plain files: what stands in them besides the published rows."""

import json
from pathlib import Path

import polars as pl
import pytest

from flows.intake.deliveries import Delivery
from flows.intake.registration import receive, withdraw
from flows.release.build import night
from flows.release.export import export_release
from flows.releases import find_release
from tests.support.opened_tables import count_openings
from tests.support.small_installation import HEADER, open_small

pytestmark = pytest.mark.usefixtures("unchecked")


def test_an_export_names_the_deliveries_behind_it_and_describes_itself(tmp_path: Path) -> None:
    home = open_small(tmp_path / "home")
    files = {"first.csv": "0301;01.01.2024;alle;5;\n", "second.csv": "4601;01.02.2024;alle;6;\n", "gone.csv": "x;y;z\n"}
    given = [Delivery(name, f"{HEADER}{rows}".encode(), "folketall", "kommunen") for name, rows in files.items()]
    receipts = [receipt for some in receive(home, given) for receipt in some]
    done = night(home)
    folder = export_release(home, find_release(home))

    submissions = pl.read_parquet(folder / "submissions" / "*.parquet")
    assert submissions["filename"].to_list() == ["first.csv", "second.csv"], "a rejected file is behind nothing"
    sources = pl.read_parquet(folder / "sources" / "*.parquet")
    assert sources.join(submissions, on="submission_id", how="anti").is_empty()
    assert submissions["received_at"].dtype == pl.Datetime("us")

    dictionary = json.loads((folder / "release.json").read_text())["dictionary"]
    assert set(dictionary) == {each.name for each in folder.iterdir() if each.is_dir()}
    for file in folder.rglob("*.parquet"):
        metadata, table = pl.read_parquet_metadata(file), file.parent.name
        assert (metadata["engang.table"], metadata["engang.release"]) == (table, "1")
        assert metadata["engang.digest"] == done.digest
        columns = {entry["column"]: entry["means"] for entry in dictionary[table]}
        assert json.loads(metadata["engang.columns"]) == columns
        assert pl.read_parquet_schema(file).keys() == columns.keys()

    assert withdraw(home, receipts[0].submission_id)
    night(home)
    folder = export_release(home, find_release(home))
    assert pl.read_parquet(folder / "submissions" / "*.parquet")["filename"].to_list() == ["second.csv"]


def test_an_export_opens_each_table_once_however_many_months_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = open_small(tmp_path / "home")
    rows = "".join(f"0301;01.{month:02}.2024;alle;{month};\n" for month in range(1, 7))
    assert list(receive(home, [Delivery("months.csv", f"{HEADER}{rows}".encode(), "folketall", "kommunen")]))
    night(home)
    release = find_release(home)
    opened = count_openings(monkeypatch)
    folder = export_release(home, release)
    assert len(list((folder / "observations").iterdir())) == 6
    assert {name: n for name, n in opened.items() if n > 1} == {}
    assert opened["observations"] == opened["coverage"] == 1
