"""Small contracts, invented deliveries under them, and installations that live as long as one example.

The contracts speak of the same items in seven ways: `melding` is corrected and withdrawn by version and action, whole
units at a time, and adds lines up; `linjer` does the same item by item; `rettelse` answers the same obligation by
version alone; `samlet` holds two reporters' figures in tens a row, the second of them taking precedence; `firma` is
about units that no register holds; `tabell` and `skjema` are tables for people, with a group in each of two columns.
`samlet`, `firma` and `tabell` have no version: what is received last corrects.
"""

import functools
import random
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl
from hypothesis import strategies as st

from flows import releases as reading
from flows.installation import Installation
from infra.codelists import read_codelists
from infra.ledger import releases as ledger_releases
from infra.settings import DEMO_CODELISTS
from schemas.claims import PUBLISHED_TABLES, empty
from schemas.contract import Contract, read_contract
from tests.support.temporary_installation import Life, as_file, lived, opened
from transforms.register.build import build_register
from transforms.register.lookup import Register

MUNICIPALITIES = {"0301": "Oslo", "1120": "Klepp"}


class Figure(NamedTuple):
    """One figure column, as the second account reads it; reported_by None is the sender."""

    column: str
    reported_by: str | None
    scale: int
    decimals: int | str | None
    precedence: int | None


@dataclass(frozen=True)
class Small:
    """A contract, as the second account reads it."""

    obligation: str
    repeat: str
    columns: tuple[str, ...]
    figures: tuple[Figure, ...]
    versions: bool = False
    whole: bool = False
    acts: bool = False
    skips: bool = False
    groups: tuple[str, ...] = ()
    """The group that each column of figures is about: each cell is then read as a row of its own."""


KEYS = ("enhet", "maaned", "gruppe")
CONTRACTS = {
    "melding": Small(
        "omsorg", "sum", (*KEYS, "antall", "noyaktighet", "versjon", "handling"),
        (Figure("antall", None, 1, "delivered", None),), versions=True, whole=True, acts=True,
    ),
    "linjer": Small(
        "omsorg", "sum", (*KEYS, "antall", "noyaktighet", "versjon", "handling"),
        (Figure("antall", None, 1, "delivered", None),), versions=True, acts=True,
    ),
    "rettelse": Small(
        "omsorg", "distinct", (*KEYS, "antall", "versjon"), (Figure("antall", None, 1, 0, 3),), versions=True
    ),
    "samlet": Small(
        "tilsyn", "error", (*KEYS, "egne", "tilsynets"),
        (Figure("egne", None, 10, -1, 2), Figure("tilsynets", "Tilsynet", 10, -1, 1)), skips=True,
    ),
    "firma": Small("firma", "warn", (*KEYS, "antall"), (Figure("antall", None, 1, None, 5),)),
    "tabell": Small(
        "tabell", "error", (*KEYS[:2], "a", "b"),
        (Figure("a", None, 1, None, 4), Figure("b", None, 1, None, 4)), skips=True, groups=("a", "b"),
    ),
    "skjema": Small(
        "omsorg", "sum", (*KEYS[:2], "noyaktighet", "versjon", "handling", "b", "c"),
        (Figure("b", None, 1, "delivered", None), Figure("c", None, 1, "delivered", None)),
        versions=True, acts=True, groups=("b", "c"),
    ),
}  # fmt: skip

