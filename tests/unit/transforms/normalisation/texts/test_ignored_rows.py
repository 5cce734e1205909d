"""Which rows a contract ignores, and the reason that is counted for each."""

from typing import Final

import polars as pl

from schemas.contract import Contract, read_contract
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.normalisation.texts.ignored_rows import any_ignored, count_ignored, joined_counts

CLAIM: Final = "reported_by: {option: sender}, unit_measure: {value: places}"
NOTHING: Final = f"""claims:
  - {{concept: places, column: n, missing_values: ["*"], {CLAIM}}}
  - {{concept: beds, column: m, missing: skip, when: {{kind: beds}}, {CLAIM}}}
"""


def contract(lines: str, claims: str = f"claims:\n  - {{concept: places, column: n, {CLAIM}}}\n") -> Contract:
    return read_contract(
        f"{CONTRACT_HEAD}sender: {{allowed: any}}\nformat: {{type: csv}}\nunit: {{column: unit, kind: county}}\n"
        f'period: {{column: when, type: year}}\nrepeat: error\nexamples: [{{name: none, given: ""}}]\n{claims}{lines}\n'
    )


ENTRIES: Final = """ignore_rows:
  - {column: unit, values: [" Sum i alt", x], why: sums}
  - {column: unit, pattern: "a|b+", why: notes}
"""


def test_rows_are_ignored_by_their_texts_or_a_pattern_of_the_whole_cell() -> None:
    units = pl.DataFrame({"unit": ["Sum i alt", "x", "xx", "a", "bbb", "ba", "ab", ""]})
    ignored = units.select(any_ignored(contract(ENTRIES)).alias("y"))["y"].to_list()
    assert ignored == [True, True, False, True, True, False, False, False]
    assert not units.select(pl.lit(value=False) | any_ignored(contract("")))["literal"].any()


def test_each_ignored_row_is_counted_under_one_reason() -> None:
    cells = pl.DataFrame(
        {
            "submission_id": ["s", "s", "s", "s", "s", "s", "t"],
            "row": [2, 3, 4, 5, 6, 7, 2],
            "unit": ["x", "a", "0301", "0301", "0301", "0301", "x"],
            "kind": ["beds", "beds", "beds", "beds", "other", "beds", "beds"],
            "_ignored": [True, True, True, True, True, False, True],
            "_missing_0": [False, False, True, False, False, False, False],
        }
    )
    declared = contract(ENTRIES, NOTHING.replace('"*"]', '"*"], when: {kind: beds}'))
    assert joined_counts([count_ignored(cells, declared)]) == {
        "s": {
            "`ignore_rows` of column unit (' Sum i alt', 'x'): sums": 1,
            "`ignore_rows` of column unit (what matches a|b+): notes": 1,
            "no figure: a missing value ('*') in n": 1,
            "no figure: its cells are empty (`missing: skip`)": 1,
            "no figure: no claim is for such rows (`when`)": 1,
        },
        "t": {"`ignore_rows` of column unit (' Sum i alt', 'x'): sums": 1},
    }


def test_a_claim_of_every_row_lacks_its_figure() -> None:
    texts = {"submission_id": ["s"] * 3, "row": [2, 3, 4], "unit": ["0301"] * 3, "kind": ["other"] * 3}
    cells = pl.DataFrame({**texts, "_ignored": [True] * 3, "_missing_0": [True, False, False]})
    assert joined_counts([count_ignored(cells, contract("", NOTHING))]) == {
        "s": {
            "no figure: its cells are empty (`missing: skip`)": 2,
            "no figure: a missing value ('*') in n": 1,
        }
    }


def test_a_row_of_cells_is_ignored_where_all_its_cells_are() -> None:
    cells = pl.DataFrame(
        {
            "submission_id": ["s"] * 4,
            "row": [0, 1, 2, 3],
            "delivered_row": [2, 2, 3, 3],
            "unit": ["x"] * 4,
            "_ignored": [True, False, True, True],
        }
    )
    assert count_ignored(cells, contract(ENTRIES))["rows"].to_list() == [1]
