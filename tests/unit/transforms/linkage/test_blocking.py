"""What a blocking rule reads of a report is described in words, and equal words are equal keys."""

import datetime as dt

import polars as pl

from schemas.kind import Key, Kind
from tests.support.mishap_frames import KIND, deliveries
from transforms.linkage.blocking import blocking_keys, key_columns, key_values, prepare_comparison

RULES = (
    (Key(field="place", prefix=3), Key(field="day", unit="month")),
    (Key(field="speed", width=10), Key(field="hurt")),
    (Key(field="story", longest_word=1), Key(field="story", longest_word=2)),
)


def kind() -> Kind:
    return KIND.model_copy(update={"blocking": RULES})


def test_rules_in_words() -> None:
    assert [[key.in_words() for key in rule] for rule in RULES] == [
        ["first 3 of place", "month of day"], ["speed by 10", "hurt"],
        ["longest word of story", "longest word (2) of story"],
    ]  # fmt: skip


def test_what_rules_read_part_by_part() -> None:
    reports = deliveries(
        [
            {
                "place": "ØRJE  sag",
                "day": dt.date(2024, 3, 9),
                "speed": 47,
                "hurt": 2,
                "story": "The mill, the mill's end",
            },
            {"case": "c-1", "place": "Å", "speed": -3},
        ],
        kind(),
    )
    values = key_values(reports, kind()).drop("report_id").rows()
    assert values == [
        (["ørj", "2024-03"], ["4", "2"], ["mill", "end"], [None]),
        (["å", None], ["-1", None], [None, None], ["c-1"]),
    ]
    keys = prepare_comparison(reports, kind()).select(key_columns(kind()))
    assert [[key is not None for key in row] for row in keys.iter_rows()] == [
        [all(part is not None for part in parts) for parts in row] for row in values
    ]
    assert len(blocking_keys(kind())) == len(key_columns(kind())) == 4


def test_equal_words_are_equal_keys() -> None:
    rows = [{"place": place, "day": dt.date(2024, month, 1)} for place in ("Vik", "VIKA", "Voss") for month in (3, 4)]
    reports = deliveries(rows, kind())
    keys = prepare_comparison(reports, kind()).select("report_id", "block_0")
    words = key_values(reports, kind()).select("report_id", pl.col("block_0").list.join(" ").alias("words"))
    both = keys.join(words, on="report_id")
    assert both.group_by("block_0").agg(pl.col("words").n_unique())["words"].to_list() == [1] * 4
    assert both["words"].n_unique() == 4
