"""Text of DOS and of old Macs is known by its letters; text in cp1252, UTF-8 and garbage never is taken for it."""

import pytest

from tests.unit.transforms.parsing.test_parse import contract_of
from transforms.drafting.table.file_sniff import text_encoding
from transforms.parsing.parse import parse
from transforms.parsing.text import old_encoding

NAMES = "unit;year;sum\nTromsø;2024;1\nÅlesund;2024;2\nHå;2024;3\nVåler;2024;4\nLærdal;2024;5\n"


@pytest.mark.parametrize("encoding", ["cp865", "mac-roman"])
def test_an_old_encoding_is_known_by_its_letters(encoding: str) -> None:
    data = NAMES.encode(encoding)
    assert old_encoding(data) == encoding
    assert text_encoding(data)[0] == encoding
    result = parse(data, contract_of(type="csv", encoding=encoding))
    assert result.raw["unit"].to_list() == ["Tromsø", "Ålesund", "Hå", "Våler", "Lærdal"]
    assert result.rejects.is_empty()


@pytest.mark.parametrize(
    "data",
    [
        NAMES.encode("cp1252"), NAMES.encode("utf-8"), b"plain", b"", b"don\x92t \x93quote\x94\x85 5 \x9b 4 \x86",
        "¿Qué?; ½ and ¾ of it ®".encode("cp1252"), bytes(range(256)), b"a\x86b" + bytes(range(0x80, 0x100)) * 9,
    ],
)  # fmt: skip
def test_other_text_is_not(data: bytes) -> None:
    assert old_encoding(data) is None


@pytest.mark.parametrize("encoding", ["cp865", "mac-roman"])
def test_nine_of_ten_bytes_beyond_ascii_are_letters_of_it(encoding: str) -> None:
    text, mark = "Hår".encode(encoding), "¿".encode(encoding)
    assert [old_encoding(text * letters + mark) for letters in (8, 9)] == [None, encoding]
    assert [old_encoding(text * letters + mark * 2) for letters in (17, 18)] == [None, encoding]


@pytest.mark.parametrize("declared", ["cp1252", "latin-1"])
def test_the_declared_encoding_counts_and_a_warning_names_the_likely_one(declared: str) -> None:
    data = "unit;year;sum\nHå;2024;1\nBø;2024;2\nLærdal;2024;3\n".encode("mac-roman").replace(b"\x8c", b"\xbf")
    result = parse(data, contract_of(type="csv", encoding=declared))
    assert result.raw["unit"].to_list()[1] == "B¿"
    assert result.rejects.select("reason", "severity", "found").rows() == [
        ("wrong-encoding", "warning", "letters of mac-roman")
    ]
    assert "change format.encoding in the contract to mac-roman" in result.rejects["hint"].item()
