"""The law on the published examples of the two standards, at its edges, and who is chosen."""

from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from schemas.claims import AGREEMENTS, BOUND, CLAIM, VALUE, frame_schema
from tests.support.fact_views import agreements_of, published_facts
from transforms.observations import agreement as law

COLUMNS = ("item_id", "value", "decimals", *law.TIE_BREAKERS)
SCHEMA = pl.Schema({name: frame_schema(CLAIM)[name] for name in COLUMNS})


def statements(*claims: dict[str, object]) -> pl.DataFrame:
    """Return claims as rows of a frame, all of item `i` unless they say another."""
    usual = {"item_id": "i", "decimals": None, "precedence": None, "contract": "c", "reported_by": "r", "column": "x"}
    rows = [{**usual, "submission_id": "s", "row": n, **claim} for n, claim in enumerate(claims, start=2)]
    for row in rows:
        row["value"] = Decimal(str(row["value"]))
    return pl.DataFrame(rows, schema=SCHEMA)


def facts_of(*facts: tuple[str | int, int | None]) -> pl.DataFrame:
    return statements(*({"value": value, "decimals": decimals} for value, decimals in facts))


def agreement(*facts: tuple[str | int, int | None]) -> str:
    (found,) = agreements_of(facts_of(*facts))["agreement"]
    return str(found)


def interval(value: str | int, decimals: int | None) -> tuple[Decimal, Decimal]:
    lower, upper = facts_of((value, decimals)).select(law.bounds()).row(0)
    return lower, upper


@pytest.mark.parametrize(
    ("value", "decimals", "lower", "upper"),
    [
        (500, -2, "450", "550"),  # EDGAR 6.5.12
        (550, -1, "545", "555"),  # EDGAR 6.5.12
        (500, None, "500", "500"),
        (-1234000, -3, "-1234500", "-1233500"),
        (0, 0, "-0.5", "0.5"),
        ("0.1", 9, "0.0999999995", "0.1000000005"),
        ("0.1", 10, "0.1", "0.1"),
        ("1234567890123456789.5", 2, "1234567890123456789.495", "1234567890123456789.505"),
        (10**28 - 1, -28, "4999999999999999999999999999", "9999999999999999999999999999.9999999999"),
        (0, -29, "-9999999999999999999999999999.9999999999", "9999999999999999999999999999.9999999999"),
        (7, -32768, "-9999999999999999999999999999.9999999999", "9999999999999999999999999999.9999999999"),
        (7, 32767, "7", "7"),
    ],
)
def test_a_claim_means_a_closed_interval(value: str | int, decimals: int | None, lower: str, upper: str) -> None:
    assert interval(value, decimals) == (Decimal(lower), Decimal(upper))
    assert facts_of((value, decimals)).select(law.bounds()).schema == {"lower": BOUND, "upper": BOUND}


@pytest.mark.parametrize(
    ("expected", "facts"),
    [
        ("consistent", [(500, -2), (550, -1)]),  # EDGAR 6.5.12's own example: they share 545 to 550
        ("conflict", [(500, -2), (501, -2)]),  # EDGAR 6.5.12: equal decimals must have equal values, overlap or not
        ("conflict", [(748000, -3), (749000, -3), (700000, -5)]),  # the same behind a coarser third
        ("consistent", [(500, -2), (455, -1)]),  # the note: not transitive, 455 and 545 each agree with 500
        ("consistent", [(500, -2), (545, -1)]),
        ("conflict", [(455, -1), (545, -1)]),
        ("conflict", [(500, -2), (455, -1), (545, -1)]),
        ("conflict", [(500, -2), (455, -1), (545, 0)]),
        ("consistent", [(500, -2), (555, -1)]),  # closed: both hold 550
        ("conflict", [(500, -2), (556, -1)]),
        ("consistent", [(500, -2), (550, None)]),
        ("conflict", [(500, -2), ("550.000000001", None)]),
        ("complete", [(500, -2), (500, -2)]),
        ("complete", [("0.30", None), ("0.3", None), ("0.300", None)]),
        ("complete", [("-0", 0), ("0", 0)]),
        ("consistent", [(500, -2), (500, 0)]),  # equal values of other accuracy
        ("consistent", [(500, -2), (500, None)]),
        ("conflict", [(500, None), ("500.000000001", None)]),
        ("single", [(500, -2)]),
        ("complete", [("1.5", 10), ("1.5", 10)]),
        ("consistent", [("1.5", 10), ("1.5", None)]),
        ("conflict", [("1.500000001", 10), ("1.5", 9)]),
        ("consistent", [(1 - 10**28, -29), (10**28 - 1, None)]),
        ("conflict", [(1 - 10**28, -28), (10**28 - 1, None)]),
    ],
)
def test_how_claims_agree(expected: str, facts: list[tuple[str | int, int | None]]) -> None:
    assert agreement(*facts) == expected
    assert agreement(*reversed(facts)) == expected


