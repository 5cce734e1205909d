"""The demo's release holds exactly what its generator says is true, and tells it so that a newcomer understands."""

from collections import Counter
from decimal import Decimal

import polars as pl
import pytest

from flows.demo.figures import Clash, Item, Month, Refusal, demo_month
from flows.demo.incidents import demo_incidents
from flows.demo.run import run_demo
from flows.installation import Installation, open_installation
from flows.intake.registration import deliver, receive
from flows.matching.evaluation import Asked, evaluate
from flows.matching.review_queue import review
from flows.queries.observation_story import explain
from flows.queries.record_story import explain_record
from flows.queries.sql import query
from flows.queries.why_not import why_not
from flows.release.build import night
from infra.ledger import submissions as ledger
from schemas.errors import UsageError

INCIDENTS = "SELECT item_id, list(row_keys[1]) AS keys FROM incident_sources GROUP BY item_id"
FIGURES = pl.col("contract").is_in(["demo-omsorg", "demo-tilsyn", "demo-skole", "demo-lonn"])
CONFLICTS = """
SELECT c.concept, unit_code, c.breakdown, contract, c.value, outcome FROM conflicts c JOIN observations USING (item_id)
"""


@pytest.fixture(scope="module", params=[1, pytest.param(2, marks=pytest.mark.slow)])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Installation, Month, str]:
    """Run the demo once for a seed: the installation, the month and what was printed."""
    installation = open_installation(tmp_path_factory.mktemp("demo") / "home")
    lines: list[str] = []
    run_demo(installation, seed=request.param, echo=lines.append)
    return installation, demo_month(request.param), "\n".join(lines)


def test_every_item_is_as_the_truth_says(told: tuple[Installation, Month, str]) -> None:
    installation, month, _ = told
    names = list(Item.__dataclass_fields__)
    found = query(installation, "SELECT * FROM observations")
    assert set(found["period_start"]) == {month.start}
    assert found.height == len(month.truth.items)
    assert {Item(**row) for row in found.select(names).to_dicts()} == month.truth.items


def test_every_conflict_is_as_the_truth_says(told: tuple[Installation, Month, str]) -> None:
    installation, month, _ = told
    found = query(installation, CONFLICTS).to_dicts()
    assert len(found) == len(month.truth.clashes)
    assert {Clash(**row) for row in found} == month.truth.clashes
    assert {c.outcome for c in month.truth.clashes} == {"withheld", "published", "outranked"}


def test_every_reject_is_as_the_truth_says(told: tuple[Installation, Month, str]) -> None:
    installation, month, _ = told
    files = ledger.submissions(installation.engine).select("submission_id", "filename")
    found = ledger.rejects(installation.engine).join(files, on="submission_id")
    rows = found.select(list(Refusal.__dataclass_fields__)).to_dicts()
    assert len(rows) == len(month.truth.refusals)
    assert {Refusal(**row) for row in rows} == month.truth.refusals


def test_every_row_is_in_its_bucket(told: tuple[Installation, Month, str]) -> None:
    installation, month, _ = told
    current = ledger.current_release(installation.engine)
    assert current is not None
    submissions = ledger.submissions(installation.engine).filter(FIGURES)
    counts = ledger.row_counts(installation.engine, current["release"]).join(
        submissions, on="submission_id", how="semi"
    )
    totals = dict(counts.group_by("bucket").agg(pl.col("rows").sum()).filter(pl.col("rows") > 0).iter_rows())
    assert totals == month.truth.buckets
    assert sum(totals.values()) == submissions["delivered"].sum()


def test_a_redelivery_is_no_submission(told: tuple[Installation, Month, str]) -> None:
    installation, month, _ = told
    assert ledger.submissions(installation.engine).filter(FIGURES).height == len(month.deliveries) - 1


def test_the_text_names_the_essentials(told: tuple[Installation, Month, str]) -> None:
    installation, month, text = told
    items = month.truth.items
    assert "8 files from 4 agencies" in text
    assert f"{len(items)} different figures" in text
    assert f"{sum(i.reports > 1 for i in items)} of them were asked for by two agencies" in text
    assert "Kommunetilsynet and Omsorgsdirektoratet" in text
    assert "withheld" in text
    for file, row in ((r.filename, r.row) for r in month.truth.refusals):
        assert f"{file} row {row}" in text
    assert str(installation.settings.exports / "1") in text
    assert (installation.settings.exports / "1" / "release.json").is_file()


def test_the_burden_is_what_the_forms_cost_twice(told: tuple[Installation, Month, str]) -> None:
    installation, month, text = told
    cost = {name: c.hours_per_report for name, c in installation.contracts.items()}
    lines = [line.split("\t") for line in month.deliveries[4].data.decode("utf-8-sig").splitlines()[1:]]
    forms, care = Counter(line[0] for line in lines), Counter(line[0] for line in lines if line[2] == "omsorg")
    hours = Decimal(0)
    for item in (i for i in month.truth.items if i.reports > 1):
        if item.concept == "staff_hours":
            form = (cost["demo-lonn"] or 0) * care[item.unit_code] / forms[item.unit_code]
            hours += min(form, (cost["demo-omsorg"] or 0) / 4)
        else:
            other = "demo-skole" if item.concept == "pupils" else "demo-omsorg"
            hours += min(cost["demo-tilsyn"] or 0, cost[other] or 0) / 4
    assert f"about {hours:.0f} hours this month" in text


