"""Finds the page of a written site that is about something, so that a command can name it."""

import hashlib
import re
from pathlib import Path
from typing import Final

from flows.installation import Installation
from flows.releases import site_of
from infra.ledger.releases import current_release

LANGUAGE: Final = "en"
"""The language of the commands."""
PLAIN_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}")


def page_path(folder: str, name: str) -> str:
    """Return the path of the page about something; a name that is no plain file name gets a short hash of it."""
    if PLAIN_NAME.fullmatch(name):
        return f"{folder}/{name}.html"
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{folder}/{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.html"


def find_page(installation: Installation, path: str, number: int | None = None) -> Path | None:
    """Return a page of the site of a release, by default the current one; None if it is not there.

    path: within the folder of a language (`page_path`).
    """
    current = current_release(installation.engine)
    if number is None and current is not None:
        number = current["release"]
    site = None if number is None else site_of(installation, number)
    page = site / LANGUAGE / path if site else None
    return page if page and page.is_file() else None
