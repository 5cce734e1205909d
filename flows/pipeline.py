"""The way of a submission, as plain functions: callable with no server, the same under Prefect.

arrivals → inbox                                                        `take_in` (flows.intake.arrivals, worker)
bytes → landing zone → raw frame → claims and rejects → ledger          `receive` (flows.intake.registration)
— the night —
claims that count → items → facts → staged, checked, published release   `nightly` (flows.release.build)
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from flows.installation import Installation
from flows.intake.arrivals import take_in
from flows.intake.receipt import Receipt
from flows.intake.registration import Delivery, receive, reconcile
from flows.monitoring.status import keep_watch
from flows.release.build import Night, night
from flows.release.export import AUTO_ITEMS, export_release
from flows.releases import released
from infra.lake import delta as lake
from schemas.errors import ReleaseRefused, StoreError

__all__ = [
    "Delivery",
    "Export",
    "Night",
    "Receipt",
    "export_night",
    "keep_watch",
    "nightly",
    "receive",
    "reconcile",
    "take_in",
    "tidy",
]

Export: TypeAlias = Literal["auto", "always", "never"]
"""Whether a night also writes plain Parquet: auto is up to a million items."""


def nightly(
    installation: Installation,
    progress: Callable[[str], None] = lambda _: None,
    export: Export = "auto",
) -> Night:
    """Receive what arrived, and what the landing zone holds unregistered; publish what is new, export it as files.

    Raises `ReleaseRefused` if a check fails: nothing is published then, and the last release stands.
    """
    take_in(installation, progress, listing=True)
    for receipt in reconcile(installation, progress):
        progress(f"found in the landing zone: {receipt.filename} ({receipt.status})")
    try:
        done = night(installation, progress)
    except ReleaseRefused:
        keep_watch(installation, progress)
        raise
    keep_watch(installation, progress)
    export_night(installation, done, export, progress)
    tidy(installation, progress)
    return done


def tidy(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> None:
    """Put together what day after day of small deliveries left in small files; what fails is left to the next night."""
    for name in ("claims", *(f"{kind}_records" for kind in installation.kinds)):
        try:
            files = lake.tidy(installation.settings.lake, name)
        except (StoreError, OSError) as error:
            progress(f"the small files of {name} are put together another night: {error}")
            continue
        if files:
            progress(f"put {files} small files of {name} together")


def export_night(
    installation: Installation,
    done: Night,
    export: Export = "auto",
    progress: Callable[[str], None] = lambda _: None,
) -> Path | None:
    """Export the release that a night left as plain files, if that is wanted and not done yet; return the folder.

    A night that was killed before its export leaves it to the next.
    """
    small = done.counts.get("items", 0) <= AUTO_ITEMS
    if done.release is None or export == "never" or (export == "auto" and not small):
        return None
    folder = installation.settings.exports / str(done.release)
    if folder.exists() and not done.published:
        return folder
    progress("exporting")
    return export_release(installation, released(installation, done.release))
