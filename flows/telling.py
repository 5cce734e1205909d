"""What hops leave in the log and in the metrics, of what they did."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from infra import telemetry
from schemas.claims import COUNTED

if TYPE_CHECKING:
    from flows.intake.receipt import Receipt
    from infra.ledger.submissions import Release
    from infra.storage.landing import Note


def registered(receipts: Mapping[str, "Receipt"], notes: Iterable["Note"]) -> None:
    """Tell of submissions that were registered just now: a line and its counts each, and how old it was by then."""
    now = datetime.now(UTC)
    received = {note.submission_id: note.received_at for note in notes}
    log = telemetry.log("receiving")
    for id_, receipt in receipts.items():
        counts = {name: getattr(receipt, name) for name in COUNTED}
        told = {"submission": id_, "contract": receipt.contract, "sender": receipt.sender, "status": receipt.status}
        log.info("submission registered", extra={**told, **counts})
        telemetry.count_rows(receipt.contract, **counts)
        telemetry.record_lag("registered", (now - datetime.fromisoformat(received[id_])).total_seconds())


def released(release: "Release", entered: pl.DataFrame) -> None:
    """Tell of a release that was published just now, and how old the oldest submission new in it was."""
    told = {"release": release["release"], "run": release["run_id"], "items": release["counts"].get("items")}
    telemetry.log("night").info("release published", extra=told)
    now = pl.lit(datetime.now(UTC).replace(tzinfo=None), dtype=pl.Datetime("us"))
    lag = entered.select((now - pl.col("received_at").min()).dt.total_milliseconds()).item()
    if lag is not None:
        telemetry.record_lag("released", lag / 1000)
