"""What is served, and that `engang serve` serves it with nothing else running."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from flows.orchestration import serve
from flows.orchestration.deployments import deployments
from schemas.contract import CONTRACT_FOLDER, load_contracts
from schemas.errors import UsageError
from tests.support.check_page import free_port

ENGANG = Path(sys.executable).with_name("engang")


@pytest.mark.usefixtures("prefect_api")
def test_what_is_served_and_when() -> None:
    from prefect.flows import load_flow_from_entrypoint

    served = {d.flow_name: d for d in deployments()}
    schedules = {
        name: [(getattr(s.schedule, "cron", None), getattr(s.schedule, "timezone", None)) for s in d.schedules or ()]
        for name, d in served.items()
    }
    assert schedules["nightly"] == [("0 2 * * *", "Europe/Oslo")]
    assert schedules["receive"] == [("* * * * *", "UTC")], "Prefect skips the doubled hour of autumn in Oslo's time"
    assert schedules["backfill"] == []
    (trigger,) = served["receive"].triggers
    assert getattr(trigger, "expect", None) == {"no.engang.submission.received"}
    for name, strategy in (("nightly", "ENQUEUE"), ("receive", "CANCEL_NEW")):
        assert served[name].concurrency_limit == 1
        assert getattr(served[name].concurrency_options, "collision_strategy", None) == strategy
    assert served["backfill"].concurrency_limit is None, "Prefect ends a run that waits for approval if it has a slot"
    watched = next(d for d in deployments(watched=True) if d.flow_name == "receive")
    assert ([s.active for s in watched.schedules or ()], watched.triggers) == ([False], [])
    for deployment in served.values():
        assert deployment.entrypoint is not None
        assert load_flow_from_entrypoint(deployment.entrypoint).name == deployment.flow_name
        assert deployment.tags == ["engang"]


def test_a_server_that_is_there_already_is_not_taken_over(
    prefect_api: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    port = urlsplit(prefect_api).port
    assert port is not None
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(UsageError, match=f"port {port} already"),
    ):
        serve.serve(port)
    assert not (home / "prefect").exists()


def test_engang_serve_registers_the_schedule_and_leaves_it_active(home: Path, tmp_path: Path) -> None:
    port, page = free_port(), free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    env |= {"ENGANG_HOME": str(home), "HOME": str(tmp_path), "ENGANG_CHECK_PAGE": f"127.0.0.1:{page}"}
    with (tmp_path / "serve.log").open("wb") as log:
        served = subprocess.Popen([ENGANG, "serve", "--port", str(port)], env=env, stdout=log, stderr=log)
    try:
        found = _await_deployments(port, served)
        nightly = next(d for d in found if d["entrypoint"] == "flows.orchestration.nightly.nightly")
        receive = next(d for d in found if d["entrypoint"] == "flows.orchestration.receive.receive")
        assert [s["active"] for s in receive["schedules"]] == [False], "this process receives itself"
        assert _ask(port, "automations", {}) == []
        (schedule,) = nightly["schedules"]
        assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("0 2 * * *", "Europe/Oslo")
        assert schedule["active"]
        assert nightly["global_concurrency_limit"]["limit"] == 1
        assert _scheduled(port, nightly["id"]), "the next night is planned: Prefect's scheduler works"
        seconds = [_take_in(home, example) for example in (0, 1)]
        print("\nserved: a small file is registered after", " and then ".join(f"{s:.2f} s" for s in seconds))
        with urllib.request.urlopen(f"http://127.0.0.1:{page}/?lang=nn", timeout=60) as answer:
            assert "Kontroller ei fil" in answer.read().decode()
        served.send_signal(signal.SIGTERM)
        assert served.wait(60) == 0, (tmp_path / "serve.log").read_text()
    finally:
        served.kill()
        served.wait()
    for each in (port, page):
        with socket.socket() as closed:
            assert closed.connect_ex(("127.0.0.1", each)), "its servers ended with it"


def _scheduled(port: int, deployment: str) -> list[dict[str, Any]]:
    """Return the planned runs of a deployment, once there are any."""
    query = {"deployments": {"id": {"any_": [deployment]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    until = time.monotonic() + 180
    while not (found := _ask(port, "flow_runs", query)):
        assert time.monotonic() < until
        time.sleep(0.3)
    return found


def _ask(port: int, what: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    url = f"http://127.0.0.1:{port}/api/{what}/filter"
    request = urllib.request.Request(url, json.dumps(query).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  http on 127.0.0.1
            found: list[dict[str, Any]] = json.load(answer)
            return found
    except OSError:
        return []


def _take_in(home: Path, example: int) -> float:
    """Put a small file where senders put theirs; return the seconds until it is registered."""
    contract = load_contracts(CONTRACT_FOLDER)["eiti-skatt"]
    given, period = contract.examples[example].given, ("2009", "2011")[example]
    assert isinstance(given, str)
    folder = home / "arrivals" / str(contract.sender.default) / contract.contract / f"period={period}"
    folder.mkdir(parents=True)
    began = time.monotonic()
    (folder / "skatt.csv").write_text(given)
    while True:
        with closing(sqlite3.connect(f"file:{home / 'ledger.db'}?mode=ro", uri=True)) as ledger:
            rows = ledger.execute("SELECT status, claims FROM submissions WHERE period = ?", (period,)).fetchall()
        if rows:
            assert [(status, claims > 0) for status, claims in rows] == [("live", True)]
            return time.monotonic() - began
        assert time.monotonic() - began < 120
        time.sleep(0.02)


def _await_deployments(port: int, served: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    until = time.monotonic() + 300
    while len(found := _ask(port, "deployments", {})) < 3:
        assert served.poll() is None
        assert time.monotonic() < until
        time.sleep(0.3)
    return found


FAULTY = """
import sys, threading
from pathlib import Path
from flows.orchestration import serve
from flows.installation import open_installation

def faulty(*_): raise ZeroDivisionError("a fault that nothing foresaw")

serve.watch_arrivals = faulty
with serve._intake_threads(open_installation(Path(sys.argv[1]))):
    threading.Event().wait(60)
"""


def test_a_fault_in_the_intake_ends_the_process(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FAULTY, tmp_path / "home"], capture_output=True, check=False)
    assert done.returncode == -signal.SIGTERM
    assert b"serving ends" in done.stderr
