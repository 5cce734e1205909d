"""What flow runs share: names that describe what they do, and an event when they fail."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from flows.events import RUN_FAILED, deliver_outbox, publish_event
from flows.installation import OSLO, open_installation

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun, State


def receive_name(parameters: dict[str, Any], at: datetime) -> str:
    """Return the name of a run of `receive`."""
    paths = parameters.get("paths")
    if paths:
        return f"receive {len(paths)} paths under {parameters.get('contract')}"
    return f"receive what arrived by {at.astimezone(OSLO):%Y-%m-%d %H:%M}"


def nightly_name(_parameters: dict[str, Any], at: datetime) -> str:
    """Return the name of a run of `nightly`."""
    return f"nightly of {at.astimezone(OSLO):%Y-%m-%d %H:%M}"


def announce_failure(flow: "Flow[..., object]", flow_run: "FlowRun", state: "State[object]") -> None:
    """Publish an event that a run failed or crashed: a hook of every flow.

    The state's message stays in Prefect: it may quote delivered data.
    """
    installation = open_installation()
    data = {"flow": flow.name, "run": flow_run.name, "state": state.name}
    publish_event(installation, RUN_FAILED, f"flow-run/{flow_run.id}", data, key=str(state.name))
    deliver_outbox(installation)
