"""The rows of drafts: columns that become rows are named, and texts that a spreadsheet would run stand in none."""

import pytest

from schemas.contract import Contract, Format
from schemas.errors import UsageError
from transforms.prefill.files.layout import Layout, is_writable
from transforms.prefill.files.tables import workbook_bytes
from transforms.prefill.rows import named_by_pattern


@pytest.mark.parametrize(
    ("pattern", "stated", "name"),
    [
        ("POP(?<year>[0-9]{4})", {"year": "2019"}, "POP2019"),
        (r"Estimate \(July 1\) (?P<year>[0-9]{4})", {"year": "2019"}, "Estimate (July 1) 2019"),
        ("(?<series>A|B(?:C|D))_(?<year>[0-9()]{4})", {"series": "BC", "year": "2019"}, "BC_2019"),
        ("(?<year>[0-9]{4}).*", {"year": "2019"}, None),
        (r"\d(?<year>[0-9]{4})", {"year": "2019"}, None),
        ("(?<year>[0-9]{4})", {}, None),
    ],
)
def test_a_column_is_named_by_what_its_pattern_states(pattern: str, stated: dict[str, str], name: str | None) -> None:
    assert named_by_pattern(pattern, stated) == name


@pytest.mark.parametrize("text", ["=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@x", "\uff1d1", "a\nb", "a\tb", "\x00"])
def test_a_text_that_a_spreadsheet_runs_stands_in_no_table(text: str) -> None:
    assert not is_writable(text, Format(type="csv"))
    assert is_writable("-1,5", Format(type="csv"))
    assert is_writable("2025-01", Format(type="csv"))
    assert is_writable("=1+1", Format(type="xlsx"))


def test_sheets_with_columns_of_their_own_are_refused() -> None:
    form = Format(type="xlsx", sheets={"A": {"unit": "kommune"}})
    layout = Layout(["unit"], [{"unit": "0301"}], frozenset(), Contract.model_construct(format=form))
    with pytest.raises(UsageError, match="columns of their own"):
        workbook_bytes(layout)
