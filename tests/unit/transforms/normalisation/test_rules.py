from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schemas.claims import VALUE
from schemas.contract import ChangeRule, Contract, Format, Rule
from transforms.normalisation.rules import RowRule, change_breaks, rule_breaks, rule_columns, rule_expectation
from transforms.numbers import number

ADAPTER: TypeAdapter[Rule] = TypeAdapter(Rule)


def rule(check: str, **keys: object) -> RowRule:
    return ADAPTER.validate_python({"id": "r1", "check": check, **keys})


def contract(**keys: object) -> Contract:
    """Return a contract of which only the format counts."""
    return Contract.model_construct(format=Format.model_validate({"type": "csv", **keys}))


COMMA = contract(decimal=",", thousands=" ")


def breaks(of: RowRule, *cells: str | None, column: str = "a", read_as: Contract = COMMA) -> list[bool]:
    rows = pl.DataFrame({column: cells}, schema={column: pl.String}).with_columns(submission_id=pl.lit("s"))
    found = rows.select(broken=rule_breaks(of, read_as))["broken"]
    assert found.dtype == pl.Boolean
    assert found.null_count() == 0
    read_before = rows.with_columns(number=number(pl.col(column), read_as.format))
    assert read_before.select(rule_breaks(of, read_as, {column: pl.col("number")})).to_series().to_list() == [*found]
    return found.to_list()


def test_range_is_of_numbers_and_both_ends_are_in() -> None:
    between = rule("range", column="a", min=0, max="10.5")
    assert breaks(between, "0", "10,5", "9", "-0", " 3 ") == [False] * 5
    assert breaks(between, "-0,000000001", "10,500000001", "1 000", "\u22121") == [True] * 4


def test_empty_cells_pass_and_what_is_no_number_breaks_a_range() -> None:
    for bounds in ({"min": 0}, {"max": 9}, {}):
        assert (
            breaks(rule("range", column="a", **bounds), "", None, " \u00a0", "x", "1e3", "NaN")
            == [False] * 3 + [True] * 3
        )


def test_a_bound_that_no_value_reaches_still_decides() -> None:
    assert breaks(rule("range", column="a", max="1e40"), "9" * 28) == [False]
    assert breaks(rule("range", column="a", min="1e40"), "9" * 28) == [True]
    assert breaks(rule("range", column="a", min="0.0000000001"), "0", "0,000000001") == [True, False]


def test_in_compares_text() -> None:
    one_of = rule("in", column="a", values=["01", "Guovdageaidnu", "é"])
    assert breaks(one_of, "01", " 01 ", "Guovdageaidnu", "é", "", None) == [False] * 6
    assert breaks(one_of, "1", "guovdageaidnu", "e\u0301") == [True] * 3


def test_pattern_is_of_the_whole_cell() -> None:
    four = rule("pattern", column="a", pattern="[0-9]{4}|nil")
    assert breaks(four, "0301", "nil", "", None, " 0301 ") == [False] * 5
    assert breaks(four, "03011", "x0301", "0301\n0301", "nilx", "\u0663\u0663\u0663\u0663") == [True] * 5


def test_required_is_broken_by_white_space_too() -> None:
    assert breaks(rule("required", column="a"), "x", "0", "", None, " ", "\u00a0") == [False] * 2 + [True] * 4


def test_unique_marks_every_row_of_a_repeated_key_within_its_submission() -> None:
    rows = pl.DataFrame(
        {
            "submission_id": ["s", "s", "s", "t", "t", "t", "t", "t"],
            "a": ["1", " 1 ", "1", "1", "", "", "2", "2"],
            "b": ["x", "x", "y", "x", "", None, "", None],
        }
    )
    found = rows.select(rule_breaks(rule("unique", columns=["a", "b"]), COMMA)).to_series()
    assert found.to_list() == [True, True, False, False, False, False, True, True]


