"""The bytes of an example: its text as the contract encodes it, or its table as a file of the contract's type."""

import io

import fastexcel
import polars as pl

from schemas.contract import Contract, Example, load_contracts
from tests.support.paths import CONTRACTS
from transforms.examples.example_file import example_bytes, example_contract

FOLKETALL = load_contracts(CONTRACTS)["folketall"]
TABLE = (("name", "count"), ("Å", 1), (None, 2))


def contract(**form: object) -> Contract:
    return FOLKETALL.model_copy(update={"format": FOLKETALL.format.model_copy(update=form)})


def example(given: object) -> Example:
    return Example.model_validate({"name": "e", "given": given})


def test_text_is_encoded() -> None:
    assert example_bytes(example("Å;1\n"), contract(encoding="latin-1")) == "Å;1\n".encode("latin-1")


def test_a_table_becomes_parquet() -> None:
    found = pl.read_parquet(io.BytesIO(example_bytes(example(TABLE), contract(type="parquet"))))
    assert found.rows() == [("Å", 1), (None, 2)]


def test_a_table_becomes_a_sheet_that_begins_at_its_header() -> None:
    for form in ({"header_row": 3}, {"header_rows": (3, 4)}):
        data = example_bytes(example(TABLE), contract(type="xlsx", sheet="Data", **form))
        book = fastexcel.read_excel(data)
        assert book.sheet_names == ["Data"]
        cells = pl.DataFrame(book.load_sheet("Data", header_row=None, skip_rows=0, dtypes="string").to_arrow())
        assert cells.row(2) == ("name", "count")


def test_tables_become_the_sheets_that_are_named() -> None:
    data = example_bytes(example({"A": TABLE, "B": TABLE[:1]}), contract(type="xlsx", sheets=("A", "B")))
    assert fastexcel.read_excel(data).sheet_names == ["A", "B"]
    data = example_bytes(example(TABLE), contract(type="xlsx", sheets={"A": {}, "B": {}}))
    assert fastexcel.read_excel(data).sheet_names == ["A"]


def test_the_table_of_any_spreadsheet_is_written_and_read_as_xlsx() -> None:
    made = contract(type="ods", sheet="Data")
    assert example_contract(made).format.type == "xlsx"
    assert example_contract(contract(type="csv")).format.type == "csv"
    assert example_bytes(example(TABLE), made)[:2] == b"PK"
