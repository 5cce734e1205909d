"""The cluster that reads deliveries for a night, if there is one: workers of this machine, or those of a scheduler."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from flows.installation import Installation
from flows.intake.batches.cluster_reading import check_workers, remove_abandoned_answers
from infra.cluster.cluster import Cluster, connected_cluster
from infra.cluster.local import local_cluster
from infra.lake.delta import opened_once


@contextmanager
def reading_cluster(installation: Installation, workers: int | None = None) -> Iterator[Installation]:
    """Give an installation whose deliveries are read by workers while the block runs; the same one if there are none.

    workers: how many processes of this machine, whatever the setting `cluster` is. Raises `StoreError` if the cluster
    does not answer or has no workers, `UsageError` if one of them would read otherwise than this process.
    """
    address = installation.settings.cluster
    if workers is None and address is None:
        yield installation
        return
    opened = local_cluster(installation.settings, workers) if workers else connected_cluster(str(address))
    with read_by(installation, opened) as reading:
        yield reading


@contextmanager
def read_by(installation: Installation, opened: AbstractContextManager[Cluster]) -> Iterator[Installation]:
    """Give an installation whose deliveries a cluster reads, while both are open."""
    with opened as cluster, opened_once():
        check_workers(installation, cluster)
        remove_abandoned_answers(installation)
        yield installation.with_cluster(cluster)
