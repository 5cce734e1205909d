"""The path of the page that is about something, known without the pages' own modules, which are heavy."""

import hashlib
import re
from typing import Final

PLAIN_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}")


def page_path(folder: str, name: str) -> str:
    """Return the path of the page about something; a name that is no plain file name gets a short hash of it."""
    if PLAIN_NAME.fullmatch(name):
        return f"{folder}/{name}.html"
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{folder}/{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.html"
