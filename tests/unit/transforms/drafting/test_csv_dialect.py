"""The dialect of a CSV file by its bytes and its header."""

import pytest

from transforms.drafting.csv_dialect import csv_delimiter, csv_encoding, csv_text

TEXT = "navn;sted\nÅse;Bø, Telemark\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_is_read_in_the_encoding_of_its_bytes(encoding: str) -> None:
    content = TEXT.encode(encoding)
    assert csv_encoding(content) == encoding.removesuffix("-sig")
    assert csv_text(content) == TEXT


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_shows_the_delimiter(delimiter: str) -> None:
    assert csv_delimiter(f"a{delimiter}b{delimiter}c\n1,2;3\n") == delimiter


def test_bytes_of_any_kind_are_no_table() -> None:
    with pytest.raises(ValueError, match="bytes of any kind"):
        csv_text(b"\x89PNG\x0d\x0a\x1a\x0a\xff\xfe")
    assert csv_text(b"name\nVik\n") == "name\nVik\n"  # one column of UTF-8 is text
