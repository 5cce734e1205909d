"""What blocking brings together: pairs, blocks, and the estimate of recall from rules on other fields."""

import random
from itertools import combinations

import polars as pl
import pytest

from schemas.kind import Kind, read_kind
from transforms.drafting.block_report import report_blocks
from transforms.linkage.blocking import key_columns

KIND = """
kind: thing
version: 1
title: {nb: T, nn: T, en: T}
one_report_per_item: ONCE
largest_block: 6
fields:
  name: {type: text, role: comparison, doc: N, compare: {by: similarity}}
  code: {type: code, role: comparison, doc: C, compare: {by: exact}}
  place: {type: text, role: comparison, doc: P, compare: {by: words, levels: [3]}}
blocking:
  - [name]
  - [{field: code, prefix: 4}]
  - [{field: place, rare: word, most: 4}]
"""


def kind(*, once: bool = False) -> Kind:
    return read_kind(KIND.replace("ONCE", str(once).lower()))


def things(items: int, *, wrong: float, seed: int = 3) -> pl.DataFrame:
    """Return two reports an item; each value of the second one is wrong with this probability, one by one."""
    draw = random.Random(seed)
    rows = []
    for n in range(items):
        values = {"name": f"name{n}", "code": f"{n:04}x", "place": f"house{n} street{n % 3}"}
        other = {k: f"{v}-{draw.random()}" if draw.random() < wrong else v for k, v in values.items()}
        other["code"] = f"z{n:04}" if draw.random() < wrong else values["code"]
        rows += [
            {"report_id": f"a{n}", "reported_by": "a", **values},
            {"report_id": f"b{n}", "reported_by": "b", **other},
        ]
    return pl.DataFrame(rows)


def test_pairs_and_blocks_of_each_rule() -> None:
    reports = pl.DataFrame(
        {
            "report_id": list("abcdefgh"),
            "reported_by": list("xxyyxxyy"),
            "name": ["n"] * 3 + ["m"] * 2 + [None] * 3,
            "code": ["1234"] * 7 + ["999"],
            "place": ["elm oak", "elm oak", "ash", "elm", "fir", "fir", None, None],
        }
    )
    report = report_blocks(reports, kind())
    assert [(r["pairs"], r["largest"], r["over_limit"], r["largest_over"]) for r in report.rules] == [
        (4, [3, 2], 0, 0), (0, [], 1, 7), (5, [3, 2, 2], 0, 0),
    ]  # fmt: skip
    assert report.pairs == len({*combinations("abc", 2), ("d", "e"), ("a", "d"), ("b", "d"), ("e", "f")})
    assert [r["only"] for r in report.rules] == [3, 0, 3]
    once = report_blocks(reports, kind(once=True))
    assert [r["pairs"] for r in once.rules] == [3, 0, 2]


@pytest.mark.parametrize("wrong", [0.1, 0.3])
def test_recall_is_estimated_from_rules_on_other_fields(wrong: float) -> None:
    reports = things(400, wrong=wrong)
    report = report_blocks(reports, kind())
    named = reports.group_by("name").len().filter(pl.col("len") == 2).height / 400
    assert report.rules[0]["recall"] == pytest.approx(named, abs=0.08)
    assert report.recall == pytest.approx(1 - wrong**3, abs=0.05)


def test_rules_on_one_field_estimate_nothing() -> None:
    one = kind().model_copy(update={"blocking": kind().blocking[:1]})
    report = report_blocks(things(50, wrong=0.1), one)
    assert (report.recall, report.rules[0]["recall"]) == (None, None)
    assert key_columns(one) == ["block_0"]


def test_a_report_is_plain_values() -> None:
    values = report_blocks(things(20, wrong=0.1), kind()).as_dict()
    assert [*values] == ["reports", "pairs", "likely", "recall", "rules"]
    assert values["reports"] == 40
