"""Kinds with rare words, comparisons over several fields and reporters of their own, from a draft to the night."""

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.cli.record_stories import print_pair
from flows.installation import Installation, open_installation
from flows.intake.deliveries import Delivery
from flows.intake.registration import receive
from flows.queries.kind_release import open_kind, standing_reports
from flows.queries.pairs import compare_pairs
from flows.release.build import night
from flows.release.verify import verify
from infra.lake.item_tables import kind_tables
from infra.ledger import releases as ledger_releases
from schemas.kind import Kind
from tests.support.cli_runner import engang
from tests.support.temporary_installation import unchecked
from tests.support.wreck_installation import pin
from transforms.linkage import unblocked
from transforms.linkage.comparisons import splink_settings
from transforms.linkage.model import MatchModel, WordWeights

KIND = """
kind: boat
version: 1
title: {en: Boat, nb: Båt, nn: Båt}
one_report_per_item: {reporters: [north]}
fields:
  owner: {type: text, role: attribute, doc: Given name}
  family: {type: text, role: attribute, doc: Surname}
  name: {type: text, role: comparison, doc: Name, clean: [accents], compare: {by: words, levels: [4]}}
comparisons:
  person: {fields: [owner, family], doc: Who, compare: {by: names, levels: [0.9]}}
blocking:
  - [{field: name, rare: word, most: 3}]
  - [{field: owner, other: family}]
thresholds: {automatic: 0.9, review: 0.2}
"""
CONTRACT = """
contract: boats
version: 1
obligation: boats
title: {en: Boats, nb: Båter, nn: Båtar}
agency: Example agency
legal_basis: none
rhythm: yearly
hours_per_report: null
sender: {default: agency}
format: {type: csv, delimiter: ","}
record:
  kind: boat
  reported_by: {column: harbour}
  report_key: [number]
  row_key: number
  fields: {owner: {column: owner}, family: {column: family}, name: {column: name}}
examples: [{name: none, given: ""}]
"""
PRIOR = 0.3


