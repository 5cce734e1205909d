"""What arrives in a folder: found by looking only where something changed, and counted when it is whole."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from infra.storage.folder import FolderStore
from infra.storage.store import Found
from schemas.errors import StoreError

QUIET_SECONDS: Final = 0.5
"""A file is whole when neither its bytes nor its name changed for so long."""


class _Scanned(NamedTuple):
    changed: int
    folders: list[Path]


@dataclass
class FolderWatch:
    """Looks into a folder again and again; a look costs a stat for each folder, and a scan for those that changed.

    A file that is written over in place is seen by the listing that reconciles, later. Folders link nowhere: links are
    not followed.
    """

    root: Path
    _scanned: dict[Path, _Scanned] = field(default_factory=dict)
    _told: set[int] = field(default_factory=set)
    _growing: dict[Path, tuple[str, float]] = field(default_factory=dict)

    def look(self) -> list[Found]:
        """Return the files that are whole and were not told of before, in this version; hidden ones are none."""
        store = FolderStore(self.root)
        try:
            candidates = {*self._growing, *self._changed(self.root)}
        except OSError as error:
            raise StoreError(f"{self.root}: cannot be looked into ({error}); give this user the right to") from error
        return [found for path in sorted(candidates) if (found := self._whole(store, path)) is not None]

    def _whole(self, store: FolderStore, path: Path) -> Found | None:
        """Return the file if it is whole and new; one that still grows is looked at again."""
        try:
            stat = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            self._growing.pop(path, None)
            return None
        found = store.found(path, stat)
        if hash((found.key, found.version)) in self._told:
            self._growing.pop(path, None)
            return None
        version, since = self._growing.get(path, (None, 0.0))
        still = version == found.version and time.monotonic() - since >= QUIET_SECONDS
        if not still and not is_quiet(stat):
            if version != found.version:
                self._growing[path] = (found.version, time.monotonic())
            return None
        self._growing.pop(path, None)
        self._told.add(hash((found.key, found.version)))
        return found

    def _changed(self, folder: Path) -> Iterator[Path]:
        """Yield the files of every folder that changed since the last look."""
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
            # What comes within the clock's tick of this scan would not show as a change: look once more then.
            ticked = time.time_ns() - changed > 2 * QUIET_SECONDS * 1e9
            self._scanned[folder] = known if ticked else known._replace(changed=-1)
        for below in known.folders:
            yield from self._changed(below)


def is_quiet(stat: os.stat_result) -> bool:
    """Tell whether neither a file's bytes nor its name changed lately; the kernel's clock says when they did."""
    return time.time() - max(stat.st_mtime, stat.st_ctime) >= QUIET_SECONDS


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.name.startswith("."))
