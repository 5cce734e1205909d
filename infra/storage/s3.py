"""A store in an S3 bucket: objects are written with `If-None-Match: *`, so the bucket decides which writer was first.

An upload carries its SHA-256, which the bucket verifies; a download is compared with the checksum that the bucket
reports. An ETag serves as version where the bucket keeps no versions, never as content hash.
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
from infra.storage.store import (
    ETAG_VERSION,
    PIECE_BYTES,
    PROBE_PREFIX,
    Content,
    StoredObject,
    bytes_of,
    content_hash,
    size_of,
)
from schemas.errors import StoreError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

MULTIPART_BYTES: Final = 64 * 2**20
"""An object of more bytes is uploaded in parts."""
S3_ATTEMPTS: Final = 5
"""How often a broken download is resumed, and a write that conflicted with another one is repeated."""
MISSING_CODES: Final = {"404", "NoSuchKey", "NoSuchVersion"}
EXISTS_CODES: Final = {"412", "PreconditionFailed"}
CONFLICT_CODES: Final = {"409", "ConditionalRequestConflict", "OperationAborted"}
ADVICE: Final = {
    "NoSuchBucket": "there is no such bucket; create it, or name another",
    "AccessDenied": "access is denied; give this role the right to do it",
    "403": "access is denied; give this role the right to do it",
    "404": "it does not exist; restore it from an older version, or deliver it again",
    "NoSuchKey": "it does not exist; restore it from an older version, or deliver it again",
    "NoSuchVersion": "that version does not exist; restore it, or deliver it again",
    "412": "it has changed since it was found; its new version will be read",
    "PreconditionFailed": "it has changed since it was found; its new version will be read",
    "InvalidAccessKeyId": "the service does not know the credentials; renew them",
    "SignatureDoesNotMatch": "the credentials are wrong; renew them",
    "ExpiredToken": "the credentials have expired; renew them",
    "NotImplemented": "the store does not support it; use one with conditional writes",
}


class S3Store:
    """The store in a bucket; a version is the bucket's own, or `etag:<etag>` where it keeps none."""

    def __init__(self, place: S3Place) -> None:
        """Take the place, without connecting to it."""
        self.place = place

    @property
    def client(self) -> "S3Client":
        """The client, one per process and endpoint: retries with back-off, thread-safe."""
        return _client(self.place.endpoint, os.getpid())

    @cached_property
    def versioned(self) -> bool:
        """Whether the bucket keeps versions."""
        with self._store_errors("versioning"):
            return self.client.get_bucket_versioning(Bucket=self.place.bucket).get("Status") == "Enabled"

    def put_once(self, key: str, source: Content, sha256: str | None = None) -> bool:
        """Store the bytes unless the key exists; large content in parts, of which none remains after a failure."""
        from infra.storage.s3_multipart import put_parts  # most deliveries are small

        with self._store_errors(key):
            if size_of(source) <= MULTIPART_BYTES:
                return self._put(key, bytes_of(source), sha256)
            if self._exists(key):
                return False
            for retries in reversed(range(S3_ATTEMPTS)):
                with self._lost_race(retries) as lost:
                    put_parts(self.client, {"Bucket": self.place.bucket, "Key": self.place.key(key)}, source, sha256)
                if not lost:
                    return True
                if lost[0] in EXISTS_CODES or self._exists(key):
                    return False
        raise StoreError(f"{self.place}: {key!r} is written by others again and again; try again later")

    def replace(self, key: str, file: Path) -> None:
        """Store a file, in parts if it is large, in place of what the key has: for what may be made again."""
        with self._store_errors(key):
            self.client.upload_file(str(file), self.place.bucket, self.place.key(key))

    def copy(self, key: str, to: str) -> None:
        """Copy an object inside the bucket, in place of what the other key has."""
        with self._store_errors(key):
            source = {"Bucket": self.place.bucket, "Key": self.place.key(key)}
            self.client.copy(source, self.place.bucket, self.place.key(to))  # type: ignore[arg-type]

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

    def delete(self, key: str) -> None:
        """Delete an object and all its versions; a missing one is no error."""
        with self._store_errors(key):
            if not self.versioned:
                self.client.delete_object(**self._at(key))
                return
            for page in self.client.get_paginator("list_object_versions").paginate(**self._at(key, "Prefix")):
                for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    if each["Key"] == self.place.key(key):
                        self.client.delete_object(**self._at(key), VersionId=each["VersionId"])

    def listing(self, prefix: str = "", *, overwritten: bool = False) -> Iterator[StoredObject]:
        """Yield the newest version of every object whose key has the prefix, or every version, page by page."""
        place_prefix = self.place.key("")
        query: dict[str, Any] = {"Bucket": self.place.bucket, "Prefix": f"{place_prefix}{prefix}"}
        with self._store_errors(prefix):
            for each in self._versions(query, overwritten=overwritten) if self.versioned else self._objects(query):
                key = each["Key"].removeprefix(place_prefix)
                if not key.startswith(PROBE_PREFIX):
                    version = each.get("VersionId") or ETAG_VERSION + each["ETag"].strip('"')
                    yield StoredObject(key, version, each["Size"], each["LastModified"])

    def version_of(self, key: str, etag: str) -> str | None:
        """Return the version of an object's newest bytes, None if they have another ETag or the object is missing."""
        from botocore.exceptions import ClientError  # only where S3 is used

        with self._store_errors(key):
            try:
                return self.client.head_object(**self._at(key), IfMatch=f'"{etag}"').get("VersionId")
            except ClientError as error:
                if _code(error) in MISSING_CODES | EXISTS_CODES:
                    return None
                raise

    def probe(self, *, writes: bool = True) -> None:
        """Raise `StoreError` if the bucket cannot be listed or, with `writes`, lacks a guarantee that Engang needs."""
        if not writes:
            next(self.listing(PROBE_PREFIX + "-"), None)
            return
        key = f"{PROBE_PREFIX}{uuid.uuid4().hex}"
        try:
            self._put(key, b"first", None)
            if self._put(key, b"second", None):
                self._raise_ignored("If-None-Match: * (a conditional write: it overwrote an object that was there)")
            if self.get(key) != b"first":
                self._raise_ignored("its own answers (an object that was just written reads as something else)")
            if not any(each["Key"] == self.place.key(key) for each in self._objects(self._at(key, "Prefix"))):
                self._raise_ignored("a write when it lists (an object that was just written is not listed)")
        finally:
            with suppress(StoreError), self._store_errors(key):  # the role may lack the right, and no listing shows it
                self.client.delete_object(**self._at(key))

    def _put(self, key: str, data: bytes, sha256: str | None) -> bool:
        """Put bytes with one request, unless the key exists; return whether it was free."""
        digest = content_hash(data)
        if sha256 not in {None, digest}:
            raise StoreError(f"{key!r}: its bytes changed while they were read; deliver it again when it is complete")
        checksum: Any = {
            "ChecksumAlgorithm": "SHA256",
            "ChecksumSHA256": base64.b64encode(bytes.fromhex(digest)).decode(),
        }
        # `If-None-Match: *` lets one of several concurrent writers win. The others get 412 if the winner is stored, and
        # 409 while the writes still compete: nobody has won then, so the request is repeated.
        for retries in reversed(range(S3_ATTEMPTS)):
            with self._store_errors(key), self._lost_race(retries) as lost:
                self.client.put_object(**self._at(key), Body=data, IfNoneMatch="*", **checksum)
            if not lost:
                return True
            if lost[0] in EXISTS_CODES:
                return False
        raise StoreError(f"{self.place}: {key!r} is written by others again and again; try again later")

    def _pieces(self, key: str, version: str | None) -> Iterator[bytes]:
        """Yield an object's bytes; a download that breaks off is resumed, and only with the same object."""
        hashed, done = hashlib.sha256(), 0
        first: GetObjectOutputTypeDef | None = None
        for retries in reversed(range(S3_ATTEMPTS)):
            response = self._get(key, version, first["ETag"] if first else None, done)
            first = first or response
            with self._broken_off(key, retries) as broken:
                for piece in response["Body"].iter_chunks(PIECE_BYTES):
                    hashed.update(piece)
                    done += len(piece)
                    yield piece
            if not broken:
                break
        if first is not None:
            checksum = first.get("ChecksumSHA256", "-")
            of_whole = "-" not in checksum  # a checksum with "-" is one of the parts' checksums
            digest = base64.b64encode(hashed.digest()).decode()
            if first["ContentLength"] != done or (of_whole and checksum != digest):
                self._raise_altered(key)

    def _get(self, key: str, version: str | None, etag: str | None, start: int) -> "GetObjectOutputTypeDef":
        request = self._at(key)
        if version is not None and not version.startswith(ETAG_VERSION):
            request["VersionId"] = version
        elif version is not None:
            etag = f'"{version.removeprefix(ETAG_VERSION)}"'
        if etag is not None:
            request["IfMatch"] = etag
        if start:
            request["Range"] = f"bytes={start}-"
        with self._store_errors(key):
            return self.client.get_object(**request, ChecksumMode="ENABLED")

    @contextmanager
    def _broken_off(self, key: str, retries: int) -> Iterator[list[bool]]:
        """Give a list that is not empty if the download in the block breaks off and, with retries left, may resume."""
        from botocore import exceptions as e  # only where S3 is used

        broken: list[bool] = []
        try:
            yield broken
        except e.FlexibleChecksumError as error:
            self._raise_altered(key, error)
        except (e.ReadTimeoutError, e.ResponseStreamingError, e.IncompleteReadError, ConnectionError) as error:
            if not retries:
                raise StoreError(f"{self.place}: {key!r} breaks off again and again; try again later") from error
            broken.append(True)

    def _versions(self, query: dict[str, Any], *, overwritten: bool) -> Iterator[Any]:
        for page in self.client.get_paginator("list_object_versions").paginate(**query):
            yield from (each for each in page.get("Versions", ()) if overwritten or each["IsLatest"])

    def _objects(self, query: dict[str, Any]) -> Iterator[Any]:
        for page in self.client.get_paginator("list_objects_v2").paginate(**query):
            yield from page.get("Contents", ())

    def _exists(self, key: str) -> bool:
        from botocore.exceptions import ClientError  # only where S3 is used

        try:
            self.client.head_object(**self._at(key))
        except ClientError as error:
            if _code(error) in {*MISSING_CODES, "403"}:  # without the right to list, a missing key answers 403
                return False
            raise
        return True

    def _at(self, key: str, name: str = "Key") -> dict[str, Any]:
        return {"Bucket": self.place.bucket, name: self.place.key(key)}

    @contextmanager
    def _lost_race(self, retries: int) -> Iterator[list[str]]:
        """Give a list that gets the bucket's code if the key exists or, with retries left, another write conflicts."""
        from botocore.exceptions import ClientError  # only where S3 is used

        lost: list[str] = []
        try:
            yield lost
        except ClientError as error:
            if _code(error) not in EXISTS_CODES and not (_code(error) in CONFLICT_CODES and retries):
                raise
            lost.append(_code(error))

    @contextmanager
    def _store_errors(self, what: str) -> Iterator[None]:
        """Turn the errors of S3 and of the network into `StoreError`; `what` is the key, or what was asked."""
        from botocore.exceptions import (  # only where S3 is used
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
            answer = f"the store answered {_code(error)} to {error.operation_name}; try again later"
            raise StoreError(f"{self.place}: {what!r}: {ADVICE.get(_code(error), answer)}") from error
        except BotoCoreError as error:
            problem = (
                f"cannot be reached ({type(error).__name__}); check the network, ENGANG_S3_ENDPOINT and AWS_REGION"
            )
            raise StoreError(f"{self.place}: {what!r}: {problem}") from error

    def _raise_ignored(self, what: str) -> NoReturn:
        raise StoreError(f"{self.place}: this store ignores {what}; no data is safe there: use a store that honours it")

    def _raise_altered(self, key: str, error: Exception | None = None) -> NoReturn:
        raise StoreError(f"{self.place}: {key!r} arrived with other bytes than its checksum says; try again") from error


def _code(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Code", "?"))


@lru_cache
def _client(endpoint: str | None, _process: int) -> "S3Client":
    """Return the client of this process: a connection cannot be shared with a forked process."""
    import boto3  # only where S3 is used
    from botocore.config import Config

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
