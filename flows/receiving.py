"""From delivered bytes to registered claims and records: the first five hops."""

import re
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

import polars as pl

from flows.installation import Installation
from flows.normalising import FileRead, Made, normalise_reads, read, summary
from infra import lake, landing, ledger
from schemas.contract import IDENTIFIER, Contract
from schemas.errors import EngangError, UsageError
from schemas.record_tables import RECORDS, record
from transforms import identify
from transforms.normalise import Normalised
from transforms.unpack import likely_size

BATCH_BYTES: Final = 24 * 2**20
BATCH_FILES: Final = 1000
"""How much is read, normalised and registered at once: memory is bounded by the batch, not by the delivery."""


Landed: TypeAlias = tuple[landing.Note, bytes]
"""A delivery in the landing zone: its note and its bytes."""


@dataclass(frozen=True)
class Delivery:
    """One file on its way in. `period` is what the delivery says and the file does not."""

    filename: str
    data: bytes
    contract: str
    sender: str
    period: str | None = None


@dataclass(frozen=True)
class Receipt:
    """What a sender is told: what came, what it gave, what is wrong with it.

    status: registered, redelivered (the same bytes again: nothing changed), restored (it had been withdrawn) or
    rejected (nothing of it counts). Counts are rows, `claims` apart.
    """

    submission_id: str
    filename: str
    contract: str
    sender: str
    period: str | None
    status: str
    delivered: int = 0
    claims: int = 0
    rejected: int = 0
    ignored: int = 0
    warnings: int = 0
    problem: str | None = None


def deliver(  # noqa: PLR0913  what the command line says of one file
    installation: Installation, filename: str, data: bytes, contract: str, *, sender: str | None, period: str | None
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
            under_way.append(pool.submit(receive_batch, installation, batch))
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


def land(installation: Installation, batch: list[Delivery]) -> list[Landed]:
    """Hop 1: keep the bytes of a batch's deliveries, durably."""
    landed = []
    for delivery in batch:
        note = landing.put(installation.settings.landing, _note(delivery, landing.now()), delivery.data)
        landed.append((note, delivery.data))
    return landed


def register(installation: Installation, landed: list[Landed]) -> list[Receipt]:
    """Hops 3 to 5: parse and normalise what has landed under one contract, keep its claims, register it."""
    contract = installation.contract(landed[0][0].contract)
    notes = {note.submission_id: (note, data) for note, data in reversed(landed)}  # the first to come stands
    known = ledger.submissions(installation.engine, ids=list(notes))
    old = known.filter((pl.col("status") != "rejected") | (pl.col("contract_digest") == contract.digest()))
    again = _again(installation, old)
    new = [(note, data) for key, (note, data) in notes.items() if key not in again]
    reads = [read(note, data, contract) for note, data in new]  # hop 3
    made = normalise_reads(reads, contract, installation)  # hop 4
    receipts = _keep(installation, contract, reads, made, known["submission_id"].to_list()) if reads else {}
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
    root = installation.settings.landing
    found = dict(landing.listing(root))
    known = ledger.submissions(installation.engine, columns=["submission_id"])["submission_id"]
    for submission in sorted(set(found) - set(known), key=lambda s: found[s]):
        try:
            note = landing.read_note(found[submission])
            data = landing.get(root, installation.contract(note.contract).contract, note.sender, note.sha256)
        except EngangError as error:
            tell(f"left in the landing zone: {error}")
            continue
        yield Delivery(note.filename, data, note.contract, note.sender, note.period)


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


def _keep(
    installation: Installation,
    contract: Contract,
    reads: list[FileRead],
    made: Made | None,
    known: list[str],
) -> dict[str, Receipt]:
    """Hop 5: keep claims or records, then register in one transaction; `known` were rejected by an older contract."""
    batch = uuid.uuid4().hex
    told, rejects = summary(reads, made)
    if made is not None:
        _append(installation, contract, made, batch)
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
    new = ledger.register_submissions(engine, rows, _partitions(made), rejects, _provisional(made), replace=known)
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


def _again(installation: Installation, known: pl.DataFrame) -> dict[str, Receipt]:
    """Return receipts for what is registered already; a withdrawn submission that is delivered again counts again."""
    receipts = {}
    for row in known.iter_rows(named=True):
        if row["status"] == "withdrawn":
            ledger.set_status(installation.engine, row["submission_id"], "live")
        said = {"live": "redelivered", "withdrawn": "restored", "rejected": "rejected"}[row["status"]]
        receipts[row["submission_id"]] = replace(_receipt(row), status=said)
    return receipts


def _append(installation: Installation, contract: Contract, made: Made, batch: str) -> None:
    """Keep what a batch became in the lake, durably."""
    root, named = installation.settings.lake, pl.lit(batch).alias("batch")
    if isinstance(made, Normalised):
        lake.append(root, "claims", made.claims.with_columns(named))
    elif contract.record is not None:
        kind = installation.kind(contract.record.kind)
        columns = (*record(kind), lake.BATCH)
        lake.append(root, f"{kind.kind}_records", made.records.with_columns(named), columns)


def _partitions(made: Made | None) -> pl.DataFrame:
    """Return what a submission reaches: months of claims, or `records/<kind>`; submission_id, partition, claims."""
    if made is None:
        return pl.DataFrame(schema={"submission_id": pl.String, "partition": pl.String, "claims": pl.Int64})
    if isinstance(made, Normalised):
        told = made.claims.select("submission_id", "partition")
    else:
        told = made.records.select("submission_id", pl.lit(RECORDS + made.kind).alias("partition"))
    return told.group_by("submission_id", "partition").agg(pl.len().cast(pl.Int64).alias("claims")).sort(pl.all())


def _provisional(made: Made | None) -> pl.DataFrame:
    """Return unit_id, kind, name of the units that no register holds; records speak of none."""
    if not isinstance(made, Normalised):
        return pl.DataFrame(schema={"unit_id": pl.String, "kind": pl.String, "name": pl.String})
    units = made.claims.filter(pl.col("unit_id").str.starts_with("provisional:"))
    return units.group_by("unit_id").agg(
        pl.col("unit_kind").first().alias("kind"), pl.col("unit_name").min().alias("name")
    )


def _note(delivery: Delivery, at: datetime) -> landing.Note:
    sha256 = landing.content_hash(delivery.data)
    return landing.Note(
        submission_id=identify.submission_id(delivery.contract, delivery.sender, delivery.period, sha256),
        contract=delivery.contract,
        sender=delivery.sender,
        sha256=sha256,
        filename=delivery.filename,
        period=delivery.period,
        bytes=len(delivery.data),
        received_at=at.isoformat(),
    )


def batches(deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
    """Yield the deliveries in batches, each of one contract and bounded in bytes, as read, and in files."""
    batch: list[Delivery] = []
    size = 0
    for delivery in deliveries:
        if batch and (size + likely_size(delivery.data) > BATCH_BYTES or len(batch) >= BATCH_FILES
                      or delivery.contract != batch[0].contract):  # fmt: skip
            yield batch
            batch, size = [], 0
        batch.append(delivery)
        size += likely_size(delivery.data)
    if batch:
        yield batch
