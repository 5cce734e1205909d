"""A sheet's XML: where its cells are, which texts replace the reader's, and what it may cost."""

import pytest

from schemas.contract import Format
from schemas.errors import SubmissionError, UnreadError
from schemas.reading_limits import DEFAULT_LIMITS, ReadingLimits
from transforms.parsing.workbook import cells
from transforms.parsing.workbook.cells import SheetScan, SheetStyle, scan_sheet

KINDS = {1: "date", 2: "percent", 3: "time"}


def scan(*pieces: str | bytes, decimal: str = ".", limits: ReadingLimits = DEFAULT_LIMITS) -> SheetScan:
    style = SheetStyle(Format.model_validate({"type": "xlsx", "decimal": decimal}), KINDS, since_1904=False)
    given = (piece.encode() if isinstance(piece, str) else piece for piece in pieces)
    return scan_sheet(given, style, limits)


def texts(found: SheetScan) -> list[tuple[int, int, str]]:
    return sorted(found.all_texts().rows())


def row(number: int | None, *of: str) -> str:
    address = "" if number is None else f" r='{number}'"
    return f"<row{address}>{''.join(of)}</row>"


def test_an_empty_sheet() -> None:
    for found in (scan(), scan("<sheetData/>"), scan(row(5))):
        assert (found.rows, found.last_column, found.merged, found.shared) == (0, 0, [], [])
        assert [f.height for f in (found.all_texts(), found.all_formulas(), found.all_percents())] == [0, 0, 0]


def test_the_size_is_that_of_the_cells_with_a_value() -> None:
    found = scan(row(2, '<c r="B2"><v>1</v></c>', '<c r="AA2"><v>1</v></c>'), row(9, '<c r="ZZ9" s="4"/>'))
    assert (found.rows, found.first_column, found.last_column) == (2, 2, 27)
    found = scan(row(3, '<c r="C3" t="inlineStr"><is><t>a</t></is></c>'))
    assert (found.rows, found.first_column, found.last_column) == (3, 3, 3)


@pytest.mark.parametrize(
    ("letters", "column"), [("A", 1), ("Z", 26), ("AA", 27), ("AZ", 52), ("ZZ", 702), ("XFD", 16384)]
)
def test_columns_by_their_letters(letters: str, column: int) -> None:
    assert texts(scan(row(1, f'<c r="{letters}1"><v>0.5</v></c>'))) == [(1, column, "0.5")]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("<v>0.1</v>", "0.1"),
        ("<v>1E-3</v>", "0.001"),
        ("<v> 2.50 </v>", "2.5"),
        ("<v>12</v>", None),  # the reader's own text is right
        ("<v>-12</v>", None),
        ("<v>123456789012345</v>", None),
        ("<v>1234567890123456</v>", "1234567890123456"),
        ("<v></v>", None),
        ("<v>abc</v>", None),
    ],
)
def test_numbers_that_the_reader_would_round(cell: str, text: str | None) -> None:
    assert texts(scan(row(1, f'<c r="A1">{cell}</c>'))) == ([] if text is None else [(1, 1, text)])


def test_the_type_and_style_of_a_cell_decide_its_text() -> None:
    found = scan(
        row(
            1,
            '<c r="A1" s="1"><v>45322</v></c>',
            '<c r="B1" s="2"><v>0.125</v></c>',
            '<c r="C1" s="3"><v>0.5</v></c>',
            '<c r="D1" t="e"><v>#N/A</v></c>',
            '<c r="E1" t="str"><v>0.5</v></c>',
            '<c r="F1" t="b"><v>1</v></c>',
            '<c r="G1" s="7"><v>0.25</v></c>',
            "<c r='H1' t='n' s='1'><v>1</v></c>",
        ),
        decimal=",",
    )
    assert texts(found) == [
        (1, 1, "2024-01-31"), (1, 2, "0,125"), (1, 3, "12:00:00"), (1, 4, "#N/A"), (1, 7, "0,25"), (1, 8, "1900-01-01"),
    ]  # fmt: skip
    assert found.all_percents().rows() == [(1, 2)]


def test_shared_texts_are_numbered() -> None:
    found = scan(row(1, '<c r="A1" t="s"><v>7</v></c>', '<c r="B1" t="s"><v>0</v></c>', '<c r="C1" t="s"><v>x</v></c>'))
    assert [each.to_list() for each in found.shared] == [[7, 0]]


