"""An installation: what is unknown is answered by the nearest name, and what is wrong costs itself alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.attribution import attribution
from flows.installation import Installation
from flows.output_file import write_output
from schemas.contract import read_contract
from schemas.errors import ContractError, UsageError
from tests.support.small_contracts import SMALL_CONTRACT
from tests.support.small_installation import open_small
from transforms.linkage.decisions import MAX_TEXT_LENGTH


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    contracts = tmp_path / "contracts"
    contracts.mkdir()
    (contracts / "folketall.yml").write_text(
        SMALL_CONTRACT.replace("contract: small", "contract: folketall").replace("concept: places", "concept: pupils")
        .replace("value: places", "value: persons"),
        encoding="utf-8",
    )  # fmt: skip
    (contracts / "wrong.yml").write_text("contract: wrong", encoding="utf-8")
    home = open_small(tmp_path / "home", contracts)
    yield home
    home.engine.dispose()


def test_an_unknown_name_is_answered_by_the_nearest(home: Installation) -> None:
    for name, hint in (("folketal", "did you mean 'folketall'? "), ("zzz", "")):
        with pytest.raises(UsageError) as caught:
            home.contract(name)
        assert str(caught.value) == f"no contract {name!r}: {hint}`engang contracts` lists them"
    with pytest.raises(UsageError, match=r"^no record kind 'incidnt': did you mean 'incident'\? known: incident, "):
        home.kind("incidnt")
    assert home.kind("incident").kind == "incident"


def test_a_wrong_contract_costs_itself_alone(home: Installation) -> None:
    assert list(home.contracts) == ["folketall"]
    assert home.contract("folketall").contract == "folketall"
    with pytest.raises(ContractError, match=r"^contract 'wrong' cannot be used: wrong\.yml: version: Field required"):
        home.contract("wrong")


def test_a_contract_of_elsewhere_is_completed_by_the_vocabulary(home: Installation) -> None:
    text = SMALL_CONTRACT.replace("concept: places", "concept: pupils").replace("{value: places}", "{column: m}")
    made = home.completed(read_contract(text))
    assert made.terms is not None
    assert made.terms.measures == {"pupils": ("persons",)}
    with pytest.raises(ContractError, match="no concept 'pupisl' in the vocabulary; did you mean 'pupils'"):
        home.completed(read_contract(text.replace("pupils", "pupisl")))


def test_presets_are_used_in_the_place_of_what_the_settings_name(home: Installation) -> None:
    preset = home.with_presets(contracts={}, first_release=7)
    assert (preset.contracts, preset.broken_contracts, preset.presets.first_release) == ({}, {}, 7)
    assert preset.with_presets(kinds={}).presets.first_release == 7
    assert home.presets.contracts is None


@pytest.mark.parametrize(
    ("who", "why", "option"),
    [
        ("kari", "", "why"), ("kari", " \t", "why"), ("kari", "a\nb", "why"), ("kari", "\u202ea", "why"),
        ("kari", "x" * (MAX_TEXT_LENGTH + 1), "why"), (" ", "x", "who"), ("a\x00", "x", "who"),
    ],
)  # fmt: skip
def test_who_decides_and_why_can_be_read(who: str, why: str, option: str) -> None:
    with pytest.raises(UsageError, match=f"^--{option}: expected 1 to {MAX_TEXT_LENGTH} characters that can be print"):
        attribution(who, why)


def test_white_space_around_a_reason_is_no_part_of_it() -> None:
    long = "x" * MAX_TEXT_LENGTH
    assert attribution(" kari ", f" {long}\n") == {"who": "kari", "why": long}


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "chart.svg"
    for content, expected in (("æ", "æ".encode()), (b"\xff", b"\xff")):
        assert write_output(file, content) == file
        assert file.read_bytes() == expected
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        write_output(tmp_path, "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chart.svg"]
