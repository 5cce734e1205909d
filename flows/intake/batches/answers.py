"""What a worker leaves in the lake of a batch that it has read: what the ledger registers, without claims.

Rejects quote deliveries, so they cross in the lake, where the rest of the delivery is, and not through the cluster.
"""

import json
from typing import Any, Final, NamedTuple

import polars as pl

from flows.intake.batches.storing import PROVISIONAL_UNIT, SUBMISSION_PARTITION, partitions_of, provisional_units_of
from flows.intake.reading import SUMMARY, Reading, UncommittedBatch
from infra.lake.files.uncommitted import UncommittedFile
from schemas.claims import REJECT, frame_schema

ANSWER_PREFIX: Final = "answers/"
"""Where in the lake an answer is until its batch is registered."""


class WorkerAnswer(NamedTuple):
    """What a worker has done with a batch, as it crosses the cluster: its id, the files written, seconds by the clock.

    key: of the rest of the answer in the lake.
    """

    batch: str
    key: str
    files: tuple[UncommittedFile, ...]
    seconds: float


def answer_content(reading: Reading) -> bytes:
    """Return the rest of an answer, as JSON: of a worker, nothing but data is taken."""
    frames = {
        "counts": reading.counts,
        "rejects": reading.rejects,
        "partitions": partitions_of(reading.normalised),
        "units": provisional_units_of(reading.normalised),
    }
    content: dict[str, Any] = {name: frame.to_dicts() for name, frame in frames.items()}
    content |= {"problems": dict(reading.problems), "failures": dict(reading.failures)}
    content |= {"ignored": {submission: dict(counts) for submission, counts in reading.ignored.items()}}
    return json.dumps(content).encode()


def answered_reading(answer: WorkerAnswer, content: bytes) -> Reading:
    """Return the reading that a worker answered, its claims in files that are not committed yet."""
    found = json.loads(content)
    return Reading(
        counts=pl.DataFrame(found["counts"], SUMMARY),
        rejects=pl.DataFrame(found["rejects"], frame_schema(REJECT)),
        normalised=None,
        problems=found["problems"],
        failures=found["failures"],
        ignored=found["ignored"],
        uncommitted=UncommittedBatch(
            batch=answer.batch,
            files=answer.files,
            partitions=pl.DataFrame(found["partitions"], SUBMISSION_PARTITION),
            units=pl.DataFrame(found["units"], PROVISIONAL_UNIT),
        ),
    )
