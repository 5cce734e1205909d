"""A match model: its file gives it back, its digest covers what decides a score, and what its thresholds join."""

import json
from dataclasses import replace
from typing import Any

import pytest

from schemas.errors import UsageError
from schemas.kind import Kind
from tests.support.mishap_frames import KIND
from transforms.linkage.clustering import LinkageRule
from transforms.linkage.model import (
    NO_MODEL_BITS,
    PROBABILITY_DIGITS,
    WEIGHT_DECIMALS,
    Frequencies,
    MatchModel,
    WordWeights,
    automatic_threshold,
    linkage_rule,
    match_weight,
    parse_model,
    review_threshold,
    round_floats,
)

MODEL = MatchModel(
    kind="mishap",
    match_digest="d",
    settings={"comparisons": [{"m": 0.9}]},
    frequencies={"place": Frequencies({"Ås": 0.25}, 0.01)},
    words={"story": WordWeights({"mill": 4.5}, 9.0)},
    best=3.25,
    seen={"reports": 7},
)


def kind(automatic: float | str, review: float = 0.5) -> Kind:
    return KIND.model_copy(
        update={"thresholds": KIND.thresholds.model_copy(update={"automatic": automatic, "review": review})}
    )


def test_the_file_of_a_model_gives_it_back() -> None:
    assert parse_model(MODEL.as_json()) == MODEL
    assert "Ås" in MODEL.as_json()
    assert list(json.loads(MODEL.as_json())) == sorted(vars(MODEL))


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "other"}, {"match_digest": "e"}, {"settings": {"comparisons": [{"m": 0.8}]}}, {"best": 3.0},
        {"frequencies": {"place": Frequencies({"Ås": 0.25}, 0.02)}}, {"words": {"story": WordWeights({}, 9.0)}},
    ],
)  # fmt: skip
def test_the_digest_covers_all_that_decides_a_score(changed: dict[str, Any]) -> None:
    assert replace(MODEL, **changed).digest != MODEL.digest


def test_the_digest_does_not_cover_what_was_seen_and_is_the_same_for_ever() -> None:
    assert replace(MODEL, seen={}).digest == MODEL.digest == parse_model(MODEL.as_json()).digest
    assert MODEL.digest == "db7260e515e5f30e"


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"frequencies": {}}', '{"frequencies": {}, "words": {}, "kind": "k"}',
             MODEL.as_json().replace('"best"', '"beste"'), MODEL.as_json().replace('"rarest"', '"least"')],
)  # fmt: skip
def test_another_text_is_no_model(text: str) -> None:
    with pytest.raises(UsageError, match=r"this is no match model .*: expected a file that `engang train` wrote"):
        parse_model(text)


@pytest.mark.parametrize(
    ("probability", "bits"), [(0.5, 0.0), (0.8, 2.0), (0.2, -2.0), (1 / 1025, -10.0), (0.9, 3.169925)]
)
def test_a_match_weight_is_the_log_of_the_odds(probability: float, bits: float) -> None:
    assert match_weight(probability) == bits


@pytest.mark.parametrize(
    ("automatic", "review", "joined", "reviewed"),
    [("best_f1", 0.8, 3.25, 2.0), ("best_f1", 0.99, 3.25, 3.25), (0.8, 0.5, 2.0, 0.0), (0.8, 0.9, 2.0, 2.0)],
)
def test_thresholds_are_the_kinds_or_the_best_of_the_model(
    automatic: float | str, review: float, joined: float, reviewed: float
) -> None:
    asked = kind(automatic, review)
    assert (automatic_threshold(asked, MODEL), review_threshold(asked, MODEL)) == (joined, reviewed)
    assert linkage_rule(asked, MODEL) == LinkageRule(joined, one_report_per_item=True)


def test_without_a_model_weight_joins_nothing() -> None:
    several = kind(0.8).model_copy(update={"one_report_per_item": False})
    assert linkage_rule(several, None) == LinkageRule(NO_MODEL_BITS, one_report_per_item=False)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (0.12345678949, 0.123456789), (12345678949.0, 12345678900.0), (1e-30, 1e-30), (7, 7), ("x", "x"), (None, None),
        ({"a": [0.12345678949, {"b": 1 / 3}]}, {"a": [0.123456789, {"b": 0.333333333}]}),
    ],
)  # fmt: skip
def test_floats_have_nine_digits_at_any_depth(value: object, rounded: object) -> None:
    assert round_floats(value) == rounded


def test_a_model_scores_the_same_for_ever() -> None:
    assert (WEIGHT_DECIMALS, PROBABILITY_DIGITS) == (6, 9)
