"""The ledger's decisions, models, homes and first releases, on both databases: append-only, whole or not at all."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, inspect

from infra.ledger import decisions as ledger_decisions
from infra.ledger import models as ledger_models
from infra.ledger import open as ledger_open
from infra.ledger import records as ledger_records
from infra.ledger import releases as ledger_releases
from infra.ledger import sql as ledger_sql
from infra.ledger import submissions as ledger_submissions
from infra.ledger import tables
from infra.ledger.decisions import Decision
from infra.ledger.open import open_ledger
from infra.ledger.records import RecordsPublished
from schemas.claims import REJECT, empty
from schemas.errors import StoreError

if TYPE_CHECKING:
    from infra.ledger.releases import Release

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456)
A, B, C = ("a" * 24, "b" * 24, "c" * 24)
SAME = Decision("train", A, B, "same", "Kari", "one derailment")
MODEL: ledger_models.StoredModel = {
    "digest": "m1", "kind": "train", "text": '{"weights": [1, 2]}', "trained_at": NOON, "about": {"pairs": 12},
}  # fmt: skip


@pytest.fixture
def engine(ledger_url: str) -> Engine:
    opened = open_ledger(ledger_url)
    ledger_submissions.register_contract(opened, "rail", "d1", "contract: rail\n")
    return opened


def register(engine: Engine, *ids: str) -> None:
    row = {
        "contract": "rail", "contract_digest": "d1", "obligation": "rail", "sender": "s", "filename": "f.csv",
        "sha256": "x", "bytes": 10, "received_at": NOON, "status": "live", "content_digest": "c", "batch": "b1",
        "delivered": 4, "claims": 4, "rejected": 0, "ignored": 0, "warnings": 0,
    }  # fmt: skip
    rows = pl.DataFrame([{"submission_id": i, **row} for i in ids])
    months = pl.DataFrame(schema={"submission_id": pl.String, "partition": pl.String, "claims": pl.Int64})
    units = pl.DataFrame(schema={"unit_id": pl.String, "kind": pl.String, "name": pl.String})
    ledger_submissions.register_submissions(engine, rows, months, empty(REJECT), units)


def publish(
    engine: Engine,
    number: int,
    entered: list[str] | None = None,
    withdrawn: list[str] | None = None,
    records: RecordsPublished | None = None,
) -> None:
    release: Release = {
        "release": number, "run_id": None, "published_at": NOON, "digest": "x", "digest_lanes": "1 2",
        "tables": {"train": 3}, "counts": {"items": 9}, "register_digest": "r", "rules_digest": "q",
    }  # fmt: skip
    counts = pl.DataFrame(schema={"submission_id": pl.String, "bucket": pl.String, "rows": pl.Int64})
    ledger_releases.publish_release(engine, release, counts, entered or [], withdrawn or [], records=records)


def published_assignments(*rows: tuple[str, str], kind: str = "train") -> RecordsPublished:
    rows_of_kind = [(kind, *row) for row in rows]
    return RecordsPublished(
        item_assignments=pl.DataFrame(rows_of_kind, schema=ledger_records.NEW_ASSIGNMENT, orient="row")
    )


def decided(*changes: dict[str, Any]) -> pl.DataFrame:
    base = {"kind": "train", "a": A, "b": B, "verdict": "same", "who": "Kari", "why": "w", "at": NOON}
    schema = {**{name: ledger_decisions.DECISION_SCHEMA[name] for name in ledger_decisions.DECISION_CONTENT}}
    schema |= {name: ledger_decisions.DECISION_SCHEMA[name] for name in ledger_decisions.WITHDRAWAL}
    return pl.DataFrame([{**base, **c} for c in changes], schema=schema)


def ids(frame: pl.DataFrame) -> list[int]:
    return frame["id"].to_list()


def uncounted_changes(engine: Engine, kind: str | None = None) -> pl.DataFrame:
    """Return the decisions that the current release counts and the next one will not, or the other way round."""
    return ledger_decisions.read_decisions(engine, kind).filter(
        pl.col("withdrawn_at").is_null() != pl.col("in_release")
    )


# The migration


OLD = """
INSERT INTO contracts (digest, contract, text, first_seen) VALUES ('d1', 'c', 't', '2026-01-01 00:00:00');
INSERT INTO submissions (submission_id, contract, contract_digest, obligation, sender, filename, sha256, bytes,
 received_at, status, delivered, claims, rejected, ignored, warnings, in_release)
 SELECT id, 'c', 'd1', 'o', 's', 'f', 'x', 1, '2026-01-01 00:00:00', status, 1, 1, 0, 0, 0, inside
 FROM (SELECT 'in' AS id, 'live' AS status, true AS inside UNION SELECT 'out', 'withdrawn', false
 UNION SELECT 'new', 'live', false) AS v;
