"""From delivered bytes to registered claims and records: the first five hops."""

import re
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import polars as pl
import sqlalchemy as sa

from flows import telling
from flows.installation import Installation
from flows.intake.normalisation import FileRead, Made, normalise_reads, read, summary
from flows.intake.receipt import Receipt
from infra import telemetry
from infra.inbox import work_queue as inbox
from infra.lake import delta as lake
from infra.ledger import submissions as ledger
from infra.storage import landing
from infra.storage.store import Content, content_hash, size_of
from schemas.contract import IDENTIFIER, Contract
from schemas.errors import EngangError, UsageError
from schemas.record_tables import RECORDS, record
from transforms import identity as identify
from transforms.normalisation.observations import Normalised
from transforms.parsing.gzip import GZIP, TRAILER, likely_size

BATCH_BYTES: Final = 24 * 2**20
BATCH_FILES: Final = 1000
"""How much is read, normalised and registered at once: memory is bounded by the batch, not by the delivery."""


LAND_AT_ONCE: Final = 8
LISTED: Final = 5000
"""How many notes of the landing zone are compared with the ledger at once."""
Landed: TypeAlias = tuple[landing.Note, Content]
"""A delivery in the landing zone: its note and its bytes."""

Settle: TypeAlias = Callable[[sa.Connection], None]
"""What belongs to the transaction of a registration."""


class _Standing(NamedTuple):
    """What a registration meets: submissions that an older contract rejected, and what comes first in it."""

    rejected: list[str]
    first: Settle


@dataclass(frozen=True)
class Delivery:
    """One file on its way in. `period` is what the delivery says and the file does not."""

    filename: str
    data: Content
    contract: str
    sender: str
    period: str | None = None


def deliver(  # noqa: PLR0913  what the command line says of one file
    installation: Installation, filename: str, data: Content, contract: str, *, sender: str | None, period: str | None
) -> Delivery:
    """Return the delivery; `UsageError` when it does not say what the contract needs to be told."""
    told = installation.contract(contract)
    sender = sender or told.sender.default
    if sender is None:
        raise UsageError(f"contract {contract!r} names no default sender: say who delivers with --sender")
    if not re.fullmatch(IDENTIFIER, sender):
        raise UsageError(f"sender {sender!r} is no name: expected small letters, digits, '.', '_' or '-', at most 64")
    if told.sender.allowed is not None and sender not in told.sender.allowed:
        raise UsageError(f"sender {sender!r} may not deliver {contract!r}; allowed: {', '.join(told.sender.allowed)}")
    if "period" in told.options() and period is None:
        raise UsageError(f"the files of contract {contract!r} do not say their period: give it with --period")
    return Delivery(filename, data, contract, sender, period if "period" in told.options() else None)


def receive(installation: Installation, deliveries: Iterable[Delivery]) -> Iterator[list[Receipt]]:
    """Receive deliveries batch by batch, and yield the receipts of each when it is registered, durably."""
    with ThreadPoolExecutor(2) as pool:  # one batch is read and normalised while the one before is written
        under_way: deque[Future[list[Receipt]]] = deque()
        for batch in batches(deliveries):
            under_way.append(pool.submit(copy_context().run, receive_batch, installation, batch))
            if len(under_way) > 1:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def receive_batch(installation: Installation, batch: list[Delivery]) -> list[Receipt]:
    """Receive a batch of deliveries of one contract: land, parse, normalise, keep the claims, register.

    Whatever moment it is stopped at, doing it again completes it: bytes land once, claims whose batch the ledger does
    not name count nowhere, and the registration is one transaction.
    """
    return register(installation, land(installation, batch))


@telemetry.span("land")
def land(installation: Installation, batch: list[Delivery]) -> list[Landed]:
    """Hop 1: keep the bytes of a batch's deliveries, durably."""
    store = installation.landing

    def _one(delivery: Delivery) -> Landed:
        return landing.put(store, _note(delivery, landing.now()), delivery.data), delivery.data

    if len(batch) == 1 or isinstance(installation.settings.landing, Path):
        return [_one(delivery) for delivery in batch]
    with ThreadPoolExecutor(LAND_AT_ONCE) as pool:  # each waits for two answers of S3
        return list(pool.map(_one, batch))


