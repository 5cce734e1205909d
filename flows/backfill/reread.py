"""The first half of a backfill: select old submissions and reread them by another version of their contract.

The new readings are stored next to the old ones and do not count until `flows.backfill.publish` publishes them. Each
step is one transaction: wherever it is stopped, `reread_submissions` continues there.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from flows.installation import Installation
from flows.intake.batches.storing import append_batch, partitions_of
from flows.intake.isolation import read_isolated
from flows.intake.previous_period import with_change_warnings
from flows.known_units import now_known_units
from flows.matching.models import model_by_digest
from infra.files import input_text
from infra.ledger import backfills as ledger_backfills
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.storage import landing
from schemas.contract import Contract, read_contract
from schemas.errors import UsageError
from schemas.record_contract import check_records
from transforms.parsing.gzip import likely_size
from transforms.submissions import add_release_state

STEP_FILES: Final = 200
STEP_BYTES: Final = 24 * 2**20
"""Limits of one transaction: about how much work is lost when the process dies."""
MIB: Final = 2**20


@dataclass(frozen=True)
class BackfillRequest:
    """Which submissions to reread, and by which contract and model.

    since, until: first and last day of receipt (UTC), or with by=`period` of the months that claims are about. rules:
    file of a new version of the contract; by default the installation's own. model: digest (or its beginning) of the
    model to put in force for the contract's kind in the same release.
    """

    contract: str
    sender: str | None = None
    since: date | None = None
    until: date | None = None
    by: Literal["received", "period"] = "received"
    submissions: tuple[str, ...] = ()
    rules: Path | None = None
    model: str | None = None


@dataclass(frozen=True)
class StartedBackfill:
    """A backfill that was started or continued: its id, how many submissions it rereads, how many not and why."""

    number: int | None
    submissions: int
    left_out: dict[str, int]
    resumed: bool = False


def start_backfill(installation: Installation, request: BackfillRequest) -> StartedBackfill:
    """Start a backfill, or continue an unfinished one with the same request and the same submissions.

    `number` is None if there is nothing to do. Raises `UsageError` for an invalid request.
    """
    contract = requested_contract(installation, request)
    model = _model(installation, contract, request.model)
    chosen, left_out = select_submissions(installation, request, contract.digest())
    if not chosen.height and model is None:
        return StartedBackfill(None, 0, left_out)
    request_fields = {**_as_json(request), "model": model}
    engine, version = installation.engine, (contract.contract, contract.digest())
    old = _find_same(installation, request_fields, version, chosen)
    if old is not None:
        return StartedBackfill(old, chosen.height, left_out, resumed=True)
    ledger_submissions.register_contract(engine, *version, contract.model_dump_json())
    number = ledger_backfills.open_backfill(engine, version, request_fields, chosen)
    return StartedBackfill(number, chosen.height, left_out)


def requested_contract(installation: Installation, request: BackfillRequest) -> Contract:
    """Return the contract to reread by; `UsageError` for a file of another contract, or without a higher version."""
    own = installation.contract(request.contract)
    if request.rules is None:
        return own
    new = installation.completed(read_contract(input_text(request.rules), request.rules.name))
    check_records(new, installation.kinds)
    if new.contract != own.contract:
        raise UsageError(f"{request.rules}: found contract {new.contract!r}, expected {own.contract!r}")
    if new.digest() != own.digest() and new.version <= own.version:
        found = f"found version {new.version}, which differs from version {own.version} in force"
        raise UsageError(f"{request.rules}: {found}; expected version {own.version + 1} or higher")
    return new


def _model(installation: Installation, contract: Contract, digest: str | None) -> str | None:
    if digest is None:
        return None
    if contract.record is None:
        raise UsageError(f"contract {contract.contract!r} makes claims, which no model matches: leave --model out")
    model = model_by_digest(installation, digest)
    if model.kind != contract.record.kind:
        raise UsageError(f"model {model.digest} is of kind {model.kind}, expected one of {contract.record.kind}")
    return model.digest


def select_submissions(
    installation: Installation, request: BackfillRequest, digest: str
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the submissions to reread (submission_id, batch_before), and how many are left out by reason.

    Raises `UsageError` before the first release, and for a submission that is not of the contract.
    """
    last = ledger_releases.current_release(installation.engine)
    if last is None:
        raise UsageError("nothing is released yet: there is nothing to backfill. `engang nightly` publishes")
    wanted = ledger_submissions.read_submissions(installation.engine, contract=request.contract)
    unknown = sorted(set(request.submissions) - set(wanted["submission_id"]))
    if unknown:
        raise UsageError(f"contract {request.contract!r} has no submission {', '.join(unknown)}")
    wanted = wanted.filter(*_wanted(installation, request))
    known = ledger_releases.read_row_counts(installation.engine, last["release"], wanted["submission_id"].to_list())
    states = add_release_state(wanted, known)
    # Read by the same contract, and yet another reading now: units that were in no register then are known today.
    again = now_known_units(installation, request.contract)["submission_id"]
    same = (pl.col("contract_digest") == digest) & ~pl.col("submission_id").is_in(again.implode())
    left_out = {
        "read by this version already": states.filter(same).height,
        "withdrawn": states.filter(~same, pl.col("status") == "withdrawn").height,
        "not released yet": states.filter(~same, ~pl.col("readable"), pl.col("status") != "withdrawn").height,
    }
    chosen = states.filter(~same, "readable").select("submission_id", pl.col("batch").alias("batch_before"))
    return chosen, {why: n for why, n in left_out.items() if n}


