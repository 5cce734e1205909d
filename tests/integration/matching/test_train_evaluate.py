"""Training, evaluating and choosing models on a small installation, through the command and beneath it."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.matching.judged_sample import open_sample, sample_result
from flows.matching.model_impact import model_impact
from flows.matching.training import train
from flows.release.build import night
from flows.releases import find_release, read_table
from infra.checks import engine as checks
from infra.lake import delta as lake
from infra.lake.item_tables import kind_tables, versioned_tables
from infra.ledger import models as ledger_models
from infra.ledger import records as ledger_records
from infra.ledger import releases as ledger_releases
from schemas.errors import TrainingError
from tests.support.cli_runner import Run, engang
from tests.support.matching_installation import KIND, Small, open_matching, send, small
from transforms.evaluation.frame import draw_sample
from transforms.linkage.model import parse_model
from transforms.training import estimate, sessions

ALIKE = ("2024-01-02", "Vik", "5", "1", "fell")


@dataclass(frozen=True)
class Life:
    """An installation after two bodies' reports, a training and a night, then a third body's and a second night."""

    small: Small
    run: Run
    first: Any
    """What the first training said, as JSON."""

    @property
    def kind(self) -> Any:
        return self.small.home.kind("mishap")


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    home = small(tmp_path_factory.mktemp("life") / "home")
    with pytest.MonkeyPatch.context() as patch:
        run = in_home(home.home.settings.home, patch)
        patch.setattr(sessions, "MAX_SESSION_ROUNDS", 2)  # it need not be the best model there could be
        patch.setattr(checks, "preload", lambda: None)  # the checks only read, and importing their engine takes seconds
        patch.setattr(checks.TableCheck, "findings", lambda _: [])
        patch.setattr(checks, "check_release", lambda _: [])
        send(home.home, home.files["north"], home.files["south"])
        first = run("train", "mishap", "--json").json
        assert night(home.home).release == 1
        send(home.home, home.files["rail"])
        assert night(home.home).release == 2
        yield Life(home, run, first)


def in_home(home: Path, patch: pytest.MonkeyPatch) -> Run:
    """Return what runs the command in a home."""
    environment = {
        "HOME": home,
        "CONTRACTS": home / "contracts",
        "KINDS": home / "kinds",
        "LEDGER": f"sqlite:///{home / 'ledger.db'}",
    }
    for name, value in environment.items():
        patch.setenv(f"ENGANG_{name}", str(value))
    return engang


def test_the_first_model_of_a_kind_is_kept_and_in_force(life: Life) -> None:
    result = life.first
    assert (result["new"], result["pinned"], result["before"], result["effect"]) == (True, True, None, None)
    text = Path(result["file"]).read_text(encoding="utf-8")
    model = parse_model(text)
    assert model.digest == result["digest"] == Path(result["file"]).stem
    stored = ledger_models.find_model(life.small.home.engine, result["digest"])
    assert stored is not None
    assert stored["text"] == text
    assert stored["about"] == result["seen"] == model.seen
    assert result["seen"]["reports"] > 100
    assert {level["field"] for level in result["levels"]} == {"(prior)", "day", "place", "speed", "story"}
    pin = ledger_models.read_pins(life.small.home.engine).row(0, named=True)
    assert (pin["digest"], pin["why"]) == (result["digest"], f"trained on {result['seen']['reports']} reports")
    assert find_release(life.small.home)["models"]["mishap"]["model_digest"] == result["digest"]


def scored(life: Life, edges: bool) -> dict[str, float]:
    """Count the scores of the release pair by pair, another way than the product does."""
    home, release = life.small.home, find_release(life.small.home)
    sources = (
        read_table(home, "mishap_sources", release).select("report_id", "item_id", "reported_by", "row_keys").collect()
    )
    labels = dict(pl.read_parquet(life.small.truth).select("line", "mishap_id").iter_rows())
    rows = [(report, item, by, labels[keys[0]]) for report, item, by, keys in sources.iter_rows()]
    pairs = [(a, b) for a, b in combinations(rows, 2) if a[2] != b[2]]
    strong = {
        frozenset((a, b))
        for a, b, w in kind_tables(home.settings.lake, life.kind)
        .live("mishap_edges", release["tables"])
        .select("a", "b", "weight")
        .collect()
        .iter_rows()
        if w >= 3.169925
    }
    found = [(a, b) for a, b in pairs if ({a[0], b[0]} in strong if edges else a[1] == b[1])]
    right = sum(a[3] == b[3] for a, b in found)
    true = sum(a[3] == b[3] for a, b in pairs)
    return {"precision": right / len(found), "recall": right / true, "f1": 2 * right / (len(found) + true)}


def test_evaluate_says_what_counting_pair_by_pair_says(life: Life) -> None:
    ran = life.run("evaluate", "mishap", "--truth", life.small.truth, "--json")
    assert ran.code == 0
    result = ran.json
    assert result["threshold"] == 3.169925  # the odds of a probability of 0.9
    assert result["pairs"] == pytest.approx(scored(life, edges=True))
    assert result["clusters"] == pytest.approx(scored(life, edges=False))
    assert result["clusters"]["f1"] > 0.8
    assert result["reports"] == pl.read_parquet(life.small.truth).height
    assert set(result["pairs"]) == set(result["clusters"]) == set(result["components"]) == {"precision", "recall", "f1"}
    used = [row for row in result["thresholds"] if row["threshold"] == result["threshold"]]
    assert [row["of"] for row in used] == ["pairs", "items", "components"]
    assert [row["f1"] for row in used] == [result[name]["f1"] for name in ("pairs", "clusters", "components")]


def test_evaluate_shows_thresholds_and_the_worst_errors(life: Life, tmp_path: Path) -> None:
    ran = life.run("evaluate", "mishap", "--truth", life.small.truth, "--errors", "2", "--chart", tmp_path / "c.svg")
    assert ran.code == 0
    assert (tmp_path / "c.svg").read_text(encoding="utf-8").startswith("<svg")
    header, *rows = ran.out.splitlines()[1:]
    assert "items P" in header
    assert [row.split()[0] for row in rows if "in use" in row] == ["3.17"]
    result = life.run("evaluate", "mishap", "--truth", life.small.truth, "--errors", "2", "--json").json["errors"]
    assert 0 < len(result["missed"]) <= 2
    for error in (*result["false"], *result["missed"]):
        assert f"{error['a']} and {error['b']}" in ran.out
        fields = {field["field"]: field for field in error["fields"]}
        assert set(fields) == {"(prior)", "day", "place", "speed", "cost", "story"}
        assert error["weight"] == pytest.approx(sum(f["bits"] or 0 for f in fields.values()), abs=0.05)
        assert fields["cost"]["bits"] is None  # it is not compared


def test_a_truth_that_names_a_part_counts_that_part(life: Life, tmp_path: Path) -> None:
    rows = pl.read_parquet(life.small.truth).head(40)
    rows.select("line", "mishap_id").write_csv(tmp_path / "part.csv", separator=";")
    result = life.run("evaluate", "mishap", "--truth", tmp_path / "part.csv", "--json").json
    assert result["reports"] == 40
    reports = (
        read_table(life.small.home, "mishap_sources", find_release(life.small.home))
        .select("report_id", "item_id")
        .collect()
    )
    reports.rename({"item_id": "label"}).write_parquet(tmp_path / "self.parquet")
    result = life.run("evaluate", "mishap", "--truth", tmp_path / "self.parquet", "--json").json
    assert result["clusters"] == {"precision": 1, "recall": 1, "f1": 1}


def test_a_truth_of_other_rows_is_wrong_use(life: Life, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("line,label\nnobody-1,x\n")
    ran = life.run("evaluate", "mishap", "--truth", tmp_path / "other.csv")
    assert (ran.code, ran.out) == (2, "")
    assert "none of the 1 keys in its column 'line' is the key of a row in release 2" in ran.err
    assert life.run("evaluate", "mishop", "--truth", life.small.truth).code == 2
    assert life.run("evaluate", "mishap", "--truth", life.small.truth, "--chart", tmp_path / "c.pdf").code == 2


def state(life: Life) -> Any:
    """Return everything that a night could change."""
    home = life.small.home
    tables = lake.newest_versions(home.settings.lake, versioned_tables(home.kinds.values()))
    return (
        tables,
        ledger_releases.read_releases(home.engine).to_dicts(),
        ledger_records.read_item_assignments(home.engine, "mishap").rows(),
    )


def test_another_model_reports_what_it_would_change_and_then_changes_that(life: Life) -> None:
    before = state(life)
    result = life.run("train", "mishap", "--json").json
    assert (result["new"], result["pinned"], result["before"]) == (True, False, life.first["digest"])
    assert result["seen"]["reports"] > life.first["seen"]["reports"]
    promised = result["effect"]
    assert (promised["release"], promised["model_before"]) == (2, life.first["digest"])
    assert sum(promised[name] for name in ("added", "changed", "removed")) > 0
    model = parse_model(Path(result["file"]).read_text(encoding="utf-8"))
    whole = model_impact(life.small.home, life.kind, model)
    assert whole is not None

    pin = ("models", "pin", "mishap", result["digest"][:6], "--why", "it saw more", "--who", "me")
    tried = life.run(*pin)
    assert "nothing was changed: give --yes" in tried.out
    assert state(life) == before
    assert life.run(*pin, "--yes", "--json").json["changed"] is True
    assert night(life.small.home).release == 3
    changes = read_table(life.small.home, "mishap_changes", find_release(life.small.home)).filter(release=3).collect()
    names = whole.changes.columns
    assert changes.select(names).sort("item_id").rows() == whole.changes.sort("item_id").rows()
    history = read_table(life.small.home, "mishap_history", find_release(life.small.home)).filter(release=3).collect()
    assert sorted(history.select("event", "item_id").rows()) == sorted(whole.history.select("event", "item_id").rows())
    nothing = model_impact(life.small.home, life.kind, model)
    assert nothing is not None
    assert sum(nothing.counts().values()) == 0


def test_models_are_listed_and_shown(life: Life) -> None:
    rows = life.run("models", "--json").json
    assert life.first["digest"] in {row["digest"] for row in rows}
    assert [row["in_force"] for row in rows].count(True) == 1
    assert life.first["digest"] in life.run("models", "list").out
    shown = life.run("models", "show", life.first["digest"])
    assert "the best F1 is expected from" in shown.out
    assert life.run("models", "show", life.first["digest"][:8], "--json").json["seen"] == life.first["seen"]
    for none in ("ffff", ""):
        assert life.run("models", "show", none).code == 2


def test_a_model_goes_out_and_comes_in_elsewhere(life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.json"
    assert life.run("models", "export", life.first["digest"], file).code == 0
    assert life.run("models", "export", life.first["digest"], tmp_path / "nowhere" / "model.json").code == 2
    run = in_home(open_matching(tmp_path / "other").settings.home, monkeypatch)
    assert "no model yet" in run("models").out
    assert run("models", "import", file, "--json").json == {
        "digest": life.first["digest"],
        "kind": "mishap",
        "new": True,
    }
    assert run("models", "import", file, "--json").json["new"] is False
    assert [row["in_force"] for row in run("models", "--json").json] == [False]
    assert (
        "no record of this kind is released yet"
        in run("models", "pin", "mishap", life.first["digest"], "--why", "x", "--yes").out
    )
    assert [row["in_force"] for row in run("models", "--json").json] == [True]


def spoiled(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield models that nobody trained, each with what is said of it."""
    settings = model["settings"]
    first, *rest = settings["comparisons"]
    levels = first["comparison_levels"]
    reading = {**levels[1], "sql_condition": "(SELECT count(*) FROM read_text('/etc/passwd')) > 0"}
    for wrong in ([levels[0], reading, *levels[2:]], [*levels[:1], {**levels[1], "m_probability": "0.9"}, *levels[2:]]):
        spoilt = [{**first, "comparison_levels": wrong}, *rest]
        yield "this model was edited", {**model, "settings": {**settings, "comparisons": spoilt}}
    yield "this model was edited", {**model, "settings": {**settings, "additional_columns_to_retain": ["x"]}}
    yield "this model was edited", {**model, "settings": {}}
    yield "this model was edited", {**model, "best": float("nan")}
    yield "trained for another version of the kind", {**model, "match_digest": "0" * 16}
    yield "a model of unknown kind 'misshape'", {**model, "kind": "misshape"}
    yield "this is no match model", {**model, "more": 1}
    yield "this is no match model", [1]


