"""From delivered bytes to registered claims and records: the first five hops."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import polars as pl
import sqlalchemy as sa

from flows.contracts.gate import usable_contract
from flows.contracts.open_answers import locate_open_answers
from flows.installation import Installation
from flows.intake.batches.cluster_reading import read_on_cluster
from flows.intake.batches.storing import partitions_of, store_batch
from flows.intake.deliveries import (
    Delivery,
    InBatch,
    Landed,
    batches,
    land,
    landing_note,
    refused_deliveries,
    unregistered_deliveries,
)
from flows.intake.earlier import compare_unregistered
from flows.intake.isolation import EMPTY_READING, read_isolated, start_reader
from flows.intake.leases import check_stores, reason_of, renewed_lease, worker_name
from flows.intake.previous_period import with_change_warnings
from flows.intake.reading import ANY_ERROR, CHANGED, Reading
from flows.intake.receipt import Receipt
from infra import telemetry
from infra.inbox.landed import LANDED_ROW, PARKED_ROW, acknowledge_and_park, lease_landed, park_landed
from infra.inbox.work_queue import acknowledge_submissions, requeue_failed
from infra.ledger import submissions as ledger_submissions
from infra.storage import landing
from infra.storage.store import Content
from schemas.claims import COUNT_COLUMNS
from schemas.contract import IDENTIFIER, Contract
from schemas.errors import EngangError, StoreAwayError, StoreError, UsageError, WorkersLost

LedgerWrite: TypeAlias = Callable[[sa.Connection], None]
"""A write that belongs to the transaction of a registration."""


class _Replacement(NamedTuple):
    """The submissions, rejected by an older contract, that a registration replaces; `first` is its first write."""

    rejected: list[str]
    first: LedgerWrite


def receive(installation: Installation, deliveries: Iterable[Delivery]) -> Iterator[list[Receipt]]:
    """Receive deliveries batch by batch; yield the receipts of each batch when it is registered, durably.

    A file that cannot be read is parked: its receipt says so, and the others are registered.
    """
    start_reader()
    yield from _overlapping(partial(receive_batch, installation), batches(deliveries))


def receive_batch(installation: Installation, batch: list[Delivery]) -> list[Receipt]:
    """Receive a batch of deliveries of one contract: land, enqueue, parse, normalise, store the claims, register.

    It may be stopped at any moment; running it again completes it, and so does the next night. Bytes land once, the
    registration is one transaction, and claims whose batch the ledger does not name are never counted.
    """
    refused = refused_deliveries(installation, batch)
    accepted = [delivery for place, delivery in enumerate(batch) if place not in refused]
    with telemetry.span("receive", contract=batch[0].contract):
        landed = land(installation, accepted) if accepted else []
        receipts = iter(_register_landed(installation, landed, on_request=True) if landed else [])
    return [
        _refused(delivery, refused[place]) if place in refused else next(receipts)
        for place, delivery in enumerate(batch)
    ]


def _refused(delivery: Delivery, reason: str) -> Receipt:
    """Return the receipt of a delivery whose bytes were erased: nothing of it is stored."""
    note = landing_note(delivery, landing.receipt_time())
    return _receipt({**asdict(note), "status": "rejected"}, reason)


def reconcile(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> list[Receipt]:
    """Register what is in the landing zone but not in the ledger: deliveries that were cut off half-way.

    What cannot be read is parked. What is parked or dismissed already is left to the person who looks after it. Raises
    `StoreAwayError` if a store cannot be read or written.
    """

    def _park(submission: str, key: str, error: EngangError) -> None:
        check_stores(installation)
        progress(f"parked: {key} of the landing zone: {error}")
        row = {"object": key, "sender": key.split("/")[1], "bytes": None, "submission_id": submission}
        park_landed(installation.engine, pl.DataFrame([{**row, "reason": str(error)}], PARKED_ROW))

    found = batches(unregistered_deliveries(installation, _park))
    step = partial(_register_landed, installation, on_request=False)
    ahead = 1 if installation.cluster is None else installation.cluster.width + 1  # no worker waits for a registration
    receipts = [receipt for some in _overlapping(step, found, ahead) for receipt in some]
    for receipt in receipts:
        if receipt.status == "parked":
            progress(f"parked: {receipt.submission_id} of {receipt.contract}: {receipt.problem}")
    return [receipt for receipt in receipts if receipt.status != "parked"]


def _overlapping(
    step: Callable[[list[InBatch]], list[Receipt]], found: Iterable[list[InBatch]], ahead: int = 1
) -> Iterator[list[Receipt]]:
    """Yield the receipts of batches in order; `ahead` batches are read while the one before them is written."""
    with ThreadPoolExecutor(ahead + 1) as pool:
        under_way: deque[Future[list[Receipt]]] = deque()
        for batch in found:
            under_way.append(pool.submit(copy_context().run, step, batch))
            if len(under_way) > ahead:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _register_landed(installation: Installation, landed: list[Landed], *, on_request: bool) -> list[Receipt]:
    """Register landed deliveries through rows of the inbox, which are leased here and settled with the registration.

    If registering fails, each is registered alone; one that fails alone waits for a retry if a store failed, else it is
    parked. `on_request`: a person waits for the receipts, so what is parked is tried again, and an error that Engang
    raises on purpose is raised.
    """
    engine, worker = installation.engine, worker_name()
    ids = lease_landed(engine, worker, _landed_rows(landed), retry=on_request)
    with renewed_lease(engine, worker, ids):
        try:
            return register(installation, landed)
        except StoreAwayError:
            raise  # the cluster is away: no delivery is to blame
        except ANY_ERROR as error:
            if on_request and isinstance(error, EngangError | OSError):
                raise
            if isinstance(error, StoreError | OSError):
                check_stores(installation)
            if len(landed) == 1:
                return _settle_failed(installation, landed[0], worker, ids, error)
    alone = (_register_landed(installation, [each], on_request=on_request) for each in landed)
    return [receipt for receipts in alone for receipt in receipts]


def _settle_failed(
    installation: Installation, failed: Landed, worker: str, ids: list[int], error: BaseException
) -> list[Receipt]:
    """Let a delivery that failed alone wait for a retry if a store failed, or park it; return its receipt if it is."""
    if isinstance(error, StoreError | OSError):
        requeue_failed(installation.engine, worker, ids, reason_of(error))
        return []
    reasons = {failed.note.submission_id: reason_of(error)}
    park_landed(installation.engine, _parked_rows([failed], reasons))
    return [_parked(failed.note, reasons)]


def register(installation: Installation, landed: list[Landed], settle: LedgerWrite | None = None) -> list[Receipt]:
    """Hops 3 to 5: parse and normalise landed files of one contract, store their claims, register them.

    A file that cannot be read is parked in the same transaction. `settle` is written in it before all else. Raises
    `StoreError` if a file is no longer what landed.
    """
    contract = usable_contract(installation, landed[0].note.contract)
    notes = {note.submission_id: (note, data) for note, data in reversed(landed)}  # the first of equal bytes wins
    known = ledger_submissions.read_submissions(installation.engine, ids=list(notes))
    registered = known.filter((pl.col("status") != "rejected") | (pl.col("contract_digest") == contract.digest()))
    receipts = _repeated_receipts(registered)
    new = [(note, data) for key, (note, data) in notes.items() if key not in receipts]
    with telemetry.span("read", contract=contract.contract):
        reading = _read_landed(installation, contract, new)  # hops 3 and 4
    withdrawn = registered.filter(status="withdrawn")["submission_id"].to_list()
    settle = settle or acknowledge_submissions(list(notes))
    if reading.failures:
        settle = acknowledge_and_park(settle, _parked_rows(landed, reading.failures))
    # The order matters: settling checks the worker's lease and fails if it is lost. Nothing of a batch may be
    # written by a worker that another one has already replaced.
    first = _settle_and_restore(settle, withdrawn)
    read = [note for note, _ in new if not _failed(note, reading)]
    if read:
        replacement = _Replacement(known["submission_id"].to_list(), first)
        own = _store_and_register(installation, contract, read, reading, replacement)
        _log_registered(own, read)
        receipts |= own
    else:
        ledger_submissions.run_in_transaction(installation.engine, first)
    receipts |= {note.submission_id: _parked(note, reading.failures) for note, _ in new if _failed(note, reading)}
    return _receipt_per_delivery(landed, receipts)


def _read_landed(
    installation: Installation, contract: Contract, files: list[tuple[landing.Note, Content | None]]
) -> Reading:
    """Read landed files: a worker does, if there is a cluster, else this process, whose contents are at hand."""
    if files and installation.cluster is not None:
        try:
            return read_on_cluster(installation, installation.cluster, contract, [note for note, _ in files])
        except WorkersLost as lost:
            telemetry.log("intake").warning("this process reads a batch itself: %s", lost)
    store = installation.landing
    contents = [
        (note, landing.content(store, note.contract, note.sender, note.sha256, note.bytes) if data is None else data)
        for note, data in files
    ]
    return _read(installation, contract, contents)


def _read(installation: Installation, contract: Contract, files: list[tuple[landing.Note, Content]]) -> Reading:
    if not files:
        return EMPTY_READING
    reading = read_isolated(installation, contract, files)
    changed = [note.filename for note, _ in files if reading.failures.get(note.submission_id) == CHANGED]
    if changed:
        raise StoreError(f"{changed[0]}: {CHANGED}")
    return with_change_warnings(installation, contract, reading)


def _landed_rows(landed: Iterable[Landed]) -> pl.DataFrame:
    """Return the inbox's rows (`LANDED_ROW`) of landed deliveries."""
    rows = [(landing.note_key(note), note.sender, note.bytes, note.submission_id) for note, _ in landed]
    return pl.DataFrame(rows, LANDED_ROW, orient="row").unique("submission_id", keep="first")


