"""A night step by step, over a lake in memory: what it reads, consolidates, writes, counts, checks and hands over."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pytest

from flows.installation import Presets
from flows.release import build
from flows.release.build import night, reached_claims, stage_observations, summarise_staged
from flows.release.staged import Baseline, StagedRelease
from infra.checks import engine as checks
from infra.checks.engine import Finding
from infra.lake import delta
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from schemas.claims import BUCKETS, CLAIM, frame_schema
from schemas.errors import ReleaseRefused
from transforms import identity
from transforms.observations.consolidate import ConsolidatedClaims, consolidate, lane_sums
from transforms.submissions import buckets_by_status, counted_batches

if TYPE_CHECKING:
    from flows.installation import Installation

CLAIMS = pl.Schema({**frame_schema(CLAIM), "batch": pl.String()})
CELL = {"submission_id": pl.String, "bucket": pl.String, "rows": pl.Int64}
PARTITIONS = {"submission_id": pl.String, "partition": pl.String, "claims": pl.Int64}
USUAL: dict[str, Any] = {
    "contract": "c", "obligation": "o", "batch": "b1", "row": 2, "column": "x", "original": "1", "action": "append",
    "confidential": False, "concept": "n", "unit_id": "u", "period_start": date(2024, 1, 1),
    "period_end": date(2025, 1, 1), "breakdown": "{}", "unit_measure": "persons", "value": Decimal(1),
    "obs_status": "A", "unit_kind": "other", "unit_name": "U", "additive": False, "position": 0, "lead": True,
    "partition": "2024-01",
}  # fmt: skip


def claim(submission: str, item: str, **stated: Any) -> dict[str, Any]:
    """Return a claim of a submission, whose sender has its name."""
    own = {"submission_id": submission, "sender": submission, "reported_by": submission, "item_id": item}
    return {**USUAL, **own, **stated}


def submission(id_: str, number: int, **stated: Any) -> dict[str, Any]:
    """Return a submission of two rows that counts and that no release has, but for what is stated."""
    row = {
        "submission_id": id_, "batch": "b1", "in_release": False, "counts": True, "first_release": None,
        "arrival": number, "stream": number, "status": "live", "replaced_by": None, "delivered": 2, "rejected": 0,
        "ignored": 0,
    }  # fmt: skip
    return {**row, **stated}


def frame_of(*rows: dict[str, Any]) -> pl.DataFrame:
    types = {
        "first_release": pl.Int32(), "arrival": pl.UInt32(), "stream": pl.UInt32(), "replaced_by": pl.String(),
        "delivered": pl.Int64(), "rejected": pl.Int64(), "ignored": pl.Int64(),
    }  # fmt: skip
    return pl.DataFrame(list(rows), schema_overrides=types)


class Lake:
    """A lake in memory: its claims, what was appended to it, what it was asked for."""

    def __init__(self) -> None:
        self.claims: list[dict[str, Any]] = []
        self.appended: list[tuple[str, pl.DataFrame]] = []
        self.compacted: list[list[str]] = []
        self.known = pl.DataFrame(schema=CELL)
        self.ids: list[str] = []
        self.live_of: list[Any] = []

    def scan(self, _: object, name: str, *, partitions: list[str]) -> pl.LazyFrame:
        assert name == "claims"
        rows = pl.DataFrame(self.claims, CLAIMS, strict=False)
        return rows.lazy().filter(pl.col("partition").is_in(partitions))

    def append(self, _: object, name: str, frame: pl.DataFrame) -> None:
        self.appended.append((name, frame))

    def partitions(self, _: object, ids: list[str]) -> pl.DataFrame:
        rows = [(row["submission_id"], row["partition"], 1) for row in self.claims if row["submission_id"] in ids]
        others = [(id_, "records/incident", 1) for id_ in ids]
        return pl.DataFrame(rows + others, PARTITIONS, orient="row")

    def live(self, *given: Any) -> pl.LazyFrame:
        self.live_of.append(given)
        return pl.LazyFrame({"item_id": self.ids})

    def of(self, name: str) -> list[str]:
        """Return the items of which rows were appended to a table, sorted."""
        return sorted(item for table, frame in self.appended if table == name for item in frame["item_id"])


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Lake:
    made = Lake()
    tables = SimpleNamespace(compact=made.compacted.append, live=made.live, versions=lambda: {"observations": 5})
    monkeypatch.setattr(delta, "scan", made.scan)
    monkeypatch.setattr(delta, "append", made.append)
    monkeypatch.setattr(build, "observation_tables", lambda _: tables)
    for name in (
        "begin_measures",
        "count_measures",
        "write_measures",
        "write_suspected",
    ):  # tests/integration/release/test_measures.py
        monkeypatch.setattr(build, name, lambda *_: None)
    monkeypatch.setattr(ledger_submissions, "read_submission_partitions", made.partitions)
    monkeypatch.setattr(ledger_releases, "read_row_counts", lambda *_: made.known)
    return made


HOME = cast("Installation", SimpleNamespace(engine="ledger", settings=SimpleNamespace(lake="lake"), presets=Presets()))
BOTH = [claim("s1", "i1"), claim("s1", "i2", partition="2024-02"), claim("s2", "i1"), claim("s2", "i3")]


def stage(
    lake: Lake, submissions: list[dict[str, Any]], claims: list[dict[str, Any]], last: Any = None, **how: Any
) -> tuple[StagedRelease, list[str]]:
    """Stage these submissions; return what is staged, and the messages."""
    lake.claims = claims
    messages: list[str] = []
    return stage_observations(HOME, frame_of(*submissions), last, messages.append, **how), messages


def after(staged: StagedRelease) -> Any:
    """Return the release that a staged one becomes."""
    lanes = ",".join(map(str, staged.lanes))
    return {"release": staged.release, "digest_lanes": lanes, "tables": {}, "counts": {"items": 3}}


def counted(staged: StagedRelease) -> dict[tuple[str, str], int]:
    return {(id_, bucket): rows for id_, bucket, rows in staged.buckets.iter_rows() if rows}


def stage_both(lake: Lake) -> StagedRelease:
    """Stage the first release: two submissions, three items in two months."""
    staged, _ = stage(lake, [submission("s1", 0), submission("s2", 1)], BOTH)
    lake.known = staged.buckets
    lake.appended.clear()
    lake.compacted.clear()
    return staged


def test_the_first_release_writes_every_item_and_no_changes(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "CHUNK_CLAIMS", 3)
    rejected = submission("s0", 2, status="rejected", counts=False, rejected=2)
    staged, messages = stage(lake, [submission("s1", 0), submission("s2", 1), rejected], BOTH)
    assert messages == ["consolidating 2024-01 to 2024-01", "consolidating 2024-02 to 2024-02", "compacting"]
    assert [name for name, _ in lake.appended] == ["observations", "sources", "conflicts"] * 2
    assert (lake.of("observations"), lake.of("sources")) == (["i1", "i2", "i3"], ["i1", "i1", "i2", "i3"])
    assert {frame["release"].dtype for _, frame in lake.appended} == {pl.Int32()}
    assert {number for _, frame in lake.appended for number in frame["release"]} == {1}
    assert (staged.release, staged.changed) == (1, {"added": 3, "changed": 0, "removed": 0})
    assert staged.agreements == {"complete": 1, "single": 2}
    assert (staged.partitions, lake.compacted) == (["2024-01", "2024-02"], [["2024-01", "2024-02"]])
    assert counted(staged) == {
        ("s1", "published"): 2, ("s2", "published"): 1, ("s2", "duplicate"): 1, ("s0", "rejected"): 2,
    }  # fmt: skip
    assert (staged.outdated, dict(staged.unstated)) == (False, {"observations": 0})


def test_all_that_is_written_is_checked(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[tuple[str, int]] = []
    monkeypatch.setattr(checks.TableCheck, "add", lambda self, rows: checked.append((self.table, rows.height)))
    stage(lake, [submission("s1", 0), submission("s2", 1)], BOTH)
    assert checked == [(name, frame.height) for name, frame in lake.appended]
    assert len(checked) == 3


def test_the_digest_of_the_first_release_is_that_of_what_it_writes(lake: Lake) -> None:
    staged, _ = stage(lake, [submission("s1", 0), submission("s2", 1)], BOTH)
    tables = dict(lake.appended)
    assert staged.lanes == list(lane_sums(tables["observations"], tables["sources"]))


@pytest.mark.parametrize("bad", ["2024-01", "2024-09"])
def test_a_group_that_cannot_be_written_ends_the_night(lake: Lake, monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    monkeypatch.setattr(build, "CHUNK_MONTHS", 1)
    lake.claims = [claim("s1", f"i{n}", partition=f"2024-0{n}") for n in range(1, 10)]
    messages: list[str] = []

    def append(_: object, __: str, frame: pl.DataFrame) -> None:
        if bad in frame["partition"]:
            raise OSError("the disk is full")

    monkeypatch.setattr(delta, "append", append)
    with pytest.raises(OSError, match="the disk is full"):
        stage_observations(HOME, frame_of(submission("s1", 0)), None, messages.append)
    months = [f"2024-0{n}" for n in range(1, 10)]
    last = 2 if bad == months[0] else 9
    assert messages == [f"consolidating {month} to {month}" for month in months[:last]], "in their order"


@pytest.mark.parametrize(("most", "groups"), [(1, 2), (2, 1)])
def test_months_are_taken_in_groups(lake: Lake, monkeypatch: pytest.MonkeyPatch, most: int, groups: int) -> None:
    monkeypatch.setattr(build, "CHUNK_MONTHS", most)
    _, messages = stage(lake, [submission("s1", 0)], BOTH)
    assert len(messages) == groups + 1
    assert (build.CHUNK_CLAIMS, messages[0]) == (700_000, f"consolidating 2024-01 to 2024-0{3 - groups}")


def test_the_next_release_writes_what_differs_and_counts_on(lake: Lake) -> None:
    first = stage_both(lake)
    known = [submission("s1", 0, in_release=True), submission("s2", 1, in_release=True)]
    claims = [*BOTH, claim("s3", "i1", value=Decimal(2)), claim("s3", "i4")]
    staged, _ = stage(lake, [*known, submission("s3", 2)], claims, after(first))
    assert (staged.release, staged.changed) == (2, {"added": 1, "changed": 1, "removed": 0})
    assert (lake.of("observations"), lake.of("changes"), lake.of("retired")) == (["i1", "i4"], ["i1", "i4"], ["i1"])
    assert lake.of("sources") == ["i1", "i1", "i1", "i4"]
    assert staged.agreements == {"complete": -1, "conflict": 1, "single": 1}
    assert staged.partitions == ["2024-01"], "a month that nothing reaches is not read"
    (retired,) = [frame for name, frame in lake.appended if name == "retired"]
    assert retired.select("release", "partition").rows() == [(2, "2024-01")]
    whole, _ = stage(lake, [submission("s1", 0), submission("s2", 1), submission("s3", 2)], claims)
    assert (staged.lanes, counted(staged)) == (whole.lanes, counted(whole)), "as if all had come at once"


def test_what_is_withdrawn_leaves_its_items(lake: Lake) -> None:
    first = stage_both(lake)
    submissions = [
        submission("s1", 0, in_release=True),
        submission("s2", 1, in_release=True, counts=False, status="withdrawn"),
    ]
    staged, _ = stage(lake, submissions, BOTH, after(first))
    assert staged.changed == {"added": 0, "changed": 1, "removed": 1}
    assert staged.unstated["observations"] == 1
    assert (lake.of("observations"), lake.of("retired"), lake.of("changes")) == (["i1"], ["i1", "i3"], ["i1", "i3"])
    alone, _ = stage(lake, [submission("s1", 0), submissions[1] | {"in_release": False}], BOTH)
    assert (staged.lanes, counted(staged)) == (alone.lanes, counted(alone)), "as if it had never come"
    assert counted(staged) == {("s1", "published"): 2, ("s2", "withdrawn"): 2}


def test_rows_that_a_submission_s_state_decides_are_counted_once(lake: Lake) -> None:
    claims = [*BOTH, claim("s2", "i1", action="withdraw", row=3), claim("s4", "i1")]
    rejected, twice = submission("s1", 0, delivered=3, rejected=1), submission("s4", 3, counts=False)
    first, _ = stage(lake, [rejected, submission("s2", 1, delivered=3), twice], claims)
    lake.known = first.buckets
    gone = submission("s2", 1, delivered=3, in_release=True, counts=False, status="withdrawn")
    staged, _ = stage(lake, [rejected | {"in_release": True}, gone, twice], claims, after(first))
    assert counted(staged) == {
        ("s1", "published"): 2, ("s1", "rejected"): 1, ("s2", "withdrawn"): 3, ("s4", "duplicate"): 2,
    }  # fmt: skip


def test_what_nothing_reaches_is_neither_read_nor_written(lake: Lake) -> None:
    first = stage_both(lake)
    known = [submission("s1", 0, in_release=True), submission("s2", 1, in_release=True)]
    staged, messages = stage(lake, known, BOTH, after(first))
    assert (lake.appended, lake.compacted, messages) == ([], [[]], ["compacting"])
    assert (staged.lanes, counted(staged)) == (first.lanes, counted(first))


def test_by_other_rules_everything_is_counted_from_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    first = stage_both(lake)
    known = [submission("s1", 0, in_release=True), submission("s2", 1, in_release=True)]
    other = [*BOTH[:3], claim("s2", "i3", value=Decimal(9))]
    published = consolidate(marked(BOTH, known))
    monkeypatch.setattr(build, "published_observations", lambda *_: published)
    reached = pl.DataFrame([("s1", "2024-01", 2), ("s2", "2024-01", 2)], PARTITIONS, orient="row")
    baseline = Baseline(buckets_by_status(frame_of(*known)).cast({"rows": pl.Int64}), reached, everything=True)
    staged, messages = stage(lake, known, other, after(first), baseline=baseline)
    assert messages == ["consolidating 2024-01 to 2024-01", "compacting"]
    assert (staged.outdated, staged.changed) == (True, {"added": 0, "changed": 1, "removed": 1})
    assert lake.of("observations") == ["i3"]
    whole, _ = stage(lake, [submission("s1", 0), submission("s2", 1)], [other[0], *other[2:]])
    assert (staged.lanes, counted(staged)) == (whole.lanes, counted(whole))
    assert staged.agreements == {"complete": 0, "single": -1}, "the last release is counted off"


def test_by_other_rules_an_item_differs_in_its_conflicts_too(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = [claim("s1", "i1"), claim("s2", "i1", value=Decimal(2))]
    known = [submission("s1", 0, in_release=True), submission("s2", 1, in_release=True)]
    now = consolidate(marked(claims, known))
    before = ConsolidatedClaims(now.observations, now.sources, now.conflicts.head(1), now.buckets)
    monkeypatch.setattr(build, "published_observations", lambda *_: before)
    reached = pl.DataFrame([("s1", "2024-01", 1)], PARTITIONS, orient="row")
    baseline = Baseline(buckets_by_status(frame_of(*known)).cast({"rows": pl.Int64}), reached, everything=True)
    last = {"release": 1, "digest_lanes": "0,0,0,0", "tables": {}, "counts": {"items": 1}}
    staged, _ = stage(lake, known, claims, last, baseline=baseline)
    assert staged.changed == {"added": 0, "changed": 1, "removed": 0}
    assert len(lake.of("conflicts")) == now.conflicts.height == 2


def test_what_is_read_again_is_consolidated_besides(lake: Lake) -> None:
    first = stage_both(lake)
    known = [submission("s1", 0, in_release=True), submission("s2", 1, in_release=True)]
    reached = pl.DataFrame([("s1", "2024-02", 1)], PARTITIONS, orient="row")
    staged, messages = stage(lake, known, BOTH, after(first), baseline=Baseline(lake.known, reached))
    assert messages == ["consolidating 2024-02 to 2024-02", "compacting"]
    assert (staged.outdated, staged.changed) == (False, {"added": 0, "changed": 0, "removed": 0})
    assert (staged.lanes, counted(staged)) == (first.lanes, counted(first))


def marked(claims: list[dict[str, Any]], submissions: list[dict[str, Any]]) -> pl.DataFrame:
    """Return claims as they are reached: with what counts, and in which order."""
    rows = pl.DataFrame(claims, CLAIMS, strict=False)
    return rows.join(counted_batches(frame_of(*submissions)), on=["submission_id", "batch"]).filter("after")


def reached(lake: Lake, submissions: list[dict[str, Any]], claims: list[dict[str, Any]], **how: Any) -> list[str]:
    """Return the items of the claims that are reached in January: as many times as there are claims."""
    lake.claims = claims
    rows = reached_claims(HOME, counted_batches(frame_of(*submissions)), ["2024-01"], **how)
    assert {"before", "after", "arrival", "stream"} <= set(rows.columns)
    return sorted(rows["item_id"])


def test_all_claims_of_reached_items_are_read(lake: Lake) -> None:
    known = [submission("s1", 0, in_release=True), submission("s2", 1, in_release=True)]
    claims = [*BOTH, claim("s3", "i3"), claim("lost", "i3"), claim("s3", "i3", batch="b0")]
    assert reached(lake, known, BOTH) == []
    assert reached(lake, [*known, submission("s3", 2)], claims) == ["i3", "i3"]
    assert reached(lake, [*known, submission("s3", 2)], claims, every=True) == ["i1", "i1", "i3", "i3"]
    new = [submission("s1", 0), submission("s2", 1)]
    assert reached(lake, new, BOTH) == ["i1", "i1", "i3"]
    assert reached(lake, new, claims) == ["i1", "i1", "i3"], "what is not counted is left out"


def test_a_slot_is_reached_whole(lake: Lake) -> None:
    known = [submission("s1", 0, in_release=True)]
    old = [claim("s1", "i1", slot_id="x"), claim("s1", "i2", slot_id="x"), claim("s1", "i3", slot_id="y")]
    new = [submission("s2", 1)]
    assert reached(lake, known + new, [*old, claim("s2", "i1", slot_id="x")]) == ["i1", "i1", "i2"]
    assert reached(lake, known + new, [*old, claim("s2", "i3")]) == ["i3", "i3"]
    shared = [claim("s1", "i1"), *old[1:], claim("s1", "i1", slot_id="y"), claim("s2", "i1")]
    assert reached(lake, known + new, shared) == ["i1", "i1", "i1", "i3"]
    assert reached(lake, known + new, [claim("s1", "i1"), claim("s2", "i2")]) == ["i2"]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give what a night does, in order; `last`, `reason`, `kinds` and `submissions` are what it finds."""
    fake = SimpleNamespace(
        done=[], last=None, reason=None, kinds=[], submissions=frame_of(submission("s1", 0)), events=[]
    )

    def step(name: str, result: Any = None) -> Any:
        def note(*given: Any, **how: Any) -> Any:
            fake.done.append((name, given, how))
            return result

        return note

    @contextmanager
    def run(engine: object, kind: str, run_id: str | None) -> Iterator[str]:
        fake.done.append(("run", (engine, kind, run_id), {}))
        yield "the run"

    staged = StagedRelease(1, [0] * len(identity.LANES), pl.DataFrame(schema=CELL), suites={})
    monkeypatch.setattr(build, "publishing_run", run)
    monkeypatch.setattr(build, "event_on_refusal", lambda _, run: fake.events.append(run) or nullcontext())
    monkeypatch.setattr(ledger_releases, "current_release", lambda _: fake.last)
    monkeypatch.setattr(ledger_submissions, "read_submissions", lambda _: None)
    monkeypatch.setattr(build, "mark_counting", lambda _: fake.submissions)
    monkeypatch.setattr(build, "versioned_tables", lambda _: ("observations",))
    monkeypatch.setattr(delta, "restore", step("restore"))
    monkeypatch.setattr(build, "kinds_to_resolve", lambda *_: fake.kinds)
    monkeypatch.setattr(build, "reconsolidation_reason", lambda _: fake.reason)
    monkeypatch.setattr(build, "release_models", lambda *_: {"incident": {}})
    monkeypatch.setattr(checks, "preload", step("preload"))
    for name, result in {
        "reconsolidation_baseline": "baseline", "stage_observations": staged, "stage_records": None,
        "check_staged": ["finding"], "publish_staged": "published",
    }.items():  # fmt: skip
        monkeypatch.setattr(build, name, step(name, result))
    return fake


