"""Comparison levels of every kind of comparison, as SQL that DuckDB runs, and models from elsewhere."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from schemas.kind import Kind, read_kind
from tests.support.incident_deliveries import KIND, model
from transforms.linkage.comparisons import (
    DIFFERENT_LABEL,
    EQUAL_LABEL,
    MISSING_LABEL,
    compares_as_declared,
    splink_settings,
)


def kind(compare: str, field_type: str = "text", more: str = "") -> Kind:
    return read_kind(
        f"""
        kind: mishap
        version: 1
        title: {{en: Mishap, nb: Uhell, nn: Uhell}}
        one_report_per_item: true
        fields:
          x: {{type: {field_type}, role: comparison, doc: A value, compare: {compare}{more}}}
          far: {{type: number, role: attribute, doc: A longitude}}
        blocking: [[x]]
        """
    )


def levels(asked: Kind) -> list[dict[str, Any]]:
    (comparison,) = splink_settings(asked)["comparisons"]
    assert comparison["output_column_name"] == "x"
    found: list[dict[str, Any]] = comparison["comparison_levels"]
    return found


NULL, EQUAL, ELSE = MISSING_LABEL, EQUAL_LABEL, DIFFERENT_LABEL


@pytest.mark.parametrize(
    ("compare", "field_type", "labels"),
    [
        ("{by: exact}", "text", [NULL, EQUAL, ELSE]),
        ("{by: similarity}", "text", [NULL, EQUAL, "alike to 0.92", "alike to 0.8", ELSE]),
        ("{by: edits, levels: [1, 2]}", "text", [NULL, EQUAL, "1 edits apart", "2 edits apart", ELSE]),
        ("{by: days, levels: [1, 7]}", "date", [NULL, EQUAL, "1 days apart", "7 days apart", ELSE]),
        ("{by: minutes, levels: [15]}", "datetime", [NULL, EQUAL, "15 minutes apart", ELSE]),
        ("{by: difference, levels: [0.5, 5]}", "number", [NULL, EQUAL, "0.5 apart", "5 apart", ELSE]),
        ("{by: proportion, levels: [0.1]}", "number", [NULL, EQUAL, "10% apart", ELSE]),
        ("{by: words, levels: [20, 10]}", "text", [NULL, "share 20 bits", "share 10 bits", ELSE]),
        ("{by: cosine, levels: [0.9, 0.4]}", "text", [NULL, "words alike to 0.9", "words alike to 0.4", ELSE]),
        ("{by: kilometres, longitude: far, levels: [1, 10]}", "number", [NULL, "1 km apart", "10 km apart", ELSE]),
        ("{by: overlap, levels: [2, 1]}", "list", [NULL, "share 2", "share 1", ELSE]),
        ("{by: code, prefixes: [3, 2]}", "code", [NULL, EQUAL, "begin alike (3)", "begin alike (2)", ELSE]),
    ],
)
def test_levels_run_from_missing_over_equal_and_near_to_different(
    compare: str, field_type: str, labels: list[str]
) -> None:
    found = levels(kind(compare, field_type))
    assert [level["label_for_charts"] for level in found] == labels
    assert [bool(level.get("is_null_level")) for level in found] == [True, *[False] * (len(labels) - 1)]


def test_the_missing_level_of_a_contact_weighs_nothing() -> None:
    asked = read_kind(
        """
        kind: mishap
        version: 1
        title: {en: Mishap, nb: Uhell, nn: Uhell}
        one_report_per_item: true
        fields:
          street: {type: text, role: attribute, doc: A street}
          number: {type: code, role: attribute, doc: A telephone number}
        comparisons: {x: {fields: [street, number], doc: Home, compare: {by: contact, telephone: number}}}
        blocking: [[street]]
        """
    )
    null, *others = levels(asked)
    assert (null["label_for_charts"], null["is_null_level"]) == (NULL, True)
    assert not any(level.get("is_null_level") for level in others)


def level_of(asked: Kind, left: str, right: str) -> str:
    """Return the label of the first level that two values, in SQL, are on."""
    with duckdb.connect() as connection:
        for level in levels(asked):
            condition = level["sql_condition"]
            rows = f"SELECT {left} AS x_l, {right} AS x_r, 0.0 AS far_l, 0.0 AS far_r"
            holds = "TRUE" if condition == "ELSE" else condition
            ((found,),) = connection.sql(rows).project(holds).limit(1).fetchall()
            if found:
                return str(level["label_for_charts"])
    raise AssertionError


@pytest.mark.parametrize(
    ("compare", "field_type", "left", "right", "label"),
    [
        ("{by: exact}", "text", "'a'", "'a'", EQUAL),
        ("{by: exact}", "text", "'a'", "'b'", ELSE),
        ("{by: exact}", "text", "NULL", "'b'", NULL),
        ("{by: edits, levels: [1]}", "text", "'abc'", "'abd'", "1 edits apart"),
        ("{by: edits, levels: [1]}", "text", "'abc'", "'ade'", ELSE),
        ("{by: days, levels: [1]}", "date", "DATE '2024-01-01'", "DATE '2024-01-02'", "1 days apart"),
        ("{by: days, levels: [1]}", "date", "DATE '2024-01-03'", "DATE '2024-01-01'", ELSE),
        (
            "{by: minutes, levels: [15]}", "datetime", "TIMESTAMP '2024-01-01 10:00:00'",
            "TIMESTAMP '2024-01-01 09:45:00'", "15 minutes apart",
        ),
        (
            "{by: minutes, levels: [15]}", "datetime", "TIMESTAMP '2024-01-01 10:00:00'",
            "TIMESTAMP '2024-01-01 10:15:01'", ELSE,
        ),
        ("{by: difference, levels: [5]}", "number", "10.0", "15.0", "5 apart"),
        ("{by: difference, levels: [5]}", "number", "15.1", "10.0", ELSE),
        ("{by: proportion, levels: [0.1]}", "number", "100.0", "91.0", "10% apart"),
        ("{by: proportion, levels: [0.1]}", "number", "100.0", "80.0", ELSE),
        ("{by: code, prefixes: [2]}", "code", "'1120'", "'1199'", "begin alike (2)"),
        ("{by: code, prefixes: [2]}", "code", "'1120'", "'1220'", ELSE),
        ("{by: overlap, levels: [2]}", "list", "['a', 'b', 'c']", "['c', 'a']", "share 2"),
        ("{by: overlap, levels: [2]}", "list", "['a', 'b']", "['a', 'c']", ELSE),
    ],
)  # fmt: skip
def test_two_values_are_on_the_nearest_level_that_they_reach(
    compare: str, field_type: str, left: str, right: str, label: str
) -> None:
    assert level_of(kind(compare, field_type), left, right) == label


def test_a_place_is_missing_if_either_coordinate_of_either_report_is() -> None:
    (null, *_) = levels(kind("{by: kilometres, longitude: far, levels: [1]}", "number"))
    assert null["sql_condition"].count("IS NULL") == 4
    assert all(f'"{name}_{side}" IS NULL' in null["sql_condition"] for name in ("x", "far") for side in "lr")


def test_a_rare_value_counts_for_more_only_where_the_kind_says_so() -> None:
    for more, column in (("", None), (", term_frequency: true", "x")):
        equal = levels(kind("{by: exact}", more=more))[1]
        assert equal.get("tf_adjustment_column") == column


def test_a_model_compares_as_declared_if_only_its_probabilities_differ() -> None:
    trained = model()
    assert compares_as_declared(trained, KIND)
    assert compares_as_declared(replace(trained, settings=trained.settings | {"linker_uid": "u"}), KIND)
    other = deepcopy(trained)
    other.settings["comparisons"][1]["comparison_levels"][2]["sql_condition"] = "TRUE"
    assert not compares_as_declared(other, KIND)
    without = deepcopy(trained)
    without.settings["comparisons"][1]["comparison_levels"].pop()
    assert not compares_as_declared(without, KIND)
    assert not compares_as_declared(replace(trained, settings=trained.settings | {"link_type": "link_only"}), KIND)
    assert not compares_as_declared(trained, kind("{by: exact}"))
