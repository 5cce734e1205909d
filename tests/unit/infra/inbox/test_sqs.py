"""What is asked of SQS, by a client that only notes it: batches, waiting, deleting, dead letters, errors in words."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from infra.inbox import sqs
from infra.inbox.sqs import Queue, QueueBatch, open_queue
from infra.storage.places import S3Place
from schemas.errors import StoreError, UsageError

PLACE = S3Place("bucket", "in")
URL = "https://sqs.eu-north-1.amazonaws.com/1/arrivals"


def refused(code: str, operation: str = "SendMessage") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "10018012345"}}, operation)


class FakeClient:
    """SQS, in words: gives the messages it holds, ten at most, and notes what it is asked."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.not_visible = "0"
        self.moves = True
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**given: Any) -> Any:
            self.asked.append((name, given))
            if self.error is not None:
                raise self.error
            return getattr(self, f"_{name}", lambda **_: {})(**given)

        if name.startswith("_"):
            raise AttributeError(name)
        return call

    def _receive_message(self, *, MaxNumberOfMessages: int, **given: Any) -> Any:  # noqa: N803  as SQS names it
        some = self.messages[:MaxNumberOfMessages]
        if "VisibilityTimeout" not in given:
            del self.messages[:MaxNumberOfMessages]
        return {"Messages": some} if some else {}

    def _get_queue_attributes(self, **_: Any) -> Any:
        numbers = {"ApproximateNumberOfMessages": str(len(self.messages))}
        return {
            "Attributes": numbers | {"ApproximateNumberOfMessagesNotVisible": self.not_visible, "QueueArn": "arn:q"}
        }

    def _start_message_move_task(self, **_: Any) -> Any:
        if not self.moves:
            raise refused("UnsupportedOperation")
        return {}

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return what was asked by one name."""
        return [given for asked, given in self.asked if asked == name]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    """Give the client of every queue; the bucket keeps no versions."""
    fake = FakeClient()
    monkeypatch.setattr(sqs, "_client", lambda *_, **__: fake)
    monkeypatch.setattr(sqs, "_store", lambda _: SimpleNamespace(versioned=False))
    return fake


@pytest.fixture
def queue(client: FakeClient) -> Queue:
    assert client.asked == []
    return open_queue(URL, PLACE)


def message(number: int, body: str | None = None) -> dict[str, Any]:
    found = {"key": f"in/a/c/{number}.csv", "size": 12, "eTag": f"e{number}"}
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}
    event = {"Records": [{**record, "s3": {"bucket": {"name": "bucket"}, "object": found}}]}
    return {"Body": body or json.dumps(event), "ReceiptHandle": f"r{number}", "MessageId": f"m{number}"}


def test_a_batch_is_read_ten_at_a_time_and_only_the_first_is_waited_for(queue: Queue, client: FakeClient) -> None:
    client.messages = [message(n) for n in range(25)]
    batch = queue.receive(500, wait=2)
    assert [row["object"] for row in batch.objects] == [f"a/c/{n}.csv" for n in range(25)]
    assert (batch.receipts, batch.tests, batch.unreadable) == ([f"r{n}" for n in range(25)], 0, 0)
    assert [(given["MaxNumberOfMessages"], given["WaitTimeSeconds"]) for given in client.of("receive_message")] == [
        (10, 2), (10, 0), (10, 0),
    ]  # fmt: skip
    assert [name for name, _ in client.asked] == ["receive_message"] * 3, "nothing is deleted"


@pytest.mark.parametrize(("most", "received"), [(10, 10), (11, 20), (20, 20)])
def test_no_more_is_read_than_was_asked_for(queue: Queue, client: FakeClient, most: int, received: int) -> None:
    client.messages = [message(n, "no JSON" if n % 2 else None) for n in range(30)]
    batch = queue.receive(most)
    assert len(batch.receipts) + batch.unreadable == received
    assert batch.unreadable == received // 2


def test_by_default_ten_are_read_and_none_is_waited_for(queue: Queue, client: FakeClient) -> None:
    client.messages = [message(n) for n in range(12)]
    assert len(queue.receive().receipts) == 10
    assert client.asked == [("receive_message", {"QueueUrl": URL, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0})]


def test_what_cannot_be_read_is_left_and_a_test_is_deleted(
    queue: Queue, client: FakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.messages = [message(1, "no JSON"), message(2, '{"Event": "s3:TestEvent"}'), message(3)]
    batch = queue.receive()
    assert batch == QueueBatch([{
        "object": "a/c/3.csv", "version": "etag:e3", "sender": "a", "bytes": 12, "reason": None,
    }], ["r2", "r3"], tests=1, unreadable=1)  # fmt: skip
    assert "message m1 is left for the dead-letter queue: no JSON; expected an event of S3" in caplog.text


@pytest.mark.parametrize(("versioned", "found", "version"), [
    (False, None, "etag:e1"), (True, "v7", "v7"), (True, None, None),
])  # fmt: skip
def test_an_event_without_a_version_gets_the_one_of_the_bucket(
    queue: Queue, client: FakeClient, monkeypatch: pytest.MonkeyPatch, versioned: bool, found: str | None,
    version: str | None,
) -> None:  # fmt: skip
    asked: list[tuple[str, ...]] = []

    def version_of(*given: str) -> str | None:
        asked.append(given)
        return found

    monkeypatch.setattr(sqs, "_store", lambda _: SimpleNamespace(versioned=versioned, version_of=version_of))
    client.messages = [message(1)]
    batch = queue.receive()
    assert [row["version"] for row in batch.objects] == ([] if version is None else [version])
    assert batch.receipts == ["r1"], "a listing finds what exists"
    assert asked == ([("a/c/1.csv", "e1")] if versioned else [])


def test_an_event_with_a_version_is_taken_at_its_word(
    queue: Queue, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs, "_store", lambda _: SimpleNamespace(versioned=True))
    with_version = message(1)["Body"].replace('"size"', '"versionId": "v3", "size"')
    client.messages = [message(1, with_version)]
    assert [row["version"] for row in queue.receive().objects] == ["v3"]


def test_messages_are_deleted_ten_at_a_time(queue: Queue, client: FakeClient) -> None:
    queue.delete([f"r{n}" for n in range(21)])
    given = client.of("delete_message_batch")
    assert [[entry["ReceiptHandle"] for entry in each["Entries"]] for each in given] == [
        [f"r{n}" for n in range(10)], [f"r{n}" for n in range(10, 20)], ["r20"],
    ]  # fmt: skip
    assert [entry["Id"] for entry in given[0]["Entries"]] == [str(n) for n in range(10)]
    assert {each["QueueUrl"] for each in given} == {URL}
    queue.delete([])
    assert len(client.asked) == 3


def test_received_messages_are_counted_too(queue: Queue, client: FakeClient) -> None:
    client.messages, client.not_visible = [message(1), message(2)], "3"
    assert queue.count() == 5


def test_dead_letters_stay_and_say_why_they_are_there(queue: Queue, client: FakeClient) -> None:
    client.messages = [message(1, "no JSON"), message(2)]
    letters = queue.dead_letters()
    assert letters.messages == 2
    assert letters.reasons == [
        "no JSON; expected an event of S3",
        "an event of 1 objects that was received and never deleted: `engang inbox redrive`",
    ]
    (given,) = client.of("receive_message")
    assert (given["VisibilityTimeout"], given["MaxNumberOfMessages"]) == (0, 10)
    client.not_visible = "7"
    assert queue.dead_letters().messages == 9
    client.messages = []
    client.not_visible = "0"
    assert queue.dead_letters() == (0, [])


def test_more_dead_letters_may_be_seen_than_are_counted(
    queue: Queue, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Queue, "count", lambda _: 0)
    client.messages = [message(1)]
    assert queue.dead_letters().messages == 1


def test_sqs_moves_dead_letters_itself_where_it_can(queue: Queue, client: FakeClient) -> None:
    client.messages = [message(1), message(2)]
    assert queue.redrive("https://x/1/to") == 2
    assert client.of("start_message_move_task") == [{"SourceArn": "arn:q"}]
    assert client.of("send_message") == client.of("receive_message") == []
    client.messages, client.asked = [], []
    assert queue.redrive("https://x/1/to") == 0
    assert [name for name, _ in client.asked] == ["get_queue_attributes"]


def test_dead_letters_are_sent_before_they_are_deleted(queue: Queue, client: FakeClient) -> None:
    client.messages, client.moves = [message(n) for n in range(12)], False
    assert queue.redrive("https://x/1/to") == 12
    asked = [name for name, _ in client.asked if name in {"receive_message", "send_message", "delete_message_batch"}]
    assert asked == [
        "receive_message", *["send_message"] * 10, "delete_message_batch",
        "receive_message", *["send_message"] * 2, "delete_message_batch", "receive_message",
    ]  # fmt: skip
    assert {given["QueueUrl"] for given in client.of("send_message")} == {"https://x/1/to"}
    assert [given["WaitTimeSeconds"] for given in client.of("receive_message")] == [0] * 3


def test_a_queue_that_feeds_itself_is_not_redriven_for_ever(
    queue: Queue, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs, "MAX_REDRIVE_BATCHES", 2)
    client.messages, client.moves = [message(n) for n in range(100)], False
    assert queue.redrive("https://x/1/to") == 20


@pytest.mark.parametrize(("error", "problem"), [
    (refused("AccessDenied"), "it answered AccessDenied to SendMessage; see that it exists and this role may use it"),
    (
        EndpointConnectionError(endpoint_url="https://secret"),
        "cannot be reached (EndpointConnectionError); check the network, the URL and the credentials",
    ),
])  # fmt: skip
def test_an_error_of_sqs_names_the_queue_and_no_more(
    queue: Queue, client: FakeClient, error: Exception, problem: str
) -> None:
    client.error = error
    for ask in (
        queue.receive, queue.count, queue.dead_letters, lambda: queue.delete(["r"]), lambda: queue.redrive("https://x"),
    ):  # fmt: skip
        with pytest.raises(StoreError) as raised:
            ask()
        assert str(raised.value) == f"queue arrivals: {problem}"


@pytest.mark.parametrize(("place", "url", "problem"), [
    ("folder", URL, "ENGANG_QUEUE announces objects in a bucket"),
    (PLACE, "sqs://host/q", "found sqs://host, expected https://host/account/queue"),
    (PLACE, "arrivals", "found ://None"), (PLACE, "https://", "found https://None"),
])  # fmt: skip
def test_a_queue_needs_a_bucket_and_a_url(place: object, url: str, problem: str) -> None:
    with pytest.raises(UsageError) as raised:
        open_queue(url, place)
    assert problem in str(raised.value)
    assert open_queue("http://localhost:1/q", PLACE) == Queue("http://localhost:1/q", PLACE, fail_fast=False)


@pytest.mark.parametrize(("url", "expected"), [
    (URL, {"region_name": "eu-north-1"}),
    ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", {"region_name": "cn-north-1"}),
    ("https://queue.amazonaws.com/1/q", {"region_name": None}),
    ("http://localhost:4566/1/q", {"endpoint_url": "http://localhost:4566"}),
])  # fmt: skip
@pytest.mark.parametrize(("fail_fast", "limits"), [(False, (5, 5, 30)), (True, (1, 2, 2))])
def test_a_client_is_of_the_service_that_the_url_names(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: dict[str, str], fail_fast: bool, limits: tuple[int, ...]
) -> None:
    made: list[Any] = []

    def make(*service: str, config: Any, **how: Any) -> object:
        made.append((service, how, config))
        return object()

    monkeypatch.setattr(boto3, "Session", lambda: SimpleNamespace(client=make))
    sqs._client.cache_clear()  # noqa: SLF001  it is made once a process
    first = Queue(url, PLACE, fail_fast).client
    assert Queue(url, PLACE, fail_fast).client is first
    ((service, how, config),) = made
    assert (service, how) == (("sqs",), expected)
    assert (config.retries["total_max_attempts"], config.connect_timeout, config.read_timeout) == limits
    sqs._client.cache_clear()  # noqa: SLF001