INSTALLATION = cast("Installation", SimpleNamespace(engine="ledger", lake="lake", kinds={}))
LAST: Any = {"release": 3, "tables": {"observations": 2}, "digest": "d", "counts": {"items": 7}}


def test_a_night_restores_stages_checks_and_publishes(steps: SimpleNamespace) -> None:
    messages: list[str] = []
    assert night(INSTALLATION, messages.append, "given") == "published"  # type: ignore[comparison-overlap]
    assert [name for name, _, _ in steps.done] == [
        "run", "restore", "preload", "stage_observations", "stage_records", "check_staged", "publish_staged",
    ]  # fmt: skip
    given = {name: arguments for name, arguments, _ in steps.done}
    assert (given["run"], steps.events) == (("ledger", "nightly", "given"), ["the run"])
    assert given["restore"] == ("lake", {}, ("observations",))
    assert given["stage_observations"][4] is None
    _, run, staged, findings, (entering, leaving) = given["publish_staged"]
    assert (run, findings, entering.height, leaving.height) == ("the run", ["finding"], 1, 0)
    assert staged.records.models == {"incident": {}}
    assert messages == ["checking the staged release"]


@pytest.mark.parametrize(("last", "found"), [(None, (None, None, {})), (LAST, (3, "d", {"items": 7}))])
def test_without_anything_new_nothing_is_published(steps: SimpleNamespace, last: Any, found: tuple[Any, ...]) -> None:
    steps.last, steps.submissions = last, steps.submissions.clear()
    done = night(INSTALLATION)
    assert (done.release, done.digest, done.counts, done.published, done.findings) == (*found, False, [])
    assert [name for name, _, _ in steps.done] == ["run", "restore"]
    assert steps.done[1][1][1] == (last["tables"] if last else {})


