"""A real Prefect server on PostgreSQL, and what a test asks of it over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

BIN: Final = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def environment(folder: Path, url: str, **more: str) -> dict[str, str]:
    """Return the environment of a process that works with the server and nothing of this machine's own Prefect."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "ENGANG_", "AWS_"))}
    env |= {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_HOME": str(folder / "prefect")}
    return env | {"PREFECT_API_URL": url, "HOME": str(folder), **more}


class Server:
    """A server in a process of its own, which can be killed and started again."""

    def __init__(self, folder: Path, database: str) -> None:
        """Say where it keeps its things; `start` starts it."""
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.database = database.replace("postgresql://", "postgresql+asyncpg://")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        env = environment(
            self.folder,
            self.url,
            PREFECT_SERVER_DATABASE_CONNECTION_URL=self.database,
            PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE="prefect.server.concurrency.lease_storage.filesystem",
        )
        command = [
            sys.executable,
            "-m",
            "flows.orchestration.server",
            "start",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + 180
        while not self.healthy():
            assert self.process.poll() is None, (self.folder / "server.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.3)

    def healthy(self) -> bool:
        try:
            return bool(self.ask("GET", "/health"))
        except OSError:
            return False

    def kill(self, how: int = signal.SIGKILL) -> None:
        """End it and all that it started."""
        if self.process is not None:
            os.killpg(self.process.pid, how)
            self.process.wait(60)

    def ask(self, method: str, path: str, payload: dict[str, Any] | None = None) -> Any:
        """Ask the server; return what it answers."""
        body = None if payload is None else json.dumps(payload).encode()
        request = urllib.request.Request(f"{self.url}{path}", body, {"Content-Type": "application/json"}, method=method)  # noqa: S310  http here
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  same
            return json.loads(answer.read() or b"null")

    def deployments(self) -> dict[str, dict[str, Any]]:
        """Return the deployments by their entrypoint."""
        return {d["entrypoint"]: d for d in self.ask("POST", "/deployments/filter", {})}

    def runs(self, deployment: str) -> list[dict[str, Any]]:
        """Return the runs of a deployment, oldest first."""
        query = {"deployments": {"id": {"any_": [deployment]}}, "sort": "EXPECTED_START_TIME_ASC"}
        found: list[dict[str, Any]] = self.ask("POST", "/flow_runs/filter", query)
        return found

    def run(self, deployment: str, **parameters: Any) -> str:
        """Ask for a run now; return its id."""
        run: str = self.ask(
            "POST",
            f"/deployments/{deployment}/create_flow_run",
            {"parameters": parameters, "state": {"type": "SCHEDULED"}},
        )["id"]
        return run

    def await_run(self, run: str, states: tuple[str, ...], seconds: float = 300) -> dict[str, Any]:
        """Wait until a run is in one of these states; return it."""
        until = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = self.ask("GET", f"/flow_runs/{run}")
            if found["state"]["type"] in states:
                return found
            assert time.monotonic() < until, found["state"]
            time.sleep(0.2)


@contextmanager
def prefect_server(folder: Path, database: str) -> Iterator[Server]:
    """Run a server while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder, database)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def running(command: list[str | Path], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command while the block runs, in a session of its own; end it and all that it started afterwards."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(subprocess.TimeoutExpired, ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
