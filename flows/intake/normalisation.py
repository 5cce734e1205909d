"""From the bytes of a batch's files to claims or records, rejects, and counts that add up."""

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import polars as pl

from flows.installation import Installation
from infra import telemetry
from infra.lake.item_tables import observation_tables
from infra.ledger import releases as ledger_releases
from infra.storage import landing
from infra.storage.store import Content, bytes_of, content_hash
from schemas.claims import REJECT, VALUE, frame_schema
from schemas.contract import Contract
from schemas.errors import EngangError, StoreError, SubmissionError
from transforms import identity
from transforms.normalisation.observations import Normalised, normalise
from transforms.normalisation.previous_period import change_rules, change_warnings, previous_items
from transforms.normalisation.records import NormalisedRecords, read_records
from transforms.parsing.parse import parse
from transforms.parsing.raw_frame import ParseResult
from transforms.rejects import file_reject

FILE_COUNT_COLUMNS: Final = ("ignored", "claimed", "claims", "rejected", "warnings")
"""What `normalise` counts per file."""
NormalisedBatch: TypeAlias = Normalised | NormalisedRecords
"""The claims or records of a batch of one contract."""


@dataclass(frozen=True)
class ParsedFile:
    """One parsed file: its note, and either its raw rows or the reject that explains why there are none."""

    note: landing.Note
    parsed: ParseResult | None
    rejects: pl.DataFrame
    problem: str | None = None


def parse_file(note: landing.Note, data: Content, contract: Contract) -> ParsedFile:
    """Hop 3: parse one file by its contract; a file that cannot be read gets one reject."""
    try:
        parsed = parse(_content(note, data), contract)
    except SubmissionError as error:
        return ParsedFile(note, None, file_reject(note.submission_id, error), str(error))
    rejects = parsed.rejects.with_columns(pl.lit(note.submission_id).alias("submission_id"))
    return ParsedFile(note, parsed, rejects.select(frame_schema(REJECT).names()).cast(frame_schema(REJECT)))


def _content(note: landing.Note, data: Content) -> bytes:
    """Return a delivery's bytes. A large file is read only now, and refused if it is no longer what landed."""
    if isinstance(data, bytes):
        return data
    content = bytes_of(data)
    if content_hash(content) != note.sha256:
        raise StoreError(f"{note.filename}: the file changed while it was received; deliver it again when it is whole")
    return content


@telemetry.span("normalise")
def normalise_files(files: list[ParsedFile], contract: Contract, installation: Installation) -> NormalisedBatch | None:
    """Hop 4: normalise all files of a batch at once into claims or records; None when no file could be read."""
    frames = [
        file.parsed.raw.with_columns(
            pl.lit(file.note.submission_id).alias("submission_id"),
            pl.lit(file.note.sender).alias("sender"),
            pl.lit(file.note.period, dtype=pl.String).alias("option_period"),
        )
        for file in files
        if file.parsed is not None and file.parsed.raw.height
    ]
    if not frames:
        return None
    if contract.record is not None:
        return read_records(pl.concat(frames), contract, installation.kind(contract.record.kind))
    normalised = normalise(pl.concat(frames), contract, installation.register)
    return _with_change_warnings(installation, contract, normalised) if change_rules(contract) else normalised


def _with_change_warnings(installation: Installation, contract: Contract, normalised: Normalised) -> Normalised:
    """Add the warnings of rules that compare with the previous period, taken from the file or the current release."""
    previous = previous_items(normalised.claims, contract)
    last = ledger_releases.current_release(installation.engine)
    known = pl.DataFrame(schema={"item_id": pl.String, "value": VALUE})
    if last is not None and previous.height:
        months = previous["previous_partition"].unique().to_list()
        facts = observation_tables(installation.settings.lake).live("observations", last["tables"], months)
        wanted = pl.col("item_id").is_in(previous["previous_id"].unique().implode())
        known = facts.filter(wanted).select("item_id", "value").collect()
    warnings = change_warnings(previous, known, contract)
    added = warnings.group_by("submission_id").agg(pl.len().cast(pl.Int64).alias("added"))
    counts = normalised.counts.join(added, on="submission_id", how="left")
    counts = counts.with_columns(warnings=pl.col("warnings") + pl.col("added").fill_null(0)).drop("added")
    return replace(normalised, rejects=pl.concat([normalised.rejects, warnings]), counts=counts)


def summarise_files(files: list[ParsedFile], normalised: NormalisedBatch | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return one row per file, and all rejects.

    Columns: submission_id, status, delivered, claims, rejected, ignored, warnings, content_digest. Raises `EngangError`
    if the rows of a file do not add up: each must be claimed, rejected or ignored.
    """
    rejects = [file.rejects for file in files] + ([normalised.rejects] if normalised else [])
    columns = [*FILE_COUNT_COLUMNS, *identity.LANES]
    counts = normalised.counts if normalised else pl.DataFrame(schema={"submission_id": pl.String})
    empty_counts = pl.DataFrame(schema={"submission_id": pl.String, **dict.fromkeys(columns, pl.Int64)})
    counts = pl.concat([empty_counts, counts], how="diagonal_relaxed")
    rows = pl.DataFrame([_parser_counts(file) for file in files]).join(counts, on="submission_id", how="left")
    rows = rows.with_columns(pl.col(columns).fill_null(0)).with_columns(
        rejected=pl.col("rejected") + pl.col("unread"), warnings=pl.col("warnings") + pl.col("warned")
    )
    wrong = rows.filter(pl.col("delivered") != pl.col("claimed") + pl.col("rejected") + pl.col("ignored"))
    if wrong.height:
        raise EngangError(f"rows do not add up in {wrong['submission_id'].to_list()}: nothing was registered")
    has_nothing = pl.col("refused") | ((pl.col("claims") == 0) & (pl.col("rejected") > 0))
    status = pl.when(has_nothing).then(pl.lit("rejected")).otherwise(pl.lit("live"))
    rows = rows.with_columns(status.alias("status"), _content_digests(rows))
    names = ("submission_id", "status", "delivered", "claims", "rejected", "ignored", "warnings", "content_digest")
    return rows.select(names), pl.concat(rejects)


def _parser_counts(file: ParsedFile) -> dict[str, object]:
    """Return the counts of a file that the parser alone gives."""
    critical = file.rejects.filter(pl.col("severity") == "critical")
    return {
        "submission_id": file.note.submission_id,
        "delivered": file.parsed.delivered if file.parsed else 0,
        "unread": critical["row"].drop_nulls().n_unique(),
        "warned": file.rejects.height - critical.height,
        "refused": file.parsed is None,
    }


def _content_digests(counts: pl.DataFrame) -> pl.Series:
    lanes = counts.select("claims", *identity.LANES).iter_rows()
    digests = [identity.digest(tuple(own)) if claims else None for claims, *own in lanes]
    return pl.Series("content_digest", digests, dtype=pl.String)
