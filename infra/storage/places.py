"""Places where data is stored: a folder, or a prefix of an S3 bucket."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from schemas.errors import UsageError

S3_SCHEME: Final = "s3://"
UNSAFE_IN_PATH: Final = re.compile(r"[\x00-\x1f\x7f=*?|^\\\[\]\ud800-\udfff]|%[0-9A-Fa-f]{2}")
"""What a lake's path must not hold: deltalake cannot read it back, Polars and DuckDB read a pattern or a partition."""
_BUCKET: Final = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_PREFIX: Final = r"[A-Za-z0-9._=-]+(/[A-Za-z0-9._=-]+)*"


@dataclass(frozen=True)
class S3Place:
    """A prefix of a bucket ("" for all of it), and the service's endpoint (None: AWS)."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None

    def __truediv__(self, name: str) -> "S3Place":
        """Return the place below, as `Path` does."""
        return S3Place(self.bucket, self.key(name), self.endpoint)

    def __str__(self) -> str:
        """Return `s3://bucket/prefix`."""
        return f"{S3_SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    def key(self, name: str) -> str:
        """Return the object key of a name in this place."""
        return f"{self.prefix}/{name}" if self.prefix else name


Place: TypeAlias = Path | S3Place


def read_place(value: str, setting: str, endpoint: str | None) -> Place:
    """Parse the value of a setting as a place; `UsageError` if it is malformed."""
    if not value.startswith(S3_SCHEME):
        if "://" in value:
            raise UsageError(f"{setting}: found {value!r}, expected a folder or s3://bucket/prefix")
        return Path(value).absolute()
    bucket, _, prefix = value.removeprefix(S3_SCHEME).strip("/").partition("/")
    if not re.fullmatch(_BUCKET, bucket) or (prefix and not re.fullmatch(_PREFIX, prefix)):
        expected = "s3://bucket/prefix, the prefix of letters, digits, '.', '_', '=', '-' and '/'"
        raise UsageError(f"{setting}: found {value!r}, expected {expected}")
    return S3Place(bucket, prefix, endpoint)


def check_lake_place(root: Place) -> None:
    """Raise `UsageError` for a place from whose path tables could not be read back."""
    path = str(root.resolve() if isinstance(root, Path) else root)
    unsafe = UNSAFE_IN_PATH.search(path)
    if unsafe:
        expected = "expected no control character, none of = * ? | ^ \\ [ ] and no % before two hexadecimal digits"
        problem = f"{path!r}: no lake can be kept at this path: found {unsafe[0]!r} in it, {expected}"
        raise UsageError(f"{problem}; rename the folder, or let ENGANG_HOME or ENGANG_LAKE name another place")
