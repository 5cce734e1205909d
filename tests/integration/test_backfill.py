"""Old submissions read anew by a new version of their contract: tried out, published, and all else as it was."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from dying import balanced
from small_backfill import FILES, changed, nightly, opened, put_in_force, submit
from small_home import HEADER

from flows.backfill import reread as backfilling
from flows.backfill.publish import finish, try_out
from flows.backfill.reread import Asked, start
from flows.installation import Installation
from flows.intake.registration import rejects_of, withdraw
from flows.queries.sql import query
from flows.release.verify import verify
from infra.checks import engine as checks
from infra.ledger import backfills as ledger_backfills
from infra.ledger import submissions as ledger
from infra.ledger import tables as t
from schemas.errors import StoreError, UsageError

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


@pytest.fixture
def home(tmp_path: Path, ledger_url: str) -> Installation:
    """Give an installation with one release of `FILES`."""
    made = opened(tmp_path / "home", ledger_url)
    submit(made, FILES)
    assert nightly(made).counts["items"] == 5
    return made


def begin(home: Installation, asked: Asked) -> int:
    number = start(home, asked).number
    assert number is not None
    return number


def state(home: Installation) -> dict[str, Any]:
    """Return all that a reader of the current release and the next night see."""
    release = ledger.current_release(home.engine)
    assert release is not None
    return {
        "release": (release["release"], release["digest"]),
        "submissions": ledger.submissions(home.engine).to_dicts(),
        "rejects": ledger.rejects(home.engine).drop("submission_id").sort(pl.all()).rows(),
        "partitions": ledger.partitions(home.engine).rows(),
        "items": query(home, "SELECT item_id, value FROM observations ORDER BY item_id").rows(),
    }


def values(home: Installation) -> dict[str, int]:
    found = query(home, "SELECT unit_name || period_start, value FROM observations").rows()
    return {name: int(value) for name, value in found}


def test_a_dry_run_changes_nothing_and_the_real_one_exactly_what_it_found(home: Installation) -> None:
    rules = changed(home)
    before = state(home)
    number = begin(home, Asked("folketall", rules=rules))
    tried = try_out(home, number)
    assert state(home) == before
    assert tried.diff["changes"] == [{"table": "observations", "change": "changed", "items": 5}]
    diff = pl.read_parquet(tried.file)
    was = {f"{what.split()[-1]}{period}": old for what, period, old in diff.select("what", "period", "before").rows()}
    assert was["Klepp2024-01"] == "20 (single)"

    again = start(home, Asked("folketall", rules=rules))
    assert (again.number, again.again) == (number, True)  # what is read already is not read once more
    done = finish(home, number)
    assert done.night is not None
    assert (done.night.release, done.as_tried) == (2, True)
    assert done.diff == tried.diff
    assert done.diff["release_digest"] == [before["release"][1], done.night.digest]
    assert pl.read_parquet(done.file).equals(diff)
    assert values(home) == {name: 1000 * value for name, value in _values_of(before, home).items()}
    published = query(home, "SELECT item_id, change FROM changes WHERE release = 2 ORDER BY item_id").rows()
    assert published == diff.select("item_id", "change").sort("item_id").rows()
    assert verify(home).same


def _values_of(before: dict[str, Any], home: Installation) -> dict[str, int]:
    items = dict(before["items"])
    names = query(home, "SELECT item_id, unit_name || period_start FROM observations").rows()
    return {name: int(items[item]) for item, name in names}


def test_twice_is_once_and_the_next_night_has_nothing_to_do(home: Installation) -> None:
    rules = changed(home)
    finish(home, begin(home, Asked("folketall", rules=rules)))
    told = start(home, Asked("folketall", rules=rules))
    assert (told.number, told.left_out) == (None, {"read by this version already": 5})
    assert not nightly(home).published
    (kept,) = ledger_backfills.backfills(home.engine)
    assert (kept["status"], kept["release"]) == ("published", 2)
    with home.engine.connect() as connection:
        left = [connection.scalar(sa.select(sa.func.count()).select_from(c)) for c in ledger_backfills.COPIED]
    assert left == [0, 0]


def test_all_else_stays_as_the_last_release_has_it(home: Installation) -> None:
    ids = dict(ledger.submissions(home.engine).select("filename", "submission_id").iter_rows())
    withdraw(home, ids["gone.csv"])
    submit(home, {"new.csv": HEADER + "1121;01.05.2024;alle;22;\n"})
    told = start(home, Asked("folketall", rules=changed(home)))
    assert (told.submissions, told.left_out) == (4, {"withdrawn": 1, "not released yet": 1})
    assert told.number is not None
    finish(home, told.number)
    assert values(home)["Time2024-03-01"] == 19  # withdrawn, and released still
    assert "Time2024-05-01" not in values(home)
    assert verify(home).same
    assert nightly(home).published
    assert "Time2024-03-01" not in values(home)
    assert values(home)["Time2024-05-01"] == 22  # read by the version in force
    assert verify(home).same


def test_what_was_rejected_whole_comes_in_and_other_items_leave(home: Installation) -> None:
    number = begin(home, Asked("folketall", rules=changed(home, *NO_GROUP)))
    tried = try_out(home, number)
    assert {(c["change"], c["items"]) for c in tried.diff["changes"]} == {("added", 6), ("removed", 5)}
    assert tried.diff["rows"] == {"published": [5, 6], "rejected": [1, 1], "ignored": [1, 1]}
    missing = next(r for r in tried.diff["rejects"] if r["reason"] == "missing-column")
    assert (missing["before"], missing["after"]) == (1, 0)
    finish(home, number)
    assert values(home)["Time2024-04-01"] == 19
    bad = ledger.submissions(home.engine).filter(filename="bad.csv")
    assert bad.select("status", "in_release", "first_release").row(0) == ("live", True, 2)
    assert rejects_of(home, bad["submission_id"].item()).height == 0
    assert verify(home).same
    assert not nightly(home).published


def test_what_is_read_anew_can_be_withdrawn_and_comes_back_as_it_was_read(home: Installation) -> None:
    before = values(home)
    rules = changed(home)
    finish(home, begin(home, Asked("folketall", rules=rules)))
    anew, digest = values(home), nightly(home).digest
    ids = dict(ledger.submissions(home.engine).select("filename", "submission_id").iter_rows())
    withdraw(home, ids["c.csv"])
    assert nightly(home).counts["items"] == 4
    assert verify(home).same
    submit(home, {"c.csv": FILES["c.csv"]})
    assert nightly(home).digest == digest
    assert values(home) == anew != before
    kept = ledger.submissions(home.engine)["contract_digest"].unique()
    assert len(kept) == 1  # the same bytes again: the reading stays


def test_one_content_in_two_files_stays_one(tmp_path: Path, ledger_url: str) -> None:
    home = opened(tmp_path / "home", ledger_url)
    rows = ["0301;01.01.2024;alle;700;", "1120;01.01.2024;alle;20;"]
    submit(home, {"a.csv": HEADER + "\n".join(rows) + "\n", "b.csv": HEADER + "\n".join(rows[::-1]) + "\n"})
    assert nightly(home).counts["rows_duplicate"] == 2
    both = finish(home, begin(home, Asked("folketall", rules=changed(home))))
    assert both.diff["rows"] == {"published": [2, 2], "duplicate": [2, 2]}
    assert verify(home).same


def test_one_of_two_files_of_one_content_read_anew_is_a_report_of_its_own(tmp_path: Path, ledger_url: str) -> None:
    home = opened(tmp_path / "home", ledger_url)
    rows = ["0301;01.01.2024;alle;700;", "1120;01.01.2024;alle;20;"]
    ids = submit(home, {"a.csv": HEADER + "\n".join(rows) + "\n", "b.csv": HEADER + "\n".join(rows[::-1]) + "\n"})
    nightly(home)
    one = finish(home, begin(home, Asked("folketall", rules=changed(home), submissions=(min(ids.values()),))))
    assert one.diff["rows"] == {"published": [2, 0], "duplicate": [2, 0], "conflict": [0, 4]}
    assert verify(home).same
    assert not nightly(home).published


def test_submissions_are_chosen_by_sender_day_period_and_id(home: Installation) -> None:
    submit(home, {"other.csv": HEADER + "1121;01.06.2024;alle;30;\n"}, sender="fylket")
    nightly(home)
    ids = dict(ledger.submissions(home.engine).select("filename", "submission_id").iter_rows())
    rules = changed(home)

    def chosen(**asked: Any) -> list[str]:
        told = Asked("folketall", rules=rules, **asked)
        found, _ = backfilling.choose(home, told, backfilling.contract_of(home, told).digest())
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
        start(home, Asked("folketall", rules=same_version))
    with pytest.raises(UsageError, match="found contract 'folketall', expected 'betaling'"):
        start(home, Asked("betaling", rules=same_version))
    with pytest.raises(UsageError, match="has no submission abc"):
        start(home, Asked("folketall", submissions=("abc",)))
    with pytest.raises(UsageError, match="no model matches"):
        start(home, Asked("folketall", model="abc"))
    with pytest.raises(UsageError, match="no backfill is unfinished"):
        backfilling.unfinished(home)
    fresh = opened(tmp_path / "fresh")
    with pytest.raises(UsageError, match="nothing is released yet"):
        start(fresh, Asked("folketall"))


def test_the_version_in_force_is_the_default(home: Installation) -> None:
    assert start(home, Asked("folketall")).number is None
    newer = put_in_force(home, changed(home))
    submit(newer, {"late.csv": HEADER + "1121;01.07.2024;alle;31;\n"})
    nightly(newer)
    assert values(newer)["Time2024-07-01"] == 31000
    assert values(newer)["Time2024-03-01"] == 19
    told = start(newer, Asked("folketall"))
    assert (told.submissions, told.left_out) == (5, {"read by this version already": 1})
    assert told.number is not None
    finish(newer, told.number)
    assert values(newer)["Time2024-03-01"] == 19000
    assert verify(newer).same


def test_a_night_in_between_is_no_matter_and_a_withdrawal_asks_for_another_try(home: Installation) -> None:
    number = begin(home, Asked("folketall", rules=changed(home)))
    try_out(home, number)
    ids = dict(ledger.submissions(home.engine).select("filename", "submission_id").iter_rows())
    withdraw(home, ids["c.csv"])
    with pytest.raises(StoreError, match="other things than its dry run found"):
        finish(home, number)
    assert ledger.current_release(home.engine)["release"] == 1  # type: ignore[index]  # there is one
    nightly(home)  # 2: without c.csv
    done = finish(home, number)
    assert (done.release_before, done.as_tried, done.diff["left_out_since"]) == (2, None, 1)
    assert values(home)["Time2024-03-01"] == 19000
    assert verify(home).same
    submit(home, {"c.csv": FILES["c.csv"]})
    nightly(home)
    assert values(home)["Time2024-02-01"] == 18  # it was not there when the others were read anew
    assert verify(home).same


def test_a_discarded_one_counts_nowhere(home: Installation) -> None:
    before = state(home)
    number = begin(home, Asked("folketall", rules=changed(home)))
    try_out(home, number)
    ledger_backfills.discard(home.engine, number)
    with pytest.raises(UsageError, match=f"backfill {number} is not unfinished"):
        finish(home, number)
    assert state(home) == before
    assert not nightly(home).published
    assert begin(home, Asked("folketall", rules=changed(home))) == number + 1


def test_a_submission_withdrawn_while_it_is_published_stays_withdrawn(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = dict(ledger.submissions(home.engine).select("filename", "submission_id").iter_rows())
    number = begin(home, Asked("folketall", rules=changed(home)))
    real = ledger.publish

    def meanwhile(*args: Any, **kwargs: Any) -> None:
        withdraw(home, ids["c.csv"])
        real(*args, **kwargs)

    monkeypatch.setattr(ledger, "publish", meanwhile)
    finish(home, number)
    monkeypatch.undo()
    told = ledger.submissions(home.engine, ids=[ids["c.csv"]]).row(0, named=True)
    assert (told["status"], told["in_release"]) == ("withdrawn", True)
    assert nightly(home).counts["items"] == 4
    assert verify(home).same


def test_reading_goes_on_where_it_was_stopped(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "STEP_BYTES", 1)
    number = begin(home, Asked("folketall", rules=changed(home)))
    said: list[str] = []

    def stop(text: str) -> None:
        said.append(text)
        if len(said) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfilling.read_on(home, number, stop)
    assert ledger_backfills.progress(home.engine, number)["read"] == 2
    backfilling.read_on(home, backfilling.unfinished(home)["id"], said.append)
    assert [text.split(" submissions")[0] for text in said] == [f"read {n} of 5" for n in (1, 2, 3, 4, 5)]
    assert "a second, about 0 s left" in said[-1]
    again = ledger_backfills.readings(home.engine, number).head(1)
    nothing = ledger_backfills.partitions(home.engine, number, []), ledger_backfills.rejects(home.engine, 0)
    with pytest.raises(StoreError, match="another process reads backfill"):
        ledger_backfills.keep_readings(home.engine, number, again, *nothing)
    rows = sa.select(sa.func.count()).select_from(t.backfill_partitions)
    with home.engine.connect() as connection:
        assert connection.scalar(rows) == 4
