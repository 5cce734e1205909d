"""Finds the page of a written site that is about something, so that a command can name it."""

from pathlib import Path
from typing import Final

from flows.installation import Installation
from flows.releases import SITE_MARK
from infra.ledger.releases import current_release

LANGUAGE: Final = "en"
"""The language of the commands."""


def find_page(installation: Installation, path: str, number: int | None = None) -> Path | None:
    """Return a page of the site of a release, by default the current one; None if it is not there.

    path: within the folder of a language (`flows.site.writer.page_path`).
    """
    current = current_release(installation.engine)
    release = current["release"] if number is None and current else number
    site = installation.settings.site_folder.resolve() / f"release-{release}"
    page = site / LANGUAGE / path
    return page if (site / SITE_MARK).is_file() and page.is_file() else None
