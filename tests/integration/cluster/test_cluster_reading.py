"""Deliveries that workers of a cluster read give the release that one process gives, whatever becomes of a worker."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from flows import pipeline
from flows.installation import Installation
from flows.intake.arrivals import receive_arrivals
from flows.intake.batches import cluster as night_cluster
from flows.intake.batches import worker_task
from flows.intake.registration import reconcile
from infra.cluster import cluster as dask_cluster
from infra.lake import delta as lake
from infra.ledger import submissions as ledger_submissions
from infra.storage.landing import open_store
from infra.storage.places import S3Place
from schemas.errors import StoreAwayError, UsageError, WorkersLost
from tests.support.cli_runner import engang
from tests.support.cluster_deliveries import CallingCluster, delivered

WORKERS = (1, 2, 3)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    yield delivered(tmp_path / "home", monkeypatch)
    worker_task.worker_installation.cache_clear()


def registered(installation: Installation) -> list[tuple[object, ...]]:
    """Return what the ledger and the lake have of each submission, without ids and times of one life."""
    rows = ledger_submissions.read_submissions(installation.engine)
    claims = lake.scan(installation.settings.lake, "claims").collect()
    counted = claims.join(rows, on=["submission_id", "batch"], how="semi")
    own = rows.select("submission_id", "status", "delivered", "claims", "rejected", "warnings", "content_digest")
    sums = counted.group_by("submission_id").agg(pl.len().alias("rows"), pl.col("value").sum().alias("sum"))
    return sorted(own.join(sums, on="submission_id", how="left").rows(), key=str)


def read(installation: Installation) -> list[tuple[object, ...]]:
    receive_arrivals(installation, listing=True)
    reconcile(installation)
    return registered(installation)


def test_what_a_worker_reads_is_registered_as_what_this_process_reads(
    home: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = CallingCluster()
    with night_cluster.read_by(home, nullcontext(cluster)) as reading:
        found = read(reading)
    assert cluster.asked == 2
    assert not any(delivered_text in cluster.crossed for delivered_text in (b"late-0", b"menn", b"40.01.2024"))
    files = lake.open_table(home.settings.lake, "claims").get_add_actions(flatten=True)
    assert sum(pl.DataFrame(files)["num_records"]) == 6 * 19
    assert list((Path(str(home.settings.lake)) / "answers").iterdir()) == []
    assert found == read(delivered(tmp_path / "other", monkeypatch))
    assert len(found) == 7


def test_workers_read_from_s3_and_write_to_it(tmp_path: Path, s3: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_S3_ENDPOINT", str(s3.endpoint))
    monkeypatch.setenv("ENGANG_LANDING", str(s3 / "landing"))
    monkeypatch.setenv("ENGANG_LAKE", str(s3 / "lake"))
    cluster = CallingCluster()
    with night_cluster.read_by(delivered(tmp_path / "home", monkeypatch), nullcontext(cluster)) as reading:
        assert len(read(reading)) == 7
        assert cluster.asked == 2
        assert list(open_store(reading.settings.lake).listing("answers/")) == []


def test_a_batch_that_ends_every_worker_is_read_by_the_night_itself(home: Installation) -> None:
    cluster = CallingCluster(WorkersLost("they ended"))
    with night_cluster.read_by(home, nullcontext(cluster)) as reading:
        assert len(read(reading)) == 7
    assert cluster.asked == 2


def test_a_cluster_that_goes_away_fails_the_night_and_nothing_is_lost(home: Installation) -> None:
    cluster = CallingCluster(StoreAwayError("the scheduler does not answer any more"))
    with night_cluster.read_by(home, nullcontext(cluster)) as reading:
        assert receive_arrivals(reading, listing=True) == []
        with pytest.raises(StoreAwayError):
            reconcile(reading)
    assert len(read(home)) == 7


def test_a_worker_that_reads_otherwise_is_refused(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    with_key = replace(home.settings, pseudonym_key="k" * 32)
    other = Installation(with_key, home.engine)
    with pytest.raises(UsageError, match="pseudonym key"), night_cluster.read_by(other, nullcontext(CallingCluster())):
        pass
    assert "k" * 32 not in str(other.setup)
    monkeypatch.setenv("ENGANG_READ_ROWS", "7")
    with pytest.raises(UsageError, match="limits of reading"):
        night_cluster.check_workers(home, CallingCluster())


def test_a_scheduler_that_is_not_there_fails_the_night_and_nothing_is_lost(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="needs the extra engang[dask]")
    monkeypatch.setattr(dask_cluster, "SCHEDULER_SECONDS", 0.2)
    with monkeypatch.context() as setting:
        setting.setenv("ENGANG_CLUSTER", "tcp://127.0.0.1:9")
        ran = engang("nightly")
    assert ran.code == 1
    assert "no scheduler answers at tcp://127.0.0.1:9" in ran.err
    assert len(read(home)) == 7


def night(installation: Installation, workers: int | None) -> str | None:
    return pipeline.nightly(installation, export="never", workers=workers).digest


@pytest.fixture(scope="module")
def digest(tmp_path_factory: pytest.TempPathFactory) -> str | None:
    """Return the digest of the release that one process makes."""
    with pytest.MonkeyPatch.context() as environment:
        return night(delivered(tmp_path_factory.mktemp("alone") / "home", environment), None)


@pytest.mark.parametrize("workers", WORKERS)
def test_any_number_of_workers_gives_the_same_release(home: Installation, digest: str, workers: int) -> None:
    pytest.importorskip("distributed", reason="needs the extra engang[dask]")
    assert night(home, workers) == digest


@pytest.mark.parametrize("point", ["notes", "files", "answer"])
@pytest.mark.parametrize("once", [True, False])
def test_a_worker_killed_at_any_point_changes_nothing(
    home: Installation, digest: str, tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch, *, once: bool
) -> None:
    pytest.importorskip("distributed", reason="needs the extra engang[dask]")  # its own settings come with it
    import dask

    monkeypatch.setenv("DYING_AT", point)
    if once:
        monkeypatch.setenv("DYING_ONCE", str(tmp_path / "died"))
    preload, deaths = "distributed.worker.preload", "distributed.scheduler.allowed-failures"
    with dask.config.set({preload: ["tests.support.dying_worker"], deaths: 1}):
        assert night(home, 2) == digest
    assert not once or (tmp_path / "died").exists()
