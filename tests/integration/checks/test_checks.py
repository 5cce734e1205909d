import socket
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from infra.checks import engine as checks_engine
from infra.checks.engine import (
    Finding,
    ReleaseSummary,
    TableCheck,
    check_release,
    preload,
)
from schemas.claims import BUCKETS, PUBLISHED_TABLES, empty, frame_schema
from schemas.errors import CheckEngineError, StoreError
from tests.support.table_checks import check_rows


@pytest.fixture(scope="module", autouse=True)
def engine() -> None:
    preload().join()


def observations(**changed: object) -> pl.DataFrame:
    """Return six observations, the last one withheld; `changed` replaces whole columns by name."""
    rows = 6
    columns: dict[str, Any] = {
        "item_id": [f"{i:024x}" for i in range(rows)],
        "concept": "votes",
        "unit_id": "municipality:0301@1838-01-01",
        "unit_kind": "municipality",
        "unit_code": ["0301", None, "0301", "0301", "0301", "0301"],
        "unit_name": "Guovdageaidnu Kautokeino",
        "period_start": date(2024, 1, 1),
        "period_end": date(2024, 2, 1),
        "breakdown": "{}",
        "unit_measure": "persons",
        "value": [Decimal(-1), Decimal(0), Decimal("0.5"), Decimal(3), Decimal("9" * 28), None],
        "decimals": None,
        "obs_status": ["A", "A", "E", "A", "A", "Q"],
        "conf_status": "F",
        "agreement": ["single", "single", "complete", "consistent", "conflict", "conflict"],
        "reports": [1, 3, 2, 2, 2, 2],
        "reporters": [1, 1, 2, 2, 2, 2],
        "release": 1,
        "partition": "2024-01",
    }
    schema = frame_schema(PUBLISHED_TABLES["observations"])
    return pl.DataFrame(columns | changed, schema=schema, strict=False)


def failed(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(f.column, f.found, f.expected) for f in findings if not f.success]


@pytest.mark.parametrize("table", PUBLISHED_TABLES)
def test_a_table_without_rows_is_as_expected(table: str) -> None:
    assert failed(check_rows(table, empty(PUBLISHED_TABLES[table]))) == []


def test_the_engine_reports_no_use_of_it_to_anybody() -> None:
    context = checks_engine._asset().data_asset.datasource.data_context  # noqa: SLF001  the engine's own
    assert context is not None
    assert context.config.analytics_enabled is False


def test_every_declared_column_has_its_expectations() -> None:
    findings = check_rows("observations", observations())
    assert failed(findings) == []
    looked_at = {(f.expectation, f.column) for f in findings}
    for column in PUBLISHED_TABLES["observations"]:
        assert (("expect_column_values_to_not_be_null", column.name) in looked_at) or column.nullable
        assert (("expect_column_values_to_be_in_set", column.name) in looked_at) == (column.values is not None)
    assert "unique" in {f.expected for f in findings if f.column == "item_id"}


ONE = "not so in 1 of 6 rows"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"item_id": [None, *"abcde"]}, ("item_id", ONE, "not null")),
        ({"item_id": ["a", "b", "a", "c", "d", "e"]}, ("item_id", "not so in 2 of 6 rows", "unique")),
        ({"unit_name": ["x", None, None, "x", "x", "x"]}, ("unit_name", "not so in 2 of 6 rows", "not null")),
        ({"obs_status": ["A", "Z", "A", "A", "A", "Q"]}, ("obs_status", ONE, "one of A, B, E, F, M, P, Q")),
        ({"reports": [0, 3, 2, 2, 2, 2], "reporters": [0, 1, 2, 2, 2, 2]}, ("reports", ONE, "at least 1")),
        ({"reporters": [2, 1, 2, 2, 2, 2]}, ("reports, reporters", ONE, "reports >= reporters")),
        ({"obs_status": "A"}, ("value", ONE, "null only where obs_status is Q")),
    ],
)
def test_says_which_column_breaks_what_in_how_many_rows(
    changed: dict[str, object], expected: tuple[str, str, str]
) -> None:
    assert expected in failed(check_rows("observations", observations(**changed)))


def test_a_null_where_a_value_set_is_declared_is_a_null_and_no_stranger() -> None:
    found = failed(check_rows("observations", observations(agreement=[None, *["single"] * 5])))
    assert found == [("agreement", ONE, "not null")]


def test_changes_may_lack_a_side_only_where_there_is_none() -> None:
    changes = (
        empty(PUBLISHED_TABLES["changes"])
        .clear(3)
        .with_columns(
            pl.Series("item_id", ["a", "b", "c"]),
            pl.Series("change", ["added", "removed", "changed"]),
            pl.Series("agreement_before", [None, "single", None]),
            pl.Series("agreement_after", ["single", None, "single"]),
            release=pl.lit(2, dtype=pl.Int32),
            partition=pl.lit("2024-01"),
        )
    )
    expected = ("agreement_before", "not so in 1 of 3 rows", "null only where change is added")
    assert failed(check_rows("changes", changes)) == [expected]