def register(installation: Installation, landed: list[Landed], settle: Settle | None = None) -> list[Receipt]:
    """Hops 3 to 5: parse and normalise what has landed under one contract, keep its claims, register it.

    What `settle` writes is of the transaction that registers, and before all else in it.
    """
    contract = installation.contract(landed[0][0].contract)
    notes = {note.submission_id: (note, data) for note, data in reversed(landed)}  # the first to come stands
    known = ledger.submissions(installation.engine, ids=list(notes))
    old = known.filter((pl.col("status") != "rejected") | (pl.col("contract_digest") == contract.digest()))
    again = _again(old)
    new = [(note, data) for key, (note, data) in notes.items() if key not in again]
    with telemetry.span("parse", contract=contract.contract):
        reads = [read(note, data, contract) for note, data in new]  # hop 3
    made = normalise_reads(reads, contract, installation)  # hop 4
    withdrawn = old.filter(status="withdrawn")["submission_id"].to_list()
    first = _restoring(withdrawn, settle or inbox.settle_found(list(notes)))
    if reads:
        receipts = _keep(installation, contract, reads, made, _Standing(known["submission_id"].to_list(), first))
        telling.registered(receipts, (r.note for r in reads))
    else:
        receipts = {}
        ledger.write(installation.engine, first)
    return _one_each(landed, again | receipts)


def _one_each(landed: list[Landed], receipts: dict[str, Receipt]) -> list[Receipt]:
    """Return a receipt for every delivery, in order: bytes that come twice in a batch are redelivered."""
    told = []
    for note, _ in landed:
        receipt = receipts[note.submission_id]
        told.append(receipt)
        if receipt.status != "rejected":
            receipts[note.submission_id] = replace(receipt, status="redelivered")
    return told


def check_delivery(installation: Installation, delivery: Delivery) -> tuple[Receipt, pl.DataFrame]:
    """Return the receipt and the rejects (`REJECT`) that a delivery would be given; nothing is stored."""
    contract = installation.contract(delivery.contract)
    note = _note(delivery, landing.now())
    reads = [read(note, delivery.data, contract)]
    told, rejects = summary(reads, normalise_reads(reads, contract, installation))
    return _receipt({**asdict(note), **told.row(0, named=True)}, reads[0].problem), rejects


def reconcile(installation: Installation, tell: Callable[[str], None] = lambda _: None) -> list[Receipt]:
    """Receive what stands in the landing zone and not in the ledger: a delivery that was cut off half-way."""
    return [receipt for receipts in receive(installation, waiting(installation, tell)) for receipt in receipts]


def waiting(installation: Installation, tell: Callable[[str], None] = lambda _: None) -> Iterator[Delivery]:
    """Yield what stands in the landing zone and not in the ledger, contract by contract.

    What cannot be received now (its contract is gone, say) is told and left where it is: the others do not wait for it.
    """
    store = installation.landing
    for key in sorted(_unregistered(installation)):
        try:
            note = landing.read_note(store, key)
            data = landing.get(store, installation.contract(note.contract).contract, note.sender, note.sha256)
        except EngangError as error:
            tell(f"left in the landing zone: {error}")
            continue
        yield Delivery(note.filename, data, note.contract, note.sender, note.period)


def _unregistered(installation: Installation) -> Iterator[str]:
    """Yield the keys of the notes of which the ledger names no submission, one of each."""
    told: set[str] = set()
    listed = landing.listing(installation.landing)
    while chunk := dict(islice(listed, LISTED)):
        known = ledger.submissions(installation.engine, ids=list(chunk), columns=["submission_id"])["submission_id"]
        new = chunk.keys() - set(known) - told
        told |= new
        yield from (chunk[submission] for submission in new)


def withdraw(installation: Installation, submission: str) -> bool:
    """Withdraw a submission; return whether it counted until now. `UsageError` if there is no such submission."""
    _known(installation, submission)
    return ledger.set_status(installation.engine, submission, "withdrawn")


def rejects_of(installation: Installation, submission: str) -> pl.DataFrame:
    """Return a submission's rejects and warnings (`REJECT`); `UsageError` if there is no such submission."""
    _known(installation, submission)
    return ledger.rejects(installation.engine, submission)


def _known(installation: Installation, submission: str) -> None:
    named = re.fullmatch(IDENTIFIER, submission)
    if not named or not ledger.submissions(installation.engine, ids=[submission], columns=["submission_id"]).height:
        raise UsageError(f"no submission {submission!r}: ask `engang query` for the submission_id of submissions")


@telemetry.span("register")
def _keep(
    installation: Installation,
    contract: Contract,
    reads: list[FileRead],
    made: Made | None,
    standing: _Standing,
) -> dict[str, Receipt]:
    """Hop 5: keep claims or records, then register in one transaction."""
    batch = uuid.uuid4().hex
    told, rejects = summary(reads, made)
    if made is not None:
        append_made(installation, contract, made, batch)
    notes = pl.DataFrame([asdict(r.note) for r in reads], infer_schema_length=None)
    rows = notes.join(told, on="submission_id").with_columns(
        pl.col("received_at").str.to_datetime(time_zone="UTC").dt.replace_time_zone(None),
        pl.col("period").cast(pl.String),
        pl.lit(contract.digest()).alias("contract_digest"),
        pl.lit(contract.obligation).alias("obligation"),
        pl.lit(batch).alias("batch"),
        pl.lit(False).alias("in_release"),
    )
    engine = installation.engine
    ledger.register_contract(engine, contract.contract, contract.digest(), contract.model_dump_json())
    new = ledger.register_submissions(
        engine,
        rows,
        reached_by(made),
        rejects,
        provisional_of(made),
        replace=standing.rejected,
        first=standing.first,
    )
    problems = {r.note.submission_id: r.problem for r in reads}
    receipts = {
        row["submission_id"]: _receipt(row, problems[row["submission_id"]]) for row in rows.iter_rows(named=True)
    }
    for other in receipts.keys() - set(new):  # someone else registered it meanwhile
        receipts[other] = replace(receipts[other], status="redelivered")
    return receipts


