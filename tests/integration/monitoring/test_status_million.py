"""`engang status` with a million submissions in the ledger, on both databases: the seconds it takes, printed."""

import os
import resource
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.installation import Installation
from flows.monitoring.status import status
from infra.ledger.sql import write_transaction
from tests.support.monitored_installation import DUE, deliver, open_watched
from tests.support.paths import ROOT

MILLION = 1_000_000
CONTRACTS = 10
SENDERS = 400
FLOOD = 100_000
"""Of the last contract's submissions so many are one sender's."""
SERIES = {
    "sqlite": "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < :total)",
    "postgresql": "WITH g(n) AS (SELECT generate_series(1, :total))",
}
SINCE = {
    "sqlite": "strftime('%Y-%m-%d 00:00:00.000000', '2023-02-01', '+' || (n / 4000 * 4) || ' days')",
    "postgresql": "timestamp '2023-02-01' + (n / 4000 * 4) * interval '1 day'",
}
MONTH = {
    "sqlite": "strftime('%Y-%m', received_at, '-1 month')",
    "postgresql": "to_char(received_at - interval '1 month', 'YYYY-MM')",
}
"""Every sender delivers every fourth day of a thousand: each delivery speaks of the month before it came."""
INBOX = {"sqlite": "'2025-10-20 00:00:00.000000'", "postgresql": "timestamp '2025-10-20'"}


def fill(installation: Installation) -> None:
    """Write a million submissions, of ten contracts and four hundred senders, and as many objects that are done."""
    dialect = installation.engine.dialect.name
    submissions = f"""INSERT INTO submissions (submission_id, contract, contract_digest, obligation, sender, filename,
        sha256, bytes, received_at, status, content_digest, batch, delivered, claims, rejected, ignored, warnings,
        in_release, first_release)
        {SERIES[dialect]}
        SELECT 's' || n, contract, (SELECT max(digest) FROM contracts WHERE contract = 'c0'), 'o',
          CASE WHEN n <= :flood THEN 'flood' ELSE 'sender' || (n / {CONTRACTS} % {SENDERS}) END,
          'f.csv', 's' || n, 10, {SINCE[dialect]}, 'live', 's' || n, 'b', 1, 1, 0, 0, 0, {{}}, 1
        FROM (SELECT n, CASE WHEN n <= :flood THEN 'c9' ELSE 'c' || (n % {CONTRACTS}) END AS contract FROM g) AS rows
    """.format("1" if dialect == "sqlite" else "true")  # noqa: S608  the test's own text
    partitions = f"""INSERT INTO submission_partitions (submission_id, partition, claims)
        SELECT submission_id, {MONTH[dialect]}, 1 FROM submissions WHERE submission_id LIKE 's%'"""  # noqa: S608
    inbox = f"""INSERT INTO inbox (object, version, sender, bytes, status, found_at, found_by, attempts, submission_id)
        {SERIES[dialect]} SELECT 'o' || n, '1', 'sender' || (n % {SENDERS}), 10, 'done', {INBOX[dialect]}, 'event', 1,
        's' || n FROM g"""  # noqa: S608
    with write_transaction(installation.engine) as connection:
        connection.execute(sa.text(submissions), {"total": MILLION, "flood": FLOOD})
        connection.execute(sa.text(partitions))
        connection.execute(sa.text(inbox), {"total": MILLION})
        if dialect == "postgresql":
            connection.execute(sa.text("ANALYZE"))  # as a server does by itself: with it other plans are chosen


def spent(installation: Installation) -> float:
    """Return the seconds of CPU that this process and its database's backend have taken."""
    if installation.engine.dialect.name == "sqlite":
        return time.process_time()
    with installation.engine.connect() as connection:
        backend = connection.scalar(sa.text("SELECT pg_backend_pid()"))
    fields = Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
def test_status_of_a_million_submissions(tmp_path: Path, ledger_url: str) -> None:
    home = tmp_path / "home"
    opened = open_watched(home, ledger_url, **{f"c{n}": DUE for n in range(CONTRACTS)})
    deliver(opened, "c0", "first", "2023-01")
    fill(opened)
    today = date(2025, 9, 20)  # August was due on 15 September
    report = status(opened, today)  # the first look loads contracts and code
    before, began = spent(opened), time.perf_counter()
    report = status(opened, today)
    within, worked = time.perf_counter() - began, spent(opened) - before
    assert report.release["release"] is None
    expected = {o.contract: (o.period, o.expected) for o in report.obligations}
    assert expected["c1"][0] == "2025-08"
    assert expected["c1"][1] == SENDERS
    assert report.inbox["waiting"] == 0
    env = os.environ | {
        "ENGANG_HOME": str(home),
        "ENGANG_CONTRACTS": str(home / "contracts"),
        "ENGANG_LEDGER": ledger_url,
    }
    command = [sys.executable, "-c", "from flows.cli.app import main; main()", "status", "--at", "2025-09-20", "--json"]
    seconds, cpu = [], []
    for _ in range(3):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(time.perf_counter() - began)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode in {0, 1}, done.stderr
    print(
        f"\n{opened.engine.dialect.name}: status of {MILLION:,} submissions, {len(report.obligations)} obligations, "
        f"{sum(o.expected for o in report.obligations)} expected: {within:.2f} s in process "
        f"({worked:.2f} s of CPU, the database's too); "
        f"as a process {min(seconds):.2f} s ({min(cpu):.2f} s of CPU), load {os.getloadavg()[0]:.1f}"
    )
