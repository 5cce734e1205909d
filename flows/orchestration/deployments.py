"""What is deployed: `receive`, `nightly` and `backfill`, when they run, and how many of each at once.

Prefect's events and schedules are hints: the inbox, the landing zone and the ledger decide what is done, and a lock of
the database that one night publishes at a time. infra/deploy/prefect.yaml deploys the same to a work pool.
"""

from typing import TYPE_CHECKING, Any, Final

from flows.events import RECEIVED

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

NAME: Final = "engang"
"""The deployments are `receive/engang`, `nightly/engang` and `backfill/engang`."""
NIGHTLY: Final = "0 2 * * *"
RECEIVE: Final = "* * * * *"
"""An event that nobody got costs a minute."""
TIMEZONE: Final = "Europe/Oslo"
TAGS: Final = ("engang",)


def deployments() -> "list[RunnerDeployment]":
    """Return what is deployed, ready to be served."""
    from prefect.deployments.runner import RunnerDeployment  # noqa: PLC0415  Prefect only where flows are served
    from prefect.types.entrypoint import EntrypointType  # noqa: PLC0415  same

    from flows.orchestration.backfill import backfill  # noqa: PLC0415  same
    from flows.orchestration.nightly import nightly  # noqa: PLC0415  same
    from flows.orchestration.receive import receive  # noqa: PLC0415  same

    by_module = EntrypointType.MODULE_PATH  # a path to the file would load it as another module than we import
    return [
        RunnerDeployment.from_flow(flow, NAME, entrypoint_type=by_module, tags=list(TAGS), **how)
        for flow, how in ((receive, _receive()), (nightly, _nightly()), (backfill, _backfill()))
    ]


def _receive() -> dict[str, Any]:
    """When something arrived, and every minute; what comes while one runs is left to it or to the next."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy  # noqa: PLC0415  same
    from prefect.events import DeploymentEventTrigger  # noqa: PLC0415  same
    from prefect.schedules import Cron  # noqa: PLC0415  same

    return {
        "schedule": Cron(RECEIVE, timezone=TIMEZONE),
        "triggers": [DeploymentEventTrigger(name="something arrived", expect={RECEIVED})],
        "concurrency_limit": ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
    }


def _nightly() -> dict[str, Any]:
    """At two, and one at a time: a second waits."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy  # noqa: PLC0415  same
    from prefect.schedules import Cron  # noqa: PLC0415  same

    return {
        "schedule": Cron(NIGHTLY, timezone=TIMEZONE),
        "concurrency_limit": ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
    }


def _backfill() -> dict[str, Any]:
    """When somebody asks, and one at a time: a second waits."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy  # noqa: PLC0415  same

    return {"concurrency_limit": ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)}
