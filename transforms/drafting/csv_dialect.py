"""The dialect of a CSV file that nobody has described: its encoding, by its bytes, and its delimiter, by its header."""

import codecs
from typing import Final, Literal

CsvEncoding = Literal["utf-8", "utf-16", "cp1252"]
CSV_DELIMITERS: Final = (",", ";", "\t", "|")


def csv_encoding(content: bytes) -> CsvEncoding:
    """Return the encoding of CSV: UTF-8 where its bytes are that, UTF-16 where it begins so, else cp1252."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def csv_delimiter(text: str) -> str:
    """Return the character that separates the fields of CSV: the one that its header has most of."""
    header = text.partition("\n")[0]
    return max(CSV_DELIMITERS, key=header.count)


def csv_text(content: bytes) -> str:
    """Return CSV as text; `ValueError` for bytes that are no text with a header of several columns."""
    encoding = csv_encoding(content)
    text = content.decode(encoding).removeprefix("\ufeff")
    if encoding == "cp1252" and csv_delimiter(text) not in text.partition("\n")[0]:
        raise ValueError("bytes of any kind")
    return text
