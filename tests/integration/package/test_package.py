"""A package of a release: whole, true to the release, described, and without what nobody may see."""

import hashlib
import json
import re
import shutil
import subprocess
from contextlib import chdir
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import openpyxl
import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from flows.disclosure.withheld import VALUE_COLUMNS, former_confidential_items
from flows.package.publish import write_package
from flows.releases import find_release, read_table
from infra.package.workbook import WorkbookSheet, write_workbook
from schemas.claims import Column, frame_schema
from schemas.errors import UsageError
from schemas.package_tables import COMMON_TABLES, package_tables
from schemas.publication import Publication
from tests.integration.package.conftest import PERSON, SECRET, SMALLEST, Packages
from transforms.package.citation import NO_PUBLISHER
from transforms.package.examples import R_EXAMPLE
from transforms.package.people import csv_columns

NAMES = {table.name for table in COMMON_TABLES}
PACKAGED = {name: columns for name, columns in VALUE_COLUMNS.items() if name in NAMES}
"""The tables of a package that have values of items."""


def test_every_table_is_one_sorted_file_that_describes_itself(packages: Packages) -> None:
    files = {file.stem: file for file in (packages.latest / "parquet").iterdir()}
    assert files.keys() == NAMES
    for table in package_tables():
        read = pq.ParquetFile(files[table.name])
        assert read.schema_arrow.metadata[b"engang.release"] == b"3"
        assert read.schema_arrow.metadata[b"engang.means"].decode() == table.means
        for column in table.columns:
            field = read.schema_arrow.field(column.name)
            assert field.metadata[b"description"].decode() == column.doc
        rows = pl.read_parquet(files[table.name])
        assert rows.schema == frame_schema(table.columns), table.name
        assert rows.equals(rows.sort(table.order, nulls_last=True)), table.name
        if table.key:
            assert not rows.select(table.key).is_duplicated().any(), table.name
    assert pl.read_parquet(files["conflicts"]).is_empty(), "a table without rows is a file without rows"
    for name in ("units", "concepts", "obligations", "coverage"):
        held = read_table(packages.home, name, find_release(packages.home)).collect()
        rows = pl.read_parquet(files[name])
        assert rows.height == held.height > 0
        assert rows.sort(pl.all().exclude(pl.List)).equals(held.select(rows.columns).sort(pl.all().exclude(pl.List)))
    for name, key in (("observations", "item_id"), ("sources", "claim_id")):
        held = read_table(packages.home, name, find_release(packages.home)).collect().sort(key)
        small = pl.col("value") < SMALLEST
        shown = held.with_columns(
            pl.when(small.not_()).then(pl.col(column)).alias(column) for column in VALUE_COLUMNS[name]
        )
        if name == "observations":
            shown = shown.drop("conf_status")
            assert pl.read_parquet(files[name])["conf_status"].sort().to_list() == ["C", "C", "F", "F"]
        rows = pl.read_parquet(files[name]).sort(key).select(shown.columns)
        assert held.filter(small).height == 1
        assert rows.equals(shown), name


def test_any_release_can_be_asked_of_the_database(packages: Packages) -> None:
    with duckdb.connect(packages.latest / "engang.duckdb", read_only=True) as database:
        for number in (1, 2, 3):
            held = read_table(packages.home, "observations", find_release(packages.home, number)).collect()
            hidden = database.sql("SELECT item_id FROM observations WHERE conf_status = 'C'").pl()["item_id"]
            columns = ["item_id", "concept", "unit_name", "period_start", "breakdown", "value", "agreement"]
            then = held.with_columns(
                pl.when(~pl.col("item_id").is_in(hidden.implode()), pl.col("value") >= SMALLEST).then("value")
            )
            found = database.sql(f"FROM item_at({number})").pl().select(columns).sort("item_id")
            assert found.equals(then.select(columns).sort("item_id")), number
        assert {row[0] for row in database.sql("SHOW TABLES").fetchall()} >= NAMES | {"facts", "observations_wide"}
        comments = dict(database.sql("SELECT table_name, comment FROM duckdb_tables()").fetchall())
        assert comments == {table.name: table.means for table in COMMON_TABLES}
        columns = database.sql("SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'sources'")
        assert all(comment for _, comment in columns.fetchall())
        groups = database.sql('SELECT "group", breakdown FROM observations_wide ORDER BY ALL').fetchall()
        assert {group for group, _ in groups} == {"alle", "=alle", "menn"}
        assert all(json.loads(breakdown)["group"] == group for group, breakdown in groups)
        item = database.sql("SELECT item_id FROM history WHERE change = 'changed' AND value = 8").fetchall()[0][0]
        assert [row[0] for row in database.sql("SELECT value FROM history_of(?)", params=[item]).fetchall()] == [5, 8]
        assert database.sql("SELECT filename FROM claims_of(?) WHERE chosen", params=[item]).fetchall() == [
            ("secret.csv",)
        ]
        assert database.sql("FROM reported_twice").fetchall() == []
        assert database.sql("SELECT DISTINCT title_nb FROM facts").fetchall() == [("Folkemengde",)]


