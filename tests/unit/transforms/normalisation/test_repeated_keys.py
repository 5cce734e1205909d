"""Keys that repeat inside a file: summed, rejected, warned of or compared; and rows that share a rejected row's key."""

from datetime import date
from decimal import Decimal
from typing import Any, Final

import polars as pl
import pytest

from schemas.claims import IDENTITY, VALUE
from transforms.normalisation.problems import Findings
from transforms.normalisation.rejected_twins import EXPECTED, reject_twins
from transforms.normalisation.repeated_keys import CLAIM_KEY, Repeat, handle_repeats

IDENTITY_VALUES: Final[dict[str, Any]] = {
    "concept": "places", "unit_id": "u", "period_start": date(2024, 1, 1), "period_end": date(2025, 1, 1),
    "breakdown": "{}", "unit_measure": "places",
}  # fmt: skip
GREAT: Final = "9999999999999999999999999999"


def claims(*rows: tuple[int, str, str]) -> pl.DataFrame:
    """Return claims of rows, each a row number, an item and a value; `t/i` is item i of submission t."""
    full = []
    for row, item, value in rows:
        submission, _, name = item.rpartition("/")
        full.append({
            "submission_id": submission or "s", "row": row, "column": "n", "original": value, "value": Decimal(value),
            "decimals": None, "item_id": name, "reported_by": "r", "additive": False, **IDENTITY_VALUES,
        })  # fmt: skip
    schema: dict[str, Any] = {
        "submission_id": pl.String, "row": pl.Int32, "column": pl.String, "original": pl.String, "value": VALUE,
        "decimals": pl.Int16, "item_id": pl.String, "reported_by": pl.String, "additive": pl.Boolean,
    }  # fmt: skip
    schema |= {column.name: pl.Date if column.name.startswith("period") else pl.String for column in IDENTITY}
    return pl.DataFrame(full, schema=schema)


def result(repeat: Repeat, *rows: tuple[int, str, str]) -> tuple[list[int], list[int], Findings]:
    """Return the rows that are accepted, those of them that are additive, and the findings."""
    accepted, findings = handle_repeats(claims(*rows), repeat)
    return accepted["row"].to_list(), accepted.filter("additive")["row"].to_list(), findings


TWICE: Final = ((2, "i", "1"), (3, "j", "2"), (4, "i", "3"))


@pytest.mark.parametrize("repeat", ["sum", "error", "warn", "distinct"])
def test_keys_that_are_there_once_are_accepted(repeat: Repeat) -> None:
    rows = [(2, "i", "1"), (3, "j", "1"), (4, "t/i", "1")]
    accepted, additive, findings = result(repeat, *rows)
    assert (accepted, additive) == ([2, 3, 4], [])
    assert (findings.rejects.height, findings.rejected.height, findings.warned.height) == (0, 0, 0)
    assert handle_repeats(claims(), repeat)[0].height == 0


def test_lines_of_one_key_are_summed() -> None:
    accepted, additive, findings = result("sum", *TWICE, (5, "i", "-3"))
    assert (accepted, additive, findings.rejects.height) == ([2, 3, 4, 5], [2, 4, 5], 0)


def test_a_key_that_may_not_repeat_rejects_each_of_its_rows() -> None:
    accepted, _, findings = result("error", *TWICE)
    assert accepted == [3]
    assert findings.rejected.rows() == [("s", 2), ("s", 4)]
    columns = ("row", "column", "reason", "rule", "severity", "found", "expected", "hint")
    assert findings.rejects.select(columns).row(0) == (
        2, "n", "duplicate-key", "repeat: error", "critical", "places u 2024-01-01 2025-01-01 {} places",
        "each key once in a file", "add up the lines, or declare `repeat: sum` in the contract",
    )  # fmt: skip


def test_a_key_of_which_a_person_is_warned_is_accepted() -> None:
    accepted, additive, findings = result("warn", *TWICE, (5, "t/k", "1"), (6, "t/k", "1"))
    assert (accepted, additive, findings.rejected.height) == ([2, 3, 4, 5, 6], [], 0)
    assert sorted(findings.warned.rows()) == [("s", 2), ("t", 2)]
    assert findings.rejects.select("severity", "hint").unique().rows() == [("warning", "keep the row that is right")]


