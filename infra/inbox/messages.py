"""What a queue's message says of arrived objects: S3's own event, wrapped by SNS, or by EventBridge, or a test event.

Nothing of a message is trusted but that it is a hint: what it names is read from the store, at that version.
"""

import json
import re
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

from infra.inbox.object_keys import is_arrival, read_key, sender_of
from infra.storage.places import S3Place
from schemas.errors import EngangError, UsageError

ETAG: Final = "etag:"
"""How the version of an object is named where the bucket keeps none."""
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
UNTOLD: Final = {None, "", "null"}


class UnreadableMessageError(EngangError):
    """A message is none of those that are expected; it says what it is, and nothing of what is in it."""


class Message(NamedTuple):
    """What a message tells: `objects` are rows of `inbox.NOTICED`; a test tells of none."""

    objects: list[dict[str, Any]]
    test: bool = False


class _Arrived(NamedTuple):
    bucket: str
    key: str
    version: str
    bytes: int | None


def read_message(body: str, place: S3Place) -> Message:
    """Return what a message tells of objects that arrived at a place; raises `UnreadableMessageError`.

    What arrived elsewhere in the bucket, was deleted, or is hidden is nothing told.
    """
    try:
        event = _unwrapped(_object(body))
        if event.get("Event") == "s3:TestEvent":
            return Message([], test=True)
        told = [_bridged(event)] if "detail" in event else [_recorded(record) for record in event["Records"]]
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise UnreadableMessageError(f"no event of S3: it lacks {error}") from error
    arrived = [each for each in told if each is not None]
    if any(each.bucket != place.bucket for each in arrived):
        raise UnreadableMessageError(f"an event of another bucket; expected {place.bucket}: see ENGANG_ARRIVALS")
    rows = (noticed(each.key, each.version, each.bytes, place) for each in arrived)
    return Message([row for row in rows if row is not None])


def noticed(key: str, version: str, size: int | None, place: S3Place | None = None) -> dict[str, Any] | None:
    """Return a row of `inbox.NOTICED` for an object, None if it is no delivery; a key of another form has a reason."""
    own = place.key("") if place else ""
    name = _storable(key.removeprefix(own))
    if not key.startswith(own) or not is_arrival(name, size):
        return None
    row = {"object": name, "version": _storable(version), "sender": sender_of(name), "bytes": size, "reason": None}
    try:
        read_key(name)
    except UsageError as error:
        row["reason"] = str(error)
    return row


def _object(body: str) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableMessageError("no JSON; expected an event of S3") from error
    if not isinstance(told, dict):
        raise UnreadableMessageError("no JSON object; expected an event of S3")
    return told


def _unwrapped(event: dict[str, Any]) -> dict[str, Any]:
    """Return what SNS wrapped, if it did."""
    if event.get("Type") == "Notification":
        return _object(event["Message"])
    if "Type" in event and "SubscribeURL" in event:
        raise UnreadableMessageError("SNS asks to confirm a subscription; confirm it in SNS")
    return event


def _recorded(record: dict[str, Any]) -> _Arrived | None:
    """Return what arrived by a record, None if it tells of something else."""
    if record["eventSource"] != "aws:s3":
        raise UnreadableMessageError("an event of another service than S3")
    if "ObjectCreated:" not in record["eventName"]:
        return None
    found = record["s3"]["object"]
    version = _version(found.get("versionId"), found.get("eTag"))
    return _Arrived(record["s3"]["bucket"]["name"], unquote_plus(found["key"]), version, _size(found.get("size")))


def _bridged(event: dict[str, Any]) -> _Arrived | None:
    """Return the same of an event that came by EventBridge, which does not quote keys."""
    if event["source"] != "aws.s3":
        raise UnreadableMessageError("an event of another service than S3")
    if event["detail-type"] != "Object Created":
        return None
    found = event["detail"]["object"]
    version = _version(found.get("version-id"), found.get("etag"))
    return _Arrived(event["detail"]["bucket"]["name"], str(found["key"]), version, _size(found.get("size")))


def _version(version: object, etag: object) -> str:
    if version not in UNTOLD:
        return str(version)
    if not etag:
        raise UnreadableMessageError("an event of S3 that names neither version nor ETag")
    return ETAG + str(etag).strip('"')


def _size(told: object) -> int | None:
    return told if isinstance(told, int) and 0 <= told < 2**63 else None


def _storable(text: str) -> str:
    """Return the text with U+FFFD for what no database takes; a name that bears it is parked, see `read_key`."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