def test_an_item_stands_once_whatever_the_order_of_rows() -> None:
    rows = statements(
        {"item_id": "b", "value": 1},
        {"item_id": "a", "value": 2},
        {"item_id": "b", "value": 1},
        {"item_id": "c", "value": 3},
    )
    assert agreements_of(rows).rows() == [("b", 2, "complete"), ("a", 1, "single"), ("c", 1, "single")]


def test_the_parts_work_in_any_group_by() -> None:
    rows = facts_of((500, -2), (550, -1)).lazy()
    steps = rows.group_by("item_id", "decimals").agg(law.accuracy_aggs()).group_by("item_id").agg(law.agreement_aggs())
    assert steps.select("lower", "upper", law.agreement()).collect().rows() == [(545, 550, "consistent")]


def test_no_claims_give_no_verdicts() -> None:
    nothing = pl.DataFrame(schema=SCHEMA)
    assert agreements_of(nothing).schema == {"item_id": pl.String, "reports": pl.UInt32, "agreement": pl.String}
    decided = law.judge_claims(nothing)
    assert decided.is_empty()
    assert (
        decided.schema
        == law.judge_claims(facts_of((1, None))).schema
        == law.judge_claims(facts_of((1, None), (2, None))).schema
    )
    assert published_facts(decided).is_empty()


def chosen(*claims: dict[str, object]) -> list[int]:
    """Return the numbers of the claims that `judge_claims` chose, counted from 0."""
    decided = law.judge_claims(statements(*claims))
    assert decided["represents"].sum() == 1
    return decided["chosen"].arg_true().to_list()


def test_the_most_accurate_claim_is_published() -> None:
    assert chosen({"value": 500, "decimals": -2}, {"value": 501, "decimals": 0}, {"value": 500, "decimals": -1}) == [1]
    assert chosen({"value": 500, "decimals": 2}, {"value": 500}) == [1]
    assert chosen({"value": 500, "decimals": 12}, {"value": 500}) == [1]
    assert chosen({"value": 500, "precedence": 1, "decimals": -2}, {"value": 500, "precedence": 9}) == [1]


@pytest.mark.parametrize(
    ("column", "low", "high"),
    [
        ("precedence", 1, 2),
        ("precedence", 2, None),
        ("contract", "a", "b"),
        ("reported_by", "a", "b"),
        ("submission_id", "10", "9"),
        ("row", 9, 10),
        ("column", "a", "b"),
    ],
)
def test_among_equally_accurate_claims_the_order_decides(column: str, low: object, high: object) -> None:
    same = {"value": 500, "row": 5}
    assert chosen({**same, column: low}, {**same, column: high}) == [0]
    assert chosen({**same, column: high}, {**same, column: low}) == [1]


def test_each_key_of_the_order_weighs_more_than_those_after_it() -> None:
    best: dict[str, object] = {
        "precedence": 1,
        "contract": "a",
        "reported_by": "a",
        "submission_id": "a",
        "row": 2,
        "column": "a",
    }
    worst: dict[str, object] = {
        "precedence": 2,
        "contract": "b",
        "reported_by": "b",
        "submission_id": "b",
        "row": 3,
        "column": "b",
    }
    for at, key in enumerate(law.TIE_BREAKERS):
        before = {k: best[k] for k in law.TIE_BREAKERS[:at]}
        assert chosen({**worst, **before, key: best[key], "value": 1}, {**best, key: worst[key], "value": 1}) == [0]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([(1, None, None), (2, None, None)], []),  # nobody takes precedence
        ([(1, None, 1), (2, None, 2)], [0]),
        ([(1, None, None), (2, None, 7)], [1]),
        ([(1, None, 1), (2, None, 1)], []),  # those who do conflict themselves
        ([(1, None, 1), (2, None, 1), (3, None, 2)], []),  # and the next rank is not asked
        ([(500, -2, 1), (510, -1, 1), (900, None, None)], [1]),  # the most accurate of those who do
        ([(500, -2, 1), (510, -1, 1), (900, None, 2)], [1]),
        ([(500, -2, 1), (455, -1, 1), (545, -1, 1), (500, None, 2)], []),
    ],
)
def test_where_claims_conflict_the_lowest_precedence_decides(
    claims: list[tuple[int, int | None, int | None]], expected: list[int]
) -> None:
    rows = [{"value": v, "decimals": d, "precedence": p} for v, d, p in claims]
    assert chosen(*rows) == expected
    item = published_facts(law.judge_claims(statements(*rows))).row(0, named=True)
    decided = (rows[expected[0]]["value"], rows[expected[0]]["decimals"]) if expected else (None, None)
    assert (item["value"], item["decimals"], item["agreement"]) == (*decided, "conflict")


