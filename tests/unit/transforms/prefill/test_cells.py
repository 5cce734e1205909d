"""The cells of a draft: which items a form asks for, and the texts of the row that states each."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.concepts import Conversion, Terms
from schemas.contract import Contract, read_contract
from schemas.contract_parts import Take
from tests.support.shaped_deliveries import END, received, small_register
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.prefill.cells import NO_PLACE, WHY, DraftCell, empty_keys, plan_cells
from transforms.prefill.known import FILLED, KNOWN_ITEM
from transforms.prefill.read_back import Delivered, numbered_rows, unread_cells

START, END_OF_YEAR = dt.date(2024, 1, 1), dt.date(2025, 1, 1)
OSLO = {"unit_kind": "municipality", "unit_code": "0301", "unit_name": "Oslo"}

OPTION = """
format: {type: csv}
unit: {column: u, kind: municipality}
period: {option: period, type: year}
claims:
  - {concept: costs, column: n, reported_by: {option: sender}, unit_measure: {value: NOK}}
"""


def form(claim: str = "", *, unit: str = "", period: str = "type: year", more: str = "") -> Contract:
    """Return a contract of one claim."""
    text = f"""
format: {{type: csv, decimal: ","}}
unit: {{column: u, kind: municipality{unit}}}
period: {{column: p, {period}}}
{more}
claims:
  - {{concept: costs, column: n, reported_by: {{option: sender}}, unit_measure: {{value: NOK}}{claim}}}
"""
    return read_contract(CONTRACT_HEAD + "sender: {default: me}\n" + text + END)


def item(**differs: Any) -> dict[str, Any]:
    """Return an item of Oslo's costs, known exactly."""
    unit_id = small_register().units.filter(pl.col("code") == "0301")["unit_id"].item()
    return {
        "item_id": "i", "concept": "costs", "breakdown": "{}", "unit_measure": "NOK", "unit_id": unit_id, **OSLO,
        "period_start": START, "period_end": END_OF_YEAR, "state": "known", "value": Decimal("1500.5"),
        "lower": Decimal("1500.5"), "upper": Decimal("1500.5"), **differs,
    }  # fmt: skip


def cells(contract: Contract, *items: dict[str, Any], sender: str = "me") -> list[DraftCell]:
    known = pl.DataFrame([{**dict.fromkeys(KNOWN_ITEM), **each} for each in items], schema=KNOWN_ITEM)
    return plan_cells(known, contract, small_register(), sender)


def only(contract: Contract, sender: str = "me", **differs: Any) -> DraftCell:
    (found,) = cells(contract, item(**differs), sender=sender)
    return found


def test_a_cell_has_the_text_of_its_figure_and_of_its_row() -> None:
    found = only(form())
    assert (found.claim, found.column, found.text, found.why) == (0, "n", "1500,5", None)
    assert found.keys == {"u": "0301", "p": "2024"}


@pytest.mark.parametrize("state", WHY)
def test_what_is_not_shown_is_an_empty_cell_that_says_why(state: str) -> None:
    found = only(form(), state=state, value=None, lower=None, upper=None)
    assert (found.text, found.why) == ("", WHY[state])
    assert found.keys == {"u": "0301", "p": "2024"}
    assert state not in FILLED


@pytest.mark.parametrize(
    ("half", "text"), [("0", "1500500"), ("500", "1500500"), ("501", "")]
)  # a form in thousands states a figure to half of a thousand
def test_the_half_of_the_interval_is_how_vague_a_figure_is(half: str, text: str) -> None:
    ends = {"lower": Decimal(1500500) - Decimal(half), "upper": Decimal(1500500) + Decimal(half)}
    assert only(form(", decimals: -3"), value=Decimal(1500500), **ends).text == text


def test_an_item_of_another_concept_breakdown_or_measure_is_not_asked_for() -> None:
    assert cells(form(), item(concept="beds"), item(breakdown='{"sex":"F"}'), item(unit_measure="EUR")) == []
    sexes = form(", breakdown: {sex: {column: s, map: {K: F, M: M}}}")
    found = cells(
        sexes, item(breakdown='{"sex":"M"}'), item(), item(breakdown='{"sex":"F"}'), item(breakdown='{"sex":"X"}')
    )
    assert [each.keys for each in found] == [{"u": "0301", "p": "2024", "s": text} for text in "KM"]


