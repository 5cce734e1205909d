"""The data point model of the European Banking Authority: Parquet, a row for each cell of each module's tables."""

import io
from typing import Final

import polars as pl

from schemas.errors import UsageError
from transforms.overlap.imports.declared import declared_frame

_SCHEME: Final = "eba"
COLUMNS: Final = ("framework", "module", "module_name", "data_point")
_AGENCY: Final = "European Banking Authority"
_CELL: Final = r"\{[^{}]*\}"
_WITH: Final = r"(?s)^\s*with\s*\{[^}]*\}\s*:"
_SUM: Final = rf"^{_CELL}\s*=\s*\+?\s*{_CELL}(\s*[+-]\s*{_CELL})+$"
_EQUALITY: Final = rf"^{_CELL}\s*=\s*{_CELL}$"
RULE_KINDS: Final = ("sum", "equality")
RULE_COLUMNS: Final = ("code", "expression")
_PARQUET: Final = b"PAR1"


def read_eba(data: bytes) -> pl.DataFrame:
    """Return the modules as obligations; modules of one framework may be alternatives for different reporters.

    Raises `UsageError` if the file has no such columns.
    """
    try:
        cells = pl.read_parquet(io.BytesIO(data), columns=list(COLUMNS))
    except (pl.exceptions.PolarsError, OSError) as error:
        problem = str(error).splitlines()[0]
        raise UsageError(f"no data points with the columns {', '.join(COLUMNS)} ({problem[:120]})") from error
    point = pl.col("data_point").cast(pl.String).unique().sort()
    modules = cells.group_by("module").agg(pl.col("framework", "module_name").first(), items=point)
    rows = (
        {"register_id": row["module"], "title": row["module_name"], "agency": _AGENCY, "items": row["items"],
         "alternative_to": row["framework"]}
        for row in modules.iter_rows(named=True)
    )  # fmt: skip
    return declared_frame(rows, _SCHEME)


def read_rules(data: bytes) -> pl.DataFrame:
    """Return the rules of a data point model, from Parquet or CSV: code, expression. Raises `UsageError`."""
    content = io.BytesIO(data)
    try:
        rules = pl.read_parquet(content) if data.startswith(_PARQUET) else pl.read_csv(content, infer_schema=False)
        return rules.select(pl.col(RULE_COLUMNS).cast(pl.String))
    except (pl.exceptions.PolarsError, OSError) as error:
        problem = str(error).splitlines()[0]
        raise UsageError(f"no rules with the columns {', '.join(RULE_COLUMNS)} ({problem[:120]})") from error


def stated_sums(rules: pl.DataFrame) -> pl.DataFrame:
    """Return the rules by which a cell is the sum of others, or equal to another: code, kind, total, parts.

    rules: code, expression. parts: each with its sign if it is subtracted; cells as the rule writes them.
    """
    body = pl.col("expression").str.replace(_WITH, "").str.strip_chars()
    kind = pl.when(body.str.contains(_EQUALITY)).then(pl.lit("equality")).when(body.str.contains(_SUM)).then(
        pl.lit("sum")
    )  # fmt: skip
    sides = body.str.splitn("=", 2)
    parts = sides.struct[1].str.replace_all(r"\s", "").str.extract_all(rf"-?{_CELL}")
    total = sides.struct[0].str.strip_chars()
    return rules.with_columns(kind=kind, total=total, parts=parts).drop_nulls("kind").select(
        "code", "kind", "total", "parts"
    )  # fmt: skip
