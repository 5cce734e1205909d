"""What is served, and that `engang serve` serves it with nothing else running."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from flows import serve
from schemas.errors import UsageError

ENGANG = Path(sys.executable).with_name("engang")


@pytest.mark.usefixtures("prefect_api")
def test_the_nightly_is_at_two_in_oslo_and_one_at_a_time() -> None:
    from prefect.flows import load_flow_from_entrypoint

    nightly, receive = serve.deployments()
    assert (nightly.flow_name, receive.flow_name) == ("nightly", "receive")
    schedules = [s.schedule for s in nightly.schedules or ()]
    assert [(getattr(s, "cron", None), getattr(s, "timezone", None)) for s in schedules] == [
        ("0 2 * * *", "Europe/Oslo")
    ]
    assert nightly.concurrency_limit == 1
    assert not receive.schedules
    for deployment in (nightly, receive):
        assert deployment.entrypoint is not None
        assert load_flow_from_entrypoint(deployment.entrypoint).name == deployment.flow_name


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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    env |= {"ENGANG_HOME": str(home), "HOME": str(tmp_path)}
    with (tmp_path / "told").open("wb") as told:
        served = subprocess.Popen([ENGANG, "serve", "--port", str(port)], env=env, stdout=told, stderr=told)
    try:
        found = _await_deployments(port, served)
        nightly = next(d for d in found if d["entrypoint"] == "flows.nightly.nightly")
        (schedule,) = nightly["schedules"]
        assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("0 2 * * *", "Europe/Oslo")
        assert schedule["active"]
        assert nightly["global_concurrency_limit"]["limit"] == 1
        served.send_signal(signal.SIGTERM)
        assert served.wait(60) == 0, (tmp_path / "told").read_text()
    finally:
        served.kill()
        served.wait()
    with socket.socket() as gone:
        assert gone.connect_ex(("127.0.0.1", port)), "its server ended with it"


def _await_deployments(port: int, served: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/deployments/filter", b"{}", {"Content-Type": "application/json"}
    )
    found: list[dict[str, Any]] = []
    until = time.monotonic() + 180
    while len(found) < 2:
        assert served.poll() is None
        assert time.monotonic() < until
        time.sleep(0.3)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  http on 127.0.0.1
                found = json.load(answer)
        except OSError:
            continue
    return found
