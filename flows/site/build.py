"""Writes the site of a release: complete static pages, in three languages."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from flows.check_page.texts import LANGUAGES
from flows.installation import Installation
from flows.overlap.dossier import describe_dossier, draw_up_dossier
from flows.releases import SITE_MARK, find_release
from flows.site.blocks import SitePage
from flows.site.content import MOST_DOSSIERS, SiteContent, read_content
from flows.site.explorer import explorer_page
from flows.site.pages.burden import burden_page
from flows.site.pages.changes import changes_page
from flows.site.pages.concepts import concept_pages, concepts_page
from flows.site.pages.conflicts import conflicts_page, item_pages
from flows.site.pages.coverage import coverage_page
from flows.site.pages.duties import agencies_of, agencies_page, agency_page, dossier_pages, obligations_page
from flows.site.pages.kinds import kind_pages, kinds_page
from flows.site.pages.operations import operations_page
from flows.site.pages.overlap import found_page, overlap_page
from flows.site.pages.reference import dictionary_page, dictionary_pages, methods_page, use_page
from flows.site.pages.start import start_page
from flows.site.pages.units import unit_pages, units_page
from flows.site.records import read_record_content
from flows.site.render import render_entry, render_page, shared_files
from flows.site.surroundings import read_surroundings
from flows.site.tables import DATA_FOLDER, SiteTable, write_site_tables
from flows.site.writer import SiteWriter
from infra.files import atomic_folder
from infra.lake import access as lake_access
from infra.lake import delta as lake
from infra.ledger.erasures import oldest_readable_release
from infra.ledger.releases import Release, current_release
from schemas.errors import UsageError

LATEST_SITE: Final = "latest"


@dataclass(frozen=True)
class WrittenSite:
    """A site that was written: its folder, `latest` if it is that of the current release, its pages and bytes."""

    release: int
    folder: Path
    latest: Path | None
    pages: int
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


@lake.opened_once()
@lake_access.scan_errors()
def write_site(
    installation: Installation,
    number: int | None = None,
    to: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> WrittenSite:
    """Write the site of a release, the current one by default, to `release-N` of a folder; also to `latest` if current.

    to: the folder, by default that of the setting ENGANG_SITE, else `site` in the home. All or nothing; an earlier site
    is replaced, `UsageError` for a folder that holds anything else. Every user of the machine may read the pages, if
    the folder above lets him.
    """
    release = find_release(installation, number)
    folder = (to or installation.settings.site_folder).resolve()
    target, latest = folder / f"release-{release['release']}", folder / LATEST_SITE
    current = current_release(installation.engine)
    is_current = current is not None and current["release"] == release["release"]
    places = (target, latest) if is_current else (target,)
    _check_replaceable(*places)
    writers = site_writers(installation, release, progress)
    progress("writing tables and pages")
    pages = size = 0
    with atomic_folder(target) as temporary:
        tables = write_site_tables(installation, release, temporary)
        size += sum(file.stat().st_size for file in (temporary / DATA_FOLDER).iterdir())
        for writer in writers:
            for path, text in _rendered(writer, tables):
                size += _write(temporary / writer.language / path, text)
                pages += 1
        for name, text in (*shared_files().items(), ("index.html", render_entry(release["release"]))):
            size += _write(temporary / name, text)
        mark = {"release": release["release"], "digest": release["digest"], "pages": pages}
        size += _write(temporary / SITE_MARK, json.dumps(mark))
        _let_others_read(temporary)
    if is_current:
        with atomic_folder(latest) as temporary:
            shutil.copytree(target, temporary, dirs_exist_ok=True, copy_function=_link_or_copy)
    _refuse_erased(installation, release, places)
    return WrittenSite(release["release"], target, latest if is_current else None, pages, size)


def _refuse_erased(installation: Installation, release: Release, places: tuple[Path, ...]) -> None:
    """Remove the pages again if a submission was erased while they were written: they may show what it held."""
    # An erasure removes what is published when it ends; it does not wait for who is still writing.
    if release["release"] < oldest_readable_release(installation.engine):
        for each in places:
            shutil.rmtree(each)
        raise UsageError("a submission was erased while the site was written: write it again")


def site_writers(
    installation: Installation, release: Release, progress: Callable[[str], None] = lambda _: None
) -> tuple[SiteWriter, ...]:
    """Read a release once; return what writes it in each language."""
    progress(f"reading release {release['release']}")
    content = read_content(installation, release)
    dossiers = _dossiers(installation, content, release, progress)
    records = read_record_content(installation, release)
    around = read_surroundings(installation, content.day)
    return tuple(SiteWriter(content, records, around, dossiers, language) for language in LANGUAGES)


def _check_replaceable(*folders: Path) -> None:
    for folder in folders:
        if folder.exists() and not (folder / SITE_MARK).is_file():
            raise UsageError(f"{folder} already exists and holds no site: name another folder with --out")


def _dossiers(
    installation: Installation, content: SiteContent, release: Release, progress: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Return the dossiers of the first obligations by burden, without values that not everybody may be shown."""
    found: dict[str, dict[str, Any]] = {}
    closed = set(content.disclosure.closed_obligations)
    for obligation in [row["obligation"] for row in content.burden][:MOST_DOSSIERS]:
        progress(f"dossier of {obligation}")
        number = release["release"]
        dossier = describe_dossier(installation, draw_up_dossier(installation, obligation, number), number)
        hidden = {concept for _, concept in content.disclosure.personal}
        dossier["differing_items"] = [
            row
            for row in dossier["differing_items"]
            if obligation not in closed and not closed & set(row["by"]) and row["concept"] not in hidden
        ]
        found[obligation] = dossier
    return found


def _rendered(writer: SiteWriter, tables: tuple[SiteTable, ...]) -> Iterator[tuple[str, str]]:
    """Yield the path within the language's folder, and the HTML, of each page."""
    for page in (*site_pages(writer), explorer_page(writer, tables)):
        yield page.path, render_page(writer, page)


def site_pages(writer: SiteWriter) -> Iterator[SitePage]:
    """Yield every page of a language but the explorer."""
    for make in (
        start_page, burden_page, obligations_page, agencies_page, units_page, concepts_page, overlap_page, found_page,
        conflicts_page, kinds_page, changes_page, coverage_page, methods_page, dictionary_page, use_page,
        operations_page,
    ):  # fmt: skip
        yield make(writer)
    for name in agencies_of(writer):
        yield agency_page(writer, name)
    yield from dossier_pages(writer)
    yield from unit_pages(writer)
    yield from concept_pages(writer)
    yield from kind_pages(writer)
    yield from dictionary_pages(writer)
    yield from item_pages(writer)


def _write(file: Path, text: str) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    file.write_bytes(data)
    return len(data)


def _let_others_read(folder: Path) -> None:
    """Let every user of the machine read a folder's pages, a web server's too: they are for everybody."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _link_or_copy(source: str, target: str) -> None:
    """Give a file a second name, so that `latest` takes no room; copy it where the file system cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
