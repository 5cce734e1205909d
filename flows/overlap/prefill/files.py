"""The files of a draft: the draft itself, and next to it where its figures are from."""

from pathlib import Path
from typing import Final

from flows.output_file import write_output
from flows.overlap.prefill.draft import Draft
from flows.overlap.prefill.sources import sources_csv, sources_json
from schemas.errors import UsageError

PLACES: Final = ("sheet", "csv", "json")
"""Where the sources of a draft may be listed."""


def draft_files(draft: Draft, target: Path, sources: str) -> dict[Path, str | bytes]:
    """Return the content of each file of a draft, the draft first. Raises `UsageError` for an unknown place."""
    if sources not in PLACES:
        raise UsageError(f"--sources {sources!r}: expected one of {', '.join(PLACES)}")
    content: dict[Path, str | bytes] = {target: draft.data}
    if sources == "json":
        content[target.with_name(f"{target.name}.sources.json")] = sources_json(draft.sources)
    elif not draft.on_sheet:
        content[target.with_name(f"{target.name}.sources.csv")] = sources_csv(draft.sources)
    return content


def files_in_the_way(draft: Draft, target: Path, sources: str) -> list[Path]:
    """Return those of a draft's files that exist already."""
    return [file for file in draft_files(draft, target, sources) if file.exists() or file.is_symlink()]


def write_draft(draft: Draft, target: Path, sources: str, *, overwrite: bool) -> list[Path]:
    """Write the files of a draft and return them; `UsageError` where one cannot be written.

    overwrite: whether a file that exists is replaced; without it one that comes into being meanwhile is not.
    """
    written = []
    for file, content in draft_files(draft, target, sources).items():
        if not overwrite:
            _reserve(file)
        written.append(write_output(file, content))
    return written


def _reserve(file: Path) -> None:
    """Create an empty file where there is none, so that nobody else's is replaced."""
    try:
        file.open("xb").close()
    except FileExistsError:
        raise UsageError(f"{file} exists: give another --out, or --force to overwrite it") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
