"""The mart that the setting names: brought to each night's release, and recorded if it was not."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from flows.installation import Installation
from infra.ledger import monitoring as ledger_monitoring
from infra.ledger import runs as ledger_runs
from schemas.errors import EngangError, StoreError, UsageError

if TYPE_CHECKING:
    from flows.mart.sync import MartSync

MART_SYNC: Final = "mart-sync"
"""The kind of the runs that hold how the last sync of that mart ended."""


def sync_after_night(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> None:
    """Bring the mart of the setting, if there is one, to the current release; a failure ends no night.

    `engang status` shows it, and the next sync makes up for it.
    """
    if installation.settings.mart is None:
        return
    try:
        done = sync_configured(installation, progress=progress)
    except (StoreError, OSError, UsageError) as error:
        progress(f"the mart is not brought to the release: {error}")
    else:
        progress(f"the mart holds release {done.release} ({done.outcome}, {done.rows} rows written)")


def sync_configured(
    installation: Installation, number: int | None = None, progress: Callable[[str], None] = lambda _: None
) -> "MartSync":
    """Bring the mart of the setting to a release, and record how that ended; errors as of `sync`."""
    from flows.mart.address import configured_address
    from flows.mart.sync import sync  # heavy: only where there is a mart

    try:
        done = sync(installation, configured_address(installation), number, progress)
    except (EngangError, OSError) as error:
        if installation.settings.mart is not None:
            ledger_runs.record_check(installation.engine, MART_SYNC, str(error))
        raise
    ledger_runs.record_check(installation.engine, MART_SYNC, None)
    return done


def mart_problems(installation: Installation) -> list[str]:
    """Return a sentence if the last sync of the mart of the setting failed."""
    if installation.settings.mart is None:
        return []
    last = ledger_monitoring.read_last_runs(installation.engine, MART_SYNC, 1)["message"].to_list()
    return [f"the mart is behind: {last[0]}"] if last and last[0] else []
