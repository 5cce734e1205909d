"""A Prefect server as a child process, and `python -m flows.orchestration.server start ...` that runs it.

That command is `prefect server start ...` with a scheduler that works. Prefect 3.8 passes the computed properties of a
run to SQLAlchemy along with its columns when it inserts scheduled runs. SQLAlchemy 2.0 ignored them, 2.1 refuses them:
the server then answers as usual but schedules nothing, so no night would run. `ignore_computed_properties` makes
SQLAlchemy ignore them again.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from schemas.errors import StoreError, UsageError

SERVER_MODULE: Final = "flows.orchestration.server"
PID_FILE: Final = "server.pid"
"""Holds the numbers of the server's process and of the one that started it."""
START_SECONDS: Final = 180
STOP_SECONDS: Final = 10
LEASE_STORAGE_ENV: Final = {
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}
"""Stores the concurrency slot of a run on disk; it is freed five minutes after the run and its worker died.

In memory, Prefect's default, a server that is killed would forget the lease and keep the slot taken for ever.
"""
UPKEEP_ENV: Final = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "true",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}
"""Prefect deletes old runs from its database, which would grow by a run a minute otherwise."""


@contextmanager
def prefect_server(folder: Path, port: int, environment: Mapping[str, str]) -> Iterator[str]:
    """Run a Prefect server while the block runs; yield its URL. Its database and log are in the folder.

    Prefect's own ephemeral server has no scheduler, so no night would run. Raises `UsageError` if a server listens on
    the port already, `StoreError` if this one does not start.
    """
    url = f"http://127.0.0.1:{port}/api"
    stop_orphan(folder / PID_FILE)
    if _is_healthy(url):
        hint = f"set PREFECT_API_URL={url} to use it, or give another --port"
        raise UsageError(f"a Prefect server listens on port {port} already: {hint}")
    folder.mkdir(parents=True, exist_ok=True)
    env = {**environment, **LEASE_STORAGE_ENV, **UPKEEP_ENV, "PREFECT_HOME": str(folder)}
    command = [sys.executable, "-m", SERVER_MODULE, "start", "--host", "127.0.0.1", "--port", str(port)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # if stopped during the start, the server ends too
    # In a session of its own: Ctrl-C reaches this process only, which ends the runs first and then the server.
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)  # noqa: S603  our own
    (folder / PID_FILE).write_text(f"{server.pid} {os.getpid()}", encoding="ascii")
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
        (folder / PID_FILE).unlink(missing_ok=True)


def stop_orphan(file: Path) -> None:
    """Stop the server that a killed `engang serve` of this folder has left: it holds the port, and nobody ends it.

    The process of that number must be such a server, and no longer the child of the process that started it: the number
    may belong to another process by now, and a living `engang serve` keeps its server.
    """
    try:
        pid, parent = map(int, file.read_text(encoding="ascii").split())
        command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return  # there is no such process, or no /proc
    if SERVER_MODULE not in command or f"\nPPid:\t{parent}\n" in status:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


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


def _ignore(cls: type, mapping: MutableMapping[str, Any], value: object) -> None:
    """Set nothing: the value is computed from columns."""


def ignore_computed_properties() -> None:
    """Make the bulk inserts of Prefect's server ignore computed properties."""
    from prefect.server.database import orm_models  # takes seconds, and reads the environment
    from sqlalchemy.ext.hybrid import hybrid_property

    for model in vars(orm_models).values():
        for attribute in vars(model).values() if isinstance(model, type) else ():
            if isinstance(attribute, hybrid_property) and attribute.bulk_dml_setter is None:
                attribute.bulk_dml_setter = _ignore


def main() -> None:
    """Run Prefect's command line as `prefect server ...`, with the correction."""
    ignore_computed_properties()
    from prefect.cli import app  # after the correction

    sys.argv[:1] = ["prefect", "server"]
    app()


if __name__ == "__main__":
    main()
