"""From the bytes of a batch's files to claims or records, rejects, and counts that add up: pure, run in a child.

Nothing here touches the ledger, the lake or a store. `flows.intake.isolation` starts the child and watches it.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl
from polars.exceptions import PanicException

from infra.storage.landing import Note
from infra.storage.store import content_hash
from schemas.claims import REJECT, empty, frame_schema
from schemas.contract import Contract
from schemas.errors import SubmissionError, UnreadError
from schemas.kind import Kind
from schemas.reading_limits import ReadingLimits
from transforms import identity
from transforms.normalisation.authority import RECEIVED_AT, needs_receipt_time
from transforms.normalisation.observations import Normalised, normalise
from transforms.normalisation.personal import (
    masked_rejects,
    personal_columns,
    treat_personal,
)
from transforms.normalisation.records import NormalisedRecords, read_records
from transforms.normalisation.texts.ignored_rows import IGNORED, NOTES, joined_counts
from transforms.parsing.parse import parse
from transforms.parsing.raw_frame import ParseResult
from transforms.register.lookup import Register
from transforms.rejects import bound_rejects, cut, file_reject

if TYPE_CHECKING:
    from infra.lake.files.uncommitted import UncommittedFile

FILE_COUNT_COLUMNS: Final = ("ignored", "claimed", "claims", "rejected", "warnings")
"""What `normalise` counts per file."""
SUMMARY_COLUMNS: Final = (
    "submission_id", "status", "delivered", "claims", "rejected", "ignored", "warnings", "content_digest",
)  # fmt: skip
SUMMARY: Final = pl.Schema({
    **dict.fromkeys(SUMMARY_COLUMNS, pl.Int64),
    **dict.fromkeys(("submission_id", "status", "content_digest"), pl.String),
})  # fmt: skip
"""What is counted of a file, with its types."""
NormalisedBatch: TypeAlias = Normalised | NormalisedRecords
"""The claims or records of a batch of one contract."""
ANY_ERROR: Final = (Exception, PanicException)
"""What may go wrong while a file is read; Polars' panics are no `Exception`."""
UNEQUAL: Final = (
    "its rows do not add up: each must be claimed, rejected or ignored. This is a fault of Engang's: report it, then "
    "`engang inbox retry`"
)
CHANGED: Final = "the file changed while it was received; deliver it again when it is whole"
_NO_REJECTS: Final = empty(REJECT)
_PARSER_COUNTS: Final = pl.Schema({
    "submission_id": pl.String, **dict.fromkeys(("delivered", "unread", "notes", "warned"), pl.Int64),
    "refused": pl.Boolean,
})  # fmt: skip


@dataclass(frozen=True)
class ParsedFile:
    """One parsed file: its note, and either its raw rows or the reject that explains why there are none."""

    note: Note
    parsed: ParseResult | None
    rejects: pl.DataFrame
    problem: str | None = None


@dataclass(frozen=True)
class Rules:
    """What decides how files are read: their contract, its record kind or the register of units, the limits."""

    contract: Contract
    kind: Kind | None
    register: Register | None
    limits: ReadingLimits
    pseudonym_key: bytes | None = field(default=None, repr=False)
    """The key of the contract's domain, if it pseudonymises anything."""


@dataclass(frozen=True)
class UncommittedBatch:
    """The claims or records of a batch that a worker of a cluster has written: files of a table, in no commit yet.

    partitions: submission_id, partition, claims. units: unit_id, kind, name of units that no register has.
    """

    batch: str
    files: "tuple[UncommittedFile, ...]"
    partitions: pl.DataFrame
    units: pl.DataFrame


