"""The demo's release holds exactly what its generator says is true, and tells it so that a newcomer understands."""

from decimal import Decimal

import polars as pl
import pytest

from flows.demo.figures import DemoMonth, ExpectedConflict, ExpectedItem, ExpectedReject, demo_month
from flows.demo.incidents import demo_incidents
from flows.demo.run import run_demo
from flows.installation import Installation, open_installation
from flows.intake.deliveries import make_delivery
from flows.intake.registration import receive
from flows.matching.evaluation import EvaluationRequest, evaluate
from flows.matching.review_queue import review
from flows.queries.observation_story import explain_observation
from flows.queries.record_story import explain_record
from flows.queries.sql import query
from flows.queries.why_not import why_not
from flows.release.build import night
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from schemas.errors import UsageError

INCIDENTS = "SELECT item_id, list(row_keys[1]) AS keys FROM incident_sources GROUP BY item_id"
FIGURES = pl.col("contract").is_in(["demo-omsorg", "demo-tilsyn", "demo-skole", "demo-lonn"])
CONFLICTS = """
SELECT c.concept, unit_code, c.breakdown, contract, c.value, outcome FROM conflicts c JOIN observations USING (item_id)
"""


@pytest.fixture(scope="module", params=[1, pytest.param(2, marks=pytest.mark.slow)])
def demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Installation, DemoMonth, str]:
    """Run the demo once for a seed: the installation, the month and what was printed."""
    installation = open_installation(tmp_path_factory.mktemp("demo") / "home")
    lines: list[str] = []
    run_demo(installation, seed=request.param, echo=lines.append)
    return installation, demo_month(request.param), "\n".join(lines)


def test_every_item_is_as_the_truth_says(demo: tuple[Installation, DemoMonth, str]) -> None:
    installation, month, _ = demo
    names = list(ExpectedItem.__dataclass_fields__)
    found = query(installation, "SELECT * FROM observations")
    assert set(found["period_start"]) == {month.start}
    assert found.height == len(month.expected.items)
    assert {ExpectedItem(**row) for row in found.select(names).to_dicts()} == month.expected.items


def test_every_conflict_is_as_the_truth_says(demo: tuple[Installation, DemoMonth, str]) -> None:
    installation, month, _ = demo
    found = query(installation, CONFLICTS).to_dicts()
    assert len(found) == len(month.expected.conflicts)
    assert {ExpectedConflict(**row) for row in found} == month.expected.conflicts
    assert {c.outcome for c in month.expected.conflicts} == {"withheld", "published", "outranked"}


def test_every_reject_is_as_the_truth_says(demo: tuple[Installation, DemoMonth, str]) -> None:
    installation, month, _ = demo
    files = ledger_submissions.read_submissions(installation.engine).select("submission_id", "filename")
    found = ledger_submissions.read_rejects(installation.engine).join(files, on="submission_id")
    rows = found.select(list(ExpectedReject.__dataclass_fields__)).to_dicts()
    assert len(rows) == len(month.expected.rejects)
    assert {ExpectedReject(**row) for row in rows} == month.expected.rejects


def test_every_row_is_in_its_bucket(demo: tuple[Installation, DemoMonth, str]) -> None:
    installation, month, _ = demo
    current = ledger_releases.current_release(installation.engine)
    assert current is not None
    submissions = ledger_submissions.read_submissions(installation.engine).filter(FIGURES)
    counts = ledger_releases.read_row_counts(installation.engine, current["release"]).join(
        submissions, on="submission_id", how="semi"
    )
    totals = dict(counts.group_by("bucket").agg(pl.col("rows").sum()).filter(pl.col("rows") > 0).iter_rows())
    assert totals == month.expected.buckets
    assert sum(totals.values()) == submissions["delivered"].sum()


def test_a_redelivery_is_no_submission(demo: tuple[Installation, DemoMonth, str]) -> None:
    installation, month, _ = demo
    assert ledger_submissions.read_submissions(installation.engine).filter(FIGURES).height == len(month.deliveries) - 1


def test_the_text_names_the_essentials(demo: tuple[Installation, DemoMonth, str]) -> None:
    installation, month, text = demo
    items = month.expected.items
    assert "8 files from 4 agencies" in text
    assert f"{len(items)} different figures" in text
    assert f"{sum(i.reports > 1 for i in items)} of them were required by two agencies" in text
    assert "Kommunetilsynet and Omsorgsdirektoratet" in text
    assert "withheld" in text
    for file, row in ((r.filename, r.row) for r in month.expected.rejects):
        assert f"{file} row {row}" in text
    assert str(installation.settings.exports / "1") in text
    assert (installation.settings.exports / "1" / "release.json").is_file()


def test_the_burden_is_what_the_forms_cost_on_figures_of_two_agencies(
    demo: tuple[Installation, DemoMonth, str],
) -> None:
    installation, month, text = demo
    cost = {name: c.hours_per_report or 0 for name, c in installation.contracts.items()}
    hours = Decimal(0)
    for item in (i for i in month.expected.items if i.reports > 1):
        if item.concept == "staff_hours":
            hours += cost["demo-lonn"] / Decimal(2) + cost["demo-omsorg"] / Decimal(4)  # two sectors, four columns
        else:
            other = "demo-skole" if item.concept == "pupils" else "demo-omsorg"
            hours += (cost["demo-tilsyn"] + cost[other]) / Decimal(4)
    assert f"about {hours:.0f} hours this month" in text


