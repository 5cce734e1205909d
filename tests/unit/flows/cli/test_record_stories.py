"""What is printed of records: which words for which reason, what is cut, and that nothing is asked twice."""

import io
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from flows.cli import record_stories, side_by_side
from flows.cli.record_stories import BRIEF_CHARACTERS, MAX_SEPARATE_ITEMS, print_pair, print_question, print_values
from flows.cli.review import PROMPT, read_answer
from flows.cli.side_by_side import MAX_TEXT_CHARACTERS, display_text, print_wrapped
from flows.matching.review_queue import ReviewQuestion
from flows.queries.pairs import Pair
from flows.queries.record_story import RecordStory
from transforms.linkage.waterfall import PRIOR, TOTAL

FIELDS = [
    {"field": "place", "mark": "same", "a": "Vik", "b": "Vik", "level": "the same", "bits": 4.0, "frequency_bits": 1.5},
    {
        "field": "story",
        "mark": "differ",
        "a": "x" * 40,
        "b": None,
        "level": "differ",
        "bits": None,
        "frequency_bits": None,
    },
]


def report(id_: str, **fields: Any) -> dict[str, Any]:
    return {"report_id": id_, "reported_by": f"by {id_}", **fields}


def pair(**stated: Any) -> Pair:
    return Pair(
        **{"a": report("r1"), "b": report("r2"), "weight": 5.5, "fields": FIELDS, "weights": pl.DataFrame(), **stated}
    )


