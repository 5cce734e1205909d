"""The SQS queue that announces arrived objects, fed by the bucket, by SNS or by EventBridge.

Only `delete` deletes messages; it is called after the inbox has stored their objects. Unreadable messages stay in the
queue: after the number of receives that the queue allows, SQS moves them to the dead-letter queue.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from infra.inbox.messages import read_message
from infra.storage.places import S3Place
from infra.storage.s3 import S3Store
from infra.storage.store import ETAG_VERSION
from schemas.errors import StoreError, UnreadableMessageError, UsageError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

SQS_BATCH_SIZE: Final = 10
"""The most messages that SQS receives, sends or deletes in one request."""
DEAD_LETTER_SAMPLE: Final = 10
MAX_REDRIVE_BATCHES: Final = 10_000
"""How many batches `redrive` moves at most: a queue that feeds itself does not keep it running for ever."""
AWS_DOMAINS: Final = (".amazonaws.com", ".amazonaws.com.cn")

_log: Final = logging.getLogger("engang.inbox")


class QueueBatch(NamedTuple):
    """Messages that were received.

    objects: rows of `INBOX_ROW` to enqueue. receipts: what to `delete` once they are enqueued. tests: how many were
    test events. unreadable: how many were left in the queue.
    """

    objects: list[dict[str, Any]]
    receipts: list[str]
    tests: int = 0
    unreadable: int = 0


class DeadLetters(NamedTuple):
    """About how many messages are in a dead-letter queue, and why some of them are there."""

    messages: int
    reasons: list[str]


@dataclass(frozen=True)
class Queue:
    """A queue that announces what arrives at a place. Every method raises `StoreError`.

    fail_fast: try once, with timeouts of two seconds. For monitoring, which must answer soon and needs no certainty.
    """

    url: str
    place: S3Place
    fail_fast: bool = False

    @property
    def client(self) -> "SQSClient":
        """The client of this process, thread-safe."""
        return _client(self.url, os.getpid(), fail_fast=self.fail_fast)

    def receive(self, most: int = SQS_BATCH_SIZE, wait: int = 0) -> QueueBatch:
        """Receive about `most` messages, waiting `wait` seconds (at most 20) for the first."""
        batch = QueueBatch([], [])
        while len(batch.receipts) + batch.unreadable < most:
            messages = self._receive(wait)
            batch = self._read(messages, batch)
            if len(messages) < SQS_BATCH_SIZE:
                break
            wait = 0
        return batch

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete messages whose objects the inbox has stored."""
        # The inbox commits first. If this process dies in between, SQS delivers the messages again after their
        # visibility timeout, and the inbox ignores objects that it has already. The other order could lose an object
        # until the next listing.
        for start in range(0, len(receipts), SQS_BATCH_SIZE):
            some = receipts[start : start + SQS_BATCH_SIZE]
            entries: Any = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(some)]
            with _store_errors(self.url):
                self.client.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def count(self) -> int:
        """Return about how many messages are in the queue, received ones included."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with _store_errors(self.url):
            attributes = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def dead_letters(self) -> DeadLetters:
        """Return how many messages are in this dead-letter queue and why some of them are; they stay there."""
        with _store_errors(self.url):
            response = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=DEAD_LETTER_SAMPLE,
                VisibilityTimeout=0,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
        reasons = [_reason(message["Body"], self.place) for message in response.get("Messages", ())]
        return DeadLetters(max(self.count(), len(reasons)), reasons)

    def redrive(self, to: str) -> int:
        """Move the messages of this dead-letter queue back to the queue at `to`; return about how many.

        SQS moves them itself if it can. Otherwise each is sent first and deleted after, so none is lost.
        """
        count = self.count()
        if not count or self._start_move():
            return count
        redriven = 0
        for _ in range(MAX_REDRIVE_BATCHES):
            messages = self._receive(0)
            if not messages:
                break
            with _store_errors(to):
                for message in messages:
                    self.client.send_message(QueueUrl=to, MessageBody=message["Body"])
            self.delete([message["ReceiptHandle"] for message in messages])
            redriven += len(messages)
        return redriven

    def _start_move(self) -> bool:
        """Let SQS move the messages itself; return whether it supports that."""
        from botocore.exceptions import ClientError  # only where SQS is used

        with _store_errors(self.url):
            attributes = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]
            try:
                self.client.start_message_move_task(SourceArn=attributes["QueueArn"])
            except ClientError as error:
                _log.info("SQS does not move messages itself (%s): moving them one by one", _code(error))
                return False
        return True

    def _receive(self, wait: int) -> "list[MessageTypeDef]":
        with _store_errors(self.url):
            response = self.client.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=SQS_BATCH_SIZE, WaitTimeSeconds=wait
            )
        return list(response.get("Messages", ()))

    def _read(self, messages: "list[MessageTypeDef]", so_far: QueueBatch) -> QueueBatch:
        objects, receipts, tests, unreadable = so_far
        for message in messages:
            try:
                parsed = read_message(message["Body"], self.place)
            except UnreadableMessageError as error:
                _log.warning("message %s is left for the dead-letter queue: %s", message.get("MessageId"), error)
                unreadable += 1
                continue
            objects += [row for row in map(self._with_version, parsed.objects) if row is not None]
            receipts.append(message["ReceiptHandle"])
            tests += parsed.test
        return QueueBatch(objects, receipts, tests, unreadable)

    def _with_version(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """Return the row with the version that a listing shows, if the bucket has versions and the event names none.

        None if the object was overwritten or deleted since: a listing finds what exists.
        """
        store = _store(self.place)
        if not row["version"].startswith(ETAG_VERSION) or not store.versioned:
            return row
        version = store.version_of(row["object"], row["version"].removeprefix(ETAG_VERSION))
        return {**row, "version": version} if version else None


def open_queue(url: str, place: object, *, fail_fast: bool = False) -> Queue:
    """Return the queue at a URL; `UsageError` if the URL is malformed, or the arrivals are not in a bucket."""
    if not isinstance(place, S3Place):
        raise UsageError("ENGANG_QUEUE announces objects in a bucket: set ENGANG_ARRIVALS to s3://bucket[/prefix]")
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise UsageError(f"a queue's URL: found {parts.scheme}://{parts.hostname}, expected https://host/account/queue")
    return Queue(url, place, fail_fast)


def _reason(body: str, place: S3Place) -> str:
    try:
        message = read_message(body, place)
    except UnreadableMessageError as error:
        return str(error)
    return f"an event of {len(message.objects)} objects that was received and never deleted: `engang inbox redrive`"


@lru_cache
def _store(place: S3Place) -> S3Store:
    return S3Store(place)


@contextmanager
def _store_errors(url: str) -> Iterator[None]:
    """Turn the errors of SQS and of the network into `StoreError`."""
    from botocore.exceptions import BotoCoreError, ClientError  # only where SQS is used

    name = url.rsplit("/", 1)[-1]
    try:
        yield
    except ClientError as error:
        problem = f"it answered {_code(error)} to {error.operation_name}; see that it exists and this role may use it"
        raise StoreError(f"queue {name}: {problem}") from error
    except BotoCoreError as error:
        problem = f"cannot be reached ({type(error).__name__}); check the network, the URL and the credentials"
        raise StoreError(f"queue {name}: {problem}") from error


def _code(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Code", "?"))


@lru_cache
def _client(url: str, _process: int, *, fail_fast: bool) -> "SQSClient":
    """Return the client of this process for the service that a queue's URL names."""
    import boto3  # only where SQS is used
    from botocore.config import Config

    retries: Any = {"mode": "standard", "total_max_attempts": 1 if fail_fast else 5}
    seconds = 2 if fail_fast else 30
    config = Config(retries=retries, connect_timeout=2 if fail_fast else 5, read_timeout=seconds)
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host.endswith(AWS_DOMAINS):
        return boto3.Session().client("sqs", endpoint_url=f"{parts.scheme}://{parts.netloc}", config=config)
    region = host.split(".")[1] if host.startswith("sqs.") else None  # sqs.<region>.amazonaws.com
    return boto3.Session().client("sqs", region_name=region, config=config)
