"""Reading in a child process within a budget: what fails or costs too much is one file, never the batch or the night.

One warm child a process serves all batches. When it ends, or an error concerns files that are read together, the batch
is split until the guilty file is read alone; it becomes a failure of the reading, and the others are read.
"""

import atexit
import json
import os
import pickle
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.intake.reader import FileToRead, ReadRequest, with_constants
from flows.intake.reading import NormalisedBatch, Reading
from infra.child_channel import MOST_FILES, ChildMessage, Limits, nameless_file
from infra.child_process import ChildProcess
from infra.storage.landing import Note
from infra.storage.store import Content
from schemas.claims import REJECT, frame_schema
from schemas.contract import Contract
from schemas.errors import ChildEnded, UsageError
from schemas.reading_limits import ReadingLimits
from transforms.normalisation.observations import Normalised
from transforms.normalisation.personal import domain_key, personal_columns, pseudonym_domain
from transforms.normalisation.records import NormalisedRecords

READER: Final = "flows.intake.reader"
SMALL_FILE_BYTES: Final = 10_000_000
"""Up to this size a file has the seconds of the settings; a larger one proportionally more."""
MEMORY_PER_BYTE: Final = 32
"""A file may take so many times its delivered size, if that is more than the memory of the settings."""
WALL_FACTOR: Final = 20
"""The limit by the clock is so many times that of the processor: it only ends a process that does nothing at all."""
KILLED: Final = "signal 9"
"""How a process ended that was killed from outside."""
ENDING: Final = "; look into the file, then `engang inbox retry`"


@dataclass(frozen=True)
class _Trouble:
    """Why files could not be read together, and the number of the file that was being parsed, if it was one."""

    reason: str
    file: int | None
    again: bool = False
    """Whether a new process decides about a file alone: the fault may be of what happened before, or outside."""


EMPTY_READING: Final = Reading(
    pl.DataFrame(schema={"submission_id": pl.String}), pl.DataFrame(schema=frame_schema(REJECT)), None, {}, {}
)


class _Reader:
    """The reading process of this process: started on first need, replaced when it ends. Used under `lock`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.register_digest: str | None = None
        self._child: ChildProcess | None = None
        self._owner = 0

    def start(self) -> ChildProcess:
        """Return the process, started now if there is none; it need not be ready yet."""
        if self._child is None or self._owner != os.getpid():  # a forked process does not share its parent's child
            self._child, self._owner, self.register_digest = ChildProcess(READER), os.getpid(), None
            self._child.start()
        return self._child

    def stop(self) -> None:
        """End the process."""
        if self._child is not None and self._owner == os.getpid():
            self._child.stop()
        self._child = None


_reader: Final = _Reader()


def start_reader() -> None:
    """Start the reading process, if there is none, and return at once."""
    with _reader.lock:
        _reader.start()


def stop_reader() -> None:
    """End the reading process; the next reading starts another one."""
    with _reader.lock:
        _reader.stop()


atexit.register(stop_reader)


def read_isolated(installation: Installation, contract: Contract, files: Sequence[tuple[Note, Content]]) -> Reading:
    """Read files of one contract in the child; those that fail, or exceed their budget, are in `failures`.

    Raises `StoreError` if no child can be started.
    """
    readings: list[Reading] = []
    groups = [list(files)]
    retried: set[str] = set()
    while groups:
        group = groups.pop()
        if len(group) > MOST_FILES and any(not isinstance(data, bytes) for _, data in group):
            groups += [group[MOST_FILES:], group[:MOST_FILES]]
            continue
        outcome = _read_group(installation, contract, group)
        if isinstance(outcome, Reading):
            readings.append(outcome)
        elif len(group) > 1:
            groups += reversed(_split(group, outcome.file))
        elif outcome.again and group[0][0].submission_id not in retried:
            retried.add(group[0][0].submission_id)
            groups.append(group)
        else:
            readings.append(_failed(group[0][0], outcome.reason))
    return _joined(readings)


def _split(group: list[tuple[Note, Content]], suspect: int | None) -> list[list[tuple[Note, Content]]]:
    """Return the parts of a group to read next: the suspect alone and then the others, or two halves."""
    if suspect is not None:
        return [[group[suspect]], group[:suspect] + group[suspect + 1 :]]
    half = len(group) // 2
    return [group[:half], group[half:]]


def _read_group(
    installation: Installation, contract: Contract, group: list[tuple[Note, Content]]
) -> Reading | _Trouble:
    limits = installation.settings.reading
    pseudonym_key(installation, contract)  # before anything is opened
    with _reader.lock:
        child = _reader.start()
        fresh = child.requests == 0
        budget = _limits([note.bytes for note, _ in group], limits)
        request, sent = _request(installation, contract, group)
        try:
            answer = child.request(request, budget)
        except ChildEnded as ended:
            _reader.stop()
            if not fresh and ended.cause == "crash" and ended.step == 0:
                return _Trouble("", 0, again=True)  # it may have ended while it was idle
            return _trouble(ended, group, budget, fresh=fresh)
        finally:
            for file in sent:
                os.close(file)
        _reader.register_digest = installation.register.digest if contract.record is None else _reader.register_digest
        if child.memory > budget.memory // 2:
            _reader.stop()  # this process needs the memory now
    return _read_answer(answer, contract)


def _request(
    installation: Installation, contract: Contract, group: list[tuple[Note, Content]]
) -> tuple[ChildMessage, list[int]]:
    """Return the message that asks for a reading, and the open files to close once it is sent."""
    files, opened, small = [], [nameless_file()], 0
    for note, data in group:
        if isinstance(data, bytes):
            small += _write_all(opened[0], data)
            files.append(FileToRead(note, 0, small - len(data), len(data), check=False))
        else:
            opened.append(os.open(data, os.O_RDONLY))
            size = os.fstat(opened[-1]).st_size
            files.append(FileToRead(note, len(opened) - 1, 0, size, check=True))
    kind = None if contract.record is None else installation.kind(contract.record.kind)
    register = None if contract.record is not None else installation.register
    known = register is not None and register.digest == _reader.register_digest
    request = ReadRequest(
        contract=contract,
        kind=kind,
        register_digest=None if register is None else register.digest,
        register=None if known else register,
        files=tuple(files),
        limits=installation.settings.reading,
        pseudonym_key=pseudonym_key(installation, contract),
    )
    return ChildMessage(pickle.dumps(request), opened), opened


def pseudonym_key(installation: Installation, contract: Contract) -> bytes | None:
    """Return the key of a contract's domain, None if it has no pseudonyms; `UsageError` if the setting is missing."""
    kind = None if contract.record is None else installation.kind(contract.record.kind)
    if "pseudonymise" not in personal_columns(contract, kind).values():
        return None
    if installation.settings.pseudonym_key is None:
        problem = f"contract {contract.contract!r} pseudonymises personal data, and ENGANG_PSEUDONYM_KEY is not set"
        raise UsageError(f"{problem}: set it to the key of this installation, and never change it")
    return domain_key(installation.settings.pseudonym_key, pseudonym_domain(contract))


