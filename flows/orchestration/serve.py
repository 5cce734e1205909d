"""The flows served, and what arrives taken in as it arrives, in one process, until stopped."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from flows.events import deliver_outbox
from flows.installation import Installation, open_installation
from flows.intake import arrivals as intake
from flows.orchestration.deployments import deployments
from infra import telemetry
from schemas.errors import StoreError, UsageError

PORT: Final = 4200
START_SECONDS: Final = 180
STOP_SECONDS: Final = 10
POST_SECONDS: Final = 5
LASTING: Final = {
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}
"""A run's place among those of its deployment is kept on disk, and is free five minutes after run and worker died.

In memory, as is Prefect's default, a server that is killed would forget the lease and keep the place taken for ever.
"""


def serve(port: int = PORT) -> None:
    """Serve the flows and take in what arrives until stopped, on the Prefect server that PREFECT_API_URL names.

    Without that setting one is started here: it keeps its database in the home, listens on 127.0.0.1 only, and ends
    with this. Raises `UsageError` if the port is taken, `StoreError` if the server does not start.
    """
    installation = open_installation()
    home = installation.settings.home
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ["ENGANG_HOME"] = str(home)  # a run is a process of its own, in whatever folder
    import prefect  # noqa: PLC0415  the environment above is read when it is imported
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415  same

    if PREFECT_API_URL.value():
        with _taking_in(installation):
            prefect.serve(*deployments(), pause_on_shutdown=False)
        return
    with _taking_in(installation), _server(home / "prefect", port) as url, temporary_settings({PREFECT_API_URL: url}):
        prefect.serve(*deployments(), pause_on_shutdown=False)


@contextmanager
def _taking_in(installation: Installation) -> Iterator[None]:
    """Take in what arrives, and post what the outbox holds, while the block runs: each in a thread of its own.

    A run of `receive` is a process that first imports Prefect for seconds; this takes a file in at once. Both may
    claim: the inbox gives each object to one of them.
    """
    stop = threading.Event()
    # What the first file would wait for; and a contract that is wrong is told now.
    telemetry.log("intake").info(
        "ready", extra={"count": len(installation.contracts) + len(installation.register.units)}
    )
    works = (
        threading.Thread(target=_watch, args=(installation, stop), name="intake", daemon=True),
        threading.Thread(target=_post_events, args=(installation, stop), name="outbox", daemon=True),
    )
    for work in works:
        work.start()
    try:
        yield
    finally:
        stop.set()
        for work in works:
            work.join(STOP_SECONDS)


def _watch(installation: Installation, stop: threading.Event) -> None:
    """Take in what arrives; a fault that nothing foresaw ends the process, for whoever keeps it to start it anew."""
    try:
        intake.watch(installation, stop)
    finally:
        if not stop.is_set():
            telemetry.log("intake").error("intake ended, so serving ends: start it again, and report the fault")
            os.kill(os.getpid(), signal.SIGTERM)


def _post_events(installation: Installation, stop: threading.Event) -> None:
    while installation.settings.telling.webhook is not None and not stop.wait(POST_SECONDS):
        try:
            deliver_outbox(installation)
        except StoreError as error:  # the ledger is away: what it holds is posted when it is back
            telemetry.log("events").warning("events wait", extra={"error": type(error).__name__})


@contextmanager
def _server(folder: Path, port: int) -> Iterator[str]:
    """Run a Prefect server while the block runs, and give its URL.

    A whole one: the ephemeral one that Prefect starts by itself has no scheduler, so no night would ever come.
    """
    url = f"http://127.0.0.1:{port}/api"
    if _healthy(url):
        told = f"set PREFECT_API_URL={url} to use it, or give another --port"
        raise UsageError(f"a Prefect server listens on port {port} already: {told}")
    folder.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, **LASTING, "PREFECT_HOME": str(folder), "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false"}
    command = [sys.executable, "-m", "flows.orchestration.server", "start", "--host", "127.0.0.1", "--port", str(port)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # stopped while it starts: the server ends too
    # In a session of its own: Ctrl-C reaches this process, which ends the runs first and then the server.
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)  # noqa: S603  our own
    try:
        _await(server, url, folder / "server.log")
        yield url
    finally:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _await(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not _healthy(url):
        if server.poll() is not None:
            raise StoreError(f"the Prefect server did not start: {log} says why (port taken? give another --port)")
        if time.monotonic() > until:
            raise StoreError(f"the Prefect server did not answer within {START_SECONDS} s: {log} may say why")
        time.sleep(0.2)


def _healthy(url: str) -> bool:
    try:
        with urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310  http on 127.0.0.1
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False
