"""The ledger on both databases: whole or not at all, once however often, one publisher, UTC, fast enough."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from infra.ledger import open as ledger_open
from infra.ledger import releases as ledger_releases
from infra.ledger import runs as ledger_runs
from infra.ledger import sql as ledger_sql
from infra.ledger import submissions as ledger_submissions
from infra.ledger import tables
from infra.ledger import tree as ledger_tree
from infra.ledger.open import open_ledger
from infra.ledger.releases import Release
from schemas.claims import REJECT, empty, frame_schema
from schemas.errors import ReleaseRefused, StoreError, SubmissionError
from tests.support import ledger_rows
from tests.support.paths import ROOT

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456)


@pytest.fixture
def engine(ledger_url: str) -> Engine:
    """Open a new ledger that knows the contracts of these tests."""
    opened = open_ledger(ledger_url)
    for digest in ("d1", "d2"):
        ledger_submissions.register_contract(opened, "tax", digest, "contract: tax\n")
    return opened


def some(*ids: str, **fields: Any) -> pl.DataFrame:
    row = {
        "contract": "tax", "contract_digest": "d1", "obligation": "tax", "sender": "s", "filename": "f.csv",
        "period": None, "bytes": 10, "received_at": NOON, "status": "live", "content_digest": "c", "batch": "b1",
        "delivered": 4, "claims": 3, "rejected": 1, "ignored": 0, "warnings": 0,
    }  # fmt: skip
    return pl.DataFrame([{"submission_id": i, "sha256": f"sha-{i}", **row, **fields} for i in ids])


def months(*ids: str) -> pl.DataFrame:
    rows = [(i, month, 2) for i in ids for month in ("2026-01", "2026-02")]
    return pl.DataFrame(rows, schema=["submission_id", "partition", "claims"], orient="row")


def refused(*ids: str, **fields: Any) -> pl.DataFrame:
    row = {
        "row": 3, "column": "sum", "reason": "not-a-number", "rule": None, "severity": "critical",
        "found": "x", "expected": "a number", "hint": "write digits",
    }  # fmt: skip
    return pl.DataFrame([{"submission_id": i, **row, **fields} for i in ids], schema=frame_schema(REJECT))


UNITS = pl.DataFrame({"unit_id": ["provisional:organisation:a"], "kind": ["organisation"], "name": ["A"]})


def register(engine: Engine, *ids: str, **fields: Any) -> list[str]:
    return ledger_submissions.register_submissions(engine, some(*ids, **fields), months(*ids), refused(*ids), UNITS)


def release(number: int, **fields: Any) -> Release:
    base: Any = {
        "release": number, "run_id": None, "published_at": NOON, "digest": "x", "digest_lanes": "1 2",
        "tables": {"sources": 4, "observations": 3}, "counts": {"items": 9}, "register_digest": "r",
        "rules_digest": "q", "models": {},
    }  # fmt: skip
    return {**base, **fields}


def counted(rows: list[tuple[str, str, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["submission_id", "bucket", "rows"], orient="row")


def size(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        tables_of_ledger = tables.metadata.sorted_tables
        return {t.name: connection.scalar(sa.select(sa.func.count()).select_from(t)) or 0 for t in tables_of_ledger}


# Opening


@pytest.fixture
def migrated(ledger_url: str) -> Engine:
    """Give a ledger that the migrations made, one after the other."""
    engine = ledger_open._engine(ledger_url)  # noqa: SLF001  a new ledger is created without them
    with ledger_sql.write_transaction(engine) as connection:
        ledger_open.upgrade(connection)
    return engine


def test_migrated_schema_is_the_declared_one(migrated: Engine) -> None:
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    assert ScriptDirectory(str(ledger_open.MIGRATIONS)).get_current_head() == tables.HEAD


def _shown(index: Any) -> dict[str, str]:
    return {name: str(value) for name, value in index.get("dialect_options", {}).items()}


def test_a_new_ledger_is_as_the_migrations_make_it(migrated: Engine) -> None:
    def schema() -> dict[str, Any]:
        seen = inspect(migrated)
        return {
            t: (
                sorted(str(c) for c in seen.get_check_constraints(t)),
                sorted(str(c) for c in seen.get_foreign_keys(t)),
                seen.get_pk_constraint(t),
                sorted(str({**i, "dialect_options": _shown(i)}) for i in seen.get_indexes(t)),
                [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in seen.get_columns(t)],
            )
            for t in seen.get_table_names()
        } | {"revision": ledger_open._revision(migrated)}  # noqa: SLF001  what decides whether to migrate

    before = schema()
    assert before.keys() == {*tables.metadata.tables, "alembic_version", "revision"}
    tables.metadata.drop_all(migrated)
    with ledger_sql.write_transaction(migrated) as connection:
        connection.execute(sa.text("DROP TABLE alembic_version"))
    open_ledger(str(migrated.url.render_as_string(hide_password=False)))
    assert schema() == before


def test_a_migration_can_be_undone(engine: Engine) -> None:
    from alembic import command

    config = Config()
    config.set_main_option("script_location", str(ledger_open.MIGRATIONS))
    with ledger_sql.write_transaction(engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]


def test_opening_at_once_makes_one_ledger(ledger_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(open_ledger, [ledger_url] * 6))
    assert all(size(e) == size(opened[0]) for e in opened)


def test_opening_at_once_from_processes(ledger_url: str) -> None:
    code = f"from infra.ledger.open import open_ledger; open_ledger({ledger_url!r})"
    started = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(2)]
    assert [p.wait(60) for p in started] == [0, 0]


def test_opening_a_new_one_or_one_that_is_up_to_date_migrates_nothing(ledger_url: str) -> None:
    code = textwrap.dedent(f"""
        import sys
        from infra.ledger.open import open_ledger
        for _ in range(2):
            open_ledger({ledger_url!r})
            print("alembic" in sys.modules)
    """)
    assert _python(code).split() == ["False", "False"]


def test_a_ledger_of_a_newer_version_is_refused(engine: Engine, ledger_url: str) -> None:
    with ledger_sql.write_transaction(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"not of this version.*9999"):
        open_ledger(ledger_url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d", "nonsense", ""])
def test_no_ledger_where_none_can_be(url: str) -> None:
    with pytest.raises(StoreError, match="expected sqlite:///<file> or postgresql://") as error:
        open_ledger(url)
    assert "secret" not in str(error.value)


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened") as error:
        open_ledger(f"postgresql://user:secret@/x?host={tmp_path}")
    assert "secret" not in str(error.value)
    (tmp_path / "text.db").write_bytes(b"this is no database at all, only text" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_ledger(f"sqlite:///{tmp_path / 'text.db'}")


# Submissions


def test_registered_once_however_often(engine: Engine) -> None:
    assert register(engine, "b", "a") == ["a", "b"]
    before = size(engine)
    assert register(engine, "b", "a") == []
    assert size(engine) == before
    assert register(engine, "a", "c") == ["c"]
    assert before["rejects"] == 2
    assert size(engine)["rejects"] == 3
    assert ledger_submissions.read_rejects(engine, "a").equals(refused("a"))
    assert ledger_submissions.read_rejects(engine)["submission_id"].sort().to_list() == ["a", "b", "c"]
    assert ledger_submissions.read_provisional_units(engine).equals(UNITS)


def test_a_submission_comes_back_as_it_went_in(engine: Engine) -> None:
    register(engine, "a")
    back = ledger_submissions.read_submissions(engine)
    flags = pl.lit(value=False).alias("in_release"), pl.lit(None, dtype=pl.Int32).alias("first_release")
    stated = pl.lit(None, dtype=pl.Datetime("us")).alias("as_of"), pl.lit(None, dtype=pl.String).alias("replaces")
    given = some("a").with_columns(*flags, *stated).cast({"period": pl.String})
    assert back.equals(given.select(back.columns))
    assert back.schema["received_at"] == pl.Datetime("us")
    assert back.schema["delivered"] == pl.Int64


def test_times_are_kept_in_utc(engine: Engine) -> None:
    oslo = timezone(timedelta(hours=1))
    rows = some("a", received_at=datetime(2026, 11, 22, 13, 0, 0, 123456, tzinfo=oslo))
    ledger_submissions.register_submissions(engine, rows, months("a"), refused("a"), UNITS)
    ledger_releases.publish_release(
        engine, release(1, published_at=datetime(2026, 11, 22, 2, tzinfo=oslo)), counted([]), [], []
    )
    assert ledger_submissions.read_submissions(engine)["received_at"].to_list() == [NOON]
    assert ledger_releases.read_releases(engine)["published_at"].to_list() == [datetime(2026, 11, 22, 1)]
    with ledger_runs.recorded_run(engine, "nightly"):
        pass
    age = datetime.now(UTC).replace(tzinfo=None) - ledger_rows.read_runs(engine)["started_at"][0]
    assert age < timedelta(minutes=1)


def test_found_text_survives_as_it_is(engine: Engine) -> None:
    odd = ['"', "", "a;b,c\t\\N\r\n", "Å\u00a0€ \U0001f600", "nul\0here", None, "\\.", "NULL"]
    rejects = pl.concat([refused("a", found=text, row=n) for n, text in enumerate(odd)])
    ledger_submissions.register_submissions(engine, some("a"), months("a"), rejects, UNITS)
    expected = ["nul\u2400here" if text and "\0" in text else text for text in odd]
    assert ledger_submissions.read_rejects(engine, "a")["found"].to_list() == expected


def test_nothing_to_register(engine: Engine) -> None:
    nothing = some("a").clear(), months("a").clear(), empty(REJECT), UNITS.clear()
    assert ledger_submissions.register_submissions(engine, *nothing) == []
    assert ledger_submissions.read_submissions(engine).is_empty()
    assert ledger_submissions.read_rejects(engine, "a").schema == frame_schema(REJECT)


@pytest.mark.parametrize(
    ("partitions", "rejects"),
    [
        (pl.concat([months("a", "b"), months("a")]), refused("a", "b")),
        (months("a", "b"), pl.concat([refused("a"), refused("b", reason=None)])),
        (months("a", "b"), refused("a", "b").with_columns(severity=pl.lit("grave"))),
    ],
)
def test_a_failing_insert_keeps_nothing(engine: Engine, partitions: pl.DataFrame, rejects: pl.DataFrame) -> None:
    before = size(engine)
    with pytest.raises(StoreError, match="refused to write"):
        ledger_submissions.register_submissions(engine, some("a", "b"), partitions, rejects, UNITS)
    assert size(engine) == before
    assert register(engine, "a", "b") == ["a", "b"]


def test_an_unknown_contract_is_refused(engine: Engine) -> None:
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        register(engine, "a", contract_digest="never registered")
    assert size(engine)["submissions"] == 0


def test_a_submission_that_stands_twice_is_refused(engine: Engine) -> None:
    with pytest.raises(StoreError, match="twice"):
        register(engine, "a", "a")


def test_an_unknown_column_is_refused(engine: Engine) -> None:
    rows = some("a").with_columns(colour=pl.lit("red"))
    with pytest.raises(StoreError, match="colour"):
        ledger_submissions.register_submissions(engine, rows, months("a"), refused("a"), UNITS)


def test_only_what_was_rejected_under_another_contract_is_replaced(engine: Engine) -> None:
    register(engine, "bad", "same", status="rejected", claims=0)
    register(engine, "good")
    ids = ("bad", "good", "new", "same")
    digests = pl.when(submission_id="same").then(pl.lit("d1")).otherwise(pl.lit("d2")).alias("contract_digest")
    frames = some(*ids, claims=4).with_columns(digests), months(*ids), refused(*ids, row=9), UNITS
    assert ledger_submissions.register_submissions(engine, *frames) == ["new"]
    again = ledger_submissions.register_submissions(engine, *frames, replace=set(ids))
    assert again == ["bad"]
    assert ledger_submissions.register_submissions(engine, *frames, replace=set(ids)) == []
    back = ledger_submissions.read_submissions(engine, columns=["submission_id", "status", "claims"])
    assert back.rows() == [("bad", "live", 4), ("good", "live", 3), ("new", "live", 4), ("same", "rejected", 0)]
    assert ledger_submissions.read_rejects(engine, "bad")["row"].to_list() == [9]
    assert ledger_submissions.read_rejects(engine, "same")["row"].to_list() == [3]
    assert ledger_submissions.read_submission_partitions(engine, ids=["bad"]).height == 2


def test_status_changes(engine: Engine) -> None:
    register(engine, "a")
    register(engine, "r", status="rejected")
    assert ledger_submissions.set_status(engine, "a", "withdrawn")
    assert not ledger_submissions.set_status(engine, "a", "withdrawn")
    assert ledger_submissions.read_submissions(engine, status="withdrawn")["submission_id"].to_list() == ["a"]
    assert ledger_submissions.set_status(engine, "a", "live")
    for submission, status in (("r", "withdrawn"), ("none", "withdrawn"), ("a", "rejected")):
        with pytest.raises(StoreError):
            ledger_submissions.set_status(engine, submission, status)


def test_filters_and_counts(engine: Engine) -> None:
    register(engine, "a", "b")
    register(engine, "c", status="withdrawn", sender="other")
    ledger_releases.publish_release(engine, release(1), counted([]), ["a"], [])
    assert ledger_submissions.read_submissions(engine, status="live", in_release=False)["submission_id"].to_list() == [
        "b"
    ]
    assert ledger_submissions.read_submissions(engine, sha256="sha-c", columns=["sender"]).rows() == [("other",)]
    assert ledger_submissions.read_submissions(engine, ids=["c", "a", "x"])["submission_id"].to_list() == ["a", "c"]
    assert ledger_submissions.read_submissions(engine, ids=[]).is_empty()
    assert ledger_submissions.read_submission_partitions(engine, status="withdrawn")["partition"].to_list() == [
        "2026-01",
        "2026-02",
    ]
    counts = ledger_submissions.count_submissions(engine, contract="tax")
    assert counts.select("status", "in_release", "submissions", "delivered").rows() == [
        ("live", False, 1, 4), ("live", True, 1, 4), ("withdrawn", False, 1, 4),
    ]  # fmt: skip


def test_more_ids_than_one_statement_binds(engine: Engine) -> None:
    ids = [f"{n:06}" for n in range(2 * ledger_sql.IDS_PER_STATEMENT + 1)]
    nothing = months("a").clear(), empty(REJECT), UNITS.clear()
    assert len(ledger_submissions.register_submissions(engine, some(*ids), *nothing)) == len(ids)
    ledger_releases.publish_release(engine, release(1), counted([(i, "published", 4) for i in ids]), ids, [])
    assert ledger_submissions.read_submissions(
        engine, ids=ids, in_release=True, columns=["submission_id"]
    ).height == len(ids)
    assert ledger_releases.read_row_counts(engine, 1, ids=ids).height == len(ids)
    ledger_releases.publish_release(engine, release(2), counted([]), [], ids)
    assert ledger_submissions.read_submissions(engine, in_release=True).is_empty()


def test_ids_are_bound_and_never_read_as_sql(engine: Engine) -> None:
    odd = "a'); DROP TABLE submissions; --"
    register(engine, odd)
    assert ledger_submissions.read_submissions(engine, ids=[odd, "' OR '1'='1"])["submission_id"].to_list() == [odd]


def test_two_who_register_the_same_at_once(engine: Engine, ledger_url: str) -> None:
    ids = [f"{n:04}" for n in range(300)]
    others = [open_ledger(ledger_url) for _ in range(4)]
    shuffled = [some(*ids).sample(fraction=1, shuffle=True, seed=n) for n in range(4)]

    def one(pair: tuple[Engine, pl.DataFrame]) -> list[str]:
        return ledger_submissions.register_submissions(*pair, months(*ids), refused(*ids), UNITS)

    with ThreadPoolExecutor(4) as pool:
        new = [i for mine in pool.map(one, zip(others, shuffled, strict=True)) for i in mine]
    assert sorted(new) == ids
    assert size(engine)["rejects"] == 300
    assert size(engine)["submission_partitions"] == 600


# Releases and runs


def test_leaves_are_published_with_their_release(engine: Engine) -> None:
    register(engine, "a", "b")
    rows = [(0, "a", "0a", "x"), (1, "b", "0b", "y")]
    leaves = pl.DataFrame(rows, ["leaf", "submission_id", "hash", "content"], orient="row")
    head: Release = {**release(1), "tree_head": {"head": "{}", "size": 2}}
    ledger_releases.publish_release(engine, head, counted([("a", "published", 3)]), ["a"], [], leaves=leaves)
    assert (ledger_releases.current_release(engine) or {})["tree_head"] == head["tree_head"]
    assert ledger_tree.read_tree_heads(engine).rows() == [(1, '{"head": "{}", "size": 2}')]
    assert ledger_tree.last_leaves(engine, ["a", "b", "c"]) == {"a": 0, "b": 1}
    assert ledger_tree.read_leaf_hashes(engine, 1) == [b"\x0a"]
    with ledger_sql.write_transaction(engine) as connection:
        ledger_tree.forget_leaves(connection, "a")
    assert ledger_tree.read_leaves(engine, None, 2)["content"].to_list() == [None, "y"]
    assert ledger_tree.read_leaves(engine, ["b"], 2).rows() == [(1, 1, "b", "0b", "y")]
    assert ledger_tree.read_listed_rejects(engine, ["a", "c"])["submission_id"].to_list() == ["a"]


def test_a_release_is_published_whole(engine: Engine) -> None:
    register(engine, "a", "b")
    assert ledger_releases.current_release(engine) is None
    ledger_releases.publish_release(
        engine, release(1), counted([("a", "published", 3), ("a", "rejected", 1)]), ["a"], []
    )
    assert ledger_releases.current_release(engine) == {
        **release(1), "tree_head": None, "removed_at": None, "rebuilt_at": None,
    }  # fmt: skip
    rows = [("a", "duplicate", 4), ("b", "published", 4)]
    ledger_releases.publish_release(engine, release(2, counts={"items": 10}), counted(rows), ["b"], ["a"])
    assert (ledger_releases.current_release(engine) or {})["counts"] == {"items": 10}
    assert ledger_releases.read_releases(engine)["release"].to_list() == [1, 2]
    assert ledger_submissions.read_submissions(engine, in_release=True)["submission_id"].to_list() == ["b"]
    # A bucket that is empty in the newer release does not linger from the older one.
    assert ledger_releases.read_row_counts(engine, 2).rows() == [("a", 2, "duplicate", 4), ("b", 2, "published", 4)]
    assert ledger_releases.read_row_counts(engine, 1).rows() == [("a", 1, "published", 3), ("a", 1, "rejected", 1)]
    assert ledger_releases.read_row_counts(engine, 3, ids=["b"]).rows() == [("b", 2, "published", 4)]


@pytest.mark.parametrize(
    ("number", "rows"),
    [
        (2, [("a", "published", 1), ("a", "published", 1)]),
        (2, [("a", "published", 1), ("nobody", "published", 1)]),
        (2, [("a", "published", 1), ("a", "lost", 1)]),
        (1, [("a", "published", 4)]),
    ],
)
def test_a_failing_publish_keeps_nothing(engine: Engine, number: int, rows: list[tuple[str, str, int]]) -> None:
    register(engine, "a", "b")
    ledger_releases.publish_release(engine, release(1), counted([("a", "published", 4)]), ["a"], [])
    before, flags = size(engine), ledger_submissions.read_submissions(engine)
    with pytest.raises(StoreError):
        ledger_releases.publish_release(engine, release(number), counted(rows), ["b"], ["a"])
    assert size(engine) == before
    assert ledger_submissions.read_submissions(engine).equals(flags)


def test_a_publish_that_fails_last_keeps_nothing(engine: Engine) -> None:
    register(engine, "a")
    trigger = {
        "sqlite": "CREATE TRIGGER no BEFORE UPDATE ON submissions BEGIN SELECT RAISE(ABORT, 'no'); END",
        "postgresql": "CREATE RULE no AS ON UPDATE TO submissions DO INSTEAD SELECT 1/0 FROM submissions",
    }
    with ledger_sql.write_transaction(engine) as connection:
        connection.exec_driver_sql(trigger[engine.dialect.name])
    before = size(engine)
    with pytest.raises(StoreError):
        ledger_releases.publish_release(engine, release(1), counted([("a", "published", 4)]), ["a"], [])
    assert size(engine) == before


def test_runs_say_how_they_ended(engine: Engine) -> None:
    with ledger_runs.recorded_run(engine, "nightly") as run_id:
        assert ledger_rows.read_runs(engine)["status"].to_list() == ["running"]
        ledger_releases.publish_release(engine, release(1, run_id=run_id), counted([]), [], [])
    with pytest.raises(ReleaseRefused), ledger_runs.recorded_run(engine, "nightly"):
        raise ReleaseRefused("item_id is not unique")
    with pytest.raises(KeyboardInterrupt), ledger_runs.recorded_run(engine, "receive"):
        raise KeyboardInterrupt
    runs = ledger_rows.read_runs(engine)
    assert runs["status"].to_list() == ["done", "refused", "failed"]
    assert runs["message"].to_list()[1] == "ReleaseRefused: item_id is not unique"
    assert runs["finished_at"].null_count() == 0


def test_a_run_that_lives_is_open_and_one_that_was_killed_is_closed(engine: Engine, ledger_url: str) -> None:
    held = _hold(f'runs.recorded_run(open_ledger({ledger_url!r}), "nightly")')
    with ledger_runs.recorded_run(engine, "receive") as own:
        assert [(run.kind, run.dead) for run in ledger_runs.open_runs(engine)] == [
            ("nightly", False),
            ("receive", False),
        ]
        assert ledger_runs.close_dead_runs(engine) == []
        _kill(held)
        _until(lambda: ledger_runs.open_runs(engine)[0].dead)
        assert [run.kind for run in ledger_runs.close_dead_runs(engine)] == ["nightly"]
        assert [run.run_id for run in ledger_runs.open_runs(engine)] == [own]
    assert ledger_runs.close_dead_runs(engine) == []
    rows = ledger_rows.read_runs(engine).select("kind", "status", "message").rows()
    assert sorted(rows) == [("nightly", "failed", ledger_runs.DEAD_RUN), ("receive", "done", None)]


def test_the_message_of_an_unforeseen_error_quotes_no_data(engine: Engine) -> None:
    for error in (ValueError("Kari Nordmann"), SubmissionError("not-a-number", "Kari Nordmann", "a number")):
        with pytest.raises(type(error)), ledger_runs.recorded_run(engine, "nightly"):
            raise error
    messages = ledger_rows.read_runs(engine)["message"].to_list()
    assert [message.split(",")[0] for message in messages] == ["ValueError: unforeseen", "SubmissionError: unforeseen"]
    assert [message for message in messages if "Kari" in message] == []


# The publishing lock


def test_one_publisher_at_a_time(engine: Engine, ledger_url: str) -> None:
    other = open_ledger(ledger_url)
    with ledger_runs.publishing_lock(engine):
        for second in (other, engine):
            with pytest.raises(StoreError, match="another run is publishing"), ledger_runs.publishing_lock(second):
                pass
        register(other, "a")  # the ledger itself stays open to all
        ledger_releases.publish_release(engine, release(1), counted([]), ["a"], [])
    with ledger_runs.publishing_lock(other):
        pass


def test_the_lock_dies_with_its_holder(engine: Engine, ledger_url: str) -> None:
    held = _hold(f"runs.publishing_lock(open_ledger({ledger_url!r}))")
    with pytest.raises(StoreError, match="another run is publishing"), ledger_runs.publishing_lock(engine):
        pass
    _kill(held)
    _until(lambda: _takes(engine))


@pytest.mark.parametrize("kind", ledger_runs.PUBLISHERS)
def test_a_held_lock_is_reported_with_its_holder(engine: Engine, kind: str) -> None:
    with (
        ledger_runs.recorded_run(engine, "receive"),
        ledger_runs.publishing_lock(engine),
        ledger_runs.recorded_run(engine, kind) as run_id,
    ):
        with pytest.raises(StoreError) as error, ledger_runs.publishing_lock(engine):
            pass
        assert str(error.value) == f"another {kind} ({run_id}) is publishing: wait for its end"


def test_a_lock_that_cannot_be_made_is_not_another_run(tmp_path: Path) -> None:
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    lock = tmp_path / "ledger.db.lock"
    lock.mkdir()
    with (
        pytest.raises(StoreError, match=r"lock .* cannot be taken: unable to open"),
        ledger_runs.publishing_lock(opened),
    ):
        pass
    lock.rmdir()
    lock.write_bytes(b"no database" * 100)
    with (
        pytest.raises(StoreError, match="cannot be taken: file is not a database"),
        ledger_runs.publishing_lock(opened),
    ):
        pass
    lock.unlink()
    assert _takes(opened)


def test_the_lock_is_free_after_an_error(engine: Engine) -> None:
    with pytest.raises(RuntimeError), ledger_runs.publishing_lock(engine):
        raise RuntimeError
    assert _takes(engine)


# Size


def test_a_hundred_thousand_rejects_are_kept(engine: Engine) -> None:
    rejects = pl.concat([refused("a")] * 100_000).with_columns(row=pl.int_range(pl.len(), dtype=pl.Int32))
    ledger_submissions.register_submissions(engine, some("a"), months("a"), rejects, UNITS)
    assert ledger_submissions.read_rejects(engine, "a").height == 100_000


# Processes


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def _hold(what: str) -> subprocess.Popen[str]:
    """Start a process that enters `what` and stays in it; return once it is in."""
    imports = "import time\nfrom infra.ledger import runs\nfrom infra.ledger.open import open_ledger"
    code = f"{imports}\nwith {what}:\n    print('held', flush=True)\n    time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def _kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def _takes(engine: Engine) -> bool:
    try:
        with ledger_runs.publishing_lock(engine):
            return True
    except StoreError:
        return False


def _until(holds: Callable[[], bool]) -> None:
    """Wait at most a minute: a PostgreSQL session ends a moment after its client."""
    last = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < last
        time.sleep(0.05)
