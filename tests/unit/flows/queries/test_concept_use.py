"""Who reports what, and whose items nobody else can report."""

from pathlib import Path

import pytest

from flows.installation import Installation
from flows.queries.concept_use import contracts_alone, list_concepts
from tests.support.paths import CONTRACTS
from tests.support.small_installation import open_small

PLAIN = (CONTRACTS / "folketall.yml").read_text(encoding="utf-8")


def home(tmp_path: Path, *changes: tuple[str, str]) -> Installation:
    """Open an installation with the contract `folketall` and another one that differs by the changes."""
    text = PLAIN.replace("contract: folketall", "contract: annet")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    folder = tmp_path / "contracts"
    folder.mkdir(parents=True)
    (folder / "folketall.yml").write_text(PLAIN, encoding="utf-8")
    (folder / "annet.yml").write_text(text, encoding="utf-8")
    return open_small(tmp_path / "home", contracts=folder)


def test_the_concepts_in_use_are_listed_with_their_contracts(tmp_path: Path) -> None:
    opened = home(tmp_path)
    assert [(row["concept"], row["contracts"]) for row in list_concepts(opened)] == [
        ("population", ["annet", "folketall"])
    ]
    every = list_concepts(opened, unused=True)
    assert {row["concept"] for row in every} == opened.vocabulary.concepts.keys()
    assert next(row for row in every if row["concept"] == "fires")["title_nn"] == "Brannar"


def test_contracts_on_the_same_items_are_not_alone(tmp_path: Path) -> None:
    assert contracts_alone(home(tmp_path)) == []


@pytest.mark.parametrize(
    ("change", "reports"),
    [
        (("concept: population", "concept: births"), "births by group (as delivered)"),
        (("group: {column", "age: {column"), "population by age (as del"),
        (("kind: municipality", "kind: county"), "population by group (as delivered)"),
    ],
)
def test_a_contract_whose_items_nobody_else_reports_is_named(
    change: tuple[str, str], reports: str, tmp_path: Path
) -> None:
    found = contracts_alone(home(tmp_path, change))
    assert [each["contract"] for each in found] == ["annet", "folketall"]
    assert found[0]["reports"][0].startswith(reports)


def test_texts_decide_where_both_state_them(tmp_path: Path) -> None:
    whole = ("{column: gruppe}", "{value: alle}")
    assert contracts_alone(home(tmp_path, whole)) == [], "the other one may deliver that text"
    other = home(tmp_path / "x", whole)
    mapped = other.contracts["folketall"].model_copy(
        update={"breakdown": {"group": other.contracts["annet"].breakdown["group"].model_copy(update={"value": "b"})}}
    )
    both = other.with_presets(contracts={**other.contracts, "folketall": mapped})
    assert [each["reports"] for each in contracts_alone(both)] == [
        ["population by group (alle)"],
        ["population by group (b)"],
    ]
