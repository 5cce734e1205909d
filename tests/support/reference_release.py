"""A second implementation of the law, in dicts and fractions: what a release must hold of some deliveries, and why.

Written from the design, not from the product: no frame, no hash, no order of arrival. It reads the deliveries of
`small_deliveries`, as a clerk would, and says of every delivered row where it must end.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

from tests.support.observation_deliveries import (
    CONTRACTS,
    MUNICIPALITIES,
    Figure,
    Row,
    Sent,
    file_of,
    in_order,
    written,
)
from tests.support.reference_corrections import ends_of
from tests.support.temporary_installation import receipt_of

OLDEST = -(10**9)

Item = tuple[str, str, str]
"""Unit, month, group: the rest of the identity is one for all small contracts."""


class Claim(NamedTuple):
    """One statement of one row."""

    submission: str
    sent: Sent
    row: int
    column: str
    item: Item
    unit_name: str
    reported_by: str
    original: str
    value: Fraction
    decimals: int | None
    precedence: int | None
    version: int | None
    action: str
    cell: int = 0
    """Which row of those that a delivered row is read as, where its columns become rows."""
    lead: bool = False
    additive: bool = False
    slack: Fraction | None = None
    """Half the width of the interval of a sum of lines, where it is more than its accuracy gives."""

    @property
    def key(self) -> tuple[str, Item, str]:
        """What may not repeat inside a file."""
        return self.submission, self.item, self.reported_by

    @property
    def slot(self) -> tuple[str, str, str, str] | None:
        """What a newer report replaces whole."""
        return (*self.sent[:2], *self.item[:2]) if CONTRACTS[self.sent.contract].whole else None

    @property
    def statement(self) -> tuple[object, ...]:
        """What a newer statement corrects: the same sender's, of the same reporter, on the same item."""
        return *self.sent[:2], self.reported_by, self.item

    @property
    def newness(self) -> tuple[Any, ...]:
        """The order of a sender's reports: by version, by the time that it states or of its receipt."""
        return (OLDEST if self.version is None else self.version), *when(self.sent), self.submission

    @property
    def stated(self) -> tuple[object, ...]:
        """What it says of its item."""
        return self.value, self.decimals, self.version, self.precedence, self.action

    @property
    def ends(self) -> tuple[Fraction, Fraction]:
        """The interval it means."""
        return self.value - self.half, self.value + self.half

    @property
    def half(self) -> Fraction:
        """Half the width of that interval."""
        if self.slack is not None:
            return self.slack
        return Fraction(0) if self.decimals is None else Fraction(10) ** -self.decimals / 2

    @property
    def worth(self) -> tuple[object, ...]:
        """Who goes first among equals: exact, accurate, then by names that no order of arrival changes."""
        accuracy = (self.half, 0, 0) if self.decimals is None else (self.half, 1, -self.decimals)
        precedence = (1, 0) if self.precedence is None else (0, self.precedence)
        return accuracy, precedence, self.sent.contract, self.reported_by, self.submission, self.row, self.column


def when(sent: Sent) -> tuple[datetime, datetime]:
    """Return as of when a delivery holds, and when it is received."""
    received = receipt_of(file_of(sent), sent.contract, sent.sender).replace(tzinfo=None)
    return sent.as_of or received, received


@dataclass(frozen=True)
class Account:
    """One submission, read."""

    sent: Sent
    claims: tuple[Claim, ...]
    delivered: int
    rejected: int
    ignored: int

    @property
    def content(self) -> object:
        """What it says, whatever its order, encoding and writing."""
        names = ("item", "reported_by", "value", "decimals", "version", "action", "additive")
        counts = Counter(tuple(getattr(c, name) for name in names) for c in self.claims)
        stated = self.sent.as_of, self.sent.replaces
        return self.sent.contract, self.sent.sender, stated, frozenset(counts.items()) if counts else object()


