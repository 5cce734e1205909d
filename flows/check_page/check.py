"""The check of one upload: the receipts that its files would get, the same as those of `engang check`."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Final

from flows.installation import Installation
from flows.intake.archives import archive_ending, check_size, is_archive, read_files
from flows.intake.deliveries import make_delivery
from flows.intake.receipt import Receipt, as_checked
from flows.intake.registration import check_delivery
from infra import telemetry
from infra.storage.store import Content
from schemas.errors import SlowCheckError

MOST_MEMBERS: Final = 100
"""Files of one archive that are checked; a delivery may have more."""
NAME_CHARACTERS: Final = 120
"""How much of a file's name is shown."""


@dataclass(frozen=True)
class Upload:
    """One file as a sender sent it, and what the sender stated about it. Its name is shown, and no path of ours."""

    filename: str
    content: bytes
    contract: str
    sender: str | None
    period: str | None


@dataclass(frozen=True)
class Checked:
    """The receipt that one file would get, and its rejects and warnings."""

    receipt: Receipt
    rejects: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Return what `engang check --json` prints of one file."""
        return as_checked(self.receipt, self.rejects)


def for_checking(installation: Installation) -> Installation:
    """Return the installation with the limits of the check page."""
    settings, page = installation.settings, installation.settings.check_page
    limited = replace(
        settings,
        max_file_bytes=min(settings.max_file_bytes, page.bytes),
        max_archive_files=min(settings.max_archive_files, MOST_MEMBERS),
        reading=replace(settings.reading, seconds=min(settings.reading.seconds, page.seconds)),
    )
    return replace(installation, settings=limited)


def check_upload(installation: Installation, upload: Upload) -> list[Checked]:
    """Return the receipt of each file of an upload; nothing is stored.

    Raises `UsageError` for an archive that cannot be unpacked or is over a limit, and for a sender or period that the
    contract does not accept, `SlowCheckError` if there is no time for all files.
    """
    began, page = time.monotonic(), installation.settings.check_page
    results = []
    for name, content in _files(installation, upload):
        if time.monotonic() - began > page.seconds:
            raise SlowCheckError(f"not all files were checked within {page.seconds} seconds; check fewer at a time")
        delivery = make_delivery(
            installation, name, content, upload.contract, sender=upload.sender, period=upload.period
        )
        receipt, rejects = check_delivery(installation, delivery, earlier=page.earlier)
        results.append(Checked(receipt, rejects.to_dicts()))
    _log(upload, results, time.monotonic() - began)
    return results


def shown_name(filename: str) -> str:
    """Return the last part of a name that somebody gave a file, as one printable line: it may hold anything."""
    last = PurePath(filename.replace("\\", "/")).name
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in last)
    if len(printable) > NAME_CHARACTERS:
        printable = f"{printable[: NAME_CHARACTERS // 2]}…{printable[-NAME_CHARACTERS // 2 + 1 :]}"
    return printable or "?"


def _files(installation: Installation, upload: Upload) -> Iterator[tuple[str, Content]]:
    """Yield (name, content) of the upload, or of each member of an archive, whose file of ours goes with the answer."""
    name, settings = shown_name(upload.filename), installation.settings
    if not is_archive(name):
        check_size(name, upload.content, settings)
        yield name, upload.content
        return
    folder = Path(tempfile.mkdtemp(prefix="engang-"))
    try:
        archive = folder / f"upload{archive_ending(name)}"
        archive.write_bytes(upload.content)
        yield from read_files(archive, settings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _log(upload: Upload, results: list[Checked], seconds: float) -> None:
    """Log counts; the name of a file may be that of a person."""
    receipts = [result.receipt for result in results]
    counts = {name: sum(getattr(r, name) for r in receipts) for name in ("delivered", "rejected", "warnings")}
    fields = {"contract": upload.contract, "bytes": len(upload.content), "files": len(receipts), **counts}
    telemetry.log("check_page").info("checked", extra={**fields, "seconds": round(seconds, 2)})
