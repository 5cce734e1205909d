"""From delivered bytes to registered claims and records: the first five hops."""

import re
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

import polars as pl
import sqlalchemy as sa

from flows.installation import Installation
from flows.intake.deliveries import Delivery, Landed, batches, land, landing_note, unregistered_deliveries
from flows.intake.normalisation import NormalisedBatch, ParsedFile, normalise_files, parse_file, summarise_files
from flows.intake.receipt import Receipt
from infra import telemetry
from infra.inbox import work_queue as inbox
from infra.lake import delta as lake
from infra.ledger import submissions as ledger_submissions
from infra.storage import landing
from schemas.claims import COUNT_COLUMNS
from schemas.contract import IDENTIFIER, Contract
from schemas.errors import UsageError
from schemas.record_tables import RECORDS_PREFIX, record_columns
from transforms.normalisation.observations import Normalised

LedgerWrite: TypeAlias = Callable[[sa.Connection], None]
"""A write that belongs to the transaction of a registration."""


class _Replacement(NamedTuple):
    """The submissions, rejected by an older contract, that a registration replaces; `first` is its first write."""

    rejected: list[str]
    first: LedgerWrite


def receive(installation: Installation, deliveries: Iterable[Delivery]) -> Iterator[list[Receipt]]:
    """Receive deliveries batch by batch; yield the receipts of each batch when it is registered, durably."""
    with ThreadPoolExecutor(2) as pool:  # one batch is read and normalised while the one before is written
        under_way: deque[Future[list[Receipt]]] = deque()
        for batch in batches(deliveries):
            under_way.append(pool.submit(copy_context().run, receive_batch, installation, batch))
            if len(under_way) > 1:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def receive_batch(installation: Installation, batch: list[Delivery]) -> list[Receipt]:
    """Receive a batch of deliveries of one contract: land, parse, normalise, store the claims, register.

    It may be stopped at any moment; running it again completes it. Bytes land once, the registration is one
    transaction, and claims whose batch the ledger does not name are never counted.
    """
    return register(installation, land(installation, batch))


def register(installation: Installation, landed: list[Landed], settle: LedgerWrite | None = None) -> list[Receipt]:
    """Hops 3 to 5: parse and normalise landed files of one contract, store their claims, register them.

    `settle` is written in the transaction that registers, before all else in it.
    """
    contract = installation.contract(landed[0][0].contract)
    notes = {note.submission_id: (note, data) for note, data in reversed(landed)}  # the first of equal bytes wins
    known = ledger_submissions.read_submissions(installation.engine, ids=list(notes))
    registered = known.filter((pl.col("status") != "rejected") | (pl.col("contract_digest") == contract.digest()))
    repeated = _repeated_receipts(registered)
    new = [(note, data) for key, (note, data) in notes.items() if key not in repeated]
    with telemetry.span("parse", contract=contract.contract):
        files = [parse_file(note, data, contract) for note, data in new]  # hop 3
    normalised = normalise_files(files, contract, installation)  # hop 4
    withdrawn = registered.filter(status="withdrawn")["submission_id"].to_list()
    # The order matters: settling checks the worker's lease and fails if it is lost. Nothing of a batch may be
    # written by a worker that another one has already replaced.
    first = _settle_and_restore(settle or inbox.acknowledge_submissions(list(notes)), withdrawn)
    if files:
        replacement = _Replacement(known["submission_id"].to_list(), first)
        receipts = _store_and_register(installation, contract, files, normalised, replacement)
        _log_registered(receipts, (file.note for file in files))
    else:
        receipts = {}
        ledger_submissions.run_in_transaction(installation.engine, first)
    return _receipt_per_delivery(landed, repeated | receipts)


def _receipt_per_delivery(landed: list[Landed], receipts: dict[str, Receipt]) -> list[Receipt]:
    """Return a receipt for every delivery, in order; bytes that occur twice in a batch are redelivered."""
    in_order = []
    for note, _ in landed:
        receipt = receipts[note.submission_id]
        in_order.append(receipt)
        if receipt.status != "rejected":
            receipts[note.submission_id] = replace(receipt, status="redelivered")
    return in_order


def check_delivery(installation: Installation, delivery: Delivery) -> tuple[Receipt, pl.DataFrame]:
    """Return the receipt and the rejects (`REJECT`) that a delivery would get; nothing is stored."""
    contract = installation.contract(delivery.contract)
    note = landing_note(delivery, landing.receipt_time())
    files = [parse_file(note, delivery.data, contract)]
    counts, rejects = summarise_files(files, normalise_files(files, contract, installation))
    return _receipt({**asdict(note), **counts.row(0, named=True)}, files[0].problem), rejects


