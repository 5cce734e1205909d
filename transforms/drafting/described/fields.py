"""What the fields of a described record are: keys, persons, years, figures; guessed from names, types and titles."""

import re
from typing import Any, Final

from schemas.kind import RESERVED_FIELDS
from schemas.record_description import DescribedField, RecordDescription
from transforms.drafting.kind_draft import SQL_WORDS

_UNITS: Final = (("kommune", "municipality"), ("fylke", "county"), ("region", "other"))
"""Part of a name -> the kind of unit whose code the field holds."""
_PERSON_NUMBER: Final = re.compile(r"fodselsn|personnr|fnr|_duf|dufnr", re.IGNORECASE)
_PERSON: Final = re.compile(r"saksbehandler|fodselsdato|_navn_person", re.IGNORECASE)
_CASE: Final = re.compile(r"journal|gruppe_?nr|saksnr|løpenr|lopenr", re.IGNORECASE)
_NAME: Final = re.compile(r"navn|name", re.IGNORECASE)
_YEAR: Final = re.compile(r"aargang|årgang|^aar$|^year$", re.IGNORECASE)
_YEAR_DIGITS: Final = 4
_REGION_DIGITS: Final = 6
_MUNICIPALITY_DIGITS: Final = 4
_OLDEST: Final = 98
"""Years before the reported one to which a year of two digits reaches back."""
BLANK_CODE: Final = "_Z"
"""SDMX's code for what does not apply: it stands for a blank that is part of a key."""
MUNICIPALITY_FIELD: Final = "municipality"
DISTRICT_FIELD: Final = "district"


def makes_records(description: RecordDescription) -> bool:
    """Return whether the lines are records, of persons or cases, with dates or an id of their own; else figures."""
    return any(f.type == "DATE_TYPE" or _CASE.search(f.name) or holds_person_numbers(f) for f in description.fields)


def holds_person_numbers(field: DescribedField) -> bool:
    """Return whether a field holds numbers of persons."""
    return _PERSON_NUMBER.search(field.name) is not None


def is_personal(field: DescribedField) -> bool:
    """Return whether a field holds personal data that is no number: a birthday, a caseworker."""
    return _PERSON.search(field.name) is not None


def is_case_id(field: DescribedField) -> bool:
    """Return whether a field holds the id of a case: a journal, a group."""
    return _CASE.search(field.name) is not None


def is_year(field: DescribedField) -> bool:
    """Return whether a field holds the year in four digits."""
    return field.size == _YEAR_DIGITS and _YEAR.search(field.name) is not None


def figures(description: RecordDescription) -> list[DescribedField]:
    """Return the fields of numbers that are reported, not codes."""
    return [field for field in description.fields if field.type == "INTEGER_TYPE"]


def unit_of(description: RecordDescription) -> tuple[DescribedField, str] | None:
    """Return the field with the reporting unit, and the unit's kind; None if there is none."""
    for part, kind in _UNITS:
        for field in description.fields:
            if part in field.name.lower() and field.type == "STRING_TYPE" and not _NAME.search(field.name):
                return field, kind
    return None


def key_fields(description: RecordDescription) -> list[DescribedField]:
    """Return the fields that identify a record: the mandatory codes up to the case's own number."""
    texts = [f for f in description.fields if f.type == "STRING_TYPE" and not is_personal(f)]
    last = next((n for n, field in enumerate(texts) if is_case_id(field)), None)
    if last is None:
        last = next((n for n, field in enumerate(texts) if holds_person_numbers(field)), 0)
    before = [f for f in texts[:last] if f.mandatory and not holds_person_numbers(f) and "bydel" not in f.name.lower()]
    return [*before, texts[last]]


def dimensions(description: RecordDescription) -> list[DescribedField]:
    """Return the fields that break figures down: codes that are neither the unit nor the year nor a name."""
    unit = unit_of(description)
    return [
        f
        for f in description.fields
        if f.type == "STRING_TYPE" and not is_year(f) and not _NAME.search(f.name) and (unit is None or f != unit[0])
    ]


def field_name(field: DescribedField) -> str:
    """Return the name of the kind's field: the field's id, or one near it where that is reserved."""
    return f"{field.id}_field" if field.id in RESERVED_FIELDS or field.id in SQL_WORDS else field.id


def places(description: RecordDescription) -> list[dict[str, Any]]:
    """Return `format.fields`: the described ones; a region of six digits is a municipality and its district too."""
    blank = [] if makes_records(description) else [f for f in dimensions(description) if may_be_blank(f)]
    found = [
        {"name": f.name, "start": f.start, "length": f.size} | ({"empty": BLANK_CODE} if f in blank else {})
        for f in description.fields
    ]
    region = six_digit_region(description)
    if region is not None:
        found += [
            {"name": MUNICIPALITY_FIELD, "start": region.start, "length": _MUNICIPALITY_DIGITS},
            {"name": DISTRICT_FIELD, "start": region.start + _MUNICIPALITY_DIGITS, "length": 2},
        ]
    return found


def may_be_blank(field: DescribedField) -> bool:
    """Return whether a field may be blank."""
    return not field.mandatory or any(not code.code.strip() for code in field.codes)


def codes(field: DescribedField) -> dict[str, str]:
    """Return the codes of a field and what they mean, without the blank that stands for none."""
    return {code.code: code.value or code.code for code in field.codes if code.code.strip()}


def six_digit_region(description: RecordDescription) -> DescribedField | None:
    """Return the field that holds a municipality's code and two digits for its district; None if there is none."""
    unit = unit_of(description)
    if unit is None or unit[1] != "other" or unit[0].size != _REGION_DIGITS or unit[0].codes:
        return None
    return unit[0]


def measure(field: DescribedField) -> tuple[str, int]:
    """Return what a figure counts and its factor, as far as the title shows it."""
    text = f"{field.name} {field.title}".lower()
    if re.search(r"\b1 ?000 kr|\b1000 kr", text):
        return "NOK", 1000
    if re.search(r"\bkr\b|kroner|beløp|utbetalt", text):
        return "NOK", 1
    return ("hours", 1) if "timer" in field.name.lower() else ("number", 1)


def date_format(field: DescribedField) -> str:
    """Return the strptime format of a date."""
    pattern = field.date_pattern or "ddMMyyyy"
    for java, posix in (("yyyy", "%Y"), ("yy", "%y"), ("MM", "%m"), ("dd", "%d")):
        pattern = pattern.replace(java, posix)
    return pattern


def century(field: DescribedField, year: int) -> int | None:
    """Return the first year that two digits denote: dates lie before the year after the reported one."""
    return year - _OLDEST if "%y" in date_format(field) else None
