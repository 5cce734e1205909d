"""The bytes of an example: the file that its text or its table stands for."""

import io
from collections.abc import Mapping

import polars as pl

from schemas.contract import Contract, Example, Format
from schemas.contract_keys import Table

__all__ = ["example_bytes", "example_contract"]


def example_bytes(example: Example, contract: Contract) -> bytes:
    """Return the bytes of an example: its text in the contract's encoding, or its table as a file of that type."""
    if isinstance(example.given, str):
        return example.given.encode(contract.format.encoding)
    if contract.format.type == "parquet" and not isinstance(example.given, dict):
        return _parquet(example.given)
    return _workbook(example.given if isinstance(example.given, dict) else {None: example.given}, contract)


def example_contract(contract: Contract) -> Contract:
    """Return the contract by which `example_bytes` is read: the table of any spreadsheet is written as XLSX."""
    if contract.format.type not in {"xls", "xlsb", "ods"}:
        return contract
    return contract.model_copy(update={"format": contract.format.model_copy(update={"type": "xlsx"})})


def _parquet(table: Table) -> bytes:
    header, *rows = table
    content = io.BytesIO()
    pl.DataFrame(rows, schema=[str(name) for name in header], orient="row").write_parquet(content)
    return content.getvalue()


def _workbook(tables: Mapping[str, Table] | Mapping[None, Table], contract: Contract) -> bytes:
    """Return a workbook of these tables by the names of their sheets; None for the one that the contract reads."""
    import xlsxwriter  # only where an example is a workbook

    content = io.BytesIO()
    book = xlsxwriter.Workbook(content)
    form = contract.format
    first = form.header_rows[0] if form.header_rows else form.header_row
    for name, table in tables.items():
        sheet = book.add_worksheet(name or _sheet_name(form))
        for number, row in enumerate(table, start=first - 1):
            sheet.write_row(number, 0, row)
    book.close()
    return content.getvalue()


def _sheet_name(form: Format) -> str | None:
    """Return the name of the one sheet of an example: the first that the contract lists."""
    listed = form.sheets if form.sheets is not None and not isinstance(form.sheets, str) else ()
    return form.sheet or next(iter(listed), None)