def test_a_model_that_nobody_trained_is_refused(life: Life, tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    known = ledger_models.read_models(life.small.home.engine).height
    model = json.loads(Path(life.first["file"]).read_text(encoding="utf-8"))
    texts = [(message, json.dumps(fields)) for message, fields in spoiled(model)]
    for message, text in [*texts, ("no match model", "[" * 100_000), ("no match model", "nothing")]:
        file.write_text(text, encoding="utf-8")
        ran = life.run("models", "import", file)
        assert (ran.code, message in ran.err) == (2, True), ran.err
    file.write_bytes(b"\xff\xfe")
    assert life.run("models", "import", file).code == 2
    assert life.run("models", "import", tmp_path / "nowhere.json").code == 2
    assert ledger_models.read_models(life.small.home.engine).height == known


def test_a_model_of_another_version_of_the_kind_stops_evaluating_and_pinning(
    life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(shutil.copytree(life.small.home.settings.home, tmp_path / "home"))
    run = in_home(home, monkeypatch)
    (home / "kinds" / "mishap.yml").write_text(KIND.replace("levels: [2, 10]", "levels: [3, 10]"), encoding="utf-8")
    ran = run("models", "pin", "mishap", life.first["digest"], "--why", "x")
    assert ran.code == 2
    assert "trained for another version of the kind" in ran.err
    ran = run("evaluate", "mishap", "--truth", life.small.truth, "--json")
    assert ran.json["threshold"] == pytest.approx(3.169925)  # the release's own: its pairs were scored by its model
    assert ran.json["errors"]["missed"][0]["weight"] is None  # but none can be scored again
    assert ran.json["clusters"]["f1"] > 0.8
    assert "was changed since release" in ran.json["notes"][0]


def test_personal_values_are_shown_to_those_who_ask(
    life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(shutil.copytree(life.small.home.settings.home, tmp_path / "home"))
    run = in_home(home, monkeypatch)
    (home / "kinds" / "mishap.yml").write_text(
        KIND.replace("version: 1", "version: 1\npersonal: true"), encoding="utf-8"
    )
    command = ("evaluate", "mishap", "--truth", life.small.truth, "--errors", "1", "--json")
    (hidden,), (shown,) = (run(*command, *more).json["errors"]["missed"] for more in ((), ("--show-values",)))
    values = {f["field"]: f["a"] for f in shown["fields"]}
    assert {f["field"]: f["a"] for f in hidden["fields"]} == {k: v and "(personal)" for k, v in values.items()}
    assert values["place"] not in str(hidden)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda rows: rows[:1], "0 pairs of different reporters share a blocking key"),
        (
            lambda rows: [";".join([*r.split(";")[:3], *ALIKE]) for r in rows],
            "no pair that shares a blocking key looks like a match",
        ),
        (lambda _: [], "it has no standing report"),
    ],
    ids=["one report", "all alike", "none"],
)  # fmt: skip
def test_what_cannot_be_trained_says_why_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[list[str]], list[str]], expected: str
) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSION_ROUNDS", 1)
    made = small(tmp_path / "home", mishaps=40)
    for text in made.files.values():
        header, *rows = text.splitlines()
        if spoil(rows):
            send(made.home, "\n".join([header, *spoil(rows)]) + "\n")
            if expected.startswith("0 pairs"):
                break
    with pytest.raises(TrainingError, match=expected):
        train(made.home, made.home.kind("mishap"))
    assert not (tmp_path / "home" / "models").exists()
    assert ledger_models.read_models(made.home.engine).is_empty()


