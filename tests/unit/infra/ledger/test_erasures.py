"""Tombstones of erased submissions: begun once, finished, and what quotes the submission is gone."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import erasures as ledger
from infra.ledger import submissions as ledger_submissions
from infra.ledger import tables as t
from tests.support.submission_rows import add, reject, submission, values_of, write

NOW = datetime(2026, 3, 1, 12)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _clock_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "utc_now", lambda: NOW)


def begin(engine: Engine, id_: str, who: str = "kari", why: str = "asked") -> None:
    ledger.begin_erasure(engine, {"submission_id": id_, "sha256": f"sha-{id_}"}, who=who, why=why)


def arrival(engine: Engine, object_: str, submission_id: str, source: str = "arrivals", reason: str = "x") -> None:
    row = {"object": object_, "version": "v", "sender": "a", "bytes": 1, "status": "done", "found_at": NOW}
    row |= {"found_by": "event", "submission_id": submission_id, "source": source, "reason": reason}
    write(engine, sa.insert(t.inbox).values(row))


def test_an_erasure_that_is_begun_withdraws_and_is_written_once(engine: Engine) -> None:
    add(engine, submission("s1", status="rejected"), submission("s2"))
    begin(engine, "s1")
    begin(engine, "s1", "ola", "again")
    assert ledger.read_erasures(engine).to_dicts() == [
        {
            "submission_id": "s1", "sha256": "sha-s1", "begun_at": NOW, "erased_at": None, "release": None,
            "who": "kari", "why": "asked",
        }
    ]  # fmt: skip
    assert values_of(engine, "s1", "status", "filename") == ("withdrawn", "s1.csv")
    assert values_of(engine, "s2", "status") == ("live",)


def test_what_quotes_an_erased_submission_is_gone_and_its_counts_stay(engine: Engine) -> None:
    add(engine, submission("s1"), submission("s2"), rejects=(reject("s1"), reject("s2")))
    arrival(engine, "a/c/1", "s1")
    arrival(engine, "a/c/2", "s2")
    begin(engine, "s1")
    begin(engine, "s2")
    ledger.finish_erasure(engine, "s1", 4)
    assert values_of(engine, "s1", "filename", "content_digest", "delivered", "rejected") == ("(erased)", None, 5, 1)
    assert values_of(engine, "s2", "filename", "content_digest") == ("s2.csv", "content-s2")
    assert ledger_submissions.read_rejects(engine)["submission_id"].to_list() == ["s2"]
    with engine.connect() as connection:
        reasons = connection.execute(sa.select(t.inbox.c.object, t.inbox.c.reason).order_by("id")).tuples().all()
    assert reasons == [("a/c/1", None), ("a/c/2", "x")]
    tombstones = ledger.read_erasures(engine).select("submission_id", "erased_at", "release").rows()
    assert tombstones == [("s1", NOW, 4), ("s2", None, None)]


def test_unfinished_erasures_are_listed_oldest_first(engine: Engine) -> None:
    ids = ["s1", "s2", "s3", "s4"]
    add(engine, *map(submission, ids))
    for id_ in ids:
        begin(engine, id_)
    early = sa.update(t.erasures).where(t.erasures.c.submission_id == "s3").values(begun_at=NOW - SECOND)
    write(engine, early)
    ledger.finish_erasure(engine, "s1", None)
    assert ledger.unfinished_erasures(engine) == ["s3", "s2", "s4"]


def test_the_oldest_readable_release_is_that_of_the_last_erasure(engine: Engine) -> None:
    assert ledger.oldest_readable_release(engine) == 1
    add(engine, *map(submission, ("s1", "s2", "s3")))
    for id_, release in {"s1": 7, "s2": 3, "s3": None}.items():
        begin(engine, id_)
        ledger.finish_erasure(engine, id_, release)
    assert ledger.oldest_readable_release(engine) == 7


def test_tombstones_are_read_by_id(engine: Engine) -> None:
    add(engine, *map(submission, ("s2", "s1", "s3")))
    for id_ in ("s3", "s2", "s1"):
        begin(engine, id_)
    assert ledger.read_erasures(engine)["submission_id"].to_list() == ["s1", "s2", "s3"]
    assert ledger.read_erasures(engine, ["s3", "s9"])["submission_id"].to_list() == ["s3"]
    assert ledger.read_erasures(engine, []).is_empty()


def test_a_submission_has_the_objects_that_arrived_not_those_that_landed(engine: Engine) -> None:
    for object_, id_, source in (
        ("b/c/2", "s1", "arrivals"), ("a/c/1", "s1", "arrivals"), ("c/a/n.json", "s1", "landing"),
        ("a/c/3", "s2", "arrivals"),
    ):  # fmt: skip
        arrival(engine, object_, id_, source)
    assert ledger.inbox_objects(engine, "s1") == ["a/c/1", "b/c/2"]
    assert ledger.inbox_objects(engine, "s9") == []