@pytest.mark.parametrize(
    ("measure", "wanted", "keys", "text"),
    [
        ({"value": "kNOK"}, "NOK", {}, "1,5005"),
        ({"column": "m"}, "NOK", {"m": "NOK"}, "1500,5"),
        ({"column": "m", "map": {"tusen": "kNOK", "mill": "MNOK"}}, "NOK", {"m": "tusen"}, "1,5005"),
        ({"column": "m", "map": {"mill": "MNOK"}}, "NOK", {"m": "mill"}, "0,0015005"),
        ({"value": "kNOK"}, "kNOK", None, ""),  # no item has a measure that is converted
        ({"value": "kEUR"}, "NOK", None, ""),
        ({"value": "kEUR"}, "EUR", {}, "1,5005"),
    ],
)
def test_a_figure_is_in_the_measure_that_the_form_can_state(
    measure: dict[str, Any], wanted: str, keys: dict[str, str] | None, text: str
) -> None:
    each = {"kNOK": ("NOK", 1000), "kEUR": ("EUR", 1000), "MNOK": ("NOK", 1_000_000)}
    known = {name: Conversion(to=to, times=times) for name, (to, times) in each.items()}
    claim = form().claims[0].model_copy(update={"unit_measure": Take.model_validate(measure)})
    contract = form().model_copy(update={"claims": (claim,), "terms": Terms(conversions={"costs": known})})
    found = cells(contract, item(unit_measure=wanted))
    assert [(each.keys, each.text) for each in found] == (
        [] if keys is None else [({"u": "0301", "p": "2024", **keys}, text)]
    )


def test_items_are_in_the_order_of_their_breakdowns() -> None:
    contract = form(", breakdown: {sex: {column: s}}")
    given = [item(breakdown=f'{{"sex":"{code}"}}', item_id=code) for code in "MFA"]
    assert [each.item["item_id"] for each in cells(contract, *given)] == ["A", "F", "M"]


@pytest.mark.parametrize(
    ("claim", "keys"),
    [
        (", when: {k: costs}", {"k": "costs"}),
        (", when: {k: [a, b]}", {"k": "a"}),
        (", obs_status: {column: s, map: {x: A, y: E}}", {"s": "x"}),
        (", confidential: {column: c, map: {ja: 'true', nei: 'false'}}", {"c": "nei"}),
        (", precedence: {column: r, map: {high: '1', low: '2'}}", {"r": "high"}),
        (", precedence: 3", {}),
        (", decimals: {column: d}", {"d": "exact"}),
        (", decimals: 2", {}),
        (", when: {u: '0301'}", {}),
    ],
)
def test_a_row_has_what_the_contract_reads_of_it_besides(claim: str, keys: dict[str, str]) -> None:
    found = only(form(claim), lower=Decimal("1500.5"), upper=Decimal("1500.5"))
    assert found.keys == {"u": "0301", "p": "2024", **keys}
    assert found.text


def test_a_column_of_accuracy_states_how_exactly_the_value_is_known() -> None:
    found = only(form(", decimals: {column: d}"), value=Decimal(1500), lower=Decimal(1450), upper=Decimal(1550))
    assert (found.keys["d"], found.text) == ("-2", "1500")


@pytest.mark.parametrize(("column", "keys"), [("r", {"r": "tilsyn"}), ("u", {})])
def test_the_sender_reports_where_the_column_of_reporters_is_not_that_of_the_unit(
    column: str, keys: dict[str, str]
) -> None:
    claim = form().claims[0]
    reporter = claim.reported_by.model_copy(update={"option": None, "column": column})
    contract = form().model_copy(update={"claims": (claim.model_copy(update={"reported_by": reporter}),)})
    assert only(contract, sender="tilsyn").keys == {"u": "0301", "p": "2024", **keys}


@pytest.mark.parametrize(
    "contract", [form(", when: {u: '4601'}"), form(", when: {p: '2023'}"), form(unit=", by: organisation_number")]
)
def test_an_item_that_no_row_can_state_has_no_place(contract: Contract) -> None:
    found = only(contract)
    assert (found.text, found.keys, found.why) == ("", {}, NO_PLACE)
    assert only(contract, state="withheld", value=None, lower=None, upper=None).why == WHY["withheld"]


