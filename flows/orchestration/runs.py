"""What flow runs have in common: names that say what they do, and word of those that failed."""

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from flows.events import RUN_FAILED, announce, deliver_outbox
from flows.installation import open_installation

HERE: Final = ZoneInfo("Europe/Oslo")


def receive_name(parameters: dict[str, Any], at: datetime) -> str:
    """Return the name of a run of `receive`."""
    paths = parameters.get("paths")
    if paths:
        return f"receive {len(paths)} paths under {parameters.get('contract')}"
    return f"receive what arrived by {at.astimezone(HERE):%Y-%m-%d %H:%M}"


def nightly_name(_parameters: dict[str, Any], at: datetime) -> str:
    """Return the name of a run of `nightly`."""
    return f"nightly of {at.astimezone(HERE):%Y-%m-%d}"


def tell_failed(flow: Any, flow_run: Any, state: Any) -> None:  # noqa: ANN401  Prefect's own, which is imported where it runs
    """Announce that a run failed or crashed: a hook of every flow.

    The state's message stays in Prefect: it may quote what was delivered.
    """
    installation = open_installation()
    data = {"flow": flow.name, "run": flow_run.name, "state": state.name}
    announce(installation, RUN_FAILED, f"flow-run/{flow_run.id}", data, key=state.name)
    deliver_outbox(installation)