def test_the_commands_to_try_next_work(told: tuple[Installation, Month, str]) -> None:
    installation, _, text = told
    lines = [line for line in text.splitlines() if " engang " in line]
    assert all(f"ENGANG_HOME={installation.settings.home}" in line for line in lines)
    # as pasted: `ENGANG_HOME=... engang <command> ...`
    pasted = [line.split("engang ")[1] for line in lines]
    assert [line.split()[0] for line in pasted] == ["query", "explain", "rejects", "explain", "review", "why-not"]
    assert query(installation, pasted[0].split('"')[1]).height > 0
    story = explain(installation, pasted[1].split()[-1])
    assert story.observation is not None
    assert story.observation["agreement"] == "conflict"
    assert ledger.rejects(installation.engine, pasted[2].split()[-1]).height > 1
    incident = explain_record(installation, installation.kind("incident"), pasted[3].split()[-1]).item
    assert incident is not None
    assert incident["agreement"] == "conflict"
    assert "bits" in " ".join(why_not(installation, *pasted[5].split()[-2:]).why)


def _joined(installation: Installation, month: Month) -> tuple[set[frozenset[str]], set[frozenset[str]]]:
    """Return the reports that the release joins, by their own numbers, and those that are of one event in truth."""
    truth = demo_incidents(month.start.month).truth
    events: dict[int, set[str]] = {}
    for key, event in truth.items():
        events.setdefault(event, set()).add(key)
    items = {frozenset(keys) for _, keys in query(installation, INCIDENTS).iter_rows()}
    assert {key for keys in items for key in keys} == set(truth)
    return {i for i in items if len(i) > 1}, {frozenset(e) for e in events.values() if len(e) > 1}


def test_incidents_told_twice_are_found(told: tuple[Installation, Month, str]) -> None:
    installation, month, text = told
    found, true = _joined(installation, month)
    assert len(found - true) <= 1  # two events that are alike to a word
    assert {frozenset(pair) for pair in demo_incidents(month.start.month).barely} == true - found
    assert "150 reports of unwanted incidents" in text
    assert f"{len(found)} of them were told to both agencies" in text


def test_the_uncertain_ones_wait_for_a_person(told: tuple[Installation, Month, str]) -> None:
    installation, month, text = told
    waiting = review(installation, installation.kind("incident"))
    keys = {frozenset(end["row_keys"][0] for end in (q.pair.a, q.pair.b)) for q in waiting.questions}
    assert keys >= {frozenset(pair) for pair in demo_incidents(month.start.month).barely}
    assert len(keys) > 4
    assert f"{waiting.open} pairs are too uncertain" in text


def test_a_corrected_incident_is_as_corrected(told: tuple[Installation, Month, str]) -> None:
    installation, month, _ = told
    (key,) = demo_incidents(month.start.month).corrected
    rows = query(installation, "SELECT row_keys[1] AS key, version FROM incident_sources WHERE version > 1")
    assert rows.rows() == [(key, 2)]
    counts = ledger.row_counts(installation.engine, 1).filter(bucket="superseded")
    mine = ledger.submissions(installation.engine).filter(~FIGURES)
    assert counts.join(mine, on="submission_id", how="semi")["rows"].to_list() == [1]


def test_the_truth_beside_the_deliveries_can_be_evaluated(told: tuple[Installation, Month, str]) -> None:
    installation, month, _ = told
    file = installation.settings.home / "demo" / f"{month.start:%Y-%m}" / "hendelser-truth.csv"
    found = evaluate(installation, installation.kind("incident"), Asked(file, "report", None, 1, show_values=False))
    assert (found.reports, found.true) == (150, 41)
    assert found.at["items"].precision > 0.95
    assert found.at["items"].recall > 0.85


def test_again_changes_nothing_and_says_so(told: tuple[Installation, Month, str]) -> None:
    installation, month, text = told
    seed = 1 if month.start.month == 1 else 2
    lines: list[str] = []
    run_demo(installation, seed=seed, echo=lines.append)
    assert ledger.releases(installation.engine).height == 1
    assert any("Nothing changed" in line for line in lines)
    found = text[text.index("What came") :]
    assert found in "\n".join(lines)


def test_the_month_is_a_function_of_the_seed() -> None:
    assert demo_month(3) == demo_month(3)
    assert demo_month(3) != demo_month(4)
    assert demo_incidents(3) == demo_incidents(3)
    assert demo_incidents(3) != demo_incidents(4)
    assert len({demo_month(seed).start for seed in range(1, 25)}) == 24


def test_two_months_live_in_one_home(told: tuple[Installation, Month, str]) -> None:
    # Runs last: it adds a month to the home.
    installation, month, _ = told
    lines: list[str] = []
    run_demo(installation, seed=7, echo=lines.append)
    other = demo_month(7)
    found = query(installation, "SELECT period_start, count(*) AS n FROM observations GROUP BY 1")
    assert dict(found.iter_rows()) == {month.start: len(month.truth.items), other.start: len(other.truth.items)}
    assert f"{len(other.truth.items)} different figures" in "\n".join(lines)


def test_it_keeps_away_from_real_deliveries(tmp_path_factory: pytest.TempPathFactory) -> None:
    installation = open_installation(tmp_path_factory.mktemp("real") / "home")
    data = b"Municipality\tParty\tPercentage\tVotes\nKlepp\tAp\t50.0\t20\n"
    delivery = deliver(installation, "nrk.tsv", data, "nrk-stortingsvalg", sender=None, period="2013")
    assert [r.status for batch in receive(installation, [delivery]) for r in batch] == ["registered"]
    with pytest.raises(UsageError, match="ENGANG_HOME"):
        run_demo(installation)
    assert not night(installation).counts.get("conflict")
