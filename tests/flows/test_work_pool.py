"""prefect.yaml on a real server on PostgreSQL, with a worker: it deploys, an arrival triggers, no kill blocks."""

import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import pytest
import sqlalchemy as sa

from flows import pipeline as steps
from flows.installation import open_installation
from flows.intake.deliveries import make_delivery
from tests.support.paths import ROOT
from tests.support.prefect_server import BIN, Server, environment, prefect_server, running

pytestmark = pytest.mark.slow

DEPLOY: Final = ROOT / "infra" / "deploy"
ENDED: Final = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
EXAMPLES: Final = {"2009": 0, "2011": 1}
CONTRACT: Final = "eiti-skatt"


@pytest.fixture
def server(tmp_path: Path, new_postgresql: Callable[[], str]) -> Iterator[Server]:
    """Run a server of the test's own, to which prefect.yaml is deployed; its schedules are paused."""
    with prefect_server(tmp_path / "server", new_postgresql()) as server:
        env = environment(tmp_path, server.url)
        for arguments in (("work-pool", "create", "engang", "--type", "process"), ("--no-prompt", "deploy", "--all")):
            done = subprocess.run(
                [BIN / "prefect", *arguments], env=env, cwd=DEPLOY, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
        for deployment in server.deployments().values():
            for schedule in deployment["schedules"]:
                path = f"/deployments/{deployment['id']}/schedules/{schedule['id']}"
                server.ask("PATCH", path, {"active": False})
        yield server


@contextmanager
def worker(env: dict[str, str], folder: Path) -> Iterator[psutil.Process]:
    command: list[str | Path] = [BIN / "prefect", "worker", "start", "--pool", "engang", "--type", "process"]
    with running(command, env, folder / "worker.log") as process:
        yield psutil.Process(process.pid)


def given(period: str) -> bytes:
    text = open_installation().contract(CONTRACT).examples[EXAMPLES[period]].given
    assert isinstance(text, str)
    return text.encode()


def test_an_object_put_becomes_claims_by_notice_event_and_run(
    server: Server, aws: str, tmp_path: Path, new_postgresql: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 → SQS → inbox → event → automation → run of `receive` → claims in the ledger: how long each took."""
    import boto3

    trial = _trial_objects()
    trial.main(aws)
    queue = f"{aws}/{trial.ACCOUNT}/{trial.QUEUE}"
    places = {f"ENGANG_{place.upper()}": f"s3://engang-{place}" for place in ("arrivals", "landing", "lake")}
    settings = {"ENGANG_HOME": str(tmp_path / "home"), "ENGANG_LEDGER": new_postgresql(), "ENGANG_S3_ENDPOINT": aws}
    settings |= {**places, "ENGANG_QUEUE": queue, "ENGANG_DEAD_LETTERS": f"{queue}-dead"}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": trial.REGION}
    for name, value in (settings | keys | {"AWS_DEFAULT_REGION": trial.REGION}).items():
        monkeypatch.setenv(name, value)
    env = environment(tmp_path, server.url, **settings, **keys, AWS_DEFAULT_REGION=trial.REGION)
    installation = open_installation()
    receive = server.deployments()["flows.orchestration.receive.receive"]["id"]
    poll = running([BIN / "engang", "inbox", "poll"], env, tmp_path / "poll.log")
    with worker(env, tmp_path), poll, installation.engine.connect() as ledger:
        _await(lambda: "looking for" in (tmp_path / "poll.log").read_text())
        time.sleep(5)  # past the listing at its start: what comes now comes by its notice
        key = f"skatt/{CONTRACT}/period=2009/skatt.csv"
        began = datetime.now(UTC)
        boto3.client("s3", endpoint_url=aws).put_object(Bucket="engang-arrivals", Key=key, Body=given("2009"))
        select = sa.text("SELECT found_at, found_by, done_at FROM inbox WHERE status = 'done'")
        row = _await(lambda: ledger.rollback() or ledger.execute(select).one_or_none(), seconds=180)
        claims = ledger.execute(sa.text("SELECT sum(claims) FROM submissions")).scalar_one()
    assert (row.found_by, claims > 0) == ("event", True)
    run = next(r for r in server.runs(receive) if r["start_time"])
    assert run["created_by"]["type"] == "AUTOMATION"
    assert run["name"].startswith("receive what arrived by ")
    at = {"noticed": row.found_at.replace(tzinfo=UTC), "run made": _time(run["created"])}
    at |= {"run began": _time(run["start_time"]), "claims in the ledger": row.done_at.replace(tzinfo=UTC)}
    print("\ntrigger:", ", ".join(f"{what} after {(when - began).total_seconds():.1f} s" for what, when in at.items()))


def test_a_killed_run_leaves_nothing_that_blocks_the_next(
    server: Server, tmp_path: Path, new_postgresql: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed -9 in its middle: first the run alone, then run, worker and Prefect's server at once."""
    settings = {"ENGANG_HOME": str(tmp_path / "home"), "ENGANG_LEDGER": new_postgresql()}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    installation = open_installation()
    deliveries = [make_delivery(installation, "a.csv", given(p), CONTRACT, sender=None, period=p) for p in EXAMPLES]
    list(steps.receive(installation, deliveries[:1]))
    env = environment(tmp_path, server.url, **settings)
    nightly = server.deployments()["flows.orchestration.nightly.nightly"]["id"]
    with worker(env, tmp_path) as process, _in_the_middle(server, nightly, settings["ENGANG_LEDGER"]) as killed:
        _kill_run(process)
        server.await_run(killed, ("CRASHED",))
    began = time.monotonic()
    with worker(env, tmp_path) as process:
        server.await_run(server.run(nightly, export="never"), ("COMPLETED",))
        print(f"\nkilled run: the next one is done after {time.monotonic() - began:.0f} s")
        list(steps.receive(installation, deliveries[1:]))
        with _in_the_middle(server, nightly, settings["ENGANG_LEDGER"]):
            _kill_run(process)
            os.killpg(process.pid, signal.SIGKILL)
            server.kill()
    server.start()
    began = time.monotonic()
    with worker(env, tmp_path):
        server.await_run(server.run(nightly, export="never"), ("COMPLETED",), seconds=480)  # its lease: five minutes
    print(f"killed run, worker and server: the next one is done after {time.monotonic() - began:.0f} s")
    with installation.engine.connect() as ledger:
        assert ledger.execute(sa.text("SELECT max(release) FROM releases")).scalar_one() == 2


@contextmanager
def _in_the_middle(server: Server, deployment: str, ledger: str) -> Iterator[str]:
    """Hold a run in its middle while the block runs: a table of the ledger is locked."""
    with psycopg.connect(ledger) as connection:
        connection.execute("LOCK TABLE submissions, runs IN ACCESS EXCLUSIVE MODE")
        run = server.run(deployment, export="never")
        server.await_run(run, ("RUNNING",))
        yield run


def _kill_run(worker: psutil.Process) -> None:
    """Kill -9 the processes that the worker started: the run's."""
    below = worker.children(recursive=True)
    assert below
    for process in below:
        process.kill()


def _await(found: Callable[[], Any], seconds: float = 60) -> Any:
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until
        time.sleep(0.1)
    return value


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _trial_objects() -> Any:
    spec = importlib.util.spec_from_file_location("trial_objects", DEPLOY / "compose" / "trial_objects.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
