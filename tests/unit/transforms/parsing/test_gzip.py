"""Gzipped deliveries: read as what they hold, bounded, and what is wrong with them is said."""

import gzip
from pathlib import Path

import pytest

from flows.intake.archives import read_files
from flows.intake.deliveries import BATCH_BYTES, Delivery, batches
from infra.settings import read_settings
from schemas.contract import read_contract
from schemas.errors import SubmissionError, UsageError
from transforms.parsing.gzip import likely_size, size_within, unpack_gzip
from transforms.parsing.parse import parse

TEXT = b"unit;n\n" + b"1120;1\n" * 1000
PACKED = gzip.compress(TEXT, mtime=0)


@pytest.mark.parametrize(
    ("data", "held"),
    [
        (TEXT, TEXT),
        (b"", b""),
        (b"\x1f\x8b", b"\x1f\x8b"),
        (PACKED, TEXT),
        (gzip.compress(b"a;b\n", mtime=0) + gzip.compress(b"1;2\n", mtime=0), b"a;b\n1;2\n"),
        (PACKED + bytes(512), TEXT),
        (gzip.compress(b"", mtime=0), b""),
    ],
    ids=["plain", "nothing", "two bytes", "gzip", "two members", "zeros after it", "gzip of nothing"],
)
def test_what_a_file_holds(data: bytes, held: bytes) -> None:
    assert unpack_gzip(data, len(held)) == held
    assert size_within(data, 1 << 20) == len(held)


@pytest.mark.parametrize(
    "data",
    [
        PACKED[:-1],
        PACKED[:-9],
        PACKED[:12],
        PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:],
        PACKED + b"more",
        PACKED[:3] + b"x" * 40,
    ],
    ids=["cut by one", "cut short", "cut early", "altered", "more after it", "no gzip after all"],
)
def test_what_is_cut_off_or_altered_is_unreadable(data: bytes) -> None:
    with pytest.raises(SubmissionError) as caught:
        unpack_gzip(data, 1 << 20)
    assert (caught.value.code, caught.value.expected) == ("unreadable", "a whole gzip file")
    assert size_within(data, 1 << 20) <= len(TEXT)


def test_a_gzip_file_is_packed_once() -> None:
    with pytest.raises(SubmissionError, match="a gzip file in a gzip file"):
        unpack_gzip(gzip.compress(PACKED), 1 << 20)


def test_more_than_the_most_is_too_large() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    assert len(bomb) < 1 << 17
    with pytest.raises(SubmissionError) as caught:
        unpack_gzip(bomb, 1 << 20)
    assert caught.value.code == "too-large"
    assert size_within(bomb, 1 << 20) <= 2 << 20


def test_a_file_is_bounded_by_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv.gz").write_bytes(PACKED)
    monkeypatch.setenv("ENGANG_MAX_FILE_BYTES", str(len(TEXT)))
    assert list(read_files(tmp_path / "a.csv.gz", read_settings(tmp_path))) == [("a.csv.gz", PACKED)]
    monkeypatch.setenv("ENGANG_MAX_FILE_BYTES", str(len(TEXT) - 1))
    with pytest.raises(UsageError, match="hold more than 7006, the limit"):
        list(read_files(tmp_path / "a.csv.gz", read_settings(tmp_path)))


@pytest.mark.parametrize(
    ("data", "size"),
    [(PACKED, len(TEXT)), (TEXT, len(TEXT)), (b"", 0), (PACKED[:17], 17), (b"x" * 40, 40), (gzip.compress(b""), 20)],
)
def test_only_a_gzip_states_how_much_it_holds(data: bytes, size: int) -> None:
    assert likely_size(data) == size


def test_a_batch_is_bounded_by_what_its_files_hold() -> None:
    packed = gzip.compress(bytes(BATCH_BYTES // 2))
    assert likely_size(packed) == BATCH_BYTES // 2
    given = [Delivery(str(n), packed, "c", "s") for n in range(5)]
    assert [len(batch) for batch in batches(given)] == [2, 2, 1]


def test_a_gzipped_file_is_parsed_as_it_is_packed() -> None:
    contract = read_contract(
        """
        {contract: small, version: 1, obligation: small, title: {nb: L, nn: L, en: S}, agency: A, legal_basis: none,
         rhythm: once, hours_per_report: null, sender: {allowed: any}, format: {type: csv},
         unit: {column: unit, kind: municipality}, period: {value: "2024", type: year}, repeat: warn,
         examples: [{name: none, given: ""}],
         claims: [{concept: n, column: n, reported_by: {option: sender}, unit_measure: {value: n}}]}
        """
    )
    assert parse(PACKED, contract).raw.equals(parse(TEXT, contract).raw)
    with pytest.raises(SubmissionError, match="empty-file"):
        parse(gzip.compress(b" \n"), contract)
