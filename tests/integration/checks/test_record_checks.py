"""Great Expectations on the tables of record kinds."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from infra.checks.engine import Finding, ReleaseSummary, TableCheck, check_release, preload
from infra.checks.expectations import shapes
from schemas.claims import BUCKETS, empty
from schemas.record_tables import published_kind_tables
from tests.support.mishap_frames import KIND, consolidate_deliveries, deliveries, of_items
from tests.support.table_checks import check_rows

SHAPES = shapes(KIND)
TABLES = published_kind_tables(KIND)
ITEMS = 4
ONE = f"not so in 1 of {ITEMS} rows"


@pytest.fixture(scope="module", autouse=True)
def engine() -> None:
    preload().join()


def tables() -> dict[str, pl.DataFrame]:
    """Return the tables of four items, of which two are in conflict."""
    reports = [{"hurt": n, "place": "Ås" if n else None, "story": "Kari Nordmann"} for n in range(7)]
    frame = deliveries(reports)
    done = consolidate_deliveries(frame, of_items(frame, r1="r0", r2="r0", r4="r3"), KIND)
    rows = {"mishap": done.items, "mishap_sources": done.sources, "mishap_conflicts": done.conflicts}
    return {name: each.with_columns(pl.lit(1, dtype=pl.Int32).alias("release")) for name, each in rows.items()}


def items(**changed: object) -> pl.DataFrame:
    """Return the items, whole columns replaced by name."""
    rows = tables()["mishap"]
    types = {name: rows.schema[name] for name in changed if name in rows.schema}
    return rows.with_columns(pl.Series(n, v, dtype=types[n], strict=False) for n, v in changed.items())


def failed(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(f.column, f.found, f.expected) for f in findings if not f.success]


def checked(name: str, rows: pl.DataFrame) -> list[tuple[str, str, str]]:
    return failed(check_rows(name, rows, SHAPES[name]))


@pytest.mark.parametrize("table", TABLES)
def test_a_table_without_rows_is_as_expected(table: str) -> None:
    assert checked(table, empty(TABLES[table])) == []


def test_what_consolidation_gives_is_as_expected() -> None:
    for name, rows in tables().items():
        assert rows.height >= ITEMS
        assert checked(name, rows) == []


def test_every_declared_column_has_its_expectations() -> None:
    for name, rows in tables().items():
        looked_at = {(f.expectation, f.column) for f in check_rows(name, rows, SHAPES[name])}
        for column in TABLES[name]:
            assert (("expect_column_values_to_not_be_null", column.name) in looked_at) or column.nullable
            assert (("expect_column_values_to_be_in_set", column.name) in looked_at) or not column.values


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"item_id": [None, *"abc"]}, ("item_id", ONE, "not null")),
        ({"item_id": [*"abca"]}, ("item_id", "not so in 2 of 4 rows", "unique")),
        (
            {"agreement": ["conflict", "conflict", "single", "agreed"]},
            ("agreement", ONE, "one of single, complete, conflict"),
        ),
        (
            {"agreement": ["conflict", "complete", "single", "single"]},
            ("conflicting", ONE, "nothing unless agreement is conflict"),
        ),
        ({"conflicting": [["hurt"], [], [], []]}, ("conflicting", ONE, "something where agreement is conflict")),
        ({"conflicting": [["hurt"], None, [], []]}, ("conflicting", ONE, "not null")),
        ({"reports": [0, 2, 1, 1], "reporters": [0, 2, 1, 1]}, ("reports", ONE, "at least 1")),
        ({"reporters": [0, 2, 1, 1]}, ("reporters", ONE, "at least 1")),
        ({"reporters": [9, 2, 1, 1]}, ("reports, reporters", ONE, "reports >= reporters")),
        ({"partition": [None, "all", "all", "all"]}, ("partition", ONE, "not null")),
    ],
)
def test_says_which_column_breaks_what_in_how_many_rows(
    changed: dict[str, object], expected: tuple[str, str, str]
) -> None:
    assert expected in checked("mishap", items(**changed))


def test_no_delivery_stands_under_two_items() -> None:
    sources = tables()["mishap_sources"]
    both = pl.concat([sources, sources.head(1).with_columns(pl.lit("r9").alias("item_id"))])
    assert checked("mishap_sources", both) == [("claim_id", "not so in 2 of 8 rows", "unique")]


def test_changes_may_lack_a_side_only_where_there_is_none() -> None:
    sides = {"agreement_before": [None, "single", None], "agreement_after": ["single", None, "single"]}
    counts = {"reports_before": [None, 1, 1], "reports_after": [1, None, None]}
    changes = pl.DataFrame({"item_id": [*"abc"], "change": ["added", "removed", "changed"], **sides, **counts})
    rows = changes.with_columns(pl.lit(2).alias("release"), pl.lit("all").alias("partition"))
    assert checked("mishap_changes", rows) == [
        ("agreement_before", "not so in 1 of 3 rows", "null only where change is added"),
        ("reports_after", "not so in 1 of 3 rows", "null only where change is removed"),
    ]


def test_a_column_too_few_or_too_many_is_found_by_name() -> None:
    assert checked("mishap", items().rename({"hurt": "hurts"})) == [
        ("", "missing hurt; unexpected hurts", "the declared columns")
    ]


def test_empty_fields_make_no_more_kinds_of_rows() -> None:
    """What may be null in any row is not looked at: else every pattern of gaps were one kind more."""
    rows = pl.concat(
        [
            items(**{f: [v] * ITEMS})
            for f in ("case", "place", "indoors")
            for v in (None, "x" if f != "indoors" else True)
        ]
    )
    check = TableCheck("mishap", SHAPES["mishap"])
    check.add(rows.with_columns(pl.int_range(pl.len()).cast(pl.String).alias("item_id")))
    assert check._kinds[0].height == 3  # noqa: SLF001  (agreement, conflicting, reports): no finding tells it
    assert failed(check.findings()) == []


def test_findings_bear_no_values() -> None:
    findings = check_rows(
        "mishap", items(item_id=["Kari Nordmann"] * ITEMS, agreement=["Kari Nordmann"] * ITEMS), SHAPES["mishap"]
    )
    assert len(failed(findings)) > 1
    assert "Nordmann" not in repr(findings)


SOUND = ReleaseSummary(
    rows={"observations": 0, "mishap": 90},
    item_ids=0,
    delivered=230,
    buckets=dict.fromkeys(BUCKETS, 0) | {"published": 90, "duplicate": 110, "rejected": 30},
    unbalanced=0,
    rows_before={"observations": 0, "mishap": 100},
    record_ids={"mishap": 90},
)


def test_a_sound_release_is_as_expected() -> None:
    assert failed(check_release(SOUND)) == []


def test_an_unsound_release_is_found_with_its_counts() -> None:
    twice: Any = replace(SOUND, record_ids={"mishap": 89})
    expected = ("mishap rows, mishap item ids", "mishap rows: 90, mishap item ids: 89", "as many rows as item ids: 89")
    assert failed(check_release(twice)) == [expected]
    shrunk = replace(SOUND, rows_before={"observations": 0, "mishap": 101})
    least = "at least 91: 101 in the previous release, and no submission was removed"
    assert failed(check_release(shrunk)) == [("mishap rows", "mishap rows: 90", least)]
    assert failed(check_release(replace(shrunk, removed_submissions=1))) == []
    assert failed(check_release(replace(shrunk, may_shrink=frozenset(["mishap"])))) == []
