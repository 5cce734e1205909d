"""Obligations of registers and inventories: their hours, their items, and what they ask for in common."""

import io
import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.errors import UsageError
from transforms.overlap.imports import kostra
from transforms.overlap.imports.declared import contained_elsewhere, declared_overlap, items_of_agencies, unanswered
from transforms.overlap.imports.eba import read_eba, read_rules, stated_sums
from transforms.overlap.imports.kostra import read_kostra
from transforms.overlap.imports.matrix import read_matrix
from transforms.overlap.imports.oppgaveregisteret import read_oppgaveregisteret
from transforms.overlap.imports.us_inventory import read_us_inventory

FORM: dict[str, Any] = {
    "navn": "Skjema", "guid": "2BD", "eier": {"etatsnavn": "ETATEN"}, "formaal": {"fritekst": "Kontroll"},
    "lovhjemler": [{"tittel": "Lov", "henvisning": "§ 1"}],
    "tidsbruk": {"elektronisk": 15, "papir": 30, "antallPrAar": 500, "prosentandelPapir": 10},
    "skjemainnhold": [{"kode": "ANNET"}], "bruksomraader": [{"navn": "Rapportering", "antallPerioderPrAar": 1}],
}  # fmt: skip
RECORD = """<InformationCollectionRequestList><InformationCollectionRequest><OMBControlNumber>0503-0007
</OMBControlNumber><AgencyCode>0503</AgencyCode><Title>Survey</Title><InformationCollections>{}
</InformationCollections></InformationCollectionRequest></InformationCollectionRequestList>"""
INSTRUMENT = """<InformationCollection><NumberResponses><AnnualQuantity>{}</AnnualQuantity></NumberResponses>
<BurdenHour><TotalQuantity>{}</TotalQuantity></BurdenHour></InformationCollection>"""
MATRIX = b"\xef\xbb\xbfkrav;agency;name;turnover;staff\nA1;A;x;x;\nB1;B;x;1;0\nB2;B;1;;x\n"


@pytest.mark.parametrize(
    ("spent", "least", "most"),
    [
        ({}, "0.25", "0.5"),
        ({"papir": None, "prosentandelPapir": 0}, "0.25", "0.25"),
        ({"prosentandelPapir": 0}, "0.25", "0.25"),
        ({"prosentandelPapir": 100}, "0.5", "0.5"),
        ({"elektronisk": None, "papir": None}, None, None),
    ],
)
def test_hours_of_a_form_are_those_of_the_ways_it_is_sent(
    spent: dict[str, Any], least: str | None, most: str | None
) -> None:
    form = FORM | {"tidsbruk": FORM["tidsbruk"] | spent}
    (row,) = read_oppgaveregisteret(json.dumps([form]).encode()).to_dicts()
    assert (row["hours_low"], row["hours_high"]) == (least and Decimal(least), most and Decimal(most))
    assert row["hours_basis"] == ("declared" if least else None), "unknown is not zero"
    assert (row["obligation"], row["agency"], row["items"]) == ("oppgaveregisteret-2bd", "ETATEN", ["annet"])
    assert (row["legal_basis"], row["rhythm"], row["reports_a_year"]) == ("Lov § 1", "1 a year", 500)


def test_hours_of_a_collection_are_those_of_its_instruments() -> None:
    both = INSTRUMENT.format(2000, 333) + INSTRUMENT.format(400, 20) + INSTRUMENT.format(0, 5)
    (row,) = read_us_inventory(RECORD.format(both).encode()).to_dicts()
    assert (row["hours_low"], row["hours_high"]) == (Decimal("0.05"), Decimal("0.1665"))
    assert (row["obligation"], row["register_id"], row["items"]) == ("us-icr-0503-0007", "0503-0007", [])
    (unknown,) = read_us_inventory(RECORD.format("").encode()).to_dicts()
    assert unknown["hours_low"] is unknown["hours_basis"] is None


def test_a_matrix_says_who_asks_for_what() -> None:
    found = read_matrix(MATRIX, "demo")
    assert found.select("obligation", "agency", "items").rows() == [
        ("demo-a1", "A", ["name", "turnover"]), ("demo-b1", "B", ["name", "turnover"]),
        ("demo-b2", "B", ["name", "staff"]),
    ]  # fmt: skip
    assert contained_elsewhere(found).rows() == [("demo-a1", ["demo-b1"]), ("demo-b1", ["demo-a1"])]
    pairs = declared_overlap(found).select("obligation_a", "obligation_b", "items", "is_alternative").rows()
    assert pairs == [
        ("demo-a1", "demo-b1", 2, False), ("demo-a1", "demo-b2", 1, False), ("demo-b1", "demo-b2", 1, True),
    ]  # fmt: skip
    assert items_of_agencies(found).rows() == [("name", 2, 3), ("turnover", 2, 2), ("staff", 1, 1)]


