"""Claims of one item become one fact; each delivered row is in one bucket; each claim stays in the sources."""

from datetime import date
from decimal import Decimal
from typing import Any, Final

import polars as pl
import pytest

from schemas.claims import CLAIM, CONFLICT, OBSERVATION, SOURCE, frame_schema
from transforms.observations.consolidate import ConsolidatedClaims, consolidate, lane_sums, observation_content

USUAL: Final[dict[str, Any]] = {
    "contract": "c", "obligation": "o", "row": 2, "column": "x", "original": "1", "action": "append",
    "confidential": False, "concept": "n", "unit_id": "u", "period_start": date(2024, 1, 1),
    "period_end": date(2025, 1, 1), "breakdown": "{}", "unit_measure": "persons", "value": 1, "obs_status": "A",
    "unit_kind": "other", "unit_name": "U", "additive": False, "position": 0, "lead": True, "item_id": "i",
    "partition": "2024-01",
}  # fmt: skip
SUM: Final = {"additive": True, "sender": "s", "reported_by": "s", "submission_id": "f", "arrival": 0, "stream": 0}


def consolidated(*rows: dict[str, Any], turned: bool = False) -> ConsolidatedClaims:
    """Consolidate claims, each of a sender and a submission of its own, received after the one before."""
    full = []
    for n, row in enumerate(rows):
        own = {"sender": f"s{n}", "reported_by": f"s{n}", "submission_id": f"f{n}", "arrival": n, "stream": n}
        filled = {**USUAL, **own, **row}
        full.append({**filled, "value": Decimal(filled["value"])})
    schema = {**frame_schema(CLAIM), "arrival": pl.UInt32, "stream": pl.UInt32}
    return consolidate(pl.DataFrame(full[::-1] if turned else full, schema=schema, strict=False))


def buckets(done: ConsolidatedClaims) -> dict[tuple[str, str], int]:
    return {(submission, bucket): n for submission, bucket, n in done.buckets.iter_rows()}


def test_the_frames_are_those_declared() -> None:
    for done in (
        consolidated(),
        consolidated({}),
        consolidated({}, {"value": 2}),
        consolidated(SUM, {**SUM, "row": 3}),
    ):
        for table, columns in (("observations", OBSERVATION), ("sources", SOURCE), ("conflicts", CONFLICT)):
            declared = [(n, t) for n, t in frame_schema(columns).items() if n != "release"]
            assert list(getattr(done, table).schema.items()) == declared
        assert done.buckets.schema == {"submission_id": pl.String, "bucket": pl.String, "rows": pl.Int64}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("rows", "fact", "relations", "counted"),
    [
        ([{}], (1, None, "A", "single", 1, 1), ["single"], ["published"]),
        ([{}, {}], (1, None, "A", "complete", 2, 2), ["complete"] * 2, ["published", "duplicate"]),
        ([{"decimals": 0}, {}], (1, None, "A", "consistent", 2, 2), ["consistent"] * 2, ["duplicate", "published"]),
        ([{}, {"value": 2}], (None, None, "Q", "conflict", 2, 2), ["conflict"] * 2, ["conflict"] * 2),
        (
            [{"precedence": 2}, {"value": 2, "precedence": 1, "obs_status": "E"}],
            (2, None, "E", "conflict", 2, 2), ["conflict"] * 2, ["conflict"] * 2,
        ),
        ([{}, {"reported_by": "s0"}], (1, None, "A", "complete", 2, 1), ["complete"] * 2, ["published", "duplicate"]),
    ],
)  # fmt: skip
def test_claims_of_one_item_become_one_fact(
    rows: list[dict[str, Any]], fact: tuple[Any, ...], relations: list[str], counted: list[str], turned: bool
) -> None:
    done = consolidated(*rows, turned=turned)
    names = ["value", "decimals", "obs_status", "agreement", "reports", "reporters"]
    assert done.observations.select(names).rows() == [fact]
    assert done.sources.sort("claim_id")["relation"].to_list() == relations
    assert buckets(done) == {(f"f{n}", bucket): 1 for n, bucket in enumerate(counted)}


