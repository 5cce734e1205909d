"""The status of an installation: who is late, what waits, what failed, what is damaged.

It contains no delivered values; of rejected files it names the columns.
"""

from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import polars as pl

from flows.contracts.gate import draft_reasons, unusable_reasons
from flows.installation import OSLO, Installation
from flows.mart.nights import mart_problems
from flows.monitoring.obligations import obligations
from flows.monitoring.problems import find_problems
from flows.monitoring.publications import publication_problems
from flows.monitoring.register import register_problems
from flows.monitoring.rejected import person_numbers, rejected_files, rejected_since
from flows.monitoring.report import (
    InboxStatus,
    NightlyStatus,
    OutboxStatus,
    RecordWarning,
    ReleaseStatus,
    Status,
)
from flows.monitoring.storage import storage_problems
from infra.inbox import work_queue as inbox
from infra.ledger import monitoring as ledger_monitoring
from infra.ledger import outbox
from infra.ledger import runs as ledger_runs
from infra.ledger import submissions as ledger_submissions
from infra.ledger.erasures import unfinished_erasures
from infra.ledger.records import read_record_warnings
from infra.ledger.releases import current_release
from schemas.errors import StoreError, UsageError

MAX_PARKED_LISTED: Final = 20
SMALL_LEDGER: Final = 5_000
"""Up to this number of submissions `status` checks the landing zone and the rejects itself; else the last night did."""
SUM_NAME: Final = r"(?i)^\s*(i alt|total(t|er|sum)?|(del)?sum(mer|ma)?|alle|samlet|hele landet)\b[\s.:]*$"
"""Names of rows that sum other rows."""


def status(installation: Installation, today: date | None = None) -> Status:
    """Return the state of the installation now; `today` selects the day whose deadlines are checked."""
    at = datetime.now(UTC).replace(tzinfo=None)
    day = today or datetime.now(OSLO).date()
    nightly = _nightly(installation)
    release = _release(installation, at, nightly)
    since = rejected_since(at, release["published_at"])
    settings, is_small = installation.settings, ledger_monitoring.has_at_most(installation.engine, SMALL_LEDGER)
    result = Status(
        at=at,
        today=day,
        obligations=obligations(installation, day),
        undeclared=sorted(name for name, contract in installation.contracts.items() if not contract.due),
        contracts=[*unusable_reasons(installation), *draft_reasons(installation)],
        inbox=_inbox(installation),
        release=release,
        nightly=nightly,
        outbox=_outbox(installation),
        record_warnings=_record_warnings(installation, release["release"]),
        rejected=rejected_files(installation, since),
        person_numbers=person_numbers(installation, since),
        storage=storage_problems(installation, with_landing=is_small and isinstance(settings.landing, Path)),
        register=register_problems(installation, now=is_small),
        suspect_units=_suspect_units(installation),
        erasures=unfinished_erasures(installation.engine),
        intake_seen=_intake_seen(installation),
        mart=[*mart_problems(installation), *publication_problems(installation)],
    )
    result.problems.extend(find_problems(result))
    return result


def _inbox(installation: Installation) -> InboxStatus:
    counts = inbox.count_open(installation.engine)
    by_status = dict(counts.group_by("status").agg(pl.col("objects").sum()).iter_rows())
    parked = inbox.list_parked(installation.engine, MAX_PARKED_LISTED)
    waiting = counts.filter(status="waiting")
    return {
        "waiting": by_status.get("waiting", 0),
        "leased": by_status.get("leased", 0),
        "parked": by_status.get("parked", 0),
        "oldest_waiting": waiting.select(pl.col("oldest").min()).item(),
        "senders_waiting": dict(waiting.select("sender", "objects").iter_rows()),
        "parked_objects": parked.select("id", "object", "sender", "found_at", "reason").to_dicts(),
        "queue": _count_messages(installation, installation.settings.queue),
        "dead_letters": _count_messages(installation, installation.settings.dead_letters),
    }


def _count_messages(installation: Installation, url: str | None) -> int | str | None:
    """Return how many messages are in a queue, None without one, the error if it does not answer within seconds."""
    if url is None:
        return None
    from infra.inbox.sqs import open_queue  # heavy: only where there is a queue

    try:
        return open_queue(url, installation.settings.arrivals, fail_fast=True).count()
    except (StoreError, UsageError) as error:
        return str(error)


def _nightly(installation: Installation) -> NightlyStatus:
    runs = ledger_monitoring.read_last_runs(installation.engine, "nightly")
    done = ledger_monitoring.last_success(installation.engine, "nightly")
    # By their ends: a nightly that met another one and gave up has failed before that one succeeded.
    success = runs.filter(status="done")["finished_at"].max()
    since = runs if success is None else runs.filter(pl.col("finished_at") > success)
    last = runs.head(1).drop("message").to_dicts()
    messages = since.filter(pl.col("status").is_in(["refused", "failed"]))["message"].to_list()
    still_open = [run for run in ledger_runs.open_runs(installation.engine) if run.kind == "nightly"]
    return {
        "last": last[0] if last else None,
        "last_done": done,
        "message": messages[0] if messages else None,
        "open": [{"run_id": run.run_id, "started_at": run.started_at, "dead": run.dead} for run in still_open],
        "refused_since": since.filter(status="refused").height,
        "failed_since": since.filter(status="failed").height,
    }


def _intake_seen(installation: Installation) -> datetime | None:
    seen = ledger_monitoring.read_last_runs(installation.engine, ledger_runs.INTAKE, 1)["started_at"].to_list()
    return seen[0] if seen else None


def _release(installation: Installation, at: datetime, nightly: NightlyStatus) -> ReleaseStatus:
    last = ledger_monitoring.last_release(installation.engine)
    # A nightly that had nothing to publish has still seen every submission that was there.
    waiting, oldest = ledger_monitoring.count_waiting(installation.engine, nightly["last_done"])
    return {
        "release": last["release"] if last else None,
        "digest": last["digest"] if last else None,
        "published_at": last["published_at"] if last else None,
        "age_hours": round((at - last["published_at"]).total_seconds() / 3600, 1) if last else None,
        "waiting": waiting,
        "oldest_waiting": oldest,
    }


def _outbox(installation: Installation) -> OutboxStatus:
    unsent = outbox.read_unsent_events(installation.engine)
    failed = unsent.filter(pl.col("problem").is_not_null()).tail(1)
    return {
        "unsent": unsent.height,
        "oldest": unsent.select(pl.col("at").min()).item(),
        "problem": failed["problem"].item() if failed.height else None,
    }


def _record_warnings(installation: Installation, release: int | None) -> list[RecordWarning]:
    if release is None:
        return []
    rows = read_record_warnings(installation.engine, release).iter_rows(named=True)
    return [RecordWarning(kind=r["kind"], what=r["what"], detail=r["detail"], count=r["count"]) for r in rows]


def _suspect_units(installation: Installation) -> list[str]:
    """Return the names of the published provisional units that look like a sum."""
    units = ledger_submissions.read_provisional_units(installation.engine).filter(pl.col("name").str.contains(SUM_NAME))
    last = current_release(installation.engine) if units.height else None
    if last is None:
        return []
    from infra.lake.item_tables import observation_tables  # only where there is such a unit

    tables = observation_tables(installation.settings.lake)
    with suppress(StoreError):  # a damaged lake is a problem of its own
        facts = tables.live("observations", last["tables"]).filter(pl.col("unit_id").is_in(units["unit_id"].implode()))
        return facts.select("unit_name").unique().collect().to_series().sort().to_list()
    return []