@pytest.mark.parametrize(
    ("op", "broken"),
    [
        ("<", [False, True, True]),
        ("<=", [False, False, True]),
        ("=", [True, False, True]),
        (">=", [True, False, False]),
        (">", [True, True, False]),
        ("!=", [False, True, False]),
    ],
)
def test_compare_is_of_numbers(op: str, broken: list[bool]) -> None:
    rows = pl.DataFrame({"submission_id": "s", "a": ["9", "1 000", "10"], "b": ["10", "1000,0", "9"]})
    found = rows.select(rule_breaks(rule("compare", left="a", op=op, right="b"), COMMA)).to_series()
    assert found.to_list() == broken


def test_compare_passes_empty_cells_and_not_what_is_no_number() -> None:
    rows = pl.DataFrame({"submission_id": "s", "a": ["", None, "1", "x", "", "1"], "b": ["1", "1", " ", "1", "x", "y"]})
    found = rows.select(rule_breaks(rule("compare", left="a", op="=", right="b"), COMMA)).to_series()
    assert found.to_list() == [False, False, False, True, True, True]


def change(max_share: str, value: str | None, previous: str | None) -> bool:
    of = ADAPTER.validate_python({"id": "r1", "check": "change", "concept": "c", "max_share": max_share})
    assert isinstance(of, ChangeRule)
    given_ = [None if x is None else Decimal(x) for x in (value, previous)]
    rows = pl.DataFrame({"value": given_[:1], "previous": given_[1:]}, schema={"value": VALUE, "previous": VALUE})
    return bool(rows.select(change_breaks(of)).item())


@pytest.mark.parametrize(
    ("share", "value", "previous", "broken"),
    [
        ("0.5", "150", "100", False),
        ("0.5", "150.000000001", "100", True),
        ("0.5", "50", "100", False),
        ("0.5", "49", "100", True),
        ("0.5", "-150", "-100", False),
        ("0.5", "-151", "-100", True),
        ("0.5", "1", "0", True),
        ("0.5", "0", "0", False),
        ("0", "1", "1", False),
        ("0", "1.000000001", "1", True),
        ("0.5", None, "1", False),
        ("0.5", "1", None, False),
        ("100", "9" * 28, "9" * 28, False),
        ("0.1", "9" * 28, "-" + "9" * 28, True),
        ("1e30", "9" * 28, "-" + "9" * 28, False),
        ("1e30", "1", "0", True),
    ],
)
def test_change_is_a_share_of_what_stood_before(share: str, value: str, previous: str, *, broken: bool) -> None:
    assert change(share, value, previous) is broken


VALUES = st.decimals(min_value=-(10**28) + 1, max_value=10**28 - 1, places=6, allow_nan=False)


@given(value=VALUES, previous=VALUES, share=st.integers(0, 300))
def test_change_agrees_with_python_and_never_overflows(value: Decimal, previous: Decimal, share: int) -> None:
    # Python's integers: its decimals would round at 28 digits.
    now, before = (int(f"{x:.6f}".replace(".", "")) for x in (value, previous))
    assert change(str(Decimal(share) / 100), str(value), str(previous)) is (
        abs(now - before) * 100 > share * abs(before)
    )


@pytest.mark.parametrize(
    ("of", "sentence"),
    [
        (rule("range", column="a", min=0, max="1.50"), "a number from 0 to 1.5"),
        (rule("range", column="a", min="1e3"), "a number of at least 1000"),
        (rule("range", column="a", max=100), "a number of at most 100"),
        (rule("range", column="a"), "a number"),
        (rule("in", column="a", values=["x", "y"]), "one of x, y"),
        (rule("pattern", column="a", pattern="[0-9]{4}"), "text that is wholly [0-9]{4}"),
        (rule("required", column="a"), "a cell that is not empty"),
        (rule("unique", columns=["a", "b"]), "no two rows of the file with the same a, b"),
        (rule("compare", left="a", op="<=", right="b"), "a <= b"),
        (rule("change", concept="c", max_share="0.125"), "a change of at most 12.5 % from the period before"),
    ],
)
def test_says_what_was_expected(of: Rule, sentence: str) -> None:
    assert rule_expectation(of) == sentence


def test_names_the_columns_it_looks_at() -> None:
    assert rule_columns(rule("in", column="a", values=["x"])) == ("a",)
    assert rule_columns(rule("unique", columns=["a", "b"])) == ("a", "b")
    assert rule_columns(rule("compare", left="a", op="=", right="b")) == ("a", "b")
