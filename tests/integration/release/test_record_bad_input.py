"""Bad input to record matching: each problem is named, nothing is lost, and the last release stays current."""

import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from flows.installation import Installation, open_installation
from flows.matching.decisions import decide, withdraw_decision
from flows.queries.sql import query
from flows.release import build as nights
from flows.release.build import night
from flows.release.verify import verify
from flows.releases import find_release as current
from flows.releases import read_table
from infra.checks import engine as checks
from infra.lake.item_tables import kind_tables
from infra.ledger import records as ledger_records
from infra.ledger import releases as ledger_releases
from schemas.errors import ContractError, UsageError
from tests.support import wreck_installation
from tests.support.killing import KILLED, Do, Message, look, started
from tests.support.mishap_frames import KIND as SMALL
from tests.support.mishap_frames import deliveries
from tests.support.wreck_installation import deliver, open_wrecks, released, report

VIK = {"place": "Vik", "day": "2024-03-01", "speed": 40}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """Give an installation of wrecks; its nights leave Great Expectations out."""
    for name, value in wreck_installation.folders(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(nights, "check_staged", lambda *_: [])
    monkeypatch.setattr(checks, "preload", lambda: None)
    installation = open_wrecks()
    yield installation
    installation.engine.dispose()


def rows(installation: Installation, name: str = "wreck") -> pl.DataFrame:
    """Return a table of the current release."""
    return read_table(installation, name, current(installation)).collect()


def items(installation: Installation) -> set[frozenset[str]]:
    """Return which reports are together."""
    sources = rows(installation, "wreck_sources").group_by("item_id").agg(pl.col("report_id").unique())
    return {frozenset(reports) for reports in sources["report_id"]}


def buckets(installation: Installation, submission: str) -> dict[str, int]:
    """Return where a submission's rows ended."""
    counts = ledger_releases.read_row_counts(installation.engine, current(installation)["release"])
    return dict(counts.filter(submission_id=submission).select("bucket", "rows").iter_rows())


def assert_sound(installation: Installation) -> None:
    """See that a rebuild gives what the nights gave."""
    assert verify(installation).same


@pytest.mark.usefixtures("home")
def test_a_block_that_explodes_is_named_capped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "kinds" / "wreck.yml"
    path.write_text(path.read_text().replace("largest_block: 5\n", ""))
    big = open_installation()
    assert big.kinds["wreck"].largest_block == 1000
    wreck_installation.pin(big, wreck_installation.model(big.kinds["wreck"]))
    chance, reports = random.Random(3), []
    for number in range(1500):
        place = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=9))
        reports += [
            {"number": f"{number}-{r}", "railroad": r, "place": place, "day": "2024-03-01"} for r in ("UP", "NS")
        ]
    receipt = deliver(big, *reports)
    messages: list[str] = []
    done = night(big, messages.append)
    assert done.counts["wreck"] == 1500  # the other rule still finds the pairs
    (warning,) = [line for line in messages if "over the limit" in line]
    assert "day = 2024-03-01" in warning
    assert "3000 reports" in warning
    warnings = ledger_records.read_record_warnings(big.engine, 1)
    assert warnings.rows() == [(1, "wreck", "block over the limit", "day = 2024-03-01", 3000)]
    assert query(big, "SELECT * FROM record_warnings").equals(warnings)
    assert sum(buckets(big, receipt.submission_id).values()) == 3000
    messages.clear()
    deliver(big, {"number": "new", "railroad": "CN", "place": "Vik", "day": "2024-03-01"}, filename="more.csv")
    assert night(big, messages.append).counts["wreck"] == 1501
    assert any("3001 reports" in line for line in messages)


def test_reports_with_nothing_to_compare_are_items_of_their_own(home: Installation) -> None:
    nothing = [{"number": n, "railroad": r} for n in (1, 2) for r in ("UP", "NS")]
    texts = [{"number": 3, "railroad": "CN", "story": "Only a story"}, {"number": 4, "railroad": "BNSF"}]
    receipt = deliver(home, *nothing, *texts)
    assert night(home).counts["wreck"] == 6
    assert buckets(home, receipt.submission_id) == {"published": 6}
    a, b = report(1, "UP"), report(2, "NS")
    decide(home, (a, b), "same", why="seen", who="Kari")
    assert night(home).counts["wreck"] == 5
    assert frozenset({a, b}) in items(home)
    assert_sound(home)


