"""Messages of a queue, every shape of them, and the names of arrived objects."""

import json
from typing import Any

import pytest

from infra.inbox.messages import read_message
from infra.inbox.object_keys import is_arrival, read_key, sender_of
from infra.storage.places import S3Place
from schemas.errors import UnreadableMessageError, UsageError

PLACE = S3Place("bucket", "in")


def record(key: str = "in/a/c/f.csv", event: str = "ObjectCreated:Put", **fields: object) -> dict[str, Any]:
    found = {"key": key, "size": 12, "eTag": "e1", **fields}
    return {"eventSource": "aws:s3", "eventName": event, "s3": {"bucket": {"name": "bucket"}, "object": found}}


def s3_event(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": list(records)})


def sns(body: str) -> str:
    return json.dumps({"Type": "Notification", "MessageId": "m", "TopicArn": "arn", "Message": body})


def bridged(detail_type: str = "Object Created", **fields: object) -> str:
    found = {"key": "in/a/c/f g+h.csv", "size": 12, "etag": "e1", **fields}
    detail = {"bucket": {"name": "bucket"}, "object": found}
    return json.dumps({"source": "aws.s3", "detail-type": detail_type, "detail": detail})


def noticed(body: str) -> list[tuple[Any, ...]]:
    rows = read_message(body, PLACE).objects
    return [(row["object"], row["version"], row["sender"], row["bytes"]) for row in rows]


@pytest.mark.parametrize("wrap", [str, sns], ids=["raw", "sns"])
def test_an_event_names_object_version_sender_and_size(wrap: Any) -> None:
    assert noticed(wrap(s3_event(record(versionId="v7")))) == [("a/c/f.csv", "v7", "a", 12)]
    assert noticed(wrap(s3_event(record()))) == [("a/c/f.csv", "etag:e1", "a", 12)]
    assert noticed(wrap(s3_event(record(versionId="null")))) == [("a/c/f.csv", "etag:e1", "a", 12)]


def test_event_bridge_does_not_quote_keys() -> None:
    assert noticed(bridged(**{"version-id": "v1"})) == [("a/c/f g+h.csv", "v1", "a", 12)]
    assert noticed(bridged("Object Deleted")) == []


@pytest.mark.parametrize(
    ("quoted", "key"),
    [
        ("in/a/c/f+g%2Bh.csv", "a/c/f g+h.csv"),
        ("in%2Fa%2Fc%2Fperiod%3D2024%2Fkommune+%C3%85l.csv", "a/c/period=2024/kommune Ål.csv"),
        ("in/a/c/100%25.csv", "a/c/100%.csv"),
    ],
)
def test_quoted_keys(quoted: str, key: str) -> None:
    ((found, *_),) = noticed(s3_event(record(quoted)))
    assert found == key
    assert read_key(found).sender == "a"


@pytest.mark.parametrize(("size", "known"), [(0, 0), (2**63 - 1, 2**63 - 1), (2**63, None), (-1, None), ("12", None)])
def test_a_size_that_no_column_holds_is_unknown(size: object, known: int | None) -> None:
    assert noticed(s3_event(record(size=size))) == [("a/c/f.csv", "etag:e1", "a", known)]


def test_quotes_are_no_part_of_an_etag() -> None:
    assert noticed(s3_event(record(eTag='"e1"'))) == [("a/c/f.csv", "etag:e1", "a", 12)]


@pytest.mark.parametrize("name", ["Type", "SubscribeURL"])
def test_only_an_unconfirmed_subscription_is_no_event(name: str) -> None:
    event = json.loads(s3_event(record()))
    assert len(noticed(json.dumps({**event, name: "x"}))) == 1


@pytest.mark.parametrize(("key", "sender"), [("a/f", "a"), ("a/", "a"), ("a", "?"), ("/f", "?"), ("A/f", "?")])
def test_a_sender_is_the_first_folder(key: str, sender: str) -> None:
    assert sender_of(key) == sender


def test_several_records_are_all_reported() -> None:
    body = s3_event(record("in/a/c/1"), record("in/a/c/2"), record("in/a/c/1", "ObjectRemoved:Delete"))
    assert [key for key, *_ in noticed(body)] == ["a/c/1", "a/c/2"]


def test_what_arrived_elsewhere_or_is_hidden_is_not_reported() -> None:
    keys = ["other/a/c/1", "in/a/c/.hidden", "in/a/.hidden/1", "in/a/c/x.partial", "in/a/c/"]
    assert noticed(s3_event(*(record(key, size=0) for key in keys))) == []


def test_a_test_event_is_known() -> None:
    body = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "bucket"})
    assert read_message(body, PLACE).test
    assert not read_message(s3_event(record()), PLACE).test
    assert read_message(sns(body), PLACE).test


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", "no JSON"),
        ("[1]", "no JSON object"),
        ("{}", "it lacks 'Records'"),
        ('{"Records": [{}]}', "it lacks 'eventSource'"),
        ('{"Records": 7}', "no event of S3"),
        (s3_event({**record(), "eventSource": "aws:ses"}), "another service"),
        (bridged().replace("aws.s3", "aws.ses"), "another service"),
        (s3_event(record(eTag=None)), "neither version nor ETag"),
        (s3_event(record()).replace('"bucket"}', '"stranger"}'), "another bucket"),
        (json.dumps({"Type": "SubscriptionConfirmation", "SubscribeURL": "https://x"}), "confirm"),
        (sns("garbage"), "no JSON"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_event_says_what_it_is_and_nothing_of_its_content(body: str, expected: str) -> None:
    with pytest.raises(UnreadableMessageError, match=expected):
        read_message(body, PLACE)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a/c/f.csv", ("a", "c", None, "f.csv")),
        ("a/c/period=2024-01/f.csv", ("a", "c", "2024-01", "f.csv")),
        ("a/c/period=2024%2FQ1/f.csv", ("a", "c", "2024/Q1", "f.csv")),
        ("a/c/period=2024", ("a", "c", None, "period=2024")),
    ],
)
def test_a_key_says_who_delivers_what(key: str, expected: tuple[object, ...]) -> None:
    assert tuple(read_key(key)) == expected


@pytest.mark.parametrize("key", ["f.csv", "a/f.csv", "A/c/f.csv", "a/C c/f.csv", "a/c/d/f.csv", "a/c/period=/f.csv",
                                 "a//f", "a/c/period=1/d/f", "a/c/\ufffd.csv"])  # fmt: skip
def test_another_key_is_answered_with_the_form(key: str) -> None:
    with pytest.raises(UsageError, match="<sender>/<contract>"):
        read_key(key)
    row = read_message(s3_event(record(f"in/{key}")), PLACE).objects[0]
    assert "<sender>/<contract>" in row["reason"]


def test_what_no_database_takes_is_kept_and_parked() -> None:
    body = s3_event(record("in/a/c/x%00y", versionId="v"), record("in/a/c/\ud800", size=2**70))
    rows = read_message(body, PLACE).objects
    assert [(row["object"], row["bytes"]) for row in rows] == [("a/c/x\ufffdy", 12), ("a/c/\ufffd", None)]
    assert all("no UTF-8" in row["reason"] for row in rows)


def test_an_empty_file_is_a_delivery_and_an_empty_folder_is_none() -> None:
    assert is_arrival("a/c/f.csv", 0)
    assert not is_arrival("a/c/", 0)
    assert not is_arrival("", 0)
