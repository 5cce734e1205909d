"""What people decided of reports: read from a delivered file, and where decisions cannot hold together.

`same` ties two reports, also through others; `different` keeps two apart whatever ties them. Frames of decisions have
id, a, b, verdict and are those that stand.
"""

import difflib
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Final

import polars as pl

from schemas.claims import VERDICTS

REPORT: Final = r"^[0-9a-f]{24}$"
"""What a report's id looks like; an item bears the id of the report that founded it."""
LONGEST: Final = 4_000
"""Characters of a reason or a name."""
REQUIRED: Final = ("kind", "a", "b", "verdict", "who", "why", "at")
OPTIONAL: Final = ("withdrawn_at", "withdrawn_by", "withdrawn_why")
FILE: Final = (*REQUIRED, *OPTIONAL)
"""The columns of a file of decisions."""
TIME: Final = "%Y-%m-%dT%H:%M:%S%.f%:z"
ROW: Final = "_row"
SAID: Final = "_said"
Links = defaultdict[str, list[tuple[str, int]]]
"""Report -> the reports that a decision of `same` ties to it, and which decision."""


def unknown_columns(columns: Iterable[str]) -> list[str]:
    """Return what is wrong with the columns of a file of decisions, a sentence each."""
    given = list(columns)
    wrong = []
    for name in (c for c in given if c not in FILE):
        near = difflib.get_close_matches(name, FILE, n=1)
        wrong.append(f"unknown column {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return wrong + [f"no column {name!r}" for name in REQUIRED if name not in given]


def read_decisions(told: pl.DataFrame, kinds: Iterable[str]) -> tuple[pl.DataFrame, list[str]]:
    """Return the decisions of a file (`FILE`, typed, times in UTC) and what is wrong with it, a sentence each.

    `told` has the file's columns as text and `_row` (`ROW`), the number of each. Blank is null. A name or a reason is
    not quoted: it may be personal.
    """
    missing = [pl.lit(None, dtype=pl.String).alias(name) for name in OPTIONAL if name not in told.columns]
    text = told.with_columns(*missing).with_columns(_trimmed(name) for name in FILE)
    text = text.with_columns(pl.col("a", "b", "verdict").str.to_lowercase())
    frame = text.with_columns(_time(name) for name in ("at", "withdrawn_at"))
    named = sorted(kinds)
    problems = [
        *_wrong(frame, "kind", pl.col("kind").is_in(named), f"one of {', '.join(named) or 'no kinds'}"),
        *_wrong(frame, "verdict", pl.col("verdict").is_in(VERDICTS), ", ".join(VERDICTS)),
        *(p for name in ("a", "b") for p in _wrong(frame, name, pl.col(name).str.contains(REPORT), "24 hex digits")),
        *_wrong(frame, "b", pl.col("a").ne_missing(pl.col("b")), "another report than a"),
        *(p for name in ("who", "why") for p in _wrong(frame, name, _written(name), _EXPECTED, quote=False)),
        *_wrong(text, "at", frame["at"].is_not_null(), "a time as 2026-11-22T12:00:00Z"),
        *_wrong(text, "withdrawn_at", _withdrawn(text, frame), "its time, withdrawn_by and withdrawn_why, or none"),
    ]
    return frame.select(FILE), problems


_EXPECTED: Final = f"1 to {LONGEST} characters"


def _trimmed(name: str) -> pl.Expr:
    text = pl.col(name).cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text).alias(name)


def _time(name: str) -> pl.Expr:
    """Return a time of ISO 8601 as UTC without a zone; it is UTC already where it names none."""
    text = pl.col(name).str.replace(" ", "T", literal=True).str.replace("Z$", "+00:00")
    zoned = pl.when(text.str.contains(r"[+-]\d\d:\d\d$")).then(text).otherwise(text + "+00:00")
    return zoned.str.to_datetime(TIME, time_unit="us", strict=False).dt.replace_time_zone(None).alias(name)


def _written(name: str) -> pl.Expr:
    return pl.col(name).str.len_chars().is_between(1, LONGEST)


def _withdrawn(text: pl.DataFrame, frame: pl.DataFrame) -> pl.Series:
    whole = frame["withdrawn_at"].is_not_null()
    whole &= frame.select((_written("withdrawn_by") & _written("withdrawn_why")).fill_null(False)).to_series()
    return whole | text.select(pl.all_horizontal(pl.col(OPTIONAL).is_null())).to_series()


def _wrong(
    frame: pl.DataFrame, name: str, right: pl.Expr | pl.Series, expected: str, *, quote: bool = True
) -> list[str]:
    bad = frame.with_columns(right.alias(SAID)).filter(~pl.col(SAID).fill_null(False))
    found = ["nothing" if value is None else f"{value!r:.40}" if quote else "too much" for value in bad[name]]
    return [f"row {n}: {name}: found {f}, expected {expected}" for n, f in zip(bad[ROW], found, strict=True)]


def tied(decisions: pl.DataFrame, *reports: str) -> set[str]:
    """Return the reports that decisions of `same` tie to any of these, these included."""
    return _reached(_links(decisions), *reports)


def chain(decisions: pl.DataFrame, a: str, b: str) -> list[int]:
    """Return the decisions of the shortest chain of `same` between a and b, ascending; none where nothing ties them."""
    links = _links(decisions)
    came: dict[str, tuple[str, int]] = {}
    waiting = deque([a])
    while waiting and b not in came:
        here = waiting.popleft()
        for other, decision in links[here]:
            if other != a and other not in came:
                came[other] = (here, decision)
                waiting.append(other)
    found, here = [], b
    while here in came:
        here, decision = came[here]
        found.append(decision)
    return sorted(found)


def against(decisions: pl.DataFrame, a: str, b: str, verdict: str) -> list[int]:
    """Return the standing decisions that a new one speaks against, ascending.

    Those of the same two reports with another verdict; for `different` also the chain of `same` that ties the two; for
    `same` also every `different` of two reports that it would tie together.
    """
    told = decisions.filter(pl.col("verdict") != verdict)
    found = set(told.filter(pl.col("a") == min(a, b), pl.col("b") == max(a, b))["id"])
    if verdict == "different":
        found |= set(chain(decisions, a, b))
    if verdict == "same":
        whole = pl.Series(sorted(tied(decisions, a, b)), dtype=pl.String).implode()
        inside = pl.col("a").is_in(whole) & pl.col("b").is_in(whole)
        found |= set(told.filter(inside, pl.col("verdict") == "different")["id"])
    return sorted(found)


def contradictory(decisions: pl.DataFrame) -> list[int]:
    """Return the decisions of `different` on reports that others tie together by `same`, ascending."""
    links = _links(decisions)
    whole: dict[str, str] = {}
    for report in list(links):
        if report not in whole:
            whole |= dict.fromkeys(_reached(links, report), report)
    apart = decisions.filter(verdict="different").select("id", "a", "b").iter_rows()
    return sorted(decision for decision, a, b in apart if a in whole and whole[a] == whole.get(b))


def _reached(links: Links, *reports: str) -> set[str]:
    found, waiting = set(reports), deque(reports)
    while waiting:
        for other, _ in links[waiting.popleft()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _links(decisions: pl.DataFrame) -> Links:
    """Return what each report is tied to by a decision of `same`: a few thousand, for people make them."""
    links: Links = defaultdict(list)
    for decision, a, b in decisions.filter(verdict="same").select("id", "a", "b").sort("id").iter_rows():
        links[a].append((b, decision))
        links[b].append((a, decision))
    return links
