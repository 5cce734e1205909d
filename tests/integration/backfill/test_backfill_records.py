"""Records reread: their items, their ids and item assignments; a model put in force in the same release."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows import pipeline as steps
from flows.backfill.publish import BackfillOutcome, finish_backfill, try_backfill
from flows.backfill.reread import BackfillRequest, start_backfill
from flows.installation import Installation
from flows.intake.registration import withdraw
from flows.matching import training
from flows.matching.decisions import decide
from flows.queries.kind_release import current_item, open_kind
from flows.queries.sql import query
from flows.release.verify import verify
from infra.checks import engine as checks
from infra.ledger import models as ledger_models
from infra.ledger import records as ledger_records
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.ledger.open import open_ledger
from schemas.errors import UsageError
from tests.support.killable_process import balanced
from tests.support.matching_installation import CONTRACT, HEADER, KIND, Small, as_csv, open_matching, send, small
from tests.support.temporary_installation import unchecked
from transforms.training import sessions

NO_COST = CONTRACT.replace("    cost: {column: cost}\n", "").replace("examples:", "ignore: [cost]\nexamples:")
"""Version 1: what it cost is not read yet."""
V2 = CONTRACT.replace("version: 1\nobligation", "version: 2\nobligation")
BY_DAY = V2.replace("report_key: [number]", "report_key: [number, day]")
"""Version 2 as it is, and one under which every report is another one."""


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the checks' engine out: the balance is checked still."""
    monkeypatch.setattr(checks, "preload", lambda: None)
    monkeypatch.setattr(checks.TableCheck, "findings", lambda _: [])
    monkeypatch.setattr(checks, "check_release", balanced)


def opened(folder: Path, contract: str = NO_COST) -> Installation:
    """Open an installation with this contract."""
    settings = open_matching(folder).settings
    (folder / "contracts" / "mishaps.yml").write_text(contract, encoding="utf-8")
    return Installation(settings, open_ledger(settings.ledger_url))


