"""The rows that describe a release: concepts, dimensions, obligations."""

from decimal import Decimal

from schemas.claims import frame_schema
from schemas.concepts import load_vocabulary
from schemas.contract import Contract, load_contracts, read_contract
from schemas.description_tables import CONCEPT, DIMENSION, OBLIGATION
from tests.support.paths import ROOT
from transforms.descriptions import concept_rows, dimension_rows, obligation_rows

VOCABULARY = load_vocabulary()
CONTRACTS = load_contracts()
LONN = (ROOT / "schemas" / "contracts" / "demo-lonn.yml").read_text(encoding="utf-8")


def changed(*changes: tuple[str, str]) -> Contract:
    text = LONN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return read_contract(text)


def test_a_concept_names_the_contracts_that_report_it() -> None:
    found = concept_rows(VOCABULARY, CONTRACTS.values())
    assert found.schema == frame_schema(CONCEPT)
    assert found["concept"].to_list() == sorted(VOCABULARY.concepts)
    hours = found.filter(concept="staff_hours").row(0, named=True)
    assert hours["contracts"] == ["demo-lonn", "demo-omsorg"]
    assert (hours["title_nn"], hours["measures"], hours["dimensions"]) == ("Timeverk", ["hours"], ["sector"])
    assert hours["derives"] == '[{"over": "sector", "parts": ["care", "school"]}, {"periods": "month"}]'
    assert hours["declared_by"] == "concepts.yml"
    assert found.filter(concept="population")["dimensions"].to_list() == [None]
    assert found.filter(concept="fires")["contracts"].to_list() == [[]]
    many = [CONTRACTS["demo-lonn"].model_copy(update={"contract": f"c{n}"}) for n in range(9)]
    listed = concept_rows(VOCABULARY, many).filter(concept="staff_hours")["contracts"].item().to_list()
    assert listed == [f"c{n}" for n in range(9)]


def test_a_dimension_has_a_row_for_each_code_or_one() -> None:
    found = dimension_rows(VOCABULARY)
    assert found.schema == frame_schema(DIMENSION)
    stage = found.filter(dimension="stage")
    assert stage.select("code", "code_title_nb", "open").rows() == [
        ("primary", "barnetrinnet", False),
        ("lower_secondary", "ungdomstrinnet", False),
    ]
    assert found.filter(dimension="age").select("title_en", "code", "open").rows() == [("age", None, True)]


def test_an_obligation_has_its_hours_its_purpose_and_its_entry() -> None:
    hours = 'hours: {value: 2, low: "1.25", high: 4, basis: surveyed, source: a survey}'
    shared = "reporters: [Oslo, Bergen]\nused_by: [SSB]\nmay_share: none"
    entry = shared + "\npurpose: Planning\nregister: {scheme: Oppgaveregisteret, id: 77}"
    full = changed(('hours_per_report: "1"', f'hours_per_report: "1"\n{hours}\n{entry}'))
    plain = changed(("contract: demo-lonn", "contract: a-plain"))
    unknown = changed(
        ("contract: demo-lonn", "contract: b-unknown"), ('hours_per_report: "1"', "hours_per_report: null")
    )
    found = obligation_rows([unknown, full, plain])
    assert found.schema == frame_schema(OBLIGATION)
    names = ("contract", "hours_low", "hours_high", "hours_basis", "hours_source", "purpose", "register_id")
    assert found.select(names).rows() == [
        ("a-plain", Decimal(1), Decimal(1), "declared", None, None, None),
        ("b-unknown", None, None, None, None, None, None),
        ("demo-lonn", Decimal("1.25"), Decimal(4), "surveyed", "a survey", "Planning", "77"),
    ]
    assert found.select("reporters", "used_by", "may_share").row(2) == ("Oslo, Bergen", ["SSB"], ["none"])
    nobody_knows = changed(("contract: demo-lonn", "contract: c-draft"), ("legal_basis: ", "legal_basis: FILL IN #"))
    draft = obligation_rows([nobody_knows]).row(0, named=True)
    assert (draft["legal_basis"], draft["hours_low"], draft["hours_basis"]) == (None, None, None)
    assert (draft["reporters"], draft["used_by"], draft["may_share"]) == (None, [], None)
    assert found["title_nb"][0] == "Timeverk per arbeidssted (oppdiktet)"
    assert full.digest() == changed().digest(), "they change nothing of the reading"
