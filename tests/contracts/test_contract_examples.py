"""Every contract's own example rows give exactly the claims or records, rejects and ignored rows that it says."""

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
from schemas.contract import CONTRACT_FOLDER, Contract, Example, load_contracts
from schemas.errors import SubmissionError
from schemas.kind import KIND_FOLDER, load_kinds
from schemas.record_contract import check_records
from schemas.record_tables import record_columns
from transforms.normalisation.observations import Normalised, normalise
from transforms.normalisation.records import NormalisedRecords, read_records
from transforms.parsing.parse import parse
from transforms.register.build import build_register
from transforms.register.lookup import Register

SETTINGS = read_settings()
CONTRACTS = load_contracts(SETTINGS.contracts or CONTRACT_FOLDER)
KINDS = load_kinds(SETTINGS.kinds or KIND_FOLDER)
CASES = [pytest.param(c, e, id=f"{c.contract}: {e.name}") for c in CONTRACTS.values() for e in c.examples]
Row = dict[str, Any]


@cache
def register() -> Register:
    return build_register(*read_codelists(SETTINGS.codelists))


@pytest.mark.parametrize(("contract", "example"), CASES)
def test_example_gives_what_the_contract_says(contract: Contract, example: Example) -> None:
    made, rejects, ignored = read_example(contract, example)
    columns = record_columns(KINDS[contract.record.kind]) if contract.record else CLAIM
    assert_rows(made, example.records if contract.record else example.claims, frame_schema(columns).names())
    assert_rows(rejects, example.rejects, frame_schema(REJECT).names())
    assert ignored == example.ignored


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=list(CONTRACTS))
def test_examples_show_what_is_made_and_rejects(contract: Contract) -> None:
    assert any(e.records if contract.record else e.claims for e in contract.examples)
    assert any(e.rejects for e in contract.examples)
    if contract.ignore_rows:
        assert any(e.ignored for e in contract.examples)


@pytest.mark.parametrize("contract", [c for c in CONTRACTS.values() if c.record], ids=lambda c: c.contract)
def test_contract_fits_its_kind(contract: Contract) -> None:
    check_records(contract, KINDS)


def read_example(contract: Contract, example: Example) -> tuple[list[Row], list[Row], int]:
    """Return the claims or records, the rejects and how many rows were ignored; no row may be lost on the way."""
    try:
        parsed = parse(as_file(example, contract), contract)
    except SubmissionError as error:
        reject = {"row": error.row, "column": error.column, "reason": error.code, "found": error.found}
        return [], [reject | {"expected": error.expected, "hint": error.hint, "severity": "critical", "rule": None}], 0
    batch = parsed.raw.with_columns(
        submission_id=pl.lit("example"),
        sender=pl.lit(example.options.get("sender") or contract.sender.default or "example"),
        option_period=pl.lit(example.options.get("period"), dtype=pl.String),
    )
    done = _made(batch, contract)
    broken = parsed.rejects.filter(pl.col("severity") == "critical").height
    ignored = done.counts["ignored"].sum()
    assert done.counts["claimed"].sum() + done.counts["rejected"].sum() + ignored + broken == parsed.delivered
    rejects = pl.concat([parsed.rejects, done.rejects.drop("submission_id")])
    ordered = rejects.sort("row", "column", "reason", maintain_order=True)
    made = done.records if isinstance(done, NormalisedRecords) else done.claims.sort("row", "position")
    return made.to_dicts(), ordered.to_dicts(), ignored


def _made(batch: pl.DataFrame, contract: Contract) -> Normalised | NormalisedRecords:
    if contract.record:
        return read_records(batch, contract, KINDS[contract.record.kind])
    return normalise(batch, contract, register())


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


def assert_rows(found: Sequence[Row], expected: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Check as many as expected, in order, each in the columns that the expectation names."""
    assert {key for row in expected for key in row} <= set(names), "the example names a column that there is not"
    shown = [
        {key: as_expected(row.get(key), want) for key, want in wanted.items()}
        for row, wanted in zip(found, expected, strict=False)
    ]
    assert shown == [dict(wanted) for wanted in expected]
    assert len(found) == len(expected), f"not expected: {found[len(expected) :]}"


def as_expected(value: object, expected: object) -> object:
    """Return a cell as YAML tells it: a number as the number it is equal to, a date as ISO text."""
    if isinstance(value, Decimal):
        same = expected is not None and value == Decimal(str(expected))
        return expected if same else str(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list):
        return tuple(value)
    return value
