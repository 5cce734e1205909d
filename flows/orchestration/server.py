"""A Prefect server as a child process, and `python -m flows.orchestration.server start ...` that runs it.

That command is `prefect server start ...` with a scheduler that works. Prefect 3.8 passes the computed properties of a
run to SQLAlchemy along with its columns when it inserts scheduled runs. SQLAlchemy 2.0 ignored them, 2.1 refuses them:
the server then answers as usual but schedules nothing, so no night would run. `ignore_computed_properties` makes
SQLAlchemy ignore them again.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from schemas.errors import StoreError, UsageError

START_SECONDS: Final = 180
STOP_SECONDS: Final = 10
LEASE_STORAGE_ENV: Final = {
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}
"""Stores the concurrency slot of a run on disk; it is freed five minutes after the run and its worker died.

In memory, Prefect's default, a server that is killed would forget the lease and keep the slot taken for ever.
"""


@contextmanager
def prefect_server(folder: Path, port: int, environment: Mapping[str, str]) -> Iterator[str]:
    """Run a Prefect server while the block runs; yield its URL. Its database and log are in the folder.

    Prefect's own ephemeral server has no scheduler, so no night would run. Raises `UsageError` if a server listens on
    the port already, `StoreError` if this one does not start.
    """
    url = f"http://127.0.0.1:{port}/api"
    if _is_healthy(url):
        hint = f"set PREFECT_API_URL={url} to use it, or give another --port"
        raise UsageError(f"a Prefect server listens on port {port} already: {hint}")
    folder.mkdir(parents=True, exist_ok=True)
    promotion = {"PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false"}
    env = {**environment, **LEASE_STORAGE_ENV, "PREFECT_HOME": str(folder), **promotion}
    command = [sys.executable, "-m", "flows.orchestration.server", "start", "--host", "127.0.0.1", "--port", str(port)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # if stopped during the start, the server ends too
    # In a session of its own: Ctrl-C reaches this process only, which ends the runs first and then the server.
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)  # noqa: S603  our own
    try:
        _wait_until_healthy(server, url, folder / "server.log")
        yield url
    finally:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_healthy(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not _is_healthy(url):
        if server.poll() is not None:
            raise StoreError(f"the Prefect server did not start: {log} shows why (port taken? give another --port)")
        if time.monotonic() > until:
            raise StoreError(f"the Prefect server did not answer within {START_SECONDS} s: {log} may show why")
        time.sleep(0.2)


def _is_healthy(url: str) -> bool:
    try:
        with urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310  http on 127.0.0.1
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def _ignore(cls: Any, mapping: MutableMapping[str, Any], value: Any) -> None:  # noqa: ANN401  SQLAlchemy's
    """Set nothing: the value is computed from columns."""


def ignore_computed_properties() -> None:
    """Make the bulk inserts of Prefect's server ignore computed properties."""
    from prefect.server.database import orm_models  # noqa: PLC0415  takes seconds, and reads the environment
    from sqlalchemy.ext.hybrid import hybrid_property  # noqa: PLC0415  same

    for model in vars(orm_models).values():
        for attribute in vars(model).values() if isinstance(model, type) else ():
            if isinstance(attribute, hybrid_property) and attribute.bulk_dml_setter is None:
                attribute.bulk_dml_setter = _ignore


def main() -> None:
    """Run Prefect's command line as `prefect server ...`, with the correction."""
    ignore_computed_properties()
    from prefect.cli import app  # noqa: PLC0415  after the correction

    sys.argv[:1] = ["prefect", "server"]
    app()


if __name__ == "__main__":
    main()
