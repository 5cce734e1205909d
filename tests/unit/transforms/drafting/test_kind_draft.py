"""A drafted kind: it is read without edits, and holds what the columns show."""

import random
from typing import Any

import polars as pl
import pytest
import yaml

from schemas.contract import read_contract
from schemas.errors import UsageError
from schemas.kind import read_kind
from schemas.record_contract import check_records
from transforms.drafting.draft_text import contract_as_yaml, kind_as_yaml
from transforms.drafting.kind_draft import KindDraft, draft_kind

GIVEN = ["Anna", "Ole", "Kari", "Per", "Ida", "Nils", "Liv", "Jon", "Eva", "Tor", "Åse", "Odd"]
SURNAMES = ["Berg", "Dahl", "Vik", "Lund", "Moen", "Haug", "Bakke", "Lie", "Solberg", "Strand", "Asheim", "Ruud"]


def persons(count: int = 120, **more: list[Any]) -> pl.DataFrame:
    draw = random.Random(7)
    rows = [
        {
            "person_id": n,
            "first_name": draw.choice(GIVEN),
            "last_name": draw.choice(SURNAMES),
            "born": f"19{draw.randint(40, 99)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
            "email": f"{draw.choice(GIVEN)}{draw.randint(1, 400)}@example.no".lower(),
            "municipality": (place := draw.choice(SURNAMES)),
            "municipality code": SURNAMES.index(place),
            "order": draw.choice("abcd"),
            "remark": None,
        }
        for n in range(count)
    ]
    return pl.DataFrame(rows).with_columns(pl.Series(name, values) for name, values in more.items())


def drafted(table: pl.DataFrame, *ignored: str) -> KindDraft:
    return draft_kind(table, "person_list", ignored)


def test_a_draft_is_read_without_edits() -> None:
    draft = drafted(persons())
    kind = read_kind(kind_as_yaml(draft), "person_list.yml")
    contract = read_contract(contract_as_yaml(draft, {"type": "csv", "delimiter": ","}), "person_list.yml")
    check_records(contract, {kind.kind: kind})
    assert contract.record is not None
    assert (contract.record.report_key, contract.ignore) == (("person_id",), ("remark",))
    assert kind.personal
    assert not kind.one_report_per_item


def test_names_are_compared_together_and_exchanged_ones_meet() -> None:
    kind = read_kind(kind_as_yaml(drafted(persons())))
    assert kind.sources_of("full_name") == ("first_name", "last_name")
    assert kind.fields["first_name"].compare is None
    assert any(key.other == "last_name" for rule in kind.blocking for key in rule)


def test_texts_and_names_of_several_words_are_compared_by_their_words() -> None:
    places = [f"{a} {b}" for a in SURNAMES for b in GIVEN][:120]
    remarks = [f"seen near {place} in the {n}th week" for n, place in enumerate(places)]
    fields = drafted(persons(farm=places, seen=remarks)).declared["fields"]
    assert [part["by"] for part in fields["farm"]["compare"]["of"]] == ["similarity", "cosine", "similarity"]
    assert fields["seen"]["compare"]["by"] == "cosine"
    assert fields["municipality"]["compare"]["by"] != "first_of"


def test_a_code_is_compared_without_punctuation_and_a_shared_telephone_is_less_evidence() -> None:
    dockets = [f"({n % 70 + 1000})," for n in range(120)]
    telephones = [f"22 33 4{n % 10} {n % 60 + 10}" for n in range(120)]
    fields = drafted(persons(docket=dockets, phone=telephones)).declared["fields"]
    assert fields["docket"]["clean"] == ["punctuation"]
    frequent = [name for name in ("docket", "phone", "email", "born") if fields[name].get("term_frequency")]
    assert frequent == ["docket", "phone"]


def test_a_name_and_its_code_count_once() -> None:
    fields = drafted(persons()).declared["fields"]
    assert fields["municipality"]["compare"] == {"by": "similarity", "levels": [0.92, 0.8]} or fields["municipality"][
        "compare"
    ] == {"by": "exact"}
    assert fields["municipality_code"]["role"] == "attribute"
    assert fields["municipality_code"]["doc"].endswith("the same as municipality")


def test_a_word_of_sql_is_no_name_of_a_field() -> None:
    assert "field_order" in drafted(persons()).declared["fields"]


def test_rules_have_the_pairs_that_they_bring_together() -> None:
    draft = drafted(persons())
    text = kind_as_yaml(draft)
    assert all(f"# {each.pairs} pairs" in text for each in draft.rules)
    assert len(yaml.safe_load(text)["blocking"]) == len(draft.rules)
    assert all(0 < each.pairs <= 20 * draft.records for each in draft.rules)


@pytest.mark.parametrize(("repeated", "expected"), [(False, True), (True, False)])
def test_a_reporter_reports_an_item_once_unless_records_repeat(*, repeated: bool, expected: bool) -> None:
    source = ["north", "south"] * 60
    table = persons(source=source)
    if repeated:
        again = table.head(20).with_columns(person_id=pl.col("person_id") + 1000)
        table = pl.concat([table, again])
    draft = drafted(table)
    assert (draft.reporter, draft.declared["one_report_per_item"]) == ("source", expected)


def test_columns_can_be_left_out() -> None:
    draft = drafted(persons(), "born")
    assert "born" not in draft.declared["fields"]
    assert draft.ignored == ["born", "remark"]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (persons().drop("person_id", "email").head(0), "found no column|no column has a different"),
        (pl.DataFrame({"a": ["x", "x"], "b": ["y", "y"]}), "no column has a different value in every row"),
        (pl.DataFrame({"id": [1, 2], "b": ["y", "y"]}), "found no column to compare"),
        (pl.DataFrame({"id": range(30), "b": [f"a{n}b" for n in range(29)] + [None]}), "few enough records"),
    ],
)
def test_what_nothing_can_be_drafted_from(table: pl.DataFrame, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        drafted(table)