def _wanted(installation: Installation, request: BackfillRequest) -> Iterator[pl.Expr]:
    if request.submissions:
        yield pl.col("submission_id").is_in(request.submissions)
    if request.sender is not None:
        yield pl.col("sender") == request.sender
    if request.by == "period":
        yield _has_months(installation, request)
        return
    if request.since is not None:
        yield pl.col("received_at").dt.date() >= request.since
    if request.until is not None:
        yield pl.col("received_at").dt.date() <= request.until


def _has_months(installation: Installation, request: BackfillRequest) -> pl.Expr:
    """Return the condition that a submission has claims in the requested months."""
    months = ledger_submissions.read_submission_partitions(installation.engine, contract=request.contract)
    first, last = (f"{day:%Y-%m}" if day else None for day in (request.since, request.until))
    inside = [pl.col("partition") >= first] if first else []
    inside += [pl.col("partition") <= last] if last else []
    if months["partition"].str.contains("/").any():
        raise UsageError(f"contract {request.contract!r} makes records, which have no period: select by day of receipt")
    return pl.col("submission_id").is_in(months.filter(*inside)["submission_id"].unique().implode())


def _as_json(request: BackfillRequest) -> dict[str, Any]:
    plain = {
        **asdict(request),
        "rules": request.rules and request.rules.name,
        "submissions": sorted(request.submissions),
    }
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in plain.items()}


def _find_same(
    installation: Installation, request_fields: dict[str, Any], version: tuple[str, str], chosen: pl.DataFrame
) -> int | None:
    """Return the newest unfinished backfill if it has the same request and the same current submissions."""
    number = ledger_backfills.newest_unfinished(installation.engine)
    old = ledger_backfills.find_backfill(installation.engine, number) if number is not None else None
    if old is None or (old["contract"], old["contract_digest"]) != version or old["asked"] != request_fields:
        return None
    readings = ledger_backfills.read_readings(installation.engine, old["id"]).select(chosen.columns)
    return old["id"] if readings.equals(chosen.sort("submission_id")) else None


def find_unfinished(installation: Installation, number: int | None = None) -> ledger_backfills.Backfill:
    """Return an unfinished backfill, the newest by default; `UsageError` if there is none."""
    found = ledger_backfills.newest_unfinished(installation.engine) if number is None else number
    backfill = None if found is None else ledger_backfills.find_backfill(installation.engine, found)
    if backfill is None or backfill["status"] not in ledger_backfills.UNFINISHED_STATUS:
        what = "no backfill is unfinished" if number is None else f"backfill {number} is not unfinished"
        raise UsageError(f"{what}: `engang backfills` lists them")
    return backfill


