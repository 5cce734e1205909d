"""Laws of drafts: whatever a draft states, its contract reads back as what was known, and as no more than that."""

import datetime as dt
import re
import string
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import polars as pl
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from schemas.contract import Contract, Period, Take, read_contract
from schemas.errors import UsageError
from tests.support.shaped_deliveries import received
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.normalisation.texts.dates import DateForm
from transforms.normalisation.texts.periods import read_span
from transforms.normalisation.texts.take_text import mapped_text
from transforms.parsing.parse import parse
from transforms.prefill.files.layout import Layout, is_writable
from transforms.prefill.files.write import draft_bytes
from transforms.prefill.rows import named_by_pattern
from transforms.prefill.texts.figure_texts import figure_text
from transforms.prefill.texts.period_texts import period_texts
from transforms.prefill.texts.take_texts import Cells, cells_for

brief = settings(max_examples=40)
CLAIM: Final = """
format: {{type: csv, decimal: "{decimal}"}}
unit: {{column: u, kind: municipality}}
period: {{column: p, type: year}}
claims:
  - {{concept: costs, column: n, reported_by: {{option: sender}}, unit_measure: {{value: NOK}},
     scale: "{scale}"{accuracy}}}
"""
ACCURACIES: Final = (
    "",
    ", decimals: exact",
    ", decimals: as_written",
    ", decimals: 2",
    ", decimals: 0",
    ", decimals: -3",
)
SCALES: Final = ("1", "10", "1000", "1000000", "0.01", "12")


def known() -> st.SearchStrategy[tuple[Decimal, int | None]]:
    """Return values and how many decimals they are accurate to (None: exact), often such as forms can state."""
    rounded = st.builds(lambda n, d: Decimal(n).scaleb(-d), st.integers(-(10**9), 10**9), st.integers(-6, 6))
    return st.tuples(rounded, st.none() | st.integers(-7, 7))


@brief
@given(st.lists(known(), min_size=1, max_size=30), st.sampled_from(SCALES), st.sampled_from(ACCURACIES),
       st.sampled_from(".,"))  # fmt: skip
@example([(Decimal(14250000), -3)], "1000", "", ".")
@example([(Decimal(14250000), -3)], "1000000", ", decimals: -3", ",")
@example([(Decimal(0), 0)], "12", ", decimals: as_written", ".")
@example([(Decimal("0.15"), 1), (Decimal("0.1"), 1)], "1", ", decimals: as_written", ".")
def test_a_figure_is_read_back_and_states_no_more_than_was_known(
    figures: list[tuple[Decimal, int | None]], scale: str, accuracy: str, decimal: str
) -> None:
    text = CLAIM.format(decimal=decimal, scale=scale, accuracy=accuracy)
    contract = received(text, b"u;p;n\n0301;2024;1\n").contract
    claim, stated = contract.claims[0], []
    for value, decimals in figures:
        vague = Decimal(0) if decimals is None else Decimal(5).scaleb(-decimals - 1)
        found = figure_text(value, vague, claim, contract.format, None)
        assert bool(found.text) != bool(found.why)
        if found.text:
            stated.append((value, Fraction(vague), found))
    rows = "".join(f"0301;{2000 + place};{each.text}\n" for place, (_, _, each) in enumerate(stated))
    assume(rows)
    read = received(text, f"u;p;n\n{rows}".encode())
    assert read.rejects("row", "reason") == []
    for (value, vague, found), (given_value, given_decimals) in zip(
        stated, read.claims("value", "decimals"), strict=True
    ):
        assert given_value == value
        # `exact` and what is declared say nothing of one figure: a column of accuracy, if any, states `decimals`
        if claim.decimals != "exact" and found.decimals is None:
            as_read = Fraction(0) if given_decimals is None else Fraction(10) ** -given_decimals / 2
            assert as_read >= vague, "the form would state the figure more exactly than it is known"


PERIODS: Final[list[dict[str, Any]]] = [
    {"type": "year"}, {"type": "year", "starts": "07-01"}, {"type": "year", "starts": "07-01", "year_of": "end"},
    {"type": "year", "as_of": "12-31"}, {"type": "school_year"}, {"type": "half_year"}, {"type": "quarter"},
    {"type": "week"}, {"type": "month"}, {"type": "month", "format": "%m.%Y"}, {"type": "month", "format": "%B %Y"},
    {"type": "month", "format": "%m%y", "century": 2000}, {"type": "day"}, {"type": "day", "format": "%d.%m.%Y"},
    {"type": "day", "format": "%d/%m-%y", "century": 2000},
]  # fmt: skip