@dataclass(frozen=True)
class Reading:
    """What reading files of one contract resulted in.

    counts: one row per file that was read, the columns of `SUMMARY_COLUMNS`. rejects: theirs (`REJECT`). normalised:
    their claims or records, None if no file has rows. problems: submission → why the whole file was rejected. failures:
    submission → why the file could not be read; it is in nothing else.
    """

    counts: pl.DataFrame
    rejects: pl.DataFrame
    normalised: NormalisedBatch | None
    problems: Mapping[str, str]
    failures: Mapping[str, str]
    ignored: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Submission → why rows are ignored → how many."""
    uncommitted: UncommittedBatch | None = None
    """The claims or records that are not in `normalised`, because a worker has written them into the lake."""


def read_batch(
    files: Sequence[tuple[Note, Callable[[], bytes]]], rules: Rules, begin: Callable[[int], None] = lambda _: None
) -> Reading:
    """Parse and normalise files of one contract. A file that fails is in `failures`; it stops no other.

    `begin` is called with the number of each file before it is parsed, and with their count before they are normalised
    together. What that raises is raised: the caller splits the files.
    """
    parsed: list[ParsedFile] = []
    failures: dict[str, str] = {}
    for number, (note, content) in enumerate(files):
        begin(number)
        try:
            parsed.append(parse_file(note, content(), rules.contract, rules.limits))
        except ANY_ERROR as error:
            failures[note.submission_id] = failure_reason(error)
    begin(len(files))
    normalised = normalise_files(parsed, rules)
    counts, rejects, unequal = summarise_files(parsed, normalised, rules.limits.rejects)
    failures |= dict.fromkeys(unequal, UNEQUAL)
    if unequal:
        parsed = [file for file in parsed if file.note.submission_id not in failures]
        normalised = normalise_files(parsed, rules)
        counts, rejects, _ = summarise_files(parsed, normalised, rules.limits.rejects)
    problems = {file.note.submission_id: file.problem for file in parsed if file.problem is not None}
    return Reading(counts, rejects, normalised, problems, failures, _ignored(parsed, normalised))


def _ignored(files: Sequence[ParsedFile], normalised: NormalisedBatch | None) -> dict[str, dict[str, int]]:
    """Return submission → why rows are ignored → how many: by the contract's keys, and notes at the end of files."""
    notes = {file.note.submission_id: file.parsed.ignored for file in files if file.parsed and file.parsed.ignored}
    rows = [(submission, NOTES, count) for submission, count in notes.items()]
    return joined_counts([pl.DataFrame(rows, IGNORED, orient="row"), *([normalised.ignored] if normalised else ())])