def test_what_is_published_may_lie_outside_what_all_claims_allow() -> None:
    item = published_facts(law.judge_claims(facts_of((500, -2), (555, -1)))).row(0, named=True)
    assert (item["value"], item["agreement"]) == (555, "consistent")  # 550 alone lies in both intervals


def test_the_rows_stay_as_they_were() -> None:
    rows = statements(
        {"item_id": "b", "value": 1, "reported_by": "x"},
        {"item_id": "a", "value": 2},
        {"item_id": "b", "value": 1, "reported_by": "y"},
        {"item_id": "b", "value": 1, "reported_by": "x"},
    ).with_columns(pl.lit("kept").alias("original"))
    decided = law.judge_claims(rows)
    assert_frame_equal(decided.select(rows.columns), rows)
    assert decided.select("reports", "reporters", "agreement", "chosen", "represents").rows() == [
        (3, 2, "complete", True, True),
        (1, 1, "single", True, True),
        (3, 2, "complete", False, False),
        (3, 2, "complete", False, False),
    ]
    assert set(decided["agreement"]) <= set(AGREEMENTS)
    assert decided.schema["value"] == VALUE


@pytest.mark.parametrize(("other", "expected"), [(5600, "consistent"), (6000, "consistent"), (6001, "conflict")])
def test_a_sum_means_the_sum_of_the_intervals_of_its_lines(other: int, expected: str) -> None:
    lines = facts_of(*[(1000, -3)] * 4)
    total = facts_of((4000, -3)).with_columns(lines.select(law.sum_slack()).to_series())
    single = facts_of((other, None)).with_columns(slack=pl.lit(None, pl.Int128), row=pl.lit(9, lines.schema["row"]))
    assert law.judge_claims(pl.concat([total, single]))["agreement"].to_list() == [expected] * 2


def test_a_sum_of_exact_lines_is_exact() -> None:
    assert facts_of((1, None), (2, None)).select(law.sum_slack()).item() is None
    assert facts_of((1, -99), (2, -99)).select(law.sum_slack()).item() > 10**37


def tolerant(*facts: tuple[str | int, int | None, int | None]) -> pl.DataFrame:
    """Return the verdict on claims of a value, an accuracy and a tolerance in millionths."""
    tolerances = pl.Series("tolerance", [t for *_, t in facts], dtype=pl.Int32)
    return law.judge_claims(facts_of(*((value, decimals) for value, decimals, _ in facts)).with_columns(tolerances))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([(100, None, 10_000), (101, None, None)], "consistent"),
        ([(100, None, 10_000), ("101.01", None, None)], "conflict"),
        ([(100, None, 10_000), (102, None, 10_000)], "consistent"),
        ([(100, None, 10_000), (103, None, 10_000)], "conflict"),
        ([(100, None, 10_000), (100, None, 10_000)], "complete"),
        ([(100, None, 10_000), (100, None, None)], "consistent"),
        ([(-100, None, 10_000), (-101, None, None)], "consistent"),
        ([(0, None, 10_000), ("0.001", None, None)], "conflict"),
        ([(1000, -3, 1), (1500, None, None)], "consistent"),  # the accuracy is wider than the tolerance
        ([("100.000000001", None, 1), ("100.000000002", None, 1)], "consistent"),
        ([("0.000000100", None, 10_000), ("0.000000101", None, None)], "consistent"),
        ([("0.000000100", None, 10_000), ("0.000000102", None, None)], "conflict"),
        ([("100.00001", None, 10_000), (102, None, None)], "conflict"),
        ([(9 * 10**27, None, 999_999), (5 * 10**27, None, None)], "consistent"),  # nothing overflows
        ([(100, None, 10_000), (101, None, None), (102, None, None)], "conflict"),  # two without a tolerance
    ],
)
def test_a_tolerance_is_a_share_of_the_value(
    facts: list[tuple[str | int, int | None, int | None]], expected: str
) -> None:
    for order in (facts, facts[::-1]):
        assert set(tolerant(*order)["agreement"]) == {expected}


def test_a_tolerance_does_not_make_a_claim_less_accurate() -> None:
    decided = tolerant((100, None, 50_000), (101, 0, None))
    assert decided["chosen"].to_list() == [True, False]
