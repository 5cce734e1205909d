"""From the bytes of a batch's files to what they say: claims or records, rejects, and counts that add up."""

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import polars as pl

from flows.installation import Installation
from infra import telemetry
from infra.lake import delta as lake
from infra.ledger import submissions as ledger
from infra.storage import landing
from infra.storage.store import Content, bytes_of, content_hash
from schemas.claims import REJECT, VALUE, frame_schema
from schemas.contract import Contract
from schemas.errors import EngangError, StoreError, SubmissionError
from transforms import identity as identify
from transforms.normalisation.observations import Normalised, normalise
from transforms.normalisation.previous_period import change_rules, change_warnings, previous_items
from transforms.normalisation.records import NormalisedRecords, read_records
from transforms.parsing.parse import Parsed, parse

COUNTED: Final = ("ignored", "claimed", "claims", "rejected", "warnings")
"""What `normalise` counts of each file."""
Made: TypeAlias = Normalised | NormalisedRecords
"""What a batch of one contract became."""


@dataclass(frozen=True)
class FileRead:
    """One file read: its note, and either its raw rows or the reject that says why there are none."""

    note: landing.Note
    parsed: Parsed | None
    rejects: pl.DataFrame
    problem: str | None = None


def read(note: landing.Note, data: Content, contract: Contract) -> FileRead:
    """Hop 3: read one file by its contract; what cannot be read becomes the file's reject."""
    try:
        parsed = parse(_whole(note, data), contract)
    except SubmissionError as error:
        told = {
            "submission_id": note.submission_id, "row": error.row, "column": error.column, "reason": error.code,
            "rule": None, "severity": "critical", "found": error.found[:200], "expected": error.expected,
            "hint": error.hint,
        }  # fmt: skip
        return FileRead(note, None, pl.DataFrame([told], schema=frame_schema(REJECT)), str(error))
    named = parsed.rejects.with_columns(pl.lit(note.submission_id).alias("submission_id"))
    return FileRead(note, parsed, named.select(frame_schema(REJECT).names()).cast(frame_schema(REJECT)))


def _whole(note: landing.Note, data: Content) -> bytes:
    """Return a delivery's bytes; a large file's only now, when they are needed, and only if they are what landed."""
    if isinstance(data, bytes):
        return data
    read_now = bytes_of(data)
    if content_hash(read_now) != note.sha256:
        raise StoreError(f"{note.filename}: the file changed while it was received; deliver it again when it is whole")
    return read_now


@telemetry.span("normalise")
def normalise_reads(reads: list[FileRead], contract: Contract, installation: Installation) -> Made | None:
    """Hop 4: turn every file of a batch into claims or records in one go; None when no file could be read."""
    frames = [
        r.parsed.raw.with_columns(
            pl.lit(r.note.submission_id).alias("submission_id"),
            pl.lit(r.note.sender).alias("sender"),
            pl.lit(r.note.period, dtype=pl.String).alias("option_period"),
        )
        for r in reads
        if r.parsed is not None and r.parsed.raw.height
    ]
    if not frames:
        return None
    if contract.record is not None:
        return read_records(pl.concat(frames), contract, installation.kind(contract.record.kind))
    normalised = normalise(pl.concat(frames), contract, installation.register)
    return _compared(installation, contract, normalised) if change_rules(contract) else normalised


def _compared(installation: Installation, contract: Contract, normalised: Normalised) -> Normalised:
    """Add the warnings of rules that compare with the previous period, as the file or the current release has it."""
    told = previous_items(normalised.claims, contract)
    last = ledger.current_release(installation.engine)
    known = pl.DataFrame(schema={"item_id": pl.String, "value": VALUE})
    if last is not None and told.height:
        months = told["previous_partition"].unique().to_list()
        facts = lake.live(installation.settings.lake, "observations", last["tables"], months)
        wanted = pl.col("item_id").is_in(told["previous_id"].unique().implode())
        known = facts.filter(wanted).select("item_id", "value").collect()
    warned = change_warnings(told, known, contract)
    more = warned.group_by("submission_id").agg(pl.len().cast(pl.Int64).alias("more"))
    counts = normalised.counts.join(more, on="submission_id", how="left")
    counts = counts.with_columns(warnings=pl.col("warnings") + pl.col("more").fill_null(0)).drop("more")
    return replace(normalised, rejects=pl.concat([normalised.rejects, warned]), counts=counts)


def summary(reads: list[FileRead], made: Made | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return one row a file, and all rejects.

    Columns: submission_id, status, delivered, claims, rejected, ignored, warnings, content_digest. Raises `EngangError`
    if a file's rows do not add up: each must be claimed, rejected or ignored.
    """
    rejects = [r.rejects for r in reads] + ([made.rejects] if made else [])
    counted = [*COUNTED, *identify.LANES]
    counts = made.counts if made else pl.DataFrame(schema={"submission_id": pl.String})
    empty_counts = pl.DataFrame(schema={"submission_id": pl.String, **dict.fromkeys(counted, pl.Int64)})
    counts = pl.concat([empty_counts, counts], how="diagonal_relaxed")
    both = pl.DataFrame([_as_parsed(r) for r in reads]).join(counts, on="submission_id", how="left")
    both = both.with_columns(pl.col(counted).fill_null(0)).with_columns(
        rejected=pl.col("rejected") + pl.col("unread"), warnings=pl.col("warnings") + pl.col("warned")
    )
    off = both.filter(pl.col("delivered") != pl.col("claimed") + pl.col("rejected") + pl.col("ignored"))
    if off.height:
        raise EngangError(f"rows do not add up in {off['submission_id'].to_list()}: nothing was registered")
    nothing = pl.col("refused") | ((pl.col("claims") == 0) & (pl.col("rejected") > 0))
    status = pl.when(nothing).then(pl.lit("rejected")).otherwise(pl.lit("live"))
    told = both.with_columns(status.alias("status"), _content_digests(both))
    names = ("submission_id", "status", "delivered", "claims", "rejected", "ignored", "warnings", "content_digest")
    return told.select(names), pl.concat(rejects)


def _as_parsed(told: FileRead) -> dict[str, object]:
    """Return what the parser alone knows of a file."""
    critical = told.rejects.filter(pl.col("severity") == "critical")
    return {
        "submission_id": told.note.submission_id,
        "delivered": told.parsed.delivered if told.parsed else 0,
        "unread": critical["row"].drop_nulls().n_unique(),
        "warned": told.rejects.height - critical.height,
        "refused": told.parsed is None,
    }


def _content_digests(counts: pl.DataFrame) -> pl.Series:
    lanes = counts.select("claims", *identify.LANES).iter_rows()
    digests = [identify.digest(tuple(own)) if claims else None for claims, *own in lanes]
    return pl.Series("content_digest", digests, dtype=pl.String)