@pytest.mark.parametrize(
    ("period", "keys"),
    [
        ("type: month, until: {column: to}", {"p": "2024-01", "to": "2024-03"}),
        ('type: month, format: "%m.%Y", span: " - "', {"p": "01.2024 - 03.2024"}),
    ],
)
def test_a_span_has_its_first_and_its_last_period(period: str, keys: dict[str, str]) -> None:
    found = only(form(period=period), period_end=dt.date(2024, 4, 1))
    assert found.keys == {"u": "0301", **keys}
    one = only(form(period=period), period_end=dt.date(2024, 2, 1))
    assert set(one.keys.values()) <= {"0301", "2024-01", "01.2024"}


@pytest.mark.parametrize("how", ["keep", "drop"])
def test_personal_data_is_in_no_draft(how: str) -> None:
    assert only(form()).text
    hidden = only(form(unit=f", personal: {how}"))
    assert (hidden.text, hidden.why) == ("", WHY["personal"])


def test_a_row_of_which_nothing_is_known_has_its_unit_and_period() -> None:
    place = {key: value for key, value in item().items() if key.startswith(("unit_", "period_"))}
    assert empty_keys(form(", when: {k: x}"), small_register(), place) == {"u": "0301", "p": "2024"}
    assert empty_keys(form(unit=", by: organisation_number"), small_register(), place) == {"p": "2024"}


def read_back(data: bytes, *given: DraftCell) -> list[str]:
    """Return the items of the cells that a file does not state."""
    found = unread_cells(data, given, form(), small_register(), Delivered("me"))
    return [cell.item["item_id"] for cell in found]


def test_a_cell_is_read_back_where_the_file_states_its_item_and_value() -> None:
    data = b"u;p;n\n0301;2024;1500,5\n"
    (claim,) = read_claims(data)
    right = DraftCell(0, "n", {}, {"item_id": claim[0], "value": claim[1]}, "1500,5")
    wrong = DraftCell(0, "n", {}, {"item_id": claim[0], "value": Decimal(1500)}, "1500,5")
    other = DraftCell(0, "n", {}, {"item_id": "x", "value": claim[1]}, "1500,5")
    assert read_back(data, right, wrong, other, right.emptied("withheld")) == [claim[0], "x"]
    assert read_back(b"not a table", right) == [claim[0]]
    assert read_back(b"u;p;n\n0301;2024;\n", right) == [claim[0]]


def read_claims(data: bytes) -> list[tuple[str, Decimal]]:
    """Return item and value of each claim of a file."""
    text = OPTION.replace("{option: period", "{column: p").replace("{type: csv}", '{type: csv, decimal: ","}')
    return received(text, data).claims("item_id", "value")


def test_a_rule_of_the_contract_and_an_empty_cell_do_not_stop_the_reading_back() -> None:
    data = b"u;p;n\n0301;2024;1500,5\n4601;2024;\n"
    claim = read_claims(b"u;p;n\n0301;2024;1500,5\n")[0]
    cell = DraftCell(0, "n", {}, {"item_id": claim[0], "value": claim[1]}, "1500,5")
    strict = form(more="rules: [{id: r1, check: range, column: n, max: 5}]")
    assert unread_cells(data, [cell], strict, small_register(), Delivered("me")) == []


def test_the_period_that_the_sender_states_is_that_of_the_reading() -> None:
    contract = read_contract(CONTRACT_HEAD + "sender: {default: me}\n" + OPTION + END)
    claim = read_claims(b"u;p;n\n0301;2024;5\n")[0]
    cell = DraftCell(0, "n", {}, {"item_id": claim[0], "value": claim[1]}, "5")
    data = b"u;n\n0301;5\n"
    assert unread_cells(data, [cell], contract, small_register(), Delivered("me", "2024")) == []
    assert unread_cells(data, [cell], contract, small_register(), Delivered("me", "2023")) == [cell]


@pytest.mark.parametrize(
    ("data", "count", "numbers"),
    [
        (b"u;p;n\n0301;2024;1\n4601;2024;2\n", 2, {2: 0, 3: 1}),
        (b"u;p;n\n0301;2024;1\n", 2, {}),
        (b"u;p;n\n0301;2024;1\n4601;2024;2\n", 1, {}),
        (b"a;b\n1;2\n", 1, {}),
    ],
)
def test_the_rows_of_a_check_are_those_of_the_draft_in_order(data: bytes, count: int, numbers: dict[int, int]) -> None:
    assert numbered_rows(data, form(), count) == numbers
