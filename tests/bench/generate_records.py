"""The records' benchmark: a kind of ten compared fields, invented reports of it, two settings of its blocking.

Seeded, so that a history of any size has the same shape: a fifth of the reports are of items reported two, three or
four times, each report in its reporter's own hand. Nothing here is measured.
"""

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

KIND: Final = """
kind: encounter
version: 1
title: {nb: Møte, nn: Møte, en: Encounter}
one_report_per_item: true
fields:
  given_name: {type: text, role: comparison, doc: Given name, compare: {by: similarity}, term_frequency: true}
  surname: {type: text, role: comparison, doc: Surname, compare: {by: similarity}, term_frequency: true}
  born: {type: date, role: comparison, doc: Date of birth, compare: {by: days, levels: [1, 31]}}
  street: {type: text, role: comparison, doc: Street, compare: {by: similarity}}
  place: {type: text, role: comparison, doc: Place, compare: {by: similarity}, term_frequency: true}
  postcode: {type: code, role: comparison, doc: Postcode, compare: {by: code, prefixes: [2]}}
  phone: {type: code, role: comparison, doc: Phone number, compare: {by: edits, levels: [1]}}
  category: {type: code, role: comparison, doc: Category, compare: {by: exact}}
  amount: {type: number, role: comparison, doc: Amount, compare: {by: difference, levels: [10, 100]}, tolerance: 1}
  note: {type: text, role: text, doc: What happened, compare: {by: words, levels: [30, 15, 6]}}
blocking:
BLOCKING
largest_block: 2000
thresholds: {automatic: best_f1, review: 0.05}
"""
BLOCKING: Final = {
    "few": "  - [surname, born]\n  - [phone]\n  - [given_name, surname, postcode]",
    "many": "  - [surname, born]\n  - [phone]\n  - [{field: born, unit: month}, category]",
}
"""About 0.3 million and 40 million candidate pairs in a million reports."""
CONTRACT: Final = """
contract: encounters
version: 1
obligation: encounters
title: {nb: Målestokk, nn: Målestokk, en: Benchmark}
agency: Målestokken
legal_basis: none, it is a benchmark
rhythm: monthly
hours_per_report: null
sender: {default: bench}
format: {type: csv, delimiter: ";", decimal: "."}
record:
  kind: encounter
  reported_by: {column: body}
  report_key: [number]
  row_key: number
  fields:
    given_name: {column: given_name}
    surname: {column: surname}
    born: {column: born, format: "%Y-%m-%d"}
    street: {column: street}
    place: {column: place}
    postcode: {column: postcode}
    phone: {column: phone}
    category: {column: category}
    amount: {column: amount}
    note: {column: note}
examples:
  - name: one row
    given: |
      body;number;given_name;surname;born;street;place;postcode;phone;category;amount;note
      north;1;Ola;Berg;1960-02-03;Storgata 1;Vik;0007;12345678;c1;12.50;en to tre
    records:
      - {row: 2, reported_by: north, surname: Berg}
"""
REPORTERS: Final = 12
FILE_ROWS: Final = 50_000
SYLLABLES: Final = tuple(consonant + vowel for consonant in "bdfghjklmnprstv" for vowel in "aeio")
WORDS: Final = 8
TYPO: Final = 0.12
"""Share of a report's values that differ from the item's: a letter lost, a day off, no value."""


def settings(folder: Path, blocking: str) -> dict[str, str]:
    """Write the kind and its contract below a folder; return the environment that names them."""
    texts = {"kinds/encounter.yml": KIND.replace("BLOCKING", BLOCKING[blocking]), "contracts/encounters.yml": CONTRACT}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return {"ENGANG_KINDS": str(folder / "kinds"), "ENGANG_CONTRACTS": str(folder / "contracts")}


def history(folder: Path, records: int, seed: int = 1) -> pl.DataFrame:
    """Write so many reports as CSV files; return the items that they are of."""
    chance = np.random.default_rng(seed)
    singles = round(records * 0.8)
    sizes = chance.choice([2, 3, 4], round(records * 0.2 / 2.55), p=[0.6, 0.25, 0.15])
    copies = np.concatenate([np.ones(singles, dtype=int), sizes])
    known = _items(chance, len(copies))
    reports = _reports(known[np.repeat(np.arange(len(copies)), copies)], chance)
    _write(folder, reports.sample(fraction=1, shuffle=True, seed=seed), "history")
    return known


