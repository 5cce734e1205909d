"""The cluster of a flow: prefect-dask's task runner connects to it, or makes it; its workers need no Prefect server.

A batch is a task of Dask and not one of Prefect: Prefect would send its settings with each, its API key among them,
and each worker would report to its server.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from flows.installation import Installation
from flows.intake.batches.cluster import read_by
from infra.cluster.cluster import SCHEDULER_SECONDS, Cluster, dask_needed, scheduler_needed


def flow_cluster(installation: Installation) -> AbstractContextManager[Installation]:
    """Give the installation that reads deliveries by the workers of the setting `cluster`; itself if there is none."""
    address = installation.settings.cluster
    return nullcontext(installation) if address is None else read_by(installation, _connected(address))


@contextmanager
def _connected(address: str) -> Iterator[Cluster]:
    with dask_needed():
        from prefect_dask.task_runners import DaskTaskRunner  # only where there is a cluster
    with DaskTaskRunner(address=address, client_kwargs={"timeout": SCHEDULER_SECONDS}) as runner:
        with scheduler_needed(address):
            client = runner.client
        yield Cluster(client)
