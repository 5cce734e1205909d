"""A release in the ledger: visible at once or not at all, its counts those of the newest release up to it."""

from datetime import datetime
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import releases as ledger
from infra.ledger import tables as t
from infra.ledger.records import RecordsPublished, read_record_warnings
from infra.ledger.releases import Release
from schemas.errors import StoreError
from tests.support.submission_rows import add, submission, values_of, write

AT = datetime(2026, 3, 1, 12)
COUNTS = {"submission_id": pl.String, "bucket": pl.String, "rows": pl.Int64}


def release(number: int) -> Release:
    return {
        "release": number, "run_id": None, "published_at": AT, "digest": f"d{number}", "digest_lanes": "1 2",
        "tables": {"sources": 2, "observations": number}, "counts": {"items": 7}, "register_digest": "r",
        "rules_digest": "u",
    }  # fmt: skip


def counts(*rows: tuple[str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), COUNTS, orient="row")


def publish(engine: Engine, number: int, *rows: tuple[str, str, int], **also: Any) -> None:
    entered, removed = also.pop("entered", ()), also.pop("removed", ())
    ledger.publish_release(engine, release(number), counts(*rows), entered, removed, **also)


def test_before_the_first_release_there_is_none(engine: Engine) -> None:
    assert ledger.current_release(engine) is None
    assert ledger.read_releases(engine).is_empty()
    assert ledger.read_row_counts(engine, 1).is_empty()


def test_the_current_release_is_the_one_with_the_highest_number(engine: Engine) -> None:
    for number in (9, 10, 2):
        publish(engine, number)
    assert ledger.current_release(engine) == {
        **release(10),
        "models": {},
        "tree_head": None,
        "removed_at": None,
        "rebuilt_at": None,
    }
    assert ledger.read_releases(engine)["release"].to_list() == [2, 9, 10]


def test_a_submission_enters_and_leaves_and_keeps_its_first_release(engine: Engine) -> None:
    add(engine, submission("s1"), submission("s2"))
    publish(engine, 1, entered=["s1"])
    publish(engine, 2, entered=["s2"], removed=["s1"])
    publish(engine, 3, entered=["s1"])
    assert values_of(engine, "s1", "in_release", "first_release") == (True, 1)
    assert values_of(engine, "s2", "in_release", "first_release") == (True, 2)
    publish(engine, 4, removed=["s1", "s2"])
    assert values_of(engine, "s1", "in_release", "first_release") == (False, 1)


def test_a_number_is_published_once_and_nothing_of_the_second_is_kept(engine: Engine) -> None:
    add(engine, submission("s1"))
    publish(engine, 1)
    with pytest.raises(StoreError, match="refused to write"):
        publish(engine, 1, ("s1", "published", 3), entered=["s1"])
    assert values_of(engine, "s1", "in_release") == (False,)
    assert ledger.read_row_counts(engine, 1).is_empty()


def test_what_is_written_also_fails_with_the_release(engine: Engine) -> None:
    def fail(_: sa.Connection) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        publish(engine, 1, write_also=fail)
    assert ledger.current_release(engine) is None
    written: list[sa.Connection] = []
    publish(engine, 1, write_also=written.append)
    assert len(written) == 1


def test_the_records_of_a_release_go_with_it(engine: Engine) -> None:
    models = {"work": {"kind_digest": "k", "model_digest": "m"}}
    warnings = pl.DataFrame({"kind": ["work"], "what": ["block"], "detail": ["by name"], "count": [3]})
    publish(engine, 1, records=RecordsPublished(models=models, warnings=warnings))
    current = ledger.current_release(engine)
    assert current is not None
    assert current["models"] == models
    assert [row["count"] for row in read_record_warnings(engine, 1).to_dicts()] == [3]
    assert read_record_warnings(engine, 2).is_empty()


def test_counts_are_those_of_the_newest_release_up_to_one(engine: Engine) -> None:
    add(engine, submission("s1"), submission("s2"))
    publish(engine, 1, ("s1", "published", 3), ("s1", "duplicate", 1), ("s2", "published", 4))
    publish(engine, 2)
    publish(engine, 3, ("s1", "superseded", 4))
    first = [("s1", 1, "duplicate", 1), ("s1", 1, "published", 3)]
    second = ("s2", 1, "published", 4)
    columns = ["submission_id", "release", "bucket", "rows"]

    def counted(number: int, ids: list[str] | None = None) -> list[tuple[Any, ...]]:
        return ledger.read_row_counts(engine, number, ids).select(columns).rows()

    assert counted(0) == []
    assert counted(1) == counted(2) == [*first, second]
    assert counted(3) == counted(9) == [("s1", 3, "superseded", 4), second], "not the old bucket beside the new"
    assert counted(2, ["s1"]) == first
    assert counted(2, []) == []


def test_only_one_release_gets_other_table_versions(engine: Engine) -> None:
    publish(engine, 1)
    publish(engine, 2)
    ledger.update_tables(engine, 1, {"sources": 5, "observations": 4})
    rows = ledger.read_releases(engine).select("release", "tables").rows()
    assert rows == [(1, '{"observations": 4, "sources": 5}'), (2, '{"observations": 2, "sources": 2}')]


@pytest.mark.parametrize("damaged", ["", "[1]", "null", "{"])
@pytest.mark.parametrize("column", ["tables", "counts", "models"])
def test_a_damaged_row_is_named(engine: Engine, column: str, damaged: str) -> None:
    publish(engine, 7)
    write(engine, sa.update(t.releases).values({column: damaged}))
    with pytest.raises(StoreError) as raised:
        ledger.current_release(engine)
    assert str(raised.value) == "the ledger's row of release 7 is damaged: restore the ledger from its backup"
