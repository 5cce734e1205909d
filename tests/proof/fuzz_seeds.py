"""What the fuzzer begins with: every example of every shipped contract, in every format, and real files."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl
import xlsxwriter

from schemas.contract import CONTRACT_FOLDER, Contract, Example, load_contracts
from tests.support.paths import DATA
from tests.support.spreadsheets import as_ods, as_xls, as_xlsb

PARQUET: Final = "demo-parquet"
"""A contract of the fuzzer's own: no shipped contract reads Parquet."""
ROWS: Final = (("unit", "year", "sum"), ("0301", "2009", "12"), ("1103", "2009", "-3.5"), ("4601", "2009", ""))
_WIDTH: Final = 8
_FIELDS: Final = ", ".join(f"{{name: {n}, start: {_WIDTH * i + 1}, length: {_WIDTH}}}" for i, n in enumerate(ROWS[0]))
OTHERS: Final = {
    "fixed_width": f"type: fixed_width, fields: [{_FIELDS}]", "xml": "type: xml, rows: Form.Row",
    "sdmx_csv": "type: sdmx_csv", "json_lines": "type: json, lines: true",
    "ods": "type: ods", "xls": "type: xls", "xlsb": "type: xlsb",
}  # fmt: skip
"""What no shipped contract reads either: each has a contract of its own, for the rows of `ROWS`; name -> format."""
OTHERS_SHARE: Final = 8
"""Each is a seed so many times: shipped contracts have hundreds of seeds of few formats."""
_OTHER: Final = """
contract: {name}
version: 1
obligation: {name}
title: {{nb: Fuzz, nn: Fuzz, en: Fuzz}}
agency: A
legal_basis: none
rhythm: yearly
hours_per_report: null
sender: {{allowed: any}}
format: {{{format}}}
unit: {{column: "{row}unit", kind: municipality, by: code}}
period: {{column: "{row}year", type: year}}
repeat: error
claims:
  - {{concept: population, column: "{row}sum", reported_by: {{option: sender}}, unit_measure: {{value: persons}}}}
examples: [{{name: none, given: ""}}]
"""
MOST_BYTES: Final = 60_000
"""A longer real file is cut: the fuzzer's files are many and small."""
MOST_REAL: Final = 60
REAL_CONTRACTS: Final = {"county_csv": "valg-fylke-csv", "nrk_stortingsvalg2013": "nrk-stortingsvalg"}
"""Part of a real file's path -> the contract that reads it; eiti's contracts are named like their folders."""


class Seed(NamedTuple):
    """A file, and the contract, sender and period under which it is delivered."""

    contract: str
    sender: str
    form: str
    data: bytes
    period: str | None = None


def write_contracts(folder: Path) -> dict[str, Contract]:
    """Write the shipped contracts and one for Parquet to a folder; return them."""
    for path in CONTRACT_FOLDER.glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        (folder / path.name).write_text(text, encoding="utf-8")
        if path.stem == "demo-tilsyn":
            own = text.replace("demo-tilsyn", PARQUET).replace("type: xlsx", "type: parquet")
            own = own.replace("  sheet: Kommuner\n", "").replace("  header_row: 3\n", "")
            own = own[: own.index("examples:")] + 'examples: [{name: none, given: ""}]\n'
            (folder / f"{PARQUET}.yml").write_text(own, encoding="utf-8")
    for form, described in OTHERS.items():
        row = "Form.Row[]." if form == "xml" else ""
        text = _OTHER.format(name=other_contract(form), format=described, row=row)
        (folder / f"{other_contract(form)}.yml").write_text(text, encoding="utf-8")
    return load_contracts(folder)


def other_contract(form: str) -> str:
    """Return the name of the contract that reads one of the `OTHERS`."""
    return f"fuzz-{form.replace('_', '-')}"


def seeds(contracts: dict[str, Contract]) -> list[Seed]:
    """Return every seed, in an order that does not change."""
    found = [seed for contract in contracts.values() for e in contract.examples for seed in _of_example(contract, e)]
    sender = contracts[PARQUET].sender.default or "someone"
    found += [Seed(PARQUET, sender, "parquet", s.data) for s in found if s.form == "parquet"]
    found += [Seed(other_contract(form), "someone", form, as_other(form)) for form in OTHERS] * OTHERS_SHARE
    found += list(_real(contracts))
    return [seed for seed in found if seed.data]


