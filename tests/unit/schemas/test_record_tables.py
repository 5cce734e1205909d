"""The tables of a kind: which columns each has, and what their values may be."""

import polars as pl
import pytest

from schemas.claims import Column
from schemas.kind import Kind
from schemas.record_tables import (
    CHANGE_RECORD,
    CONFLICT_RECORD,
    EDGE,
    HISTORY,
    RETIRED_RECORD,
    internal_kind_tables,
    item_columns,
    published_kind_tables,
    record_columns,
    report_index_columns,
    source_table_columns,
)

KIND = Kind.model_validate(
    {
        "kind": "mishap",
        "version": 1,
        "title": {"nb": "Uhell", "nn": "Uhell", "en": "Mishap"},
        "one_report_per_item": True,
        "fields": {
            "number": {"type": "code", "role": "identity", "doc": "Number"},
            "story": {"type": "text", "role": "text", "doc": "What happened"},
            "day": {"type": "date", "role": "attribute", "doc": "When"},
            "cost": {"type": "number", "role": "attribute", "doc": "What it cost"},
        },
        "blocking": [["day"], [{"field": "story", "rare": "word"}]],
        "thresholds": {"review": 0.5},
    }
)


def dtypes(columns: tuple[Column, ...]) -> dict[str, object]:
    return {column.name: column.dtype for column in columns}


def nullable(columns: tuple[Column, ...]) -> set[str]:
    return {column.name for column in columns if column.nullable}


def test_a_report_has_each_field_once_and_an_item_all_versions_of_a_text() -> None:
    records, items = dtypes(record_columns(KIND)), dtypes(item_columns(KIND))
    assert (records["story"], items["story"]) == (pl.String, pl.List(pl.String))
    assert records["day"] == items["day"] == pl.Date
    assert records["number"] == items["number"] == pl.String
    assert dtypes(source_table_columns(KIND))["story"] == pl.String


@pytest.mark.parametrize("columns", [record_columns(KIND), item_columns(KIND), source_table_columns(KIND)])
def test_any_field_may_be_empty_and_no_column_occurs_twice(columns: tuple[Column, ...]) -> None:
    assert set(KIND.fields) <= nullable(columns)
    assert len(dtypes(columns)) == len(columns)
    assert columns[-1].name == "partition"


ENVELOPE = {"row_keys", "reported_at", "version"}
FIELDS = {"number", "story", "day", "cost"}


def test_what_may_be_empty() -> None:
    assert nullable(record_columns(KIND)) == ENVELOPE | FIELDS | {"part_values", "precedence"}
    assert nullable(source_table_columns(KIND)) == ENVELOPE | FIELDS | {"part_values", "precedence"}
    assert nullable(item_columns(KIND)) == FIELDS | {"conf_status", "first_reported", "last_reported"}
    assert nullable(CONFLICT_RECORD) == set()
    assert [nullable(columns) for columns in (EDGE, RETIRED_RECORD)] == [set(), set()]


def test_a_release_is_stored_with_what_it_publishes_alone() -> None:
    assert "release" not in dtypes(record_columns(KIND))
    for columns in published_kind_tables(KIND).values():
        assert dtypes(columns)["release"] == pl.Int32


def test_a_block_has_one_key_or_several() -> None:
    assert dtypes(report_index_columns(KIND)) == {
        "report_id": pl.String,
        "block_0": pl.Int64,
        "blocks_1": pl.List(pl.Int64),
        "block_2": pl.Int64,  # the identity field's own
        "release": pl.Int32,
        "partition": pl.String,
    }
    assert nullable(report_index_columns(KIND)) == {"block_0", "blocks_1", "block_2"}


def test_the_names_of_the_tables() -> None:
    published, internal = published_kind_tables(KIND), internal_kind_tables(KIND)
    assert list(published) == ["mishap", "mishap_sources", "mishap_conflicts", "mishap_changes", "mishap_history"]
    assert list(internal) == ["mishap_reports", "mishap_edges", "mishap_retired"]
    assert published["mishap"] == item_columns(KIND)
    assert published["mishap_sources"] == source_table_columns(KIND)
    assert internal["mishap_reports"] == report_index_columns(KIND)


def test_the_sets_of_values() -> None:
    values = {c.name: c.values for c in (*item_columns(KIND), *source_table_columns(KIND), *CONFLICT_RECORD)}
    assert values["agreement"] == values["relation"] == ("single", "complete", "conflict")
    assert values["conf_status"] == ("F", "C")
    assert values["outcome"] == ("published", "outranked")
    changes = {c.name: c.values for c in (*CHANGE_RECORD, *HISTORY)}
    assert changes["change"] == ("added", "changed", "removed")
    assert changes["event"] == ("merged", "split", "moved", "retired", "renewed")
    assert changes["cause"] == ("submission", "decision", "model", "rules")


def test_before_and_after_may_be_empty_for_what_was_added_or_removed() -> None:
    sides = {f"{what}_{side}" for what in ("agreement", "reports") for side in ("before", "after")}
    assert nullable(CHANGE_RECORD) == sides
    assert nullable(HISTORY) == {"other_id", "cause_id"}
