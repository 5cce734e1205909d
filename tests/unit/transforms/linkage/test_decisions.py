"""Decisions as frames: files read strictly, contradictions found through chains."""

from datetime import datetime
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.linkage.decisions import (
    DECISION_FILE_COLUMNS,
    column_problems,
    contradicted_decisions,
    contradictory_decisions,
    parse_decisions,
    same_chain,
    tied_reports,
)

A, B = "a" * 24, "b" * 24
DECISION = {"kind": "train", "a": A, "b": B, "verdict": "same", "who": "Kari", "why": "w", "at": "2026-11-22T12:00:00Z"}
WITHDRAWAL = {"withdrawn_at": "2026-11-23T12:00:00Z", "withdrawn_by": "Ola", "withdrawn_why": "a slip"}
NOON = datetime(2026, 11, 22, 12)


def made(*rows: tuple[str, str, str]) -> pl.DataFrame:
    numbered = [(n, *sorted((a, b)), verdict) for n, (a, verdict, b) in enumerate(rows, 1)]
    return pl.DataFrame(
        numbered, schema={"id": pl.Int64, "a": pl.String, "b": pl.String, "verdict": pl.String}, orient="row"
    )


def read(*changes: dict[str, str | None], drop: tuple[str, ...] = ()) -> tuple[pl.DataFrame, list[str]]:
    rows = [{k: v for k, v in {**DECISION, **c, "_row": n}.items() if k not in drop} for n, c in enumerate(changes, 2)]
    return parse_decisions(pl.DataFrame(rows, infer_schema_length=None), ["train"])


# Files