@pytest.mark.parametrize(
    ("cell", "lacking"),
    [
        ("<f>A1+1</f>", True),
        ("<f>A1+1</f><v></v>", True),
        ("<f>A1+1</f><v> </v>", True),
        ("<f/>", True),
        ("<f>A1+1</f><v>3</v>", False),
        ("<v>3</v>", False),
        ("", False),
    ],
)
def test_a_formula_without_a_result(cell: str, lacking: bool) -> None:
    found = scan(row(4, f'<c r="B4">{cell}</c>'))
    assert found.all_formulas().rows() == ([(4, 2)] if lacking else [])
    assert scan(row(4, f'<c r="B4" t="str">{cell}</c>')).all_formulas().rows() == []


def test_merged_cells_are_named_by_their_first() -> None:
    found = scan('<mergeCells><mergeCell ref="A2:B3"/>', "<x:mergeCell foo='1' ref = 'C10:D11'/></mergeCells>")
    assert found.merged == [("A", 2), ("C", 10)]


def test_cells_and_rows_without_an_address_follow_the_one_before() -> None:
    half = "<c><v>0.5</v></c>"
    assert texts(scan(row(None, half, half), row(None, half))) == [(1, 1, "0.5"), (1, 2, "0.5"), (2, 1, "0.5")]
    assert texts(scan(row(None, half), row(7, half)))[1] == (7, 1, "0.5")


def test_names_may_have_a_prefix() -> None:
    found = scan('<x:row r="3"><x:c r="B3"><x:v>0.5</x:v></x:c></x:row>')
    assert texts(found) == [(3, 2, "0.5")]


def test_pieces_may_end_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = "<sheetData>" + "".join(row(n, f'<c r="A{n}"><v>{n}.5</v></c>') for n in range(1, 30)) + "</sheetData>"
    whole = texts(scan(sheet))
    assert len(whole) == 29
    monkeypatch.setattr(cells, "_PIECE", 50)
    for size in (7, 64):
        assert texts(scan(*(sheet[at : at + size] for at in range(0, len(sheet), size)))) == whole


def test_rows_without_an_address_are_numbered_over_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_PIECE", 20)
    half = row(None, "<c><v>0.5</v></c>")
    assert texts(scan(half, half, half)) == [(1, 1, "0.5"), (2, 1, "0.5"), (3, 1, "0.5")]


def test_a_row_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_PIECE", 20)
    monkeypatch.setattr(cells, "ROW_BYTES", 60)
    open_row = '<row r="1">' + '<c r="A1"/>' * 5
    with pytest.raises(SubmissionError) as caught:
        scan(open_row)
    assert str(caught.value) == (
        "too-large: found a row of over 60 bytes, expected shorter rows. Deliver fewer columns, or CSV."
    )
    assert scan('<row r="1">' + "<c/>" * 10 + " " * 9).rows == 0


@pytest.mark.parametrize(("most", "is_read"), [(6, True), (5, False)])
def test_cells_over_the_limit_leave_the_file_unread(most: int, is_read: bool) -> None:
    sheet = row(1, '<c r="B1"><v>1</v></c>') + row(3, '<c r="C3"><v>1</v></c>')
    if is_read:
        assert scan(sheet, limits=ReadingLimits(sheet_cells=most)).rows == 3
        return
    with pytest.raises(UnreadError) as caught:
        scan(sheet, limits=ReadingLimits(sheet_cells=most))
    assert str(caught.value) == (
        "its sheet has 3 rows and 3 columns, and at most 5 cells are read, empty ones too; deliver it in parts, "
        "without a stray cell far out, or raise ENGANG_READ_SHEET_CELLS and run `engang inbox retry`"
    )


def test_a_sheet_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(SubmissionError) as caught:
        scan(b'<row r="1"><c r="A1"><v>\xff</v></c></row>')
    assert str(caught.value) == (
        "unreadable: found a sheet that is not UTF-8, expected an Excel workbook (.xlsx). "
        "Save it again as .xlsx and deliver that."
    )


def test_its_limits_are_those_that_senders_know() -> None:
    assert cells.ROW_BYTES == 64 * 2**20