def test_a_column_too_few_or_too_many_is_found_by_name() -> None:
    rows = observations().rename({"unit_code": "code"})
    assert failed(check_rows("observations", rows)) == [
        ("", "missing unit_code; unexpected code", "the declared columns")
    ]


def test_chunks_are_checked_as_one_table() -> None:
    check = TableCheck("observations")
    assert check.findings() == []
    check.add(observations())
    check.add(observations(unit_name=["x", None, "x", "x", "x", "x"]))
    check.add(observations(item_id=["a", "b", "a", "c", "d", "e"]))
    assert failed(check.findings()) == [
        ("unit_name", "not so in 1 of 18 rows", "not null"),
        ("item_id", "not so in 2 of 18 rows", "unique"),
    ]


def test_an_engine_error_is_no_finding() -> None:
    rows = observations().with_columns(pl.col("reports").cast(pl.String))
    with pytest.raises(CheckEngineError, match=r"reports.*: the engine failed: "):
        check_rows("observations", rows)
    assert issubclass(CheckEngineError, StoreError)


def test_an_engine_that_cannot_begin_is_an_error_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    import great_expectations as gx

    def refuse(**_: object) -> None:
        raise gx.exceptions.GreatExpectationsError("no batch")

    monkeypatch.setattr(checks_engine, "_asset", lambda: SimpleNamespace(get_batch=refuse))
    with pytest.raises(CheckEngineError, match="checks of observations: the engine failed: no batch"):
        check_rows("observations", observations())


def test_findings_bear_no_values() -> None:
    rows = observations(agreement="Kari Nordmann", item_id="Kari Nordmann")
    findings = check_rows("observations", rows)
    assert len(failed(findings)) == 2
    assert "Nordmann" not in repr(findings)


SOUND = ReleaseSummary(
    rows={"observations": 90, "sources": 200},
    item_ids=90,
    delivered=230,
    buckets=dict.fromkeys(BUCKETS, 0) | {"published": 90, "duplicate": 110, "rejected": 30},
    unbalanced=0,
    rows_before={"observations": 100, "sources": 200},
)


def test_a_sound_release_is_as_expected() -> None:
    assert failed(check_release(SOUND)) == []
    assert failed(check_release(replace(SOUND, rows_before=None))) == []


@pytest.mark.parametrize(
    ("summary", "column", "expected"),
    [
        (replace(SOUND, item_ids=89), "observations rows, item ids", "as many rows as item ids: 89"),
        (replace(SOUND, delivered=231), ", ".join(f"bucket {b}" for b in BUCKETS), "the 231 rows delivered"),
        (replace(SOUND, unbalanced=1), "unbalanced submissions", "no submission"),
        (
            replace(SOUND, rows_before={"observations": 101}),
            "observations rows",
            "at least 91: 101 in the previous release, and no submission was removed",
        ),
    ],
)
def test_an_unsound_release_is_found_with_its_counts(summary: ReleaseSummary, column: str, expected: str) -> None:
    findings = [f for f in check_release(summary) if not f.success]
    assert [(f.column, f.expected) for f in findings] == [(column, expected)]
    assert all(name in findings[0].found for name in column.split(", "))


def test_a_table_may_shrink_by_the_share_that_is_set_and_further_when_submissions_left() -> None:
    shrunk = replace(SOUND, rows_before={"observations": 1000})
    assert len(failed(check_release(shrunk))) == 1
    assert failed(check_release(shrunk, max_drop=0.91)) == []
    assert failed(check_release(replace(shrunk, removed_submissions=1))) == []


def test_what_was_corrected_or_withdrawn_counts_as_having_left() -> None:
    rows = SOUND.rows["observations"]
    shrunk = replace(SOUND, rows_before={"observations": 10 * rows})
    assert failed(check_release(replace(shrunk, unstated={"observations": 9 * rows}))) == []
    assert failed(check_release(replace(shrunk, unstated={"observations": 100 * rows}))) == []
    assert failed(check_release(replace(shrunk, unstated={"other": 9 * rows}))) != []
    (finding,) = failed(check_release(replace(shrunk, unstated={"observations": 8 * rows})))
    assert f"{10 * rows} in the previous release, {8 * rows} of them corrected, withdrawn or joined since" in finding[2]


def test_writes_no_file_makes_no_connection_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    check_rows("observations", observations())
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_the_engine_is_imported_only_where_it_runs() -> None:
    code = "import sys, infra.checks.engine; sys.exit('great_expectations' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
