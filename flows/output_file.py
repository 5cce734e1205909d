"""Files that a user asks for by name: charts, models."""

from pathlib import Path

from infra.files import write_atomic
from schemas.errors import UsageError


def write_output(file: Path, content: str | bytes) -> Path:
    """Write a file, whole or not at all, and return it; `UsageError` if it cannot be written."""
    try:
        write_atomic(file, content)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    return file
