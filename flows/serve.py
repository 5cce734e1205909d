"""The flows served: the nightly at its hour, `receive` on demand, until stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.request import urlopen

from flows.installation import open_installation
from schemas.errors import StoreError, UsageError

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

NIGHTLY: Final = "0 2 * * *"
TIMEZONE: Final = "Europe/Oslo"
NAME: Final = "engang"
"""The deployments are `nightly/engang` and `receive/engang`."""
PORT: Final = 4200
START_SECONDS: Final = 180
STOP_SECONDS: Final = 10


def serve(port: int = PORT) -> None:
    """Serve both flows until stopped, on the Prefect server that PREFECT_API_URL names, else on one started here.

    That one keeps its database in the home, listens on 127.0.0.1 only, and ends with this. Raises `UsageError` if the
    port is taken, `StoreError` if the server does not start.
    """
    home = open_installation().settings.home
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ["ENGANG_HOME"] = str(home)  # a run is a process of its own, in whatever folder
    import prefect  # noqa: PLC0415  the environment above is read when it is imported
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415  same

    if PREFECT_API_URL.value():
        prefect.serve(*deployments(), pause_on_shutdown=False)
        return
    with _server(home / "prefect", port) as url, temporary_settings({PREFECT_API_URL: url}):
        prefect.serve(*deployments(), pause_on_shutdown=False)


def deployments() -> "list[RunnerDeployment]":
    """Return what is served: the nightly at 02:00 in Oslo, one at a time, and `receive` when it is asked for."""
    from prefect.deployments.runner import RunnerDeployment  # noqa: PLC0415  Prefect only where flows are served
    from prefect.schedules import Cron  # noqa: PLC0415  same
    from prefect.types.entrypoint import EntrypointType  # noqa: PLC0415  same

    from flows.nightly import nightly  # noqa: PLC0415  same
    from flows.receive import receive  # noqa: PLC0415  same

    by_module = EntrypointType.MODULE_PATH  # a path to the file would load it as another module than we import
    return [
        RunnerDeployment.from_flow(
            nightly, NAME, schedule=Cron(NIGHTLY, timezone=TIMEZONE), concurrency_limit=1, entrypoint_type=by_module
        ),
        RunnerDeployment.from_flow(receive, NAME, entrypoint_type=by_module),
    ]


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
    env = {**os.environ, "PREFECT_HOME": str(folder), "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
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
