"""An installation for the check page: two small contracts, files of every outcome, the page on a port of its own."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flows.installation import Installation
from tests.support.prefill import deliver, publish
from tests.support.small_installation import open_small

ENGANG: Final = Path(sys.executable).with_name("engang")
START_SECONDS: Final = 90
PLAIN: Final = """
contract: visits
version: 1
obligation: visits
title: {nb: Besøk på biblioteket, nn: Besøk på biblioteket, en: Visits to the library}
agency: Bibliotektilsynet
legal_basis: none
rhythm: monthly
hours_per_report: null
sender: {default: biblioteket}
format: {type: csv}
unit: {column: who, kind: other, by: name, provisional: true}
period: {column: month, type: month}
repeat: error
claims:
  - {concept: visits, column: n, reported_by: {option: sender}, unit_measure: {value: persons}}
rules:
  - {id: many, check: range, column: n, max: 1000, severity: warning}
examples:
  - name: one
    given: |
      who;month;n
      A;2024-01;5
    claims:
      - {row: 2, value: 5}
"""
ASKING: Final = (
    PLAIN.replace("contract: visits", "contract: visits-asking")
    .replace("sender: {default: biblioteket}", "sender: {default: biblioteket, allowed: [filialen]}")
    .replace("period: {column: month, type: month}", 'period: {option: period, type: month, format: "%m.%Y"}')
    .replace("who;month;n\n      A;2024-01;5", "who;n\n      A;5")
    .replace("    claims:", "    options: {period: 01.2024}\n    claims:")
)
SHARED: Final = (
    PLAIN.replace("contract: visits", "contract: guests")
    .replace("obligation: visits", "obligation: guests\nmay_share: all")
    .replace("en: Visits to the library", "en: Guests of the library")
)
"""Another obligation that asks for the same figures, which everybody may be shown."""
SOUND: Final = "who;month;n\nA;2024-01;5\nB;2024-01;7\n"
WARNED: Final = "who;month;n\nA;2024-01;5000\n"
FAULTY: Final = SOUND + "C;2024-01;many\nD;2024-01;many\nE;2024-01;many\nF;2024-01;many\nG;never;1\nH;2024-01;=1+1\n"
REJECTED: Final = "who;month;n\nA;2024-01;many\n"
HOSTILE: Final = "who;month;n\n<script>alert(1)</script>;2024-01;<img src=x onerror=alert(1)>\n"


def write_contracts(folder: Path) -> Path:
    """Write the contracts to a new folder below this one; return it."""
    contracts = folder / "contracts"
    contracts.mkdir()
    (contracts / "visits.yml").write_text(PLAIN, encoding="utf-8")
    (contracts / "visits-asking.yml").write_text(ASKING, encoding="utf-8")
    return contracts


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def publish_shared(home: Path, contracts: Path) -> Installation:
    """Publish a release in which others have reported the visits of A and B, and return its installation.

    B's are reported under a contract that does not state who may be shown them.
    """
    (contracts / "guests.yml").write_text(SHARED, encoding="utf-8")
    (contracts / "tally.yml").write_text(
        SHARED.replace("guests", "tally").replace("may_share: all\n", ""), encoding="utf-8"
    )
    here = open_small(home, contracts)
    rows = {"guests": "A;2024-01;5\n", "tally": "B;2024-01;7\n"}
    for name, row in rows.items():
        deliver(here, name, f"who;month;n\n{row}")
    publish(here)
    return here


@contextmanager
def served_page(folder: Path, settings: Mapping[str, str] | None = None, *, release: bool = False) -> Iterator[str]:
    """Serve the page by the command while the block runs; give its URL. release: with figures of `publish_shared`."""
    port = free_port()
    own = {"ENGANG_HOME": str(folder / "home"), "ENGANG_CONTRACTS": str(write_contracts(folder))}
    if release:
        publish_shared(folder / "home", folder / "contracts")
    env = {name: value for name, value in os.environ.items() if not name.startswith("ENGANG_")}
    with (folder / "page.log").open("wb") as log:
        command = [ENGANG, "check-page", "--port", str(port)]
        page = subprocess.Popen(command, env={**env, **own, **(settings or {})}, stdout=log, stderr=log)
        try:
            wait_for_page(page, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            page.terminate()
            assert page.wait(60) == 0, (folder / "page.log").read_text()


def wait_for_page(page: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the page answers."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and page.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the page did not start")
