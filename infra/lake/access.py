"""Where the lake's tables stand: how a folder and S3 are spoken to, and what is said when the way there fails."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl
from deltalake.exceptions import CommitFailedError, DeltaError

from infra.storage.places import Place
from schemas.errors import StoreError

ON_S3: Final = "object-store error"
"""What Polars says first when S3 fails a frame that it reads, whatever the error's type."""


def uri_of(root: Place, name: str) -> str:
    """Return where a table stands, as deltalake takes it."""
    at = root / name
    return at.resolve().as_uri() if isinstance(at, Path) else str(at)


def options_of(root: Place) -> dict[str, str] | None:
    """Return how a lake on S3 is spoken to: a commit is a conditional write, so of two writers one is refused."""
    if isinstance(root, Path):
        return None
    told = {"aws_conditional_put": "etag"}
    if root.endpoint is not None:
        told |= {"aws_endpoint": root.endpoint, "aws_virtual_hosted_style_request": "false"}
        told["aws_allow_http"] = str(root.endpoint.startswith("http://")).lower()
    return told


@contextmanager
def reaching(root: Place, name: str) -> Iterator[None]:
    """Turn what the way to S3 raises into `StoreError`; a commit that met another stays what it is."""
    try:
        yield
    except CommitFailedError:
        raise
    except (DeltaError, OSError) as error:
        if isinstance(root, Path):
            if isinstance(error, OSError):
                raise  # it says which file, and what is wrong with it
            told = f"lake: the table {name} in {root} can be neither read nor written now"
            raise StoreError(f"{told} ({error}); see to the disk, its room and this user's rights") from error
        raise unreached(f"{root}: the lake's table {name}", error) from error


@contextmanager
def reading() -> Iterator[None]:
    """Turn what the way to S3 raises while a lazy frame of the lake is collected into `StoreError`."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        if ON_S3 not in str(error):
            raise
        raise unreached("lake: a table on S3", error) from error


def unreached(what: str, error: Exception) -> StoreError:
    """Return what to tell where S3 does not give what is asked of it: its code, or the cause that comes last."""
    hint = "see to the bucket, the role's rights, ENGANG_S3_ENDPOINT and AWS_REGION"
    code = re.search(r"<Code>(\w+)</Code>", str(error))  # all the store said may name a key
    lines = re.sub(r"\x1b\[\d*m|↳", "", str(error)).strip().splitlines() or [type(error).__name__]
    said = code[1] if code else lines[-1].strip()[:200]  # the cause comes last
    return StoreError(f"{what} cannot be reached ({said}); {hint}")


@contextmanager
def alone(root: Place, name: str) -> Iterator[None]:
    """As `_reaching`, for tables that have one writer at a time: a commit that met another's is an error too."""
    try:
        with reaching(root, name):
            yield
    except CommitFailedError as error:
        told = f"lake: the table {name} was written by another meanwhile ({error})"
        raise StoreError(f"{told}; nothing was published: run it again, alone") from error