class Weighed(Pair):
    """A pair of which the steps are given."""

    @property
    def steps(self) -> list[dict[str, Any]]:
        step = {"level": "", "bits": 1.0, "before": 0.0, "after": 1.0}
        return [
            {**step, "step": PRIOR, "bits": -9.0, "after": -9.0},
            {**step, "step": "story", "level": "differ", "bits": -0.25, "after": -9.25},
            {**step, "step": TOTAL, "after": -9.25},
        ]


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print into a wide terminal, whatever the one is that the tests run in."""
    monkeypatch.setenv("COLUMNS", "200")


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("stated", "automatic", "expected"),
    [
        ({"compared_by": ("place", "day")}, None, "5.50 bits; compared by place; day"),
        ({"compared_by": ("place",)}, 7.126, "5.50 bits, 7.13 make one item; compared by place"),
        ({"compared_by": ("place",), "weight": None}, None, "not weighed; both have place"),
        (
            {"over_limit": ("place",)},
            None,
            "5.50 bits; never compared: more reports than the limit have the same place",
        ),
        ({}, None, "5.50 bits; never compared: no blocking rule fits"),
    ],
)
def test_a_pair_is_introduced_by_its_weight_and_what_brought_it_together(
    stated: dict[str, Any], automatic: float | None, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_pair(pair(**stated), automatic=automatic)
    assert lines(capsys) == [f"by r1 r1 and by r2 r2: {expected}"]


def test_a_weighed_pair_has_a_row_a_step_without_its_total(capsys: pytest.CaptureFixture[str]) -> None:
    weighed = Weighed(**pair().__dict__)
    print_pair(weighed, {"r1": "1 A", "r2": "2 B"}, brief=True)
    title, head, prior, story = lines(capsys)
    assert title.startswith("1 A and 2 B: 5.50 bits")
    assert head.split() == ["step", "level", "a", "b", "bits", "sum"]
    assert prior.split()[-2:] == ["-9.00", "-9.00"]
    assert f"{'x' * (BRIEF_CHARACTERS - 3)}..." in story
    assert story.split()[-2:] == ["-0.25", "-9.25"]
    print_pair(weighed)
    assert "x" * 40 in "".join(lines(capsys))


def question(**stated: Any) -> ReviewQuestion:
    return cast("ReviewQuestion", SimpleNamespace(**{"pair": pair(), "pairs": 1, "reports": 2, **stated}))


@pytest.mark.parametrize(("pairs", "more"), [(1, ""), (3, ", 2 more pairs of the two items are open")])
def test_a_question_shows_both_reports_and_how_much_is_open(
    pairs: int, more: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_question(question(pairs=pairs), 7.0, "pair 1 of 9")
    title, head, place, story = lines(capsys)
    assert title == f"pair 1 of 9: 5.50 bits, 7.00 make one item; 2 reports in both items{more}"
    assert "by r1 r1" in head
    assert place.split() == ["=", "place", "Vik", "Vik", "the", "same", "+5.50"], "the frequency counts too"
    assert story.split()[:2] == ["≠", "story"]


def test_who_judges_sees_values_and_no_weight(capsys: pytest.CaptureFixture[str]) -> None:
    print_values(pair(), "pair 1")
    title, head, place, story = lines(capsys)
    assert title == "pair 1"
    assert "bits" not in head
    assert place.split() == ["=", "place", "Vik", "Vik"]
    assert story.split()[0] == "·", "one report gives none"


def separate(n: int, reason: str, **stated: Any) -> dict[str, Any]:
    row = {"other_id": f"o{n}", "weight": 6.0, "report_id": "r1", "other_item": f"i{n}", "reason": reason}
    return {
        **row,
        "decisions": [4, 5],
        "reporters": ["A", "B"],
        "pairs": 4,
        "weighed": 3,
        "absent": 1,
        "mean": -2.0,
        **stated,
    }


def story(**stated: Any) -> RecordStory:
    fields = {"now": "now", "history": [], "notes": [], "item": None, "kind": "mishap", "item_id": "i0", "reports": []}
    more = {"fields": [], "pairs": [], "automatic": 7.0, "left_out": 0, "decisions": [], "overruled": []}
    return cast("RecordStory", SimpleNamespace(**{**fields, **more, "separate_items": [], **stated}))


ITEM = {"conflicting": [], "reports": 1, "reporters": 1, "agreement": "single"}


def test_an_item_that_is_no_more_has_its_notes_alone(capsys: pytest.CaptureFixture[str]) -> None:
    record_stories.print_story(story(notes=["it merged"]))
    assert lines(capsys) == ["now", "it merged"]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("decision", "decision 4, 5 calls them different"),
        ("reporter", "one reporter reports an item once, and A, B reported both"),
        ("nothing", "nothing in that release"),
    ],
)
def test_why_an_item_was_kept_separate(reason: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    record_stories.print_story(story(item=ITEM, separate_items=[separate(1, reason)]))
    found = lines(capsys)
    assert found[-1] == f"kept separate: item i1, whose report o1 weighs 6.00 bits with r1: {expected}"
    assert "mishap i0: 1 report by 1 reporter, single" in found


def test_items_with_too_little_weight_are_only_counted_and_many_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    items = [separate(n, "decision") for n in range(MAX_SEPARATE_ITEMS + 2)] + [separate(9, "weight")]
    record_stories.print_story(story(item=ITEM, separate_items=items))
    found = [line for line in lines(capsys) if line]
    assert len([line for line in found if line.startswith("kept separate")]) == MAX_SEPARATE_ITEMS
    assert found[-2:] == [
        "2 more items kept separate: --json lists all",
        "1 more item similar, with too little weight: `engang review mishap` asks about what no decision settles",
    ]


def test_reports_of_one_reporter_have_names_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    more = dict.fromkeys(("relation", "lead", "filename", "row", "row_keys", "sender", "submission_id"), "x")
    rows = [
        report(id_, reported_by="A\n", standing=True, place=place, **more)
        for id_, place in (("r1", "Vik"), ("r2", "Vik "))
    ]
    fields = [{"field": "place", "agreement": "conflict", "published": "Vik", "chosen": "the first"}]
    item = {"conflicting": ["place"], "reports": 2, "reporters": 1, "agreement": "conflict"}
    record_stories.print_story(story(item=item, reports=rows, fields=fields))
    text = "\n".join(lines(capsys))
    assert "2 reports by 1 reporter, conflict on place" in text
    assert "1 A" in text
    assert "2 A" in text
    assert "where reports differ, the first is published: place" in text


@pytest.mark.parametrize(
    ("typed", "answer", "refused"),
    [
        ("s\n", ("s", ""), 0),
        ("S  it is the same \n", ("s", "it is the same"), 0),
        ("d x y\n", ("d", "x y"), 0),
        ("k\n", ("k", ""), 0),
        ("Q now\n", ("q", "now"), 0),
        ("", ("q", ""), 0),
        ("x\n\nyes\nu\n", ("u", ""), 3),
        ("same\n", ("q", ""), 1),
    ],
)
def test_an_answer_is_a_key_and_a_reason(
    typed: str,
    answer: tuple[str, str],
    refused: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert read_answer() == answer
    shown = capsys.readouterr().out
    assert shown.count("expected one of s, d, u, k, q\n") == refused
    assert shown.count(PROMPT) == refused + 1


def test_a_verdict_that_needs_a_reason_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\nk\n"))
    assert read_answer("? ", ("y", "n"), reasoned=True) == ("k", "")
    assert "found 'n', expected one of y, n, k, q; a verdict with its reason" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO("y \x1b[31m\n"))
    assert read_answer("? ", ("y", "n"), reasoned=True) == ("y", "\x1b[31m")


def test_columns_that_may_wrap_share_what_the_others_leave(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(side_by_side.shutil, "get_terminal_size", lambda _: SimpleNamespace(columns=60))
    words = " ".join(["word"] * 20)
    print_wrapped([{"n": 1, "a": words, "b": "short"}, {"n": None, "a": "", "b": words}], ["n", "a", "b"], ["a", "b"])
    found = lines(capsys)
    assert max(map(len, found)) <= 60
    assert " ".join(found).split().count("word") == 40
    assert found[1].startswith("1  word")
    monkeypatch.setattr(side_by_side.shutil, "get_terminal_size", lambda _: SimpleNamespace(columns=1))
    print_wrapped([{"n": 1, "a": words}], ["n", "a"], ["a"])
    assert max(len(line) for line in lines(capsys)) == len("1  ") + side_by_side.MIN_TEXT_WIDTH - 3


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.005, "+1.00"), (-0.5, "-0.50"), (None, ""), (7, "7"), (True, "true"), (["a", None, "b\n"], "a, , b "),
        ([], ""), ("x" * MAX_TEXT_CHARACTERS, "x" * MAX_TEXT_CHARACTERS),
        ("x" * (MAX_TEXT_CHARACTERS + 1), f"{'x' * MAX_TEXT_CHARACTERS} [...] ({MAX_TEXT_CHARACTERS + 1} characters)"),
    ],
)  # fmt: skip
def test_a_value_is_one_line_of_bounded_length(value: object, shown: str) -> None:
    assert display_text(value) == shown
