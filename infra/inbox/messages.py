"""Parses queue messages about arrived objects: S3's own event, plain or wrapped by SNS or EventBridge, or a test event.

A message is only a hint: the object that it names is read from the store, at that version.
"""

import json
import re
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

from infra.inbox.object_keys import is_arrival, read_key, sender_of
from infra.storage.places import S3Place
from infra.storage.store import ETAG_VERSION
from schemas.errors import UnreadableMessageError, UsageError

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_NO_VERSION: Final = {None, "", "null"}


class Message(NamedTuple):
    """A parsed message: `objects` are rows of `INBOX_ROW`; a test event names none."""

    objects: list[dict[str, Any]]
    test: bool = False


class _ArrivedObject(NamedTuple):
    bucket: str
    key: str
    version: str
    bytes: int | None


def read_message(body: str, place: S3Place) -> Message:
    """Return the objects that a message names and that arrived at a place; raises `UnreadableMessageError`.

    Objects elsewhere in the bucket, deleted and hidden objects are left out.
    """
    try:
        event = _unwrapped(_object(body))
        if event.get("Event") == "s3:TestEvent":
            return Message([], test=True)
        if "detail" in event:
            objects = [_eventbridge_object(event)]
        else:
            objects = [_record_object(record) for record in event["Records"]]
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise UnreadableMessageError(f"no event of S3: it lacks {error}") from error
    arrived = [each for each in objects if each is not None]
    if any(each.bucket != place.bucket for each in arrived):
        raise UnreadableMessageError(f"an event of another bucket; expected {place.bucket}: see ENGANG_ARRIVALS")
    rows = (inbox_row(each.key, each.version, each.bytes, place) for each in arrived)
    return Message([row for row in rows if row is not None])


def inbox_row(key: str, version: str, size: int | None, place: S3Place | None = None) -> dict[str, Any] | None:
    """Return an object's `INBOX_ROW`, None if it is not a delivery. If its key is malformed, `reason` says so."""
    prefix = place.key("") if place else ""
    name = _storable(key.removeprefix(prefix))
    if not key.startswith(prefix) or not is_arrival(name, size):
        return None
    row = {"object": name, "version": _storable(version), "sender": sender_of(name), "bytes": size, "reason": None}
    try:
        read_key(name)
    except UsageError as error:
        row["reason"] = str(error)
    return row


def _object(body: str) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableMessageError("no JSON; expected an event of S3") from error
    if not isinstance(parsed, dict):
        raise UnreadableMessageError("no JSON object; expected an event of S3")
    return parsed


def _unwrapped(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event inside an SNS notification, or the event itself."""
    if event.get("Type") == "Notification":
        return _object(event["Message"])
    if "Type" in event and "SubscribeURL" in event:
        raise UnreadableMessageError("SNS asks to confirm a subscription; confirm it in SNS")
    return event


def _record_object(record: dict[str, Any]) -> _ArrivedObject | None:
    """Return the object of an S3 event record, None if the record is not about a new object."""
    if record["eventSource"] != "aws:s3":
        raise UnreadableMessageError("an event of another service than S3")
    if "ObjectCreated:" not in record["eventName"]:
        return None
    found = record["s3"]["object"]
    version = _version(found.get("versionId"), found.get("eTag"))
    return _ArrivedObject(record["s3"]["bucket"]["name"], unquote_plus(found["key"]), version, _size(found.get("size")))


def _eventbridge_object(event: dict[str, Any]) -> _ArrivedObject | None:
    """Return the same of an EventBridge event, whose keys are not URL-quoted."""
    if event["source"] != "aws.s3":
        raise UnreadableMessageError("an event of another service than S3")
    if event["detail-type"] != "Object Created":
        return None
    found = event["detail"]["object"]
    version = _version(found.get("version-id"), found.get("etag"))
    return _ArrivedObject(event["detail"]["bucket"]["name"], str(found["key"]), version, _size(found.get("size")))


def _version(version: object, etag: object) -> str:
    if version not in _NO_VERSION:
        return str(version)
    if not etag:
        raise UnreadableMessageError("an event of S3 that names neither version nor ETag")
    return ETAG_VERSION + str(etag).strip('"')


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value < 2**63 else None


def _storable(text: str) -> str:
    """Return the text with U+FFFD for characters that databases refuse; `read_key` refuses such a key: it is parked."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
