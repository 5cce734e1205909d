"""`engang concepts`, and contracts that use what the vocabulary does not have."""

from pathlib import Path

import pytest

from tests.support.cli_runner import Run, engang
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER

pytestmark = pytest.mark.usefixtures("unchecked")

ROW = "0301;01.01.2024;alle;5;\n"
OWN = """\
concepts:
  berries:
    title: {nb: Bær, nn: Bær, en: Berries}
    definition: Berries that were picked.
    measures: [kilograms]
    dimensions: [group]
"""


@pytest.fixture
def contracts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of contracts of an installation of its own."""
    folder = tmp_path / "contracts"
    folder.mkdir()
    for path in CONTRACTS.glob("*.yml"):
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(folder))
    for name in ("ENGANG_LEDGER", "ENGANG_CODELISTS", "ENGANG_VOCABULARY"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def run() -> Run:
    return engang


def change(folder: Path, *changes: tuple[str, str], name: str = "folketall") -> None:
    text = (CONTRACTS / "folketall.yml").read_text(encoding="utf-8")
    for old, new in (("contract: folketall", f"contract: {name}"), *changes):
        assert old in text
        text = text.replace(old, new)
    (folder / f"{name}.yml").write_text(text, encoding="utf-8")


def test_concepts_are_listed_with_who_reports_them(contracts: Path, run: Run) -> None:
    listed = run("concepts")
    assert listed.code == 0, listed.err
    assert "population" in listed.out
    assert "No other contract can report the same items" in listed.out
    found = run("concepts", "--json").json
    assert [row["concept"] for row in found["concepts"]] == ["payment", "population"]
    assert {each["contract"] for each in found["alone"]} == {"betaling", "folketall"}
    change(contracts, name="annet")
    found = run("concepts", "--json").json
    assert [row["contracts"] for row in found["concepts"]] == [["betaling"], ["annet", "folketall"]]
    assert [each["contract"] for each in found["alone"]] == ["betaling"]
    assert len(run("concepts", "--all", "--json").json["concepts"]) > 100
    (line,) = [line for line in run("concepts", "--all", "--language", "nn").out.splitlines() if "job_seekers" in line]
    assert ("Arbeidssøkjarar" in line, "Persons who are registered as looking for work." in line) == (True, True)


def test_a_typo_costs_its_own_contract_and_names_the_nearest(contracts: Path, run: Run, tmp_path: Path) -> None:
    change(contracts, ("concept: population", "concept: populaton"), name="annet")
    file = tmp_path / "folk.csv"
    file.write_text(HEADER + ROW)
    refused = run("submit", str(file), "-c", "annet", "--sender", "oslo")
    assert refused.code == 1
    assert "no concept 'populaton' in the vocabulary; did you mean 'population'?" in refused.err
    assert run("submit", str(file), "-c", "folketall", "--sender", "oslo").code == 0


def test_an_own_vocabulary_is_used_in_addition(
    contracts: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(contracts, ("concept: population", "concept: berries"), ("{value: persons}", "{value: tonnes}"))
    assert run("contracts", "show", "folketall").code == 1
    (tmp_path / "vocabulary").mkdir()
    (tmp_path / "vocabulary" / "own.yml").write_text(OWN, encoding="utf-8")
    monkeypatch.setenv("ENGANG_VOCABULARY", str(tmp_path / "vocabulary"))
    assert run("contracts", "show", "folketall").code == 0
    shown = next(row for row in run("concepts", "--json").json["concepts"] if row["concept"] == "berries")
    assert (shown["declared_by"], shown["contracts"]) == ("own.yml", ["folketall"])
    monkeypatch.setenv("ENGANG_VOCABULARY", str(tmp_path / "absent"))
    wrong = run("concepts")
    assert wrong.code == 1
    assert "ENGANG_VOCABULARY" in wrong.err


def test_a_converted_measure_is_published_in_the_concepts_own(contracts: Path, run: Run, tmp_path: Path) -> None:
    minutes = (("concept: population", "concept: working_hours"), ("{value: persons}", "{value: minutes}"))
    change(contracts, *minutes, ("value: 709037}", 'value: "11817.283333333"}'))
    file = tmp_path / "hours.csv"
    file.write_text(HEADER + "0301;01.01.2024;alle;90;\n")
    assert run("submit", str(file), "-c", "folketall", "--sender", "oslo").code == 0
    assert run("nightly").code == 0
    sql = "SELECT unit_measure, o.value, original FROM observations o JOIN sources USING (item_id)"
    assert run("query", sql, "--format", "csv").out.splitlines()[1:] == ["hours,1.5,90"]
    assert run("verify").code == 0


def test_a_vocabulary_that_has_grown_is_no_change_of_the_contract(
    contracts: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "vocabulary"
    own.mkdir()
    monkeypatch.setenv("ENGANG_VOCABULARY", str(own))
    codes = "dimensions:\n  group:\n    title: {nb: gruppe, nn: gruppe, en: group}\n    codes:\n"
    code = "      %s: {nb: %s, nn: %s, en: %s}\n"
    (own / "own.yml").write_text(codes + code % (("alle",) * 4))
    file = tmp_path / "folk.csv"
    file.write_text(HEADER + ROW + ROW.replace("alle", "noen").replace("0301", "1120"))
    given = ("folk.csv", "-c", "folketall", "--sender", "oslo")
    monkeypatch.chdir(tmp_path)
    assert contracts.is_dir()
    refused = run("submit", *given)
    assert refused.code == 1
    assert "one of alle" in refused.out
    assert run("nightly").code == 0

    (own / "own.yml").write_text(codes + code % (("alle",) * 4) + code % (("noen",) * 4))
    assert run("check", *given).code == 0
    assert run("backfill", "--contract", "folketall", "--yes").code == 0
    assert run("query", "SELECT count(*) AS n FROM observations", "--format", "csv").out.split() == ["n", "2"]
    assert run("verify").code == 0
