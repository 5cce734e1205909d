"""SDMX-CSV: columns by their ids, whatever the labels and the delimiter; actions as stated."""

import pytest

from schemas.contract import Contract
from schemas.errors import SubmissionError
from tests.unit.transforms.parsing.test_parse import contract_of
from transforms.parsing.parse import parse

ACTIONS = {"I": "append", "A": "append", "M": "append", "R": "replace", "D": "withdraw"}


def contract(*, action: bool = True) -> Contract:
    made = contract_of(("REF_AREA", "TIME_PERIOD", "OBS_VALUE"), type="sdmx_csv", decimal=".")
    fields = made.model_dump(exclude_unset=True)
    return Contract.model_validate(fields | ({"action": {"column": "ACTION", "map": ACTIONS}} if action else {}))


def rows(text: str, *, action: bool = True) -> list[tuple[object, ...]]:
    parsed = parse(text.encode(), contract(action=action))
    names = ["row", "REF_AREA", "TIME_PERIOD", "OBS_VALUE", *(["ACTION"] if action else [])]
    return parsed.raw.select(names).rows()


def test_each_row_has_its_action_and_information_where_none_is_stated() -> None:
    text = (
        "STRUCTURE,STRUCTURE_ID,ACTION,REF_AREA,TIME_PERIOD,OBS_VALUE\n"
        'dataflow,A:B(1.0),R,NO,2024,"1.5"\ndataflow,A:B(1.0),D,NO,2023,\n,,,SE,2024,3\n'
    )
    assert rows(text) == [(2, "NO", "2024", "1.5", "R"), (3, "NO", "2023", "", "D"), (4, "SE", "2024", "3", "I")]


def test_a_file_without_actions_is_information() -> None:
    text = "STRUCTURE;STRUCTURE_ID;REF_AREA;TIME_PERIOD;OBS_VALUE\ndataflow;A:B(1.0);NO;2024;1.5\n"
    assert rows(text) == [(2, "NO", "2024", "1.5", "I")]


def test_names_after_ids_are_left_out() -> None:
    text = (
        "\ufeffSTRUCTURE[;],STRUCTURE_ID,STRUCTURE_NAME,REF_AREA: Area,TIME_PERIOD: Time,OBS_VALUE: Value\n"
        "dataflow,A:B(1.0),Paid,NO: Norway,2024,1.5\n"
    )
    assert rows(text, action=False) == [(2, "NO", "2024", "1.5")]


@pytest.mark.parametrize("action", [True, False])
def test_rows_have_the_columns_of_the_contract_alone_in_its_order(action: bool) -> None:
    text = "DATAFLOW,OBS_VALUE,TIME_PERIOD,REF_AREA\nA:B(1.0),1.5,2024,NO\n"
    asked = contract(action=action)
    assert parse(text.encode(), asked).raw.columns == ["row", *asked.columns()]


def test_version_1_begins_with_the_dataflow() -> None:
    text = "DATAFLOW,REF_AREA,TIME_PERIOD,OBS_VALUE\nA:B(1.0),NO,2024,1.5\n"
    assert rows(text, action=False) == [(2, "NO", "2024", "1.5")]


def test_another_header_is_refused() -> None:
    with pytest.raises(SubmissionError, match="a header that begins with STRUCTURE"):
        rows("REF_AREA,TIME_PERIOD,OBS_VALUE\nNO,2024,1\n")


def test_an_action_that_the_contract_does_not_map_is_an_unknown_column() -> None:
    text = "STRUCTURE,STRUCTURE_ID,ACTION,REF_AREA,TIME_PERIOD,OBS_VALUE\ndataflow,A:B(1.0),D,NO,2024,1\n"
    with pytest.raises(SubmissionError, match="'ACTION'"):
        rows(text, action=False)