def _failed(note: landing.Note, reading: Reading) -> bool:
    return note.submission_id in reading.failures


def _parked_rows(landed: Iterable[Landed], reasons: Mapping[str, str]) -> pl.DataFrame:
    rows = _landed_rows(each for each in landed if each.note.submission_id in reasons)
    return rows.with_columns(reason=pl.col("submission_id").replace_strict(reasons, return_dtype=pl.String))


def _parked(note: landing.Note, reasons: Mapping[str, str]) -> Receipt:
    telemetry.log("intake").warning("a file could not be read and is parked", extra={"submission": note.submission_id})
    return _receipt({**asdict(note), "status": "parked"}, reasons[note.submission_id])


def _receipt_per_delivery(landed: list[Landed], receipts: dict[str, Receipt]) -> list[Receipt]:
    """Return a receipt for every delivery, in order; bytes that occur twice in a batch are redelivered."""
    in_order = []
    for note, _ in landed:
        receipt = receipts[note.submission_id]
        in_order.append(receipt)
        if receipt.status != "rejected":
            receipts[note.submission_id] = replace(receipt, status="redelivered")
    return in_order


def check_delivery(
    installation: Installation, delivery: Delivery, *, earlier: bool = True
) -> tuple[Receipt, pl.DataFrame]:
    """Return the receipt and the rejects (`REJECT`) that a delivery would get; nothing is stored.

    A file that cannot be read, or only beyond its budget, has the status `parked`. The contract may be a draft: the
    receipt lists its open answers. earlier: with what it changes of what its sender delivered before.
    """
    contract = usable_contract(installation, delivery.contract)
    note = landing_note(delivery, landing.receipt_time())
    reading = _read(installation, contract, [(note, delivery.data)])
    answers = tuple(locate_open_answers(installation, contract))
    if reading.failures:
        return replace(_parked(note, reading.failures), open_answers=answers), reading.rejects
    row = {**asdict(note), **reading.counts.row(0, named=True)}
    receipt = _receipt(row, reading.problems.get(note.submission_id), reading.ignored.get(note.submission_id))
    receipt = replace(receipt, open_answers=answers)
    if earlier:
        partitions = partitions_of(reading.normalised)["partition"]
        changes = compare_unregistered(installation, row, reading.normalised, partitions)
        receipt = replace(receipt, earlier=changes)
    return receipt, reading.rejects


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
    notes: list[landing.Note],
    reading: Reading,
    replacement: _Replacement,
) -> dict[str, Receipt]:
    """Hop 5: store claims or records in the lake, then register the submissions in one transaction."""
    stored = store_batch(installation, contract, reading)
    rows = _submission_rows(contract, notes, reading.counts, stored.batch)
    engine = installation.engine
    ledger_submissions.register_contract(engine, contract.contract, contract.digest(), contract.model_dump_json())
    new = ledger_submissions.register_submissions(
        engine,
        rows,
        stored.partitions,
        reading.rejects,
        stored.units,
        replace=replacement.rejected,
        write_first=replacement.first,
    )
    problems = reading.problems
    receipts = {
        (id_ := row["submission_id"]): _receipt(row, problems.get(id_), reading.ignored.get(id_))
        for row in rows.iter_rows(named=True)
    }
    # Two workers may receive the same bytes at once. The ledger's unique key lets one of them register; the other
    # one's claims carry a batch that the ledger does not name, so they never count.
    for duplicate in receipts.keys() - set(new):
        receipts[duplicate] = replace(receipts[duplicate], status="redelivered")
    return receipts


def _submission_rows(contract: Contract, notes: list[landing.Note], counts: pl.DataFrame, batch: str) -> pl.DataFrame:
    """Return the rows of the ledger's table of submissions."""
    stored_notes = pl.DataFrame([asdict(note) for note in notes], infer_schema_length=None)
    return stored_notes.join(counts, on="submission_id").with_columns(
        pl.col("received_at").str.to_datetime(time_zone="UTC").dt.replace_time_zone(None),
        pl.col("period", "replaces").cast(pl.String),
        pl.col("as_of").cast(pl.String).str.to_datetime(landing.AS_OF_FORMAT),
        pl.lit(contract.digest()).alias("contract_digest"),
        pl.lit(contract.obligation).alias("obligation"),
        pl.lit(batch).alias("batch"),
        pl.lit(False).alias("in_release"),
    )


def _receipt(row: dict[str, Any], problem: str | None = None, ignored: Mapping[str, int] | None = None) -> Receipt:
    fields = {name: row[name] for name in Receipt.__dataclass_fields__ if name in row}
    receipt = Receipt(**fields, problem=problem, ignored_by=ignored or {})
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
