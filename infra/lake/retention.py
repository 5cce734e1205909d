"""Files of a table that no version from some version on needs: data files, and the commits of older versions.

A file that a version from `oldest` on has is one of its own, or was written later: a listing and one version of the
log decide, however many versions follow. Only files are deleted. No commit is written, so the versions that releases
name stay as they are.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from infra.lake.access import single_writer
from infra.lake.delta import data_files, open_table
from infra.storage.landing import open_store
from infra.storage.places import Place
from infra.storage.store import StoredObject

GRACE: Final = timedelta(hours=24)
"""A file may be written so long before its commit, and clocks may differ by so much."""
COMMITS_KEPT: Final = 100
"""The last commits of a table stay in its log: another writer may be comparing itself with them."""
_COMMIT: Final = re.compile(r"([0-9]{20})\.(?:json|checkpoint.*\.parquet)")


@dataclass(frozen=True)
class SupersededFiles:
    """The files of a table that are not needed: data files, and commits, of which those from `first` on stay."""

    data: list[StoredObject]
    commits: list[StoredObject]
    first: int

    @property
    def every(self) -> list[StoredObject]:
        """All of the files."""
        return [*self.data, *self.commits]


def superseded_files(root: Place, name: str, oldest: int | None, since: datetime) -> SupersededFiles:
    """Return the files of a table that no version from `oldest` on needs, which was committed `since` (UTC, no zone).

    oldest: None for a table of which no release names a version: then commits only.
    """
    until = since.replace(tzinfo=UTC) - GRACE
    aged = [each for each in open_store(root).listing(f"{name}/") if each.modified <= until]
    if not aged:  # as in a young installation: the table need not be opened, three times
        return SupersededFiles([], [], 0)
    newest = open_table(root, name).version()
    first = max(0, min(newest if oldest is None else oldest, newest - COMMITS_KEPT))
    needed = set() if oldest is None else {*data_files(root, name, oldest), *data_files(root, name, newest)}
    data, commits = [], []
    for each in aged:
        if each.key.startswith(f"{name}/_delta_log/"):
            if _commit_of(each.key, newest) < first:
                commits.append(each)
        elif oldest is not None and each.key not in needed:
            data.append(each)
    return SupersededFiles(data, commits, first)


def remove_superseded(root: Place, name: str, oldest: int | None, since: datetime) -> SupersededFiles:
    """Delete the files that `superseded_files` returns, and return them. The caller holds the publishing lock."""
    found = superseded_files(root, name, oldest, since)
    if found.commits:
        # The first version that stays is written out whole before the commits that led to it go.
        with single_writer(root, name):
            open_table(root, name, found.first).create_checkpoint()
            open_table(root, name).create_checkpoint()  # readers of the newest version begin here
    store = open_store(root)
    for each in found.every:
        store.delete(each.key)
    return found


def _commit_of(key: str, other: int) -> int:
    """Return the version that a file of the log belongs to; `other` for any other file."""
    found = _COMMIT.fullmatch(key.rpartition("/")[2])
    return int(found[1]) if found else other