INSERT INTO releases (release, published_at, digest, digest_lanes, tables, counts, register_digest, rules_digest)
 SELECT n, '2026-01-01 00:00:00', 'x', '1', '{"sources": 1}', '{"items": 1}', 'r', 'q'
 FROM (SELECT 1 AS n UNION SELECT 2) AS v;
INSERT INTO row_counts VALUES ('in', 2, 'published', 1), ('out', 1, 'published', 1), ('out', 2, 'withdrawn', 1);
INSERT INTO decisions (kind, a, b, verdict, who, why, at)
 SELECT 'train', 'a', 'b', 'same', 'Kari', why, '2026-01-01 00:00:00' FROM (SELECT 'w' AS why UNION SELECT 'v') AS v;
"""


def migrate(engine: Engine, revision: str, move: Any) -> None:
    config = Config()
    config.set_main_option("script_location", str(ledger_open.MIGRATIONS))
    with ledger_sql.write_transaction(engine) as connection:
        config.attributes["connection"] = connection
        move(config, revision)


def test_a_ledger_with_data_is_brought_up_to_date(ledger_url: str) -> None:
    engine = open_ledger(ledger_url)
    migrate(engine, "0001", command.downgrade)
    assert "first_release" not in {c["name"] for c in inspect(engine).get_columns("submissions")}
    assert not inspect(engine).has_table("models")
    with ledger_sql.write_transaction(engine) as connection:
        for statement in OLD.split(";\n"):
            connection.exec_driver_sql(statement)
    opened = open_ledger(ledger_url)
    submissions = ledger_submissions.read_submissions(opened, columns=["submission_id", "in_release", "first_release"])
    assert submissions.rows() == [("in", True, 2), ("new", False, None), ("out", False, None)]
    current = ledger_releases.current_release(opened)
    assert current is not None
    assert (current["release"], current["tables"], current["models"]) == (2, {"sources": 1}, {})
    assert ledger_decisions.read_decisions(opened).select("kind", "a", "b", "verdict", "in_release").rows() == [
        ("train", "a", "b", "same", False)
    ] * 2  # fmt: skip
    assert ledger_decisions.add_decision(opened, SAME) == 3
    with opened.connect() as connection:
        assert (
            connection.scalar(sa.select(tables.decisions.c.digest).order_by(tables.decisions.c.id).limit(1))
            == "by hand 1"
        )


# Decisions


def test_a_decision_comes_back_as_it_was_made(engine: Engine) -> None:
    number = ledger_decisions.add_decision(engine, replace(SAME, a=B, b=A, why='ja\u00a0"\n; \0'))
    decisions = ledger_decisions.read_decisions(engine)
    assert decisions.schema == pl.Schema(ledger_decisions.DECISION_SCHEMA)
    row = decisions.row(0, named=True)
    fields = {k: v for k, v in row.items() if k != "at"}
    assert fields == {
        "id": number, "kind": "train", "a": A, "b": B, "verdict": "same", "who": "Kari",
        "why": 'ja\u00a0"\n; \u2400', "withdrawn_at": None, "withdrawn_by": None, "withdrawn_why": None,
        "in_release": False,
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [{"verdict": "maybe"}, {"b": A}])
def test_what_is_no_decision_is_refused(engine: Engine, wrong: dict[str, str]) -> None:
    with pytest.raises(StoreError, match="refused to write"):
        ledger_decisions.add_decision(engine, replace(SAME, **wrong))
    assert ledger_decisions.read_decisions(engine).is_empty()


def test_a_withdrawal_is_written_next_to_what_it_takes_back(engine: Engine) -> None:
    one, two = (ledger_decisions.add_decision(engine, replace(SAME, verdict=v)) for v in ("same", "different"))
    assert ledger_decisions.write_withdrawal(engine, one, who="Ola", why="a slip")
    assert not ledger_decisions.write_withdrawal(engine, one, who="Per", why="again")
    assert ids(ledger_decisions.read_decisions(engine)) == [one, two]
    assert ids(ledger_decisions.read_decisions(engine, active=True)) == [two]
    withdrawn = ledger_decisions.read_decisions(engine, "train", active=False)
    assert withdrawn.select("id", "who", "withdrawn_by", "withdrawn_why").rows() == [(one, "Kari", "Ola", "a slip")]
    assert withdrawn["withdrawn_at"][0] >= withdrawn["at"][0]
    assert ledger_decisions.read_decisions(engine, "ship").is_empty()
    with pytest.raises(StoreError, match="no decision 99"):
        ledger_decisions.write_withdrawal(engine, 99, who="Ola", why="w")


def test_adding_twice_is_once(engine: Engine) -> None:
    frame = decided({"a": B, "b": A}, {"why": "other"}, {"verdict": "unsure"}, {})
    assert ledger_decisions.add_decisions(engine, frame).new == [1, 2, 3]
    before = ledger_decisions.read_decisions(engine)
    zoned = frame.with_columns(pl.col("at").dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Oslo"))
    for again in (frame, frame.reverse(), frame.drop(ledger_decisions.WITHDRAWAL), zoned):
        assert ledger_decisions.add_decisions(engine, again) == ledger_decisions.DecisionsAdded([], [])
    assert ledger_decisions.read_decisions(engine).equals(before)
    assert ledger_decisions.add_decisions(engine, frame.clear()) == ledger_decisions.DecisionsAdded([], [])


def test_a_withdrawal_that_is_added_holds_for_good(engine: Engine) -> None:
    standing, withdrawn = decided({}), decided({"withdrawn_at": NOON, "withdrawn_by": "Ola", "withdrawn_why": "a slip"})
    later = decided({"withdrawn_at": NOON + timedelta(1), "withdrawn_by": "Per", "withdrawn_why": "too"})
    (number,) = ledger_decisions.add_decisions(engine, standing).new
    assert ledger_decisions.add_decisions(engine, withdrawn) == ledger_decisions.DecisionsAdded([], [number])
    for again in (withdrawn, standing, later):
        assert ledger_decisions.add_decisions(engine, again) == ledger_decisions.DecisionsAdded([], [])
    assert ledger_decisions.read_decisions(engine)["withdrawn_by"].to_list() == ["Ola"]
    other = decided({"why": "x", "withdrawn_at": NOON, "withdrawn_by": "Ola", "withdrawn_why": "w"})
    assert len(ledger_decisions.add_decisions(engine, other).new) == 1
    assert ledger_decisions.read_decisions(engine, active=True).is_empty()


def test_a_frame_of_decisions_goes_to_another_ledger_and_back(engine: Engine, tmp_path: Any) -> None:
    ledger_decisions.add_decision(engine, SAME)
    ledger_decisions.write_withdrawal(
        engine, ledger_decisions.add_decision(engine, replace(SAME, b=C)), who="Ola", why="w"
    )
    decisions = ledger_decisions.read_decisions(engine)
    other = open_ledger(f"sqlite:///{tmp_path / 'other.db'}")
    assert len(ledger_decisions.add_decisions(other, decisions).new) == 2
    assert ledger_decisions.read_decisions(other).drop("id").equals(decisions.drop("id"))
    assert ledger_decisions.add_decisions(
        engine, ledger_decisions.read_decisions(other)
    ) == ledger_decisions.DecisionsAdded([], [])


def test_a_release_says_which_decisions_it_counts(engine: Engine) -> None:
    one, two = (ledger_decisions.add_decision(engine, replace(SAME, b=b)) for b in (B, C))
    assert ids(uncounted_changes(engine)) == [one, two]
    publish(engine, 1, records=RecordsPublished(counted=[one, two]))
    assert uncounted_changes(engine).is_empty()
    ledger_decisions.write_withdrawal(engine, one, who="Ola", why="w")
    three = ledger_decisions.add_decision(engine, replace(SAME, kind="ship"))
    ledger_decisions.write_withdrawal(
        engine, ledger_decisions.add_decision(engine, replace(SAME, b=C)), who="Ola", why="w"
    )
    assert ids(uncounted_changes(engine)) == [one, three]
    assert ids(uncounted_changes(engine, "train")) == [one]
    publish(engine, 2, records=RecordsPublished(counted=[three], uncounted=[one]))
    assert uncounted_changes(engine).is_empty()
    decisions = ledger_decisions.read_decisions(engine)
    assert decisions.filter("in_release")["id"].sort().to_list() == [two, three]


# Models


def test_the_last_pin_is_in_force(engine: Engine) -> None:
    assert ledger_models.find_pinned_model(engine, "train") is None
    later: ledger_models.StoredModel = {**MODEL, "digest": "m2", "trained_at": NOON + timedelta(1)}
    ship: ledger_models.StoredModel = {**MODEL, "digest": "m3", "kind": "ship"}
    assert [ledger_models.add_model(engine, m) for m in (later, MODEL, ship)] == [True] * 3
    assert not ledger_models.add_model(engine, {**MODEL, "text": "another"})
    assert ledger_models.read_models(engine, "train")["digest"].to_list() == ["m1", "m2"]
    assert ledger_models.read_models(engine)["digest"].to_list() == ["m1", "m3", "m2"]
    chosen = [ledger_models.write_pin(engine, "train", d, who="Kari", why="w") for d in ("m1", "m1", "m2", "m1")]
    assert chosen == [True, False, True, True]
    assert ledger_models.find_pinned_model(engine, "train") == MODEL
    assert ledger_models.read_pins(engine, "train")["digest"].to_list() == ["m1", "m2", "m1"]
    pin = ledger_models.pins_in_force(engine)["train"]
    assert (pin["digest"], pin["who"], pin["why"]) == ("m1", "Kari", "w")
    for kind, digest in (("train", "m3"), ("train", "m9"), ("boat", "m1")):
        with pytest.raises(StoreError, match=f"kind {kind} has no model {digest}"):
            ledger_models.write_pin(engine, kind, digest, who="Kari", why="w")
    assert ledger_models.find_model(engine, "m9") is None


# Releases


def test_first_release_is_written_once(engine: Engine) -> None:
    register(engine, "a", "b")
    publish(engine, 1, entered=["a"])
    publish(engine, 2, entered=["b"], withdrawn=["a"])
    publish(engine, 3, entered=["a"], withdrawn=["b"])
    submissions = ledger_submissions.read_submissions(engine, columns=["submission_id", "in_release", "first_release"])
    assert submissions.rows() == [("a", True, 1), ("b", False, 2)]


def test_item_assignments_are_those_last_written(engine: Engine) -> None:
    publish(engine, 1, records=published_assignments((A, A), (B, A)))
    publish(engine, 2, records=published_assignments((B, B), (C, A)))
    publish(engine, 3, records=published_assignments((B, C), kind="ship"))
    publish(engine, 4, records=published_assignments((C, B)))
    assignments = ledger_records.read_item_assignments(engine, "train")
    assert assignments.schema == pl.Schema(ledger_records.ASSIGNMENT)
    assert assignments.sort("report_id").rows() == [(A, A, 1), (B, B, 2), (C, B, 4)]
    assert ledger_records.read_item_assignments(engine, "train", [B, "none"]).rows() == [(B, B, 2)]
    assert ledger_records.read_item_assignments(engine, "train", []).is_empty()
    assert ledger_records.read_item_assignments(engine, "train", release=2).sort("report_id").rows() == [
        (A, A, 1),
        (B, B, 2),
        (C, A, 2),
    ]
    assert ledger_records.read_item_assignments(engine, "ship").rows() == [(B, C, 3)]
    assert ledger_records.read_assignments_to(engine, "train", [A]).rows() == [(A, A, 1)]
    assert ledger_records.read_assignments_to(engine, "train", [B, C]).sort("report_id").rows() == [
        (B, B, 2),
        (C, B, 4),
    ]
    assert ledger_records.read_assignments_to(engine, "train", [A], release=2).sort("report_id").rows() == [
        (A, A, 1),
        (C, A, 2),
    ]
    assert ledger_records.read_assignments_to(engine, "train", []).is_empty()


def test_those_at_home_nowhere_do_not_lead_to_each_other(engine: Engine) -> None:
    publish(engine, 1, records=published_assignments((A, ""), (B, ""), (C, A)))
    assert ledger_records.read_assignment_history(engine, "train", [B]).rows() == [(B, "", 1)]
    assert sorted(ledger_records.read_assignment_history(engine, "train", [A]).rows()) == [(A, "", 1), (C, A, 1)]


def test_many_item_assignments(engine: Engine) -> None:
    reports = [f"{n:024x}" for n in range(2 * ledger_sql.IDS_PER_STATEMENT + 1)]
    publish(engine, 1, records=published_assignments(*((r, A) for r in reports)))
    assert ledger_records.read_item_assignments(engine, "train", reports).height == len(reports)
    assert ledger_records.read_assignments_to(engine, "train", [A]).height == len(reports)


def test_a_release_keeps_models_and_warnings(engine: Engine) -> None:
    used = {"train": {"kind_digest": "k", "model_digest": "m1"}}
    warned = pl.DataFrame([("train", "block-capped", "state=TX", 4711)], schema=ledger_records.WARNING, orient="row")
    publish(engine, 1, records=RecordsPublished(models=used, warnings=warned))
    publish(engine, 2)
    models = [ledger_releases.as_release(row)["models"] for row in ledger_releases.read_releases(engine).to_dicts()]
    assert models == [used, {}]
    with_release = warned.insert_column(0, pl.Series("release", [1], dtype=pl.Int32))
    assert ledger_records.read_record_warnings(engine, 1).equals(with_release)
    assert ledger_records.read_record_warnings(engine).equals(with_release)
    assert ledger_records.read_record_warnings(engine, 2).is_empty()


def test_a_publish_whose_records_fail_keeps_nothing(engine: Engine) -> None:
    register(engine, "a")
    number = ledger_decisions.add_decision(engine, SAME)
    records = replace(published_assignments((A, A), (A, B)), counted=[number])  # one report at home in two items
    with pytest.raises(StoreError, match="refused to write"):
        publish(engine, 1, entered=["a"], records=records)
    assert ledger_releases.current_release(engine) is None
    assert ledger_records.read_item_assignments(engine, "train").is_empty()
    assert ledger_submissions.read_submissions(engine)["first_release"].to_list() == [None]
    assert ids(uncounted_changes(engine)) == [number]
