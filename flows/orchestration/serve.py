"""One process that serves the flows and receives files as they arrive, until stopped; the check page next to it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from flows.check_page.process import check_page_process
from flows.events import deliver_outbox
from flows.installation import Installation, open_installation
from flows.intake.arrivals import watch_arrivals
from flows.orchestration.deployments import deployments
from flows.orchestration.server import STOP_SECONDS, prefect_server
from infra import telemetry
from schemas.errors import StoreError

DEFAULT_PORT: Final = 4200
OUTBOX_SECONDS: Final = 5
"""How often the outbox is delivered."""


def serve(port: int = DEFAULT_PORT) -> None:
    """Serve the flows and receive arrivals until stopped, on the Prefect server that PREFECT_API_URL names.

    Without that setting a server is started here: its database is in the home, it listens on 127.0.0.1 only, and it
    ends with this process. Raises `UsageError` if its port or that of the check page is taken, `StoreError` if the
    server does not start.
    """
    installation = open_installation()
    home = installation.settings.home
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ["ENGANG_HOME"] = str(home)  # each run is a process of its own, started in any folder
    import prefect  # the environment above is read when it is imported
    from prefect.settings import PREFECT_API_URL, temporary_settings

    if PREFECT_API_URL.value():
        with check_page_process(installation.settings.check_page, os.environ), _intake_threads(installation):
            prefect.serve(*deployments(watched=True), pause_on_shutdown=False)
        return
    with (
        check_page_process(installation.settings.check_page, os.environ),
        _intake_threads(installation),
        prefect_server(home / "prefect", port, os.environ) as url,
        temporary_settings({PREFECT_API_URL: url}),
    ):
        prefect.serve(*deployments(watched=True), pause_on_shutdown=False)


@contextmanager
def _intake_threads(installation: Installation) -> Iterator[None]:
    """Receive arrivals and deliver the outbox while the block runs, each in a thread of its own.

    A run of `receive` is a process that imports Prefect for seconds before it reads a file; the thread reads it at
    once. A run that somebody starts meanwhile may look for work too: the inbox leases each object to one worker.
    """
    stop = threading.Event()
    # Load both now: the first file would wait for them.
    contracts, units = len(installation.contracts), len(installation.register.units)
    for name, why in installation.broken_contracts.items():
        telemetry.log("intake").warning("contract %s cannot be used: %s", name, why)
    telemetry.log("intake").info("ready", extra={"contracts": contracts, "units": units})
    threads = (
        threading.Thread(target=_watch_arrivals, args=(installation, stop), name="intake", daemon=True),
        threading.Thread(target=_deliver_events, args=(installation, stop), name="outbox", daemon=True),
    )
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(STOP_SECONDS)


def _watch_arrivals(installation: Installation, stop: threading.Event) -> None:
    """Receive arrivals; an unforeseen error ends the whole process, so that its supervisor restarts it.

    A dead thread in a live process would look healthy while nothing is received until the next scheduled run.
    """
    try:
        watch_arrivals(installation, stop)
    finally:
        if not stop.is_set():
            telemetry.log("intake").error("intake ended, so serving ends: start it again, and report the fault")
            os.kill(os.getpid(), signal.SIGTERM)


def _deliver_events(installation: Installation, stop: threading.Event) -> None:
    while installation.settings.observability.webhook is not None and not stop.wait(OUTBOX_SECONDS):
        try:
            deliver_outbox(installation)
        except StoreError as error:  # the ledger does not answer: its events are delivered when it does
            telemetry.log("events").warning("events wait", extra={"error": type(error).__name__})