def test_a_kind_that_was_never_released_cannot_be_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = small(tmp_path / "home", mishaps=1)
    run = in_home(open_matching(tmp_path / "home").settings.home, monkeypatch)
    ran = run("evaluate", "mishap", "--truth", made.truth)
    assert ran.code == 2
    assert "nothing is released yet" in ran.err


def test_a_field_that_nobody_reports_is_left_out_with_a_note(tmp_path: Path) -> None:
    made = small(tmp_path / "home", mishaps=60)
    for text in made.files.values():
        header, *rows = text.splitlines()
        send(made.home, "\n".join([header, *(r.replace(r.split(";")[4], "", 1) for r in rows)]) + "\n")
    trained = train(made.home, made.home.kind("mishap"))
    assert trained.notes[0] == "no standing report has place: left out of every weight"
    assert {level["bits"] for level in trained.as_dict()["levels"] if level["field"] == "place"} == {0.0}


def test_an_estimate_that_is_not_credible_is_pinned_only_if_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = small(tmp_path / "home", mishaps=60)
    send(made.home, *made.files.values())
    monkeypatch.setattr(estimate, "doubts", lambda _: ["it expects too many matches"])
    run = in_home(made.home.settings.home, monkeypatch)
    first = run("train", "mishap")
    assert (first.code, "not credible: it expects too many matches" in first.err) == (0, True)
    assert "the model is not in force, because its estimate is not credible" in first.out
    assert ledger_models.pins_in_force(made.home.engine) == {}
    asked = run("train", "mishap", "--pin", "--json").json
    assert (asked["pinned"], asked["doubts"]) == (True, ["it expects too many matches"])


