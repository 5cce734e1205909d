"""Every contract's own example rows give exactly the claims, rejects and ignored rows that the contract says."""

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from infra.codelists import read_codelists
from infra.settings import read_settings
from schemas.claims import CLAIM, REJECT, frame_schema
from schemas.contract import FOLDER, Contract, Example, load_contracts
from schemas.errors import SubmissionError
from transforms.normalise import normalise
from transforms.parse import parse
from transforms.register import Register, build_register

SETTINGS = read_settings()
CONTRACTS = load_contracts(SETTINGS.contracts or FOLDER)
CASES = [pytest.param(c, e, id=f"{c.contract}: {e.name}") for c in CONTRACTS.values() for e in c.examples]
Row = dict[str, Any]


@cache
def register() -> Register:
    return build_register(*read_codelists(SETTINGS.codelists))


@pytest.mark.parametrize(("contract", "example"), CASES)
def test_example_gives_what_the_contract_says(contract: Contract, example: Example) -> None:
    claims, rejects, ignored = read_example(contract, example)
    assert_told(claims, example.claims, frame_schema(CLAIM).names())
    assert_told(rejects, example.rejects, frame_schema(REJECT).names())
    assert ignored == example.ignored


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=list(CONTRACTS))
def test_examples_show_claims_and_rejects(contract: Contract) -> None:
    assert any(e.claims for e in contract.examples)
    assert any(e.rejects for e in contract.examples)
    if contract.ignore_rows:
        assert any(e.ignored for e in contract.examples)


def read_example(contract: Contract, example: Example) -> tuple[list[Row], list[Row], int]:
    """Return the claims, the rejects and how many rows were ignored; no row may be lost on the way."""
    try:
        parsed = parse(as_file(example, contract), contract)
    except SubmissionError as error:
        told = {"row": error.row, "column": error.column, "reason": error.code, "found": error.found}
        return [], [told | {"expected": error.expected, "hint": error.hint, "severity": "critical", "rule": None}], 0
    batch = parsed.raw.with_columns(
        submission_id=pl.lit("example"),
        sender=pl.lit(example.options.get("sender") or contract.sender.default or "example"),
        option_period=pl.lit(example.options.get("period"), dtype=pl.String),
    )
    done = normalise(batch, contract, register())
    broken = parsed.rejects.filter(pl.col("severity") == "critical").height
    ignored = done.counts["ignored"].sum()
    assert done.counts["claimed"].sum() + done.counts["rejected"].sum() + ignored + broken == parsed.delivered
    rejects = pl.concat([parsed.rejects, done.rejects.drop("submission_id")])
    ordered = rejects.sort("row", "column", "reason", maintain_order=True)
    return done.claims.sort("row", "position").to_dicts(), ordered.to_dicts(), ignored


def as_file(example: Example, contract: Contract) -> bytes:
    """Return the bytes of an example: its text in the contract's encoding, or its table as a file of that type."""
    if isinstance(example.given, str):
        return example.given.encode(contract.format.encoding)
    header, *rows = example.given
    content = io.BytesIO()
    if contract.format.type == "parquet":
        pl.DataFrame(rows, schema=[str(name) for name in header], orient="row").write_parquet(content)
        return content.getvalue()
    book = xlsxwriter.Workbook(content)
    sheet = book.add_worksheet(contract.format.sheet)
    for number, row in enumerate(example.given, start=contract.format.header_row - 1):
        sheet.write_row(number, 0, row)
    book.close()
    return content.getvalue()


def assert_told(found: Sequence[Row], expected: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Check as many as expected, in order, each in the columns that the expectation names."""
    assert {key for row in expected for key in row} <= set(names), "the example names a column that there is not"
    shown = [
        {key: as_told(row.get(key), want) for key, want in told.items()}
        for row, told in zip(found, expected, strict=False)
    ]
    assert shown == [dict(told) for told in expected]
    assert len(found) == len(expected), f"not expected: {found[len(expected) :]}"


def as_told(value: object, expected: object) -> object:
    """Return a cell as YAML tells it: a number as the number it is equal to, a date as ISO text."""
    if isinstance(value, Decimal):
        same = expected is not None and value == Decimal(str(expected))
        return expected if same else str(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    return value