def test_an_obligation_that_a_contract_answers_is_listed_once() -> None:
    imported = read_matrix(MATRIX, "demo")
    own = pl.DataFrame({"register_scheme": ["demo", None], "register_id": ["B1", None]})
    assert unanswered([imported, imported], own)["register_id"].to_list() == ["A1", "B2"]
    assert unanswered([], own).is_empty()


def test_a_module_that_only_its_alternative_covers_is_not_contained() -> None:
    rows = [("F", "F1", 1), ("F", "F2", 1), ("F", "F2", 2), ("G", "G1", 2), ("G", "G1", 3), ("H", "H1", 3)]
    frame = pl.DataFrame(rows, schema=["framework", "module", "data_point"], orient="row")
    content = io.BytesIO()
    frame.with_columns(module_name=pl.col("module")).write_parquet(content)
    assert contained_elsewhere(read_eba(content.getvalue())).rows() == [("eba-h1", ["eba-g1"])]


def test_sums_and_equalities_are_recovered_from_rules() -> None:
    rules = {
        "a": "with {tC_01.00, default: 0}: {r1} = {r2} + {r3} - {r4}", "b": "{r1} = + {r2} + {r3}",
        "c": "with {tC_01.00}: {r1} = {r2}", "d": "{r1} = - {r2}", "e": "{r1} >= {r2} + {r3}", "f": "{r1} = {r2} * 2",
    }  # fmt: skip
    frame = pl.DataFrame({"code": list(rules), "expression": list(rules.values())})
    content = io.BytesIO()
    frame.write_parquet(content)
    assert read_rules(frame.write_csv().encode()).equals(read_rules(content.getvalue()))
    assert stated_sums(read_rules(content.getvalue())).rows() == [
        ("a", "sum", "{r1}", ["{r2}", "{r3}", "-{r4}"]), ("b", "sum", "{r1}", ["{r2}", "{r3}"]),
        ("c", "equality", "{r1}", ["{r2}"]),
    ]  # fmt: skip


def test_the_items_of_a_form_are_its_fields() -> None:
    form = b"---\nid: %b\ntitle: Form %b\nfields:\n- name: UNIT\n- name: %b\n"
    found = read_kostra(form % (b"1F", b"1", b"A") + form % (b"2F", b"2", b"B"))
    assert found.select("obligation", "title_nb", "items").rows() == [
        ("kostra-1f", "Form 1", ["A", "UNIT"]), ("kostra-2f", "Form 2", ["B", "UNIT"]),
    ]  # fmt: skip
    assert declared_overlap(found)["items"].to_list() == [1]


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"[{}]", b"null", b"\xff\xfe", b"<a/>", b"a;b\n", b"a;x\na b;1\n",
                                  b"<!DOCTYPE a []><a/>", b"a;x\nK1;1\nk1;1\n"])  # fmt: skip
def test_another_file_is_refused(data: bytes) -> None:
    for read in (read_oppgaveregisteret, read_us_inventory, read_eba, read_rules, read_kostra):
        with pytest.raises(UsageError):
            read(data)
    if data != b"a;b\n":
        with pytest.raises(UsageError):
            read_matrix(data, "demo")


