"""Finds the page of a written site that is about something, so that a command can name it."""

from pathlib import Path
from typing import Final

from flows.installation import Installation
from flows.releases import site_of
from infra.ledger.releases import current_release

LANGUAGE: Final = "en"
"""The language of the commands."""


def find_page(installation: Installation, path: str, number: int | None = None) -> Path | None:
    """Return a page of the site of a release, by default the current one; None if it is not there.

    path: within the folder of a language (`flows.site.writer.page_path`).
    """
    current = current_release(installation.engine)
    if number is None and current is not None:
        number = current["release"]
    site = None if number is None else site_of(installation, number)
    page = site / LANGUAGE / path if site else None
    return page if page and page.is_file() else None