def test_a_claim_that_is_corrected_or_withdrawn_counts_in_its_bucket_and_is_no_source() -> None:
    same = {"sender": "s", "reported_by": "s", "stream": 1}
    done = consolidated({**same}, {**same, "value": 2}, {"action": "withdraw", "item_id": "j"})
    assert buckets(done) == {
        ("f0", "superseded"): 1, ("f1", "published"): 1, ("f2", "withdrawn"): 1,
    }  # fmt: skip
    assert done.sources["submission_id"].to_list() == ["f1"]
    assert done.observations["item_id"].to_list() == ["i"]


def test_a_row_with_several_claims_is_counted_once() -> None:
    row = {"submission_id": "f", "sender": "s", "reported_by": "s", "stream": 1, "arrival": 1}
    done = consolidated({**row}, {**row, "item_id": "j", "position": 1, "lead": False})
    assert (done.observations.height, buckets(done)) == (2, {("f", "published"): 1})
    gone = {**row, "action": "withdraw"}
    assert buckets(consolidated(gone, {**gone, "item_id": "j", "position": 1, "lead": False})) == {
        ("f", "withdrawn"): 1
    }


@pytest.mark.parametrize("turned", [False, True])
def test_lines_of_a_sum_are_one_claim_with_the_address_of_the_first(turned: bool) -> None:
    lines = (
        {**SUM, "row": 3, "value": 5, "decimals": 0, "original": "five", "unit_name": "second"},
        {**SUM, "row": 2, "position": 1, "value": 7, "decimals": -1, "original": "seven", "unit_name": "first"},
    )
    done = consolidated(*lines, turned=turned)
    fact = done.observations.row(0, named=True)
    assert (fact["value"], fact["decimals"], fact["reports"], fact["unit_name"]) == (12, -1, 1, "first")
    assert sorted(done.sources.select("claim_id", "relation", "original").rows()) == [
        ("f-2-1", "additive", "seven"), ("f-3-0", "additive", "five"),
    ]  # fmt: skip
    assert buckets(done) == {("f", "additive"): 2}
    rival = {"sender": "t", "reported_by": "t", "submission_id": "g", "value": 99}
    conflict = consolidated(*lines, rival, turned=turned).conflicts
    assert conflict.select("claim_id", "value").rows() == [("f-2-1", 12), ("g-2-0", 99)]


def test_sums_of_different_reporters_and_submissions_are_different_claims() -> None:
    lines = [{**SUM, "value": 5}, {**SUM, "row": 3, "value": 7}, {**SUM, "row": 4, "value": 12, "reported_by": "t"}]
    done = consolidated(*lines)
    assert done.observations.select("value", "reports", "reporters", "agreement").row(0) == (12, 2, 2, "complete")
    single = consolidated(*lines[:2], {"value": 12})
    assert single.observations.select("value", "reports").row(0) == (12, 2)
    assert buckets(single) == {("f", "additive"): 2, ("f2", "duplicate"): 1}


def test_conflicts_are_listed_by_item_and_claim_with_their_interval_and_outcome() -> None:
    rows = [
        {"item_id": "j", "value": 3}, {"item_id": "i", "value": 1, "decimals": 0, "precedence": 1},
        {"item_id": "j", "value": 4}, {"item_id": "i", "value": 5, "precedence": 2}, {"item_id": "k"},
    ]  # fmt: skip
    for turned in (False, True):
        conflicts = consolidated(*rows, turned=turned).conflicts
        assert conflicts.select("item_id", "claim_id", "lower", "upper", "outcome").rows() == [
            ("i", "f1-2-0", Decimal("0.5"), Decimal("1.5"), "published"), ("i", "f3-2-0", 5, 5, "outranked"),
            ("j", "f0-2-0", 3, 3, "withheld"), ("j", "f2-2-0", 4, 4, "withheld"),
        ]  # fmt: skip


def test_facts_stand_in_the_order_of_their_items() -> None:
    names = [f"i{n:02}" for n in range(30)]
    done = consolidated(*({"item_id": name} for name in reversed(names)))
    assert done.observations["item_id"].to_list() == names


