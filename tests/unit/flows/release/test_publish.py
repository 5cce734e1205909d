"""The one row that makes a staged release the current one: what it names, counts and recounts, and who may write it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pytest

from flows.release import publish
from flows.release.publish import changed_submissions, publish_staged, publishing_run
from flows.release.staged import StagedRelease
from infra import telemetry
from infra.lake import access, delta
from infra.ledger import releases as ledger_releases
from infra.ledger import runs as ledger_runs
from infra.ledger.records import RecordsPublished
from transforms import identity, rules_version

if TYPE_CHECKING:
    from flows.installation import Installation

CELL = {"submission_id": pl.String, "bucket": pl.String, "rows": pl.Int64}
HOME = cast(
    "Installation",
    SimpleNamespace(
        engine="ledger", settings=SimpleNamespace(lake="lake"), kinds={}, register=SimpleNamespace(digest="units")
    ),
)
LAST = {
    "release": 4, "tables": {"observations": 7},
    "counts": {"items": 9, "single": 5, "complete": 3, "conflict": 1, "incident": 6, "removed_kind": 2, "added": 8},
}  # fmt: skip


def cells(*rows: tuple[str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, CELL, orient="row")


def entered(*ids: str, before: float | None = 900_000) -> pl.DataFrame:
    """Return submissions, received so many seconds ago, the last one before the others."""
    now = datetime.now(UTC).replace(tzinfo=None)
    times = [None if before is None else now - timedelta(seconds=before + n) for n, _ in enumerate(ids)]
    return pl.DataFrame({"submission_id": list(ids), "received_at": times, "contract": [f"of {n}" for n in ids]}, {
        "submission_id": pl.String, "received_at": pl.Datetime("us"), "contract": pl.String,
    })  # fmt: skip


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give what is published; `last` and `known` are what the ledger has."""
    fake = SimpleNamespace(last=None, known=cells(), published=[], asked=[], lags=[], logged=[], grown=[])

    @contextmanager
    def release_event(_: Any, release: Any, also: Any, contracts: set[str]) -> Iterator[Callable[[], None]]:
        fake.asked.append((release["release"], also, sorted(contracts)))
        yield lambda: None
        fake.asked.append(len(fake.published))

    def own_versions(*given: Any) -> dict[str, int]:
        fake.asked.append((given[0], given[2]))
        return {"observations": 8}

    monkeypatch.setattr(ledger_releases, "current_release", lambda _: fake.last)
    monkeypatch.setattr(ledger_releases, "read_row_counts", lambda _, release: fake.known if release == 4 else None)
    monkeypatch.setattr(ledger_releases, "publish_release", lambda *given, **how: fake.published.append((given, how)))
    monkeypatch.setattr(delta, "own_versions", own_versions)
    monkeypatch.setattr(publish, "write_descriptions", lambda _, last: fake.asked.append(("described", last)))
    monkeypatch.setattr(publish, "release_event", release_event)
    tree = SimpleNamespace(head={"size": 7}, leaves="leaves")
    monkeypatch.setattr(publish, "grow_tree", lambda *given: fake.grown.append(given[1:]) or tree)

    def log(part: str) -> SimpleNamespace:
        return SimpleNamespace(info=lambda line, **how: fake.logged.append((part, line, how)))

    monkeypatch.setattr(telemetry, "log", log)
    monkeypatch.setattr(telemetry, "record_lag", lambda name, seconds: fake.lags.append((name, seconds)))
    return fake


def staged(release: int, buckets: pl.DataFrame, **agreements: int) -> StagedRelease:
    made = StagedRelease(release, [1, 2, 3, 4][: len(identity.LANES)], buckets, suites={}, agreements=agreements)
    made.changed = {"added": 2, "changed": 1, "removed": 3}
    return made


