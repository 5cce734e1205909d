"""Symbols for no figure, marks of status after it, and claims that only some rows make."""

from decimal import Decimal

import pytest

from tests.support.shaped_deliveries import received

TEXT = """
format: {type: csv, decimal: ","}
unit: {column: unit, kind: municipality}
period: {column: year, type: year}
claims:
  - {concept: persons, column: n, reported_by: {option: sender}, unit_measure: {value: persons}MORE}
"""


def figures(more: str, *cells: str, extra: str = "") -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Return value and status of each claim, and row, reason and found of each reject."""
    lines = ["unit;year;n", *(f"0301;{2000 + i};{cell}" for i, cell in enumerate(cells))]
    result = received(TEXT.replace("MORE", more) + extra, "\n".join(lines).encode())
    result.buckets()
    return result.claims("row", "value", "obs_status"), result.rejects("row", "reason", "found")


def test_a_declared_symbol_costs_its_figure_and_never_its_row() -> None:
    made, rejects = figures(', missing_values: [".", "..", ":", "-"]', "5", ".", "..", ":", "-", " .. ")
    assert made == [(2, Decimal(5), "A")]
    assert rejects == []


def test_an_empty_cell_is_rejected_where_symbols_are_declared() -> None:
    assert figures(', missing_values: [".."]', "", "..")[1] == [(2, "missing-value", "")]
    assert figures(', missing_values: [".."], missing: skip', "", "..")[1] == []
    assert figures(', missing_values: ["..", ""]', "", "..")[1] == []


def test_a_suppressed_figure_is_found_by_a_pattern() -> None:
    made, rejects = figures(', missing_pattern: "<[0-9]+"', "<5", "5", "< 5", "<")
    assert made == [(3, Decimal(5), "A")]
    assert rejects == [(4, "not-a-number", "< 5"), (5, "not-a-number", "<")]


def test_a_mark_after_the_figure_is_its_status() -> None:
    more = ', flags: {"*": E, (r): B, p: P, b: B, bp: F}, missing_values: [":"]'
    made, rejects = figures(more, "12*", "3 (r)", "4p", "7 bp", "1,5 *", "8", ": p", "x p", "*")
    assert made == [
        (2, Decimal(12), "E"), (3, Decimal(3), "B"), (4, Decimal(4), "P"), (5, Decimal(7), "F"),
        (6, Decimal("1.5"), "E"), (7, Decimal(8), "A"),
    ]  # fmt: skip
    assert rejects == [(9, "not-a-number", "x p"), (10, "missing-value", "*")]


def test_a_rule_sees_the_bare_figure() -> None:
    rule = "rules: [{id: small, check: range, column: n, max: 10}]"
    made, rejects = figures(', flags: {"*": E}, missing_values: [".."]', "9*", "11*", "..", extra=rule)
    assert [row for row, *_ in made] == [2]
    assert [(row, reason) for row, reason, _ in rejects] == [(3, "rule")]


def test_the_mark_counts_before_the_status_of_the_row() -> None:
    text = TEXT.replace("MORE", ', flags: {"*": E}, obs_status: {column: s, map: {f: F, "": A}}')
    result = received(text, b"unit;year;n;s\n0301;2000;1*;f\n0301;2001;1;f\n0301;2002;1;\n")
    assert result.claims("obs_status") == [("E",), ("F",), ("A",)]
    assert result.claims("original")[0] == ("1*",)


LONG = """
format: {type: csv}
unit: {column: unit, kind: municipality}
period: {column: year, type: year}
claims:
  - {concept: persons, column: n, when: {what: [pop, folk]}, reported_by: {option: sender},
     unit_measure: {value: persons}, missing: skip}
  - {concept: cost, column: n, when: {what: cost}, scale: 1000, reported_by: {column: who},
     unit_measure: {value: NOK}}
"""


def test_a_column_names_what_the_value_is() -> None:
    rows = b"unit;year;what;n;who\n0301;2000;pop;5;\n0301;2001;folk;6;\n0301;2000;cost;7;me\n0301;2002;pop;;\n"
    result = received(LONG, rows)
    assert result.claims("row", "concept", "value", "lead") == [
        (2, "persons", Decimal(5), True), (3, "persons", Decimal(6), True), (4, "cost", Decimal(7000), True),
    ]  # fmt: skip
    assert result.rejects() == []
    assert result.buckets() == (3, 0, 1)


def test_a_row_that_makes_no_claim_is_a_reject() -> None:
    result = received(LONG, b"unit;year;what;n;who\n0301;2000;births;5;\n0301;2000;births;;\n")
    assert result.rejects("row", "column", "reason", "found", "expected") == [
        (2, "what", "unknown-code", "births", "what pop or folk; what cost"),
        (3, "what", "unknown-code", "births", "what pop or folk; what cost"),
    ]
    assert result.buckets() == (0, 2, 0)


def test_what_a_claim_needs_is_needed_in_its_own_rows_only() -> None:
    result = received(LONG, b"unit;year;what;n;who\n0301;2000;cost;5;\n0301;2000;pop;x;\n0301;2001;cost;;me\n")
    assert result.rejects("row", "column", "reason") == [
        (2, "who", "missing-value"), (3, "n", "not-a-number"), (4, "n", "missing-value"),
    ]  # fmt: skip


def test_the_rank_in_a_conflict_may_come_from_the_sender_or_a_column() -> None:
    more = ", precedence: {column: year, map: {2000: 1, 2001: 2}, map_default: 9}"
    result = received(TEXT.replace("MORE", more), b"unit;year;n\n0301;2000;1\n0301;2001;1\n0301;2002;1\n")
    assert result.claims("precedence") == [(1,), (2,), (9,)]
    by_sender = ", precedence: {option: sender, map: {me: 3}}"
    assert received(TEXT.replace("MORE", by_sender), b"unit;year;n\n0301;2000;1\n").claims("precedence") == [(3,)]


@pytest.mark.parametrize("mark", ["(", "*", "+", "[c]", "^", "p."])
def test_a_mark_is_a_text_and_no_pattern(mark: str) -> None:
    made, rejects = figures(f', flags: {{"{mark}": E}}', f"12{mark}", "12")
    assert [(value, status) for _, value, status in made] == [(Decimal(12), "E"), (Decimal(12), "A")]
    assert rejects == []
