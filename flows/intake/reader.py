"""The reading process: parses and normalises what its parent hands over. It has no ledger, no store and no secrets.

A request is a pickle of `ReadRequest`, made by the parent. The answer is JSON and Arrow files, so that a process that
hostile bytes took over can hand nothing but data to its parent: counts, rejects, and claims or records in two parts.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pickle import loads

import polars as pl

from flows.intake.reading import ANY_ERROR, Reading, Rules, checked_content, failure_reason, read_batch
from infra.child_channel import ChildMessage, StepMark, answer_requests, limit_file_size, nameless_file
from infra.storage.landing import Note
from schemas.contract import Contract
from schemas.kind import Kind
from schemas.reading_limits import ReadingLimits
from transforms.normalisation.observations import Normalised
from transforms.register.lookup import Register


@dataclass(frozen=True)
class FileToRead:
    """One file of a request: which of the open files holds its bytes, from where, how many."""

    note: Note
    file: int
    start: int
    bytes: int
    check: bool
    """Whether the bytes may have changed since the file landed."""


@dataclass(frozen=True)
class ReadRequest:
    """Files to read under one contract. `register` is None if the process has it already (`register_digest`)."""

    contract: Contract
    kind: Kind | None
    register_digest: str | None
    register: Register | None
    files: tuple[FileToRead, ...]
    limits: ReadingLimits
    pseudonym_key: bytes | None = field(default=None, repr=False)


class Reader:
    """Reads requests; remembers the last register of units."""

    def __init__(self) -> None:
        """Begin without a register."""
        self._register: Register | None = None

    def read(self, message: ChildMessage, mark: StepMark) -> ChildMessage:
        """Return the answer to a request: the reading, or the error of reading the files together."""
        request: ReadRequest = loads(message.body)  # noqa: S301  our own parent made it
        limit_file_size(request.limits.memory)
        self._register = request.register or self._register
        register = self._register if request.register_digest is not None else None
        files = [(file.note, partial(_content, message.files[file.file], file)) for file in request.files]
        try:
            rules = Rules(request.contract, request.kind, register, request.limits, request.pseudonym_key)
            reading = read_batch(files, rules, mark.begin)
            return ChildMessage(_summary(reading), list(_frames(reading)))
        except ANY_ERROR as error:
            return ChildMessage(json.dumps({"error": failure_reason(error)}).encode())


def _content(descriptor: int, file: FileToRead) -> bytes:
    content = os.pread(descriptor, file.bytes, file.start)
    return checked_content(file.note, content) if file.check else content


def _summary(reading: Reading) -> bytes:
    ignored = {submission: dict(counts) for submission, counts in reading.ignored.items()}
    return json.dumps(
        {"problems": dict(reading.problems), "failures": dict(reading.failures), "ignored": ignored}
    ).encode()


def _frames(reading: Reading) -> Iterator[int]:
    frames = [reading.counts, reading.rejects]
    if reading.normalised is not None:
        normalised = reading.normalised
        frames += without_constants(normalised.claims if isinstance(normalised, Normalised) else normalised.records)
    for frame in frames:
        yield _written(frame)


def without_constants(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the frame without the columns that hold one value, and its first row: half of the bytes to hand over."""
    first = frame.head(1)
    is_constant = frame.select(pl.exclude("row").eq_missing(pl.exclude("row").first()).all()).row(0, named=True)
    return [frame.drop([name for name, constant in is_constant.items() if constant]), first]


def with_constants(frame: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Return the frame that `without_constants` was given."""
    missing = [pl.lit(first[name]).first() for name in first.columns if name not in frame.columns]
    return frame.with_columns(missing).select(first.columns) if first.height else first


def _written(frame: pl.DataFrame) -> int:
    file = nameless_file()
    with os.fdopen(os.dup(file), "wb") as stream:
        frame.write_ipc(stream, compression="uncompressed")
    return file


if __name__ == "__main__":
    answer_requests(Reader().read)
