"""A queue that tells of arrivals, over HTTP: noted before a message is deleted, dead letters shown and redriven."""

import json
import uuid
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from flows.installation import Installation
from flows.intake.arrivals import receive_notifications, reconcile_arrivals
from infra.inbox import work_queue as inbox
from infra.inbox.sqs import Queue, open_queue
from infra.storage.places import S3Place
from schemas.errors import StoreError, UsageError
from tests.support.small_installation import open_small

RECEIVES = 2


@pytest.fixture
def queues(aws: str, s3: S3Place) -> tuple[str, str]:
    """Give the URLs of a queue that the bucket tells, and of its dead-letter queue."""
    sqs, name = boto3.client("sqs", endpoint_url=aws), f"q-{uuid.uuid4().hex[:8]}"
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES})
    attributes = {"VisibilityTimeout": "0", "RedrivePolicy": policy}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    boto3.client("s3", endpoint_url=aws).put_bucket_notification_configuration(
        Bucket=s3.bucket,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
    while listened := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in listened:  # S3's own test event, which `test_a_test_event` sends itself
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return url, dead


@pytest.fixture
def home(tmp_path: Path, s3: S3Place, queues: tuple[str, str]) -> Installation:
    small = open_small(tmp_path / "home")
    settings = replace(small.settings, arrivals_at=s3, queue=queues[0], dead_letters=queues[1])
    return Installation(settings, small.engine)


def put(place: S3Place, key: str, body: bytes = b"x") -> str:
    client = boto3.client("s3", endpoint_url=place.endpoint)
    return client.put_object(Bucket=place.bucket, Key=place.key(key), Body=body)["VersionId"]


def send(home: Installation, body: str, times: int = 1) -> None:
    assert home.settings.queue
    sqs = boto3.client("sqs", endpoint_url="/".join(home.settings.queue.split("/")[:3]))
    for _ in range(times):
        sqs.send_message(QueueUrl=home.settings.queue, MessageBody=body)


def queue_of(home: Installation) -> Queue:
    return open_queue(home.settings.queue or "", home.settings.arrivals)


def noted(home: Installation) -> list[tuple[str, str]]:
    return sorted(inbox.lease(home.engine, "w", 1000).select("object", "version").iter_rows())


def test_what_is_put_is_reported_and_noted_once_by_event_or_listing(home: Installation, s3: S3Place) -> None:
    versions = [("a/c/kommune Ål+1.csv", put(s3, "a/c/kommune Ål+1.csv")), ("a/c/2", put(s3, "a/c/2"))]
    listened = receive_notifications(home)
    assert (listened.new, listened.messages, listened.remaining) == (2, 2, 0)
    assert queue_of(home).count() == 0
    assert reconcile_arrivals(home) == 0, "the event and the listing name the same versions"
    assert noted(home) == sorted(versions)


def test_what_no_event_reported_is_found(home: Installation, s3: S3Place) -> None:
    first = put(s3, "a/c/1", b"first")
    second = put(s3, "a/c/1", b"second")
    put(s3, ".engang-probe/x")
    assert home.settings.queue
    sqs = boto3.client("sqs", endpoint_url=s3.endpoint)
    sqs.purge_queue(QueueUrl=home.settings.queue)
    assert receive_notifications(home).messages == 0
    assert reconcile_arrivals(home) == 2, "what was written over before anybody read it is a delivery too"
    assert noted(home) == sorted([("a/c/1", first), ("a/c/1", second)])


def test_doubled_and_disordered_messages_note_each_version_once(home: Installation, s3: S3Place) -> None:
    version = put(s3, "a/c/1")
    event = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}
    key = s3.key("a/c/1").replace("/", "%2F")
    event_of = {**event, "s3": {"bucket": {"name": s3.bucket}, "object": {"key": key, "versionId": version, "size": 1}}}
    older = {**event, "s3": {"bucket": {"name": s3.bucket}, "object": {"key": key, "versionId": "old", "size": 1}}}
    send(home, json.dumps({"Records": [event_of, older, event_of]}), times=12)
    assert receive_notifications(home).new == 2
    assert queue_of(home).count() == 0
    assert noted(home) == sorted([("a/c/1", version), ("a/c/1", "old")])


def test_a_test_event_is_deleted_and_counted(home: Installation) -> None:
    send(home, json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}))
    assert receive_notifications(home) == (0, 1, 1, 0)
    assert queue_of(home).count() == 0


def test_a_large_object_in_parts_is_noted_once(home: Installation, s3: S3Place) -> None:
    client = boto3.client("s3", endpoint_url=s3.endpoint)
    at = {"Bucket": s3.bucket, "Key": s3.key("a/c/large")}
    upload = client.create_multipart_upload(**at)["UploadId"]
    part = client.upload_part(**at, PartNumber=1, UploadId=upload, Body=b"x" * 100)["ETag"]
    client.complete_multipart_upload(
        **at, UploadId=upload, MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]}
    )
    assert receive_notifications(home).messages >= 1
    reconcile_arrivals(home)
    assert len(noted(home)) == 1


def test_a_message_is_deleted_only_after_the_inbox_has_it(
    home: Installation, s3: S3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3, "a/c/1")

    def refuse(*_: object) -> int:
        raise StoreError("the ledger is away")

    with monkeypatch.context() as broken:
        broken.setattr(inbox, "enqueue", refuse)
        with pytest.raises(StoreError, match="the ledger is away"):
            receive_notifications(home)
    assert queue_of(home).count() == 1
    assert receive_notifications(home).new == 1
    assert queue_of(home).count() == 0


def test_garbage_goes_to_the_dead_letters_and_can_be_redriven(
    home: Installation, s3: S3Place, caplog: pytest.LogCaptureFixture
) -> None:
    send(home, "secret garbage")
    for _ in range(RECEIVES + 1):
        receive_notifications(home, most=1)
    assert "no JSON" in caplog.text
    assert "secret" not in caplog.text
    dead = open_queue(home.settings.dead_letters or "", s3)
    assert dead.dead_letters() == (1, ["no JSON; expected an event of S3"])
    assert dead.dead_letters().messages == 1, "they stay"
    assert dead.redrive(home.settings.queue or "") == 1
    assert dead.count() == 0
    assert queue_of(home).count() == 1


def test_a_queue_without_a_bucket_or_that_is_not_there_says_so(home: Installation, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ENGANG_ARRIVALS"):
        open_queue(home.settings.queue or "", tmp_path)
    with pytest.raises(UsageError, match="expected https://host/account/queue"):
        open_queue("arn:aws:sqs:x", home.settings.arrivals)
    missing = replace(home.settings, queue=f"{home.settings.queue}-gone")
    with pytest.raises(StoreError, match="see that it exists"):
        receive_notifications(Installation(missing, home.engine))
