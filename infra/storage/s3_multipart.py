"""Multipart uploads to S3: a few parts in memory at a time, each with its checksum."""

import base64
import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from infra.storage.store import Content, size_of
from schemas.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_BYTES: Final = 8 * 2**20
MAX_PARTS: Final = 10_000
PARALLEL_PARTS: Final = 4


def put_parts(client: "S3Client", at: dict[str, Any], source: Content, sha256: str | None) -> None:
    """Upload an object in parts, if its key is free when the upload completes; otherwise no part remains.

    Raises botocore's errors, and `StoreError` for bytes of another content hash.
    """
    # The condition is checked when an upload completes, not when it starts: two uploads of one key may run at once, and
    # the first to complete wins. The other is aborted: otherwise its parts would be stored, and paid for, for ever.
    upload = client.create_multipart_upload(**at, ChecksumAlgorithm="SHA256")
    own = {**at, "UploadId": upload["UploadId"]}
    completed = False
    try:
        hashed = hashlib.sha256()
        parts = _send_parts(client, own, source, hashed.update)
        if sha256 not in {None, hashed.hexdigest()}:
            problem = "its bytes changed while they were read; deliver it again when it is complete"
            raise StoreError(f"{at['Key']!r}: {problem}")
        client.complete_multipart_upload(**own, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
        completed = True
    finally:
        if not completed:
            _abort(client, own)


def _abort(client: "S3Client", own: dict[str, Any]) -> None:
    from botocore.exceptions import BotoCoreError, ClientError  # only where S3 is used

    try:
        client.abort_multipart_upload(**own)
    except (BotoCoreError, ClientError):
        return  # the first error is the one to raise; the bucket's lifecycle rule deletes what remains


def _send_parts(
    client: "S3Client", own: dict[str, Any], source: Content, on_piece: Callable[[bytes], None]
) -> "list[CompletedPartTypeDef]":
    def _send(number: int, piece: bytes) -> "CompletedPartTypeDef":
        check = base64.b64encode(hashlib.sha256(piece).digest()).decode()
        sent = client.upload_part(**own, PartNumber=number, Body=piece, ChecksumSHA256=check)
        return {"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": check}

    done: list[CompletedPartTypeDef] = []
    pending: deque[Future[CompletedPartTypeDef]] = deque()
    with ThreadPoolExecutor(PARALLEL_PARTS) as pool:
        for number, piece in enumerate(_pieces(source), 1):
            on_piece(piece)
            pending.append(pool.submit(_send, number, piece))
            if len(pending) >= PARALLEL_PARTS:
                done.append(pending.popleft().result())
        done += [future.result() for future in pending]
    return done


def _pieces(source: Content) -> Iterator[bytes]:
    length = max(PART_BYTES, -(-size_of(source) // MAX_PARTS))
    if isinstance(source, bytes):
        yield from (source[start : start + length] for start in range(0, len(source), length))
        return
    with source.open("rb") as file:
        while piece := file.read(length):
            yield piece
