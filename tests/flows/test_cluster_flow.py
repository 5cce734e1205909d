"""The Prefect flow `nightly` with a cluster: prefect-dask's runner connects, and the workers need no Prefect server."""

from pathlib import Path

import pytest

from flows import pipeline
from flows.installation import open_installation
from schemas.errors import StoreAwayError
from tests.support.cluster_deliveries import delivered

pytestmark = pytest.mark.usefixtures("prefect_api", "home")


def test_a_flow_reads_by_workers_and_publishes_the_same(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra engang[dask]")
    from flows.orchestration.nightly import nightly
    from infra.settings import worker_environment

    plain = pipeline.nightly(delivered(tmp_path / "plain", monkeypatch), export="never")
    delivered(home, monkeypatch)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, env=worker_environment(home)
    ) as cluster:
        monkeypatch.setenv("ENGANG_CLUSTER", cluster.scheduler_address)
        done = nightly(export="never")
    assert (done.digest, done.published) == (plain.digest, True)
    monkeypatch.setenv("ENGANG_CLUSTER", "tcp://127.0.0.1:9")
    monkeypatch.setattr("flows.orchestration.cluster.SCHEDULER_SECONDS", 0.2)
    with pytest.raises(StoreAwayError, match="no scheduler answers"):
        nightly(export="never")
    assert open_installation(home).settings.cluster == "tcp://127.0.0.1:9"