SHARED = """
version: 1
title: {nb: Prøve, nn: Prøve, en: A test's}
agency: A test's agency
legal_basis: none, a test
rhythm: monthly
hours_per_report: null
sender: {allowed: any}
format: {type: csv, delimiter: ";", decimal: ","}
ignore_rows: [{column: enhet, values: [Sum], why: the sum of the rows above}]
period: {column: maaned, type: month}
breakdown: {group: {column: gruppe}}
examples: [{name: none, given: ""}]
"""
LINES = """
obligation: omsorg
unit: {column: enhet, kind: municipality}
report_version: {column: versjon}
action: {column: handling, map: {"": append, ny: append, erstatt: replace, trekk: withdraw}}
repeat: sum
claims:
  - {concept: persons, column: antall, reported_by: {option: sender}, unit_measure: {value: persons},
     decimals: {column: noyaktighet}}
"""
OWN = {
    "melding": LINES + "correction: whole",
    "linjer": LINES,
    "rettelse": """
obligation: omsorg
unit: {column: enhet, kind: municipality}
report_version: {column: versjon}
repeat: distinct
claims:
  - {concept: persons, column: antall, reported_by: {option: sender}, unit_measure: {value: persons},
     decimals: 0, precedence: 3}
""",
    "samlet": """
obligation: tilsyn
unit: {column: enhet, kind: municipality}
repeat: error
claims:
  - {concept: persons, column: egne, reported_by: {option: sender}, unit_measure: {value: persons}, scale: 10,
     missing: skip, precedence: 2}
  - {concept: persons, column: tilsynets, reported_by: {value: Tilsynet}, unit_measure: {value: persons}, scale: 10,
     missing: skip, precedence: 1}
""",
    "firma": """
obligation: firma
unit: {column: enhet, kind: organisation, by: name, provisional: true}
repeat: warn
claims:
  - {concept: persons, column: antall, reported_by: {option: sender}, unit_measure: {value: persons}, precedence: 5}
""",
    "tabell": """
obligation: tabell
unit: {column: enhet, kind: municipality}
unpivot: {pattern: "(?<gruppe>[ab])", value: antall}
repeat: error
claims:
  - {concept: persons, column: antall, reported_by: {option: sender}, unit_measure: {value: persons}, missing: skip,
     precedence: 4}
""",
    "skjema": LINES + "unpivot: {columns: {b: {gruppe: b}, c: {gruppe: c}}, value: antall}",
}


class Row(NamedTuple):
    """What a row can say under any of the contracts; `other` is the second figure."""

    unit: str
    month: str
    group: str
    figure: str
    other: str = ""
    accuracy: str = ""
    version: str = ""
    action: str = ""
    broken: bool = False
    """Cut off in its middle."""


class Wrapping(NamedTuple):
    """How the same content is written: none of it is said."""

    shuffle: int = 0
    bom: bool = False
    crlf: bool = False
    quoted: bool = False
    zeros: bool = False


class Sent(NamedTuple):
    """One delivery."""

    contract: str
    sender: str
    rows: tuple[Row, ...]
    wrapping: Wrapping = Wrapping()
    as_of: datetime | None = None
    replaces: str | None = None


def in_order(sent: Sent) -> list[Row]:
    """Return the rows as they stand in the file."""
    if not sent.wrapping.shuffle:
        return list(sent.rows)
    return random.Random(sent.wrapping.shuffle).sample(sent.rows, len(sent.rows))


def written(figure: str, wrapping: Wrapping) -> str:
    """Return a figure's text: the same number may end in a zero."""
    return f"{figure}0" if wrapping.zeros and "," in figure else figure


def file_of(sent: Sent) -> bytes:
    """Return the bytes that are delivered."""
    lines = [list(CONTRACTS[sent.contract].columns)]
    for row in in_order(sent):
        figure, other = written(row.figure, sent.wrapping), written(row.other, sent.wrapping)
        content = {
            "enhet": row.unit, "maaned": row.month, "gruppe": row.group, "antall": figure, "egne": figure,
            "tilsynets": other, "noyaktighet": row.accuracy, "versjon": row.version, "handling": row.action,
            **dict(zip(CONTRACTS[sent.contract].groups, (figure, other), strict=False)),
        }  # fmt: skip
        cells = [content[column] for column in lines[0]]
        lines.append(cells[:2] if row.broken else cells)
    return as_file(lines, sent.wrapping)


