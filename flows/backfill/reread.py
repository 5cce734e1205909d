"""A backfill's first half: old submissions, chosen, are read again by another version of their contract.

The new readings stand beside the old ones and count nowhere until `flows.backfill.publish` publishes them. Each step is
one transaction: whatever moment it is stopped at, `read_on` goes on where it was.
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
from flows.intake.normalisation import FileRead, normalise_reads, read, summary
from flows.intake.registration import append_made, reached_by
from flows.matching.models import find_model
from infra.ledger import backfills as ledger_backfills
from infra.ledger import submissions as ledger
from infra.storage import landing
from schemas.contract import Contract, read_contract
from schemas.errors import UsageError
from schemas.record_contract import check_records
from transforms.parsing.gzip import likely_size
from transforms.read_anew import released

STEP_FILES: Final = 200
STEP_BYTES: Final = 24 * 2**20
"""How much is read again in one transaction: about what is lost when the process dies."""
MIB: Final = 2**20


@dataclass(frozen=True)
class Asked:
    """Which submissions are to be read again, and by what.

    since, until: days, both included, on which they were received (UTC), or of whose months they speak (by period).
    rules: file of a new version of the contract; by default the installation's own. model: digest (or how it begins)
    of the model that is put in force for the contract's kind in the same release.
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
class Started:
    """A backfill that has begun, or is gone on with: its id, how many submissions it reads, and which not and why."""

    number: int | None
    submissions: int
    left_out: dict[str, int]
    again: bool = False


def start(installation: Installation, asked: Asked) -> Started:
    """Begin a backfill, or go on with the one that was asked the same of the same submissions and is not finished.

    `number` is None where there is nothing to do. Raises `UsageError` for what cannot be asked.
    """
    contract = contract_of(installation, asked)
    model = _model(installation, contract, asked.model)
    chosen, left_out = choose(installation, asked, contract.digest())
    if not chosen.height and model is None:
        return Started(None, 0, left_out)
    told = {**_as_json(asked), "model": model}
    engine, named = installation.engine, (contract.contract, contract.digest())
    old = _same(installation, told, named, chosen)
    if old is not None:
        return Started(old, chosen.height, left_out, again=True)
    ledger.register_contract(engine, *named, contract.model_dump_json())
    number = ledger_backfills.open_backfill(engine, named, told, chosen)
    return Started(number, chosen.height, left_out)


def contract_of(installation: Installation, asked: Asked) -> Contract:
    """Return the contract to read by; `UsageError` for a file of another contract, or of no newer version of it."""
    own = installation.contract(asked.contract)
    if asked.rules is None:
        return own
    try:
        text = asked.rules.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{asked.rules} cannot be read as a contract: {error}") from error
    new = read_contract(text, asked.rules.name)
    check_records(new, installation.kinds)
    if new.contract != own.contract:
        raise UsageError(f"{asked.rules}: found contract {new.contract!r}, expected {own.contract!r}")
    if new.digest() != own.digest() and new.version <= own.version:
        found = f"found version {new.version}, which reads otherwise than version {own.version} in force"
        raise UsageError(f"{asked.rules}: {found}; expected version {own.version + 1} or higher")
    return new


def _model(installation: Installation, contract: Contract, digest: str | None) -> str | None:
    if digest is None:
        return None
    if contract.record is None:
        raise UsageError(f"contract {contract.contract!r} makes claims, which no model matches: leave --model out")
    model = find_model(installation, digest)
    if model.kind != contract.record.kind:
        raise UsageError(f"model {model.digest} is of kind {model.kind}, expected one of {contract.record.kind}")
    return model.digest