def test_a_sender_neither_corrects_nor_withdraws_the_report_of_another(home: Installation) -> None:
    from flows.intake.deliveries import Delivery
    from flows.intake.registration import receive

    file = wreck_installation.csv({"number": 1, "railroad": "UP", **VIK})
    files = [Delivery("a.csv", file, "wrecks", sender) for sender in ("agency", "other")]
    first, second = (r.submission_id for receipts in receive(home, files) for r in receipts)
    assert night(home).counts["wreck"] == 2  # two reports by one reporter are two items
    assert buckets(home, first) == buckets(home, second) == {"published": 1}
    assert rows(home, "wreck_sources")["report_id"].n_unique() == 2
    assert rows(home).select("reports", "reporters", "agreement").rows() == [(1, 1, "single")] * 2
    assert_sound(home)


def test_a_report_and_its_equal_by_another_reporter_are_one_item(home: Installation) -> None:
    assert released(home, *({"number": 1, "railroad": r, **VIK} for r in ("UP", "NS"))).counts["wreck"] == 1
    assert rows(home).select("reports", "reporters", "agreement").rows() == [(2, 2, "complete")]
    assert released(home, {"number": 2, "railroad": "UP", **VIK}).counts["wreck"] == 2  # equal, of one reporter: two


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("blocking: [[day]", "blocking: [[dya]", "unknown field 'dya'; did you mean 'day'"),
        ("prefix: 4", "prefiks: 4", "prefiks"),
        ("levels: [5]", "levels: [5, 1]", "from the nearest to the farthest"),
    ],
)
def test_a_kind_file_that_is_wrong_is_named(
    tmp_path: Path, home: Installation, right: str, wrong: str, expected: str
) -> None:
    released(home, {"number": 1, "railroad": "UP", **VIK})
    path = tmp_path / "kinds" / "wreck.yml"
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong))
    deliver(home, {"number": 2, "railroad": "UP", **VIK}, filename="more.csv")
    with pytest.raises(ContractError, match=expected) as caught:
        night(open_installation())
    assert "wreck.yml" in str(caught.value)
    assert current(home)["release"] == 1
    assert night(home).counts["wreck"] == 2


def test_a_contract_that_names_an_unknown_field_is_named(tmp_path: Path, home: Installation) -> None:
    path = tmp_path / "contracts" / "wrecks.yml"
    path.write_text(path.read_text().replace("    place: {column: place}", "    palce: {column: place}"))
    with pytest.raises(ContractError, match=r"palce.*place"):
        open_installation().contract("wrecks")
    assert home.kinds


def test_a_model_of_another_version_of_the_kind_is_refused_and_the_release_stands(
    tmp_path: Path, home: Installation
) -> None:
    before = released(home, *({"number": 1, "railroad": r, **VIK} for r in ("UP", "NS")))
    path = tmp_path / "kinds" / "wreck.yml"
    right = path.read_text()
    path.write_text(right.replace("levels: [5]", "levels: [6]"))
    deliver(home, {"number": 2, "railroad": "CN", **VIK}, filename="more.csv")
    changed = open_installation()
    with pytest.raises(UsageError, match="was trained for another version of the kind"):
        night(changed)
    assert (current(home)["release"], current(home)["digest"]) == (1, before.digest)
    assert rows(home)["reports"].to_list() == [2]
    wreck_installation.pin(changed, wreck_installation.model(changed.kinds["wreck"]))
    assert night(changed).release == 2
    assert rows(changed)["reports"].to_list() == [3]
    assert_sound(changed)


def test_contradictory_decisions_keep_separate_what_is_different(home: Installation) -> None:
    rows = [{"number": n, "railroad": r} for n, r in ((1, "UP"), (2, "NS"), (3, "CN"))]
    released(home, *rows)
    a, b, c = (report(n, r) for n, r in ((1, "UP"), (2, "NS"), (3, "CN")))
    made = [
        decide(home, pair, verdict, why="seen", who="Kari")
        for pair, verdict in (((a, b), "same"), ((b, c), "same"), ((a, c), "different"), ((a, b), "unsure"))
    ]
    assert any("different" in warning for warning in made[2].warnings)
    night(home)
    (pair,) = (together for together in items(home) if len(together) == 2)
    assert pair in ({a, b}, {b, c})
    assert_sound(home)
    both = decide(home, (a, b), "different", why="seen", who="Ola")
    night(home)
    assert items(home) == {frozenset({a}), frozenset({b, c})}
    withdraw_decision(home, made[2].id, why="wrong", who="Kari")
    withdraw_decision(home, both.id, why="wrong", who="Ola")
    night(home)
    assert items(home) == {frozenset({a, b, c})}
    assert_sound(home)


