"""Columns that become rows: which they are, what their names state, and what is wrong with a file that has none."""

import json

import polars as pl
import pytest

from schemas.contract import Contract, read_contract
from schemas.errors import SubmissionError
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.parsing.parse import parse
from transforms.parsing.shapes.columns_to_rows import MOST_POSITIONS, mapped_columns

TEXT = (
    CONTRACT_HEAD
    + """sender: {default: me}
format: {type: csv}
unit: {column: unit, kind: municipality}
period: {column: year, type: year}
breakdown: {sex: {column: sex}}
repeat: error
claims:
  - {concept: persons, column: value, reported_by: {option: sender}, unit_measure: {value: persons}}
examples: [{name: none, given: ''}]
unpivot: """
)


def contract(unpivot: str, **instead: str) -> Contract:
    text = TEXT + unpivot
    for old, new in instead.items():
        text = text.replace({"ignore": "repeat: error", "form": "{type: csv}", "sex": "{sex: {column: sex}}"}[old], new)
    return read_contract(text)


def rows(text: str, unpivot: str) -> list[tuple[object, ...]]:
    raw = parse(text.encode(), contract(unpivot)).raw
    return raw.select("row", "unit", "year", "sex", "value", "cell", "cell_column").rows()


def test_the_groups_of_a_pattern_are_columns() -> None:
    found = rows("unit;M2020;F2021\n0301;1;2\n1103;3;\n", '{pattern: "(?<sex>[MF])(?<year>[0-9]+)"}')
    assert found == [
        (2, "0301", "2020", "M", "1", 0, "M2020"), (2, "0301", "2021", "F", "2", 1, "F2021"),
        (3, "1103", "2020", "M", "3", 0, "M2020"), (3, "1103", "2021", "F", "", 1, "F2021"),
    ]  # fmt: skip


def test_columns_may_be_listed_with_what_their_names_state() -> None:
    listed = "{columns: {Men: {sex: m, year: 2020}, Women: {sex: f, year: 2021}}}"
    assert rows("unit;Men;Women\n0301;1;2\n", listed) == [
        (2, "0301", "2020", "m", "1", 0, "Men"), (2, "0301", "2021", "f", "2", 1, "Women"),
    ]  # fmt: skip


def test_the_name_itself_may_be_a_column() -> None:
    raw = parse(b"unit;2020;2021\n0301;1;2\n", contract("{columns: [2020, 2021], name: year}", sex="{}")).raw
    assert raw["year"].to_list() == ["2020", "2021"]


def test_a_list_and_a_pattern_go_together() -> None:
    both = '{columns: {Total: {sex: all, year: 2020}}, pattern: "(?<sex>[MF])(?<year>[0-9]+)"}'
    assert [r[2:5] for r in rows("unit;F2021;Total\n0301;1;2\n", both)] == [("2020", "all", "2"), ("2021", "F", "1")]


def test_a_column_that_no_pattern_matches_is_unknown() -> None:
    with pytest.raises(SubmissionError, match=r"unknown-column.*'X2020'"):
        rows("unit;M2020;X2020\n0301;1;2\n", '{pattern: "(?<sex>[MF])(?<year>[0-9]+)"}')


def test_a_file_without_such_columns_and_one_with_too_many_are_rejected() -> None:
    with pytest.raises(SubmissionError, match=r"missing-column.*columns whose names match"):
        rows("unit\n0301\n", '{pattern: "(?<sex>[MF])(?<year>[0-9]+)"}')
    names = [f"M{year}" for year in range(10_000, 10_000 + 16_000)]
    several = contract('{pattern: "(?<sex>[MF])(?<year>[0-9]+)"}')
    three = several.model_copy(update={"claims": several.claims * 3})
    with pytest.raises(SubmissionError, match=f"too-large.*at most {MOST_POSITIONS // 3}"):
        parse(f"unit;{';'.join(names)}\n0301{';1' * len(names)}\n".encode(), three)


def test_names_are_compared_without_what_nobody_sees() -> None:
    assert [r[6] for r in rows("unit; M2020 ;F2021\ufeff\n0301;1;2\n", '{pattern: "(?<sex>[MF])(?<year>[0-9]+)"}')] == [
        "M2020", "F2021",
    ]  # fmt: skip


def test_ignored_columns_are_no_rows() -> None:
    with_rest = contract('{pattern: "(?<sex>[MF])(?<year>[0-9]+)"}', ignore="repeat: error\nignore: [M2021]")
    assert mapped_columns(["unit", "M2020", "M2021", ""], with_rest) == ["unit", "M2020"]


def test_json_lists_its_columns() -> None:
    listed = 'unit: {column: "r[].unit"'
    text = TEXT.replace("unit: {column: unit", listed).replace("{type: csv}", "{type: json, rows: r}")
    found = read_contract(text + '{columns: {"r[].men": {sex: m, year: 2020}, "r[].women": {sex: f, year: 2020}}}')
    data = json.dumps({"r": [{"unit": "0301", "men": 1, "women": None}]}).encode()
    assert parse(data, found).raw.select("row", "sex", "value").rows() == [(1, "m", "1"), (1, "f", "")]


def test_a_workbook_and_a_parquet_file_too() -> None:
    import io

    frame, files = (
        pl.DataFrame({"unit": ["0301"], "M2020": [1.5], "F2020": [None]}),
        {"xlsx": io.BytesIO(), "parquet": io.BytesIO()},
    )
    frame.write_excel(files["xlsx"])
    frame.write_parquet(files["parquet"])
    for kind, file in files.items():
        found = contract('{pattern: "(?<sex>[MF])(?<year>[0-9]+)"}', form=f"{{type: {kind}}}")
        assert parse(file.getvalue(), found).raw.select("sex", "value").rows() == [("M", "1.5"), ("F", "")]


@pytest.mark.parametrize(
    ("unpivot", "problem"),
    [
        ("{}", "give columns or pattern"),
        ('{pattern: "(?<value>x)"}', "'value' is the name of another new column"),
        ('{pattern: "(?<sex>[MF"}', "is not a regular expression"),
        ("{columns: [a], name: nobody}", "nothing uses the new column 'nobody'"),
        ('{pattern: "(?<sex>[MF])(?<cell>[0-9]+)"}', "nothing uses the new column 'cell'"),
    ],
)
def test_a_mistake_is_named(unpivot: str, problem: str) -> None:
    with pytest.raises(Exception, match=problem.replace("(", "\\(")):
        contract(unpivot)
