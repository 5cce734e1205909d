"""The keys of arrived objects: `<sender>/<contract>/[period=<P>/]<filename>`, sender first."""

import re
from pathlib import PurePosixPath
from typing import Final, NamedTuple
from urllib.parse import unquote

from schemas.contract_parts import IDENTIFIER
from schemas.errors import UsageError

KEY_FORM: Final = "<sender>/<contract>/[period=<P>/]<filename>, names of small letters, digits, '.', '_' or '-'"
PERIOD_PREFIX: Final = "period="
PARTIAL_SUFFIXES: Final = (".partial", ".part", ".tmp", ".filepart", ".crdownload")
"""Endings of file names whose bytes are still being written."""
UNKNOWN_SENDER: Final = "?"
"""The sender of an object whose key does not begin with a sender."""


class Arrival(NamedTuple):
    """The parts of an arrived object's key."""

    sender: str
    contract: str
    period: str | None
    filename: str


def read_key(key: str) -> Arrival:
    """Return the parts of a key; raises `UsageError` with the expected form if it is malformed."""
    parts = key.split("/")
    if "\N{REPLACEMENT CHARACTER}" in key:
        raise UsageError(f"the name is no UTF-8; expected {KEY_FORM}. Deliver it under such a name")
    period, rest = None, parts[2:]
    if len(rest) > 1 and rest[0].startswith(PERIOD_PREFIX) and rest[0] != PERIOD_PREFIX:
        period, rest = unquote(rest[0].removeprefix(PERIOD_PREFIX)), rest[1:]
    if len(rest) != 1 or not rest[0] or not all(re.fullmatch(IDENTIFIER, name) for name in parts[:2]):
        raise UsageError(
            f"the name does not give sender and contract: expected {KEY_FORM}. Deliver it under such a name"
        )
    return Arrival(parts[0], parts[1], period, rest[0])


def sender_of(key: str) -> str:
    """Return the sender, from the first part alone: access rights let each sender write only below its own."""
    first, below, _ = key.partition("/")
    return first if below and re.fullmatch(IDENTIFIER, first) else UNKNOWN_SENDER


def is_arrival(key: str, size: int | None) -> bool:
    """Return whether an object is a delivery.

    Hidden files, lock files of office programs, files that are still being written, and the empty objects that
    represent folders are not.
    """
    path = PurePosixPath(key)
    hidden = any(part.startswith((".", "~$")) for part in path.parts)
    return not (hidden or path.name.endswith(PARTIAL_SUFFIXES) or not key or (key.endswith("/") and not size))
