"""A store in an S3 bucket: an object is written with `If-None-Match: *`, so the bucket decides who came first.

What goes up carries its SHA-256, which the bucket compares; what comes down is compared with the checksum that the
bucket tells. An ETag is used as a version where the bucket keeps none, never as a content hash.
"""

import base64
import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from infra.storage.places import S3Place
from infra.storage.store import PIECE, PROBES, Content, Found, bytes_of, content_hash, size_of
from schemas.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

LARGE: Final = 64 * 2**20
"""Above so many bytes an object goes up in parts."""
TRIES: Final = 5
"""How often a broken download is gone on with, and a write that met another at the same moment is tried again."""
ABSENT: Final = {"404", "NoSuchKey", "NoSuchVersion"}
TAKEN: Final = {"412", "PreconditionFailed"}
MEETING: Final = {"409", "ConditionalRequestConflict", "OperationAborted"}
ETAG: Final = "etag:"
ADVICE: Final = {
    "NoSuchBucket": "there is no such bucket; make it, or name another",
    "AccessDenied": "access is denied; give this role the right to do it",
    "403": "access is denied; give this role the right to do it",
    "404": "it is not there; restore it from an older version, or deliver it again",
    "NoSuchKey": "it is not there; restore it from an older version, or deliver it again",
    "NoSuchVersion": "that version is not there; restore it, or deliver it again",
    "412": "it has changed since it was found; it is read as its new version",
    "PreconditionFailed": "it has changed since it was found; it is read as its new version",
    "InvalidAccessKeyId": "the credentials are not known there; renew them",
    "SignatureDoesNotMatch": "the credentials are wrong; renew them",
    "ExpiredToken": "the credentials have expired; renew them",
    "NotImplemented": "the store cannot do it; use one that does conditional writes",
}


