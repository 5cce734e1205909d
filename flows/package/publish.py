"""Publish the package of a release: whole or not at all, listed among its versions, `latest` last."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.installation import Installation
from flows.package.fill import fill_package
from flows.releases import find_release
from infra.lake import access as lake_access
from infra.lake import delta as lake
from infra.ledger.erasures import oldest_readable_release
from infra.ledger.releases import Release
from infra.package import place as places
from schemas.errors import UsageError
from schemas.package_content import PackageContent

if TYPE_CHECKING:
    from infra.storage.places import Place


@dataclass(frozen=True)
class PublishedPackage:
    """A package that was written: of which release, where, its files, their bytes, and the rows of its tables."""

    release: int
    place: str
    files: int
    bytes: int
    rows: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


@lake.opened_once()
@lake_access.scan_errors()
def write_package(
    installation: Installation,
    release: Release,
    to: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> PublishedPackage:
    """Write the package of a release to a folder, by default to where the packages of this installation are published.

    There it is listed in `versions.json`, and `latest` holds the newest of them. Raises `UsageError` for a folder that
    exists and holds no package.
    """
    root: Place = installation.settings.packages if to is None else to.resolve().parent
    name = str(release["release"]) if to is None else to.resolve().name
    with places.package_folder(root, name) as folder:
        content = fill_package(installation, release, folder, progress)
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    if to is None:
        _refuse_erased(installation, release, root)
        newest = places.list_version(root, _version(content))
        places.point_latest(root, str(newest))
    return PublishedPackage(content.release, f"{root}/{name}", len(sizes), sum(sizes), content.rows)


def _refuse_erased(installation: Installation, release: Release, root: "Place") -> None:
    """Remove all packages if a submission was erased while this one was written: it may hold what it held."""
    # An erasure removes what is published when it ends; it does not wait for who is still writing.
    if release["release"] < oldest_readable_release(installation.engine):
        places.remove_packages(root)
        raise UsageError("a submission was erased while the package was written: write it again")


def package_night(
    installation: Installation, release: int | None, progress: Callable[[str], None] = lambda _: None
) -> PublishedPackage | None:
    """Publish the package of a night's release if ENGANG_EXPORTS states where, unless `latest` holds it already.

    If a night is killed before or while it does, the next night does it.
    """
    root = installation.settings.packages_at
    if root is None or release is None or places.latest_version(root) == release:
        return None
    progress("writing the package for analysts")
    return write_package(installation, find_release(installation, release), progress=progress)


def _version(content: PackageContent) -> dict[str, Any]:
    counts = content.counts
    return {
        "release": content.release,
        "published_at": f"{content.published_at.isoformat()}Z",
        "digest": content.digest,
        "path": f"{content.release}/",
        "datapackage": f"{content.release}/{places.DESCRIPTOR}",
        "changes": f"{content.release}/parquet/changes.parquet",
        "items": counts.get("items", 0),
        "changed": content.rows.get("changes", 0),
    }
