"""Access to the lake's tables in a folder or on S3: their URIs, the storage options, and errors as `StoreError`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl
from deltalake.exceptions import CommitFailedError, DeltaError

from infra.storage.places import Place
from schemas.errors import StoreError, os_error_number

OBJECT_STORE_ERROR: Final = "object-store error"
"""Start of Polars' message when S3 fails while it reads a frame, whatever the error's type."""
ERROR_CHARACTERS: Final = 300
_DAMAGED: Final = (
    "lake: a file of a table cannot be read ({}); `engang status` names files that are missing or truncated: restore "
    "them from the lake's backup"
)


def table_address(root: Place, name: str) -> str:
    """Return a table's address as deltalake takes it."""
    path = root / name
    return path.resolve().as_uri() if isinstance(path, Path) else str(path)


def storage_options(root: Place) -> dict[str, str] | None:
    """Return deltalake's options for a lake on S3, None for a folder.

    With `aws_conditional_put` a commit is a conditional write: if two writers commit the same version, one fails.
    """
    if isinstance(root, Path):
        return None
    options = {"aws_conditional_put": "etag"}
    if root.endpoint is not None:
        options |= {"aws_endpoint": root.endpoint, "aws_virtual_hosted_style_request": "false"}
        options["aws_allow_http"] = str(root.endpoint.startswith("http://")).lower()
    return options


@contextmanager
def store_errors(root: Place, name: str) -> Iterator[None]:
    """Turn errors of access to a table into `StoreError`; `CommitFailedError` (a conflicting commit) passes."""
    try:
        yield
    except CommitFailedError:
        raise
    except (DeltaError, OSError) as error:
        if isinstance(root, Path):
            if isinstance(error, OSError) and error.errno is not None:
                raise  # it names the file and the problem
            raise StoreError(_folder_message(root, name, error)) from error
        raise unreachable(f"{root}: the lake's table {name}", error) from error


@contextmanager
def scan_errors() -> Iterator[None]:
    """Turn errors of S3, and of damaged files, while a lazy frame of the lake is collected into `StoreError`."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        if OBJECT_STORE_ERROR in str(error):
            raise unreachable("lake: a table on S3", error) from error
        if not isinstance(error, pl.exceptions.ComputeError) or "parquet" not in str(error):
            raise
        raise StoreError(_DAMAGED.format(first_line(error))) from error
    except pl.exceptions.PanicException as error:
        raise StoreError(_DAMAGED.format(first_line(error))) from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, cut: what follows are stack frames of another language."""
    lines = _plain(error).splitlines() or [type(error).__name__]
    return lines[0].strip()[:ERROR_CHARACTERS]


def _plain(error: BaseException) -> str:
    """Return an error's message without colours and arrows."""
    return re.sub(r"\s*\x1b\[\d*m\s*|↳", " ", str(error)).strip()


def _folder_message(root: Place, name: str, error: Exception) -> str:
    table = f"lake: the table {name} in {root}"
    if os_error_number(error) is not None:
        problem = f"can be neither read nor written now ({first_line(error)})"
        return f"{table} {problem}; check the disk, its free space and this user's rights"
    problem = f"is damaged or of an unknown form ({first_line(error)})"
    return f"{table} {problem}; restore its folder, _delta_log included, from the lake's backup"


def unreachable(what: str, error: Exception) -> StoreError:
    """Return the error for S3 that fails: with its error code, or the last line of the message."""
    hint = "check the bucket, the role's rights, ENGANG_S3_ENDPOINT and AWS_REGION"
    code = re.search(r"<Code>(\w+)</Code>", str(error))  # the full answer may contain a key
    lines = _plain(error).splitlines() or [type(error).__name__]
    reason = code[1] if code else lines[-1].strip()[:200]  # the cause is the last line
    return StoreError(f"{what} cannot be reached ({reason}); {hint}")


@contextmanager
def single_writer(root: Place, name: str) -> Iterator[None]:
    """As `store_errors`, for tables that have one writer at a time: a conflicting commit is an error too."""
    try:
        with store_errors(root, name):
            yield
    except CommitFailedError as error:
        message = f"lake: the table {name} was written by another process meanwhile ({error})"
        raise StoreError(f"{message}; nothing was published: run it again, alone") from error
