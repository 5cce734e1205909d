"""Old submissions read again by a new version of their contract: tried out, published, and all else as it was."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from flows.backfill import reread as backfilling
from flows.backfill.publish import finish_backfill, try_backfill
from flows.backfill.reread import BackfillRequest, start_backfill
from flows.installation import Installation
from flows.intake.registration import list_rejects, withdraw
from flows.queries.sql import query
from infra.checks import engine as checks
from infra.ledger import backfills as ledger_backfills
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.ledger import tables as t
from schemas.claims import REJECT, empty
from schemas.errors import StoreError, UsageError
from tests.support.backfill_installation import FILES, changed, nightly, opened, put_in_force, submit
from tests.support.killable_process import balanced
from tests.support.measured_tables import assert_from_scratch
from tests.support.small_installation import HEADER
from tests.support.temporary_installation import unchecked

NO_GROUP = (
    ("version: 1", "version: 2"),
    ("ignore: [merknad]", "ignore: [merknad, gruppe]"),
    ("breakdown:\n  group: {column: gruppe}\n", ""),
)
"""Version 2 knows no groups: other items, and `bad.csv` can be read."""
TODAY = datetime.now(UTC).date()


@pytest.fixture(autouse=True)
def _unchecked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the checks' engine out but for one test: it takes most of the time, and the balance is checked still."""
    if "dry_run" not in request.node.name:
        monkeypatch.setattr(checks, "preload", lambda: None)
        monkeypatch.setattr(checks.TableCheck, "findings", lambda _: [])
        monkeypatch.setattr(checks, "check_release", balanced)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def released(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Make an installation with one release of `FILES` on each database, of which each test has a copy."""
    folder = tmp_path_factory.mktemp("released") / "home"
    on_server = request.param == "postgresql"
    made = opened(folder, request.getfixturevalue("new_postgresql")() if on_server else None)
    submit(made, FILES)
    with unchecked():
        assert nightly(made).counts["items"] == 5
    made.engine.dispose()
    return made


@pytest.fixture
def home(request: pytest.FixtureRequest, released: Installation, tmp_path: Path) -> Installation:
    """Give an installation with one release of `FILES`."""
    copy = Path(shutil.copytree(released.settings.home, tmp_path / "home"))
    url = released.settings.ledger_url
    return opened(copy, None if url.startswith("sqlite") else request.getfixturevalue("new_postgresql")(url))


def begin(home: Installation, asked: BackfillRequest) -> int:
    number = start_backfill(home, asked).number
    assert number is not None
    return number


def state(home: Installation) -> dict[str, Any]:
    """Return all that a reader of the current release and the next night see."""
    release = ledger_releases.current_release(home.engine)
    assert release is not None
    return {
        "release": (release["release"], release["digest"]),
        "submissions": ledger_submissions.read_submissions(home.engine).to_dicts(),
        "rejects": ledger_submissions.read_rejects(home.engine).drop("submission_id").sort(pl.all()).rows(),
        "partitions": ledger_submissions.read_submission_partitions(home.engine).rows(),
        "items": query(home, "SELECT item_id, value FROM observations ORDER BY item_id").rows(),
    }


def values(home: Installation) -> dict[str, int]:
    found = query(home, "SELECT unit_name || period_start, value FROM observations").rows()
    return {name: int(value) for name, value in found}


def test_a_dry_run_changes_nothing_and_the_real_one_exactly_what_it_found(home: Installation) -> None:
    rules = changed(home)
    before = state(home)
    number = begin(home, BackfillRequest("folketall", rules=rules))
    tried = try_backfill(home, number)
    assert state(home) == before
    assert tried.diff["changes"] == [{"table": "observations", "change": "changed", "items": 5}]
    diff = pl.read_parquet(tried.file)
    old_values = {
        f"{what.split()[-1]}{period}": old for what, period, old in diff.select("what", "period", "before").rows()
    }
    assert old_values["Klepp2024-01"] == "20 (single)"

    again = start_backfill(home, BackfillRequest("folketall", rules=rules))
    assert (again.number, again.resumed) == (number, True)  # what is read already is not read once more
    done = finish_backfill(home, number)
    assert done.night is not None
    assert (done.night.release, done.as_tried) == (2, True)
    assert done.diff == tried.diff
    assert done.diff["release_digest"] == [before["release"][1], done.night.digest]
    assert pl.read_parquet(done.file).equals(diff)
    assert values(home) == {name: 1000 * value for name, value in _values_of(before, home).items()}
    published = query(home, "SELECT item_id, change FROM changes WHERE release = 2 ORDER BY item_id").rows()
    assert published == diff.select("item_id", "change").sort("item_id").rows()
    assert_from_scratch(home)


def _values_of(before: dict[str, Any], home: Installation) -> dict[str, int]:
    items = dict(before["items"])
    names = query(home, "SELECT item_id, unit_name || period_start FROM observations").rows()
    return {name: int(items[item]) for item, name in names}


def test_twice_is_once_and_the_next_night_has_nothing_to_do(home: Installation) -> None:
    rules = changed(home)
    finish_backfill(home, begin(home, BackfillRequest("folketall", rules=rules)))
    started = start_backfill(home, BackfillRequest("folketall", rules=rules))
    assert (started.number, started.left_out) == (None, {"read by this version already": 5})
    assert not nightly(home).published
    (backfill,) = ledger_backfills.read_backfills(home.engine)
    assert (backfill["status"], backfill["release"]) == ("published", 2)
    with home.engine.connect() as connection:
        row_counts = [
            connection.scalar(sa.select(sa.func.count()).select_from(c)) for c in ledger_backfills.READING_TABLES
        ]
    assert row_counts == [0, 0]


def test_all_else_stays_as_the_last_release_has_it(home: Installation) -> None:
    ids = dict(ledger_submissions.read_submissions(home.engine).select("filename", "submission_id").iter_rows())
    withdraw(home, ids["gone.csv"])
    submit(home, {"new.csv": HEADER + "1121;01.05.2024;alle;22;\n"})
    started = start_backfill(home, BackfillRequest("folketall", rules=changed(home)))
    assert (started.submissions, started.left_out) == (4, {"withdrawn": 1, "not released yet": 1})
    assert started.number is not None
    finish_backfill(home, started.number)
    assert values(home)["Time2024-03-01"] == 19  # withdrawn, and released still
    assert "Time2024-05-01" not in values(home)
    assert_from_scratch(home)
    assert nightly(home).published
    assert "Time2024-03-01" not in values(home)
    assert values(home)["Time2024-05-01"] == 22  # read by the version in force
    assert_from_scratch(home)


def test_what_was_rejected_whole_comes_in_and_other_items_leave(home: Installation) -> None:
    number = begin(home, BackfillRequest("folketall", rules=changed(home, *NO_GROUP)))
    tried = try_backfill(home, number)
    assert {(c["change"], c["items"]) for c in tried.diff["changes"]} == {("added", 6), ("removed", 5)}
    assert tried.diff["rows"] == {"published": [5, 6], "rejected": [1, 1], "ignored": [1, 1]}
    missing = next(r for r in tried.diff["rejects"] if r["reason"] == "missing-column")
    assert (missing["before"], missing["after"]) == (1, 0)
    finish_backfill(home, number)
    assert values(home)["Time2024-04-01"] == 19
    bad = ledger_submissions.read_submissions(home.engine).filter(filename="bad.csv")
    assert bad.select("status", "in_release", "first_release").row(0) == ("live", True, 2)
    assert list_rejects(home, bad["submission_id"].item()).height == 0
    assert_from_scratch(home)
    assert not nightly(home).published


def test_a_reread_submission_can_be_withdrawn_and_comes_back_as_it_was_read(home: Installation) -> None:
    before = values(home)
    rules = changed(home)
    finish_backfill(home, begin(home, BackfillRequest("folketall", rules=rules)))
    reread, digest = values(home), nightly(home).digest
    ids = dict(ledger_submissions.read_submissions(home.engine).select("filename", "submission_id").iter_rows())
    withdraw(home, ids["c.csv"])
    assert nightly(home).counts["items"] == 4
    assert_from_scratch(home)
    submit(home, {"c.csv": FILES["c.csv"]})
    assert nightly(home).digest == digest
    assert values(home) == reread != before
    digests = ledger_submissions.read_submissions(home.engine)["contract_digest"].unique()
    assert len(digests) == 1  # the same bytes again: the reading stays


def test_one_content_in_two_files_stays_one(tmp_path: Path, ledger_url: str) -> None:
    home = opened(tmp_path / "home", ledger_url)
    rows = ["0301;01.01.2024;alle;700;", "1120;01.01.2024;alle;20;"]
    submit(home, {"a.csv": HEADER + "\n".join(rows) + "\n", "b.csv": HEADER + "\n".join(rows[::-1]) + "\n"})
    assert nightly(home).counts["rows_duplicate"] == 2
    both = finish_backfill(home, begin(home, BackfillRequest("folketall", rules=changed(home))))
    assert both.diff["rows"] == {"published": [2, 2], "duplicate": [2, 2]}
    assert_from_scratch(home)


def test_one_of_two_files_of_one_content_reread_is_a_statement_of_its_own(tmp_path: Path, ledger_url: str) -> None:
    home = opened(tmp_path / "home", ledger_url)
    rows = ["0301;01.01.2024;alle;700;", "1120;01.01.2024;alle;20;"]
    ids = submit(home, {"a.csv": HEADER + "\n".join(rows) + "\n", "b.csv": HEADER + "\n".join(rows[::-1]) + "\n"})
    nightly(home)
    one = finish_backfill(
        home, begin(home, BackfillRequest("folketall", rules=changed(home), submissions=(min(ids.values()),)))
    )
    assert one.diff["rows"] == {"published": [2, 2], "duplicate": [2, 0], "superseded": [0, 2]}  # the later one counts
    assert_from_scratch(home)
    assert not nightly(home).published


def test_submissions_are_chosen_by_sender_day_period_and_id(home: Installation) -> None:
    submit(home, {"other.csv": HEADER + "1121;01.06.2024;alle;30;\n"}, sender="fylket")
    nightly(home)
    ids = dict(ledger_submissions.read_submissions(home.engine).select("filename", "submission_id").iter_rows())
    rules = changed(home)

    def chosen(**asked: Any) -> list[str]:
        request = BackfillRequest("folketall", rules=rules, **asked)
        found, _ = backfilling.select_submissions(home, request, backfilling.requested_contract(home, request).digest())
        return sorted(name for name, id_ in ids.items() if id_ in found["submission_id"].to_list())

    assert chosen() == sorted([*FILES, "other.csv"])
    assert chosen(sender="fylket") == ["other.csv"]
    assert chosen(submissions=(ids["a.csv"],)) == ["a.csv"]
    assert chosen(until=TODAY - timedelta(days=1)) == []
    assert len(chosen(since=TODAY - timedelta(days=1), until=TODAY + timedelta(days=1))) == 6
    months: dict[str, Any] = {"since": datetime(2024, 2, 1).date(), "until": datetime(2024, 3, 1).date()}
    assert chosen(by="period", **months) == ["b.csv", "c.csv", "gone.csv"]
    assert chosen(by="period", **months, sender="fylket") == []


def test_what_cannot_be_asked_is_said(home: Installation, tmp_path: Path) -> None:
    same_version = changed(home, ("antall, max: 800000", "antall, max: 90"))
    with pytest.raises(UsageError, match="expected version 2 or higher"):
        start_backfill(home, BackfillRequest("folketall", rules=same_version))
    with pytest.raises(UsageError, match="found contract 'folketall', expected 'betaling'"):
        start_backfill(home, BackfillRequest("betaling", rules=same_version))
    with pytest.raises(UsageError, match="has no submission abc"):
        start_backfill(home, BackfillRequest("folketall", submissions=("abc",)))
    with pytest.raises(UsageError, match="no model matches"):
        start_backfill(home, BackfillRequest("folketall", model="abc"))
    with pytest.raises(UsageError, match="no backfill is unfinished"):
        backfilling.find_unfinished(home)
    fresh = opened(tmp_path / "fresh")
    with pytest.raises(UsageError, match="nothing is released yet"):
        start_backfill(fresh, BackfillRequest("folketall"))


def test_the_version_in_force_is_the_default(home: Installation) -> None:
    assert start_backfill(home, BackfillRequest("folketall")).number is None
    newer = put_in_force(home, changed(home))
    submit(newer, {"late.csv": HEADER + "1121;01.07.2024;alle;31;\n"})
    nightly(newer)
    assert values(newer)["Time2024-07-01"] == 31000
    assert values(newer)["Time2024-03-01"] == 19
    started = start_backfill(newer, BackfillRequest("folketall"))
    assert (started.submissions, started.left_out) == (5, {"read by this version already": 1})
    assert started.number is not None
    finish_backfill(newer, started.number)
    assert values(newer)["Time2024-03-01"] == 19000
    assert_from_scratch(newer)


def test_a_night_in_between_is_no_matter_and_a_withdrawal_asks_for_another_try(home: Installation) -> None:
    number = begin(home, BackfillRequest("folketall", rules=changed(home)))
    try_backfill(home, number)
    ids = dict(ledger_submissions.read_submissions(home.engine).select("filename", "submission_id").iter_rows())
    withdraw(home, ids["c.csv"])
    with pytest.raises(StoreError, match="other things than its dry run found"):
        finish_backfill(home, number)
    assert ledger_releases.current_release(home.engine)["release"] == 1  # type: ignore[index]  # there is one
    nightly(home)  # 2: without c.csv
    done = finish_backfill(home, number)
    assert (done.release_before, done.as_tried, done.diff["left_out_since"]) == (2, None, 1)
    assert values(home)["Time2024-03-01"] == 19000
    assert_from_scratch(home)
    submit(home, {"c.csv": FILES["c.csv"]})
    nightly(home)
    assert values(home)["Time2024-02-01"] == 18  # it was not there when the others were reread
    assert_from_scratch(home)


def test_a_discarded_one_counts_nowhere(home: Installation) -> None:
    before = state(home)
    number = begin(home, BackfillRequest("folketall", rules=changed(home)))
    try_backfill(home, number)
    ledger_backfills.mark_discarded(home.engine, number)
    with pytest.raises(UsageError, match=f"backfill {number} is not unfinished"):
        finish_backfill(home, number)
    assert state(home) == before
    assert not nightly(home).published
    assert begin(home, BackfillRequest("folketall", rules=changed(home))) == number + 1


def test_a_submission_withdrawn_while_it_is_published_stays_withdrawn(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = dict(ledger_submissions.read_submissions(home.engine).select("filename", "submission_id").iter_rows())
    number = begin(home, BackfillRequest("folketall", rules=changed(home)))
    real = ledger_releases.publish_release

    def meanwhile(*args: Any, **kwargs: Any) -> None:
        withdraw(home, ids["c.csv"])
        real(*args, **kwargs)

    monkeypatch.setattr(ledger_releases, "publish_release", meanwhile)
    finish_backfill(home, number)
    monkeypatch.undo()
    submission = ledger_submissions.read_submissions(home.engine, ids=[ids["c.csv"]]).row(0, named=True)
    assert (submission["status"], submission["in_release"]) == ("withdrawn", True)
    assert nightly(home).counts["items"] == 4
    assert_from_scratch(home)


def test_reading_goes_on_where_it_was_stopped(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "STEP_BYTES", 1)
    number = begin(home, BackfillRequest("folketall", rules=changed(home)))
    messages: list[str] = []

    def stop(text: str) -> None:
        messages.append(text)
        if len(messages) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfilling.reread_submissions(home, number, stop)
    assert ledger_backfills.reading_progress(home.engine, number)["read"] == 2
    backfilling.reread_submissions(home, backfilling.find_unfinished(home)["id"], messages.append)
    assert [text.split(" submissions")[0] for text in messages] == [f"read {n} of 5" for n in (1, 2, 3, 4, 5)]
    assert "a second, about 0 s left" in messages[-1]
    again = ledger_backfills.read_readings(home.engine, number).head(1)
    nothing = (
        ledger_backfills.read_reading_partitions(home.engine, number, []),
        empty(REJECT),
    )
    with pytest.raises(StoreError, match="another process reads backfill"):
        ledger_backfills.write_readings(home.engine, number, again, *nothing)
    rows = sa.select(sa.func.count()).select_from(t.backfill_partitions)
    with home.engine.connect() as connection:
        assert connection.scalar(rows) == 4
