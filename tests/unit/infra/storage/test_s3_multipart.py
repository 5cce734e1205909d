"""The parts of a large upload: all bytes in order, few enough for S3, each large enough."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.storage import s3_multipart


@given(st.binary(max_size=60), st.integers(1, 12), st.integers(1, 9))
def test_parts_are_the_content_in_order_and_no_more_than_allowed(data: bytes, part: int, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3_multipart, "PART_BYTES", part)
        patch.setattr(s3_multipart, "MAX_PARTS", most)
        pieces = list(s3_multipart._pieces(data))  # noqa: SLF001
    assert b"".join(pieces) == data
    assert len(pieces) <= most
    assert all(pieces), "no part is empty"
    assert all(len(piece) >= part for piece in pieces[:-1])
    assert len({len(piece) for piece in pieces[:-1]}) <= 1, "all but the last are as large"


def test_a_file_has_the_same_parts_as_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_multipart, "PART_BYTES", 7)
    for size in (0, 6, 7, 8, 50):
        file, data = tmp_path / "f", bytes(range(size))
        file.write_bytes(data)
        assert list(s3_multipart._pieces(file)) == list(s3_multipart._pieces(data))  # noqa: SLF001