def reread_submissions(
    installation: Installation, number: int, progress: Callable[[str], None] = lambda _: None
) -> None:
    """Reread all submissions that a backfill has not reread yet, step by step; each step is stored durably."""
    engine = installation.engine
    backfill = find_unfinished(installation, number)
    contract = stored_contract(installation, backfill["contract_digest"])
    pace = _Pace(ledger_backfills.reading_progress(engine, number))
    while (rows := ledger_backfills.read_unread_submissions(engine, number, STEP_FILES)).height:
        for step in _steps(installation, rows):
            _read_step(installation, number, contract, step)
            progress(pace.describe(ledger_backfills.reading_progress(engine, number)))


def stored_contract(installation: Installation, digest: str) -> Contract:
    """Return the contract that the ledger stores under a digest."""
    texts = dict(ledger_submissions.read_contracts(installation.engine).select("digest", "text").iter_rows())
    return Contract.model_validate_json(texts[digest])


def _steps(installation: Installation, rows: pl.DataFrame) -> Iterator[list[tuple[landing.Note, bytes]]]:
    """Yield the files of submissions, as many as are reread in one transaction."""
    step: list[tuple[landing.Note, bytes]] = []
    size = 0
    contents = landing.get_each(installation.landing, rows.select("contract", "sender", "sha256", "bytes").iter_rows())
    for row, data in zip(rows.iter_rows(named=True), contents, strict=True):
        if step and size + likely_size(data) > STEP_BYTES:
            yield step
            step, size = [], 0
        fields = {name: row[name] for name in landing.Note.__dataclass_fields__}
        times = {name: row[name] and row[name].isoformat(timespec="microseconds") for name in ("received_at", "as_of")}
        step.append((landing.Note(**{**fields, **times}), data))
        size += likely_size(data)
    if step:
        yield step


def _read_step(
    installation: Installation, number: int, contract: Contract, step: list[tuple[landing.Note, bytes]]
) -> None:
    """Reread some files and store their new readings, next to the current ones.

    Raises `UsageError` that names a submission which cannot be read: what is published stays as it is.
    """
    reading = read_isolated(installation, contract, step)
    for submission, reason in reading.failures.items():
        raise UsageError(f"submission {submission} cannot be read by this version: {reason}. Its last reading counts")
    reading = with_change_warnings(installation, contract, reading)
    batch = uuid.uuid4().hex
    if reading.normalised is not None:
        append_batch(installation, contract, reading.normalised, batch)
    readings = reading.counts.with_columns(pl.lit(batch).alias("batch"))
    months = partitions_of(reading.normalised)
    ledger_backfills.write_readings(installation.engine, number, readings, months, reading.rejects)


class _Pace:
    """The speed of rereading since it started or resumed, and an estimate of the remaining time."""

    def __init__(self, before: ledger_backfills.ReadingProgress) -> None:
        self.before, self.started = before, time.monotonic()

    def describe(self, now: ledger_backfills.ReadingProgress) -> str:
        """Return the progress as text."""
        took = max(time.monotonic() - self.started, 1e-3)
        rate = (now["read"] - self.before["read"]) / took
        share = (now["bytes_read"] - self.before["bytes_read"]) / took
        remaining = (now["bytes"] - now["bytes_read"]) / share if share else 0.0
        size = f"{now['bytes_read'] / MIB:.1f} of {now['bytes'] / MIB:.1f} MiB"
        many = f"read {now['read']} of {now['submissions']} submissions again ({size})"
        return f"{many}, {rate:.0f} a second, about {_duration_text(remaining)} left"


def _duration_text(seconds: float) -> str:
    minute, hour = 60, 3600
    if seconds < minute:
        return f"{seconds:.0f} s"
    return f"{seconds / minute:.0f} min" if seconds < 2 * hour else f"{seconds / hour:.1f} h"


def discard_backfill(installation: Installation, number: int) -> None:
    """Discard a backfill that was not published: its readings never count."""
    ledger_backfills.mark_discarded(installation.engine, number)


def list_backfills(installation: Installation) -> list[dict[str, Any]]:
    """Return every backfill, oldest first, with how many of its submissions are reread."""
    engine = installation.engine
    rows = []
    for backfill in ledger_backfills.read_backfills(engine):
        done = ledger_backfills.reading_progress(engine, backfill["id"])
        rows.append({**backfill, "read": done["read"], "submissions": done["submissions"]})
    return rows
