"""A large object on its way to S3, in parts: a few in memory at a time, each with its checksum."""

import base64
import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from infra.storage.store import Content, size_of
from schemas.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART: Final = 8 * 2**20
MOST_PARTS: Final = 10_000
AT_ONCE: Final = 4
"""How many parts are under way at a time."""


def put_parts(client: "S3Client", at: dict[str, Any], source: Content, sha256: str | None) -> None:
    """Put an object in parts, if its key is free when it is whole; else nothing of it is left.

    Raises botocore's errors, and `StoreError` for bytes of another content hash.
    """
    upload = client.create_multipart_upload(**at, ChecksumAlgorithm="SHA256")
    own = {**at, "UploadId": upload["UploadId"]}
    whole = False
    try:
        hashed = hashlib.sha256()
        parts = _send(client, own, source, hashed)
        if sha256 not in {None, hashed.hexdigest()}:
            told = "its bytes changed while they were read; deliver it again when it is whole"
            raise StoreError(f"{at['Key']!r}: {told}")
        client.complete_multipart_upload(**own, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
        whole = True
    finally:
        if not whole:
            _abort(client, own)


def _abort(client: "S3Client", own: dict[str, Any]) -> None:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  only where S3 is used

    try:
        client.abort_multipart_upload(**own)
    except (BotoCoreError, ClientError):
        return  # why it failed is what is told; the bucket's lifecycle rule clears what is left


def _send(client: "S3Client", own: dict[str, Any], source: Content, hashed: Any) -> "list[CompletedPartTypeDef]":  # noqa: ANN401  hashlib names no type
    def _send(number: int, piece: bytes) -> "CompletedPartTypeDef":
        check = base64.b64encode(hashlib.sha256(piece).digest()).decode()
        sent = client.upload_part(**own, PartNumber=number, Body=piece, ChecksumSHA256=check)
        return {"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": check}

    done: list[CompletedPartTypeDef] = []
    under_way: deque[Future[CompletedPartTypeDef]] = deque()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number, piece in enumerate(_pieces(source), 1):
            hashed.update(piece)
            under_way.append(pool.submit(_send, number, piece))
            if len(under_way) >= AT_ONCE:
                done.append(under_way.popleft().result())
        done += [future.result() for future in under_way]
    return done


def _pieces(source: Content) -> Iterator[bytes]:
    length = max(PART, -(-size_of(source) // MOST_PARTS))
    if isinstance(source, bytes):
        yield from (source[start : start + length] for start in range(0, len(source), length))
        return
    with source.open("rb") as file:
        while piece := file.read(length):
            yield piece
