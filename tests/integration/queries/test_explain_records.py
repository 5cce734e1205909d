"""Explain and why-not for records: where an id is, what ties reports together, what keeps them apart, and by what.

One installation is made once: its first release holds most of what is asked; in the second decisions join and part
reports, in the third they are undone.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flows.cli.record_stories import print_story, print_why_not
from flows.installation import Installation
from flows.matching.decisions import decide, withdraw_decision
from flows.queries.item_history import event_sentence
from flows.queries.kind_release import current_item, open_kind
from flows.queries.known_ids import kind_of
from flows.queries.record_story import RecordStory, explain_record
from flows.queries.why_not import WhyNot, why_not
from flows.release.build import night
from infra.ledger import submissions as ledger_submissions
from schemas.errors import UsageError
from tests.support import wreck_installation
from tests.support.wreck_installation import AUTOMATIC, deliver, report

pytestmark = pytest.mark.usefixtures("unchecked")
VIK = {"place": "Vik", "day": "2024-03-01"}
ROWS = (
    {"number": 1, "railroad": "UP", **VIK, "speed": 40, "story": "it left the rails"},
    {"number": 2, "railroad": "BNSF", **VIK, "speed": 42},
    {"number": 3, "railroad": "CSX", "place": "Voss", "day": "2024-03-01", "speed": 40},
    {"number": 4, "railroad": "NS", "place": "Alta", "day": "2024-09-09"},
    *({"number": n, "railroad": f"C{n}", "place": "Otta", "day": f"2024-05-0{n}", "speed": 9} for n in (5, 6, 7)),
    *({"number": n, "railroad": f"D{n}", "day": "2022-02-02", "place": f"{chr(97 + n)}by"} for n in range(10, 17)),
    *({"number": n, "railroad": f"E{n}", "case": "c-2", "place": "Bodø"} for n in range(20, 32)),
    *({"number": n, "railroad": f"F{n}", "case": "c-3", "day": f"2019-0{n}-01"} for n in (1, 2)),
    {"number": 40, "railroad": "UP", "place": "Skien", "day": "2018-01-01", "speed": 5},
    {"number": 41, "railroad": "NS", "place": "Skien", "day": "2018-01-01", "speed": 6},
    {"number": 42, "railroad": "UP", "place": "Skien", "day": "2018-01-01", "speed": 12},
)
ID = {row["number"]: report(row["number"], str(row["railroad"])) for row in ROWS if row.get("case") != "c-3"}
SAME_CASE = [report(n, f"F{n}") for n in (1, 2)]
NEW = report(9, "UP")
FIRST, SECOND = sorted((ID[1], ID[2]))
"""The reports of one wreck: the item bears the first one's id."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder with the kind and its contract, and make it the environment's installation."""
    root = tmp_path_factory.mktemp("wrecks")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in wreck_installation.folders(root).items():
            patch.setenv(name, value)
        patch.delenv("ENGANG_LEDGER", raising=False)
        yield root


@pytest.fixture(scope="module")
def home(environment: Path) -> Installation:
    """Open an installation with three releases, and a fourth that waits."""
    assert environment.is_dir()
    installation = wreck_installation.open_wrecks()
    deliver(installation, ROWS[0], filename="one.csv")
    wreck_installation.released(installation, *ROWS[1:])
    decide(installation, (ID[1], ID[4]), "same", why="one derailment", who="Kari")
    decide(installation, (ID[5], ID[6]), "different", why="two trains", who="Kari")
    decide(installation, (SAME_CASE[0], SAME_CASE[1]), "different", why="a slip", who="Kari")
    new = deliver(installation, {"number": 9, "railroad": "UP", "place": "Rana", "day": "2025-01-01"})
    night(installation)
    withdraw_decision(installation, 1, why="two after all", who="Ola")
    ledger_submissions.set_status(installation.engine, new.submission_id, "withdrawn")
    night(installation)
    decide(installation, (ID[1], ID[3]), "same", why="one", who="Kari")
    deliver(installation, {"number": 50, "railroad": "UP", "place": "Rana", "day": "2025-01-01"})
    return installation


def story(home: Installation, id_: str, release: int | None = None) -> RecordStory:
    kind = kind_of(home, id_)
    assert kind is not None
    return explain_record(home, kind, id_, release)


def item_of(home: Installation, id_: str, release: int | None = None) -> str | None:
    return current_item(open_kind(home, home.kinds["wreck"], release), id_)


def events(record_story: RecordStory) -> list[str]:
    return [event_sentence(event) for event in record_story.history]


def reasons(answer: WhyNot) -> tuple[str, float | None]:
    return answer.verdict, answer.pair.weight if answer.pair else None


# Explain


def test_an_item_is_reported_with_its_reports_and_their_agreement(home: Installation) -> None:
    shown = story(home, FIRST, 1)
    assert (shown.kind, shown.release, shown.item_id, shown.automatic) == ("wreck", 1, FIRST, AUTOMATIC)
    assert (shown.now, shown.history) == (f"{FIRST} is an item of release 1", [])
    assert shown.item is not None
    assert (shown.item["reports"], shown.item["conflicting"]) == (2, ["speed"])
    assert {(row["report_id"], row["filename"], row["row"], row["standing"]) for row in shown.reports} == {
        (ID[1], "one.csv", 2, True), (ID[2], "wrecks.csv", 2, True),
    }  # fmt: skip
    assert {field["field"]: (field["agreement"], field["chosen"]) for field in shown.fields} == {
        "case": ("none", None), "place": ("same", None), "day": ("same", None), "causes": ("none", None),
        "speed": ("conflict", "of the values that equally many reports say the one whose report has the least id"),
        "story": ("one", None),
    }  # fmt: skip


def test_a_pair_s_weight_is_reported_step_by_step(home: Installation) -> None:
    (pair,) = story(home, FIRST, 1).pairs
    assert (pair.ends, pair.weight, pair.stored) == ((FIRST, SECOND), 7.0, True)
    assert pair.compared_by == ("day", "first 4 of place + month of day")
    assert [(s["step"], s["level"], s["bits"], s["after"]) for s in pair.steps] == [
        ("(prior)", "before anything is compared", -8.0, -8.0),
        ("place", "the same", 8.0, 0.0),
        ("day", "the same", 6.0, 6.0),
        ("speed", "5 apart", 1.0, 7.0),
        ("story", "not told by both", 0.0, 7.0),
        ("(sum)", "all together", 7.0, 7.0),
    ]
    marks = {field["field"]: field["mark"] for field in pair.fields}
    assert marks == {
        "case": "none", "place": "same", "day": "same", "speed": "alike", "causes": "none", "story": "one",
    }  # fmt: skip


def test_the_weights_reported_are_those_that_the_release_keeps(home: Installation) -> None:
    edges = open_kind(home, home.kinds["wreck"], 1).live("edges").select("a", "b", "weight").collect()
    weights = {(a, b): weight for a, b, weight in edges.iter_rows()}
    for number in (5, 41):
        for pair in story(home, ID[number], 1).pairs:
            assert pair.weight == weights[pair.ends]


def test_a_report_leads_to_its_item(home: Installation) -> None:
    assert story(home, SECOND, 1).now == f"report {SECOND} belongs to item {FIRST} in release 1"


def test_what_is_not_released_yet_says_so(home: Installation) -> None:
    waits = report(50, "UP")
    shown = story(home, waits)
    assert (shown.item, shown.pairs, shown.history) == (None, [], [])
    assert shown.now == f"report {waits} is delivered and not released yet: `engang nightly` publishes it"
    asked = why_not(home, waits, ID[1])
    assert (asked.verdict, asked.why) == ("not released", [shown.now])
    assert story(home, NEW, 1).now == f"report {NEW} is withdrawn: it is in no item of release 1"
    assert (
        story(home, waits, 1).now
        == f"report {waits} is not in release 1: it was delivered later, or did not count then"
    )


def test_a_withdrawn_report_and_its_item_are_retired(home: Installation) -> None:
    assert item_of(home, NEW, 2) == NEW
    shown = story(home, NEW)
    assert shown.now == f"report {NEW} is withdrawn: it is in no item of release 3"
    (event,) = events(shown)
    assert event.startswith(f"release 3: item {NEW} was retired (1 report left), by submission ")
    assert event.endswith(" (wrecks.csv)")
    assert why_not(home, NEW, ID[1]).verdict == "not released"


def test_an_id_of_nothing_is_of_no_kind(home: Installation) -> None:
    assert kind_of(home, "0" * 24) is None
    with pytest.raises(UsageError, match="no report or item 'nothing'"):
        why_not(home, "nothing", ID[1])
    with pytest.raises(UsageError, match="given twice"):
        why_not(home, ID[1], f" {ID[1].upper()} ")


def test_a_merged_item_s_id_reports_where_its_reports_are_and_why(home: Installation) -> None:
    survivor, lost = sorted((FIRST, ID[4]))
    shown = story(home, lost, 2)
    assert (shown.item_id, len(shown.reports)) == (survivor, 3)
    assert shown.now == f"item {lost} no longer exists: in release 2 its reports belong to item {survivor}"
    count = "1 report" if lost == ID[4] else "2 reports"
    because = "decision 1 by Kari (same: one derailment, withdrawn by Ola: two after all)"
    assert events(shown) == [f"release 2: item {lost} was merged into {survivor} ({count}), by {because}"]
    assert [(d["id"], d["applied"]) for d in shown.decisions] == [(1, True)]
    by = ("day", "first 4 of place + month of day")
    assert [(p.weight is not None, p.stored, p.compared_by) for p in shown.pairs] == [
        (True, True, by), (True, False, ()), (True, False, ()),
    ]  # fmt: skip
    assert why_not(home, ID[1], ID[4], 2).verdict == "one item"


def test_an_undone_merge_gives_the_id_back(home: Installation) -> None:
    shown = story(home, ID[4])
    assert (shown.item_id, shown.now) == (ID[4], f"{ID[4]} is an item of release 3")
    assert [event["release"] for event in shown.history] == [2, 3]
    assert shown.history[-1]["because"].startswith("decision 1 by Kari")
    assert [(d["id"], d["applied"]) for d in story(home, ID[1]).decisions] == [(4, False)]


def test_a_declared_identity_ties_until_a_decision_says_otherwise(home: Installation) -> None:
    (pair,) = story(home, SAME_CASE[0], 1).pairs
    assert (pair.stored, pair.compared_by) == (False, ("case (declared identity)",))
    answer = why_not(home, *SAME_CASE)
    assert reasons(answer) == ("kept separate", -13.0)
    assert answer.why[0].startswith(
        "kept separate by decision 3 by Kari (different: a slip); the two weigh -13.00 bits"
    )
    assert answer.why[-1].startswith("a declared identity ties ")
    assert [(m["rule"], m["shared"], m["identity"]) for m in answer.blocking][-1] == ("case", True, True)
    (tie,) = story(home, SAME_CASE[0]).overruled
    assert (tie["tie"], tie["reason"]) == ("key", "different")


def test_the_pairs_of_a_large_item_are_counted_and_the_heaviest_reported(home: Installation) -> None:
    shown = story(home, ID[20])
    assert shown.item is not None
    assert (shown.item["reports"], len(shown.pairs), shown.left_out) == (12, 0, 66)


# Why not


def test_two_that_weigh_too_little(home: Installation) -> None:
    answer = why_not(home, ID[1], ID[3], 1)
    assert reasons(answer) == ("too little", -3.0)
    assert answer.why == ["too little: the two weigh -3.00 bits, 4.00 make one item"]
    first = [answer.blocking[0][name] for name in ("rule", "a", "b", "shared", "reports")]
    assert first == ["day", ["2024-03-01"], ["2024-03-01"], True, 3]
    assert answer.as_dict()["pair"]["kept"] is False


def test_two_that_were_never_compared(home: Installation) -> None:
    answer = why_not(home, ID[1], ID[4])
    assert reasons(answer) == ("never compared", -17.0)
    assert answer.why == [
        "never compared: no blocking rule has the same key for both; the two weigh -17.00 bits, 4.00 make one item"
    ]
    assert [(m["rule"], m["shared"], m["reports"]) for m in answer.blocking] == [
        ("day", False, None), ("first 4 of place + month of day", False, None), ("case", False, None),
    ]  # fmt: skip
    assert {tuple(answer.blocking[1][side]) for side in "ab"} == {("vik", "2024-03"), ("alta", "2024-09")}


def test_a_block_over_the_limit_is_named(home: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    answer = why_not(home, ID[10], ID[11])
    assert (answer.verdict, answer.blocking[0]["over_limit"]) == ("never compared", True)
    assert answer.why[0].startswith(
        "never compared: day = 2022-02-02 is shared by 7 reports, more than the 5 of `largest_block`; the two weigh "
    )
    assert answer.pair is not None
    assert (answer.pair.compared_by, answer.pair.over_limit) == ((), ("day",))
    print_why_not(answer)
    assert "never compared: more reports than the limit have the same day\n" in capsys.readouterr().out


def test_counts_of_one_are_singular(home: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    print_story(story(home, ID[4], 1))
    assert f"wreck {ID[4]}: 1 report by 1 reporter, single\n" in capsys.readouterr().out


def test_a_decision_keeps_reports_separate_and_is_named(home: Installation) -> None:
    assert why_not(home, ID[5], ID[6], 1).verdict == "one item"
    answer = why_not(home, ID[5], ID[6])
    assert reasons(answer) == ("kept separate", 6.0)
    assert answer.separation is not None
    assert answer.separation.decisions == [2]
    assert answer.why[0] == (
        "kept separate by decision 2 by Kari (different: two trains); the two weigh 6.00 bits, 4.00 make one item"
    )
    near = {(n["report_id"], n["other_id"]): n for n in story(home, ID[5]).separate_items}
    assert near[ID[5], ID[6]]["decisions"] == [2]


def test_one_reporter_keeps_reports_separate_through_another_report(home: Installation) -> None:
    assert item_of(home, ID[41]) == item_of(home, ID[40])
    answer = why_not(home, ID[41], ID[42])
    assert answer.verdict == "kept separate"
    assert answer.separation is not None
    assert answer.separation.reporters == ["UP"]
    assert answer.why[0].startswith(
        "kept separate: two reports of one reporter are two items, and UP reported both; the two"
    )
    rivals = why_not(home, ID[40], ID[42])
    assert rivals.verdict == "kept separate"
    assert rivals.why[1].startswith("of the reports of the two items ")


def test_a_chain_of_weak_links_is_kept_separate_by_its_mean(home: Installation) -> None:
    items = [item_of(home, ID[n], 1) for n in (5, 6, 7)]
    assert (items[0] == items[1], items[1] == items[2]) == (True, False)
    answer = why_not(home, ID[6], ID[7], 1)
    assert reasons(answer) == ("kept separate", 6.0)
    assert answer.separation is not None
    assert (answer.separation.pairs, answer.separation.weighed, answer.separation.mean) == (2, 2, pytest.approx(2.0))
    mean = "but the mean over all 2 pairs of reports around them is 2.00"
    assert answer.why == [f"kept separate: the two weigh 6.00 bits, 4.00 make one item, {mean}"]
    (near,) = story(home, ID[7], 1).separate_items
    assert (near["reason"], near["weight"]) == ("coherence", 6.0)
    outer = why_not(home, ID[5], ID[7], 1)
    assert outer.verdict == "too little"
    assert outer.why[1].startswith("of the reports of the two items ")
    assert outer.why[1].endswith(mean)


def test_a_pending_decision_is_reported(home: Installation) -> None:
    answer = why_not(home, ID[1], ID[3])
    assert answer.why[1:] == ["decision 4 by Kari (same: one) waits: `engang nightly` applies it"]


@pytest.mark.usefixtures("environment")
def test_without_a_model_only_keys_and_decisions_are_reported(tmp_path: Path) -> None:
    home = wreck_installation.open_wrecks(tmp_path / "other", pinned=False)
    wreck_installation.released(home, {**ROWS[0], "case": "c"}, {**ROWS[1], "case": "c"}, ROWS[2])
    shown = story(home, ID[1])
    (pair,) = shown.pairs
    assert (pair.weight, pair.steps, pair.compared_by[-1]) == (None, [], "case (declared identity)")
    assert shown.notes == ["kind wreck had no model in release 1: no pair was scored"]
    answer = why_not(home, ID[1], ID[3])
    assert answer.verdict == "never compared"
    assert "had no model in release 1" in answer.why[0]
    assert answer.pair is not None
    assert [f["field"] for f in answer.pair.fields if f["mark"] == "differ"] == ["place"]


def test_a_release_is_explained_with_the_model_that_scored_it(home: Installation) -> None:
    other = wreck_installation.model()
    other.settings["probability_two_random_records_match"] = 0.5
    wreck_installation.pin(home, other)
    shown = story(home, FIRST)
    assert ([pair.weight for pair in shown.pairs], shown.automatic) == ([7.0], AUTOMATIC)


def test_a_kind_that_was_changed_since_says_so(home: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "kinds"
    folder.mkdir()
    (folder / "wreck.yml").write_text(wreck_installation.KIND.replace("levels: [5]", "levels: [5, 20]"))
    changed = Installation(replace(home.settings, kinds=folder), home.engine)
    shown = story(changed, FIRST)
    assert shown.notes == ["kinds/wreck.yml was changed since release 3: `engang nightly` scores again"]
    assert [(pair.weight, pair.stored, pair.steps) for pair in shown.pairs] == [(7.0, True, [])]
    assert why_not(changed, ID[6], ID[7], 1).verdict == "kept separate"
    assert (
        why_not(changed, ID[1], ID[3]).why[0].startswith("never compared: kinds/wreck.yml was changed since release 3")
    )