def reconcile(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> list[Receipt]:
    """Receive what is in the landing zone but not in the ledger: deliveries that were cut off half-way."""
    found = unregistered_deliveries(installation, progress)
    return [receipt for receipts in receive(installation, found) for receipt in receipts]


def withdraw(installation: Installation, submission: str) -> bool:
    """Withdraw a submission; return whether it counted until now. `UsageError` if there is no such submission."""
    _check_known(installation, submission)
    return ledger_submissions.set_status(installation.engine, submission, "withdrawn")


def list_rejects(installation: Installation, submission: str) -> pl.DataFrame:
    """Return a submission's rejects and warnings (`REJECT`); `UsageError` if there is no such submission."""
    _check_known(installation, submission)
    return ledger_submissions.read_rejects(installation.engine, submission)


def _check_known(installation: Installation, submission: str) -> None:
    is_id = re.fullmatch(IDENTIFIER, submission)
    if (
        not is_id
        or not ledger_submissions.read_submissions(
            installation.engine, ids=[submission], columns=["submission_id"]
        ).height
    ):
        raise UsageError(f"no submission {submission!r}: ask `engang query` for the submission_id of submissions")


@telemetry.span("register")
def _store_and_register(
    installation: Installation,
    contract: Contract,
    files: list[ParsedFile],
    normalised: NormalisedBatch | None,
    replacement: _Replacement,
) -> dict[str, Receipt]:
    """Hop 5: store claims or records in the lake, then register the submissions in one transaction."""
    batch = uuid.uuid4().hex
    counts, rejects = summarise_files(files, normalised)
    if normalised is not None:
        append_batch(installation, contract, normalised, batch)
    notes = pl.DataFrame([asdict(file.note) for file in files], infer_schema_length=None)
    rows = notes.join(counts, on="submission_id").with_columns(
        pl.col("received_at").str.to_datetime(time_zone="UTC").dt.replace_time_zone(None),
        pl.col("period").cast(pl.String),
        pl.lit(contract.digest()).alias("contract_digest"),
        pl.lit(contract.obligation).alias("obligation"),
        pl.lit(batch).alias("batch"),
        pl.lit(False).alias("in_release"),
    )
    engine = installation.engine
    ledger_submissions.register_contract(engine, contract.contract, contract.digest(), contract.model_dump_json())
    new = ledger_submissions.register_submissions(
        engine,
        rows,
        partitions_of(normalised),
        rejects,
        provisional_units_of(normalised),
        replace=replacement.rejected,
        write_first=replacement.first,
    )
    problems = {file.note.submission_id: file.problem for file in files}
    receipts = {(id_ := row["submission_id"]): _receipt(row, problems[id_]) for row in rows.iter_rows(named=True)}
    # Two workers may receive the same bytes at once. The ledger's unique key lets one of them register; the other
    # one's claims carry a batch that the ledger does not name, so they never count.
    for duplicate in receipts.keys() - set(new):
        receipts[duplicate] = replace(receipts[duplicate], status="redelivered")
    return receipts


def _receipt(row: dict[str, object], problem: str | None = None) -> Receipt:
    fields = {name: row[name] for name in Receipt.__dataclass_fields__ if name in row}
    receipt = Receipt(**fields, problem=problem)  # type: ignore[arg-type]  # the ledger's columns bear the same names
    return replace(receipt, status="registered" if receipt.status == "live" else receipt.status)


def _log_registered(receipts: Mapping[str, Receipt], notes: Iterable[landing.Note]) -> None:
    """Log each submission that was registered just now, with its counts; record how old it was by then."""
    now = datetime.now(UTC)
    received = {note.submission_id: note.received_at for note in notes}
    log = telemetry.log("receiving")
    for id_, receipt in receipts.items():
        counts = {name: getattr(receipt, name) for name in COUNT_COLUMNS}
        fields = {"submission": id_, "contract": receipt.contract, "sender": receipt.sender, "status": receipt.status}
        log.info("submission registered", extra={**fields, **counts})
        telemetry.record_rows(receipt.contract, **counts)
        telemetry.record_lag("registered", (now - datetime.fromisoformat(received[id_])).total_seconds())


def _settle_and_restore(settle: LedgerWrite, withdrawn: list[str]) -> LedgerWrite:
    """Return a write that settles inbox rows, then restores withdrawn submissions that were delivered again."""

    def _first(connection: sa.Connection) -> None:
        settle(connection)
        ledger_submissions.restore_withdrawn(connection, withdrawn)

    return _first


def _repeated_receipts(registered: pl.DataFrame) -> dict[str, Receipt]:
    """Return receipts for what is registered already; a withdrawn submission that is delivered again counts again."""
    receipts = {}
    for row in registered.iter_rows(named=True):
        status = {"live": "redelivered", "withdrawn": "restored", "rejected": "rejected"}[row["status"]]
        receipts[row["submission_id"]] = replace(_receipt(row), status=status)
    return receipts


def append_batch(installation: Installation, contract: Contract, normalised: NormalisedBatch, batch: str) -> None:
    """Append the claims or records of a batch to the lake, durably."""
    root, batch_column = installation.lake, pl.lit(batch).alias("batch")
    if isinstance(normalised, Normalised):
        lake.append(root, "claims", normalised.claims.with_columns(batch_column))
    elif contract.record is not None:
        kind = installation.kind(contract.record.kind)
        columns = (*record_columns(kind), lake.BATCH_COLUMN)
        lake.append(root, f"{kind.kind}_records", normalised.records.with_columns(batch_column), columns)


def partitions_of(normalised: NormalisedBatch | None) -> pl.DataFrame:
    """Return the partitions that each submission has claims in: submission_id, partition, claims.

    A partition is a month of observations, or `records/<kind>`.
    """
    if normalised is None:
        return pl.DataFrame(schema={"submission_id": pl.String, "partition": pl.String, "claims": pl.Int64})
    if isinstance(normalised, Normalised):
        rows = normalised.claims.select("submission_id", "partition")
    else:
        rows = normalised.records.select("submission_id", pl.lit(RECORDS_PREFIX + normalised.kind).alias("partition"))
    return rows.group_by("submission_id", "partition").agg(pl.len().cast(pl.Int64).alias("claims")).sort(pl.all())


def provisional_units_of(normalised: NormalisedBatch | None) -> pl.DataFrame:
    """Return the units that no register has (unit_id, kind, name); records have none."""
    if not isinstance(normalised, Normalised):
        return pl.DataFrame(schema={"unit_id": pl.String, "kind": pl.String, "name": pl.String})
    units = normalised.claims.filter(pl.col("unit_id").str.starts_with("provisional:"))
    return units.group_by("unit_id").agg(
        pl.col("unit_kind").first().alias("kind"), pl.col("unit_name").min().alias("name")
    )
