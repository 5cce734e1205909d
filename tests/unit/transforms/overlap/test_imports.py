"""Obligations of registers and inventories: their hours, their items, and what they ask for in common."""

import io
import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.errors import UsageError
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
