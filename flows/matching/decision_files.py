"""Export and import of decisions as CSV or JSON lines: between installations, or from another tool."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.queries.known_ids import known_reports
from infra.files import check_input
from infra.ledger import decisions as ledger_decisions
from schemas.errors import UsageError
from transforms.linkage.decisions import (
    DECISION_FILE_COLUMNS,
    ROW_NUMBER,
    column_problems,
    contradictory_decisions,
    parse_decisions,
)

MAX_PROBLEMS_SHOWN: Final = 10
"""How many problems of a file one message lists."""


@dataclass(frozen=True)
class DecisionImport:
    """What an import changed: how many decisions are new, newly withdrawn, and known before."""

    new: int
    withdrawn: int
    known: int
    warnings: list[str]


def export_decisions(installation: Installation, file: Path) -> int:
    """Write every decision, withdrawn ones too, as CSV or JSON lines; return how many."""
    times = pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    frame = ledger_decisions.read_decisions(installation.engine).select(DECISION_FILE_COLUMNS).with_columns(times)
    text = frame.write_csv() if _is_csv(file) else frame.write_ndjson()
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    return frame.height


def import_decisions(installation: Installation, file: Path) -> DecisionImport:
    """Add the decisions of a file of CSV or JSON lines: all of them or, if one is invalid, none (`UsageError`).

    Known decisions do not change, so importing twice is importing once. A withdrawal in the file withdraws.
    """
    rows = _read(file, installation.settings.max_file_bytes)
    _refuse(file, column_problems(c for c in rows.columns if c != ROW_NUMBER))
    decisions, problems = parse_decisions(rows, installation.kinds)
    _refuse(file, problems)
    reports = known_reports(installation, {*decisions["a"], *decisions["b"]})
    _refuse(file, _forbidden(installation, decisions.with_columns(rows[ROW_NUMBER]), reports))
    added = ledger_decisions.add_decisions(installation.engine, decisions)
    known = decisions.height - len(added.new) - len(added.withdrawn)
    warnings = _import_warnings(installation, decisions, reports)
    return DecisionImport(len(added.new), len(added.withdrawn), known, warnings)


def _forbidden(installation: Installation, decisions: pl.DataFrame, reports: pl.DataFrame) -> list[str]:
    """Return the rows that decide on reports of another kind, or make two reports of one reporter one item."""
    rows = decisions
    for side in ("a", "b"):
        of_side = reports.select(
            pl.col("report_id").alias(side),
            pl.col("kind").alias(f"kind_{side}"),
            pl.col("reported_by").alias(f"by_{side}"),
        )
        rows = rows.join(of_side, on=side, how="left", maintain_order="left")
    other_kind = rows.filter((pl.col("kind") != pl.col("kind_a")) | (pl.col("kind") != pl.col("kind_b")))
    one_each = [name for name, kind in installation.kinds.items() if kind.one_report_per_item]
    one_reporter = rows.filter(pl.col("kind").is_in(one_each), pl.col("by_a") == pl.col("by_b"), verdict="same")
    return [f"row {n}: kind: a or b is a report of another kind" for n in other_kind[ROW_NUMBER]] + [
        f"row {n}: verdict: both are by one reporter, and the kind has one report an item"
        for n in one_reporter[ROW_NUMBER]
    ]


def _import_warnings(installation: Installation, decisions: pl.DataFrame, reports: pl.DataFrame) -> list[str]:
    unknown = {*decisions["a"], *decisions["b"]} - {*reports["report_id"]}
    contradictory = contradictory_decisions(ledger_decisions.read_decisions(installation.engine, active=True))
    warnings = []
    if unknown:
        warnings.append(
            f"{len(unknown)} reports were never delivered here: decisions on them are inactive until delivery"
        )
    if contradictory:
        ids = ", ".join(map(str, contradictory[:MAX_PROBLEMS_SHOWN]))
        warnings.append(f"{len(contradictory)} decisions of 'different' are on reports that others tie together: {ids}")
    return warnings


def _is_csv(file: Path) -> bool:
    if file.suffix.lower() not in {".csv", ".jsonl", ".ndjson"}:
        raise UsageError(f"{file}: expected a name that ends in .csv or .jsonl")
    return file.suffix.lower() == ".csv"


def _read(file: Path, max_bytes: int) -> pl.DataFrame:
    """Return a file's columns as text, and `ROW_NUMBER` of each line or record; the header of CSV is row 1."""
    is_csv = _is_csv(file)
    try:
        check_input(file, max_bytes)
        text = file.read_bytes().decode("utf-8-sig")
        return _csv(text) if is_csv else _json_lines(text)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"{file} is no {'CSV' if is_csv else 'JSON lines'} in UTF-8: {error}") from error


def _csv(text: str) -> pl.DataFrame:
    header = text.partition("\n")[0]
    separator = ";" if header.count(";") > header.count(",") else ","
    return pl.read_csv(text.encode(), infer_schema=False, separator=separator).with_row_index(ROW_NUMBER, offset=2)


def _json_lines(text: str) -> pl.DataFrame:
    rows = [_object(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    names = (
        dict.fromkeys(name for row in rows for name in row)
        if rows
        else dict.fromkeys((*DECISION_FILE_COLUMNS, ROW_NUMBER))
    )
    return pl.DataFrame(rows, schema={name: pl.Int64 if name == ROW_NUMBER else pl.String for name in names})


def _object(number: int, line: str) -> dict[str, Any]:
    row = json.loads(line)
    if not (isinstance(row, dict) and all(isinstance(value, str | None) for value in row.values())):
        raise ValueError(f"line {number} is no object of texts")
    return {**row, ROW_NUMBER: number}


def _refuse(file: Path, problems: list[str]) -> None:
    if problems:
        more = f"; and {len(problems) - MAX_PROBLEMS_SHOWN} more" if len(problems) > MAX_PROBLEMS_SHOWN else ""
        raise UsageError(f"{file}: {'; '.join(problems[:MAX_PROBLEMS_SHOWN])}{more}. Nothing was imported")
