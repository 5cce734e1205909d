"""An installation with its contracts as they are now: they are read again when a file changes."""

import os
from collections.abc import Iterator
from pathlib import Path

from flows.installation import Installation
from infra import telemetry
from schemas.concepts import VOCABULARY_FOLDER
from schemas.contract import CONTRACT_FOLDER
from schemas.errors import EngangError
from schemas.kind import KIND_FOLDER

Signature = tuple[tuple[str, int, int], ...]
"""Name, time of change and size of each file of contracts, kinds and terms."""


class CurrentInstallation:
    """An installation that is opened again when a contract, a kind or the vocabulary has changed."""

    def __init__(self, installation: Installation) -> None:
        """Take the installation as it is at the start."""
        self._read = _signature(installation)
        self._installation = installation

    def now(self) -> Installation:
        """Return the installation with its contracts as they are now, or as they last could be read."""
        found = _signature(self._installation)
        if found != self._read:
            self._read = found
            # The register stays: it follows from code lists, and takes a second to build.
            fresh = self._installation.with_presets(register=self._installation.register)
            log = telemetry.log("check_page")
            try:
                contracts = len(fresh.contracts)
            except EngangError as error:
                log.warning("contracts changed and cannot be read: those from before count", extra={"why": str(error)})
            else:
                self._installation = fresh
                log.info("contracts read again", extra={"contracts": contracts})
        return self._installation


def _signature(installation: Installation) -> Signature:
    settings = installation.settings
    folders = (settings.contracts or CONTRACT_FOLDER, settings.kinds or KIND_FOLDER, VOCABULARY_FOLDER)
    return tuple(sorted(each for folder in (*folders, settings.vocabulary) if folder for each in _files(folder)))


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Yield the YAML files of a folder; one that vanishes meanwhile is left out."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".yml"):
                    status = entry.stat()
                    yield entry.path, status.st_mtime_ns, status.st_size
    except FileNotFoundError:
        return
