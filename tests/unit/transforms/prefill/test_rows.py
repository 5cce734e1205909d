"""The rows of drafts: cells are put together where a row can hold them, and columns that become rows are named."""

import pytest

from schemas.contract import Contract, Format, Unpivot
from tests.support.shaped_deliveries import received
from transforms.prefill.cells import NO_PLACE, DraftCell
from transforms.prefill.rows import DraftRow, assemble_rows, delivered_cell, draft_columns, named_by_pattern


@pytest.mark.parametrize(
    ("pattern", "stated", "name"),
    [
        ("POP(?<year>[0-9]{4})", {"year": "2019"}, "POP2019"),
        (r"Estimate \(July 1\) (?P<year>[0-9]{4})", {"year": "2019"}, "Estimate (July 1) 2019"),
        ("(?<series>A|B(?:C|D))_(?<year>[0-9()]{4})", {"series": "BC", "year": "2019"}, "BC_2019"),
        ("(?<year>[0-9]{4}).*", {"year": "2019"}, None),
        (r"\d(?<year>[0-9]{4})", {"year": "2019"}, None),
        ("(?<year>[0-9]{4})", {}, None),
        ("(?<year>[0-9]{4}) kr", {"year": "2019"}, "2019 kr"),
        ("(?P<a>x)-(?P<b>y)", {"a": "1", "b": "2"}, "1-2"),
        ("(?P<a>x)-(?P<b>y)", {"a": "1"}, None),
        (r"(?<a>\)x)y", {"a": "1"}, "1y"),
        ("(?<a>[^)]+)b", {"a": "1"}, "1b"),
        (r"(?<a>[\])]+)b", {"a": "1"}, "1b"),
        ("a+(?<a>x)", {"a": "1"}, None),
        ("(?<a>x)b?", {"a": "1"}, None),
        ("plain", {}, "plain"),
    ],
)
def test_a_column_is_named_by_what_its_pattern_states(pattern: str, stated: dict[str, str], name: str | None) -> None:
    assert named_by_pattern(pattern, stated) == name


def form(unpivot: Unpivot | None = None, **more: object) -> Contract:
    """Return a contract of which only the columns are used."""
    return Contract.model_construct(format=Format(type="csv"), unpivot=unpivot, **more)  # type: ignore[arg-type]


def cell(column: str, text: str = "1", why: str | None = None, **keys: str) -> DraftCell:
    return DraftCell(0, column, keys, {"item_id": column}, text, why)


def test_cells_are_in_one_row_where_no_column_has_two_texts() -> None:
    cells = [cell("a", unit="1"), cell("b", unit="1"), cell("a", unit="2"), cell("b", unit="2", stage="x")]
    rows, outside = assemble_rows(cells, form())
    assert [row.texts() for row in rows] == [
        {"unit": "1", "a": "1", "b": "1"}, {"unit": "2", "stage": "x", "a": "1", "b": "1"},
    ]  # fmt: skip
    assert outside == []


@pytest.mark.parametrize(
    ("second", "together"),
    [
        (cell("b", unit="1"), True),
        (cell("a", unit="1"), False),
        (cell("b", unit="2"), False),
        (cell("b", stage="x"), True),
        (cell("unit", stage="x"), False),
    ],
)
def test_a_row_takes_a_cell_that_has_no_other_text_in_any_column(second: DraftCell, together: bool) -> None:
    row = DraftRow({"unit": "1"}, {"a": cell("a", unit="1")})
    assert row.takes(second) is together


def test_a_row_of_which_nothing_is_filled_is_none_and_its_cells_are_listed() -> None:
    empty, filled = cell("a", "", "withheld", unit="1"), cell("b", "5", unit="2")
    rows, outside = assemble_rows([empty, filled, cell("c", "", "withheld", unit="2")], form())
    assert [row.texts() for row in rows] == [{"unit": "2", "b": "5", "c": ""}]
    assert outside == [empty]
    assert not DraftRow({}, {"a": empty}).filled()
    assert DraftRow({}, {"a": empty, "b": filled}).filled()


def test_a_cell_without_keys_or_without_a_place_is_in_no_row() -> None:
    nowhere = cell("a", "", NO_PLACE, unit="1")
    bare = cell("b", "5")
    rows, outside = assemble_rows([nowhere, bare, cell("c", unit="1")], form())
    assert [row.texts() for row in rows] == [{"unit": "1", "c": "1"}]
    assert outside == [nowhere, bare]


LISTED = Unpivot(columns={"boys": {"sex": "M"}, "girls": {"sex": "F"}, "all": {}}, value="n")
BY_NAME = Unpivot(columns=("2023", "2024"), name="year", value="n")
BY_PATTERN = Unpivot(pattern="POP(?<year>[0-9]{4})", value="n")
ANY_END = Unpivot(pattern="POP(?<year>[0-9]{4}).*", name="header", value="n")
BY_BOTH = Unpivot(columns=("latest",), pattern="POP(?<year>[0-9]{4})", name="header", value="n")


@pytest.mark.parametrize(
    ("unpivot", "keys", "column"),
    [
        (LISTED, {"sex": "F"}, "girls"),
        (LISTED, {"sex": "M"}, "boys"),
        (LISTED, {"sex": ""}, "all"),
        (LISTED, {"sex": "X"}, None),
        (BY_NAME, {"year": "2024"}, "2024"),
        (BY_NAME, {"year": "2025"}, None),
        (BY_PATTERN, {"year": "2019"}, "POP2019"),
        (BY_BOTH, {"header": "latest"}, "latest"),
        (ANY_END, {"header": "POP2020 (est.)", "year": "2020"}, "POP2020 (est.)"),
        (BY_BOTH, {"header": "POP2020", "year": "2020"}, "POP2020"),
    ],
)
def test_a_cell_is_delivered_in_the_column_whose_name_states_its_texts(
    unpivot: Unpivot, keys: dict[str, str], column: str | None
) -> None:
    placed = delivered_cell(cell("n", unit="1", **keys), form(unpivot))
    assert placed.column == (column or "n")
    assert placed.keys == {"unit": "1"}
    assert (placed.text, placed.why) == (("1", None) if column else ("", NO_PLACE))


def test_a_column_that_stays_a_column_and_a_reason_that_is_known_are_kept() -> None:
    assert delivered_cell(cell("other", unit="1", sex="F"), form(LISTED)) == cell("other", unit="1", sex="F")
    assert delivered_cell(cell("n", unit="1"), form()) == cell("n", unit="1")
    assert delivered_cell(cell("n", "", "withheld", sex="X"), form(LISTED)).why == "withheld"


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ((), ["u", "p", "n", "extra"]),
        (("n", "u"), ["n", "u", "p", "extra"]),
        (("note", "n", "unknown", "n"), ["note", "n", "u", "p", "extra"]),
        (("extra",), ["extra", "u", "p", "n"]),
    ],
)
def test_columns_are_in_the_order_of_the_form_and_none_is_there_twice(
    header: tuple[str, ...], columns: list[str]
) -> None:
    text = """
format: {type: csv}
ignore: [note]
unit: {column: u, kind: municipality}
period: {column: p, type: year}
claims:
  - {concept: costs, column: n, reported_by: {option: sender}, unit_measure: {value: NOK}}
"""
    contract = received(text, b"u;p;n;note\n0301;2024;1;x\n").contract
    rows = [DraftRow({"u": "0301", "extra": "x"}, {"n": cell("n")})]
    assert draft_columns(rows, contract, header) == columns