def test_the_commands_to_try_next_work(demo: tuple[Installation, DemoMonth, str]) -> None:
    installation, _, text = demo
    lines = [line for line in text.splitlines() if " engang " in line]
    assert all(f"ENGANG_HOME={installation.settings.home}" in line for line in lines)
    # as pasted: `ENGANG_HOME=... engang <command> ...`
    pasted = [line.split("engang ")[1] for line in lines]
    assert [line.split()[0] for line in pasted] == ["query", "explain", "rejects", "explain", "review", "why-not"]
    assert query(installation, pasted[0].split('"')[1]).height > 0
    story = explain_observation(installation, pasted[1].split()[-1])
    assert story.observation is not None
    assert story.observation["agreement"] == "conflict"
    assert ledger_submissions.read_rejects(installation.engine, pasted[2].split()[-1]).height > 1
    incident = explain_record(installation, installation.kind("incident"), pasted[3].split()[-1]).item
    assert incident is not None
    assert incident["agreement"] == "conflict"
    assert "bits" in " ".join(why_not(installation, *pasted[5].split()[-2:]).why)


def _joined(installation: Installation, month: DemoMonth) -> tuple[set[frozenset[str]], set[frozenset[str]]]:
    """Return the reports that the release joins, by their own numbers, and those that are of one event in truth."""
    truth = demo_incidents(month.start.month).truth
    events: dict[int, set[str]] = {}
    for key, event in truth.items():
        events.setdefault(event, set()).add(key)
    items = {frozenset(keys) for _, keys in query(installation, INCIDENTS).iter_rows()}
    assert {key for keys in items for key in keys} == set(truth)
    return {i for i in items if len(i) > 1}, {frozenset(e) for e in events.values() if len(e) > 1}


def test_incidents_reported_twice_are_found(demo: tuple[Installation, DemoMonth, str]) -> None:
    installation, month, text = demo
    found, true = _joined(installation, month)
    assert len(found - true) <= 1  # two events that are alike to a word
    assert {frozenset(pair) for pair in demo_incidents(month.start.month).uncertain} == true - found
    assert "150 incident reports" in text
    assert f"{len(found)} incidents were reported to both agencies" in text


def test_the_uncertain_ones_wait_for_a_person(demo: tuple[Installation, DemoMonth, str]) -> None:
    installation, month, text = demo
    waiting = review(installation, installation.kind("incident"))
    keys = {frozenset(end["row_keys"][0] for end in (q.pair.a, q.pair.b)) for q in waiting.questions}
    assert keys >= {frozenset(pair) for pair in demo_incidents(month.start.month).uncertain}
    assert len(keys) > 4
    assert f"{waiting.open} uncertain pairs wait for a decision" in text


def test_a_corrected_incident_is_as_corrected(demo: tuple[Installation, DemoMonth, str]) -> None:
    installation, month, _ = demo
    (key,) = demo_incidents(month.start.month).corrected
    rows = query(installation, "SELECT row_keys[1] AS key, version FROM incident_sources WHERE version > 1")
    assert rows.rows() == [(key, 2)]
    counts = ledger_releases.read_row_counts(installation.engine, 1).filter(bucket="superseded")
    mine = ledger_submissions.read_submissions(installation.engine).filter(~FIGURES)
    assert counts.join(mine, on="submission_id", how="semi")["rows"].to_list() == [1]


def test_the_truth_next_to_the_deliveries_can_be_evaluated(demo: tuple[Installation, DemoMonth, str]) -> None:
    installation, month, _ = demo
    file = installation.settings.home / "demo" / f"{month.start:%Y-%m}" / "hendelser-truth.csv"
    found = evaluate(
        installation, installation.kind("incident"), EvaluationRequest(file, "report", None, 1, show_values=False)
    )
    assert (found.reports, found.true) == (150, 41)
    assert found.at["items"].precision > 0.95
    assert found.at["items"].recall > 0.85


def test_again_changes_nothing_and_says_so(demo: tuple[Installation, DemoMonth, str]) -> None:
    installation, month, text = demo
    seed = 1 if month.start.month == 1 else 2
    lines: list[str] = []
    run_demo(installation, seed=seed, echo=lines.append)
    assert ledger_releases.read_releases(installation.engine).height == 1
    assert any("Nothing changed" in line for line in lines)
    found = text[text.index("Delivered") :]
    assert found in "\n".join(lines)


def test_the_month_is_a_function_of_the_seed() -> None:
    assert demo_month(3) == demo_month(3)
    assert demo_month(3) != demo_month(4)
    assert demo_incidents(3) == demo_incidents(3)
    assert demo_incidents(3) != demo_incidents(4)
    assert len({demo_month(seed).start for seed in range(1, 25)}) == 24


def test_two_months_live_in_one_home(demo: tuple[Installation, DemoMonth, str]) -> None:
    # Runs last: it adds a month to the home.
    installation, month, _ = demo
    lines: list[str] = []
    run_demo(installation, seed=7, echo=lines.append)
    other = demo_month(7)
    found = query(installation, "SELECT period_start, count(*) AS n FROM observations GROUP BY 1")
    assert dict(found.iter_rows()) == {month.start: len(month.expected.items), other.start: len(other.expected.items)}
    assert f"{len(other.expected.items)} different figures" in "\n".join(lines)


def test_it_keeps_away_from_real_deliveries(tmp_path_factory: pytest.TempPathFactory) -> None:
    installation = open_installation(tmp_path_factory.mktemp("real") / "home")
    data = b"Municipality\tParty\tPercentage\tVotes\nKlepp\tAp\t50.0\t20\n"
    delivery = make_delivery(installation, "nrk.tsv", data, "nrk-stortingsvalg", sender=None, period="2013")
    assert [r.status for batch in receive(installation, [delivery]) for r in batch] == ["registered"]
    with pytest.raises(UsageError, match="ENGANG_HOME"):
        run_demo(installation)
    assert not night(installation).counts.get("conflict")
