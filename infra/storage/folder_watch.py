"""Watches a folder for new files: scans only folders that changed, and reports a file once it is complete."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from infra.storage.folder import FolderStore
from infra.storage.store import StoredObject
from schemas.errors import StoreError

QUIET_SECONDS: Final = 0.5
"""A file is complete when neither its bytes nor its name have changed for this long."""


class _Scanned(NamedTuple):
    changed: int
    folders: list[Path]


@dataclass
class FolderWatch:
    """Polls a folder; a poll costs one `stat` per folder, and a scan of those that changed.

    A file that is overwritten in place is found later, by the listing that reconciles. Links are not followed.
    """

    root: Path
    _scanned: dict[Path, _Scanned] = field(default_factory=dict)
    _reported: set[int] = field(default_factory=set)
    _growing: dict[Path, tuple[str, float]] = field(default_factory=dict)

    def poll(self) -> list[StoredObject]:
        """Return the complete files that were not returned before in this version; hidden files are left out."""
        store = FolderStore(self.root)
        try:
            candidates = {*self._growing, *self._changed(self.root)}
        except OSError as error:
            raise StoreError(f"{self.root}: cannot be read ({error}); give this user the right to read it") from error
        return [found for path in sorted(candidates) if (found := self._complete(store, path)) is not None]

    def _complete(self, store: FolderStore, path: Path) -> StoredObject | None:
        """Return the file if it is complete and new; a file that still grows is checked again by the next poll."""
        try:
            stat = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            self._growing.pop(path, None)
            return None
        found = store.stored_object(path, stat)
        if hash((found.key, found.version)) in self._reported:
            self._growing.pop(path, None)
            return None
        version, since = self._growing.get(path, (None, 0.0))
        # A file system may have another clock than this host: a version that did not change between two polls is
        # complete as well, whatever its times are.
        unchanged = version == found.version and time.monotonic() - since >= QUIET_SECONDS
        if not unchanged and not is_quiet(stat):
            if version != found.version:
                self._growing[path] = (found.version, time.monotonic())
            return None
        self._growing.pop(path, None)
        self._reported.add(hash((found.key, found.version)))
        return found

    def _changed(self, folder: Path) -> Iterator[Path]:
        """Yield the files of every folder that changed since the last poll."""
        try:
            changed = folder.stat().st_mtime_ns
        except FileNotFoundError:
            return
        known = self._scanned.get(folder)
        if known is None or known.changed != changed:
            known = _Scanned(changed, [])
            for entry in _entries(folder):
                if entry.is_dir(follow_symlinks=False):
                    known.folders.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)
            # A file that is created in the same clock tick as this scan does not change the folder's mtime again. So a
            # folder that changed just now is remembered as unknown, and the next poll scans it once more.
            settled = time.time_ns() - changed > 2 * QUIET_SECONDS * 1e9
            self._scanned[folder] = known if settled else known._replace(changed=-1)
        for below in known.folders:
            yield from self._changed(below)


def is_quiet(stat: os.stat_result) -> bool:
    """Return whether neither a file's bytes nor its name changed recently, by the file system's clock."""
    return time.time() - max(stat.st_mtime, stat.st_ctime) >= QUIET_SECONDS


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.name.startswith("."))
