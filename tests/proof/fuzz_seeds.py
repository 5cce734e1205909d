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

PARQUET: Final = "demo-parquet"
"""A contract of the fuzzer's own: no shipped contract reads Parquet."""
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
    return load_contracts(folder)


def seeds(contracts: dict[str, Contract]) -> list[Seed]:
    """Return every seed, in an order that does not change."""
    found = [seed for contract in contracts.values() for e in contract.examples for seed in _of_example(contract, e)]
    sender = contracts[PARQUET].sender.default or "someone"
    found += [Seed(PARQUET, sender, "parquet", s.data) for s in found if s.form == "parquet"]
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