def test_a_csv_has_the_same_rows_and_no_formula(packages: Packages) -> None:
    for file in (packages.latest / "csv").iterdir():
        rows = pl.read_csv(file, infer_schema=False)
        assert rows.height == pl.read_parquet(packages.latest / "parquet" / f"{file.stem}.parquet").height
    units = pl.read_csv(packages.latest / "csv" / "units.csv", infer_schema=False)
    assert json.loads(units["successors"][0]) == ["county:30@2020-01-01"]
    text = (packages.latest / "csv" / "observations.csv").read_text(encoding="utf-8")
    assert '"{""group"":""=alle""}"' in text, "JSON is no formula"
    names = pl.DataFrame({"c": ["=1+1", "-2", "\uff1dx", "ok", None], "l": [["a\n", '"'], [], None, ["x"], ["y"]]})

    cells = names.select(csv_columns((Column("c", pl.String, ""), Column("l", pl.List(pl.String), ""))))
    assert cells["c"].to_list() == ["'=1+1", "'-2", "'\uff1dx", "ok", None]
    assert [None if text is None else json.loads(text) for text in cells["l"]] == names["l"].to_list()


def test_rejects_have_no_delivered_text_and_nothing_confidential_is_anywhere(packages: Packages) -> None:
    rejects = pl.read_parquet(packages.latest / "parquet" / "rejects.parquet")
    assert rejects.select("column", "reason", "means").row(0) == (
        "antall", "not-a-number", "text where a number should be, NaN and infinities included",
    )  # fmt: skip
    secrets = (str(SECRET).encode(), PERSON.encode(), PERSON.split()[0].encode())
    for release in ("2", "3"):
        tables = {file.stem: pl.read_parquet(file) for file in (packages.root / release / "parquet").iterdir()}
        for name, rows in tables.items():
            text = rows.write_json()
            assert not any(secret.decode() in text for secret in secrets), name
            once = re.search(r"(?<![0-9:.])7\.5", text)
            assert once is None, "what was free once is not shown of what is confidential now"
        for file in (packages.root / release).rglob("*"):
            if file.is_file():
                assert not any(secret in file.read_bytes() for secret in secrets), file
    assert "7.5" in (packages.root / "1" / "csv" / "observations.csv").read_text()


def test_no_small_count_is_in_a_package(packages: Packages) -> None:
    removed = pl.read_parquet(packages.root / "3" / "parquet" / "changes.parquet").filter(change="removed")
    assert removed["value_before"].to_list() == [None], "two persons were there once"
    for release in ("1", "2", "3"):
        for name, columns in PACKAGED.items():
            rows = pl.read_parquet(packages.root / release / "parquet" / f"{name}.parquet")
            numbers = rows.select(column for column in columns if rows.schema[column].is_decimal())
            assert not any((numbers[column] < SMALLEST).any() for column in numbers.columns), (release, name)
    sources = pl.read_parquet(packages.root / "2" / "parquet" / "sources.parquet")
    assert "2" not in sources["original"].to_list()


def test_what_not_everybody_may_see_is_in_no_table(packages: Packages, tmp_path: Path) -> None:
    contracts = packages.home.contracts
    closed = {name: contract.model_copy(update={"may_share": "none"}) for name, contract in contracts.items()}
    home = packages.home.with_presets(contracts=closed)
    write_package(home, find_release(home, 3), tmp_path / "closed")
    for name, columns in PACKAGED.items():
        rows = pl.read_parquet(tmp_path / "closed" / "parquet" / f"{name}.parquet").select(columns)
        assert rows.height or name == "conflicts"
        assert all(rows[column].null_count() == rows.height for column in columns), name


