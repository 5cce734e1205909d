"""Frames into and out of the ledger: their types and times, ids in chunks, rows inserted once, errors in words."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import sql
from infra.ledger import tables as t
from schemas.errors import StoreError
from tests.support.submission_rows import write

AT = datetime(2026, 3, 1, 12, 0, 0, 250)
UNIT = {"unit_id": pl.String, "kind": pl.String, "name": pl.String}


def units(*rows: tuple[str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), UNIT, orient="row")


def insert(engine: Engine, frame: pl.DataFrame, *how: Any) -> list[str]:
    with sql.write_transaction(engine) as connection:
        return sql.insert_new(connection, t.provisional_units, frame, *how)


def stored(engine: Engine) -> list[tuple[Any, ...]]:
    return sql.read_frame(engine, sa.select(t.provisional_units).order_by("unit_id")).rows()


def test_ids_come_once_each_in_order_and_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "IDS_PER_STATEMENT", 2)
    assert list(sql.id_chunks(["c", "a", "b", "a"])) == [["a", "b"], ["c"]]
    assert list(sql.id_chunks([4, 3])) == [[3, 4]]
    assert list(sql.id_chunks([])) == []


def test_rows_are_read_by_ids_beyond_one_statement(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    insert(engine, units(("u1", "k", "A"), ("u2", "k", "B"), ("u3", "k", "C")))
    monkeypatch.setattr(sql, "IDS_PER_STATEMENT", 1)
    asked: list[Any] = []

    def query(some: Any) -> sa.Select[Any]:
        asked.append(some)
        c = t.provisional_units.c
        return sa.select(c.name).where(sa.true() if some is None else c.unit_id.in_(some)).order_by(c.unit_id)

    assert sql.read_by_ids(engine, {"u3", "u1"}, query)["name"].to_list() == ["A", "C"]
    assert sql.read_by_ids(engine, None, query)["name"].to_list() == ["A", "B", "C"]
    assert sql.read_by_ids(engine, [], query).schema == {"name": pl.String}
    assert asked == [["u1"], ["u3"], None, []]


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (t.submissions.c.bytes, pl.Int64), (t.submissions.c.first_release, pl.Int32),
        (t.submissions.c.in_release, pl.Boolean), (t.submissions.c.received_at, pl.Datetime("us")),
        (t.submissions.c.sender, pl.String), (t.inbox.c.id, pl.Int64),
    ],
)  # fmt: skip
def test_a_column_has_the_type_that_its_table_declares(column: sa.ColumnElement[Any], dtype: pl.DataType) -> None:
    assert sql.polars_dtype(column) == dtype


def test_a_frame_is_stored_in_the_order_of_its_table_in_utc_and_without_nul() -> None:
    east = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    frame = pl.DataFrame({
        "text": ["a\0b"], "first_seen": pl.Series([east.astimezone(UTC)]).dt.convert_time_zone("Europe/Oslo"),
        "digest": ["d"],
    })  # fmt: skip
    found = sql.stored_frame(t.contracts, frame)
    assert found.schema == {"digest": pl.String, "text": pl.String, "first_seen": pl.Datetime("us")}
    assert found.rows() == [("d", "a\u2400b", datetime(2026, 3, 1, 12))]


def test_a_column_that_a_table_lacks_is_refused() -> None:
    with pytest.raises(StoreError) as raised:
        sql.stored_frame(t.provisional_units, pl.DataFrame({"name": ["x"], "colour": ["red"]}))
    expected = "columns ['colour'] are not in the ledger's provisional_units: expected ['unit_id', 'kind', 'name']"
    assert str(raised.value) == expected


def test_times_are_kept_to_the_microsecond(engine: Engine) -> None:
    frame = pl.DataFrame({"digest": ["d"], "contract": ["c"], "text": [""], "first_seen": [AT]})
    with sql.write_transaction(engine) as connection:
        sql.bulk_insert(connection, t.contracts, frame)
        sql.bulk_insert(connection, t.contracts, frame.clear())
    assert sql.read_frame(engine, sa.select(t.contracts.c.first_seen)).item() == AT


def test_only_new_keys_are_inserted_and_returned_in_order(engine: Engine) -> None:
    assert insert(engine, units(("u3", "k", "C"), ("u1", "k", "A"))) == ["u1", "u3"]
    assert insert(engine, units(("u2", "k", "B"), ("u1", "k", "changed"))) == ["u2"]
    assert insert(engine, units()) == []
    assert [name for _, _, name in stored(engine)] == ["A", "B", "C"]


def test_an_existing_row_is_overwritten_where_it_may_be(engine: Engine) -> None:
    insert(engine, units(("u1", "old", "A"), ("u2", "kept", "B")))
    new = units(("u1", "k", "A2"), ("u2", "k", "B2"), ("u3", "k", "C"))
    assert insert(engine, new, lambda _: t.provisional_units.c.kind == "old") == ["u1", "u3"]
    assert stored(engine) == [("u1", "k", "A2"), ("u2", "kept", "B"), ("u3", "k", "C")]


def test_a_failed_transaction_keeps_nothing_and_says_so(engine: Engine) -> None:
    def write_two() -> None:
        with sql.write_transaction(engine) as connection:
            sql.insert_new(connection, t.provisional_units, units(("u1", "k", "A")))
            connection.exec_driver_sql("INSERT INTO provisional_units (unit_id) VALUES ('u2')")

    with pytest.raises(StoreError) as raised:
        write_two()
    assert str(raised.value) == (
        "the ledger refused to write: NOT NULL constraint failed: provisional_units.kind. Nothing of this was kept; "
        "see the message and try again"
    )
    assert stored(engine) == []


def test_a_ledger_that_cannot_be_read_says_what_to_check(engine: Engine) -> None:
    write(engine, sa.text("DROP TABLE model_pins"))
    with pytest.raises(StoreError) as raised:
        sql.read_frame(engine, sa.select(t.model_pins.c.kind))
    hint = "Check ENGANG_LEDGER and the database"
    assert str(raised.value) == f"the ledger cannot be read: no such table: model_pins. {hint}"


def test_the_current_time_has_no_zone() -> None:
    assert sql.utc_now().tzinfo is None
    assert abs(sql.utc_now() - datetime.now(UTC).replace(tzinfo=None)) < timedelta(seconds=5)
