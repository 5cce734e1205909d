"""Decisions to a file and from one, CSV or JSON lines: they outlive an installation, or come from another tool."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.matching.decisions import known_reports
from infra.ledger import records as ledger_records
from schemas.errors import UsageError
from transforms.linkage.decisions import FILE, ROW, contradictory, read_decisions, unknown_columns

SHOWN: Final = 10
"""How many problems of a file are told at once."""


@dataclass(frozen=True)
class Imported:
    """What a file of decisions changed: how many are new, how many are withdrawn now, how many were known."""

    new: int
    withdrawn: int
    known: int
    warnings: list[str]


def export_decisions(installation: Installation, file: Path) -> int:
    """Write every decision, those withdrawn too, as CSV or JSON lines; return how many."""
    written = pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    frame = ledger_records.decisions(installation.engine).select(FILE).with_columns(written)
    text = frame.write_csv() if _is_csv(file) else frame.write_ndjson()
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    return frame.height


def import_decisions(installation: Installation, file: Path) -> Imported:
    """Add the decisions of a file of CSV or JSON lines, all of them or, if one is wrong, none (`UsageError`).

    What is known already is left as it is, so importing twice is importing once. A withdrawal in the file withdraws.
    """
    told = _read(file, installation.settings.max_file_bytes)
    wrong = unknown_columns(c for c in told.columns if c != ROW)
    _refuse(file, wrong)
    frame, wrong = read_decisions(told, installation.kinds)
    _refuse(file, wrong)
    known = known_reports(installation, {*frame["a"], *frame["b"]})
    _refuse(file, _forbidden(installation, frame.with_columns(told[ROW]), known))
    added = ledger_records.add_decisions(installation.engine, frame)
    counted = len(added.new) + len(added.withdrawn)
    return Imported(
        len(added.new), len(added.withdrawn), frame.height - counted, _import_warnings(installation, frame, known)
    )


def _forbidden(installation: Installation, frame: pl.DataFrame, known: pl.DataFrame) -> list[str]:
    """Return which rows decide on reports of another kind, or make two reports of one reporter one item."""
    told = frame
    for side in ("a", "b"):
        of_side = known.select(
            pl.col("report_id").alias(side),
            pl.col("kind").alias(f"kind_{side}"),
            pl.col("reported_by").alias(f"by_{side}"),
        )
        told = told.join(of_side, on=side, how="left", maintain_order="left")
    other = told.filter((pl.col("kind") != pl.col("kind_a")) | (pl.col("kind") != pl.col("kind_b")))
    single = [name for name, kind in installation.kinds.items() if kind.one_report_per_item]
    one = told.filter(pl.col("kind").is_in(single), pl.col("by_a") == pl.col("by_b"), verdict="same")
    return [f"row {n}: kind: a or b is a report of another kind" for n in other[ROW]] + [
        f"row {n}: verdict: both are by one reporter, and the kind has one report an item" for n in one[ROW]
    ]


def _import_warnings(installation: Installation, frame: pl.DataFrame, known: pl.DataFrame) -> list[str]:
    unknown = {*frame["a"], *frame["b"]} - {*known["report_id"]}
    wrong = contradictory(ledger_records.decisions(installation.engine, active=True))
    warnings = []
    if unknown:
        warnings.append(f"{len(unknown)} reports were never delivered here: decisions on them sleep until they are")
    if wrong:
        listed = ", ".join(map(str, wrong[:SHOWN]))
        warnings.append(f"{len(wrong)} decisions of 'different' are on reports that others tie together: {listed}")
    return warnings


def _is_csv(file: Path) -> bool:
    if file.suffix.lower() not in {".csv", ".jsonl", ".ndjson"}:
        raise UsageError(f"{file}: expected a name that ends in .csv or .jsonl")
    return file.suffix.lower() == ".csv"


def _read(file: Path, largest: int) -> pl.DataFrame:
    """Return a file's columns as text and `ROW`, the number of each line or record, the header of CSV being 1."""
    is_csv = _is_csv(file)
    try:
        if file.stat().st_size > largest:
            raise UsageError(f"{file} is larger than {largest} bytes (ENGANG_MAX_FILE_BYTES)")
        text = file.read_bytes().decode("utf-8-sig")
        return _csv(text) if is_csv else _json_lines(text)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"{file} is no {'CSV' if is_csv else 'JSON lines'} in UTF-8: {error}") from error


def _csv(text: str) -> pl.DataFrame:
    header = text.partition("\n")[0]
    separator = ";" if header.count(";") > header.count(",") else ","
    return pl.read_csv(text.encode(), infer_schema=False, separator=separator).with_row_index(ROW, offset=2)


def _json_lines(text: str) -> pl.DataFrame:
    rows = [_object(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    names = dict.fromkeys(name for row in rows for name in row) if rows else dict.fromkeys((*FILE, ROW))
    return pl.DataFrame(rows, schema={name: pl.Int64 if name == ROW else pl.String for name in names})


def _object(number: int, line: str) -> dict[str, Any]:
    told = json.loads(line)
    if not (isinstance(told, dict) and all(isinstance(value, str | None) for value in told.values())):
        raise ValueError(f"line {number} is no object of texts")
    return {**told, ROW: number}


def _refuse(file: Path, wrong: list[str]) -> None:
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise UsageError(f"{file}: {'; '.join(wrong[:SHOWN])}{more}. Nothing was imported")
