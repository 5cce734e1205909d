"""The commands on suspected double reporting: what they list, ask, record and change, in one small installation."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from tests.support.cli_runner import engang
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER

pytestmark = pytest.mark.usefixtures("unchecked")

OWN = """
concepts:
  residents:
    title: {nb: innbyggere, nn: innbyggjarar, en: residents}
    definition: Persons who live there.
    measures: [persons]
    dimensions: [class]
dimensions:
  class:
    title: {nb: klasse, nn: klasse, en: class}
    open: true
    total: T
    codes:
      "1": {nb: kvinner, nn: kvinner, en: women}
      "2": {nb: menn, nn: menn, en: men}
      T: {nb: i alt, nn: i alt, en: total}
"""
UNITS = [f"99{number:02}" for number in range(40)]


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a home with two counts of the same under different names; the second one has a total too."""
    folder = tmp_path_factory.mktemp("discover")
    text = (CONTRACTS / "folketall.yml").read_text(encoding="utf-8").replace("0301;", "9900;")
    other = text.replace("folketall", "bosatte").replace("concept: population", "concept: residents  # their word")
    contracts = {"folketall": text, "bosatte": other.replace("group: {column", "class: {column") + OWN}
    units = "".join(f"municipality,{code},By {code},1900-01-01,,\n" for code in UNITS)
    for name, content in (
        *((f"contracts/{name}.yml", contract) for name, contract in contracts.items()),
        ("codelists/units.csv", f"kind,code,name,valid_from,valid_to,aliases\n{units}"),
        *((f"{name}.csv", HEADER + "\n".join(delivered(name)) + "\n") for name in contracts),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        patch.setenv("ENGANG_CONTRACTS", "contracts")
        patch.setenv("ENGANG_CODELISTS", "codelists")
        for name in contracts:
            assert engang("submit", f"{name}.csv", "--contract", name, "--sender", name).code == 0
        assert engang("nightly").code == 0
        yield folder


def delivered(contract: str) -> Iterator[str]:
    """Yield the rows of a count: women and men, and in the second one both."""
    women_code, men_code = ("k", "m") if contract == "folketall" else ("1", "2")
    for number, unit in enumerate(UNITS):
        women, men = 1000 + number * 7919 % 977, 1000 + number * 6151 % 953
        yield f"{unit};01.01.2024;{women_code};{women};"
        yield f"{unit};01.01.2024;{men_code};{men + (number == 7 and contract == 'bosatte')};"
        if contract == "bosatte":
            yield f"{unit};01.01.2024;T;{women + men + (number == 7)};"


def rows() -> dict[str, tuple[str, str, str | None]]:
    """Return the ids and the verdict of each suspected row, by the breakdown of its first series."""
    found = engang("discover", "--json").json
    return {row["breakdown_a"]: (row["series_a"], row["series_b"], row["verdict"]) for row in found}


def test_what_is_suspected_is_listed_with_ids_and_differing_figures() -> None:
    text = engang("discover").out
    assert '"class":"T"} ' in text
    assert 'bosatte residents {"class":"1"} + bosatte residents {"class":"2"}' in text
    questions = engang("discover", "review", "--json").json
    assert [(q["kind"], q["agreeing"], len(q["differing"])) for q in questions] == [
        ("sum", 40, 0), ("same", 40, 0), ("same", 39, 1)
    ]  # fmt: skip
    (differing,) = questions[2]["differing"]
    assert differing["value_a"] == differing["value_b"] + 1
    assert "39 of 40 agree" in engang("discover", "review", "--list").out


def test_figures_that_another_agency_may_not_be_shown_are_not_quoted(home: Path) -> None:
    file = home / "contracts" / "folketall.yml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("agency: A test's agency", "agency: Another\nmay_share: none"), encoding="utf-8")
    questions = engang("discover", "review", "--json").json
    file.write_text(text, encoding="utf-8")
    assert [(q["agreeing"], q["differing"]) for q in questions][2] == (39, [])


def test_a_verdict_is_shown_until_a_later_one_and_every_one_is_listed() -> None:
    total, parts, _ = rows()['{"class":"T"}']
    wrong = engang("discover", "verdict", total, parts, "same", "--why", "x")
    assert (wrong.code, "expected derivable, different or later" in wrong.err) == (2, True)
    assert "did you mean" in engang("discover", "verdict", total[:-1], parts, "later", "--why", "x").err
    for verdict in ("derivable", "later"):
        engang("discover", "verdict", parts, total, verdict, "--why", "they add up", "--by", "kari")
        assert rows()['{"class":"T"}'][2] == verdict
    listed = engang("discover", "verdicts", "--json").json
    assert [(row["verdict"], row["who"], row["why"]) for row in listed][-2:] == [
        ("derivable", "kari", "they add up"), ("later", "kari", "they add up")
    ]  # fmt: skip
    assert listed[-1]["at"]
    assert "summed" not in engang("discover", "verdicts").out


def test_an_accepted_sum_becomes_a_roll_up_of_its_concept() -> None:
    total, parts, _ = rows()['{"class":"T"}']
    engang("discover", "verdict", total, parts, "derivable", "--why", "they add up")
    change = engang("discover", "change", "bosatte", "--json").json
    assert "+    derives: [{over: class, parts: ['1', '2']}]" in change["diff"]
    assert change["file"] is None
    engang("discover", "verdict", total, parts, "later", "--why", "not now")
    nothing = engang("discover", "change", "bosatte")
    assert (nothing.code, "nothing is accepted" in nothing.err) == (2, True)


def test_a_review_asks_records_and_the_contract_changes_on_request(home: Path) -> None:
    file = home / "contracts" / "bosatte.yml"
    before = file.read_text(encoding="utf-8")
    answers = "r wrong kind\ns one count\ns\nx\ns one count\nk\n"
    asked = engang("discover", "review", "--by", "ola", answers=answers)
    assert "expected one of s, r, d, l, k, q" in asked.out
    assert "expected same, different or later" in asked.err
    assert asked.out.endswith("2 decided\n")
    assert [verdict for _, _, verdict in rows().values()] == ["later", "same", "same"]
    shown = engang("discover", "change", "bosatte")
    assert "+  - concept: population  # their word" in shown.out
    assert "+version: 2" in shown.out
    assert "nothing is written" in shown.err
    assert file.read_text(encoding="utf-8") == before
    assert 'nothing was decided of {"class": "T"}' in shown.err
    assert engang("discover", "change", "bosatte", "--to", "new", "--json").json["file"] == "new/bosatte.yml"
    engang("discover", "change", "bosatte", "--write")
    assert "residents  #" not in file.read_text(encoding="utf-8")
    assert engang("backfill", "--contract", "bosatte", "--yes").code == 0
    overlap = engang("query", "SELECT sum(items)::INT AS n FROM overlap", "--format", "json").json
    assert overlap == [{"n": 80}]
