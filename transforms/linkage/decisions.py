"""Decisions on pairs of reports: parsed from a file, and checked for contradictions.

`same` ties two reports, also through others; `different` separates two reports whatever ties them. Frames of decisions
have id, a, b, verdict, without withdrawn decisions.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Final

import polars as pl

from schemas.claims import VERDICTS
from schemas.suggestions import did_you_mean

REPORT_ID_PATTERN: Final = r"^[0-9a-f]{24}$"
"""A report's id; an item has the id of the report that founded it."""
MAX_TEXT_LENGTH: Final = 4_000
"""Characters of a reason or a name, at most."""
REQUIRED_COLUMNS: Final = ("kind", "a", "b", "verdict", "who", "why", "at")
OPTIONAL_COLUMNS: Final = ("withdrawn_at", "withdrawn_by", "withdrawn_why")
DECISION_FILE_COLUMNS: Final = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
"""The columns of a file of decisions."""
DECISION_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S%.f%:z"
ROW_NUMBER: Final = "_row"
_VALID: Final = "_said"
SameLinks = defaultdict[str, list[tuple[str, int]]]
"""Report -> the reports that a decision of `same` ties to it, each with the decision's id."""


def column_problems(columns: Iterable[str]) -> list[str]:
    """Return the problems with the columns of a file of decisions, a sentence each."""
    given = list(columns)
    problems = []
    for name in (c for c in given if c not in DECISION_FILE_COLUMNS):
        hint = did_you_mean(name, DECISION_FILE_COLUMNS)
        problems.append(f"unknown column {name!r}" + (f"; {hint}" if hint else ""))
    return problems + [f"no column {name!r}" for name in REQUIRED_COLUMNS if name not in given]


def parse_decisions(rows: pl.DataFrame, kinds: Iterable[str]) -> tuple[pl.DataFrame, list[str]]:
    """Return the decisions of a file (`DECISION_FILE_COLUMNS`, typed, times in UTC) and its problems, a sentence each.

    rows: the file's columns as text, and `ROW_NUMBER`. Blank is null. No problem quotes a name or a reason: they may be
    personal.
    """
    missing = [pl.lit(None, dtype=pl.String).alias(name) for name in OPTIONAL_COLUMNS if name not in rows.columns]
    text = rows.with_columns(*missing).with_columns(_trimmed(name) for name in DECISION_FILE_COLUMNS)
    text = text.with_columns(pl.col("a", "b", "verdict").str.to_lowercase())
    frame = text.with_columns(_time(name) for name in ("at", "withdrawn_at"))
    kind_names = sorted(kinds)
    problems = [
        *_invalid(frame, "kind", pl.col("kind").is_in(kind_names), f"one of {', '.join(kind_names) or 'no kinds'}"),
        *_invalid(frame, "verdict", pl.col("verdict").is_in(VERDICTS), ", ".join(VERDICTS)),
        *(
            p
            for name in ("a", "b")
            for p in _invalid(frame, name, pl.col(name).str.contains(REPORT_ID_PATTERN), "24 hex digits")
        ),
        *_invalid(frame, "b", pl.col("a").ne_missing(pl.col("b")), "another report than a"),
        *(p for name in ("who", "why") for p in _invalid(frame, name, _has_length(name), _EXPECTED, quote=False)),
        *_invalid(text, "at", frame["at"].is_not_null(), "a time as 2026-11-22T12:00:00Z"),
        *_invalid(
            text, "withdrawn_at", _withdrawal_complete(text, frame), "its time, withdrawn_by and withdrawn_why, or none"
        ),
    ]
    return frame.select(DECISION_FILE_COLUMNS), problems


_EXPECTED: Final = f"1 to {MAX_TEXT_LENGTH} characters"


def _trimmed(name: str) -> pl.Expr:
    text = pl.col(name).cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text).alias(name)


def _time(name: str) -> pl.Expr:
    """Return an ISO 8601 time as UTC without a zone; a time without a zone is UTC."""
    text = pl.col(name).str.replace(" ", "T", literal=True).str.replace("Z$", "+00:00")
    zoned = pl.when(text.str.contains(r"[+-]\d\d:\d\d$")).then(text).otherwise(text + "+00:00")
    return (
        zoned.str.to_datetime(DECISION_TIME_FORMAT, time_unit="us", strict=False).dt.replace_time_zone(None).alias(name)
    )