def test_the_first_release_counts_what_is_staged(done: SimpleNamespace) -> None:
    buckets = cells(
        ("s1", "published", 2), ("s1", "rejected", 0), ("s2", "published", 3), ("s2", "ignored", 1),
        ("s2", "superseded", 4), ("s2", "conflict", 5), ("s2", "additive", 6),
    )  # fmt: skip
    made = staged(1, buckets, single=4, complete=1)

    def also(_: object) -> None:
        """Write nothing."""

    night = publish_staged(HOME, "run-1", made, ["finding"], (entered("s1", "s2"), entered("s0")), write_also=also)  # type: ignore[list-item]
    counts = {
        "items": 5, "single": 4, "complete": 1, "consistent": 0, "conflict": 0, "added": 2, "changed": 1, "removed": 3,
        "rows_additive": 6, "rows_conflict": 5, "rows_ignored": 1, "rows_published": 5, "rows_superseded": 4,
    }  # fmt: skip
    digest = identity.digest(tuple(made.lanes))
    assert (night.release, night.published, night.digest, night.counts) == (1, True, digest, counts)
    assert list(night.counts) == list(counts), "in one order"
    assert night.findings == ["finding"]  # type: ignore[comparison-overlap]
    (((engine, release, recounted, came, left), how),) = done.published
    assert (engine, came, left, how["records"]) == ("ledger", ["s1", "s2"], ["s0"], made.records)
    assert how["leaves"] == "leaves", "the tree grows in the same transaction"
    assert done.grown == [(made, None, digest, {"s0", "s1", "s2"})], "by all that is new or gone or counts otherwise"
    assert release.pop("published_at") <= datetime.now(UTC).replace(tzinfo=None)
    assert release == {
        "release": 1, "run_id": "run-1", "digest": digest,
        "digest_lanes": ",".join(map(str, (*made.lanes, 0, 0, 0, 0))),
        "tables": {"observations": 8}, "counts": counts, "register_digest": "units",
        "rules_digest": rules_version.RULES_DIGEST, "tree_head": {"size": 7},
    }  # fmt: skip
    assert sorted(recounted.rows()) == sorted(row for row in buckets.rows() if row[2])
    fields = {"release": 1, "run": "run-1", "items": 5}
    assert done.logged == [("night", "release published", {"extra": fields})]
    steps = [("described", None), ("lake", {}), (1, also, ["of s0", "of s1", "of s2"]), 1]
    assert done.asked == steps, "the descriptions are of this release, and the event follows it"
    ((name, seconds),) = done.lags
    assert (name, 900_001 <= seconds < 900_100) == ("released", True)


def test_the_next_release_counts_on_from_the_last_one(done: SimpleNamespace) -> None:
    done.last = LAST
    made = staged(5, cells(), single=-1, complete=2)
    made.items = {"incident": -2, "other": 3}
    made.records = RecordsPublished(models={"incident": {}, "fresh": {}})
    counts = publish_staged(HOME, "run", made, [], (entered(), entered())).counts
    assert counts == {
        "items": 10, "single": 4, "complete": 5, "consistent": 0, "conflict": 1, "added": 2, "changed": 1, "removed": 3,
        "incident": 4, "fresh": 0,
    }  # fmt: skip
    assert done.asked[:2] == [("described", LAST), ("lake", {"observations": 7})]
    assert done.lags == [], "nothing new was received"


def test_each_submission_of_which_a_bucket_changed_is_recounted_whole(done: SimpleNamespace) -> None:
    done.last = LAST
    done.known = cells(
        ("same", "published", 2), ("same", "ignored", 0), ("moved", "published", 2), ("moved", "ignored", 1),
        ("gone", "published", 1), ("gone", "ignored", 1), ("never", "rejected", 0),
    )  # fmt: skip
    now = cells(
        ("same", "published", 2), ("moved", "superseded", 2), ("moved", "ignored", 1), ("new", "published", 4),
        ("gone", "published", 0),
    )  # fmt: skip
    publish_staged(HOME, "run", staged(5, now), [], (entered("x", before=None), entered()))
    (((_, _, recounted, _, _), _),) = done.published
    assert recounted.schema == CELL
    assert sorted(recounted.rows()) == [
        ("gone", "rejected", 0), ("moved", "ignored", 1), ("moved", "superseded", 2), ("new", "published", 4),
    ]  # fmt: skip


def test_what_counts_now_and_did_not_enters_and_what_did_and_does_not_leaves() -> None:
    states = [("both", True, True), ("enters", True, False), ("leaves", False, True), ("neither", False, False)]
    came, left = changed_submissions(pl.DataFrame(states, ["submission_id", "counts", "in_release"], orient="row"))
    assert (came["submission_id"].to_list(), left["submission_id"].to_list()) == (["enters"], ["leaves"])


@pytest.mark.parametrize(("given", "run", "recorded"), [(None, "new", True), ("mine", "mine", False)])
def test_a_publisher_holds_the_lock_and_signs_what_it_writes(
    monkeypatch: pytest.MonkeyPatch, given: str | None, run: str, recorded: bool
) -> None:
    held: list[Any] = []

    def holding(name: str, result: Any = None) -> Callable[..., Any]:
        @contextmanager
        def hold(*arguments: Any) -> Iterator[Any]:
            held.append((name, *arguments))
            yield result
            held.append(name)

        return hold

    monkeypatch.setattr(ledger_runs, "publishing_lock", holding("lock"))
    monkeypatch.setattr(ledger_runs, "recorded_run", holding("run", "new"))
    monkeypatch.setattr(delta, "signed_by", holding("signed"))
    monkeypatch.setattr(access, "scan_errors", holding("errors"))
    with publishing_run(cast("Any", "ledger"), "nightly", given) as found:
        assert found == run
        began = list(held)
    of_run = [("run", "ledger", "nightly")] if recorded else []
    assert began == [("lock", "ledger", given), *of_run, ("signed", run), ("errors",)]
    assert held[len(began) :] == ["errors", "signed", *(["run"] if recorded else []), "lock"]