@dataclass(frozen=True)
class ExpectedRelease:
    """What a release must hold, in plain values."""

    facts: dict[Item, tuple[object, ...]]
    """unit_name, value, decimals, obs_status, agreement, reports, reporters."""
    sources: dict[tuple[str, int, str], tuple[Any, ...]]
    """(submission, row, column) -> item, reported_by, original, value, decimals, version, relation, chosen."""
    conflicts: dict[tuple[str, int, str], tuple[object, ...]]
    """(submission, row, column) -> item, reported_by, value, decimals, lower, upper, outcome."""
    buckets: dict[str, dict[str, int]]
    fates: dict[tuple[str, int, str], tuple[Item, str]]
    """(submission, row, column) -> item, and the relation, or what became of the claim instead."""


class Cells(NamedTuple):
    """What is read as one row: a delivered row, or one of its columns that become rows."""

    row: Row
    number: int
    cell: int
    figures: tuple[tuple[Figure, str], ...]
    """Each figure with its text."""

    @property
    def empty(self) -> bool:
        return not any(text for _, text in self.figures)


def _cells(sent: Sent, number: int, row: Row) -> list[Cells]:
    """Return what a delivered row is read as."""
    contract = CONTRACTS[sent.contract]
    texts = [written(text, sent.wrapping) for text in (row.figure, row.other)]
    figures = tuple(zip(contract.figures, texts, strict=False))
    if not contract.groups:
        return [Cells(row, number, 0, figures)]
    groups = enumerate(zip(contract.groups, figures, strict=True))
    return [Cells(row._replace(group=group), number, cell, (figure,)) for cell, (group, figure) in groups]


def read(sent: Sent, submission: str) -> Account:
    """Read a delivery row by row: a row is rejected with any of its cells, and ignored with all of them."""
    contract = CONTRACTS[sent.contract]
    claims: list[Claim] = []
    lost: set[tuple[str, Item, str]] = set()
    rejected: set[int] = set()
    for number, row in enumerate(in_order(sent), 2):
        for cells in _cells(sent, number, row):
            if row.broken:
                rejected.add(number)
            elif row.unit == "Sum" or (contract.skips and cells.empty and not _withdraws(cells, sent.contract)):
                continue
            elif not _sound(cells, sent.contract):
                rejected.add(number)
                lost |= _lost_keys(submission, sent, cells)
            else:
                claims += _claims(submission, sent, cells)
    twins = _twins(claims, lost) if contract.repeat != "warn" else set()
    claims = [c for c in claims if (c.row, c.cell) not in twins]
    bad = _repeating(claims, contract.repeat)
    sound = [c for c in claims if (c.row, c.cell) not in bad]
    rejected |= {number for number, _ in twins | bad}
    leading = {c.row: c for c in reversed(sound) if c.row not in rejected}
    sound = [c._replace(lead=c is leading.get(c.row)) for c in sound]
    if contract.repeat == "sum":
        times = Counter(c.key for c in claims)
        sound = [c._replace(additive=times[c.key] > 1) for c in sound]
    return Account(sent, tuple(sound), len(sent.rows), len(rejected), len(sent.rows) - len(rejected) - len(leading))


def _lost_keys(submission: str, sent: Sent, cells: Cells) -> set[tuple[str, Item, str]]:
    """Return the keys of what a rejected row would have said, where its unit can be read."""
    contract, row = CONTRACTS[sent.contract], cells.row
    said = [figure for figure, text in cells.figures if text or not contract.skips]
    known = row.unit in MUNICIPALITIES
    item = (row.unit, row.month, row.group)
    return {(submission, item, figure.reported_by or sent.sender) for figure in said if known}


def _twins(claims: list[Claim], lost: set[tuple[str, Item, str]]) -> set[tuple[int, int]]:
    """Return the rows, by number and cell, that share a key with a rejected row, with such a row, and so on."""
    rows: set[tuple[int, int]] = set()
    while more := {(c.row, c.cell) for c in claims if c.key in lost} - rows:
        rows |= more
        lost = {c.key for c in claims if (c.row, c.cell) in more}
    return rows


def _sound(cells: Cells, contract: str) -> bool:
    texts = [text for _, text in cells.figures]
    if contract != "firma" and cells.row.unit not in MUNICIPALITIES:
        return False
    if not CONTRACTS[contract].skips and "" in texts and not _withdraws(cells, contract):
        return False
    return all(_number(text) is not None for text in texts if text)