def _has_length(name: str) -> pl.Expr:
    return pl.col(name).str.len_chars().is_between(1, MAX_TEXT_LENGTH)


def _withdrawal_complete(text: pl.DataFrame, frame: pl.DataFrame) -> pl.Series:
    complete = frame["withdrawn_at"].is_not_null()
    complete &= frame.select((_has_length("withdrawn_by") & _has_length("withdrawn_why")).fill_null(False)).to_series()
    return complete | text.select(pl.all_horizontal(pl.col(OPTIONAL_COLUMNS).is_null())).to_series()


def _invalid(
    frame: pl.DataFrame, name: str, valid: pl.Expr | pl.Series, expected: str, *, quote: bool = True
) -> list[str]:
    invalid = frame.with_columns(valid.alias(_VALID)).filter(~pl.col(_VALID).fill_null(False))
    found = ["nothing" if value is None else f"{value!r:.40}" if quote else "too much" for value in invalid[name]]
    return [f"row {n}: {name}: found {f}, expected {expected}" for n, f in zip(invalid[ROW_NUMBER], found, strict=True)]


def tied_reports(decisions: pl.DataFrame, *reports: str) -> set[str]:
    """Return the reports that decisions of `same` tie to any of these, including these."""
    return _reachable(_same_links(decisions), *reports)


def same_chain(decisions: pl.DataFrame, a: str, b: str) -> list[int]:
    """Return the ids of the shortest chain of `same` between a and b, ascending; empty if nothing ties them."""
    links = _same_links(decisions)
    previous: dict[str, tuple[str, int]] = {}
    queue = deque([a])
    while queue and b not in previous:
        report = queue.popleft()
        for other, decision in links[report]:
            if other != a and other not in previous:
                previous[other] = (report, decision)
                queue.append(other)
    chain, report = [], b
    while report in previous:
        report, decision = previous[report]
        chain.append(decision)
    return sorted(chain)


def contradicted_decisions(decisions: pl.DataFrame, a: str, b: str, verdict: str) -> list[int]:
    """Return the ids of the decisions that a new one contradicts, ascending.

    These are the decisions on the same two reports with another verdict; for `different` also the chain of `same` that
    ties the two; for `same` also every `different` on two reports that it would tie together.
    """
    others = decisions.filter(pl.col("verdict") != verdict)
    found = set(others.filter(pl.col("a") == min(a, b), pl.col("b") == max(a, b))["id"])
    if verdict == "different":
        found |= set(same_chain(decisions, a, b))
    if verdict == "same":
        tied = pl.Series(sorted(tied_reports(decisions, a, b)), dtype=pl.String).implode()
        inside = pl.col("a").is_in(tied) & pl.col("b").is_in(tied)
        found |= set(others.filter(inside, pl.col("verdict") == "different")["id"])
    return sorted(found)


def contradictory_decisions(decisions: pl.DataFrame) -> list[int]:
    """Return the ids of the decisions of `different` on reports that decisions of `same` tie together, ascending."""
    links = _same_links(decisions)
    groups: dict[str, str] = {}
    for report in list(links):
        if report not in groups:
            groups |= dict.fromkeys(_reachable(links, report), report)
    different = decisions.filter(verdict="different").select("id", "a", "b").iter_rows()
    return sorted(decision for decision, a, b in different if a in groups and groups[a] == groups.get(b))


def _reachable(links: SameLinks, *reports: str) -> set[str]:
    found, queue = set(reports), deque(reports)
    while queue:
        for other, _ in links[queue.popleft()]:
            if other not in found:
                found.add(other)
                queue.append(other)
    return found


def _same_links(decisions: pl.DataFrame) -> SameLinks:
    """Return the ties of each report by decisions of `same`: a few thousand at most, because people make them."""
    links: SameLinks = defaultdict(list)
    for decision, a, b in decisions.filter(verdict="same").select("id", "a", "b").sort("id").iter_rows():
        links[a].append((b, decision))
        links[b].append((a, decision))
    return links
