"""Rows that are cells: counted by delivered row, addressed by row and column, one reject for a fault of the row."""

from decimal import Decimal

from tests.support.shaped_deliveries import received

WIDE = """
format: {type: csv}
unit: {column: unit, kind: municipality}
period: {column: year, type: year}
unpivot: {pattern: "Y(?<year>[0-9]{4})"}
ignore: rest
claims:
  - {concept: persons, column: value, reported_by: {option: sender}, unit_measure: {value: persons}, missing: skip}
"""


def test_each_cell_is_a_claim_with_its_address() -> None:
    result = received(WIDE, b"unit;note;Y2020;Y2021\n0301;x;1;2\n1103;;3;\n4601;;;\n")
    assert result.claims("row", "column", "position", "value", "lead") == [
        (2, "Y2020", 0, Decimal(1), True), (2, "Y2021", 1, Decimal(2), False), (3, "Y2020", 0, Decimal(3), True),
    ]  # fmt: skip
    assert result.buckets() == (2, 0, 1)
    assert result.done.counts["claims"].item() == 3


def test_a_bad_cell_costs_its_figure_and_the_row_counts_as_rejected() -> None:
    result = received(WIDE, b"unit;Y2020;Y2021\n0301;1;x\n1103;3;4\n")
    assert result.claims("row", "column", "lead") == [
        (2, "Y2020", False), (3, "Y2020", True), (3, "Y2021", False),
    ]  # fmt: skip
    assert result.rejects("row", "column", "reason", "found") == [(2, "Y2021", "not-a-number", "x")]
    assert result.buckets() == (1, 1, 0)


def test_what_is_wrong_with_the_whole_row_is_one_reject() -> None:
    result = received(WIDE, b"unit;Y2020;Y2021;Y2022\n9999;1;2;3\n0301;1;2;3\n")
    assert result.rejects("row", "column", "reason") == [(2, "unit", "unknown-unit")]
    assert result.buckets() == (1, 1, 0)


def test_a_key_that_repeats_names_the_columns_of_its_cells() -> None:
    result = received(WIDE, b"unit;Y2020\n0301;1\n0301;2\n1103;3\n")
    assert result.rejects("row", "column", "reason") == [(2, "Y2020", "duplicate-key"), (3, "Y2020", "duplicate-key")]
    assert result.buckets() == (1, 2, 0)


def test_rules_are_about_the_rows_that_are_made() -> None:
    result = received(
        WIDE + "rules: [{id: small, check: range, column: value, max: 5}]\n", b"unit;Y2020;Y2021\n0301;1;9\n"
    )
    assert result.rejects("row", "column", "reason", "rule") == [(2, "Y2021", "rule", "small")]


def test_two_claims_of_one_cell_have_positions_of_their_own() -> None:
    second = (
        WIDE
        + "  - {concept: cost, column: value, reported_by: {value: you}, unit_measure: {value: NOK}, missing: skip}"
    )
    result = received(second, b"unit;Y2020;Y2021\n0301;1;2\n")
    assert result.claims("position", "concept", "column") == [
        (0, "persons", "Y2020"), (1, "cost", "Y2020"), (2, "persons", "Y2021"), (3, "cost", "Y2021"),
    ]  # fmt: skip
