"""The queue that tells of arrived objects: an SQS queue, fed by the bucket, by SNS or by EventBridge.

A message is deleted by `delete` alone, which is called when the inbox has what it told of. What cannot be read is left
where it is: after the receives that the queue allows, it moves to the dead-letter queue.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from infra.inbox.messages import ETAG, UnreadableMessageError, read_message
from infra.storage.places import S3Place
from infra.storage.s3 import S3Store
from schemas.errors import StoreError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

BATCH: Final = 10
"""Messages that SQS gives, takes or deletes at once."""
SAMPLE: Final = 10
ROUNDS: Final = 10_000
"""How many batches `redrive` moves at most: what moves on a circle ends."""
AWS: Final = (".amazonaws.com", ".amazonaws.com.cn")

_log: Final = logging.getLogger("engang.inbox")


class Told(NamedTuple):
    """What some messages told: rows of `inbox.NOTICED`, what to delete once these are kept, and what was left."""

    objects: list[dict[str, Any]]
    receipts: list[str]
    tests: int = 0
    left: int = 0


class DeadLetters(NamedTuple):
    """How many messages are in a dead-letter queue, about, and of some what they are."""

    messages: int
    reasons: list[str]


@dataclass(frozen=True)
class Queue:
    """A queue that tells of what arrives at a place. Every method raises `StoreError`."""

    url: str
    place: S3Place
    hasty: bool = False
    """Whether it is asked once, and for seconds: by those who tell of it and rely on nothing."""

    @property
    def client(self) -> "SQSClient":
        """The client of this process, safe in threads."""
        return _client(self.url, self.hasty, os.getpid())

    def receive(self, most: int = BATCH, wait: int = 0) -> Told:
        """Return what about `most` messages tell, waiting `wait` seconds (at most 20) for the first."""
        told = Told([], [])
        while len(told.receipts) + told.left < most:
            messages = self._receive(wait)
            told = self._read(messages, told)
            if len(messages) < BATCH:
                break
            wait = 0
        return told

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete messages whose objects the inbox holds; one that stays is told again, and noted once."""
        for start in range(0, len(receipts), BATCH):
            some = [{"Id": str(n), "ReceiptHandle": r} for n, r in enumerate(receipts[start : start + BATCH])]
            with _told(self.url):
                self.client.delete_message_batch(QueueUrl=self.url, Entries=some)  # type: ignore[arg-type]  # dicts of it

    def count(self) -> int:
        """Return about how many messages wait in the queue or are being read."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with _told(self.url):
            told = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(told[name]) for name in names)

    def dead_letters(self) -> DeadLetters:
        """Return how many messages are in this dead-letter queue and what some of them are; they stay there."""
        with _told(self.url):
            answer = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=SAMPLE,
                VisibilityTimeout=0,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
        reasons = [_reason(message["Body"], self.place) for message in answer.get("Messages", ())]
        return DeadLetters(max(self.count(), len(reasons)), reasons)

    def redrive(self, to: str) -> int:
        """Move what is in this dead-letter queue back to the queue that tells; return about how many messages.

        By SQS itself where it can, else one by one: sent first and deleted then, so none is lost.
        """
        count = self.count()
        if not count or self._move():
            return count
        moved = 0
        for _ in range(ROUNDS):
            messages = self._receive(0)
            if not messages:
                break
            with _told(to):
                for message in messages:
                    self.client.send_message(QueueUrl=to, MessageBody=message["Body"])
            self.delete([message["ReceiptHandle"] for message in messages])
            moved += len(messages)
        return moved

    def _move(self) -> bool:
        """Let SQS move the messages itself; return whether it can."""
        from botocore.exceptions import ClientError  # noqa: PLC0415  only where SQS is used

        with _told(self.url):
            told = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
            try:
                self.client.start_message_move_task(SourceArn=told["Attributes"]["QueueArn"])
            except ClientError as error:
                _log.info("SQS does not move messages itself (%s): they are moved one by one", _code(error))
                return False
        return True

    def _receive(self, wait: int) -> "list[MessageTypeDef]":
        with _told(self.url):
            answer = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=wait)
        return list(answer.get("Messages", ()))

    def _read(self, messages: "list[MessageTypeDef]", so_far: Told) -> Told:
        objects, receipts, tests, left = so_far
        for message in messages:
            try:
                told = read_message(message["Body"], self.place)
            except UnreadableMessageError as error:
                _log.warning("message %s is left for the dead-letter queue: %s", message.get("MessageId"), error)
                left += 1
                continue
            objects += [row for row in map(self._versioned, told.objects) if row is not None]
            receipts.append(message["ReceiptHandle"])
            tests += told.test
        return Told(objects, receipts, tests, left)

    def _versioned(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """Name the version as a listing does, where the bucket keeps versions and the event does not say which.

        None if the object was overwritten or deleted since: a listing finds what there is.
        """
        store = _store(self.place)
        if not row["version"].startswith(ETAG) or not store.versioned:
            return row
        version = store.version_of(row["object"], row["version"].removeprefix(ETAG))
        return {**row, "version": version} if version else None


def open_queue(url: str, place: object, *, hasty: bool = False) -> Queue:
    """Return the queue at a URL; `UsageError` if it is none, or arrivals are kept in no bucket."""
    if not isinstance(place, S3Place):
        raise UsageError("ENGANG_QUEUE tells of objects in a bucket: set ENGANG_ARRIVALS to s3://bucket[/prefix]")
    told = urlsplit(url)
    if told.scheme not in {"https", "http"} or not told.hostname:
        raise UsageError(f"a queue's URL: found {told.scheme}://{told.hostname}, expected https://host/account/queue")
    return Queue(url, place, hasty)


def _reason(body: str, place: S3Place) -> str:
    try:
        told = read_message(body, place)
    except UnreadableMessageError as error:
        return str(error)
    return f"an event of {len(told.objects)} objects that was received and never deleted: `engang inbox redrive`"


@lru_cache
def _store(place: S3Place) -> S3Store:
    return S3Store(place)


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn what SQS and the way there raise into `StoreError`."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  only where SQS is used

    name = url.rsplit("/", 1)[-1]
    try:
        yield
    except ClientError as error:
        told = f"it answered {_code(error)} to {error.operation_name}; see that it is there and this role may use it"
        raise StoreError(f"queue {name}: {told}") from error
    except BotoCoreError as error:
        told = f"cannot be reached ({type(error).__name__}); see to the network, the URL and the credentials"
        raise StoreError(f"queue {name}: {told}") from error


def _code(error: Any) -> str:  # noqa: ANN401  botocore's ClientError, which is imported only where SQS is used
    return str(error.response.get("Error", {}).get("Code", "?"))


@lru_cache
def _client(url: str, hasty: bool, _process: int) -> "SQSClient":  # noqa: FBT001  lru_cache counts what is named apart
    """Return the client of this process for the service that a queue's URL names."""
    import boto3  # noqa: PLC0415  only where SQS is used
    from botocore.config import Config  # noqa: PLC0415  same

    retries: Any = {"mode": "standard", "total_max_attempts": 1 if hasty else 5}
    seconds = 2 if hasty else 30
    config = Config(retries=retries, connect_timeout=2 if hasty else 5, read_timeout=seconds)
    told = urlsplit(url)
    host = told.hostname or ""
    if not host.endswith(AWS):
        return boto3.Session().client("sqs", endpoint_url=f"{told.scheme}://{told.netloc}", config=config)
    region = host.split(".")[1] if host.startswith("sqs.") else None  # sqs.<region>.amazonaws.com
    return boto3.Session().client("sqs", region_name=region, config=config)