def test_equal_rows_of_a_key_are_accepted_and_rows_that_differ_are_not() -> None:
    accepted, _, findings = result("distinct", *TWICE, (5, "j", "2"))
    assert (accepted, findings.rejected["row"].to_list()) == ([3, 5], [2, 4])


def test_a_row_with_several_claims_leaves_whole_and_is_rejected_once() -> None:
    accepted, _, findings = result("error", (2, "i", "1"), (2, "j", "1"), (3, "i", "1"), (3, "j", "1"), (4, "k", "1"))
    assert (accepted, findings.rejected["row"].to_list(), findings.rejects.height) == ([4], [2, 3], 2)


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        (("6000000000000000000000000000", "6000000000000000000000000000"), False), (("1", GREAT), False),
        ((GREAT, GREAT), False), ((f"-{GREAT}", f"-{GREAT}"), False), (("1", "2"), True),
        (("4999999999999999999999999999", "4000000000000000000000000000"), True),
    ],
)  # fmt: skip
def test_a_sum_that_has_too_many_digits_is_rejected(values: tuple[str, str], fits: bool) -> None:
    rows = [(n, "i", value) for n, value in enumerate(values, start=2)]
    accepted, additive, findings = result("sum", *rows, (9, "j", "7"))
    assert (accepted, additive) == (([2, 3, 9], [2, 3]) if fits else ([9], []))
    if not fits:
        assert findings.rejected["row"].to_list() == [2, 3]
        assert set(findings.rejects["reason"]) == {"out-of-range"}
        assert findings.rejects["expected"][0] == "lines whose sum has at most 28 digits"


def test_the_other_sums_of_a_row_that_goes_lack_a_line_and_go_too() -> None:
    rows = [(2, "i", GREAT), (3, "i", GREAT), (3, "j", "1"), (4, "j", "1"), (4, "k", "1"), (5, "k", "1"), (6, "x", "1")]
    accepted, _, findings = result("sum", *rows)
    assert (accepted, sorted(findings.rejected["row"])) == ([6], [2, 3, 4, 5])


def lost(*rows: tuple[int, str | None]) -> pl.DataFrame:
    keys = [("s", row, item, "r") for row, item in rows]
    schema = {"submission_id": pl.String, "row": pl.Int32, "item_id": pl.String, "reported_by": pl.String}
    return pl.DataFrame(keys, schema=schema, orient="row").select("submission_id", "row", *CLAIM_KEY[1:])


@pytest.mark.parametrize("repeat", ["sum", "error", "distinct"])
def test_who_shares_a_key_with_a_rejected_row_is_rejected(repeat: Any) -> None:
    kept, rejects = reject_twins(claims(*TWICE, (5, "t/i", "1")), lost((9, "i")), repeat)
    assert kept["row"].to_list() == [3, 5]
    assert rejects.select("row", "reason", "rule", "expected").rows() == [
        (row, "rejected-twin", f"repeat: {repeat}", EXPECTED[repeat]) for row in (2, 4)
    ]
    assert rejects["found"][0] == "places u 2024-01-01 2025-01-01 {} places"


def test_a_rejected_row_takes_the_other_keys_of_its_twins_with_it() -> None:
    rows = [(2, "i", "1"), (2, "j", "1"), (3, "j", "1"), (3, "k", "1"), (4, "k", "1"), (5, "l", "1")]
    kept, rejects = reject_twins(claims(*rows), lost((9, "i")), "sum")
    assert (kept["row"].to_list(), rejects["row"].to_list()) == ([5], [2, 3, 4])


def test_a_twin_with_several_claims_is_rejected_once_and_all_in_the_order_of_rows() -> None:
    rows = [(n, item, "1") for n in range(40, 1, -1) for item in ("i", "j")]
    kept, rejects = reject_twins(claims(*rows), lost((99, "i"), (99, "j")), "sum")
    assert (kept.height, rejects["row"].to_list()) == (0, list(range(2, 41)))


def test_a_rejected_row_whose_key_cannot_be_read_takes_nobody_with_it() -> None:
    for gone, warnings in ((lost(), 0), (lost((9, None)), 1), (lost((9, "z")), 0)):
        kept, rejects = reject_twins(claims(*TWICE), gone, "sum")
        assert (kept["row"].to_list(), rejects["severity"].to_list()) == ([2, 3, 4], ["warning"] * warnings)