def _receipt(row: dict[str, object], problem: str | None = None) -> Receipt:
    known = {name: row[name] for name in Receipt.__dataclass_fields__ if name in row}
    receipt = Receipt(**known, problem=problem)  # type: ignore[arg-type]  # the ledger's columns bear the same names
    return replace(receipt, status="registered" if receipt.status == "live" else receipt.status)


def _restoring(withdrawn: list[str], settle: Settle) -> Settle:
    """Return what settles and then makes live again what was withdrawn and is delivered again."""

    def _first(connection: sa.Connection) -> None:
        settle(connection)
        ledger.restore(connection, withdrawn)

    return _first


def _again(known: pl.DataFrame) -> dict[str, Receipt]:
    """Return receipts for what is registered already; a withdrawn submission that is delivered again counts again."""
    receipts = {}
    for row in known.iter_rows(named=True):
        said = {"live": "redelivered", "withdrawn": "restored", "rejected": "rejected"}[row["status"]]
        receipts[row["submission_id"]] = replace(_receipt(row), status=said)
    return receipts


def append_made(installation: Installation, contract: Contract, made: Made, batch: str) -> None:
    """Keep what a batch became in the lake, durably."""
    root, named = installation.lake, pl.lit(batch).alias("batch")
    if isinstance(made, Normalised):
        lake.append(root, "claims", made.claims.with_columns(named))
    elif contract.record is not None:
        kind = installation.kind(contract.record.kind)
        columns = (*record(kind), lake.BATCH)
        lake.append(root, f"{kind.kind}_records", made.records.with_columns(named), columns)


def reached_by(made: Made | None) -> pl.DataFrame:
    """Return what a submission reaches: months of claims, or `records/<kind>`; submission_id, partition, claims."""
    if made is None:
        return pl.DataFrame(schema={"submission_id": pl.String, "partition": pl.String, "claims": pl.Int64})
    if isinstance(made, Normalised):
        told = made.claims.select("submission_id", "partition")
    else:
        told = made.records.select("submission_id", pl.lit(RECORDS + made.kind).alias("partition"))
    return told.group_by("submission_id", "partition").agg(pl.len().cast(pl.Int64).alias("claims")).sort(pl.all())


def provisional_of(made: Made | None) -> pl.DataFrame:
    """Return unit_id, kind, name of the units that no register holds; records speak of none."""
    if not isinstance(made, Normalised):
        return pl.DataFrame(schema={"unit_id": pl.String, "kind": pl.String, "name": pl.String})
    units = made.claims.filter(pl.col("unit_id").str.starts_with("provisional:"))
    return units.group_by("unit_id").agg(
        pl.col("unit_kind").first().alias("kind"), pl.col("unit_name").min().alias("name")
    )


def _note(delivery: Delivery, at: datetime) -> landing.Note:
    sha256 = content_hash(delivery.data)
    return landing.Note(
        submission_id=identify.submission_id(delivery.contract, delivery.sender, delivery.period, sha256),
        contract=delivery.contract,
        sender=delivery.sender,
        sha256=sha256,
        filename=delivery.filename,
        period=delivery.period,
        bytes=size_of(delivery.data),
        received_at=at.isoformat(),
    )


def batches(deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
    """Yield the deliveries in batches, each of one contract and bounded in bytes, as read, and in files."""
    batch: list[Delivery] = []
    size = 0
    for delivery in deliveries:
        if batch and (size + _likely_size(delivery.data) > BATCH_BYTES or len(batch) >= BATCH_FILES
                      or delivery.contract != batch[0].contract):  # fmt: skip
            yield batch
            batch, size = [], 0
        batch.append(delivery)
        size += _likely_size(delivery.data)
    if batch:
        yield batch


def _likely_size(data: Content) -> int:
    if isinstance(data, bytes):
        return likely_size(data)
    size = data.stat().st_size
    with data.open("rb") as file:
        start = file.read(len(GZIP))
        file.seek(max(0, size - TRAILER))
        return max(size, likely_size(start + file.read()))
