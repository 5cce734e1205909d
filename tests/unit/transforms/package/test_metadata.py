"""The descriptions that go with a package: each standard's file states the same release, tables, files and owner."""

import datetime as dt
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
import yaml

from schemas.claims import VALUE, Column
from schemas.package_content import MEDIA_TYPES, PackageContent, PackageFile
from schemas.package_tables import PackageTable
from schemas.publication import Publication
from transforms.package.citation import NO_PUBLISHER, citation_line, citation_text
from transforms.package.crate import UNLICENSED, research_crate
from transforms.package.csvw import csvw_datatype, csvw_metadata
from transforms.package.data_contract import data_contract_text, logical_type
from transforms.package.data_package import data_package, field_type
from transforms.package.dcat import catalogue_record, is_catalogued
from transforms.package.examples import PACKAGE_EXAMPLES, example_notebook, read_me_text

ITEMS = PackageTable(
    "items",
    "One item",
    (
        Column("item_id", pl.String, "The item"),
        Column("release", pl.Int32, "Its release"),
        Column("value", VALUE, "Its value", nullable=True),
        Column("agreement", pl.String, "How reports agree", values=("single", "conflict")),
    ),
    key=("item_id", "release"),
)
SOURCES = PackageTable(
    "sources",
    "One claim",
    (Column("item_id", pl.String, "The item"), Column("senders", pl.List(pl.Int64), "Who", nullable=True)),
    refers={"item_id": "items", "senders": "people"},
)
LONG = PackageTable("people", "One sender", (Column("senders", pl.Date, "When"),), key=("senders",))
STATED = Publication(
    title="Reports",
    publisher="Statens prøvetilsyn",
    publisher_id="https://data.example/tilsyn",
    contact="data@tilsyn.example",
    licence="NLOD-2.0",
    address="https://packages.example",
)
CONTENT = PackageContent(
    release=7,
    published_at=dt.datetime(2025, 3, 4, 5, 6, 7, 999_999),
    digest="abc123",
    counts={"items": 2},
    publication=STATED,
    tables=(ITEMS, SOURCES, LONG),
    rows={"items": 2, "sources": 3, "people": 9_000_000},
    files=(
        PackageFile("csv/items.csv", "csv", 10, "a1", "items", 2),
        PackageFile("parquet/items.parquet", "parquet", 20, "a2", "items", 2),
        PackageFile("csv/sources.csv", "csv", 30, "a3", "sources", 3),
        PackageFile("parquet/people.parquet", "parquet", 40, "a4", "people", 9),
        PackageFile("README.md", "md", 50, "a5"),
    ),
)
UNSTATED = replace(CONTENT, publication=Publication())