def test_an_item_that_left_shows_no_value_if_it_was_withheld_once() -> None:
    states = [
        ("a", "added", 10),
        ("a", "changed", None),
        ("a", "removed", None),
        ("b", "added", 3),
        ("c", "added", None),
    ]
    history = pl.DataFrame(states, ["item_id", "change", "value"], orient="row")
    published = SimpleNamespace(live=lambda *_: pl.LazyFrame({"item_id": ["b", "c"]}))
    assert former_confidential_items(cast("Any", published), ["2024-01"], history).to_list() == ["a"]


def test_every_file_is_listed_with_its_hash(packages: Packages) -> None:
    descriptor = json.loads((packages.latest / "datapackage.json").read_text())
    assert (descriptor["name"], descriptor["engang"]["release"]) == ("engang-release-3", 3)
    assert {resource["name"] for resource in descriptor["resources"]} == NAMES | {f"{name}-parquet" for name in NAMES}
    for resource in descriptor["resources"]:
        data = (packages.latest / resource["path"]).read_bytes()
        assert resource["hash"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert resource["bytes"] == len(data)
    observed = {field["name"] for field in descriptor["resources"][0]["schema"]["fields"]}
    assert "item_id" in observed


def test_versions_are_listed_and_latest_is_the_newest(packages: Packages) -> None:
    versions = json.loads((packages.root / "versions.json").read_text())
    assert versions["latest"] == 3
    assert [each["release"] for each in versions["versions"]] == [1, 2, 3]
    for each in versions["versions"]:
        changes = pl.read_parquet(packages.root / each["changes"])
        assert changes.height == each["changed"]
        assert set(changes["release"]) <= {each["release"]}
    assert [each["changed"] for each in versions["versions"]] == [0, 3, 2], "all of the first release is new"
    assert (packages.root / "latest").resolve() == (packages.root / "3").resolve()
    assert not [path for path in packages.root.iterdir() if "partial" in path.name]


def test_a_package_replaces_packages_alone(packages: Packages, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    release = find_release(packages.home, 1)
    with pytest.raises(UsageError, match="holds no package"):
        write_package(packages.home, release, tmp_path / "other")
    broken = shutil.copytree(packages.root / "1", tmp_path / "one [of two]*")
    (broken / "extra").touch()
    done = write_package(packages.home, release, broken)
    assert not (broken / "extra").exists()
    assert done.rows["observations"] == 3
    assert (tmp_path / "other" / "file").exists()


def test_the_workbook_has_a_cover_notes_and_every_table(packages: Packages) -> None:
    book = openpyxl.load_workbook(packages.latest / "engang.xlsx")
    assert book.sheetnames[:2] == ["About", "Notes"]
    assert set(book.sheetnames[2:]) == NAMES
    cover = {row[0]: row[1] for row in book["About"].iter_rows(values_only=True)}
    assert cover["Publisher"] == "Etaten for prøver"
    assert cover["observations"].endswith("(4 rows)")
    observed = list(book["observations"].iter_rows(values_only=True))
    assert len(observed) == 5
    assert sorted(row[observed[0].index("value")] or 0 for row in observed[1:]) == [0, 0, 6, 8]
    for sheet in book.worksheets:
        assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)
    notes = {(row[0], row[1]): row[4] for row in book["Notes"].iter_rows(values_only=True)}
    assert notes["rejects", "means"] == "What the reason is"


def test_a_sheet_has_a_bounded_number_of_rows_and_no_formula(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {
            "text": ["=1+1", "x" * 40_000],
            "number": [Decimal("1.5"), Decimal(1234567890123456789)],
            "day": [date(1838, 1, 1), date(2024, 1, 1)],
            "names": [["a", "b"], None],
            "ratio": [float("nan"), 0.5],
        }
    )
    sheet = WorkbookSheet("a/b" * 20, [(name, "") for name in rows.columns], rows, "The first 2 of 3 rows")
    write_workbook(tmp_path / "x.xlsx", [("Title", "=cmd()")], [sheet, sheet])
    book = openpyxl.load_workbook(tmp_path / "x.xlsx")
    first, second = book.worksheets[1:]
    assert first.title != second.title
    cells = list(first.iter_rows(values_only=True))
    assert cells[0][0] == "The first 2 of 3 rows"
    assert cells[2] == ("=1+1", 1.5, "1838-01-01", "a; b", "nan")
    assert cells[3] == ("x" * 32_767, "1234567890123456789", datetime(2024, 1, 1), None, 0.5)
    assert (first["A3"].data_type, first["A3"].quotePrefix) == ("s", True)
    assert book.worksheets[0]["B1"].data_type == "s"


def test_a_package_is_described_by_each_standard(packages: Packages) -> None:
    tables = {table.name: table for table in COMMON_TABLES}
    csvw = json.loads((packages.latest / "csv-metadata.json").read_text())
    for each in csvw["tables"]:
        rows = pl.read_csv(packages.latest / each["url"], infer_schema=False)
        assert [column["name"] for column in each["tableSchema"]["columns"]] == rows.columns
        types = {column["name"]: column["datatype"] for column in each["tableSchema"]["columns"]}
        read = {"integer": pl.Int64, "decimal": pl.Decimal(38, 15), "double": pl.Float64}
        rows.select(pl.col(name).cast(read[kind]) for name, kind in types.items() if kind in read)
        rows.select(pl.col(name).str.to_date() for name, kind in types.items() if kind == "date")
    assert {Path(each["url"]).stem for each in csvw["tables"]} == tables.keys()

    contract = yaml.safe_load((packages.latest / "datacontract.odcs.yaml").read_text())
    assert contract["apiVersion"] == "v3.1.0"
    assert {each["name"]: len(each["properties"]) for each in contract["schema"]} == {
        name: len(table.columns) for name, table in tables.items()
    }
    crate = {
        each["@id"]: each for each in json.loads((packages.latest / "ro-crate-metadata.json").read_text())["@graph"]
    }
    listed = {part["@id"] for part in crate["./"]["hasPart"]}
    written = {path.relative_to(packages.latest).as_posix() for path in packages.latest.rglob("*") if path.is_file()}
    described = {"CITATION.cff", "csv-metadata.json", "datacontract.odcs.yaml", "datapackage.json"}
    described |= {"README.md", "examples.ipynb", "dcat.jsonld"}
    assert written - described == listed | {"ro-crate-metadata.json"}
    assert crate["https://example.org/etaten"]["name"] == "Etaten for prøver"
    record = {each["@id"]: each for each in json.loads((packages.latest / "dcat.jsonld").read_text())["@graph"]}
    data_set = record["https://example.org/data/3/"]
    assert {each["@id"].removeprefix(data_set["@id"]) for each in data_set["dcat:distribution"]} == listed
    assert data_set["dct:publisher"]["@id"] in record
    citation = yaml.safe_load((packages.latest / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == ("3.0.0", "CC-BY-4.0")
    assert citation["url"] == "https://example.org/data/3/"
    sdmx = pl.read_csv(packages.latest / "sdmx" / "observations.csv", infer_schema=False)
    assert sdmx.height == 4
    assert sdmx["GROUP"].n_unique() == 3


def test_the_examples_of_a_package_run(packages: Packages, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = json.loads((packages.latest / "examples.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    names: dict[str, object] = {}
    with chdir(packages.latest):
        for cell in cells:
            exec(compile(cell, "examples.ipynb", "exec"), names)  # noqa: S102  the product's own examples
    printed = capsys.readouterr().out
    assert "Hash of the identity" in printed
    assert "population" in printed
    read_me = (packages.latest / "README.md").read_text()
    assert all(cell in read_me for cell in cells)
    assert "| `observations` | 4 | One published figure" in read_me


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is absent: apt-get install r-base-core")
def test_the_example_in_r_runs(packages: Packages) -> None:
    done = subprocess.run(
        ["Rscript", "-e", R_EXAMPLE], cwd=packages.latest, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"population +single +\d", done.stdout), done.stdout
    assert R_EXAMPLE in (packages.latest / "README.md").read_text()


def test_who_publishes_may_be_unstated(packages: Packages, tmp_path: Path) -> None:
    home = replace(packages.home, settings=replace(packages.home.settings, publication=Publication()))
    write_package(home, find_release(home), tmp_path / "bare")
    citation = yaml.safe_load((tmp_path / "bare" / "CITATION.cff").read_text())
    assert citation["authors"] == [{"name": NO_PUBLISHER}]
    assert not {"license", "url"} & citation.keys()
    assert not (tmp_path / "bare" / "dcat.jsonld").exists(), "a catalogue asks for more than is stated"
    assert not {"licenses", "contributors"} & json.loads((tmp_path / "bare" / "datapackage.json").read_text()).keys()
