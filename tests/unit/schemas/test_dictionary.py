"""The data dictionary: an entry for each column of each table, types in their usual notation."""

from schemas.claims import EXPORTED_SUBMISSION, PUBLISHED_TABLES, REASONS
from schemas.description_tables import DESCRIPTION_TABLES
from schemas.dictionary import columns_table, dictionary
from schemas.kind import Kind
from schemas.overlap import MEASURED_TABLES, OVERLAP_TABLES

KIND = Kind.model_validate(
    {
        "kind": "mishap",
        "version": 1,
        "title": {"nb": "Uhell", "nn": "Uhell", "en": "Mishap"},
        "one_report_per_item": True,
        "fields": {
            "story": {"type": "text", "role": "text", "doc": "What happened"},
            "cost": {"type": "number", "role": "attribute", "doc": "What it cost"},
        },
        "thresholds": {"review": 0.5},
    }
)


def test_without_kinds_it_has_the_published_tables_and_the_submissions() -> None:
    found = dictionary()
    tables = {**PUBLISHED_TABLES, **MEASURED_TABLES, **DESCRIPTION_TABLES, "submissions": EXPORTED_SUBMISSION}
    assert list(found) == list(tables)
    for name, columns in tables.items():
        assert [entry["column"] for entry in found[name]] == [column.name for column in columns]


def test_each_kind_adds_its_tables() -> None:
    found = dictionary([KIND])
    assert list(found)[len(dictionary()) :] == [
        "mishap", "mishap_sources", "mishap_conflicts", "mishap_changes", "mishap_history",
    ]  # fmt: skip
    entries = {entry["column"]: entry for entry in found["mishap"]}
    assert entries["story"] == {
        "column": "story",
        "type": "List(String)",
        "nullable": True,
        "values": None,
        "means": "What happened",
    }
    assert entries["cost"]["type"] == "Decimal(38, 9)"
    assert entries["agreement"]["values"] == ("single", "complete", "conflict")
    assert (entries["reports"]["type"], entries["reports"]["nullable"]) == ("Int32", False)
    assert entries["first_reported"]["type"] == "Datetime"
    sources = {entry["column"]: entry["type"] for entry in found["mishap_sources"]}
    assert (sources["rows"], sources["row_keys"]) == ("List(Int32)", "List(String)")


def test_the_chapter_of_columns_has_a_table_for_each_and_the_reasons_at_last() -> None:
    lines = columns_table().splitlines()
    titles = [line.removeprefix("### ") for line in lines if line.startswith("### ")]
    kind = ["KIND", "KIND_sources", "KIND_conflicts", "KIND_changes", "KIND_history"]
    computed = [name for name in OVERLAP_TABLES if name not in MEASURED_TABLES]
    exported = [*PUBLISHED_TABLES, *MEASURED_TABLES, *DESCRIPTION_TABLES, "submissions", *kind]
    expected = [*exported, *computed, "rejects", "Reasons"]
    assert titles == expected
    assert lines[lines.index("### rejects") + 2 :][:2] == [
        "| column | type | null | means |",
        "| --- | --- | --- | --- |",
    ]
    reasons = lines[lines.index("### Reasons") + 4 :]
    assert [line for line in reasons if line] == [f"| `{code}` | {REASONS[code]} |" for code in REASONS]


def test_a_line_of_the_chapter() -> None:
    lines = columns_table().splitlines()
    assert (
        "| `severity` | String |  | critical: the row is rejected; warning: it is kept: `critical`, `warning` |"
        in lines
    )
    assert "| `found` | String | yes | What was found, at most 200 characters |" in lines
    assert "| `reason` | String |  | Reason code |" in lines  # the reasons have their own table
    field = [line for line in lines if line.startswith("| `FIELD` |")]
    assert len(field) == 2
    assert all(line.startswith("| `FIELD` | its own | yes | Each field of the kind") for line in field)
