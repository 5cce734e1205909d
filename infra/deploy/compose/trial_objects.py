"""Create the missing buckets and queues of a trial installation; standard library only.

Takes the endpoint of an S3 and SQS server that checks no signatures (moto) and prints the queues' URLs. It creates what
terraform/ creates in production: versioned buckets, notifications of arrivals to a queue, and a dead-letter queue.
"""

import json
import sys
import time
from http import HTTPStatus
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

REGION: Final = "eu-north-1"
ACCOUNT: Final = "123456789012"
SIGNED: Final = "AWS4-HMAC-SHA256 Credential=trial/20260101/{region}/{service}/aws4_request"
BUCKETS: Final = ("engang-arrivals", "engang-landing", "engang-lake")
QUEUE, DEAD = "engang-arrivals", "engang-arrivals-dead"
VERSIONED: Final = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
NOTIFICATIONS: Final = (
    "<NotificationConfiguration><QueueConfiguration><Queue>{arn}</Queue>"
    "<Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"
)


def main(endpoint: str) -> None:
    """Create what is missing. Safe to repeat."""
    _await(endpoint)
    dead = _queue(endpoint, DEAD, {})
    policy = {"deadLetterTargetArn": _arn(DEAD), "maxReceiveCount": 5}
    queue = _queue(endpoint, QUEUE, {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "120"})
    location = f"<LocationConstraint>{REGION}</LocationConstraint>"
    for bucket in BUCKETS:
        _put(f"{endpoint}/{bucket}", f"<CreateBucketConfiguration>{location}</CreateBucketConfiguration>")
        _put(f"{endpoint}/{bucket}?versioning", VERSIONED)
    _put(f"{endpoint}/{BUCKETS[0]}?notification", NOTIFICATIONS.format(arn=_arn(QUEUE)))
    sys.stdout.write(f"ENGANG_QUEUE={queue}\nENGANG_DEAD_LETTERS={dead}\n")


def _await(endpoint: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            _send(Request(endpoint, headers=_headers("s3", "application/xml")))
        except URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def _arn(queue: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"


def _queue(endpoint: str, name: str, attributes: dict[str, str]) -> str:
    fields = {"Action": "CreateQueue", "Version": "2012-11-05", "QueueName": name}
    for number, (key, value) in enumerate(attributes.items(), 1):
        fields |= {f"Attribute.{number}.Name": key, f"Attribute.{number}.Value": value}
    form = urlencode(fields, quote_via=quote).encode()
    headers = _headers("sqs", "application/x-www-form-urlencoded")
    _send(Request(endpoint, form, headers))
    return f"{endpoint}/{ACCOUNT}/{name}"


def _put(url: str, body: str) -> None:
    headers = _headers("s3", "application/xml")
    _send(Request(url, body.encode(), headers, method="PUT"))


def _headers(service: str, content: str) -> dict[str, str]:
    return {"Authorization": SIGNED.format(region=REGION, service=service), "Content-Type": content}


def _send(request: Request) -> None:
    try:
        urlopen(request, timeout=30).close()
    except HTTPError as error:
        if error.code != HTTPStatus.CONFLICT:  # it exists already
            raise


if __name__ == "__main__":
    main(*sys.argv[1:])
