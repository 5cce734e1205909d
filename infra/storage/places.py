"""Where things are kept: a folder, or a prefix of an S3 bucket."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from schemas.errors import UsageError

S3: Final = "s3://"
UNFIT: Final = re.compile(r"[\x00-\x1f\x7f=*?|^\\\[\]\ud800-\udfff]|%[0-9A-Fa-f]{2}")
"""What no path of a lake may hold: deltalake does not find it again, Polars and DuckDB see a pattern or a partition."""
_BUCKET: Final = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_PREFIX: Final = r"[A-Za-z0-9._=-]+(/[A-Za-z0-9._=-]+)*"


@dataclass(frozen=True)
class S3Place:
    """A prefix of a bucket ("" for all of it), and the endpoint to ask for it (None: AWS's own)."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None

    def __truediv__(self, name: str) -> "S3Place":
        """Return the place beneath, as `Path` does."""
        return S3Place(self.bucket, self.key(name), self.endpoint)

    def __str__(self) -> str:
        """Return `s3://bucket/prefix`."""
        return f"{S3}{self.bucket}/{self.prefix}".rstrip("/")

    def key(self, name: str) -> str:
        """Return the object key of what bears this name in the place."""
        return f"{self.prefix}/{name}" if self.prefix else name


Place: TypeAlias = Path | S3Place


def read_place(told: str, setting: str, endpoint: str | None) -> Place:
    """Return the place that a setting names; `UsageError` if it names none."""
    if not told.startswith(S3):
        if "://" in told:
            raise UsageError(f"{setting}: found {told!r}, expected a folder or s3://bucket/prefix")
        return Path(told).absolute()
    bucket, _, prefix = told.removeprefix(S3).strip("/").partition("/")
    if not re.fullmatch(_BUCKET, bucket) or (prefix and not re.fullmatch(_PREFIX, prefix)):
        expected = "s3://bucket/prefix, the prefix of letters, digits, '.', '_', '=', '-' and '/'"
        raise UsageError(f"{setting}: found {told!r}, expected {expected}")
    return S3Place(bucket, prefix, endpoint)


def fit_for_a_lake(root: Place) -> None:
    """Raise `UsageError` for a place whose path tables cannot be read back from."""
    at = str(root.resolve() if isinstance(root, Path) else root)
    unfit = UNFIT.search(at)
    if unfit:
        expected = "expected no control character, none of = * ? | ^ \\ [ ] and no % before two hexadecimal digits"
        told = f"{at!r}: no lake can be kept at this path: found {unfit[0]!r} in it, {expected}"
        raise UsageError(f"{told}; rename the folder, or have ENGANG_HOME or ENGANG_LAKE name another place")