def model(kind: Kind) -> MatchModel:
    """Return a model: a name in common and the same person weigh 6 bits each, all that differs -4."""
    settings = splink_settings(kind)
    for comparison in settings["comparisons"]:
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        for n, level in enumerate(levels):
            level |= {"m_probability": 2.0**-3 if n < len(levels) - 1 else 2.0**-13, "u_probability": 2.0**-9}
    settings["probability_two_random_records_match"] = PRIOR
    return MatchModel(kind.kind, kind.match_digest(), settings, {}, {"name": WordWeights({}, 5.0)}, 3.0, {})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    for folder, file, text in (("kinds", "boat.yml", KIND), ("contracts", "boats.yml", CONTRACT)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text(text, encoding="utf-8")
        monkeypatch.setenv(f"ENGANG_{folder.upper()}", str(tmp_path / folder))
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
    installation = open_installation()
    pin(installation, model(installation.kind("boat")))
    return installation


def deliver(home: Installation, *rows: tuple[object, ...]) -> None:
    lines = ["number,harbour,owner,family,name", *(",".join(map(str, row)) for row in rows)]
    content = ("\n".join(lines) + "\n").encode()
    (receipt,) = next(iter(receive(home, [Delivery(f"{rows[0][0]}.csv", content, "boats", "agency")])))
    assert receipt.status == "registered", receipt


def table(home: Installation, name: str) -> pl.DataFrame:
    last = ledger_releases.current_release(home.engine)
    assert last is not None
    return kind_tables(home.settings.lake, home.kind("boat")).live(name, last["tables"]).collect()


def items(home: Installation) -> list[list[str]]:
    """Return the numbers of the reports of each item."""
    groups = table(home, "boat_sources").group_by("item_id").agg(pl.col("row_keys").explode().sort())
    return sorted(groups["row_keys"].to_list())


def test_nights_with_rare_words_equal_a_rebuild(home: Installation) -> None:
    with unchecked():
        deliver(home, (1, "south", "", "", "Havbris I"), (2, "east", "", "", "HAVBRIS II"))
        night(home)
        assert items(home) == [["1", "2"]]
        deliver(home, (3, "west", "Ann", "Berg", ""), (4, "east", "Berg", "Ann", ""))
        night(home)
        deliver(home, (5, "west", "", "", "Havbris III"), (6, "south", "", "", "Havbris IV"))
        night(home)  # four share the word now: it is not rare any more
        assert items(home) == [["1"], ["2"], ["3", "4"], ["5"], ["6"]]
        result = verify(home)
    assert result.same, result


def test_a_common_word_is_named_once_without_a_value(home: Installation) -> None:
    with unchecked():
        deliver(home, *((n, "south", "", "", "Havbris på havet") for n in range(8)))
        outcome = night(home)
    assert outcome.release
    status = engang("status", "--json").json
    (warning,) = [row for row in status["record_warnings"] if row["what"] == "values not used for blocking"]
    assert warning["detail"] == "rare word of name: more than 3 reports share a value, at most 8"
    assert "avbris" not in warning["detail"]
    assert warning["count"] == 3


def test_pairs_that_a_night_leaves_without_a_weight_are_counted(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unblocked, "MAX_SCORED_GROUP", 2)
    with unchecked():
        deliver(
            home, (1, "south", "", "", "Havbris"), (2, "east", "", "", "Havbris Terna"), (3, "west", "", "", "Terna")
        )
        night(home)
    (warning,) = engang("status", "--json").json["record_warnings"]
    assert (warning["what"], warning["count"]) == ("pairs without a weight", 3)
    assert warning["detail"].startswith("1 pairs in components of more than")


def test_only_some_reporters_report_an_item_once(home: Installation) -> None:
    with unchecked():
        deliver(
            home,
            (1, "north", "", "", "Havbris"), (2, "north", "", "", "Havbris"),
            (3, "south", "", "", "Terna"), (4, "south", "", "", "Terna"),
        )  # fmt: skip
        night(home)
    assert items(home) == [["1"], ["2"], ["3", "4"]]


def test_the_terms_of_a_comparison_over_several_fields_are_shown(
    home: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    with unchecked():
        deliver(home, (3, "west", "Ann", "Berg", "Terna"), (4, "east", "Berg", "Ann", "Terna"))
        night(home)
    release = open_kind(home, home.kind("boat"))
    reports = standing_reports(release, pl.lit(True))
    ends = sorted(reports["report_id"])
    (pair,) = compare_pairs(release, pl.DataFrame({"a": [ends[0]], "b": [ends[1]]}), reports)
    assert pair.compared_by == ("rare word of name", "owner or family")
    (person,) = [field for field in pair.fields if field["field"] == "person"]
    assert {person["a"], person["b"]} == {"Ann Berg", "Berg Ann"}
    assert (person["level"], person["mark"]) == ("given name and surname exchanged", "alike")
    print_pair(pair)
    printed = capsys.readouterr().out
    assert "person" in printed
    assert "given name and surname exchanged" in printed
    assert "compared by rare word of name; owner or family" in printed


def test_blocks_are_shown_before_anything_is_trained(home: Installation) -> None:
    deliver(home, (1, "south", "Ann", "Berg", "Havbris"), (2, "east", "Berg", "Ann", "Havbris"))
    shown = engang("blocks", "boat")
    assert shown.code == 0
    assert "boat: 2 reports, 1 candidate pairs" in shown.out
    assert "recall cannot be estimated" in shown.out
    (first, second) = engang("blocks", "boat", "--json").json["rules"]
    assert (first["rule"], first["pairs"], second["pairs"]) == ("rare word of name", 1, 2)
    assert engang("blocks", "ship").code == 2


def persons(count: int) -> pl.DataFrame:
    """Return persons, each listed twice, the second time with a mistake in one value."""
    draw = random.Random(5)
    rows: list[dict[str, Any]] = []
    for n in range(count):
        row = {
            "first_name": draw.choice(["Anna", "Ole", "Kari", "Per", "Ida", "Nils", "Liv", "Jon"]),
            "last_name": draw.choice(["Berg", "Dahl", "Vik", "Lund", "Moen", "Haug", "Bakke", "Lie"]),
            "born": f"19{draw.randint(40, 99)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
            "mail": f"{draw.randrange(10**6):x}{n}@example.no",
        }
        wrong = draw.choice([*row])
        rows += [{"nr": 2 * n, **row}, {"nr": 2 * n + 1, **row, wrong: f"{row[wrong][:-1]}x"}]
    return pl.DataFrame(rows)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_drafted_kind_trains_and_resolves_without_edits(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"people.{suffix}"
    table_ = persons(150)
    table_.write_csv(file) if suffix == "csv" else table_.write_parquet(file)
    drafted = engang("kinds", "new", "--from", file, "--as", "people", "--json").json
    assert (drafted["key"], drafted["reporter"]) == ("nr", None)
    (tmp_path / "contracts" / "people.yml").write_text(drafted["contract"], encoding="utf-8")
    assert engang("submit", file, "-c", "people").code == 0
    assert engang("train", "people").code == 0
    with unchecked():
        night(open_installation())
    last = ledger_releases.current_release(open_installation().engine)
    assert last is not None
    assert 145 <= last["counts"]["people"] <= 160


@pytest.mark.usefixtures("home")
def test_a_draft_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("nr;name\n1;Søren\n2;Åse\n", encoding="cp1252")
    for arguments, expected in (
        (("--as", "boat"), "exists"),
        (("--as", "Boat 1"), "is no name for a kind"),
        (("--ignore", "names"), "has no column 'names'"),
        ((), "few enough records"),
    ):
        ran = engang("kinds", "new", "--from", file, *arguments)
        assert ran.code == 2
        assert expected in ran.err
    missing = engang("kinds", "new", "--from", tmp_path / "none.csv")
    assert missing.code == 2
    assert "cannot be read" in missing.err