_rows = st.builds(
    Row,
    unit=st.sampled_from(("0301",) * 12 + ("1120", "Sum", "9999")),
    month=st.sampled_from(("2024-01",) * 7 + ("2024-02",)),
    group=st.sampled_from("abc"),
    figure=st.sampled_from(("0", "4", "5", "6", "10", "14", "15", "24,5", "-3") * 2 + ("5", "many", "", "1e400")),
    other=st.sampled_from(("", "0", "1", "5", "24,5")),
    accuracy=st.sampled_from(("", "0", "-1", "1")),
    version=st.sampled_from(("", "1", "1", "2", "3")),
    action=st.sampled_from(("", "", "", "ny", "erstatt", "trekk")),
    broken=st.sampled_from((False,) * 15 + (True,)),
)
_unit_names = st.sampled_from(("Nord AS", "NORD AS", "Nord  As", "Sør AS", "Sum"))
wrappings = st.builds(Wrapping, st.integers(0, 9), st.booleans(), st.booleans(), st.booleans(), st.booleans())


@st.composite
def sendings(draw: st.DrawFn) -> Sent:
    """Draw one delivery of a few rows about the same few items; most say one version and one action throughout."""
    contract = draw(st.sampled_from(("melding", "melding", "linjer", "linjer", *list(CONTRACTS)[2:])))
    rows = draw(st.lists(_rows, min_size=1, max_size=4))
    if draw(st.integers(0, 3)):
        rows = [row._replace(version=rows[0].version, action=rows[0].action) for row in rows]
    if contract == "firma":
        rows = [row._replace(unit=draw(_unit_names)) for row in rows]
    as_of = draw(st.sampled_from((None,) * 9 + (datetime(2026, 1, 1), datetime(2026, 1, 2))))
    return Sent(contract, draw(st.sampled_from(("anna", "berit"))), tuple(rows), draw(wrappings), as_of)


@functools.cache
def contracts() -> dict[str, Contract]:
    """Return the small contracts, by id."""
    return {name: read_contract(f"contract: {name}\n{SHARED}{own}", name) for name, own in OWN.items()}


@functools.cache
def _template() -> "tempfile.TemporaryDirectory[str]":
    """Make an empty installation once: a copy of it is a new home."""
    folder = tempfile.TemporaryDirectory(prefix="engang-laws-")
    opened(Path(folder.name) / "home").engine.dispose()
    return folder


@functools.cache
def _register() -> Register:
    return build_register(*read_codelists(DEMO_CODELISTS))


class Home(Life):
    """An installation of the small contracts."""

    file_of = staticmethod(file_of)

    def __init__(self, installation: Installation) -> None:
        """Take an installation."""
        super().__init__(installation, contracts=contracts(), kinds={}, register=_register())

    def table(self, name: str, release: int | None = None) -> pl.DataFrame:
        """Return a table of a release, the current one by default; empty where there is none."""
        if release is None and ledger_releases.current_release(self.installation.engine) is None:
            return empty(PUBLISHED_TABLES[name])
        found = reading.find_release(self.installation, release)
        key = (name, found["release"])
        if key not in self.read_since_night:
            rows = reading.read_table(self.installation, name, found).collect()
            in_order = rows.sort([c for c in ("item_id", "claim_id", "release") if c in rows.columns])
            self.read_since_night[key] = in_order
        return self.read_since_night[key]

    def buckets(self, release: int | None = None) -> dict[str, dict[str, int]]:
        """Return a release's buckets, the current one's by default, submission by submission."""
        found: dict[str, dict[str, int]] = {}
        number = reading.find_release(self.installation, release)["release"]
        for row in ledger_releases.read_row_counts(self.installation.engine, number).iter_rows(named=True):
            found.setdefault(row["submission_id"], {})[row["bucket"]] = row["rows"]
        return found


def new_home() -> AbstractContextManager[Home]:
    """Give an empty home; it is gone after the block."""
    return lived(Path(_template().name) / "home", Home)
