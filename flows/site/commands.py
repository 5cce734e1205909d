"""The command that gives what a page of the site shows, for those who run the installation."""

import re
from typing import Final

PAGE_COMMANDS: Final = {
    "index.html": "engang releases",
    "burden.html": "engang burden --release {release}",
    "obligations.html": 'engang query "SELECT * FROM obligations" --release {release}',
    "agencies.html": "engang query \"SELECT * FROM redundancy WHERE scope = 'agency'\" --release {release}",
    "units.html": "engang query \"SELECT * FROM redundancy WHERE scope = 'unit'\" --release {release}",
    "concepts.html": 'engang query "SELECT * FROM concepts" --release {release}',
    "overlap.html": 'engang query "SELECT * FROM overlap" --release {release}',
    "found.html": "engang discover --release {release}",
    "conflicts.html": 'engang query "SELECT * FROM conflicts" --release {release}',
    "records.html": "engang kinds list",
    "changes.html": 'engang query "SELECT * FROM changes WHERE release = {release}" --release {release}',
    "coverage.html": "engang status",
    "operations.html": "engang status",
}
"""Page -> its command."""
FOLDER_COMMANDS: Final = {
    "concepts": "engang query \"SELECT * FROM observations WHERE concept = '{name}'\" --release {release}",
    "units": "engang query \"SELECT * FROM observations WHERE unit_id = '{name}'\" --release {release}",
    "records": 'engang query "SELECT * FROM {name}" --release {release}',
    "obligations": "engang dossier {name} --release {release}",
}
"""Folder of pages that are about one thing each -> their command."""
_PLAIN: Final = re.compile(r"[\w:@.-]+")
"""Names that mean nothing else to a shell or in SQL."""


def page_command(path: str, subject: str | None, release: int) -> str | None:
    """Return the command of a page, by its path and the name of what it is about; None if there is none."""
    folder = path.partition("/")[0]
    if path in PAGE_COMMANDS:
        return PAGE_COMMANDS[path].format(release=release)
    if folder in FOLDER_COMMANDS and subject and _PLAIN.fullmatch(subject):
        return FOLDER_COMMANDS[folder].format(name=subject, release=release)
    return None
