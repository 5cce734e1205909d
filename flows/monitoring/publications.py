"""What a night publishes after its release: pages, packages, a mart. What fails there costs the night nothing."""

from collections.abc import Callable
from typing import Final, TypeVar

from flows.installation import Installation
from infra.ledger import monitoring as ledger_monitoring
from infra.ledger import runs as ledger_runs
from schemas.errors import EngangError

SITE: Final = "site"
PACKAGE: Final = "package"
MART: Final = "mart"
"""The kinds of the runs that hold how the last such publication ended."""
T = TypeVar("T")


def publish_after_release(
    installation: Installation, kind: str, publish: Callable[[], T], progress: Callable[[str], None]
) -> T | None:
    """Publish something of a release that stands already; None if that fails, which `engang status` then shows."""
    try:
        done = publish()
    except Exception as error:  # noqa: BLE001  the release is published: no fault here may end the night
        # The message of an unforeseen error may quote a cell.
        problem = str(error) if isinstance(error, EngangError | OSError) else type(error).__name__
        progress(f"the {kind} is published another night: {problem}")
        ledger_runs.record_check(installation.engine, kind, problem)
        return None
    if _problem(installation, kind):
        ledger_runs.record_check(installation.engine, kind, None)
    return done


def publication_problems(installation: Installation) -> list[str]:
    """Return a sentence for each publication that failed last."""
    found = ((kind, _problem(installation, kind)) for kind in (SITE, PACKAGE, MART))
    return [f"the {kind} of the last release could not be published: {problem}" for kind, problem in found if problem]


def _problem(installation: Installation, kind: str) -> str | None:
    last = ledger_monitoring.read_last_runs(installation.engine, kind, 1)["message"].to_list()
    return last[0] if last else None