def choose(installation: Installation, asked: Asked, digest: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return what is to be read again (submission_id, batch_before), and how much of what was asked is left out, why.

    Raises `UsageError` before the first release, and for a submission that is none of the contract's.
    """
    last = ledger.current_release(installation.engine)
    if last is None:
        raise UsageError("nothing is released yet: there is nothing to backfill. `engang nightly` publishes")
    wanted = ledger.submissions(installation.engine, contract=asked.contract)
    unknown = sorted(set(asked.submissions) - set(wanted["submission_id"]))
    if unknown:
        raise UsageError(f"contract {asked.contract!r} has no submission {', '.join(unknown)}")
    wanted = wanted.filter(*_wanted(installation, asked))
    known = ledger.row_counts(installation.engine, last["release"], wanted["submission_id"].to_list())
    told = released(wanted, known)
    same = pl.col("contract_digest") == digest
    left_out = {
        "read by this version already": told.filter(same).height,
        "withdrawn": told.filter(~same, pl.col("status") == "withdrawn").height,
        "not released yet": told.filter(~same, ~pl.col("readable"), pl.col("status") != "withdrawn").height,
    }
    chosen = told.filter(~same, "readable").select("submission_id", pl.col("batch").alias("batch_before"))
    return chosen, {why: n for why, n in left_out.items() if n}


def _wanted(installation: Installation, asked: Asked) -> Iterator[pl.Expr]:
    if asked.submissions:
        yield pl.col("submission_id").is_in(asked.submissions)
    if asked.sender is not None:
        yield pl.col("sender") == asked.sender
    if asked.by == "period":
        yield _speaks_of(installation, asked)
        return
    if asked.since is not None:
        yield pl.col("received_at").dt.date() >= asked.since
    if asked.until is not None:
        yield pl.col("received_at").dt.date() <= asked.until


def _speaks_of(installation: Installation, asked: Asked) -> pl.Expr:
    """Return the test whether a submission has claims of the months asked for; one without claims has none."""
    months = ledger.partitions(installation.engine, contract=asked.contract)
    least, most = (f"{day:%Y-%m}" if day else None for day in (asked.since, asked.until))
    inside = [pl.col("partition") >= least] if least else []
    inside += [pl.col("partition") <= most] if most else []
    if months["partition"].str.contains("/").any():
        raise UsageError(f"contract {asked.contract!r} makes records, which have no period: choose by day of receipt")
    return pl.col("submission_id").is_in(months.filter(*inside)["submission_id"].unique().implode())


def _as_json(asked: Asked) -> dict[str, Any]:
    plain = {**asdict(asked), "rules": asked.rules and asked.rules.name, "submissions": sorted(asked.submissions)}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in plain.items()}


def _same(installation: Installation, told: dict[str, Any], named: tuple[str, str], chosen: pl.DataFrame) -> int | None:
    """Return the newest unfinished backfill that asks the same of the same submissions, as they stand."""
    number = ledger_backfills.newest_unfinished(installation.engine)
    old = ledger_backfills.backfill(installation.engine, number) if number is not None else None
    if old is None or (old["contract"], old["contract_digest"]) != named or old["asked"] != told:
        return None
    begun = ledger_backfills.readings(installation.engine, old["id"]).select(chosen.columns)
    return old["id"] if begun.equals(chosen.sort("submission_id")) else None


def unfinished(installation: Installation, number: int | None = None) -> ledger_backfills.Backfill:
    """Return a backfill that is not finished, the newest one by default; `UsageError` if there is none."""
    found = ledger_backfills.newest_unfinished(installation.engine) if number is None else number
    told = None if found is None else ledger_backfills.backfill(installation.engine, found)
    if told is None or told["status"] not in ledger_backfills.UNFINISHED:
        what = "no backfill is unfinished" if number is None else f"backfill {number} is not unfinished"
        raise UsageError(f"{what}: `engang backfills` lists them")
    return told


def read_on(installation: Installation, number: int, progress: Callable[[str], None] = lambda _: None) -> None:
    """Read again all that a backfill has not read yet, step by step, each kept durably."""
    engine = installation.engine
    told = unfinished(installation, number)
    contract = contract_kept(installation, told["contract_digest"])
    pace = _Pace(ledger_backfills.progress(engine, number))
    while (some := ledger_backfills.unread(engine, number, STEP_FILES)).height:
        for step in _steps(installation, some):
            _read_step(installation, number, contract, step)
            progress(pace.told(ledger_backfills.progress(engine, number)))


def contract_kept(installation: Installation, digest: str) -> Contract:
    """Return the contract that the ledger keeps under a digest."""
    texts = dict(ledger.contracts(installation.engine).select("digest", "text").iter_rows())
    return Contract.model_validate_json(texts[digest])


def _steps(installation: Installation, some: pl.DataFrame) -> Iterator[list[tuple[landing.Note, bytes]]]:
    """Yield the files of some submissions, by as many as are read again at once."""
    step: list[tuple[landing.Note, bytes]] = []
    size = 0
    each = landing.get_each(installation.landing, some.select("contract", "sender", "sha256", "bytes").iter_rows())
    for row, data in zip(some.iter_rows(named=True), each, strict=True):
        if step and size + likely_size(data) > STEP_BYTES:
            yield step
            step, size = [], 0
        told = {name: row[name] for name in landing.Note.__dataclass_fields__}
        step.append((landing.Note(**{**told, "received_at": row["received_at"].isoformat()}), data))
        size += likely_size(data)
    if step:
        yield step


def _read_step(
    installation: Installation, number: int, contract: Contract, step: list[tuple[landing.Note, bytes]]
) -> None:
    """Read some files anew and keep what they became, beside what they are."""
    reads: list[FileRead] = [read(note, data, contract) for note, data in step]
    made = normalise_reads(reads, contract, installation)
    batch = uuid.uuid4().hex
    told, rejects = summary(reads, made)
    if made is not None:
        append_made(installation, contract, made, batch)
    found = told.with_columns(pl.lit(batch).alias("batch"))
    ledger_backfills.keep_readings(installation.engine, number, found, reached_by(made), rejects)


class _Pace:
    """How fast a reading is since it began, or was gone on with, and how long it will still take."""

    def __init__(self, before: ledger_backfills.Progress) -> None:
        self.before, self.began = before, time.monotonic()

    def told(self, now: ledger_backfills.Progress) -> str:
        """Return how far it is in words."""
        took = max(time.monotonic() - self.began, 1e-3)
        rate = (now["read"] - self.before["read"]) / took
        share = (now["bytes_read"] - self.before["bytes_read"]) / took
        left = (now["bytes"] - now["bytes_read"]) / share if share else 0.0
        size = f"{now['bytes_read'] / MIB:.1f} of {now['bytes'] / MIB:.1f} MiB"
        many = f"read {now['read']} of {now['submissions']} submissions again ({size})"
        return f"{many}, {rate:.0f} a second, about {_in_words(left)} left"


def _in_words(seconds: float) -> str:
    minute, hour = 60, 3600
    if seconds < minute:
        return f"{seconds:.0f} s"
    return f"{seconds / minute:.0f} min" if seconds < 2 * hour else f"{seconds / hour:.1f} h"


def list_backfills(installation: Installation) -> list[dict[str, Any]]:
    """Return every backfill, oldest first, with how many of its submissions it has read."""
    engine = installation.engine
    found = []
    for told in ledger_backfills.backfills(engine):
        far = ledger_backfills.progress(engine, told["id"])
        found.append({**told, "read": far["read"], "submissions": far["submissions"]})
    return found
