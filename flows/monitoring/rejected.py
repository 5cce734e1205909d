"""Files that were rejected whole and are not delivered again yet, by contract and reason; person numbers.

When a form changes, a whole stream of files is rejected for one reason: that is one line, with what to do about it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from flows.events import SUBMISSION_REJECTED, publish_event
from flows.installation import Installation
from infra.ledger import monitoring as ledger_monitoring
from infra.ledger.sql import utc_now

REJECTED_DAYS: Final = timedelta(days=7)
"""How long a rejected file is shown at least: the last release may be of this night."""
MAX_COLUMNS_LISTED: Final = 20
UNKNOWN_COLUMN: Final = "unknown-column"
_UNKNOWN_NAMES: Final = (
    pl.col("found").str.extract_all(r"'[^']*'|\"[^\"]*\"").list.eval(pl.element().str.head(-1).str.slice(1))
)
"""The names that the reject of unknown columns lists, each in quotes."""


@dataclass(frozen=True)
class RejectedFiles:
    """The files of a contract that were rejected whole for one reason (a code of `REASONS`).

    columns: the columns that the rejects name, the most frequent first. senders: who delivered them. submission: one of
    them, the newest; newest: when it was received.
    """

    contract: str
    reason: str
    files: int
    columns: tuple[str, ...]
    senders: tuple[str, ...]
    submission: str
    newest: datetime


def rejected_since(now: datetime, published: datetime | None) -> datetime:
    """Return from when on rejected files are shown: since the last release, and for a week at least."""
    return min(now - REJECTED_DAYS, published or now)


def rejected_files(installation: Installation, since: datetime) -> list[RejectedFiles]:
    """Return what was received since then and rejected whole, most files first.

    A file is left out once its sender has delivered an accepted one under the same name.
    """
    rows = ledger_monitoring.read_rejected(installation.engine, since)
    if rows.is_empty():
        return []
    key = ["contract", "sender", "filename"]
    accepted = ledger_monitoring.read_accepted(installation.engine, rows["contract"].unique().to_list(), since)
    later = accepted.group_by(key).agg(pl.col("received_at").max().alias("accepted_at"))
    rows = rows.join(later, on=key, how="left").filter((pl.col("received_at") >= pl.col("accepted_at")).fill_null(True))
    groups = [_group(group) for _, group in rows.group_by("contract", "reason", maintain_order=True)]
    return sorted(groups, key=lambda group: (-group.files, group.contract, group.reason))


def _group(rows: pl.DataFrame) -> RejectedFiles:
    newest = rows.sort("received_at").row(-1, named=True)
    names = pl.concat_list("column") if newest["reason"] != UNKNOWN_COLUMN else _UNKNOWN_NAMES
    listed = rows.select(names.alias("name")).explode("name").drop_nulls().group_by("name", maintain_order=True).len()
    columns = listed.sort("len", descending=True, maintain_order=True)
    return RejectedFiles(
        contract=newest["contract"],
        reason=newest["reason"],
        files=rows.height,
        columns=tuple(columns["name"]),
        senders=tuple(rows["sender"].unique().sort()),
        submission=newest["submission_id"],
        newest=newest["received_at"],
    )


def rejected_sentence(group: RejectedFiles) -> str:
    """Return one line: how many files, of which contract, why, and what to do."""
    files = f"{group.files:,} file{'s' if group.files > 1 else ''} of contract {group.contract} rejected whole"
    if group.reason == UNKNOWN_COLUMN and group.columns:
        add = "add them under `ignore` or map them in the contract"
        again = f"then `engang backfill --contract {group.contract}`, or have them delivered again"
        return f"{files}: unknown columns {_listed(group.columns)}; {add}, {again}"
    where = f" ({_listed(group.columns)})" if group.columns else ""
    return f"{files}: {group.reason}{where}; `engang rejects {group.submission}` shows one of them and what to do"


def _listed(columns: tuple[str, ...]) -> str:
    more = len(columns) - MAX_COLUMNS_LISTED
    return ", ".join(columns[:MAX_COLUMNS_LISTED]) + (f" and {more} more" if more > 0 else "")


def person_numbers(installation: Installation, since: datetime) -> list[str]:
    """Return a sentence for each contract under which person numbers were received since then."""
    found = ledger_monitoring.read_person_numbers(installation.engine, since)
    groups = found.group_by("contract").agg(
        pl.col("submission_id").n_unique().alias("submissions"), pl.col("submission_id").first(), pl.col("column")
    )
    return [
        f"person numbers were delivered under contract {contract} in {_listed(tuple(sorted({*columns} - {None})))} "
        f"({submissions:,} submissions, one is {submission}): their rows are rejected; declare the columns under "
        f"`personal` of the contract, and `engang erase` what may not be held"
        for contract, submissions, submission, columns in groups.sort("contract").iter_rows()
    ]


def announce_rejected(installation: Installation) -> int:
    """Publish an event for each contract and reason with newly rejected files; return how many files there are."""
    groups = rejected_files(installation, utc_now() - REJECTED_DAYS)
    for group in groups:
        data = {"contract": group.contract, "reason": group.reason, "files": group.files, "senders": [*group.senders]}
        data |= {"submission": group.submission}
        subject = f"{group.contract}/{group.reason}"
        publish_event(installation, SUBMISSION_REJECTED, subject, data, key=str(group.newest), once=True)
    return sum(group.files for group in groups)
