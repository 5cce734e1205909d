"""The law of drafts of contracts: a file is read by the contract drafted from it, each figure as the file means it."""

import csv
import datetime as dt
import io
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

import polars as pl
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.codelists import read_codelists
from infra.settings import DEMO_CODELISTS
from schemas.concepts import load_vocabulary
from schemas.contract import Contract, read_contract
from schemas.contract_terms import gather_terms, with_terms
from transforms.drafting.contract.column_roles import Wishes, find_roles
from transforms.drafting.contract.contract_draft import ContractDraft, draft_contract
from transforms.drafting.contract.contract_text import contract_as_text
from transforms.drafting.table.file_table import read_file_table
from transforms.normalisation.observations import normalise
from transforms.parsing.parse import parse
from transforms.register.build import build_register
from transforms.register.lookup import Register

VOCABULARY: Final = load_vocabulary()
UNITS: Final = {"0301": "Oslo", "1120": "Klepp", "1121": "Time"}
PERIODS: Final = {
    "aar": lambda n: (f"{2015 + n}", dt.date(2015 + n, 1, 1)),
    "kvartal": lambda n: (f"{2020 + n // 4}-Q{n % 4 + 1}", dt.date(2020 + n // 4, n % 4 * 3 + 1, 1)),
    "maaned": lambda n: (f"2021-{n % 12 + 1:02}", dt.date(2021, n % 12 + 1, 1)),
    "dato": lambda n: (f"{n % 28 + 1:02}.03.2022", dt.date(2022, 3, n % 28 + 1)),
}
"""Name of a column -> the text of its n-th period, and the first day of it."""


class Table(NamedTuple):
    """A table as a sender writes it, and what it means: unit, first day, column -> figure, in the order of its rows."""

    records: list[list[str]]
    meant: list[tuple[str, dt.date, str, Decimal]]


@st.composite
def tables(draw: st.DrawFn, decimal: str, thousands: str) -> Table:
    """Draw a table of up to three units and periods and two figures, one of them with decimals."""
    by = draw(st.sampled_from(["kommunenr", "kommune"]))
    when = draw(st.sampled_from(sorted(PERIODS)))
    units = draw(st.permutations(sorted(UNITS)))
    count = draw(st.integers(2, 4))
    records, meant = [[by, when, "antall plasser", "utgifter"]], []
    for unit in units:
        for number in range(count):
            text, start = PERIODS[when](number)
            whole = draw(st.integers(-99_999, 99_999_999))
            money = Decimal(draw(st.integers(0, 10**9))).scaleb(-1)
            figures = {"antall plasser": Decimal(whole), "utgifter": money}
            cells = [_written(figure, decimal, thousands) for figure in figures.values()]
            records.append([unit if by == "kommunenr" else UNITS[unit], text, *cells])
            meant += [(unit, start, column, figure) for column, figure in figures.items()]
    return Table(records, sorted(meant))


def _written(figure: Decimal, decimal: str, thousands: str) -> str:
    return f"{figure:,f}".translate({ord(","): thousands, ord("."): decimal})


@cache
def register() -> Register:
    """Return the register of the demo."""
    return build_register(*read_codelists(DEMO_CODELISTS))


def drafted(data: bytes) -> Contract:
    """Return the contract that is drafted from a file, as its text declares it."""
    table = read_file_table(data)
    roles = find_roles(table.texts, register(), Wishes())
    draft = draft_contract(table.source("skjema"), table.texts, roles, VOCABULARY)
    example: dict[str, Any] = {"examples": [{"name": "none", "given": ""}]}
    contract = read_contract(contract_as_text(ContractDraft(draft.declared | example, draft.evidence), "f"))
    vocabulary, problems = gather_terms(VOCABULARY, {contract.contract: contract})
    assert problems == {}
    return with_terms(contract, vocabulary)


def read(data: bytes) -> list[tuple[str, dt.date, str, Decimal]]:
    """Return what a file means by the contract drafted from it; nothing of it is rejected."""
    contract = drafted(data)
    parsed = parse(data, contract)
    options = {"submission_id": pl.lit("s"), "sender": pl.lit("someone"), "option_period": pl.lit(None, pl.String)}
    done = normalise(parsed.raw.with_columns(**options), contract, register())
    assert parsed.rejects.is_empty()
    assert done.rejects.is_empty(), done.rejects.to_dicts()
    return sorted(done.claims.select("unit_code", "period_start", "column", "value").rows())


few = settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
MARKS: Final = st.sampled_from([(",", ""), (".", ""), (",", " "), (",", "\xa0"), (",", "."), (".", ",")])


@few
@given(
    data=st.data(), marks=MARKS, delimiter=st.sampled_from(";\t|"), newline=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]), titled=st.booleans(),
)  # fmt: skip
def test_a_text_file_is_read_by_its_draft_as_it_is_meant(
    data: st.DataObject, marks: tuple[str, str], delimiter: str, encoding: str, newline: str, *, titled: bool
) -> None:
    table = data.draw(tables(*marks))
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline)
    if titled:
        writer.writerows([["Årlig rapport om plasser"], []])
    writer.writerows(table.records)
    assert read(text.getvalue().encode(encoding)) == table.meant


@few
@given(st.data(), MARKS, st.integers(0, 3))
def test_a_workbook_is_read_by_its_draft_as_it_is_meant(
    data: st.DataObject, marks: tuple[str, str], above: int
) -> None:
    table = data.draw(tables(*marks))
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet("Tall")
        if above:
            sheet.write_string(0, 0, "Årlig rapport om plasser")
        for row, record in enumerate(table.records, start=above):
            for column, cell in enumerate(record):
                sheet.write_string(row, column, cell)
    assert read(target.getvalue()) == table.meant
