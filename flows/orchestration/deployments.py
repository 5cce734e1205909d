"""The deployments `receive`, `nightly` and `backfill`: when they run, and how many of each at once.

Prefect's events and schedules are hints: the inbox, the landing zone and the ledger decide what is done, and a database
lock lets one night publish at a time. infra/deploy/prefect.yaml deploys the same to a work pool.
"""

from typing import TYPE_CHECKING, Any, Final

from flows.events import SUBMISSION_RECEIVED
from flows.installation import OSLO

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

DEPLOYMENT_NAME: Final = "engang"
"""The deployments are `receive/engang`, `nightly/engang` and `backfill/engang`."""
NIGHTLY_SCHEDULE: Final = "0 2 * * *"
RECEIVE_SCHEDULE: Final = "* * * * *"
"""If an event is lost, intake is a minute late. In UTC: in Oslo's time Prefect skips the doubled hour of autumn."""
TAGS: Final = ("engang",)


def deployments(*, watched: bool = False) -> "list[RunnerDeployment]":
    """Return the deployments, ready to be served.

    watched: whether the process that serves them receives arrivals itself, so that `receive` runs on request alone.

    `backfill` has no limit of its own: Prefect gives the slot of a run away while it waits for approval, and then ends
    the run. The publishing lock lets one of them publish at a time.
    """
    from prefect.deployments.runner import RunnerDeployment  # Prefect only where flows are served
    from prefect.types.entrypoint import EntrypointType

    from flows.orchestration.backfill import backfill
    from flows.orchestration.nightly import nightly
    from flows.orchestration.receive import receive

    by_module = EntrypointType.MODULE_PATH  # by file path it would be loaded as a second module
    return [
        RunnerDeployment.from_flow(flow, DEPLOYMENT_NAME, entrypoint_type=by_module, tags=list(TAGS), **options)
        for flow, options in ((receive, _receive(watched=watched)), (nightly, _nightly()), (backfill, {}))
    ]


def _receive(*, watched: bool) -> dict[str, Any]:
    """On an arrival event and every minute; a run that is due while another one runs is cancelled.

    If arrivals are watched there is no trigger, and the schedule is not active: without one, Prefect would keep that of
    the last time.
    """
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.events import DeploymentEventTrigger
    from prefect.schedules import Cron

    return {
        "schedule": Cron(RECEIVE_SCHEDULE, timezone="UTC", active=not watched),
        "triggers": [] if watched else [DeploymentEventTrigger(name="something arrived", expect={SUBMISSION_RECEIVED})],
        "concurrency_limit": ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
    }


def _nightly() -> dict[str, Any]:
    """At two at night, one at a time: a second run waits."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.schedules import Cron

    return {
        "schedule": Cron(NIGHTLY_SCHEDULE, timezone=OSLO.key),
        "concurrency_limit": ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
    }