def _withdraws(cells: Cells, contract: str) -> bool:
    """Return whether a row without figures withdraws what it is about: it states 0, which is never published."""
    return CONTRACTS[contract].acts and cells.row.action == "trekk" and cells.empty


def _number(text: str) -> Fraction | None:
    return Fraction(text.replace(",", ".")) if re.fullmatch(r"-?[0-9]+(,[0-9]+)?", text) else None


def _claims(submission: str, sent: Sent, cells: Cells) -> list[Claim]:
    contract, row = CONTRACTS[sent.contract], cells.row
    unit = " ".join(row.unit.split()).casefold() if sent.contract == "firma" else row.unit
    version = int(row.version) if contract.versions and row.version else None
    action = {"": "append", "ny": "append", "erstatt": "replace", "trekk": "withdraw"}[row.action]
    empty = Fraction(0) if _withdraws(cells, sent.contract) else None
    return [
        Claim(
            submission, sent, cells.number, figure.column, (unit, row.month, row.group),
            MUNICIPALITIES.get(row.unit, row.unit), figure.reported_by or sent.sender, text, value * figure.scale,
            _accuracy(row, figure, text), figure.precedence, version, action if contract.acts else "append", cells.cell,
        )
        for figure, text in cells.figures
        if (value := _number(text) if text else empty) is not None
    ]  # fmt: skip


def _accuracy(row: Row, figure: Figure, text: str) -> int | None:
    """Return a figure's accuracy: one in tens with places after the mark is as exact as it is written."""
    if figure.decimals == "delivered":
        return int(row.accuracy) if row.accuracy else None
    scaled = isinstance(figure.decimals, int) and figure.scale != 1
    return figure.decimals + len(text.partition(",")[2]) if scaled else figure.decimals