def _write_all(file: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    return len(data)


def _limits(sizes: list[int], limits: ReadingLimits) -> Limits:
    """Return the budget of files that are read together: each has its own seconds to be parsed."""
    seconds = [limits.seconds * max(1.0, size / SMALL_FILE_BYTES) for size in sizes]
    together = limits.seconds * max(1.0, sum(sizes) / SMALL_FILE_BYTES)
    memory = max(limits.memory, MEMORY_PER_BYTE * sum(sizes))
    return Limits(memory, [*seconds, together], WALL_FACTOR * (sum(seconds) + together))


def _trouble(ended: ChildEnded, group: list[tuple[Note, Content]], budget: Limits, *, fresh: bool) -> _Trouble:
    size = sum(note.bytes for note, _ in group)
    step = min(ended.step, len(group))
    reasons = {
        "memory": f"reading its {size} bytes takes more than {budget.memory} bytes of memory; deliver it in parts, or "
        "raise ENGANG_READ_MEMORY and run `engang inbox retry`",
        "seconds": f"reading its {size} bytes takes more than {budget.step_seconds[step]:.0f} processor seconds; "
        "deliver it in parts, or raise ENGANG_READ_SECONDS and run `engang inbox retry`",
        "clock": f"reading its {size} bytes was not done after {budget.wall_seconds:.0f} seconds{ENDING}",
        "crash": f"the process that read its {size} bytes ended by {ended.ended_by}{ENDING}",
    }
    # It may still have held the memory of other files, or was killed by the system, for want of memory elsewhere.
    again = (ended.cause == "memory" and not fresh) or (ended.cause == "crash" and ended.ended_by == KILLED)
    return _Trouble(reasons[ended.cause], step if step < len(group) else None, again)


def _read_answer(answer: ChildMessage, contract: Contract) -> Reading | _Trouble:
    try:
        summary = json.loads(answer.body)
        if "error" in summary:
            return _Trouble(summary["error"], None)
        counts, rejects, *content = [pl.read_ipc(f"/dev/fd/{file}") for file in answer.files]
    finally:
        for file in answer.files:
            with suppress(OSError):
                os.close(file)
    normalised = _normalised(with_constants(*content), rejects, contract) if content else None
    return Reading(counts, rejects, normalised, summary["problems"], summary["failures"], summary["ignored"])


def _normalised(content: pl.DataFrame, rejects: pl.DataFrame, contract: Contract) -> NormalisedBatch:
    counts = pl.DataFrame()
    if contract.record is None:
        return Normalised(content, rejects, counts)
    return NormalisedRecords(contract.record.kind, content, rejects, counts)


def _failed(note: Note, reason: str) -> Reading:
    return replace(EMPTY_READING, failures={note.submission_id: reason})


def _joined(readings: list[Reading]) -> Reading:
    """Return one reading of all files."""
    if len(readings) == 1:
        return readings[0]
    problems = {id_: problem for reading in readings for id_, problem in reading.problems.items()}
    failures = {id_: reason for reading in readings for id_, reason in reading.failures.items()}
    counts = pl.concat([reading.counts for reading in readings], how="diagonal_relaxed")
    rejects = pl.concat([reading.rejects for reading in readings])
    ignored = {id_: reasons for reading in readings for id_, reasons in reading.ignored.items()}
    return Reading(counts, rejects, _joined_content(readings, rejects), problems, failures, ignored)


def _joined_content(readings: list[Reading], rejects: pl.DataFrame) -> NormalisedBatch | None:
    parts = [reading.normalised for reading in readings if reading.normalised is not None]
    claims = [part.claims for part in parts if isinstance(part, Normalised)]
    records = [part for part in parts if isinstance(part, NormalisedRecords)]
    if claims:
        return Normalised(pl.concat(claims), rejects, pl.DataFrame())
    if records:
        return NormalisedRecords(records[0].kind, pl.concat([p.records for p in records]), rejects, pl.DataFrame())
    return None
