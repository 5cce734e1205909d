"""What a contract's examples give when they are read, compared with what the contract says they give."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

import polars as pl

from schemas.claims import CLAIM, REJECT, frame_schema
from schemas.contract import Contract, Example
from schemas.errors import SubmissionError, UnreadError
from schemas.kind import Kind
from schemas.record_tables import record_columns
from transforms.examples.example_file import example_bytes, example_contract
from transforms.normalisation.observations import Normalised, normalise
from transforms.normalisation.records import NormalisedRecords, read_records
from transforms.parsing.parse import parse
from transforms.register.lookup import Register

Row: TypeAlias = dict[str, Any]
MOST_PROBLEMS: Final = 5
"""Differences of one example that are named; the rest follow from them as a rule."""
SHOWN_COLUMNS: Final = ("row", "column", "reason", "concept", "value", "found")
"""What is shown of a row that the example does not expect."""


@dataclass(frozen=True)
class ExampleResult:
    """One example, read. problems: how it differs from what the contract says; empty if it does not."""

    contract: str
    example: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExampleContent:
    """What an example gives: claims or records, rejects, ignored rows."""

    made: list[Row]
    rejects: list[Row]
    ignored: int


def states_anything(example: Example) -> bool:
    """Return whether an example expects anything; one that does not is a placeholder, and no test."""
    return bool(example.claims or example.records or example.rejects or example.ignored)


def read_examples(contract: Contract, kind: Kind | None, register: Register | None) -> list[ExampleResult]:
    """Return the result of each example of a contract that expects anything.

    kind: that of the contract's records; register: the units of its claims.
    """
    stated = [example for example in contract.examples if states_anything(example)]
    return [
        ExampleResult(contract.contract, e.name, tuple(example_problems(contract, e, kind, register))) for e in stated
    ]


def example_problems(contract: Contract, example: Example, kind: Kind | None, register: Register | None) -> list[str]:
    """Return how what an example gives differs from what it expects, at most `MOST_PROBLEMS` sentences."""
    try:
        given = read_example(contract, example, kind, register)
    except UnreadError as error:
        return [f"it cannot be read: {error}"]
    except UnicodeEncodeError as error:
        return [f"its text cannot be written as {contract.format.encoding}: {error.reason}"]
    what = "record" if contract.record else "claim"
    names = frame_schema(record_columns(kind) if kind else CLAIM).names()
    problems = _differences(what, given.made, example.records if contract.record else example.claims, names)
    problems += _differences("reject", given.rejects, example.rejects, frame_schema(REJECT).names())
    if given.ignored != example.ignored:
        problems.append(f"ignored: found {given.ignored} rows, expected {example.ignored}")
    return problems[:MOST_PROBLEMS]


def read_example(contract: Contract, example: Example, kind: Kind | None, register: Register | None) -> ExampleContent:
    """Return what an example gives; `UnreadError` if it cannot be read, or a row is lost on the way."""
    try:
        parsed = parse(example_bytes(example, contract), example_contract(contract))
    except SubmissionError as error:
        reject = {"row": error.row, "column": error.column, "reason": error.code, "found": error.found}
        whole = {"expected": error.expected, "hint": error.hint, "severity": "critical", "rule": None}
        return ExampleContent([], [reject | whole], 0)
    batch = parsed.raw.with_columns(
        submission_id=pl.lit("example"),
        sender=pl.lit(example.options.get("sender") or contract.sender.default or "example"),
        option_period=pl.lit(example.options.get("period"), dtype=pl.String),
    )
    done = _normalised(batch, contract, kind, register)
    counts = {name: int(done.counts[name].sum()) for name in ("claimed", "rejected", "ignored")}
    counts["ignored"] += parsed.ignored
    if sum(counts.values()) + parsed.unread != parsed.delivered:
        raise UnreadError(f"{parsed.delivered} rows do not add up: {counts}, {parsed.unread} not parsed")
    rejects = pl.concat([parsed.rejects, done.rejects.drop("submission_id")])
    ordered = rejects.sort("row", "column", "reason", maintain_order=True)
    made = done.records if isinstance(done, NormalisedRecords) else done.claims.sort("row", "position")
    return ExampleContent(made.to_dicts(), ordered.to_dicts(), counts["ignored"])


def _normalised(
    batch: pl.DataFrame, contract: Contract, kind: Kind | None, register: Register | None
) -> Normalised | NormalisedRecords:
    if kind is not None:
        return read_records(batch, contract, kind)
    if register is None:
        raise UnreadError(f"contract {contract.contract!r} makes claims, and no register was given")
    return normalise(batch, contract, register)


def _differences(
    what: str, found: Sequence[Row], expected: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> list[str]:
    """Return how rows differ from as many expected ones, in order, each in the columns that the expectation names."""
    unknown = sorted({key for row in expected for key in row} - set(names))
    if unknown:
        return [f"{what}s have no column {unknown[0]!r}: known are {', '.join(names)}"]
    problems = []
    for number, (row, wanted) in enumerate(zip(found, expected, strict=False), start=1):
        shown = {key: (_as_expected(row.get(key), want), want) for key, want in wanted.items()}
        place = f"{what} {number}" + (f" (row {row['row']})" if row.get("row") is not None else "")
        problems += [f"{place}: {key}: found {a!r}, expected {b!r}" for key, (a, b) in shown.items() if a != b]
    if len(found) != len(expected):
        extra = _first_extra(found[len(expected) :])
        problems.append(f"{what}s: found {len(found)}, expected {len(expected)}{extra}")
    return problems


def _first_extra(more: Sequence[Row]) -> str:
    """Return the first of the rows that were not expected, for a message."""
    shown = [{k: str(row[k]) for k in SHOWN_COLUMNS if row.get(k) is not None} for row in more[:1]]
    return f"; not expected: {shown[0]}" if shown else ""


def _as_expected(value: object, expected: object) -> object:
    """Return a cell as YAML writes it: a number as the number that it equals, a date as ISO text."""
    if isinstance(value, Decimal):
        same = expected is not None and value == _decimal(expected)
        return expected if same else str(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    return tuple(value) if isinstance(value, list) else value


def _decimal(expected: object) -> Decimal | None:
    try:
        return Decimal(str(expected))
    except ArithmeticError:
        return None