def of_id(graph: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the one node of a graph with this id."""
    (found,) = [node for node in graph["@graph"] if node["@id"] == name]
    return dict(found)


def test_a_release_is_cited_by_publisher_year_title_number_and_digest() -> None:
    line = "Statens prøvetilsyn (2025). Reports, release 7. Digest abc123."
    assert citation_line(CONTENT) == f"{line} https://packages.example/7/"
    assert citation_line(replace(CONTENT, publication=replace(STATED, address=None))) == line
    assert citation_line(UNSTATED).startswith(f"{NO_PUBLISHER} (2025). Reports of public bodies")


def test_the_citation_file_states_what_is_known_and_no_more() -> None:
    stated = yaml.safe_load(citation_text(CONTENT))
    assert stated["authors"] == [{"name": "Statens prøvetilsyn", "website": "https://data.example/tilsyn"}]
    assert stated["date-released"] == dt.date(2025, 3, 4)
    assert (stated["version"], stated["license"], stated["url"]) == ("7.0.0", "NLOD-2.0", "https://packages.example/7/")
    assert stated["identifiers"] == [{"type": "other", "value": "abc123", "description": "Digest of the release"}]
    least = yaml.safe_load(citation_text(UNSTATED))
    assert least["authors"] == [{"name": NO_PUBLISHER}]
    assert not {"license", "url"} & least.keys()
    assert list(least)[:4] == ["cff-version", "message", "type", "title"]


@pytest.mark.parametrize(
    ("differs", "website", "licence"),
    [
        ({"publisher_id": "urn:tilsyn"}, None, "NLOD-2.0"),
        ({"publisher_id": None}, None, "NLOD-2.0"),
        ({"licence": "see our pages"}, "https://data.example/tilsyn", None),
        ({"licence": ""}, "https://data.example/tilsyn", None),
        ({"licence": "GPL-3.0+"}, "https://data.example/tilsyn", "GPL-3.0+"),
    ],
)
def test_only_an_address_is_a_website_and_only_an_id_is_a_licence(
    differs: dict[str, Any], website: str | None, licence: str | None
) -> None:
    content = replace(CONTENT, publication=replace(STATED, **differs))
    stated = yaml.safe_load(citation_text(content))
    assert stated["authors"][0].get("website") == website
    assert stated.get("license") == licence


def test_a_crate_has_the_release_its_publisher_its_licence_and_every_file() -> None:
    crate = research_crate(CONTENT)
    root = of_id(crate, "./")
    assert root["hasPart"] == [{"@id": file.path} for file in CONTENT.files]
    assert root["datePublished"] == "2025-03-04T05:06:07Z"
    assert (root["name"], root["version"], root["identifier"]) == ("Reports: release 7", "7.0.0", "abc123")
    licence = of_id(crate, root["license"]["@id"])
    assert (root["license"]["@id"], licence["name"]) == ("https://data.norge.no/nlod/no/2.0", "NLOD-2.0")
    assert of_id(crate, root["publisher"]["@id"])["name"] == "Statens prøvetilsyn"
    assert of_id(crate, "ro-crate-metadata.json")["about"] == {"@id": "./"}


@pytest.mark.parametrize(
    ("path", "description", "size", "form"),
    [
        ("csv/items.csv", "One item", "10", "text/csv"),
        ("parquet/people.parquet", "One sender", "40", MEDIA_TYPES["parquet"]),
        ("README.md", "All tables of the release", "50", "text/plain"),
    ],
)
def test_a_crate_says_what_each_file_is(path: str, description: str, size: str, form: str) -> None:
    file = of_id(research_crate(CONTENT), path)
    assert (file["description"], file["contentSize"], file["encodingFormat"]) == (description, size, form)
    assert file["sha256"] == next(each.sha256 for each in CONTENT.files if each.path == path)


@pytest.mark.parametrize(("licence", "name"), [(None, UNLICENSED), ("Own terms", "Own terms")])
def test_a_crate_without_a_known_licence_has_one_of_its_own(licence: str | None, name: str) -> None:
    crate = research_crate(replace(UNSTATED, publication=Publication(licence=licence)))
    root = of_id(crate, "./")
    assert root["license"] == {"@id": "#licence"}
    assert of_id(crate, "#licence")["name"] == name
    assert of_id(crate, "#publisher")["name"] == NO_PUBLISHER


TYPES = [
    (pl.String(), "string", "string", "string", "string"),
    (pl.Date(), "date", "date", "date", "date"),
    (pl.Boolean(), "boolean", "boolean", "boolean", "boolean"),
    (pl.Float64(), "double", "number", "number", "number"),
    (pl.Decimal(38, 10), "decimal", "number", "number", "number"),
    (pl.Datetime("us"), "dateTime", "timestamp", "datetime", "datetime"),
    (pl.Int32(), "integer", "integer", "integer", "integer"),
    (pl.UInt64(), "integer", "integer", "integer", "integer"),
    (pl.List(pl.String), "json", "array", "array", "any"),
]


@pytest.mark.parametrize(("dtype", "csvw", "odcs", "csv", "parquet"), TYPES, ids=[str(each[0]) for each in TYPES])
def test_each_standard_has_a_word_for_each_type(
    dtype: pl.DataType, csvw: str, odcs: str, csv: str, parquet: str
) -> None:
    assert csvw_datatype(dtype) == csvw
    assert logical_type(dtype) == odcs
    assert (field_type(dtype, "csv"), field_type(dtype, "parquet")) == (csv, parquet)


def test_csv_on_the_web_describes_the_tables_that_have_a_csv() -> None:
    described = csvw_metadata(CONTENT)
    assert described["dc:title"] == "Reports: release 7"
    assert [table["url"] for table in described["tables"]] == ["csv/items.csv", "csv/sources.csv"]
    items, sources = (table["tableSchema"] for table in described["tables"])
    assert items["primaryKey"] == ["item_id", "release"]
    assert "foreignKeys" not in items
    assert "primaryKey" not in sources
    # the table of senders has no CSV that a key could be in
    assert sources["foreignKeys"] == [
        {"columnReference": "item_id", "reference": {"resource": "csv/items.csv", "columnReference": "item_id"}}
    ]
    assert [(column["name"], column["required"], column["datatype"]) for column in items["columns"]] == [
        ("item_id", True, "string"), ("release", True, "integer"), ("value", False, "decimal"),
        ("agreement", True, "string"),
    ]  # fmt: skip


def test_a_data_package_has_a_resource_for_each_file_of_a_table() -> None:
    resources = {resource["name"]: resource for resource in data_package(CONTENT)["resources"]}
    assert list(resources) == ["items", "items-parquet", "sources", "people-parquet"]
    assert (resources["items"]["encoding"], resources["items"]["mediatype"]) == ("utf-8", "text/csv")
    assert "encoding" not in resources["items-parquet"]
    assert (resources["items-parquet"]["bytes"], resources["items-parquet"]["hash"]) == (20, "sha256:a2")
    fields = {field["name"]: field for field in resources["items"]["schema"]["fields"]}
    assert fields["item_id"]["constraints"] == {"required": True}
    assert fields["agreement"]["constraints"] == {"required": True, "enum": ["single", "conflict"]}
    assert "constraints" not in fields["value"]
    assert resources["items"]["schema"]["primaryKey"] == ["item_id", "release"]
    assert "foreignKeys" not in resources["items"]["schema"]
    reference = {"resource": "items", "fields": ["item_id"]}
    assert resources["sources"]["schema"]["foreignKeys"] == [{"fields": ["item_id"], "reference": reference}]
    assert "primaryKey" not in resources["sources"]["schema"]


def test_only_csv_has_keys_of_other_tables() -> None:
    files = (*CONTENT.files, PackageFile("parquet/sources.parquet", "parquet", 1, "a6", "sources"))
    resources = {each["name"]: each for each in data_package(replace(CONTENT, files=files))["resources"]}
    assert "foreignKeys" not in resources["sources-parquet"]["schema"]


@pytest.mark.parametrize(
    ("licence", "licences"),
    [
        ("CC0-1.0", [{"name": "CC0-1.0", "path": "https://creativecommons.org/publicdomain/zero/1.0/"}]),
        ("Own", [{"name": "Own"}]),
        (None, None),
    ],
)
def test_a_data_package_states_its_licence(licence: str | None, licences: list[dict[str, str]] | None) -> None:
    described = data_package(replace(CONTENT, publication=replace(STATED, licence=licence)))
    assert described.get("licenses") == licences
    assert described["contributors"] == [{"title": "Statens prøvetilsyn", "roles": ["publisher"]}]
    assert described["engang"] == {"release": 7, "digest": "abc123", "counts": {"items": 2}}
    assert (described["created"], described["name"]) == ("2025-03-04T05:06:07Z", "engang-release-7")
    assert "contributors" not in data_package(UNSTATED)


def test_the_data_contract_numbers_the_columns_of_a_key_from_one() -> None:
    described = yaml.safe_load(data_contract_text(CONTENT))
    items, sources, _ = described["schema"]
    found = {each["name"]: each for each in items["properties"]}
    assert [found[name]["primaryKeyPosition"] for name in ("item_id", "release")] == [1, 2]
    assert all(found[name]["primaryKey"] for name in ("item_id", "release"))
    assert "primaryKey" not in found["value"]
    assert (found["value"]["required"], found["item_id"]["required"]) == (False, True)
    assert (items["physicalName"], items["description"]) == ("parquet/items.parquet", "One item")
    senders = sources["properties"][1]
    assert (senders["logicalType"], senders["items"]) == ("array", {"logicalType": "integer"})
    assert "items" not in found["value"]
    assert described["servers"][0]["description"] == "https://packages.example/7/"
    assert "servers" not in yaml.safe_load(data_contract_text(UNSTATED))


def test_a_catalogue_gets_a_record_only_of_what_is_stated_whole() -> None:
    assert is_catalogued(STATED)
    for name in ("publisher", "publisher_id", "contact", "address"):
        missing: dict[str, Any] = {name: None}
        assert not is_catalogued(replace(STATED, **missing))


def test_a_catalogue_record_has_every_file_with_its_size_and_checksum() -> None:
    record = catalogue_record(CONTENT)
    data = of_id(record, "https://packages.example/7/")
    paths = [f"https://packages.example/7/{file.path}" for file in CONTENT.files]
    assert data["dcat:distribution"] == [{"@id": path} for path in paths]
    assert data["dct:issued"] == {"@type": "xsd:dateTime", "@value": "2025-03-04T05:06:07Z"}
    file = of_id(record, paths[0])
    assert file["dcat:byteSize"]["@value"] == "10"
    assert file["spdx:checksum"]["spdx:checksumValue"]["@value"] == "a1"
    assert file["dcat:mediaType"]["@id"].endswith("/media-types/text/csv")
    assert of_id(record, paths[-1])["dcat:mediaType"]["@id"].endswith("/text/plain")
    assert file["dct:license"]["@id"].endswith("/licence/NLOD_2_0")
    catalogue = of_id(record, "https://packages.example/")
    assert catalogue["dcat:dataset"] == {"@id": data["@id"]}
    assert [text["@language"] for text in catalogue["dct:description"]] == ["nb", "en"]
    assert of_id(record, "https://data.example/tilsyn")["foaf:name"] == "Statens prøvetilsyn"


@pytest.mark.parametrize(
    ("contact", "how", "address"),
    [
        ("data@tilsyn.example", "vcard:hasEmail", "mailto:data@tilsyn.example"),
        ("https://tilsyn.example/contact", "vcard:hasURL", "https://tilsyn.example/contact"),
    ],
)
def test_a_contact_is_a_mail_address_or_a_page(contact: str, how: str, address: str) -> None:
    record = catalogue_record(replace(CONTENT, publication=replace(STATED, contact=contact)))
    point = of_id(record, "https://packages.example/7/")["dcat:contactPoint"]
    assert point[how] == {"@id": address}
    assert len([key for key in point if key.startswith("vcard:has")]) == 1


def test_a_licence_that_the_catalogue_does_not_know_is_left_out() -> None:
    record = catalogue_record(replace(CONTENT, publication=replace(STATED, licence="Own")))
    assert not any("dct:license" in node for node in record["@graph"])


def test_the_notebook_has_every_example_with_its_lines_as_they_are() -> None:
    cells = example_notebook()["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code"] * len(PACKAGE_EXAMPLES)
    assert ["".join(cell["source"]) for cell in cells[1::2]] == [code for _, code in PACKAGE_EXAMPLES]
    assert [cell["source"] for cell in cells[::2]] == [[f"## {title}"] for title, _ in PACKAGE_EXAMPLES]
    assert len({cell["id"] for cell in cells}) == len(cells)


def test_the_readme_lists_each_table_with_its_rows_and_each_example() -> None:
    lines = read_me_text(CONTENT).splitlines()
    assert lines[0] == "# Reports: release 7"
    assert f"Cite as: {citation_line(CONTENT)}" in lines
    assert "| `people` | 9000000 | One sender |" in lines
    assert [line for line in lines if line.startswith("## ")][:-2] == [f"## {title}" for title, _ in PACKAGE_EXAMPLES]
    assert lines.count("```") == lines.count("```python") + lines.count("```r") == len(PACKAGE_EXAMPLES) + 2
