"""The path of a submission, as plain functions that need no server; Prefect runs the same functions.

arrivals → inbox                                                         `receive_arrivals` (flows.intake)
bytes → landing zone → raw frame → claims and rejects → ledger           `receive` (flows.intake.registration)
— the night —
claims that count → items → facts → staged, checked, published release   `nightly` (flows.release.build)
"""

from collections.abc import Callable
from pathlib import Path

from flows.contracts.gate import unusable_contracts
from flows.events import SITE_PUBLISHED, deliver_outbox, publish_event
from flows.export_mode import ExportMode
from flows.installation import Installation
from flows.intake.arrivals import receive_arrivals
from flows.intake.batches.cluster import reading_cluster
from flows.intake.deliveries import Delivery
from flows.intake.receipt import Receipt
from flows.intake.registration import receive, reconcile
from flows.mart.nights import sync_after_night
from flows.monitoring.publications import MART, PACKAGE, SITE, publish_after_release
from flows.monitoring.register import check_register
from flows.monitoring.storage import check_storage
from flows.monitoring.watch import send_notifications
from flows.package import publish as packages
from flows.release import retention
from flows.release.build import night
from flows.release.export import AUTO_ITEMS, export_release
from flows.release.publish import Night
from flows.releases import find_release
from flows.runs import announced_run
from infra import telemetry
from infra.lake import delta as lake
from schemas.errors import ReleaseRefused, StoreError

__all__ = [
    "Delivery",
    "ExportMode",
    "Night",
    "Receipt",
    "check_register",
    "check_storage",
    "compact_small_files",
    "export_night",
    "nightly",
    "receive",
    "receive_arrivals",
    "reconcile",
    "remove_releases_night",
    "send_notifications",
    "sync_mart",
    "write_package_night",
    "write_site_night",
]


def nightly(
    installation: Installation,
    progress: Callable[[str], None] = lambda _: None,
    export: ExportMode = "auto",
    workers: int | None = None,
) -> Night:
    """Receive arrivals and unregistered files of the landing zone; publish what is new, export it, update the mart.

    workers: how many processes of this machine read deliveries, by default those of the setting `cluster`, or none. It
    is recorded as a run from its start, however it ends. Raises `ReleaseRefused` if a check fails: then nothing is
    published and the last release stays current; `StoreError` if the cluster does not answer.
    """
    with announced_run(installation, "nightly") as run_id, telemetry.span("nightly"):
        unusable_contracts(installation, progress)
        with reading_cluster(installation, workers) as reading:
            receive_arrivals(reading, progress, listing=True)
            for receipt in reconcile(reading, progress):
                progress(f"found in the landing zone: {receipt.filename} ({receipt.status})")
        try:
            done = night(installation, progress, run_id)
        except ReleaseRefused:
            send_notifications(installation, progress)
            raise
        check_storage(installation, progress)
        check_register(installation, progress)
        send_notifications(installation, progress)
        export_night(installation, done, export, progress)
        sync_mart(installation, done, progress)
        write_site_night(installation, done, progress)
        write_package_night(installation, done, progress)
        compact_small_files(installation, progress)
        remove_releases_night(installation, progress)
    return done


def compact_small_files(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> None:
    """Merge the small files that many small deliveries leave in the lake; a table that fails is retried next night."""
    for name in ("claims", *(f"{kind}_records" for kind in installation.kinds)):
        try:
            files = lake.merge_small_files(installation.settings.lake, name)
        except (StoreError, OSError) as error:
            progress(f"the small files of {name} are merged another night: {error}")
            continue
        if files:
            progress(f"merged {files} small files of {name}")


def remove_releases_night(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> None:
    """Remove what only old releases have (ENGANG_KEEP_RELEASES); where that fails, the next night does it."""
    try:
        done = retention.remove_old_releases(installation)
    except (StoreError, OSError) as error:
        progress(f"old releases are removed another night: {error}")
        return
    if done.files or done.exports or done.sites or done.packages:
        progress(f"removed {done.files} files of old releases, {done.bytes / 1e6:.1f} MB")


def sync_mart(installation: Installation, done: Night, progress: Callable[[str], None] = lambda _: None) -> None:
    """Bring the mart of the setting `ENGANG_MART` to the release of a night, whether or not it is new."""
    if done.release is not None:
        publish_after_release(installation, MART, lambda: sync_after_night(installation, progress), progress)


def write_package_night(
    installation: Installation, done: Night, progress: Callable[[str], None] = lambda _: None
) -> packages.PublishedPackage | None:
    """Publish the package of a night's release where ENGANG_EXPORTS states; None if none is set, or it fails."""
    if installation.settings.packages_at is None:
        return None
    return publish_after_release(
        installation, PACKAGE, lambda: packages.package_night(installation, done.release, progress), progress
    )


def export_night(
    installation: Installation,
    done: Night,
    export: ExportMode = "auto",
    progress: Callable[[str], None] = lambda _: None,
) -> Path | None:
    """Export the release of a night as plain files, if requested and not done yet; return the folder.

    If a night is killed before its export, the next night exports.
    """
    is_small = done.counts.get("items", 0) <= AUTO_ITEMS
    if done.release is None or export == "never" or (export == "auto" and not is_small):
        return None
    folder = installation.settings.exports / str(done.release)
    if folder.exists() and not done.published:
        return folder
    progress("exporting")
    return export_release(installation, find_release(installation, done.release))


def write_site_night(
    installation: Installation, done: Night, progress: Callable[[str], None] = lambda _: None
) -> Path | None:
    """Write the site of a night's release, if ENGANG_SITE names a folder; return the folder.

    It is written every night, as it shows the last nights too. A site that cannot be written costs the night nothing.
    """
    if done.release is None or installation.settings.site is None:
        return None
    from flows.site.build import write_site  # heavy: only where there is a site

    progress("writing the site")
    folder = publish_after_release(installation, SITE, lambda: write_site(installation, done.release).folder, progress)
    if folder is not None:
        data = {"release": done.release, "digest": done.digest, "site": str(folder)}
        if publish_event(installation, SITE_PUBLISHED, f"release/{done.release}", data, key=str(done.digest)):
            deliver_outbox(installation)
    return folder