class S3Store:
    """The store in a bucket; a version is the bucket's own, or `etag:<etag>` where it keeps none."""

    def __init__(self, place: S3Place) -> None:
        """Take the place; nothing is asked of it yet."""
        self.place = place

    @property
    def client(self) -> "S3Client":
        """The client: one a process and endpoint, tries again with back-off, safe in threads."""
        return _client(self.place.endpoint, os.getpid())

    @cached_property
    def versioned(self) -> bool:
        """Whether the bucket keeps versions."""
        with self._told("versioning"):
            return self.client.get_bucket_versioning(Bucket=self.place.bucket).get("Status") == "Enabled"

    def put_once(self, key: str, source: Content, sha256: str | None = None) -> bool:
        """Keep the bytes unless the key is taken; large ones in parts, of which none is left if it fails."""
        from infra.storage.s3_multipart import put_parts  # noqa: PLC0415  most deliveries are small

        with self._told(key):
            if size_of(source) <= LARGE:
                return self._put(key, bytes_of(source), sha256)
            if self._there(key):
                return False
            for left in reversed(range(TRIES)):
                with self._lost_race(left) as lost:
                    put_parts(self.client, {"Bucket": self.place.bucket, "Key": self.place.key(key)}, source, sha256)
                if not lost:
                    return True
                if lost[0] in TAKEN or self._there(key):
                    return False
        raise StoreError(f"{self.place}: {key!r} was written by others again and again; do it again later")

    def get(self, key: str, version: str | None = None) -> bytes:
        """Return an object's bytes."""
        return b"".join(self._pieces(key, version))

    def fetch(self, key: str, to: Path, version: str | None = None) -> str:
        """Stream an object to a file; return its SHA-256."""
        hashed = hashlib.sha256()
        with to.open("wb") as file:
            for piece in self._pieces(key, version):
                hashed.update(piece)
                file.write(piece)
        return hashed.hexdigest()

    def listing(self, prefix: str = "", *, overwritten: bool = False) -> Iterator[Found]:
        """Yield the newest version of every object whose key begins so, or every version, page by page."""
        own = self.place.key("")
        told: dict[str, Any] = {"Bucket": self.place.bucket, "Prefix": f"{own}{prefix}"}
        with self._told(prefix):
            for each in self._versions(told, overwritten) if self.versioned else self._objects(told):
                key = each["Key"].removeprefix(own)
                if not key.startswith(PROBES):
                    version = each.get("VersionId") or ETAG + each["ETag"].strip('"')
                    yield Found(key, version, each["Size"], each["LastModified"])

    def version_of(self, key: str, etag: str) -> str | None:
        """Return the bucket's name of the newest version of an object, None if that has another ETag or is gone."""
        from botocore.exceptions import ClientError  # noqa: PLC0415  only where S3 is used

        with self._told(key):
            try:
                return self.client.head_object(**self._at(key), IfMatch=f'"{etag}"').get("VersionId")
            except ClientError as error:
                if _code(error) in ABSENT | TAKEN:
                    return None
                raise

    def probe(self, *, writes: bool = True) -> None:
        """Raise `StoreError` if the bucket cannot be listed or, with `writes`, ignores what publishing relies on."""
        if not writes:
            next(self.listing(PROBES + "-"), None)
            return
        key = f"{PROBES}{uuid.uuid4().hex}"
        try:
            self._put(key, b"first", None)
            if self._put(key, b"second", None):
                self._ignores("If-None-Match: * (a conditional write: it overwrote an object that was there)")
            if self.get(key) != b"first":
                self._ignores("its own answers (an object that was just written reads as something else)")
            if not any(each["Key"] == self.place.key(key) for each in self._objects(self._at(key, "Prefix"))):
                self._ignores("a write when it lists (an object that was just written is not listed)")
        finally:
            with suppress(StoreError), self._told(key):  # it may not be allowed, and no listing shows it
                self.client.delete_object(**self._at(key))

    def _put(self, key: str, data: bytes, sha256: str | None) -> bool:
        """Put bytes with one request; where another writes the key at this moment, see who came first."""
        found = content_hash(data)
        if sha256 not in {None, found}:
            raise StoreError(f"{key!r}: its bytes changed while they were read; deliver it again when it is whole")
        told = base64.b64encode(bytes.fromhex(found)).decode()
        check: Any = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": told}
        for left in reversed(range(TRIES)):
            with self._told(key), self._lost_race(left) as lost:
                self.client.put_object(**self._at(key), Body=data, IfNoneMatch="*", **check)
            if not lost:
                return True
            if lost[0] in TAKEN:
                return False
        raise StoreError(f"{self.place}: {key!r} was written by others again and again; do it again later")

    def _pieces(self, key: str, version: str | None) -> Iterator[bytes]:
        """Yield an object's bytes; a download that breaks off goes on where it was, with the same object."""
        hashed, done = hashlib.sha256(), 0
        first: GetObjectOutputTypeDef | None = None
        for left in reversed(range(TRIES)):
            answer = self._get(key, version, first["ETag"] if first else None, done)
            first = first or answer
            with self._broken_off(key, left) as broken:
                for piece in answer["Body"].iter_chunks(PIECE):
                    hashed.update(piece)
                    done += len(piece)
                    yield piece
            if not broken:
                break
        if first is not None:
            told = first.get("ChecksumSHA256", "-")
            known = "-" not in told  # else it is one of checksums, of parts
            if first["ContentLength"] != done or (known and told != base64.b64encode(hashed.digest()).decode()):
                self._altered(key)

    def _get(self, key: str, version: str | None, etag: str | None, start: int) -> "GetObjectOutputTypeDef":
        told = self._at(key)
        if version is not None and not version.startswith(ETAG):
            told["VersionId"] = version
        elif version is not None:
            etag = f'"{version.removeprefix(ETAG)}"'
        if etag is not None:
            told["IfMatch"] = etag
        if start:
            told["Range"] = f"bytes={start}-"
        with self._told(key):
            return self.client.get_object(**told, ChecksumMode="ENABLED")

    @contextmanager
    def _broken_off(self, key: str, left: int) -> Iterator[list[bool]]:
        """Give a list that is not empty if what is read within breaks off and, with tries left, may go on."""
        from botocore import exceptions as e  # noqa: PLC0415  only where S3 is used

        broken: list[bool] = []
        try:
            yield broken
        except e.FlexibleChecksumError as error:
            self._altered(key, error)
        except (e.ReadTimeoutError, e.ResponseStreamingError, e.IncompleteReadError, ConnectionError) as error:
            if not left:
                raise StoreError(f"{self.place}: {key!r} breaks off again and again; do it again later") from error
            broken.append(True)

    def _versions(self, told: dict[str, Any], overwritten: bool) -> Iterator[Any]:  # noqa: FBT001  told by `listing`
        for page in self.client.get_paginator("list_object_versions").paginate(**told):
            yield from (each for each in page.get("Versions", ()) if overwritten or each["IsLatest"])

    def _objects(self, told: dict[str, Any]) -> Iterator[Any]:
        for page in self.client.get_paginator("list_objects_v2").paginate(**told):
            yield from page.get("Contents", ())

    def _there(self, key: str) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415  only where S3 is used

        try:
            self.client.head_object(**self._at(key))
        except ClientError as error:
            if _code(error) in {*ABSENT, "403"}:  # who may not list is told 403 of what is not there
                return False
            raise
        return True

    def _at(self, key: str, name: str = "Key") -> dict[str, Any]:
        return {"Bucket": self.place.bucket, name: self.place.key(key)}

    @contextmanager
    def _lost_race(self, left: int) -> Iterator[list[str]]:
        """Give a list that holds the bucket's answer, if it is that the key is taken or, with tries left, contested."""
        from botocore.exceptions import ClientError  # noqa: PLC0415  only where S3 is used

        lost: list[str] = []
        try:
            yield lost
        except ClientError as error:
            if _code(error) not in TAKEN and not (_code(error) in MEETING and left):
                raise
            lost.append(_code(error))

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn what S3 and the way there raise into `StoreError`."""
        from botocore.exceptions import (  # noqa: PLC0415  only where S3 is used
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            PartialCredentialsError,
        )

        try:
            yield
        except (NoCredentialsError, PartialCredentialsError) as error:
            hint = "no credentials are found; give this process a role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            raise StoreError(f"{self.place}: {what!r}: {hint}") from error
        except ClientError as error:
            said = ADVICE.get(_code(error), f"the store answered {_code(error)} to {error.operation_name}; try later")
            raise StoreError(f"{self.place}: {what!r}: {said}") from error
        except BotoCoreError as error:
            told = f"cannot be reached ({type(error).__name__}); see to the network, ENGANG_S3_ENDPOINT and AWS_REGION"
            raise StoreError(f"{self.place}: {what!r}: {told}") from error

    def _ignores(self, what: str) -> NoReturn:
        raise StoreError(f"{self.place}: this store ignores {what}; nothing may be kept there: use one that heeds it")

    def _altered(self, key: str, error: Exception | None = None) -> NoReturn:
        raise StoreError(f"{self.place}: {key!r} came as other bytes than its checksum tells; do it again") from error


def _code(error: Any) -> str:  # noqa: ANN401  botocore's ClientError, which is imported only where S3 is used
    return str(error.response.get("Error", {}).get("Code", "?"))


@lru_cache
def _client(endpoint: str | None, _process: int) -> "S3Client":
    """Return the client of this process: a connection is not shared with a forked one."""
    import boto3  # noqa: PLC0415  only where S3 is used
    from botocore.config import Config  # noqa: PLC0415  same

    config = Config(
        retries={"mode": "adaptive", "total_max_attempts": 8},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=16,
        s3={"addressing_style": "path" if endpoint else "auto"},
        request_checksum_calculation="when_supported",
        response_checksum_validation="when_supported",
    )
    return boto3.Session().client("s3", endpoint_url=endpoint, config=config)