def test_an_evaluation_without_a_sweep_is_of_the_threshold_in_use_alone(life: Life) -> None:
    result = life.run("evaluate", "mishap", "--truth", life.small.truth, "--no-sweep", "--json").json
    assert {row["threshold"] for row in result["thresholds"]} == {result["threshold"]}
    assert len(result["thresholds"]) == 3


def test_a_judged_sample_bounds_what_the_truth_shows(life: Life) -> None:
    known = life.run("evaluate", "mishap", "--truth", life.small.truth, "--no-sweep", "--json").json
    evaluation = open_sample(life.small.home, life.kind, 120)
    keys = evaluation.release.live("sources").select("report_id", pl.col("row_keys").list.first()).collect()
    lines = dict(pl.read_parquet(life.small.truth).select("line", "mishap_id").iter_rows())
    labels = {report: lines[key] for report, key in keys.iter_rows()}
    none = evaluation.sample().pairs.select("a", "b", "verdict").clear()
    asked = draw_sample(evaluation.frame, evaluation.release.rule.automatic, 120, none, none)
    same = [labels[a] == labels[b] for a, b in asked.pairs.select("a", "b").iter_rows()]
    answers = asked.pairs.select("a", "b", verdict=pl.Series(same).replace_strict({True: "same", False: "different"}))
    judged = draw_sample(evaluation.frame, evaluation.release.rule.automatic, 120, none, answers)
    result = sample_result(evaluation, judged)
    assert (result.open, result.judged, result.reports) == (0, 120, result.of)
    for of, name in (("items", "clusters"), ("pairs", "pairs")):
        for figure, bounds in result.estimates[of].items():
            assert bounds.low <= known[name][figure] <= bounds.high, (of, figure)
    unasked = sample_result(evaluation, asked).estimates["items"]["f1"]
    found = result.estimates["items"]["f1"]
    assert found.high - found.low < min(0.2, unasked.high - unasked.low)