def plain_texts(kind: str, day: dt.date) -> str:
    """Return the standard's text of the period of a type that a day is in."""
    year, week, _ = day.isocalendar()
    return {
        "year": f"{day.year}", "school_year": f"{day.year}/{(day.year + 1) % 100:02}",
        "half_year": f"{day.year}-H{1 + (day.month > 6)}", "quarter": f"{day.year}-Q{(day.month + 2) // 3}",
        "week": f"{year}-W{week:02}", "month": f"{day:%Y-%m}", "day": f"{day}",
    }[kind]  # fmt: skip


def span(text: str, period: Period, contract: Contract) -> tuple[dt.date | None, dt.date | None]:
    """Return what a contract reads as a period."""
    start, end = read_span(pl.col("p"), period, DateForm.of(period, contract.format))
    return pl.DataFrame({"p": [text]}).select(start=start, end=end).row(0)  # type: ignore[return-value]


@given(st.dates(dt.date(2000, 1, 1), dt.date(2098, 12, 31)), st.sampled_from(PERIODS))
@example(dt.date(2021, 1, 3), {"type": "week"})
@example(dt.date(2024, 12, 31), {"type": "week"})
@example(dt.date(2024, 6, 30), {"type": "half_year"})
@example(dt.date(2024, 7, 1), {"type": "half_year"})
def test_the_first_text_of_a_period_is_read_as_that_period(day: dt.date, spec: dict[str, Any]) -> None:
    contract = received(CLAIM.format(decimal=".", scale="1", accuracy=""), b"u;p;n\n0301;2024;1\n").contract
    period = Period.model_validate({"column": "p", **spec})
    standard = period.model_copy(update={"format": None, "century": None})
    start, end = span(plain_texts(period.type, day), standard, contract)
    assert start is not None
    assert end is not None
    assert span(period_texts(start, period)[0], period, contract) == (start, end)


CODES: Final = st.text(string.ascii_letters + string.digits, min_size=1, max_size=6)

WORDS: Final = st.sampled_from(["x", "y", "x1", "01-002", "1, 2, 3", "01002"])


@st.composite
def takes(draw: st.DrawFn) -> Take:
    """Draw where a text comes from: one column, several with or without a text between, a constant; a map or none."""
    spec: dict[str, Any] = draw(
        st.sampled_from([
            {"column": "a"}, {"value": "x1"}, {"columns": ["a", "b"], "between": "-"}, {"columns": ["a", "b", "c"],
            "between": ", "}, {"columns": ["a", "b"], "pad": [2, 3]}, {"columns": ["a", "b"]},
            {"columns": ["a", "b", "c"], "pad": [1, 2, 0]},
        ])
    )  # fmt: skip
    if draw(st.booleans()):
        spec = spec | {"map": draw(st.dictionaries(CODES, st.sampled_from(["x", "y", "x1"]), min_size=1, max_size=3))}
        spec |= draw(st.sampled_from([{}, {"unmapped": "keep"}, {"map_default": "y"}]))
    return Take.model_validate(spec)


@given(takes(), st.lists(CODES | WORDS, min_size=1, max_size=3))
@example(Take.model_validate({"column": "a", "map": {"x": "y"}, "unmapped": "keep"}), ["x"])
def test_the_cells_of_a_text_are_read_as_one_of_the_texts_that_were_wanted(take: Take, wanted: list[str]) -> None:
    cells = cells_for(take, wanted)
    if cells is None:
        return
    assert set(cells) <= set(take.source_columns())
    row = pl.DataFrame(cells or {"other": "z"}).select(mapped_text(take).alias("text"))
    assert row["text"].to_list()[0] in wanted


@given(st.dictionaries(CODES, CODES, min_size=1, max_size=3), st.sampled_from([{}, {"unmapped": "keep"}]),
       st.lists(CODES, min_size=1, max_size=4))  # fmt: skip
def test_what_one_column_states_a_draft_can_state(codes: dict[str, str], other: Cells, texts: list[str]) -> None:
    take = Take.model_validate({"column": "a", "map": codes, **other})
    read = pl.DataFrame({"a": [*texts, *codes]}).select(mapped_text(take).alias("text"))["text"].drop_nulls()
    assert set(codes.values()) <= set(read)
    for text in read:
        assert cells_for(take, [text]) is not None