def night(folder: Path, records: int, known: pl.DataFrame, seed: int = 2) -> None:
    """Write one night as a CSV file: half are further reports of items that are there, half are of new ones."""
    chance = np.random.default_rng(seed)
    old = known.sample(records // 2, seed=seed)
    new = _items(chance, records - old.height).with_columns(pl.col("item") + 10**9)
    reports = _reports(pl.concat([old, new]), chance, late=True)
    _write(folder, reports, "night")


def _items(chance: np.random.Generator, count: int) -> pl.DataFrame:
    """Return so many things that can be reported; a few names, places and words are common and most are rare."""

    def _common(names: int, syllables: int) -> pl.Series:
        return _vocabulary(names, syllables)[(chance.random(count) ** 2 * names).astype(int)]

    days = chance.integers(0, 365 * 60, count).astype("timedelta64[D]")
    words = [_common(5000, 3) for _ in range(WORDS)]
    return pl.DataFrame(
        {
            "item": np.arange(count),
            "first": chance.integers(0, REPORTERS, count),
            "given_name": _common(3000, 2),
            "surname": _common(30_000, 3),
            "born": np.datetime64("1940-01-01") + days,
            "house": chance.integers(1, 90, count),
            "street": _common(8000, 4),
            "place": _common(900, 3),
            "postcode": chance.integers(1000, 9999, count),
            "phone": chance.integers(10**7, 10**8, count),
            "category": chance.integers(0, 16, count),
            "amount": chance.integers(100, 10**6, count) / 100,
        }
    ).with_columns(w.alias(f"w{n}") for n, w in enumerate(words))


def _vocabulary(names: int, syllables: int) -> pl.Series:
    parts = pl.Series(values=SYLLABLES)
    number = np.arange(names) * 7919 + syllables
    places = [number // len(SYLLABLES) ** k % len(SYLLABLES) for k in range(syllables)]
    return pl.select(pl.concat_str(parts[p] for p in places).str.to_titlecase()).to_series()


def _reports(items: pl.DataFrame, chance: np.random.Generator, *, late: bool = False) -> pl.DataFrame:
    """Return a report a row, each item's by different reporters, some values different; late: none reported before."""
    copy = pl.int_range(pl.len()).over("item") + 6 * late
    slip = {name: pl.Series(chance.random(items.height) < TYPO) for name in (*items.columns, "story")}
    texts = ("given_name", "surname", "street", "place", "phone")
    reports = items.with_columns(
        ((pl.col("first") + copy) % REPORTERS).alias("body"), pl.col("phone").cast(pl.String),
        # Of seven digits: 999999 would be read as a placeholder.
        number=pl.int_range(pl.len()) + 10**6 + 10**9 * late,
    ).with_columns(
        *(pl.when(~slip[n]).then(n).otherwise(_letter_lost(n)).alias(n) for n in texts),
        pl.when(slip["born"]).then(pl.col("born").dt.offset_by("1d")).otherwise("born").alias("born"),
        pl.when(slip["amount"]).then(pl.col("amount") + 7).otherwise("amount").round(2).alias("amount"),
        pl.when(~slip["category"]).then(pl.format("c{}", "category")).alias("category"),
        pl.when(slip["story"]).then(pl.lit("Annet")).otherwise("w0").alias("w0"),
    )  # fmt: skip
    return reports.select(
        pl.format("body{}", "body").alias("body"), "number",
        "given_name", "surname", "born", pl.concat_str("street", "house", separator=" "), "place", "postcode", "phone",
        "category", "amount", pl.concat_str([f"w{n}" for n in range(WORDS)], separator=" ").alias("note"),
    )  # fmt: skip


def _letter_lost(name: str) -> pl.Expr:
    return pl.col(name).str.slice(0, 2) + pl.col(name).str.slice(3)


def _write(folder: Path, reports: pl.DataFrame, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for n, rows in enumerate(reports.iter_slices(FILE_ROWS)):
        rows.write_csv(folder / f"{name}-{n:03}.csv", separator=";")