def test_the_digest_adds_up_over_items_and_knows_every_fact_and_source() -> None:
    one, two = {"item_id": "i"}, {"item_id": "j", "value": 4}
    sums = [lane_sums(done.observations, done.sources) for done in (consolidated(one, two), consolidated(one))]
    other = consolidated({**two, "submission_id": "f1", "sender": "s1", "reported_by": "s1", "stream": 1, "arrival": 1})
    assert sums[0] == tuple(a + b for a, b in zip(sums[1], lane_sums(other.observations, other.sources), strict=True))
    changed = [
        {"value": 2}, {"decimals": 0}, {"obs_status": "E"}, {"original": "one"}, {"unit_name": "V"}, {"row": 3},
        {"item_id": "x"}, {"submission_id": "g"},
    ]  # fmt: skip
    digests = {lane_sums(done.observations, done.sources) for done in map(consolidated, changed)}
    assert len(digests | {sums[1]}) == len(changed) + 1


def test_the_content_of_an_item_is_that_of_its_fact_and_its_sources() -> None:
    done = consolidated({"item_id": "i"}, {"item_id": "i"}, {"item_id": "j"})
    content = observation_content(done.observations, done.sources).sort("item_id")
    assert content.select("item_id", "partition", "agreement").rows() == [
        ("i", "2024-01", "complete"), ("j", "2024-01", "single"),
    ]  # fmt: skip
    lanes = content.select(pl.col("^lane_.*$").sum()).row(0)
    assert lanes == lane_sums(done.observations, done.sources)


COPY: Final = {"contract": "copier", "obligation": "copier", "copy_of": "o"}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("rows", "fact", "relations", "counted"),
    [
        ([{}, COPY], (1, "single", 1, 1), ["single", "copy"], ["published", "duplicate"]),
        ([{}, {**COPY, "value": 2}], (1, "single", 1, 1), ["single", "copy"], ["published", "duplicate"]),
        (
            [{}, {**COPY, "value": 2}, {"value": 3, "contract": "d", "obligation": "p"}],
            (None, "conflict", 2, 2), ["conflict", "copy", "conflict"], ["conflict", "duplicate", "conflict"],
        ),
        ([COPY], (1, "single", 1, 1), ["single"], ["published"]),
        (
            [COPY, {"contract": "d", "obligation": "p"}],
            (1, "complete", 2, 2), ["complete"] * 2, ["published", "duplicate"],
        ),
        ([{}, {**COPY, "copy_of": "c"}], (1, "single", 1, 1), ["single", "copy"], ["published", "duplicate"]),
        (
            [{"copy_of": "copier"}, {**COPY, "value": 2}],
            (None, "conflict", 2, 2), ["conflict"] * 2, ["conflict"] * 2,
        ),
    ],
    ids=["equal", "differs", "third", "alone", "no original", "of a contract", "circle"],
)  # fmt: skip
def test_a_copy_is_a_source_and_no_second_opinion(
    rows: list[dict[str, Any]], fact: tuple[Any, ...], relations: list[str], counted: list[str], turned: bool
) -> None:
    done = consolidated(*rows, turned=turned)
    assert done.observations.select("value", "agreement", "reports", "reporters").rows() == [fact]
    assert done.sources.sort("claim_id")["relation"].to_list() == relations
    assert buckets(done) == {(f"f{n}", bucket): 1 for n, bucket in enumerate(counted)}
    assert done.conflicts.height == relations.count("conflict")


def test_a_free_copy_publishes_the_value_of_a_confidential_original() -> None:
    fact = consolidated({"confidential": True}, COPY).observations.row(0, named=True)
    assert (fact["value"], fact["conf_status"], fact["reports"]) == (1, "F", 1)


def test_the_interval_of_a_conflict_has_its_tolerance() -> None:
    conflicts = consolidated({"value": 100, "tolerance": 10_000}, {"value": 200}).conflicts
    assert conflicts.select("lower", "upper").rows() == [(99, 101), (200, 200)]
