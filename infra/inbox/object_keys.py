"""What an arrived object's name says: `<sender>/<contract>/[period=<P>/]<filename>`, sender first."""

import re
from pathlib import PurePosixPath
from typing import Final, NamedTuple
from urllib.parse import unquote

from schemas.contract_parts import IDENTIFIER
from schemas.errors import UsageError

FORM: Final = "<sender>/<contract>/[period=<P>/]<filename>, names of small letters, digits, '.', '_' or '-'"
PERIOD: Final = "period="
UNFINISHED: Final = (".partial", ".part", ".tmp", ".filepart", ".crdownload")
"""How names end while their bytes are still being written."""
NOBODY: Final = "?"
"""The sender of an object whose name does not begin with one."""


class Arrival(NamedTuple):
    """What the name of an arrived object says of the delivery."""

    sender: str
    contract: str
    period: str | None
    filename: str


def read_key(key: str) -> Arrival:
    """Return what a key says; `UsageError`, which tells the expected form, if it is none."""
    parts = key.split("/")
    if "\N{REPLACEMENT CHARACTER}" in key:
        raise UsageError(f"the name is no UTF-8; expected {FORM}. Deliver it under such a name")
    period = unquote(parts[2][len(PERIOD) :]) if len(parts) > 3 and parts[2].startswith(PERIOD) else None  # noqa: PLR2004  two names before it, one after
    rest = parts[3:] if period else parts[2:]
    if len(rest) != 1 or not rest[0] or not all(re.fullmatch(IDENTIFIER, name) for name in parts[:2]):
        raise UsageError(f"the name says not who delivers what: expected {FORM}. Deliver it under such a name")
    return Arrival(parts[0], parts[1], period, rest[0])


def sender_of(key: str) -> str:
    """Return the sender, from the first part alone: each sender may write below its own."""
    first, below, _ = key.partition("/")
    return first if below and re.fullmatch(IDENTIFIER, first) else NOBODY


def is_arrival(key: str, size: int | None) -> bool:
    """Tell whether an object is one that was delivered.

    Hidden files, files that are still being written, and the empty objects that stand for folders are none.
    """
    path = PurePosixPath(key)
    hidden = any(part.startswith(".") for part in path.parts)
    return not (hidden or path.name.endswith(UNFINISHED) or not key or (key.endswith("/") and not size))