def released(folder: Path, contract: str = NO_COST, mishaps: int = 12) -> Small:
    """Return an installation with one release, under this contract."""
    made = small(folder, mishaps)
    home = opened(folder, contract)
    send(home, *made.files.values())
    with unchecked():
        steps.nightly(home, export="never")
    return Small(home, made.truth, made.files)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Make an installation with one release of 12 mishaps, of which tests have copies."""
    made = released(tmp_path_factory.mktemp("released") / "home")
    made.home.engine.dispose()
    return made


@pytest.fixture
def made(template: Small, tmp_path: Path) -> Small:
    """Give an installation with one release of 12 mishaps."""
    copy = Path(shutil.copytree(template.home.settings.home, tmp_path / "home"))
    return replace(template, home=opened(copy))


def rules(home: Installation, text: str) -> Path:
    path = home.settings.home / "new.yml"
    path.write_text(text, encoding="utf-8")
    return path


def backfilled(home: Installation, text: str | None = None, **asked: Any) -> tuple[BackfillOutcome, BackfillOutcome]:
    """Try a backfill out and publish it; return both outcomes, which are one."""
    request = BackfillRequest("mishaps", rules=None if text is None else rules(home, text), **asked)
    number = start_backfill(home, request).number
    assert number is not None
    before = ledger_releases.current_release(home.engine)
    tried = try_backfill(home, number)
    assert ledger_releases.current_release(home.engine) == before
    done = finish_backfill(home, number)
    assert (done.as_tried, done.diff) == (True, tried.diff)
    assert pl.read_parquet(done.file).height == sum(c["items"] for c in done.diff["changes"])
    return tried, done


def items(home: Installation) -> pl.DataFrame:
    return query(home, "SELECT * FROM mishap ORDER BY item_id")


def item_assignments(home: Installation) -> list[tuple[str, str, int]]:
    return sorted(ledger_records.read_assignment_history(home.engine, "mishap").rows())


def test_a_field_newly_read_changes_items_and_no_id(made: Small) -> None:
    home = made.home
    before = items(home)
    assert before["cost"].null_count() == before.height
    tried, _ = backfilled(home, V2)
    assert tried.diff["changes"] == [{"table": "mishap", "change": "changed", "items": before.height}]
    sample = tried.diff["samples"][0]
    assert (sample["before"], sample["after"][:6], sample["contract"]) == ("cost: nothing", "cost: ", "mishaps")
    after = items(home)
    assert after["item_id"].equals(before["item_id"])
    assert after["cost"].null_count() == 0
    assert verify(home).same
    assert not steps.nightly(home, export="never").published
    # First publication counts from now for what is new, so what was there before is written down.
    assert {release for _, _, release in item_assignments(home)} == {1}
    assert set(ledger_submissions.read_submissions(home.engine)["first_release"]) == {2}


def test_reports_under_another_key_are_new_and_the_old_ids_are_reported(made: Small) -> None:
    home = made.home
    old = set(items(home)["item_id"])
    tried, _ = backfilled(home, BY_DAY)
    changes = {(c["table"], c["change"]): c["items"] for c in tried.diff["changes"]}
    assert changes == {
        ("mishap", "added"): len(old), ("mishap", "removed"): len(old), ("mishap ids", "retired"): len(old),
    }  # fmt: skip
    new = set(items(home)["item_id"])
    assert not old & new
    assert verify(home).same
    read = open_kind(home, home.kind("mishap"))
    assert {current_item(read, id_) for id_ in old} == {None}
    assert {current_item(read, id_) for id_ in new} == new
    backfilled(home, V2.replace("version: 2", "version: 3"))  # the key as it was
    assert set(items(home)["item_id"]) == old
    assert verify(home).same
    renewed = query(home, "SELECT event, count(*) AS n FROM mishap_history WHERE release = 3 GROUP BY 1 ORDER BY 1")
    assert renewed.rows() == [("renewed", len(old)), ("retired", len(old))]


def test_a_reread_submission_is_withdrawn_and_comes_back_under_its_id(made: Small) -> None:
    home = made.home
    backfilled(home, V2)
    before = items(home).drop("release")
    first = ledger_submissions.read_submissions(home.engine)["submission_id"][0]
    withdraw(home, first)
    assert steps.nightly(home, export="never").published
    assert items(home).height < before.height
    assert verify(home).same
    send(home, *made.files.values())
    steps.nightly(home, export="never")
    assert items(home).drop("release").equals(before)
    assert verify(home).same


def items_of_two_bodies(home: Installation) -> tuple[str, str]:
    """Return two items of different reporters: a person may decide that they are one."""
    rows = query(home, "SELECT item_id, min(reported_by) AS body FROM mishap_sources GROUP BY 1 ORDER BY 1")
    other = rows.filter(pl.col("body") != rows["body"][0])
    return rows["item_id"][0], other["item_id"][0]


def test_decisions_wait_for_the_night(made: Small) -> None:
    home = made.home
    pair = items_of_two_bodies(home)
    decide(home, pair, "same", who="someone", why="one event")
    backfilled(home, V2)
    assert {*pair} <= set(items(home)["item_id"])
    assert verify(home).same
    steps.nightly(home, export="never")
    assert len({*pair} & set(items(home)["item_id"])) == 1
    assert verify(home).same


def test_a_report_that_a_backfill_brought_is_younger_than_an_item_published_before_it(tmp_path: Path) -> None:
    home = released(tmp_path / "home", BY_DAY.replace("version: 2", "version: 1"), 3).home
    row = {"line": "1", "body": "late", "number": "1", "day": "2024-01-02", "place": "Vik", "speed": 1, "cost": 1}
    send(home, as_csv([{**row, "story": "It fell"}]))
    steps.nightly(home, export="never")  # 2
    old = query(home, "SELECT item_id FROM mishap_sources WHERE reported_by = 'late'").item()
    ids = (
        ledger_submissions.read_submissions(home.engine).filter(pl.col("first_release") == 1)["submission_id"].to_list()
    )
    backfilled(home, V2, submissions=tuple(ids))  # 3: the first files make other reports
    young = query(home, "SELECT min(item_id) FROM mishap WHERE release = 3").item()
    decide(home, (old, young), "same", who="someone", why="one event")
    steps.nightly(home, export="never")
    assert old in set(items(home)["item_id"])
    assert young not in set(items(home)["item_id"])
    assert current_item(open_kind(home, home.kind("mishap")), young) == old
    assert verify(home).same


def test_a_model_is_put_in_force_with_the_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = released(tmp_path / "home", V2, 60).home
    alone = items(home).height
    monkeypatch.setattr(sessions, "MAX_SESSION_ROUNDS", 1)
    monkeypatch.setattr(training, "digest_in_force", lambda *_: "another")  # so it is not put in force at once
    trained = training.train(home, home.kind("mishap"))
    assert not trained.pinned
    with pytest.raises(UsageError, match="no model 'feed'"):
        start_backfill(home, BackfillRequest("mishaps", model="feed"))
    tried, done = backfilled(home, model=trained.model.digest[:8])
    assert done.night is not None
    assert tried.diff["submissions"] == 0
    assert items(home).height < alone
    assert ledger_models.pins_in_force(home.engine)["mishap"]["digest"] == trained.model.digest
    history = query(home, "SELECT DISTINCT event, cause, cause_id FROM mishap_history").rows()
    assert history == [("merged", "model", trained.model.digest)]
    assert verify(home).same
    assert not steps.nightly(home, export="never").published


def test_a_kind_that_was_changed_since_asks_for_a_night_first(made: Small) -> None:
    home = made.home
    changed = KIND.replace("survives: greatest", "survives: least")
    (home.settings.home / "kinds" / "mishap.yml").write_text(changed, encoding="utf-8")
    fresh = Installation(home.settings, home.engine)
    number = start_backfill(fresh, BackfillRequest("mishaps", rules=rules(fresh, V2))).number
    assert number is not None
    with pytest.raises(UsageError, match="kind mishap was changed since the release: `engang nightly` first"):
        finish_backfill(fresh, number)
    steps.nightly(fresh, export="never")
    assert finish_backfill(fresh, number).night is not None
    assert verify(fresh).same


def test_records_have_no_period(tmp_path: Path) -> None:
    home = open_matching(tmp_path / "home")
    send(home, as_csv([dict.fromkeys(HEADER, "1") | {"day": "2024-01-02"}]))
    steps.nightly(home, export="never")
    with pytest.raises(UsageError, match="makes records, which have no period"):
        start_backfill(home, BackfillRequest("mishaps", by="period", rules=rules(home, V2)))
