"""Workers on this machine: a process each, with a scheduler that nobody else can reach, as long as a block runs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from infra.cluster.cluster import Cluster, dask_needed
from infra.settings import Settings, worker_environment

LOOPBACK: Final = "127.0.0.1"


@contextmanager
def local_cluster(settings: Settings, workers: int) -> Iterator[Cluster]:
    """Run so many worker processes while the block runs, of one Polars thread each unless POLARS_MAX_THREADS is set.

    A process that can talk to a scheduler can run code: this one talks by TLS, with keys in the memory of its own.
    """
    with dask_needed():
        from distributed import Client, LocalCluster
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host=LOOPBACK,
            security=True,
            dashboard_address=None,
            memory_limit=None,  # a delivery is read in a child process, whose limits are those of the settings
            silence_logs=logging.ERROR,
            env=worker_environment(settings.home),
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield Cluster(client)