def test_a_decision_on_a_withdrawn_report_sleeps_and_wakes(home: Installation) -> None:
    from flows.intake.registration import withdraw

    first = deliver(home, {"number": 1, "railroad": "UP"})
    deliver(home, {"number": 2, "railroad": "NS"}, filename="more.csv")
    a, b = report(1, "UP"), report(2, "NS")
    night(home)
    withdraw(home, first.submission_id)
    assert night(home).counts["wreck"] == 1
    made = decide(home, (a, b), "same", why="seen", who="Kari")
    assert any("inactive until redelivery" in warning for warning in made.warnings)
    night(home)
    assert items(home) == {frozenset({b})}
    assert_sound(home)
    deliver(home, {"number": 1, "railroad": "UP"})
    night(home)
    assert items(home) == {frozenset({a, b})}
    withdraw_decision(home, made.id, why="wrong", who="Kari")
    night(home)
    assert items(home) == {frozenset({a}), frozenset({b})}
    assert rows(home)["item_id"].sort().to_list() == sorted([a, b])
    assert_sound(home)


def test_text_of_any_script_and_none_at_all(home: Installation) -> None:
    strange = ("東京駅", "Ærøskøbing", "Á\u030á", "😀 🚂", "\u200b", "' OR 1=1; --", "%_\\", "  ")
    reports = [
        {"number": f"{n}-Ø'{r}", "railroad": r, "place": place, "day": "2024-03-01", "story": place * 3}
        for n, place in enumerate(strange)
        for r in ("UP", "Ål")
    ]
    receipt = deliver(home, *reports)
    assert receipt.rejected == 0
    night(home)
    assert sum(buckets(home, receipt.submission_id).values()) == len(reports)
    assert rows(home)["reports"].sum() == len(reports)
    assert "東京駅" in rows(home)["place"].to_list()
    assert_sound(home)


def test_a_kind_whose_first_records_come_in_two_batches_at_once(tmp_path: Path) -> None:
    rows, kind = deliveries([{}, {}]).with_columns(batch=pl.lit("b")), SMALL
    for n in range(20):
        root = tmp_path / str(n)
        with ThreadPoolExecutor(2) as pool:  # as `receive` does
            done = [pool.submit(kind_tables(root, kind).append, "mishap_records", rows) for _ in range(2)]
        assert [each.result() for each in done] == [None, None]
        assert kind_tables(root, kind).scan("mishap_records").collect().height == 4


# Killed -9

FIRST = {"a.csv": [{"number": n, "railroad": r, **VIK, "day": f"2024-03-0{n}"} for n in (1, 2) for r in ("UP", "NS")]}
SECOND = {
    "b.csv": [{"number": 3, "railroad": "CN", **VIK}, {"number": 4, "railroad": "BNSF", "place": "Ås"}],
    "c.csv": [{"number": 5, "railroad": "CN", **VIK, "day": "2024-03-02"}],
}
DECIDED = [("1", "UP"), ("3", "CN")]


@pytest.fixture(scope="module")
def do() -> Iterator[Do]:
    with started("killable_wrecks") as ask:
        yield ask


def without_runs(seen: Message) -> Message:
    return {key: value for key, value in seen.items() if key != "runs"}


def test_killed_while_scoring_resolving_and_writing(do: Do, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.mkdir()
    for step, arguments in (
        ("submit", {"files": FIRST}), ("nightly", {}), ("submit", {"files": SECOND}),
        ("decide", {"pair": DECIDED, "verdict": "different"}),
    ):  # fmt: skip
        assert do(ready, step, **arguments)["ended"] == 0
    before = look(do, ready)
    whole = Path(shutil.copytree(ready, tmp_path / "whole"))
    ticks = do(whole, "nightly")["ticks"]
    end = look(do, whole)
    assert (end["release"], end["counted"], end["digest"]) == (2, [True], end["lake"])
    early = [ticks.index("score_pairs") + 1, ticks.index("cluster_reports") + 1]
    late = list(range(early[1] + 1, len(ticks) + 1, 25))
    home = Path(shutil.copytree(ready, tmp_path / "home"))
    for kill_at in (*early, *late, len(ticks)):
        assert do(home, "nightly", kill_at=kill_at)["ended"] == KILLED
        seen = look(do, home)
        if seen["release"] == 1:
            assert without_runs(seen) == without_runs(before)
            if kill_at == late[0]:  # once the next night comes at once, else after all deaths
                once = Path(shutil.copytree(home, tmp_path / "once"))
                assert do(once, "nightly")["ended"] == 0
                assert without_runs(look(do, once)) == without_runs(end)
        else:
            break
    assert do(home, "nightly")["ended"] == 0
    after = look(do, home)
    assert without_runs(after) == without_runs(end)
    assert "running" not in after["runs"]