@pytest.mark.parametrize(
    ("cell", "asked"),
    [
        ("x", True), ("1", True), ("2", True), ("ja", True), ("0", False), ("", False), ("no", False), ("NEI", False),
        (" nej ", False), ("False", False), ("-", False), ("00", True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_a_cell_of_a_matrix_asks_unless_it_says_no(cell: str, asked: bool, delimiter: str) -> None:
    lines = [["k", "title", "a", "b"], ["K1", "T", cell, "x"]]
    found = read_matrix("\n".join(delimiter.join(line) for line in lines).encode(), "demo")
    assert found["items"].to_list() == [["a", "b"] if asked else ["b"]]


def test_what_a_matrix_states_of_a_requirement_is_taken_and_what_it_does_not_is_unknown() -> None:
    full = b"k;agency;title;legal_basis;purpose;reporters;rhythm;alternative_to;i\nK.1-a;A;T;L;P;R;yearly;alt;1\n"
    row = read_matrix(full, "demo").row(0, named=True)
    assert (row["obligation"], row["register_id"], row["register_scheme"]) == ("demo-k.1-a", "K.1-a", "demo")
    assert (row["agency"], row["title_en"], row["legal_basis"], row["purpose"]) == ("A", "T", "L", "P")
    assert (row["rhythm"], row["alternative_to"], row["items"]) == ("yearly", "alt", ["i"])
    (least,) = read_matrix(b"k;i\nK1;1\n", "demo").to_dicts()
    assert (least["agency"], least["title_nb"], least["rhythm"], least["alternative_to"]) == (
        "unknown", "K1", "unknown", None,
    )  # fmt: skip
    assert (least["used_by"], least["version"], least["hours_low"]) == ([], 1, None)


@pytest.mark.parametrize("name", ["K 1", "", "K/1", "x" * 61])
def test_a_requirement_has_a_name_of_letters_digits_and_a_few_signs(name: str) -> None:
    with pytest.raises(UsageError, match="names each requirement once"):
        read_matrix(f"k;i\n{name};1\n".encode(), "demo")
    assert read_matrix(f"k;i\n{'x' * 60};1\n".encode(), "demo").height == 1


def test_a_matrix_has_a_column_of_an_item() -> None:
    with pytest.raises(UsageError, match="no column of an item"):
        read_matrix(b"k;agency;title\nK1;A;T\n", "demo")


@pytest.mark.parametrize(
    ("quantity", "reports"), [("5", 5), ("5.9", 5), ("1E+17", 10**17), (None, None)],
)  # fmt: skip
def test_the_reports_of_a_year_are_those_that_the_record_states(quantity: str | None, reports: int | None) -> None:
    burden = "" if quantity is None else (
        f"<Burden><BurdenResponse><TotalQuantity>{quantity}</TotalQuantity></BurdenResponse></Burden>"
    )  # fmt: skip
    data = RECORD.format("").replace("<Title>", f"{burden}<Title>").encode()
    assert read_us_inventory(data)["reports_a_year"].to_list() == [reports]


@pytest.mark.parametrize("quantity", ["1E+18", "-1E+18", "1E+999999999", "many"])
def test_a_count_beyond_all_counts_is_refused(quantity: str) -> None:
    burden = f"<Burden><BurdenResponse><TotalQuantity>{quantity}</TotalQuantity></BurdenResponse></Burden>"
    with pytest.raises(UsageError):
        read_us_inventory(RECORD.format("").replace("<Title>", f"{burden}<Title>").encode())


@pytest.mark.parametrize(
    ("hours", "responses", "known"),
    [
        ("1E+999999999", "5", False), ("5", "1E+999999999", False), ("5", "1E-999999", False), ("Infinity", "5", False),
        ("5", "Infinity", False), ("NaN", "5", False), ("5", "NaN", False), ("many", "5", False), ("1E+17", "5", True),
        ("5", "-1", True), ("0", "5", True),
    ],
)  # fmt: skip
def test_hours_beyond_all_counts_are_refused(hours: str, responses: str, known: bool) -> None:
    data = RECORD.format(INSTRUMENT.format(responses, hours)).encode()
    if known:
        assert read_us_inventory(data).height == 1
    else:
        with pytest.raises(UsageError):
            read_us_inventory(data)


def test_a_collection_without_a_title_an_agency_or_a_frequency_gets_what_is_known() -> None:
    bare = RECORD.format("").replace("<AgencyCode>0503</AgencyCode>", "").replace("<Title>Survey</Title>", "")
    (row,) = read_us_inventory(bare.encode()).to_dicts()
    assert (row["title_en"], row["agency"], row["rhythm"], row["legal_basis"]) == ("0503-0007", "0503", "unknown", None)
    often = "".join(
        "<InformationCollection><BurdenHour><BurdenHourPerResponse><ReportingFrequencies><ReportingFrequency>"
        f"{word}</ReportingFrequency></ReportingFrequencies></BurdenHourPerResponse></BurdenHour>"
        "</InformationCollection>"
        for word in ("Monthly", "Annually", "Monthly")
    )
    statutes = (
        "<AuthorizingStatutes><AuthorizingStatute>7 USC<Part> 2204 </Part></AuthorizingStatute>"
        "<AuthorizingStatute>PL 1</AuthorizingStatute></AuthorizingStatutes><Title>"
    )
    (row,) = read_us_inventory(RECORD.format(often).replace("<Title>", statutes).encode()).to_dicts()
    assert (row["rhythm"], row["legal_basis"]) == ("annually, monthly", "7 USC 2204; PL 1")
    with pytest.raises(UsageError, match="no OMBControlNumber"):
        read_us_inventory(RECORD.format("").replace("0503-0007", "").encode())


@pytest.mark.parametrize(
    ("change", "column", "value"),
    [
        ({"formaal": {"fritekst": ""}}, "purpose", "Rapportering"),
        ({"formaal": {"fritekst": None}, "bruksomraader": []}, "purpose", None),
        ({"bruksomraader": []}, "rhythm", "unknown"),
        ({"bruksomraader": [{"navn": "A"}, {"navn": "B", "antallPerioderPrAar": 12}]}, "rhythm", "12 a year"),
        ({"bruksomraader": [{"navn": "A", "antallPerioderPrAar": 0}]}, "rhythm", "unknown"),
        ({"lovhjemler": []}, "legal_basis", None),
        ({"lovhjemler": [{"tittel": "Lov", "henvisning": None}, {"tittel": "B", "henvisning": "§ 2"}]}, "legal_basis",
         "Lov; B § 2"),
    ],
)  # fmt: skip
def test_what_a_form_states_of_itself(change: dict[str, Any], column: str, value: str | None) -> None:
    assert read_oppgaveregisteret(json.dumps(FORM | change).encode())[column].to_list() == [value]


def test_a_description_of_a_form_may_lack_its_id_and_not_its_fields() -> None:
    (row,) = read_kostra(b"title: Skjema\nfields: [{name: B}, {name: A}, {name: B}]\n").to_dicts()
    assert (row["register_id"], row["title_nn"], row["items"], row["rhythm"]) == (
        "Skjema",
        "Skjema",
        ["A", "B"],
        "yearly",
    )
    for wrong in (b"title: T\n", b"title: [T]\nfields: []\n", b"title: T\nfields: [{name: {a: 1}}]\n"):
        with pytest.raises(UsageError):
            read_kostra(wrong)


@pytest.mark.parametrize(("forms", "read"), [(kostra.MOST_FORMS, True), (kostra.MOST_FORMS + 1, False)])
def test_a_file_describes_a_thousand_forms_at_most(forms: int, read: bool) -> None:
    data = b"".join(b"---\n{id: f%d, title: T, fields: []}\n" % number for number in range(forms))
    if read:
        assert read_kostra(data).height == forms
    else:
        with pytest.raises(UsageError, match="more than 1000 documents"):
            read_kostra(data)


def test_data_points_are_listed_once_and_modules_are_alternatives_within_their_framework() -> None:
    rows = [("F", "M1", "First", 2), ("F", "M1", "First", 1), ("F", "M1", "First", 2), ("F", "M2", "Second", 1)]
    content = io.BytesIO()
    pl.DataFrame(rows, schema=["framework", "module", "module_name", "data_point"], orient="row").write_parquet(content)
    found = read_eba(content.getvalue())
    assert found.select("obligation", "title_en", "items", "alternative_to").rows() == [
        ("eba-m1", "First", ["1", "2"], "F"), ("eba-m2", "Second", ["1"], "F"),
    ]  # fmt: skip
    assert declared_overlap(found).rows() == [("eba-m1", "eba-m2", 1, 2, 1, True)]
    assert contained_elsewhere(found).is_empty()
    assert items_of_agencies(found).rows() == [("1", 1, 2), ("2", 1, 1)]


def test_pairs_of_most_common_items_come_first() -> None:
    table = b"k;agency;i1;i2;i3\nA;a;1;1;\nB;b;1;1;1\nC;c;;;1\nD;d;1;;\n"
    found = declared_overlap(read_matrix(table, "x")).select(
        "obligation_a", "obligation_b", "items", "items_a", "items_b"
    )
    assert found.rows() == [
        ("x-a", "x-b", 2, 2, 3), ("x-a", "x-d", 1, 2, 1), ("x-b", "x-c", 1, 3, 1), ("x-b", "x-d", 1, 3, 1),
    ]  # fmt: skip
    assert contained_elsewhere(read_matrix(table, "x")).rows() == [
        ("x-a", ["x-b"]), ("x-c", ["x-b"]), ("x-d", ["x-a", "x-b"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"elektronisk": 15', '"elektronisk": 1e400'), ('"elektronisk": 15', '"elektronisk": NaN'),
        ('"elektronisk": 15', f'"elektronisk": {10**40}'), ('"elektronisk": 15', f'"elektronisk": {10**400}'),
        ('"elektronisk": 15', '"elektronisk": [1]'), ('"antallPrAar": 500', f'"antallPrAar": {10**30}'),
        ('"antallPrAar": 500', '"antallPrAar": "many"'), ('"navn": "Skjema"', '"navn": ["a"]'),
        ('"navn": "Skjema"', '"navn": ' + "[" * 10**5),
    ],
)  # fmt: skip
def test_a_value_that_no_column_holds_is_refused(old: str, new: str) -> None:
    text = json.dumps(FORM)
    assert old in text
    with pytest.raises(UsageError, match="no list of forms"):
        read_oppgaveregisteret(text.replace(old, new).encode())
