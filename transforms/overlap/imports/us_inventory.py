"""The inventory of information collections of the United States: XML, one record for each approved request."""

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import polars as pl

from schemas.errors import SubmissionError, UsageError
from transforms.overlap.imports.declared import declared_frame
from transforms.parsing.xml.walk import check_well_formed, new_parser

_SCHEME: Final = "us-icr"
_BEYOND_COUNTS: Final = 10**18
_RECORD: Final = "InformationCollectionRequest"


@dataclass
class _Element:
    """An element of a document: its name, its text, and the elements in it."""

    tag: str
    text: str = ""
    children: list["_Element"] = field(default_factory=list)

    def all(self, *path: str) -> list["_Element"]:
        """Return the elements at a path below this one."""
        found = [self]
        for tag in path:
            found = [child for each in found for child in each.children if child.tag == tag]
        return found

    def value(self, *path: str) -> str | None:
        """Return the text of the first element at a path, None if there is none or it is empty."""
        return next((each.text.strip() for each in self.all(*path) if each.text.strip()), None)


def read_us_inventory(data: bytes) -> pl.DataFrame:
    """Return the obligations of a file. An obligation's items are not in the inventory: it lists its instruments.

    The hours of one report are those of the instruments that cost least and most. Raises `UsageError` for another file.
    """
    try:
        records = _document(data).all(f"{_RECORD}List", _RECORD)
        return declared_frame([_row(record) for record in records], _SCHEME)
    except (SubmissionError, InvalidOperation, ValueError) as error:
        raise UsageError(f"no inventory of information collection requests ({error})") from error


def _document(data: bytes) -> _Element:
    """Return what holds the document's root. A document type, which may define entities, is refused."""
    top = _Element("")
    open_ones = [top]

    def _start(tag: str, _: object) -> None:
        open_ones[-1].children.append(_Element(tag))
        open_ones.append(open_ones[-1].children[-1])

    def _text(text: str) -> None:
        open_ones[-1].text += text

    def _doctype(*_: object) -> None:
        raise ValueError("it has a document type declaration")

    parser = new_parser()
    parser.StartElementHandler, parser.EndElementHandler = _start, lambda _: open_ones.pop()
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = _text, _doctype
    check_well_formed(data, parser)
    if not top.all(f"{_RECORD}List"):
        raise ValueError(f"its root is not {_RECORD}List")
    return top


def _rhythm(instruments: list[_Element]) -> str:
    frequency = ("BurdenHour", "BurdenHourPerResponse", "ReportingFrequencies", "ReportingFrequency")
    rhythms = {rhythm for each in instruments if (rhythm := each.value(*frequency))}
    return ", ".join(sorted(rhythms)).lower() or "unknown"


def _row(record: _Element) -> dict[str, Any]:
    number = record.value("OMBControlNumber")
    if number is None:
        raise ValueError("a record has no OMBControlNumber")
    instruments = record.all("InformationCollections", "InformationCollection")
    hours = [each for instrument in instruments if (each := _hours(instrument)) is not None]
    responses = record.value("Burden", "BurdenResponse", "TotalQuantity")
    statutes = record.all("AuthorizingStatutes", "AuthorizingStatute")
    return {
        "register_id": number,
        "title": record.value("Title") or number,
        "agency": record.value("AgencyCode") or number.partition("-")[0],
        "legal_basis": "; ".join(" ".join(_texts(statute)) for statute in statutes) or None,
        "rhythm": _rhythm(instruments),
        "hours_low": min(hours, default=None),
        "hours_high": max(hours, default=None),
        "hours_basis": "declared" if hours else None,
        "hours_source": "reginfo.gov: burden of each instrument" if hours else None,
        "reports_a_year": None if responses is None else _whole(responses),
    }


def _whole(text: str) -> int:
    """Return a count; one that is none is refused before its digits are written out: `1E+999999999` has a billion."""
    number = Decimal(text)
    _check_count(number, text)
    return int(number)


def _check_count(number: Decimal, text: str) -> None:
    """Raise `ValueError` for what is no count: compared as it is written, for no arithmetic is without limits."""
    if not number.copy_abs() < _BEYOND_COUNTS:
        raise ValueError(f"a record counts {text[:20]!r}")


def _hours(instrument: _Element) -> Decimal | None:
    """Return what one report costs by an instrument; None if its hours or its responses are not stated."""
    hours, responses = instrument.value("BurdenHour", "TotalQuantity"), instrument.value(
        "NumberResponses", "AnnualQuantity"
    )  # fmt: skip
    if hours is None or responses is None or not Decimal(responses) > 0:
        return None
    spent, reports = Decimal(hours), Decimal(responses)
    if reports < 1 / _BEYOND_COUNTS:
        raise ValueError(f"a record counts {responses[:20]!r}")
    _check_count(spent, hours)
    _check_count(reports, responses)
    return spent / reports


def _texts(element: _Element) -> list[str]:
    """Return the texts of an element and of all in it."""
    own = [text] if (text := element.text.strip()) else []
    return own + [text for child in element.children for text in _texts(child)]