def _of_example(contract: Contract, example: Example) -> Iterator[Seed]:
    """Yield an example as its contract has it, and as a file of every other format."""
    sender = example.options.get("sender") or contract.sender.default or "someone"
    period = _period(contract, example.options.get("period"))
    if isinstance(example.given, str):
        data = example.given.encode(contract.format.encoding)
        yield Seed(contract.contract, sender, contract.format.type, data, period)
        rows: list[list[Any]] = list(csv.reader(io.StringIO(example.given), delimiter=contract.format.delimiter))
    else:
        rows = [list(row) for row in example.given]
    if rows and contract.format.type != "json":
        for form, write in (("xlsx", as_xlsx), ("parquet", as_parquet), ("json", as_json)):
            yield Seed(contract.contract, sender, form, write(rows, contract), period)


def as_xlsx(rows: Sequence[Sequence[Any]], contract: Contract) -> bytes:
    """Return a table as a workbook, where the contract looks for it."""
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content)
    sheet = book.add_worksheet(contract.format.sheet)
    for number, row in enumerate(rows, start=contract.format.header_row - 1):
        sheet.write_row(number, 0, row)
    book.close()
    return content.getvalue()


def as_parquet(rows: Sequence[Sequence[Any]], _: Contract) -> bytes:
    """Return a table as Parquet, all text."""
    header, *body = rows
    names = [f"{name or 'c'}{n}" if list(header).index(name) != n else str(name) for n, name in enumerate(header)]
    columns = {name: [str(row[n]) if n < len(row) else None for row in body] for n, name in enumerate(names)}
    content = io.BytesIO()
    pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)).write_parquet(content)
    return content.getvalue()


def as_json(rows: Sequence[Sequence[Any]], _: Contract) -> bytes:
    """Return a table as a JSON list of objects."""
    header, *body = rows
    return json.dumps([dict(zip(header, row, strict=False)) for row in body]).encode()


def as_other(form: str) -> bytes:
    """Return `ROWS` as a file of one of the `OTHERS`."""
    names, *body = ROWS
    match form:
        case "fixed_width":
            return "".join("".join(f"{text:<{_WIDTH}}" for text in row) + "\n" for row in body).encode()
        case "xml":
            rows = ("".join(f"<{n}>{text}</{n}>" for n, text in zip(names, row, strict=True)) for row in body)
            return f'<?xml version="1.0"?><Form>{"".join(f"<Row>{row}</Row>" for row in rows)}</Form>'.encode()
        case "sdmx_csv":
            return "".join(
                f"{start},{','.join(row)}\n" for start, row in zip(("STRUCTURE", *"DDD"), ROWS, strict=True)
            ).encode()
        case "json_lines":
            return "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in body).encode()
        case _:
            return {"ods": as_ods, "xls": as_xls, "xlsb": as_xlsb}[form](ROWS)


def as_zip(*members: tuple[str, bytes]) -> bytes:
    """Return members as an archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return content.getvalue()


def _real(contracts: dict[str, Contract]) -> Iterator[Seed]:
    """Yield real files, cut if they are long, under the contract that reads them or one of their format."""
    if not DATA.is_dir():
        return
    files = [p for p in sorted(DATA.rglob("*")) if p.suffix in {".csv", ".tsv", ".json", ".parquet", ".xlsx"}]
    step = max(1, len(files) // MOST_REAL)
    eiti = [p for p in files if p.name == "dataset.original.csv"]
    known = [p for p in files if any(part in str(p) for part in REAL_CONTRACTS)]
    for n, path in enumerate([*eiti, *known, *files[::step]]):
        form = {"tsv": "csv"}.get(path.suffix[1:], path.suffix[1:])
        names = [part for part in path.parts if f"eiti-{part}" in contracts]
        name = f"eiti-{names[0]}" if names else next((c for p, c in REAL_CONTRACTS.items() if p in str(path)), None)
        fitting = [c.contract for c in contracts.values() if c.format.type == form]
        contract = contracts[name or fitting[n % len(fitting)]]
        data = path.read_bytes()
        whole = form in {"xlsx", "parquet"}
        if not whole or len(data) <= 4 * MOST_BYTES:
            sender, cut = contract.sender.default or "someone", data if whole else data[:MOST_BYTES]
            yield Seed(contract.contract, sender, form, cut, _period(contract))


def _period(contract: Contract, stated: str | None = None) -> str | None:
    """Return the period under which a file is delivered, None if the contract reads it from the file."""
    return (stated or "2009") if "period" in contract.options() else None
