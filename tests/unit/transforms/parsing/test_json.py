"""JSON: paths of leaves, what is ignored with all below it, and keys that may hold dots themselves."""

import json
from typing import Any

import pytest

from schemas.contract import Contract
from schemas.errors import SubmissionError
from tests.unit.transforms.parsing.test_parse_bad_input import contract_of
from transforms.parsing.parse import parse

ROWS = [{"u": "a", "s": 1}, {"u": "b", "s": 2.50}]


def contract(*ignore: str, rows: str = "r") -> Contract:
    mapped = contract_of(("meta.y", f"{rows}[].u", f"{rows}[].s"), type="json", rows=rows)
    return mapped.model_copy(update={"ignore": list(ignore)})


def cells(document: dict[str, Any], asked: Contract) -> list[tuple[Any, ...]]:
    return parse(json.dumps(document).encode(), asked).raw.rows()


def test_a_leaf_of_the_document_stands_in_every_row() -> None:
    assert cells({"meta": {"y": 2024}, "r": ROWS}, contract()) == [(1, "2024", "a", "1"), (2, "2024", "b", "2.5")]


@pytest.mark.parametrize("ignored", ["meta", "meta.other"])
def test_what_is_ignored_is_so_with_all_below_it_but_for_what_is_mapped(ignored: str) -> None:
    document = {"meta": {"y": 2024, "other": {"deep": [1], "er": {"x": 1}}}, "r": ROWS}
    assert [row[1] for row in cells(document, contract(ignored))] == ["2024"] * 2
    with pytest.raises(SubmissionError) as caught:
        cells(document, contract())
    assert (caught.value.code, caught.value.found) == ("unknown-column", "'meta.other'")


def test_a_part_of_a_row_is_ignored_too() -> None:
    rows = [{**row, "geo": {"lat": 1, "lon": [2]}} for row in ROWS]
    document = {"meta": {"y": 2024}, "r": rows}
    assert len(cells(document, contract("r[].geo"))) == 2
    with pytest.raises(SubmissionError):
        cells(document, contract())


def test_the_list_of_rows_may_stand_below_keys_with_dots() -> None:
    for document in ({"a": {"b": ROWS}}, {"a.b": ROWS}):
        assert [row[2] for row in cells({"meta": {"y": 2024}, **document}, contract(rows="a.b"))] == ["a", "b"]
    assert cells({"meta.y": 2024, "r": ROWS}, contract())[0] == (1, "2024", "a", "1")


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (True, "true"), (False, "false"), ("x", "x"), (1e3, "1000.0"), (12, "12")]
)
def test_a_leaf_is_text(value: object, text: str) -> None:
    assert cells({"meta": {"y": value}, "r": ROWS[:1]}, contract()) == [(1, text, "a", "1")]
    assert cells({"meta": None, "r": ROWS[:1]}, contract()) == [(1, "", "a", "1")]


@pytest.mark.parametrize("number", ["1e9999999999999999999999", "-1E-99999999999999999999", "1e400"])
def test_a_number_beyond_all_numbers_costs_no_other_row(number: str) -> None:
    data = f'{{"meta": {{"y": 2024}}, "r": [{{"u": "a", "s": {number}}}, {{"u": "b", "s": 2}}]}}'
    assert parse(data.encode(), contract()).raw.rows() == [(1, "2024", "a", number), (2, "2024", "b", "2")]


@pytest.mark.parametrize(
    ("row", "found"),
    [([1], "a list"), ("x", "a text or number"), (True, "true or false"), ({"u": {}, "s": 1}, "an object")],
)
def test_a_row_that_is_none_is_rejected_alone(row: object, found: str) -> None:
    parsed = parse(json.dumps({"meta": {"y": 2024}, "r": [ROWS[0], row]}).encode(), contract())
    assert (parsed.raw.height, parsed.delivered) == (1, 2)
    assert parsed.rejects.select("row", "reason", "found").rows() == [(2, "unreadable", found)]


@pytest.mark.parametrize(
    ("document", "found"), [({}, "nothing"), ({"r": 1}, "a text or number"), ({"r": {}}, "an object")]
)
def test_where_the_rows_should_be_is_something_else(document: dict[str, Any], found: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        cells({"meta": {"y": 2024}, **document}, contract())
    assert (caught.value.code, caught.value.found) == ("unreadable", found)


def test_rows_may_be_in_a_list_of_each_element_of_a_list() -> None:
    asked = contract_of(("y", "d.r[].u", "d.r[].s[].n"), type="json", rows="d.r[].s")
    document = {
        "y": 1,
        "d": {"r": [{"u": "a", "s": [{"n": 1}, {"n": 2}]}, {"u": "b", "s": [{"n": 3}]}, {"u": "c", "s": []}]},
    }
    assert cells(document, asked) == [(1, "1", "a", "1"), (2, "1", "a", "2"), (3, "1", "b", "3")]
    document["d"]["r"][0]["other"] = 1  # type: ignore[index]
    with pytest.raises(SubmissionError) as caught:
        cells(document, asked)
    assert (caught.value.code, caught.value.found) == ("unknown-column", "'d.r[].other'")
    assert len(cells(document, asked.model_copy(update={"ignore": "rest"}))) == 3


def test_an_element_above_the_rows_that_cannot_be_read_is_one_rejected_row() -> None:
    asked = contract_of(("r[].u", "r[].u", "r[].s[].n"), type="json", rows="r[].s")
    document = {
        "r": [{"u": "a", "s": [{"n": 1}, {"n": [2]}]}, "x", {"u": [1], "s": [{"n": 3}]}, {"u": "d", "s": 5}, {"u": "e"}]
    }
    parsed = parse(json.dumps(document).encode(), asked)
    assert parsed.raw.rows() == [(1, "a", "1")]
    assert (parsed.delivered, parsed.unread) == (5, 4)
    assert parsed.rejects["row"].to_list() == [2, 3, 4, 5]


def test_a_key_that_an_object_has_twice_is_named() -> None:
    with pytest.raises(SubmissionError, match="key 'b' twice in one object"):
        parse(b'{"meta": {"y": 2024, "b": 1, "c": 2, "b": 3, "c": 4}, "r": [{"u": "a", "s": 1}]}', contract())


def test_each_line_may_be_a_document_and_a_broken_one_costs_one_row() -> None:
    asked = contract_of(("u", "u", "s.n"), type="json", lines=True)
    parsed = parse(b'\xef\xbb\xbf{"u":"a","s":{"n":1}}\r\n\n{"u":"b","s":{"n":\n[1]\n{"u":"c","s":{"n":2.50}}', asked)
    assert parsed.raw.rows() == [(1, "a", "1"), (5, "c", "2.50")]
    assert parsed.rejects.select("row", "reason").rows() == [(3, "unreadable"), (4, "unreadable")]
    assert parsed.delivered == 4


@pytest.mark.parametrize("keys", [{"lines": True, "rows": "r"}, {"type": "csv", "lines": True}])
def test_lines_are_for_json_without_a_path_of_rows(keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="lines is for JSON without `rows`"):
        contract_of(**({"type": "json"} | keys))