UNIT_AND_PERIOD: Final = """
unit: {{column: "{u}", kind: municipality}}
period: {{column: "{p}", type: year}}
claims:
  - {{concept: costs, column: "{n}", reported_by: {{option: sender}}, unit_measure: {{value: NOK}}}}
  - {{concept: hours, column: "{m}", reported_by: {{option: sender}}, unit_measure: {{value: hours}}}}
repeat: error
examples: [{{name: none, given: ''}}]
"""
FLAT: Final = {"u": "unit", "p": "year", "n": "costs", "m": "hours"}
FORMS: Final = [
    ("{type: csv}", FLAT),
    ('{type: csv, delimiter: ",", decimal: ".", encoding: utf-16}', FLAT),
    ('{type: csv, delimiter: "\\t", quote: "\'", header_row: 4, skip_footer: 2}', FLAT),
    ("{type: csv, delimiter: '|', encoding: cp1252, decimal: ','}", FLAT),
    ("{type: xlsx, header_row: 3, skip_footer: 1}", FLAT),
    ("{type: xlsx, sheet: Tall}", FLAT),
    ("{type: parquet}", FLAT),
    ("{type: json, lines: true}", FLAT),
    ("{type: json, rows: rader}", {"u": "rader[].unit", "p": "year", "n": "rader[].t.costs", "m": "rader[].t.hours"}),
    ("{type: json, rows: 'a[].b'}", {"u": "a[].unit", "p": "year", "n": "a[].b[].costs", "m": "a[].b[].hours"}),
    ("{type: xml, rows: A.B.C}", {"u": "A.B.@unit", "p": "A.Head.year", "n": "A.B.C[].costs", "m": "A.B.C[].@hours"}),
]
LETTERS: Final = st.sampled_from(string.ascii_letters + string.digits + "æøåÆØÅ .,;:'\"|&<>()/%#éü")
TEXTS: Final = st.text(LETTERS, min_size=1, max_size=10).map(str.strip).filter(bool)
FIGURES: Final = st.integers(-(10**12), 10**12).map(str)


def contract_of(form: str, columns: dict[str, str]) -> Contract:
    """Return a contract of two figures that reads this format."""
    return read_contract(f"{CONTRACT_HEAD}sender: {{default: me}}\nformat: {form}\n{UNIT_AND_PERIOD.format(**columns)}")


@settings(max_examples=60)
@given(
    st.sampled_from(FORMS),
    st.lists(st.tuples(TEXTS, FIGURES, FIGURES), min_size=1, max_size=6),
    st.integers(1900, 2100),
)
def test_a_file_of_any_format_holds_the_texts_of_its_rows(
    form: tuple[str, dict[str, str]], figures: list[tuple[str, str, str]], year: int
) -> None:
    contract, columns = contract_of(*form), form[1]
    rows: list[Cells] = [
        {columns["u"]: unit, columns["p"]: str(year), columns["n"]: costs, columns["m"]: hours}
        for unit, costs, hours in figures if is_writable(unit, contract.format)
    ]  # fmt: skip
    assume(rows)
    held = frozenset((columns["n"], columns["m"]))
    try:
        data = draft_bytes(Layout([columns[name] for name in "upnm"], rows, held, contract))
    except UsageError as error:
        assert "cannot be written in cp1252" in str(error)
        return
    parsed = parse(data, contract)
    assert parsed.rejects.is_empty()
    names = [columns[name] for name in "upnm"]
    assert sorted(parsed.raw.select(names).rows()) == sorted(tuple(row[name] for name in names) for row in rows)


@given(
    st.text("ab .+(", max_size=4),
    st.text("]?x)", max_size=4),
    st.sampled_from(["[a-z]+", "a1|b|[a-z(]+", "[a-z)]{1,9}", "(?:x|[a-z]+)", r"\(?[a-z]+"]),
    st.text(string.ascii_lowercase, min_size=1, max_size=4),
)
def test_a_name_made_of_a_pattern_matches_it(before: str, after: str, group: str, stated: str) -> None:
    pattern = f"{re.escape(before)}(?P<g>{group}){re.escape(after)}"
    name = named_by_pattern(pattern, {"g": stated})
    assert name == f"{before}{stated}{after}"
    found = re.fullmatch(pattern, name)
    assert found
    assert found["g"] == stated