@pytest.mark.parametrize("work", ["leaving", "kinds", "reason"])
def test_a_submission_that_leaves_a_kind_or_other_rules_are_work_too(steps: SimpleNamespace, work: str) -> None:
    steps.last = LAST
    steps.submissions = frame_of(submission("s1", 0, in_release=True, counts=work != "leaving"))
    steps.kinds, steps.reason = (["kind"] if work == "kinds" else []), ("other rules" if work == "reason" else None)
    messages: list[str] = []
    assert night(INSTALLATION, messages.append) == "published"  # type: ignore[comparison-overlap]
    baseline = [arguments[4] for name, arguments, _ in steps.done if name == "stage_observations"]
    assert baseline == ["baseline" if work == "reason" else None]
    assert messages == [*(["other rules"] if work == "reason" else []), "checking the staged release"]


def test_a_first_release_has_no_rules_to_differ_from(steps: SimpleNamespace) -> None:
    steps.reason = "other rules"
    night(INSTALLATION)
    assert "reconsolidation_baseline" not in [name for name, _, _ in steps.done]


def finding(number: int, *, success: bool = False, column: str = "value") -> Finding:
    return Finding("observations", f"e{number}", column, success, f"bad {number}", "not null")


def test_a_release_of_which_a_check_fails_is_refused(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    table = [finding(n) for n in range(10)]
    suites = {"observations": SimpleNamespace(findings=lambda: table), "x": SimpleNamespace(findings=list)}
    staged = StagedRelease(1, [], pl.DataFrame(schema=CELL), suites=cast("Any", suites))
    whole = [finding(10, column=""), finding(11, success=True)]
    monkeypatch.setattr(build, "staged_items", lambda *_: {})
    monkeypatch.setattr(checks, "check_release", lambda _: whole)
    with pytest.raises(ReleaseRefused) as refused:
        build.check_staged(HOME, frame_of(submission("s", 0)), staged, None)
    assert str(refused.value).startswith("11 checks failed, nothing was published: observations.value: found bad 0, ")
    assert str(refused.value).count("; ") == 9
    assert len(refused.value.failed) == 11
    del table[:]
    whole[0] = finding(10, success=True)
    assert build.check_staged(HOME, frame_of(submission("s", 0)), staged, None) == whole
    whole[0] = finding(10, column="")
    with pytest.raises(ReleaseRefused, match=r"^1 checks failed, nothing was published: observations\.\*: found bad"):
        build.check_staged(HOME, frame_of(submission("s", 0)), staged, None)
    assert lake.live_of


def cells(*rows: tuple[str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, CELL, orient="row")


def test_a_staged_release_in_numbers(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "staged_items", lambda *_: {"incident": (8, 7)})
    lake.ids = ["a", "b", "b"]
    buckets = cells(("s1", "published", 1), ("s1", "duplicate", 1), ("s2", "published", 3), ("s2", "rejected", -1))
    staged = StagedRelease(4, [], buckets, suites={})
    staged.changed, staged.partitions, staged.may_shrink = {"added": 5, "changed": 9, "removed": 2}, ["m"], {"incident"}
    staged.unstated["observations"] = 1
    submissions = frame_of(
        submission("s1", 0), submission("s2", 1), submission("s3", 2, delivered=0),
        submission("s4", 3, in_release=True, counts=False, delivered=0),
    )  # fmt: skip
    last = cast("Any", {"counts": {"items": 10}})
    found = summarise_staged(HOME, submissions, staged, last)
    assert (found.rows, found.item_ids) == ({"observations": 13, "incident": 8}, 12)
    assert (found.delivered, found.unbalanced, found.removed_submissions) == (4, 1, 1)
    assert found.buckets == dict.fromkeys(BUCKETS, 0) | {"published": 4, "duplicate": 1, "rejected": -1}
    assert (found.rows_before, found.record_ids) == ({"observations": 10, "incident": 0}, {"incident": 7})
    assert (found.may_shrink, found.unstated) == (frozenset({"incident"}), {"observations": 1})
    assert lake.live_of == [("observations", {"observations": 5}, ["m"])]
    first = summarise_staged(HOME, submissions, staged, None)
    assert (first.rows["observations"], first.rows_before) == (3, None)
    missing = summarise_staged(HOME, frame_of(submission("s9", 0)), staged, None)
    assert missing.unbalanced == 1, "its rows are in no bucket"
