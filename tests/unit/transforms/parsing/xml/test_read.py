"""XML: rows of elements, whatever encoding; hostile documents are refused; the fast way gives what the walk gives."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas.contract import Contract
from schemas.errors import SubmissionError, UnreadError
from schemas.reading_limits import DEFAULT_LIMITS
from tests.unit.transforms.parsing.test_parse import contract_of
from transforms.parsing.parse import parse
from transforms.parsing.xml import regular
from transforms.parsing.xml.plan import plan_of
from transforms.parsing.xml.walk import MOST_LEVELS

FORM = contract_of(("Form.Row[].unit", "Form.Head.@year", "Form.Row[].sum"), type="xml", rows="Form.Row")
HEAD = '<Form><Head year="2024"/>'


def rows(text: str | bytes, contract: Contract = FORM) -> list[tuple[object, ...]]:
    parsed = parse(text if isinstance(text, bytes) else text.encode(), contract)
    assert parsed.rejects.is_empty()
    return parsed.raw.rows()


def error(text: str | bytes, contract: Contract = FORM) -> SubmissionError:
    with pytest.raises(SubmissionError) as raised:
        parse(text if isinstance(text, bytes) else text.encode(), contract)
    return raised.value


def test_a_row_has_its_own_cells_and_those_around_it() -> None:
    text = f"{HEAD}<Row><unit>Os</unit><sum> 1 </sum></Row>\n<Row><unit>A &amp; B</unit><sum/></Row><Row/></Form>"
    assert rows(text) == [(1, "Os", "2024", "1"), (2, "A & B", "2024", ""), (3, "", "2024", "")]


def test_cells_around_the_rows_may_follow_them() -> None:
    text = '<Form><Row><unit>Os</unit><sum>1</sum></Row><Head year="2024"/></Form>'
    assert rows(text) == [(1, "Os", "2024", "1")]


def test_rows_within_rows_have_the_cells_of_each_element_around_them() -> None:
    names = ("F.Case.Act[].@kind", "F.@year", "F.Case.@id")
    contract = contract_of((names[0], names[1], names[2]), type="xml", rows="F.Case.Act")
    text = (
        '<F year="2024"><Case id="1"><Act kind="a"/><Act kind="b"/></Case><Case id="2"/>'
        '<Case id="3"><Act kind="c"/></Case></F>'
    )
    assert rows(text, contract) == [(1, "a", "2024", "1"), (2, "b", "2024", "1"), (3, "c", "2024", "3")]


def test_the_document_itself_may_be_the_row() -> None:
    contract = contract_of(("F[].@u", "F[].P.y", "F[].s"), type="xml", rows="F")
    assert rows('<F u="Os"><P><y>2024</y></P><s>1</s></F>', contract) == [(1, "Os", "2024", "1")]


def test_a_dot_in_the_name_of_an_element_is_a_step_of_its_path() -> None:
    contract = contract_of(("F.R[].a.unit", "F.R[].y", "F.R[].s"), type="xml", rows="F.R")
    for unit in ("<a.unit>Os</a.unit>", "<a><unit>Os</unit></a>"):
        assert rows(f"<F><R>{unit}<y>2024</y><s>1</s></R></F>", contract) == [(1, "Os", "2024", "1")]
    for unknown in ("<b.unit/>", "<a.b/>", "<a.b.unit/>"):
        path = f"F.R[].{unknown.strip('</>')}"
        assert error(f"<F><R>{unknown}<y>2024</y><s>1</s></R></F>", contract).found == f"'{path}'"


def test_prefixes_nil_and_cdata_are_read_as_xml_means_them() -> None:
    text = (
        '<n:Form xmlns:n="urn:x" xmlns:xsi="urn:y"><n:Head year="2024"/><!-- none --><n:Row><n:unit><![CDATA[<Os>]]>'
        '</n:unit><n:sum xsi:nil="true"/></n:Row></n:Form>'
    )
    assert rows(text) == [(1, "<Os>", "2024", "")]


def test_a_row_with_a_repeated_or_mixed_element_is_rejected_alone() -> None:
    text = (
        f"{HEAD}<Row><unit>a</unit><unit>b</unit></Row><Row><unit>a<b/></unit></Row>"
        "<Row><unit/><unit>Os</unit><sum>1</sum></Row></Form>"
    )
    parsed = parse(text.encode(), FORM)
    assert parsed.raw.rows() == [(3, "Os", "2024", "1")]
    assert parsed.rejects.select("row", "column", "reason").rows() == [
        (1, "Form.Row[].unit", "unreadable"),
        (2, "Form.Row[].unit", "unreadable"),
    ]


@pytest.mark.parametrize(
    ("inner", "path"),
    [
        ("<Row><other/></Row>", "Form.Row[].other"),
        ('<Row id="1"/>', "Form.Row[].@id"),
        ("<Row>text</Row>", "Form.Row[]"),
        ("<Other><Row/></Other><Row/>", "Form.Other"),
    ],
)
def test_what_the_contract_does_not_name_is_an_unknown_column(inner: str, path: str) -> None:
    found = error(f"{HEAD}{inner}</Form>")
    assert (found.code, found.found) == ("unknown-column", repr(path))
    ignoring = FORM.model_copy(update={"ignore": (path,)})
    if path != "Form.Row[]":
        assert rows(f"{HEAD}{inner}</Form>", ignoring)
    assert rows(f"{HEAD}{inner}</Form>", FORM.model_copy(update={"ignore": "rest"}))


def test_an_element_that_is_ignored_keeps_what_of_it_the_contract_names() -> None:
    contract = contract_of(("F.R[].P.@unit", "F.R[].P.y.m", "F.R[].s"), type="xml", rows="F.R")
    contract = contract.model_copy(update={"ignore": ("F.R[].P",)})
    row = '<R><P unit="Os" other="x">text<y><m>2024</m></y><z><m>1</m></z></P><s>1</s></R>'
    assert rows(f"<F>{row}</F>", contract) == [(1, "Os", "2024", "1")]
    deeper = contract_of(("F.R[].u", "F.R[].P.y.m", "F.R[].s"), type="xml", rows="F.R")
    deeper = deeper.model_copy(update={"ignore": ("F.R[].P",)})
    assert rows(f"<F>{row.replace('<R>', '<R><u>Os</u>')}</F>", deeper) == [(1, "Os", "2024", "1")]
    many = "".join(f'<R><P unit="{n}"/><s>1</s></R>' for n in range(1000))
    assert rows(f"<F>{many}</F>", contract) == [(n + 1, str(n), "", "1") for n in range(1000)]


def test_a_document_without_rows_is_empty_where_it_has_their_place_and_else_another_document() -> None:
    contract = contract_of(("F.Rows.R[].unit", "F.Rows.R[].y", "F.Rows.R[].s"), type="xml", rows="F.Rows.R")
    found = [error(text, contract) for text in ("<F><Rows/></F>", "<F></F>")]
    assert [(each.code, each.found) for each in found] == [("empty-file", "no rows"), ("unreadable", "a document <F>")]


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("UTF-8", "utf-8"),
        ("ISO-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("", "utf-8-sig"),
    ],
)
def test_the_document_declares_its_encoding(declared: str, encoding: str) -> None:
    first = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    text = f"{first}{HEAD}<Row><unit>Bodø</unit><sum>1</sum></Row></Form>"
    assert rows(text.encode(encoding)) == [(1, "Bodø", "2024", "1")]


@pytest.mark.parametrize(
    ("declared", "encoding", "found"),
    [
        ("ISO-8859-1", "utf-8", "UTF-8"),
        ("UTF-8", "latin-1", "byte f8"),
        ("UTF-8", "utf-16", "text in UTF-16"),
        ("utf-16", "utf-8", "text that is not UTF-16"),
        ("utf-7", "utf-8", "a document that declares 'utf-7'"),
    ],
)
def test_another_encoding_than_declared_is_named(declared: str, encoding: str, found: str) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?>{HEAD}<Row><unit>Bodø</unit></Row></Form>'
    wrong = error(text.encode(encoding))
    assert wrong.code == "wrong-encoding"
    assert wrong.found.startswith(found)
    assert wrong.hint.startswith(("Deliver the document in the encoding that it", "Save it as UTF-8"))


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 20))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f'<!DOCTYPE Form [<!ENTITY e0 "x">{BOMB}]><Form><Row><unit>&e19;</unit></Row></Form>', "DOCTYPE"),
        (
            f'<!DOCTYPE Form [<!ENTITY a "{"x" * 10**5}">]><Form><Row><unit>{"&a;" * 10**4}</unit></Row></Form>',
            "DOCTYPE",
        ),
        ('<!DOCTYPE Form SYSTEM "secret.txt"><Form/>', "DOCTYPE"),
        ("<Form>" + "<a>" * 10**6, "more than 100 levels"),
        ("<Form><Row>" + "<unit>" * 10**5, "more than 100 levels"),
        ("<Form><Row><unit>&undefined;</unit></Row></Form>", "undefined entity"),
        ("<Form><Row>", "no element found"),
        ("<Form><Row></Form>", "mismatched tag"),
        ('<Form a="1" a="2"/>', "duplicate attribute"),
        ("no document", "syntax error"),
        ("<Other/>", "a document <Other>"),
    ],
)
def test_a_hostile_or_broken_document_is_refused_at_once(text: str, found: str) -> None:
    tracemalloc.start()
    refused = error(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.code == "unreadable"
    assert found in refused.found
    assert peak < 4 * len(text) + 10_000_000


def test_a_huge_attribute_or_text_costs_its_row() -> None:
    contract = contract_of(("F.R[].@u", "F.R[].y", "F.R[].s"), type="xml", rows="F.R")
    long = "x" * 10**6
    parsed = parse(f'<F><R u="{long}"/><R u="Os"><y>{long}</y></R><R u="Os"/></F>'.encode(), contract)
    assert parsed.raw["row"].to_list() == [3]
    assert parsed.rejects["reason"].to_list() == ["too-large", "too-large"]


def test_limits_name_their_settings() -> None:
    text = f"{HEAD}{'<Row><unit>Os</unit></Row>' * 4}</Form>".encode()
    with pytest.raises(UnreadError, match="ENGANG_READ_ROWS"):
        parse(text, FORM, replace(DEFAULT_LIMITS, rows=3))
    many = f"{HEAD}<Row>{''.join(f'<c{n}/>' for n in range(50))}</Row></Form>".encode()
    with pytest.raises(UnreadError, match="ENGANG_READ_COLUMNS"):
        parse(many, FORM, replace(DEFAULT_LIMITS, columns=20))


@pytest.mark.parametrize("begin", ["", "<unit>", "<other>"])
def test_elements_that_are_passed_over_count_as_levels_too(begin: str) -> None:
    contract = FORM.model_copy(update={"unknown_columns": "warn"})
    outside = 2 + bool(begin)

    def _document(levels: int) -> bytes:
        deep = "<x>" * (levels - outside) + "</x>" * (levels - outside)
        return f"{HEAD}<Row>{begin}{deep}{begin.replace('<', '</')}</Row></Form>".encode()

    parse(_document(MOST_LEVELS - 1), contract)
    with pytest.raises(SubmissionError, match=f"more than {MOST_LEVELS} levels"):
        parse(_document(MOST_LEVELS + 1), contract)


def plain(n: int) -> str:
    return f"<Row>\n <unit>u{n}</unit>\r\n <sum>{n}</sum></Row>\n"


ODD: dict[str, Callable[[int], str]] = {
    "plain": plain,
    "entities": lambda n: f"<Row><unit>a &amp;lt; &#248; {n}</unit><sum>{n}</sum></Row>",
    "empty": lambda n: f"<Row/><Row></Row><Row><unit/><unit>{n}</unit></Row>",
    "repeated": lambda n: f"<Row><unit>{n}</unit><unit>b</unit></Row>",
    "nested": lambda n: f"<Row><unit>{n}<Row/></unit></Row>",
    "nil": lambda n: f'<Row><unit x:nil="true" xmlns:x="urn:x"/><sum>{n}</sum></Row>',
    "blank attribute": lambda n: f"<Row ><unit >{n}</unit ><sum>\t{n}\n</sum></Row >",
}


@pytest.mark.parametrize("odd", ODD)
def test_the_fast_way_gives_what_the_walk_gives(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    contract = FORM.model_copy(update={"unknown_columns": "warn"})
    body = "".join(ODD[odd](n) if n % 7 == 0 else plain(n) for n in range(1000))
    data = f'<?xml version="1.0"?>\n<Form>{body}<Head year="2024"/></Form>'.encode()
    walked = parse(data, contract)
    monkeypatch.setattr(regular, "LARGE", 0)
    fast = parse(data, contract)
    assert fast.raw.equals(walked.raw)
    assert fast.rejects.equals(walked.rejects)
    assert fast.delivered == walked.delivered


@pytest.mark.parametrize("quote", ['"', "'"])
def test_the_fast_way_reads_attributes_too(quote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    contract = contract_of(("F.R[].@u", "F.R[].@y", "F.R[].@s"), ("F.R[].@z",), type="xml", rows="F.R")
    row = '<R z=" u=" u="a{n} y=" y="2024" s="&quot;{n}"/>'.replace('"', quote)
    data = f"<F>{''.join(row.format(n=n) for n in range(500))}</F>".encode()
    walked = parse(data, contract)
    assert walked.raw.row(0) == (1, "a0 y=", "2024", '"0')
    monkeypatch.setattr(regular, "LARGE", 0)
    assert parse(data, contract).raw.equals(walked.raw)


def test_rows_that_are_alike_are_read_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    attributes = contract_of(("F.R[].@u", "F.R[].@y", "F.R[].@s"), type="xml", rows="F.R")
    row = '<R u="a" y="2024" s="1"/>'
    files = [(f"{HEAD}{plain(1) * 9}</Form>".encode(), FORM), (f"<F>{row * 9}</F>".encode(), attributes)]
    assert [regular.read_regular(data, plan_of(contract), DEFAULT_LIMITS) for data, contract in files] == [None, None]
    monkeypatch.setattr(regular, "LARGE", 0)
    assert all(regular.read_regular(data, plan_of(contract), DEFAULT_LIMITS) for data, contract in files)


@pytest.mark.parametrize("mark", ["<!-- a comment -->", "<?target an instruction?>"])
def test_a_document_with_comments_or_instructions_is_walked(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regular, "LARGE", 0)
    found = regular.read_regular(f"{HEAD}{mark}{plain(1) * 9}</Form>".encode(), plan_of(FORM), DEFAULT_LIMITS)
    assert found is None


def test_text_between_rows_is_not_lost_on_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regular, "LARGE", 0)
    assert error(f"{HEAD}{plain(1)}{plain(2)}stray{plain(3)}</Form>").found == "'Form'"
    assert error(f"{HEAD}{plain(1)}<Other/>{plain(2)}{plain(3)}</Form>").found == "'Form.Other'"
