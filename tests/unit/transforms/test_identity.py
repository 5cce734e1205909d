"""Ids and digests of known rows: the same on every machine, with every version of the hash libraries, for ever."""

import hashlib
from datetime import date, timedelta
from typing import Any, Final

import polars as pl
import pytest

from schemas.claims import IDENTITY
from transforms.identity import (
    LANES,
    claim_id,
    count_distinct,
    digest,
    frame_lanes,
    item_id,
    lanes,
    order_ids,
    record_digest,
    refounded_item_id,
    report_id,
    slot_id,
    submission_id,
)

ROWS = pl.DataFrame({"a": ["x", "Ålesund", None], "b": [1, None, 3]})
KNOWN = [
    (1349051337, 1634589157, 1291219688, 3541615915),
    (1561457899, 2790576174, 3252762309, 4108564038),
    (4283918510, 1279107313, 323572670, 936211592),
]
DIGEST = "154d2c0cf40c2c647c24bf907a461204"


def test_the_lanes_of_known_rows_are_those_that_they_always_were() -> None:
    assert ROWS.select(lanes(pl.col("a"), pl.col("b"))).rows() == KNOWN
    assert frame_lanes(ROWS, pl.col("a"), pl.col("b")).rows() == KNOWN


def test_a_lane_has_32_bits() -> None:
    many = pl.DataFrame({"a": range(1000)}).select(lanes(pl.col("a")))
    for lane in LANES:
        assert many[lane].n_unique() > 990
        assert many[lane].max() < 2**32


def test_the_digest_of_known_rows_is_what_it_always_was() -> None:
    assert digest(tuple(map(sum, zip(*KNOWN, strict=True)))) == DIGEST


def sha(*parts: str) -> str:
    """Return the id of these parts, computed without Polars."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]


ITEM: Final[dict[str, Any]] = {
    "concept": "ansatte", "unit_id": "u1", "period_start": date(2024, 1, 1), "period_end": date(2025, 1, 1),
    "breakdown": '{"kjonn": "K"}', "unit_measure": "persons", "contract": "c", "sender": "Ås", "reported_by": "r",
    "report_key": '["7"]', "submission_id": "s", "row": 3, "position": 1, "report_id": "f0", "times": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "name", "expected"),
    [
        (
            item_id(), "item_id",
            sha("ansatte", "u1", "2024-01-01", "2025-01-01", '{"kjonn": "K"}', "persons"),
        ),
        (slot_id(), "slot_id", sha("Ås", "c", "u1", "2024-01-01", "2025-01-01")),
        (claim_id(), "claim_id", "s-3-1"),
        (report_id(), "report_id", sha("c", "r", '["7"]')),
        (report_id(sender=pl.col("sender")), "report_id", sha("c", "r", '["7"]', "Ås")),
        (report_id(sender=pl.lit(None, pl.String)), "report_id", sha("c", "r", '["7"]')),
        (refounded_item_id(), "item_id", sha("f0", "2")),
        (record_digest(pl.col("concept")), "content", sha("ansatte")),
    ],
)  # fmt: skip
def test_an_id_is_the_hash_of_its_parts(expression: pl.Expr, name: str, expected: str) -> None:
    assert pl.DataFrame([ITEM]).select(expression).to_dict(as_series=False) == {name: [expected]}


@pytest.mark.parametrize("changed", [c.name for c in IDENTITY])
def test_an_item_of_another_identity_has_another_id(changed: str) -> None:
    value = ITEM[changed]
    other = {**ITEM, changed: f"{value}x" if isinstance(value, str) else value + timedelta(days=1)}
    assert pl.DataFrame([ITEM, other]).select(item_id())["item_id"].n_unique() == 2


def test_the_same_bytes_of_another_sender_or_with_other_options_are_another_submission() -> None:
    stated = [
        ("c", "s", "2024", "ab"), ("d", "s", "2024", "ab"), ("c", "t", "2024", "ab"), ("c", "s", "2025", "ab"),
        ("c", "s", None, "ab"), ("c", "s", "2024", "cd"), ("c", "s", "2024", "ab", "2024-12-31"),
        ("c", "s", "2024", "ab", "2024-12-31", "f00"),
    ]  # fmt: skip
    ids = [submission_id(*one) for one in stated]
    assert len(set(ids)) == len(ids)
    assert ids[0] == hashlib.sha256(b"c\x1fs\x1f2024\x1fab").hexdigest()[:20]
    assert submission_id("c", "s", "", "ab") == submission_id("c", "s", None, "ab")


TEXTS: Final = (
    "",
    "a",
    "a\x00",
    "aaaaaaaa",
    "aaaaaaaab",
    "aaaaaaaac",
    "b",
    "Å",
    "å",
    "ååååå",
    "åååååa",
    "\U0001f682",
    "Z",
)


ALIKE: Final = "0123456789abcde"
"""The digits of an id that are sorted as one number."""


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        ("f" * 24, "0" * 24, "e" * 23 + "f", "0" * 24),
        (f"{ALIKE}1", f"{ALIKE}0", f"{ALIKE}1", f"{ALIKE}0"),
        ("+1", "1", "-1", "F0", "f0"),
        (),
    ],
    ids=["any text", "ids", "ids that begin alike", "numbers in another order than the texts", "none"],
)
def test_rows_are_ordered_by_their_ids(texts: tuple[str, ...]) -> None:
    for ids in (texts, texts[::-1]):
        order = order_ids(pl.Series(ids, dtype=pl.String))
        ordered = [ids[at] for at in order["at"]]
        assert ordered == sorted(ids, key=str.encode)
        assert order["first"].to_list() == [i == 0 or ordered[i - 1] != ordered[i] for i in range(len(ids))]


@pytest.mark.parametrize(("texts", "count"), [([], 0), (["a"], 1), (["a", "b", "c"], 3), (["a", "b", "a"], 2)])
def test_distinct_texts_are_counted(texts: list[str], count: int) -> None:
    assert count_distinct(pl.Series(texts, dtype=pl.String)) == count


def test_the_lanes_of_null_and_of_the_empty_text_are_equal_and_parts_do_not_run_together() -> None:
    frame = pl.DataFrame({"a": ["x", "x", "xy", "x"], "b": [None, "", "", "y"]})
    rows = frame.select(lanes(pl.col("a"), pl.col("b"))).rows()
    assert rows[0] == rows[1]
    assert len(set(rows)) == 3
