"""What the ledger registers of a batch: partitions, units that no register has; and what crosses from a worker."""

import json

import polars as pl
import pytest

from flows.intake.batches.answers import WorkerAnswer, answer_content, answered_reading
from flows.intake.batches.storing import (
    PROVISIONAL_UNIT,
    SUBMISSION_PARTITION,
    batch_rows,
    partitions_of,
    provisional_units_of,
)
from flows.intake.batches.worker_task import setup_differences
from flows.intake.reading import SUMMARY, Reading
from infra.lake.files.uncommitted import UncommittedFile
from schemas.claims import REJECT, frame_schema
from transforms.normalisation.observations import Normalised
from transforms.normalisation.records import NormalisedRecords

NOTHING = pl.DataFrame()
CLAIMS = pl.DataFrame(
    [
        ("s1", "2024-01", "0301", "municipality", "Oslo"),
        ("s1", "2024-01", "provisional:school:fjord", "school", "Fjord"),
        ("s1", "2024-02", "provisional:school:fjord", "school", "FJORD"),
        ("s2", "2024-01", "provisional:school:fjord", "school", "fjord"),
        ("s2", "2024-01", "provisional:school:vik", "school", "Vik"),
    ],
    schema=["submission_id", "partition", "unit_id", "unit_kind", "unit_name"],
    orient="row",
)
OBSERVED = Normalised(CLAIMS, NOTHING, NOTHING)
RECORDS = NormalisedRecords("mishap", CLAIMS.select("submission_id").head(3), NOTHING, NOTHING)


def test_the_partitions_of_claims_are_their_months_counted() -> None:
    found = partitions_of(OBSERVED)
    assert found.schema == SUBMISSION_PARTITION
    assert found.rows() == [("s1", "2024-01", 2), ("s1", "2024-02", 1), ("s2", "2024-01", 2)]


def test_records_are_in_the_partition_of_their_kind() -> None:
    assert partitions_of(RECORDS).rows() == [("s1", "records/mishap", 3)]


def test_a_unit_in_no_register_is_listed_once_by_the_first_of_its_names() -> None:
    found = provisional_units_of(OBSERVED).sort("unit_id")
    assert found.schema == PROVISIONAL_UNIT
    assert found.rows() == [
        ("provisional:school:fjord", "school", "FJORD"),
        ("provisional:school:vik", "school", "Vik"),
    ]


@pytest.mark.parametrize("normalised", [None, RECORDS])
def test_records_have_no_units(normalised: NormalisedRecords | None) -> None:
    assert provisional_units_of(normalised).equals(pl.DataFrame(schema=PROVISIONAL_UNIT))
    assert normalised or partitions_of(normalised).equals(pl.DataFrame(schema=SUBMISSION_PARTITION))


@pytest.mark.parametrize(("normalised", "rows"), [(OBSERVED, 5), (RECORDS, 3)])
def test_rows_get_the_id_of_their_batch(normalised: Normalised | NormalisedRecords, rows: int) -> None:
    assert batch_rows(normalised, "b1")["batch"].to_list() == ["b1"] * rows


def test_an_answer_is_read_as_the_reading_that_it_was_made_of_without_its_claims() -> None:
    counts = pl.DataFrame(
        [{**dict.fromkeys(SUMMARY, 1), "submission_id": "s1", "status": "ok", "content_digest": "d"}], SUMMARY
    )
    made = Reading(
        counts, pl.DataFrame(schema=frame_schema(REJECT)), OBSERVED, {"s2": "unreadable"}, {"s3": "no memory"},
        {"s1": {"empty": 2}},
    )  # fmt: skip
    content = answer_content(made)
    assert b"Oslo" not in content
    answer = WorkerAnswer("b1", "answers/b1.json", (UncommittedFile("k", "2024-01", 5, 5, "{}"),), 0.5)
    found = answered_reading(answer, content)
    assert found.counts.equals(counts)
    assert found.rejects.schema == frame_schema(REJECT)
    assert (found.problems, found.failures, found.ignored) == (made.problems, made.failures, made.ignored)
    assert found.normalised is None
    written = found.uncommitted
    assert written is not None
    assert (written.batch, written.files) == ("b1", answer.files)
    assert written.partitions.equals(partitions_of(OBSERVED))
    assert written.units.sort("unit_id").equals(provisional_units_of(OBSERVED).sort("unit_id"))
    assert set(json.loads(content)) == {"counts", "rejects", "partitions", "units", "problems", "failures", "ignored"}


@pytest.mark.parametrize(
    ("found", "names"),
    [
        ({"contracts": "1", "register": "2"}, ""), ({"contracts": "9", "register": "2"}, "contracts"),
        ({}, "contracts, register"), ({"contracts": "1", "register": "2", "more": "3"}, ""),
    ],
)  # fmt: skip
def test_what_differs_between_two_setups_is_listed(found: dict[str, str], names: str) -> None:
    assert setup_differences(found, {"register": "2", "contracts": "1"}) == names
