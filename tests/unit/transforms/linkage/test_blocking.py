"""What a blocking rule reads of a report is described in words, and equal words are equal keys."""

import datetime as dt

import polars as pl
import pytest

from schemas.kind import Key, Kind, read_kind
from tests.support.mishap_frames import KIND, deliveries
from transforms.linkage.blocking import (
    WORD_STEPS_PER_BIT,
    WORD_WEIGHT_SPAN,
    block_sizes,
    blocking_index,
    blocking_keys,
    comparison_fields,
    declared_identities,
    distinct_words,
    key_columns,
    key_values,
    prepare_comparison,
    scored_key_columns,
    without_capped_keys,
)
from transforms.linkage.model import Frequencies, MatchModel, WordWeights

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


def test_a_key_is_a_number_that_stays_the_same_and_null_where_a_part_is() -> None:
    reports = deliveries([{"place": "Vik", "day": dt.date(2024, 3, 9)}, {"place": "Vik"}, {"case": "x"}], kind())
    index = blocking_index(reports, kind())
    assert index.schema == {"report_id": pl.String, **dict.fromkeys(key_columns(kind()), pl.Int64)}
    assert index["block_0"].to_list() == [-8005412202786748476, None, None]
    assert scored_key_columns(kind()) == key_columns(kind())[:3]
    assert index["block_3"].is_null().to_list() == [True, True, False]


def test_prepared_keys_are_used_as_they_are() -> None:
    reports = deliveries([{"place": "Vik", "day": dt.date(2024, 3, 9)}], kind())
    known = reports.with_columns(pl.lit(7, pl.Int64).alias(name) for name in key_columns(kind()))
    assert prepare_comparison(known, kind()).select(key_columns(kind())).row(0) == (7, 7, 7, 7)


def test_only_what_is_compared_or_blocked_on_is_read() -> None:
    assert comparison_fields(kind()) == ["case", "place", "day", "speed", "hurt", "story"]
    assert comparison_fields(KIND) == ["case", "place", "day"]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ØRJE  sag", "ørje sag"), (" Vik\t", "vik"), ("VIK", "vik"), ("\ufb01n", "fin"), ("A\u030as", "ås"),
        ("a\u00a0b", "a b"), ("a\n\nb", "a b"), ("", None), ("  ", None), (None, None),
    ],
)  # fmt: skip
def test_texts_are_compared_folded(text: str | None, folded: str | None) -> None:
    for other in ("x", "\u00e5  b"):  # a column of plain texts is folded in a shorter way
        reports = deliveries([{"place": text}, {"place": other}], KIND)
        assert prepare_comparison(reports, KIND)["place"].to_list()[0] == folded


def test_a_list_is_compared_in_small_letters() -> None:
    of_lists = read_kind(
        """
        kind: mishap
        version: 1
        title: {en: Mishap, nb: Uhell, nn: Uhell}
        one_report_per_item: true
        fields:
          causes: {type: list, role: comparison, doc: Why, compare: {by: overlap, levels: [1]}}
          day: {type: date, role: attribute, doc: When}
        blocking: [[day]]
        """
    )
    reports = deliveries([{"causes": ["Fog", "ICE"]}], of_lists)
    assert prepare_comparison(reports, of_lists)["causes"].to_list() == [["fog", "ice"]]


WEIGHED = read_kind(
    """
    kind: mishap
    version: 1
    title: {en: Mishap, nb: Uhell, nn: Uhell}
    one_report_per_item: true
    fields:
      place: {type: text, role: comparison, doc: Where, compare: {by: exact}, term_frequency: true}
      hurt: {type: integer, role: comparison, doc: How many, compare: {by: exact}}
      story: {type: text, role: comparison, doc: What, compare: {by: words, levels: [4]}}
    blocking: [[place]]
    """
)
MODEL = MatchModel(
    "mishap",
    "",
    {},
    {"place": Frequencies({"vik": 0.25}, 0.01)},
    {"story": WordWeights({"mill": 4.55, "the": 1.0}, 9.0)},
    0,
    {},
)


def test_a_model_gives_values_their_frequency_and_words_their_weight() -> None:
    stories = ["The mill, the MILL x", "bridge mill", "the", None]
    reports = deliveries(
        [{"place": p, "story": s, "hurt": 2} for p, s in zip(["Vik", "Ås", None, "vik"], stories, strict=True)], WEIGHED
    )
    ready = prepare_comparison(reports, WEIGHED, MODEL)
    assert ready["report_id"].to_list() == ["r0", "r1", "r2", "r3"]
    assert ready["_tf_place"].to_list() == [0.25, 0.01, None, 0.25]
    assert ready["hurt"].to_list() == [2.0] * 4
    words = ready["story"].to_list()
    assert [one and len(one) for one in words] == [1, 2, None, None]  # the commonest weigh too little to count
    steps = [sorted(word % WORD_WEIGHT_SPAN for word in one or ()) for one in words]
    assert steps[:2] == [[round(4.55 * WORD_STEPS_PER_BIT)], [round(4.55 * WORD_STEPS_PER_BIT), 9 * WORD_STEPS_PER_BIT]]
    assert len(set(words[0]) & set(words[1])) == 1, "the same word is the same number in every report"
    bare = prepare_comparison(reports, WEIGHED)
    assert bare["story"].to_list()[1] == "bridge mill"
    assert "_tf_place" not in bare.columns


def test_the_words_of_a_text_are_two_letters_or_digits_and_more() -> None:
    texts = pl.DataFrame({"t": ["the mill's end of a 4x4, e6 og ærå", "", None]})
    found = texts.select(distinct_words(pl.col("t")))["t"].to_list()
    assert sorted(found[0]) == ["4x4", "e6", "end", "mill", "of", "og", "the", "ærå"]
    assert found[1:] == [[], None]


def test_identities_of_different_rules_are_different_keys() -> None:
    index = pl.DataFrame(
        {"report_id": ["a", "b"], "block_0": [1, 2], "block_1": [3, 4], "block_2": [5, 6], "block_3": [7, None]}
    )
    assert declared_identities(index, kind()).rows() == [("a", "block_3:7")]
    two = kind().model_copy(update={"blocking": RULES[:2]})
    assert sorted(declared_identities(index.drop("block_3"), two).rows()) == [("a", "block_2:5"), ("b", "block_2:6")]


def test_blocks_are_counted_by_rule_and_capped_keys_bring_nobody_together() -> None:
    index = pl.DataFrame(
        {
            "report_id": list("abc"),
            "block_0": [1, 1, None],
            "block_1": [1, 2, 2],
            "block_2": None,
            "block_3": [9, 9, 9],
        },
        {"report_id": pl.String, **dict.fromkeys(key_columns(kind()), pl.Int64)},
    )
    sizes = block_sizes(index, kind())
    assert sorted(sizes.rows()) == [(0, 1, 2), (1, 1, 1), (1, 2, 2), (3, 9, 3)]
    assert sizes.schema == {"rule": pl.Int32, "key": pl.Int64, "reports": pl.UInt32}
    capped = without_capped_keys(index, sizes.filter(pl.col("key") == 2), kind())
    assert capped["block_1"].to_list() == [1, None, None]
    assert capped.drop("block_1").equals(index.drop("block_1"))
    assert without_capped_keys(index, sizes.clear(), kind()).equals(index)
    none = KIND.model_copy(update={"blocking": (), "fields": {"place": KIND.fields["place"]}})
    assert block_sizes(index, none).schema == sizes.schema


def test_a_stored_word_is_read_for_ever() -> None:
    assert (WORD_STEPS_PER_BIT, WORD_WEIGHT_SPAN) == (10, 1024)
