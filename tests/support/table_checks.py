"""The checks of one whole table at once."""

import polars as pl

from infra.checks.engine import Finding, TableCheck
from infra.checks.expectations import Shape


def check_rows(table: str, rows: pl.DataFrame, shape: Shape | None = None) -> list[Finding]:
    """Return the findings on a published table."""
    check = TableCheck(table, shape)
    check.add(rows)
    return check.findings()