def test_a_file_is_read_as_it_is_meant() -> None:
    frame, wrong = read({}, {"a": f" {A.upper()} ", "verdict": "SAME", "why": " ja, ærlig ", **WITHDRAWAL})
    assert wrong == []
    assert frame.columns == list(DECISION_FILE_COLUMNS)
    assert frame.row(0) == ("train", A, B, "same", "Kari", "w", NOON, None, None, None)
    assert frame.row(1) == (
        "train",
        A,
        B,
        "same",
        "Kari",
        "ja, ærlig",
        NOON,
        datetime(2026, 11, 23, 12),
        "Ola",
        "a slip",
    )


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-22T12:00:00.123456Z", NOON.replace(microsecond=123456)),
        ("2026-11-22T12:00:00.5Z", NOON.replace(microsecond=500000)),
        ("2026-11-22 12:00:00", NOON),
        ("2026-11-22T13:00:00+01:00", NOON),
        ("2026-11-22T10:30:00-01:30", NOON),
    ],
)
def test_times_are_utc(text: str, meant: datetime) -> None:
    frame, wrong = read({"at": text})
    assert (frame["at"].to_list(), wrong) == ([meant], [])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "trian"}, "row 3: kind: found 'trian', expected one of train"),
        ({"kind": None}, "row 3: kind: found nothing, expected one of train"),
        ({"a": "a" * 23}, f"row 3: a: found '{'a' * 23}', expected 24 hex digits"),
        ({"b": "ø" * 24}, f"row 3: b: found '{'ø' * 24}', expected 24 hex digits"),
        ({"b": A}, f"row 3: b: found '{A}', expected another report than a"),
        ({"verdict": "maybe"}, "row 3: verdict: found 'maybe', expected same, different, unsure"),
        ({"who": "  "}, "row 3: who: found nothing, expected 1 to 4000 characters"),
        ({"why": "secret" * 1000}, "row 3: why: found too much, expected 1 to 4000 characters"),
        ({"at": "22.11.2026"}, "row 3: at: found '22.11.2026', expected a time as 2026-11-22T12:00:00Z"),
        ({"at": "2026-02-30T12:00:00Z"}, "row 3: at: found '2026-02-30T12:00:00Z', expected a time"),
        ({"at": None}, "row 3: at: found nothing, expected a time"),
        ({**WITHDRAWAL, "withdrawn_at": None}, "row 3: withdrawn_at: found nothing, expected its time, withdrawn_by"),
        ({**WITHDRAWAL, "withdrawn_by": " "}, "row 3: withdrawn_at: found '2026-11-23"),
        ({**WITHDRAWAL, "withdrawn_at": "later"}, "row 3: withdrawn_at: found 'later', expected its time"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(wrong: dict[str, str | None], message: str) -> None:
    _, problems = read(WITHDRAWAL, wrong)
    assert [t[: len(message)] for t in problems] == [message]
    assert "secret" not in str(problems)


def test_every_problem_is_reported() -> None:
    _, problems = read({"kind": "x", "verdict": "y"}, {}, {"at": "z"})
    assert [t.partition(": found")[0] for t in problems] == ["row 2: kind", "row 2: verdict", "row 4: at"]


def test_no_decisions_are_no_problem() -> None:
    frame, wrong = parse_decisions(
        pl.DataFrame(schema={"_row": pl.Int64, **dict.fromkeys(DECISION_FILE_COLUMNS, pl.String)}), []
    )
    assert (frame.height, wrong) == (0, [])


def test_columns_are_strict() -> None:
    assert column_problems(DECISION_FILE_COLUMNS) == []
    assert column_problems(DECISION_FILE_COLUMNS[:7]) == []
    problems = column_problems(["kind", "a", "b", "verdcit", "who", "why", "at", "zz"])
    assert problems == [
        "unknown column 'verdcit'; did you mean 'verdict'?",
        "unknown column 'zz'",
        "no column 'verdict'",
    ]


# Contradictions


CHAIN = made(("a", "same", "b"), ("b", "same", "c"), ("c", "same", "d"), ("x", "same", "y"), ("p", "unsure", "q"))


def test_what_decisions_tie() -> None:
    assert tied_reports(CHAIN, "d") == {"a", "b", "c", "d"}
    assert tied_reports(CHAIN, "a", "y") == {"a", "b", "c", "d", "x", "y"}
    assert tied_reports(CHAIN, "p") == {"p"}
    assert same_chain(CHAIN, "a", "d") == [1, 2, 3]
    assert same_chain(CHAIN, "d", "b") == [2, 3]
    assert same_chain(CHAIN, "a", "x") == []
    assert same_chain(CHAIN, "a", "a") == []
    assert same_chain(made(*[("a", "same", "b")] * 2, ("a", "same", "c"), ("c", "same", "b")), "a", "b") == [1]


def test_what_a_new_decision_speaks_against() -> None:
    assert contradicted_decisions(CHAIN, "d", "a", "different") == [1, 2, 3]
    assert contradicted_decisions(CHAIN, "a", "x", "different") == []
    assert contradicted_decisions(CHAIN, "a", "b", "same") == []
    assert contradicted_decisions(CHAIN, "a", "b", "unsure") == [1]
    assert contradicted_decisions(CHAIN, "q", "p", "same") == [5]
    contrary = pl.concat(
        [CHAIN, made(("a", "different", "y"), ("a", "different", "z")).with_columns(pl.col("id") + 10)]
    )
    assert contradicted_decisions(contrary, "x", "d", "same") == [11]
    assert contradicted_decisions(contrary, "x", "z", "same") == []
    assert contradictory_decisions(CHAIN) == []
    assert contradictory_decisions(contrary) == []
    assert contradictory_decisions(pl.concat([contrary, made(("d", "same", "x")).with_columns(pl.col("id") + 20)])) == [
        11
    ]
    assert contradictory_decisions(made(("a", "same", "b"), ("a", "different", "b"))) == [2]


LETTERS = st.sampled_from("abcdef")
DECISIONS = st.lists(
    st.tuples(LETTERS, st.sampled_from(["same", "different", "unsure"]), LETTERS).filter(lambda r: r[0] != r[2]),
    max_size=12,
)


@given(DECISIONS)
def test_a_new_decision_contradicts_exactly_what_it_speaks_against(rows: list[tuple[str, str, str]]) -> None:
    """Decisions end contradictory if and only if one of them, when it was made, was reported to be."""
    frame, contradicted = made(*rows), False
    for n, (a, verdict, b) in enumerate(rows):
        before = frame.head(n)
        spoken = before.filter(pl.col("id").is_in(contradicted_decisions(before, a, b, verdict)))
        contradicted = contradicted or (
            verdict != "unsure" and not spoken.filter(pl.col("verdict") != "unsure").is_empty()
        )
    assert contradicted == bool(contradictory_decisions(frame))
    assert contradictory_decisions(frame) == contradictory_decisions(frame.reverse())


def test_a_chain_of_ten_thousand() -> None:
    names = [f"{n:05}" for n in range(10_001)]
    long = made(*((a, "same", b) for a, b in pairwise(names)))
    assert len(same_chain(long, names[0], names[-1])) == 10_000
    assert contradictory_decisions(pl.concat([long, made((names[0], "different", names[-1]))])) == [1]