def _repeating(claims: list[Claim], repeat: str) -> set[tuple[int, int]]:
    """Return the rows, by number and cell, that may not stand because their key repeats."""
    by_key: dict[object, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_key[claim.key].append(claim)
    bad = [cs for cs in by_key.values() if len(cs) > 1]
    if repeat == "distinct":
        bad = [cs for cs in bad if len({(c.value, c.decimals) for c in cs}) > 1]
    return {(c.row, c.cell) for cs in bad for c in cs} if repeat in {"error", "distinct"} else set()


def counting(accounts: Mapping[str, Account], live: Collection[str]) -> set[str]:
    """Return the submissions that count: of those live ones that say the same, the first received."""
    first: dict[object, str] = {}
    for submission in sorted(live, key=lambda s: (*when(accounts[s].sent), s)):
        first.setdefault(accounts[submission].content, submission)
    return set(first.values())


def replaced(accounts: Mapping[str, Account], live: Collection[str]) -> set[str]:
    """Return the submissions that a live one of the same sender and contract replaces."""
    stated = {(*accounts[s].sent[:2], accounts[s].sent.replaces) for s in live}
    return {s for s in accounts if (*accounts[s].sent[:2], s) in stated}


def release(accounts: Mapping[str, Account], withdrawn: Collection[str]) -> ExpectedRelease:
    """Return what a release of these submissions holds."""
    live = {s for s, a in accounts.items() if s not in withdrawn and not (a.rejected and not a.claims)}
    outdated = replaced(accounts, live)
    counted = counting(accounts, live - outdated)
    claims = [c for s in counted for c in accounts[s].claims]
    ends = ends_of(claims)
    at_rest = {s: _at_rest(a, _idle(s, live, outdated, counted)) for s, a in accounts.items()}
    expected = ExpectedRelease({}, {}, {}, at_rest, {})
    by_item: dict[Item, list[Claim]] = defaultdict(list)
    for claim in claims:
        if claim not in ends:
            by_item[claim.item].append(claim)
    for item, statements in by_item.items():
        _weigh(expected, item, statements)
    for claim, end in ends.items():
        _count(expected, claim, end)
    for claim in (c for account in accounts.values() for c in account.claims):
        ending = "withdrawn" if claim.submission not in live else ends.get(claim, "not in this release")
        cell = claim.submission, claim.row, claim.column
        expected.fates[cell] = claim.item, (expected.sources[cell][6] if cell in expected.sources else ending)
    for buckets in expected.buckets.values():
        for bucket in [b for b, rows in buckets.items() if not rows]:
            del buckets[bucket]
    return expected


def _idle(submission: str, live: Collection[str], outdated: Collection[str], counted: Collection[str]) -> str | None:
    """Return the bucket of a submission that does not count."""
    if submission not in live:
        return "withdrawn"
    return "superseded" if submission in outdated else None if submission in counted else "duplicate"


def _at_rest(account: Account, bucket: str | None) -> dict[str, int]:
    found = {"rejected": account.rejected, "ignored": account.ignored}
    if bucket:
        found[bucket] = account.delivered - account.rejected - account.ignored
    return found


def _count(account: ExpectedRelease, claim: Claim, bucket: str) -> None:
    if claim.lead:
        buckets = account.buckets[claim.submission]
        buckets[bucket] = buckets.get(bucket, 0) + 1


def _weigh(account: ExpectedRelease, item: Item, claims: list[Claim]) -> None:
    """Write down the fact of one item, its sources, its conflict and the buckets of its rows."""
    statements, lines = _statements(claims)
    verdict = _verdict(statements)
    winner = _winner(statements, verdict)
    first = winner or min(statements, key=lambda c: c.worth)
    account.facts[item] = (
        first.unit_name,
        winner.value if winner else None,
        winner.decimals if winner else None,
        "A" if winner else "Q",
        verdict,
        len(statements),
        len({c.reported_by for c in statements}),
    )
    for statement in statements:
        chosen = statement is winner
        if verdict == "conflict":
            outcome = "published" if chosen else "outranked" if winner else "withheld"
            account.conflicts[statement.submission, statement.row, statement.column] = (
                item, statement.reported_by, statement.value, statement.decimals, *statement.ends, outcome,
            )  # fmt: skip
        for line in lines[statement.key] if statement.additive else [statement]:
            relation = "additive" if line.additive else verdict
            account.sources[line.submission, line.row, line.column] = (
                item, line.reported_by, line.original, line.value, line.decimals, line.version, relation, chosen,
            )  # fmt: skip
            other = "published" if chosen else "duplicate"
            _count(account, line, relation if relation in {"additive", "conflict"} else other)


def _statements(claims: list[Claim]) -> tuple[list[Claim], dict[object, list[Claim]]]:
    """Return what is weighed: each claim, and each submission's additive lines as one, beside the lines by key."""
    lines: dict[object, list[Claim]] = defaultdict(list)
    for claim in sorted(claims, key=lambda c: c.row):
        if claim.additive:
            lines[claim.key].append(claim)
    sums = []
    for several in lines.values():
        coarse = [c.decimals for c in several if c.decimals is not None]
        total = sum((c.value for c in several), Fraction(0))
        wide = sum((c.half for c in several), Fraction(0))
        slack = wide if wide > max(c.half for c in several) else None
        sums.append(several[0]._replace(value=total, decimals=min(coarse, default=None), slack=slack))
    return [c for c in claims if not c.additive] + sums, lines


def _verdict(statements: Iterable[Claim]) -> str:
    several = list(statements)
    if len(several) == 1:
        return "single"
    by_accuracy: dict[object, set[Fraction]] = defaultdict(set)
    for claim in several:
        by_accuracy[claim.decimals, claim.slack].add(claim.value)
    if any(len(values) > 1 for values in by_accuracy.values()):
        return "conflict"
    if max(c.ends[0] for c in several) > min(c.ends[1] for c in several):
        return "conflict"
    return "complete" if len(by_accuracy) == 1 else "consistent"


def _winner(statements: list[Claim], verdict: str) -> Claim | None:
    if verdict == "conflict":
        declared = [c.precedence for c in statements if c.precedence is not None]
        statements = [c for c in statements if declared and c.precedence == min(declared)]
        if not statements or _verdict(statements) == "conflict":
            return None
    return min(statements, key=lambda c: c.worth)
