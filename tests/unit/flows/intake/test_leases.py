"""A worker's leases: renewed in time while it works, given back if it fails; its sign of life once a minute."""

from types import SimpleNamespace
from typing import Any

import pytest

from flows.installation import Installation
from flows.intake import leases
from infra.inbox import work_queue as inbox
from infra.ledger import monitoring as ledger_monitoring
from schemas.errors import StoreAwayError, StoreError, UnreadError, UsageError

GIVEN_BACK = list[tuple[Any, ...]]


class FakeEvent:
    """An event that lets so many waits pass, and notes how long each would have been."""

    waits: list[float]
    passes: int

    is_set: bool

    def __init__(self) -> None:
        FakeEvent.waits, FakeEvent.is_set = [], False

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return len(self.waits) > self.passes

    def set(self) -> None:
        FakeEvent.is_set = True


@pytest.fixture
def renewals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Let a lease be renewed three times at once; give what was renewed."""
    found: list[tuple[Any, ...]] = []
    monkeypatch.setattr(FakeEvent, "passes", 3, raising=False)

    def at_once(target: Any, **how: Any) -> Any:
        assert how == {"name": "engang-lease", "daemon": True}
        return SimpleNamespace(start=target, join=lambda: found.append(("joined",)))

    monkeypatch.setattr(leases, "threading", SimpleNamespace(Event=FakeEvent, Thread=at_once))
    monkeypatch.setattr(inbox, "renew_lease", lambda *given: found.append(given))
    return found


@pytest.fixture
def given_back(monkeypatch: pytest.MonkeyPatch) -> GIVEN_BACK:
    """Give what failed rows were given back with."""
    found: GIVEN_BACK = []
    monkeypatch.setattr(inbox, "requeue_failed", lambda *given, **how: found.append((*given[1:], how)))
    return found


def test_a_lease_is_renewed_three_times_before_it_would_end(renewals: GIVEN_BACK, given_back: GIVEN_BACK) -> None:
    with leases.renewed_lease("engine", "me", [1, 2]):  # type: ignore[arg-type]
        pass
    assert inbox.LEASE_TIME.total_seconds() == 90
    assert FakeEvent.waits == [30.0] * 4
    assert FakeEvent.is_set, "the renewals end with the work"
    assert renewals == [("engine", "me", [1, 2])] * 3 + [("joined",)]
    assert given_back == []


def test_a_renewal_that_fails_is_tried_again(
    renewals: GIVEN_BACK, given_back: GIVEN_BACK, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> None:
        renewals.append(given)
        raise StoreError("no answer")

    monkeypatch.setattr(inbox, "renew_lease", fail)
    with leases.renewed_lease("engine", "me", [1]):  # type: ignore[arg-type]
        pass
    assert len(renewals) == 4
    assert given_back == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StoreError("the disk is full"), "given back: the disk is full"),
        (KeyboardInterrupt(), "given back: unforeseen: KeyboardInterrupt at test_leases.py:"),
    ],
)
def test_who_fails_gives_its_rows_back_and_no_try_is_counted(
    renewals: GIVEN_BACK, given_back: GIVEN_BACK, error: BaseException, reason: str
) -> None:
    with pytest.raises(type(error)), leases.renewed_lease("engine", "me", [1, 2]):  # type: ignore[arg-type]
        raise error
    ((worker, ids, said, how),) = given_back
    assert (worker, ids, how) == ("me", [1, 2], {"count_attempt": False})
    assert said.startswith(reason)
    assert len(renewals) == 4


def test_where_the_ledger_is_away_the_first_error_is_raised(
    renewals: GIVEN_BACK, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise StoreError("away")

    monkeypatch.setattr(inbox, "requeue_failed", away)
    with pytest.raises(ZeroDivisionError), leases.renewed_lease("engine", "me", [1]):  # type: ignore[arg-type]
        raise ZeroDivisionError
    assert renewals


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StoreError("s3 is away"), "s3 is away"),
        (OSError(28, "No space left"), "[Errno 28] No space left"),
        (UnreadError("over its budget"), "over its budget"),
        (ValueError("10018012345"), "unforeseen: ValueError; look into the file, then `engang inbox retry`"),
        (UsageError("10018012345"), "unforeseen: UsageError; look into the file, then `engang inbox retry`"),
    ],
)
def test_the_reason_of_an_unforeseen_error_quotes_nothing(error: BaseException, reason: str) -> None:
    assert leases.reason_of(error) == reason


@pytest.mark.parametrize("store", ["arrivals", "landing"])
@pytest.mark.parametrize("error", [StoreError("gone"), OSError("gone")])
def test_a_store_that_is_away_is_told_from_a_file_that_fails(store: str, error: Exception) -> None:
    def fail(**_: Any) -> None:
        raise error

    stores = {name: SimpleNamespace(probe=lambda **_: None) for name in ("arrivals", "landing")}
    leases.check_stores(SimpleNamespace(**stores))  # type: ignore[arg-type]
    stores[store].probe = fail
    with pytest.raises(StoreAwayError) as raised:
        leases.check_stores(SimpleNamespace(**stores))  # type: ignore[arg-type]
    assert str(raised.value) == "nothing can be received now: gone"


def test_arrivals_are_only_read() -> None:
    asked: list[dict[str, Any]] = []
    stores = {name: SimpleNamespace(probe=lambda **how: asked.append(how)) for name in ("arrivals", "landing")}
    leases.check_stores(SimpleNamespace(**stores))  # type: ignore[arg-type]
    assert asked == [{"writes": False}, {}]


def test_no_two_workers_have_one_name() -> None:
    names = [leases.worker_name() for _ in range(50)]
    assert len(set(names)) == 50
    assert all(len(name.split(":")[-1]) == 8 for name in names)


def test_a_sign_of_life_is_written_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[str] = []
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(leases.time, "monotonic", lambda: now.seconds)
    monkeypatch.setattr(leases.ledger_runs, "record_heartbeat", lambda _, worker: beats.append(worker))
    heart = leases.Heartbeat(SimpleNamespace(engine=None), "me")  # type: ignore[arg-type]
    written = []
    for now.seconds in (0.0, 59.9, 60.0, 61.0, 119.9, 120.0):
        heart.beat()
        written.append(len(beats))
    assert written == [1, 1, 2, 2, 2, 3]
    assert set(beats) == {"me"}


def test_a_worker_that_ends_as_it_should_is_not_missed(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    heart = leases.Heartbeat(home, "me")
    heart.beat()
    assert ledger_monitoring.read_last_runs(home.engine, "intake")["run_id"].to_list() == ["intake-me"]
    heart.end()
    assert ledger_monitoring.read_last_runs(home.engine, "intake").is_empty()

    def away(*_: Any) -> None:
        raise StoreError("away")

    monkeypatch.setattr(leases.ledger_runs, "remove_heartbeat", away)
    heart.end()
