"""Texts to dates and times: by the declared strptime format, by ISO 8601 without one.

Years have four digits, 1000 to 2999; of two digits only where the format says so and the contract declares the century.
A real date of a workbook or a Parquet file is that date whatever format the contract declares for texts.
"""

import re
from typing import Final, NamedTuple

import polars as pl

from schemas.contract import FieldTake, Format, Period, ReportVersion
from schemas.contract_parts import has_short_year

ISO_DATE: Final = "%Y-%m-%d"
ISO_DATETIME: Final = "%Y-%m-%dT%H:%M:%S%.f"
YEARS: Final = (1000, 2999)
"""The first and the last year of a date: any other is a slip, such as 24 for 2024 or 9999 for no end."""
_WITH_REAL_DATES: Final = ("xlsx", "xls", "xlsb", "ods", "parquet")
_FEBRUARY: Final = 2
_LEAP_DAY: Final = 29


class DateForm(NamedTuple):
    """How dates are written: the declared format, the century of years of two digits, whether the file has real dates.

    A real date is a text in ISO 8601 in the raw frame.
    """

    form: str | None
    century: int | None = None
    real: bool = False

    @classmethod
    def of(cls, part: Period | ReportVersion | FieldTake, file: Format) -> "DateForm":
        """Return how a part of a contract is written in a file."""
        return cls(part.format, part.century, file.type in _WITH_REAL_DATES)

    def years(self) -> str:
        """Return which years a date may have, for the reject of one that cannot be read."""
        if not has_short_year(self.form):
            return f"{YEARS[0]} to {YEARS[1]}"
        if self.century is None:
            return "but which century the two digits mean is not declared (`century` in the contract)"
        return f"{self.century} to {self.century + 99}"


def read_date(text: pl.Expr, how: DateForm) -> pl.Expr:
    """Return the date of each text; a spreadsheet's date with the time 00:00:00 is one too."""
    iso = text.str.replace("[ T]00:00:00$", "").str.to_date(ISO_DATE, strict=False)
    if how.form in {None, ISO_DATE}:
        return sound_date(iso)
    declared = in_century(full_width(text, how.form).str.to_date(how.form, strict=False), how)
    return sound_date(pl.coalesce(declared, iso) if how.real else declared)


def read_datetime(text: pl.Expr, how: DateForm) -> pl.Expr:
    """Return the date and time of each text, in microseconds; a blank may separate the two."""
    iso = text.str.replace("^([0-9-]{10}) ", "${1}T").str.to_datetime(ISO_DATETIME, strict=False, time_unit="us")
    if how.form is None:
        return sound_date(iso)
    declared = full_width(text, how.form).str.to_datetime(how.form, strict=False, time_unit="us")
    declared = in_century(declared, how)
    return sound_date(pl.coalesce(declared, iso) if how.real else declared)


def to_utc(time: pl.Expr, zone: str) -> pl.Expr:
    """Return local times as UTC: of an hour that a clock passes twice the first; null for one that it skips."""
    local = time.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def read_month(text: pl.Expr, how: DateForm) -> pl.Expr:
    """Return the first day of the month of each text."""
    day = (full_width(text, how.form) + "/01").str.to_date(f"{how.form or '%Y-%m'}/%d", strict=False)
    return sound_date(in_century(day, how))


def sound_date(date: pl.Expr) -> pl.Expr:
    """Return dates and times whose year has four digits as people write them; null for others (9999, 24, 124)."""
    return pl.when(date.dt.year().is_between(*YEARS)).then(date)


def full_width(text: pl.Expr, form: str | None) -> pl.Expr:
    """Return texts whose format has digits alone, null where some are missing: 2024115 could be two days."""
    if not re.fullmatch("(?:%[YymdHMS])+", form or ""):
        return text
    digits = sum(4 if directive == "Y" else 2 for directive in (form or "").split("%")[1:])
    return pl.when(text.str.contains(f"^[0-9]{{{digits}}}$")).then(text)


def in_century(date: pl.Expr, how: DateForm) -> pl.Expr:
    """Return dates and times, those whose format has years of two digits in the hundred years from `century` on.

    Null for 29 February of a year that has none, and for all where no century is declared: nobody knows which is meant.
    """
    if not has_short_year(how.form):
        return date
    if how.century is None:
        return pl.when(pl.lit(value=False)).then(date)
    year = how.century + (date.dt.year().cast(pl.Int32) - how.century) % 100
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    exists = is_leap | (date.dt.month() != _FEBRUARY) | (date.dt.day() != _LEAP_DAY)
    return pl.when(exists).then(date).dt.replace(year=year)
