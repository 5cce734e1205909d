"""Bytes to text: encodings, marks of byte order, and declared repairs."""

import codecs

import pytest

from schemas.contract import Format
from schemas.errors import SubmissionError
from tests.unit.transforms.parsing.test_parse_bad_input import contract_of
from transforms.parsing import text as parse_text
from transforms.parsing.text import decode, repair, to_utf8


def refused(data: bytes, encoding: str, offset: int = 0) -> SubmissionError:
    with pytest.raises(SubmissionError) as caught:
        decode(data, encoding, offset)
    assert caught.value.code == "wrong-encoding"
    assert caught.value.expected == f"text in {encoding}"
    return caught.value


@pytest.mark.parametrize(
    ("data", "encoding", "text"),
    [
        ("æ€".encode(), "utf-8", "æ€"),
        (codecs.BOM_UTF8 + b"a", "utf-8", "a"),
        ("æ;ø".encode("latin-1"), "latin-1", "æ;ø"),
        ("æ;€".encode("cp1252"), "cp1252", "æ;€"),
        ("æ;€".encode("utf-16"), "utf-16", "æ;€"),
        ("abc;def".encode("utf-16-le"), "utf-16", "abc;def"),
        ("abc;def".encode("utf-16-be"), "utf-16", "abc;def"),
        (codecs.BOM_UTF16_BE + "abc".encode("utf-16-be"), "utf-16", "abc"),
        (b"plain", "cp1252", "plain"),
        (b"plain", "latin-1", "plain"),
        (b"", "utf-8", ""),
        (b"", "utf-16", ""),
    ],
)
def test_text_in_its_declared_encoding(data: bytes, encoding: str, text: str) -> None:
    assert decode(data, encoding) == text


def test_only_the_start_of_a_file_of_utf_16_shows_the_order_of_its_bytes() -> None:
    data = "abc;def".encode("utf-16-be")
    assert decode(data, "utf-8") == "\0a\0b\0c\0;\0d\0e\0f"
    assert decode(data, "utf-16") == "abc;def"
    assert decode(data, "utf-16", 2) != "abc;def"


def test_a_byte_that_is_no_text_is_named_with_its_place() -> None:
    error = refused(b"ab\xe6cde", "utf-8", 100)
    assert error.found == "byte e6 63 64 65 (hexadecimal) at offset 102"
    assert error.hint == ("It looks like cp1252 or latin-1: deliver utf-8, or change format.encoding in the contract.")
    assert refused(b"\x81", "cp1252").found == "byte 81 (hexadecimal) at offset 0"
    assert "looks like utf-16" in refused("æ".encode("utf-16"), "utf-8").hint


def test_utf_8_that_is_declared_as_one_byte_a_character_is_found_out() -> None:
    for encoding in ("latin-1", "cp1252"):
        error = refused("Øst".encode(), encoding)
        assert error.found == "UTF-8"
        assert error.hint.startswith(f"It looks like utf-8: deliver {encoding},")


def test_control_characters_of_latin_1_are_quotes_of_cp1252() -> None:
    error = refused("a€;æ".encode("cp1252"), "latin-1", 10)
    assert error.found == "byte 80 (hexadecimal), a control character, at offset 11"
    assert error.hint.startswith("It looks like cp1252: deliver latin-1,")
    assert decode(b"\x7f\xa0\xe6", "latin-1") == "\x7f\xa0æ"
    assert refused(b"\xe6\x9f", "latin-1").found.startswith("byte 9f")


def test_plain_utf_8_is_the_same_object() -> None:
    data = b"unit;year;sum\n\xff"  # the reader validates it
    assert to_utf8(data, contract_of()) is data
    assert to_utf8(b"a\0b;c;d;e;f;g", contract_of()) == b"a\0b;c;d;e;f;g"


def test_utf_16_without_a_mark_is_found_out() -> None:
    for codec in ("utf-16-le", "utf-16-be"):
        with pytest.raises(SubmissionError) as caught:
            to_utf8("unit;year;sum".encode(codec), contract_of())
        assert (caught.value.code, caught.value.found) == ("wrong-encoding", f"text in {codec}")
        assert "It looks like utf-16: deliver utf-8" in caught.value.hint


@pytest.mark.parametrize(("zeros", "is_utf_16"), [(8, True), (7, False)])
def test_a_quarter_of_zeros_makes_it_utf_16(zeros: int, is_utf_16: bool) -> None:
    data = b"a\0" * zeros + b"ab" * (16 - zeros)
    if is_utf_16:
        with pytest.raises(SubmissionError, match="utf-16-le"):
            to_utf8(data, contract_of())
    else:
        assert to_utf8(data, contract_of()) is data


def test_other_encodings_become_utf_8() -> None:
    assert to_utf8("æ".encode("latin-1"), contract_of(encoding="latin-1")) == "æ".encode()
    assert to_utf8("æ".encode("utf-16"), contract_of(encoding="utf-16")) == "æ".encode()


def form(*steps: tuple[str, str]) -> Format:
    repairs = [{"pattern": p, "replacement": r, "why": "w"} for p, r in steps]
    return Format.model_validate({"type": "csv", "repairs": repairs})


def test_repairs_are_made_in_their_order() -> None:
    assert repair("a-b-c", form(("-", "+"), (r"([a-z])\+", "$1."))) == "a.b.c"
    assert repair("a-b", form((r"\+", "."), ("-", "+"))) == "a+b"
    assert repair("ab", form()) == "ab"
    contract = contract_of(repairs=[{"pattern": "^x", "replacement": "", "why": "w"}])
    assert to_utf8(codecs.BOM_UTF8 + b"xy", contract) == b"y"


def test_a_repair_may_double_a_text_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_text, "REPAIR_BYTES", 1)
    assert repair("aaaa", form(("a", "bb"))) == "b" * 8
    with pytest.raises(SubmissionError) as caught:
        repair("aaaa", form(("a", "bb"), ("^", "c")))
    assert str(caught.value) == (
        "too-large: found 9 characters after '^', expected at most 8. "
        "Correct the repair in format.repairs of the contract."
    )
    monkeypatch.setattr(parse_text, "REPAIR_BYTES", 6)
    assert len(repair("aaaa", form(("a", "bb"), ("^", "cc")))) == 10


def test_its_limits_are_those_that_senders_know() -> None:
    assert (parse_text.REPAIR_GROWTH, parse_text.REPAIR_BYTES) == (2, 2**20)
