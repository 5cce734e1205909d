"""The bytes of an example: the file that its text or its table stands for."""

import io

import polars as pl

from schemas.contract import Contract, Example

__all__ = ["example_bytes", "example_contract"]


def example_bytes(example: Example, contract: Contract) -> bytes:
    """Return the bytes of an example: its text in the contract's encoding, or its table as a file of that type."""
    if isinstance(example.given, str):
        return example.given.encode(contract.format.encoding)
    if contract.format.type == "parquet":
        return _parquet(example.given)
    return _workbook(example.given, contract)


def example_contract(contract: Contract) -> Contract:
    """Return the contract by which `example_bytes` is read: the table of any spreadsheet is written as XLSX."""
    if contract.format.type not in {"xls", "xlsb", "ods"}:
        return contract
    return contract.model_copy(update={"format": contract.format.model_copy(update={"type": "xlsx"})})


def _parquet(table: tuple[tuple[str | int | None, ...], ...]) -> bytes:
    header, *rows = table
    content = io.BytesIO()
    pl.DataFrame(rows, schema=[str(name) for name in header], orient="row").write_parquet(content)
    return content.getvalue()


def _workbook(table: tuple[tuple[str | int | None, ...], ...], contract: Contract) -> bytes:
    import xlsxwriter  # only where an example is a workbook

    content = io.BytesIO()
    book = xlsxwriter.Workbook(content)
    sheet = book.add_worksheet(contract.format.sheet)
    first = contract.format.header_rows[0] if contract.format.header_rows else contract.format.header_row
    for number, row in enumerate(table, start=first - 1):
        sheet.write_row(number, 0, row)
    book.close()
    return content.getvalue()
