"""A nightly is a recorded run from its start: whatever ends it, status and an event report it."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flows import pipeline, runs
from flows.installation import Installation
from flows.monitoring.status import status
from infra.inbox import sqs
from infra.ledger import outbox
from infra.ledger import runs as ledger_runs
from infra.ledger import tables as t
from infra.ledger.sql import write_transaction
from infra.settings import ObservabilitySettings
from infra.storage.places import S3Place
from schemas.errors import ReleaseRefused, StoreError
from tests.support import ledger_rows
from tests.support.cli_runner import engang
from tests.support.monitored_installation import NOW, open_watched
from tests.support.paths import CONTRACTS, ROOT
from tests.support.small_installation import open_small

STAGES = ("receive_arrivals", "reconcile", "night", "check_storage", "send_notifications", "export_night")
SLOW_NIGHT = """
import sys, time
from flows import pipeline
from flows.installation import open_installation
pipeline.receive_arrivals = lambda *_, **__: (print("begun", flush=True), time.sleep(60))
pipeline.nightly(open_installation())
"""


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    opened = open_small(tmp_path / "home")
    settings = replace(opened.settings, observability=ObservabilitySettings(webhook="http://localhost:1/x"))
    return Installation(settings, opened.engine)


def failing(*_: object, **__: object) -> None:
    raise TypeError("Kari Nordmann")


def failed_events(installation: Installation) -> list[dict[str, Any]]:
    texts = outbox.read_unsent_events(installation.engine).filter(type="no.engang.run.failed")
    with installation.engine.connect() as connection:
        stored = connection.execute(sa.select(t.outbox.c.text).where(t.outbox.c.type == "no.engang.run.failed"))
        events: list[dict[str, Any]] = [json.loads(text) for (text,) in stored]
    assert len(events) == texts.height
    return events


def nightly_problems(installation: Installation) -> list[str]:
    home = str(installation.settings.home)  # the name of a test may be in it
    return [problem for problem in status(installation).problems if "nightly" in problem.replace(home, "")]


@pytest.mark.parametrize("stage", STAGES)
def test_a_night_that_ends_anywhere_is_recorded_reported_and_announced(
    home: Installation, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(pipeline, stage, failing)
        with pytest.raises(TypeError):
            pipeline.nightly(home)
    assert ledger_rows.read_runs(home.engine)["status"].to_list() == ["failed"]
    (problem,) = nightly_problems(home)
    assert problem.startswith(
        "the nightly failed (1 times since the last success): TypeError: unforeseen, at test_nights"
    )
    assert "Kari" not in problem
    (event,) = failed_events(home)
    run_id = ledger_rows.read_runs(home.engine)["run_id"].item()
    assert event["data"] == {"flow": "nightly", "run": run_id, "state": "Failed"}
    pipeline.nightly(home)
    assert nightly_problems(home) == []


def test_the_command_reports_it_and_its_exit_code_is_one(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(home.settings.home))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(CONTRACTS))
    monkeypatch.setattr(pipeline, "night", lambda *_: (_ for _ in ()).throw(StoreError("lake:\nthe disk is full")))
    assert engang("nightly").code == 1
    result = engang("status")
    assert result.code == 1
    assert "! the nightly failed (1 times since the last success): StoreError: lake: the disk is full" in result.out
    read = json.loads(engang("status", "--json").out)["nightly"]
    assert (read["failed_since"], read["last"]["status"], read["open"]) == (1, "failed", [])


def test_a_refused_night_has_its_own_event(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ReleaseRefused("2 checks failed, nothing was published: x")

    monkeypatch.setattr(pipeline, "night", refuse)
    with pytest.raises(ReleaseRefused):
        pipeline.nightly(home)
    (problem,) = nightly_problems(home)
    assert problem.startswith("the nightly refused (1 times since the last success): ReleaseRefused: 2 checks failed")
    assert failed_events(home) == []


def test_a_killed_night_is_seen_at_once_and_announced_by_the_next(home: Installation) -> None:
    env = {**os.environ, "ENGANG_HOME": str(home.settings.home), "ENGANG_CONTRACTS": str(CONTRACTS)}
    process = subprocess.Popen([sys.executable, "-c", SLOW_NIGHT], env=env, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    assert nightly_problems(home) == [], "it runs"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    until = time.monotonic() + 120
    while not nightly_problems(home) and time.monotonic() < until:
        time.sleep(0.1)
    (problem,) = nightly_problems(home)
    assert problem.endswith("was killed before its end: `engang nightly` runs it again")
    assert runs.close_killed_runs(home) == 1
    assert [event["data"]["state"] for event in failed_events(home)] == ["Killed"]
    assert ledger_runs.DEAD_RUN in nightly_problems(home)[0]
    assert list(home.settings.home.glob("*nightly*.lock")) == []
    pipeline.nightly(home)
    assert nightly_problems(home) == []


def test_two_nights_at_once_do_not_close_each_other(home: Installation) -> None:
    with runs.announced_run(home, "nightly") as first:
        with runs.announced_run(home, "nightly") as second:
            assert [run.run_id for run in ledger_runs.open_runs(home.engine)] == [first, second]
        assert [run.run_id for run in ledger_runs.open_runs(home.engine)] == [first]
    assert ledger_rows.read_runs(home.engine)["status"].to_list() == ["done", "done"]


def test_a_night_that_gave_up_for_another_one_is_no_problem_once_that_has_succeeded(home: Installation) -> None:
    with runs.announced_run(home, "nightly"):
        with pytest.raises(StoreError, match="is publishing: wait"), ledger_runs.publishing_lock(home.engine):
            pipeline.nightly(home)
        assert any("the nightly failed" in problem for problem in nightly_problems(home))
    assert ledger_rows.read_runs(home.engine)["status"].to_list() == ["done", "failed"]
    assert nightly_problems(home) == []


def test_no_nightly_for_over_36_hours_needs_a_person(tmp_path: Path, ledger_url: str) -> None:
    opened = open_watched(tmp_path / "home", ledger_url)
    assert nightly_problems(opened) == [], "none ever ran: a new installation"
    for hours, problems in ((35, 0), (37, 1)):
        began = NOW - timedelta(hours=hours)
        with write_transaction(opened.engine) as connection:
            connection.execute(sa.delete(t.runs))
            row = {"run_id": "n", "kind": "nightly", "started_at": began, "finished_at": began, "status": "done"}
            connection.execute(sa.insert(t.runs).values(row))
        assert len(nightly_problems(opened)) == problems
    assert "is `engang serve`, or Prefect's server and worker, running?" in nightly_problems(opened)[0]


def test_a_queue_that_does_not_answer_needs_a_person_and_stops_nothing(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = "http://localhost:1/123/arrivals"
    settings = replace(home.settings, queue=queue, arrivals_at=S3Place("bucket"))
    queued = Installation(settings, home.engine)
    (problem,) = [p for p in status(queued).problems if "queue" in p]
    assert problem.startswith(
        "the queue cannot be read, so arrivals are found late, by listing: queue arrivals: cannot"
    )
    listed: list[str] = []

    def away(*_: object, **__: object) -> None:
        raise StoreError("queue arrivals: it is broken")

    monkeypatch.setattr(sqs.Queue, "receive", away)
    monkeypatch.setattr("flows.intake.arrivals.reconcile_arrivals", lambda *_: listed.append("listed"))
    lines: list[str] = []
    assert pipeline.receive_arrivals(queued, lines.append, listing=True) == []
    assert listed == ["listed"]
    assert lines == ["notifications are left for next time: queue arrivals: it is broken"]


def test_a_night_of_another_process_is_no_problem_while_it_runs(tmp_path: Path, ledger_url: str) -> None:
    opened = open_watched(tmp_path / "home", ledger_url)
    with runs.announced_run(opened, "nightly"):
        assert nightly_problems(opened) == []
        with write_transaction(opened.engine) as connection:
            connection.execute(sa.update(t.runs).values(started_at=NOW - timedelta(hours=7)))
        (problem,) = nightly_problems(opened)
        assert problem.endswith("still runs: over 6 hours")