def failure_reason(error: BaseException) -> str:
    """Return why a file could not be read: the class of the error and the line that raised it.

    The message of an unforeseen error may quote delivered data, so it is left out.
    """
    if isinstance(error, UnreadError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"unforeseen: {type(error).__name__}{where}; look into the file, then `engang inbox retry`"


def parse_file(note: Note, data: bytes, contract: Contract, limits: ReadingLimits) -> ParsedFile:
    """Hop 3: parse one file by its contract; a file that cannot be read gets one reject."""
    try:
        parsed = parse(data, contract, limits)
    except SubmissionError as error:
        shown = replace(error, found=cut(error.found))
        return ParsedFile(note, None, file_reject(note.submission_id, error), str(shown))
    if parsed.rejects.is_empty():
        return ParsedFile(note, parsed, _NO_REJECTS)
    rejects = parsed.rejects.with_columns(pl.lit(note.submission_id).alias("submission_id"))
    return ParsedFile(note, parsed, rejects.select(frame_schema(REJECT).names()).cast(frame_schema(REJECT)))


def checked_content(note: Note, content: bytes) -> bytes:
    """Return a delivery's bytes; `UnreadError` if they are no longer what landed."""
    if content_hash(content) != note.sha256:
        raise UnreadError(CHANGED)
    return content


def normalise_files(files: list[ParsedFile], rules: Rules) -> NormalisedBatch | None:
    """Hop 4: normalise all files of a batch at once into claims or records; None when no file could be read."""
    dated = needs_receipt_time(rules.contract)
    frames = [
        file.parsed.raw.hstack(_note_columns(file.note, file.parsed.raw.height, dated=dated))
        for file in files
        if file.parsed is not None and file.parsed.raw.height
    ]
    if not frames:
        return None
    batch, personal = pl.concat(frames), personal_columns(rules.contract, rules.kind)
    normalised = _normalise(treat_personal(batch, personal, rules.pseudonym_key), rules)
    if rules.kind is not None and rules.kind.personal:
        normalised = replace(normalised, rejects=masked_rejects(normalised.rejects))
    return normalised


def _normalise(batch: pl.DataFrame, rules: Rules) -> NormalisedBatch:
    if rules.kind is not None:
        return read_records(batch, rules.contract, rules.kind)
    if rules.register is None:
        raise UnreadError(f"contract {rules.contract.contract!r} makes claims, and no register was given")
    return normalise(batch, rules.contract, rules.register)


def _note_columns(note: Note, height: int, *, dated: bool) -> list[pl.Series]:
    """Return what a note states, for each row; no query, which would take longer than a small file's rows.

    dated: with the receipt time, UTC without a zone. No version or time of the delivery may be far behind it.
    """
    texts = {"submission_id": note.submission_id, "sender": note.sender, "option_period": note.period}
    columns = [pl.Series(name, [text], pl.String) for name, text in texts.items()]
    if dated:
        received = datetime.fromisoformat(note.received_at).replace(tzinfo=None)
        columns.append(pl.Series(RECEIVED_AT, [received], pl.Datetime("us")))
    return [column.new_from_index(0, height) for column in columns]


def summarise_files(
    files: list[ParsedFile], normalised: NormalisedBatch | None, most_rejects: int
) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Return one row per file (`SUMMARY_COLUMNS`), the rejects, and the files whose rows do not add up.

    Each row must be claimed, rejected or ignored. Beyond `most_rejects` of a file, its rejects are only counted.
    """
    rejects = [file.rejects for file in files if file.rejects.height] + ([normalised.rejects] if normalised else [])
    columns = [*FILE_COUNT_COLUMNS, *identity.LANES]
    counts = normalised.counts if normalised else pl.DataFrame(schema={"submission_id": pl.String})
    empty_counts = pl.DataFrame(schema={"submission_id": pl.String, **dict.fromkeys(columns, pl.Int64)})
    counts = pl.concat([empty_counts, counts], how="diagonal_relaxed")
    rows = pl.DataFrame([_parser_counts(file) for file in files], _PARSER_COUNTS).join(
        counts, on="submission_id", how="left"
    )
    rows = rows.with_columns(pl.col(columns).fill_null(0)).with_columns(
        rejected=pl.col("rejected") + pl.col("unread"),
        warnings=pl.col("warnings") + pl.col("warned"),
        ignored=pl.col("ignored") + pl.col("notes"),
    )
    unequal = rows.filter(pl.col("delivered") != pl.col("claimed") + pl.col("rejected") + pl.col("ignored"))
    has_nothing = pl.col("refused") | ((pl.col("claims") == 0) & (pl.col("rejected") > 0))
    status = pl.when(has_nothing).then(pl.lit("rejected")).otherwise(pl.lit("live"))
    rows = rows.with_columns(status.alias("status"), _content_digests(rows)).select(SUMMARY_COLUMNS)
    all_rejects = pl.concat([_NO_REJECTS, *rejects])
    return rows, bound_rejects(all_rejects, most_rejects), unequal["submission_id"].to_list()


def _parser_counts(file: ParsedFile) -> dict[str, object]:
    """Return the counts of a file that the parser alone gives; one that cannot be read delivers no rows."""
    severities = file.rejects["severity"].to_list()
    return {
        "submission_id": file.note.submission_id,
        "delivered": file.parsed.delivered if file.parsed else 0,
        "unread": file.parsed.unread if file.parsed else 0,
        "notes": file.parsed.ignored if file.parsed else 0,
        "warned": len(severities) - severities.count("critical"),
        "refused": file.parsed is None,
    }


def _content_digests(counts: pl.DataFrame) -> pl.Series:
    lanes = counts.select("claims", *identity.LANES).iter_rows()
    digests = [identity.digest(tuple(own)) if claims else None for claims, *own in lanes]
    return pl.Series("content_digest", digests, dtype=pl.String)
