"""Texts to dates and times: the years that are read, centuries, and formats of digits alone."""

import datetime as dt
from collections.abc import Callable

import polars as pl
import pytest

from schemas.contract import Format
from schemas.contract_record import FieldTake
from transforms.normalisation.texts.dates import DateForm, read_date, read_datetime, read_month, to_utc

Reader = Callable[[pl.Expr, DateForm], pl.Expr]


def read(reader: Reader, form: str | None, *texts: str | None, century: int | None = None, real: bool = False) -> list:
    frame = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)})
    return frame.select(reader(pl.col("text"), DateForm(form, century, real))).to_series().to_list()


def test_a_date_without_a_format_is_written_in_iso() -> None:
    found = read(read_date, None, "2024-02-29", "2023-02-29", "29.02.2024", "2024-02-29 00:00:00", "", None)
    assert found == [dt.date(2024, 2, 29), None, None, dt.date(2024, 2, 29), None, None]
    assert read(read_date, "%Y-%m-%d", "2024-02-29T00:00:00", "2024-02-29 00:00:01") == [dt.date(2024, 2, 29), None]
    assert read(read_date, None) == []


@pytest.mark.parametrize(
    ("year", "is_read"), [("0024", False), ("0999", False), ("1000", True), ("2999", True), ("3000", False)]
)
def test_years_of_dates_times_and_months(year: str, is_read: bool) -> None:
    first = dt.date(int(year), 1, 1) if is_read else None
    at = dt.datetime(int(year), 1, 1, 12) if is_read else None
    assert read(read_date, None, f"{year}-01-01") == [first]
    assert read(read_date, "%d.%m.%Y", f"01.01.{year}") == [first]
    assert read(read_month, None, f"{year}-01") == [first]
    assert read(read_datetime, None, f"{year}-01-01T12:00:00") == [at]
    assert read(read_datetime, "%d.%m.%Y %H:%M", f"01.01.{year} 12:00") == [at]


def test_a_real_date_of_a_workbook_is_read_whatever_the_format() -> None:
    texts = ("31.12.2024", "2024-12-31", "2024-12-31 00:00:00", "12/31/2024")
    day = dt.date(2024, 12, 31)
    assert read(read_date, "%d.%m.%Y", *texts, real=True) == [day, day, day, None]
    assert read(read_date, "%d.%m.%Y", *texts) == [day, None, None, None]
    assert (
        read(read_datetime, "%d.%m.%Y %H:%M", "2024-12-31 08:20:00", "31.12.2024 08:20", real=True)
        == [dt.datetime(2024, 12, 31, 8, 20)] * 2
    )
    assert read(read_datetime, "%d.%m.%Y %H:%M", "2024-12-31 08:20:00") == [None]


def test_a_time_without_a_format_may_have_a_blank_before_it_and_keeps_microseconds() -> None:
    found = read(
        read_datetime, None, "2024-12-31T23:59:59.123456", "2024-12-31 23:59:59", "2024-12-31", "31.12.2024 12"
    )
    assert found == [dt.datetime(2024, 12, 31, 23, 59, 59, 123456), dt.datetime(2024, 12, 31, 23, 59, 59), None, None]
    assert read(read_datetime, None, "2024-12-31T24:00:00", "2024-12-31T23:60:00") == [None, None]


def test_a_month_is_its_first_day() -> None:
    assert read(read_month, None, "2024-02", "2024-13", "2024-00", "202402", None) == [
        dt.date(2024, 2, 1), None, None, None, None,
    ]  # fmt: skip
    assert read(read_month, "%m/%Y", "12/2023", "2023-12") == [dt.date(2023, 12, 1), None]


@pytest.mark.parametrize(
    ("form", "sound", "short"),
    [
        ("%Y%m%d", "20240115", "2024115"),
        ("%d%m%Y", "15012024", "1512024"),
    ],
)
def test_digits_alone_are_read_at_full_width(form: str, sound: str, short: str) -> None:
    assert read(read_date, form, sound, short, f"{sound}0") == [dt.date(2024, 1, 15), None, None]


def test_times_and_months_of_digits_alone_are_read_at_full_width() -> None:
    at = dt.datetime(2024, 1, 5, 9, 8, 7)
    assert read(read_datetime, "%Y%m%d%H%M%S", "20240105090807", "2024010590807") == [at, None]
    assert read(read_month, "%Y%m", "202401", "20241") == [dt.date(2024, 1, 1), None]


def test_other_formats_are_read_without_leading_zeros() -> None:
    assert read(read_date, "%d.%m.%Y", "1.2.2024", "01.02.2024") == [dt.date(2024, 2, 1)] * 2


@pytest.mark.parametrize(
    ("century", "year", "expected"),
    [
        (1930, "30", 1930), (1930, "29", 2029), (1930, "99", 1999), (1930, "00", 2000), (1900, "00", 1900),
        (1900, "99", 1999), (2000, "68", 2068), (2000, "69", 2069), (1850, "49", 1949), (1850, "50", 1850),
    ],
)  # fmt: skip
def test_two_digits_are_a_year_of_the_declared_century(century: int, year: str, expected: int) -> None:
    assert read(read_date, "%d.%m.%y", f"02.01.{year}", century=century) == [dt.date(expected, 1, 2)]
    assert read(read_month, "%y-%m", f"{year}-01", century=century) == [dt.date(expected, 1, 1)]
    at = dt.datetime(expected, 1, 2, 3)
    assert read(read_datetime, "%d%m%y%H%M", f"0201{year}0300", century=century) == [at]


def test_a_leap_day_exists_in_leap_years_of_the_century_alone() -> None:
    assert read(read_date, "%d%m%y", "290200", "280200", "290204", century=1900) == [
        None, dt.date(1900, 2, 28), dt.date(1904, 2, 29),
    ]  # fmt: skip
    assert read(read_date, "%d%m%y", "290200", century=2000) == [dt.date(2000, 2, 29)]
    assert read(read_date, "%d%m%y", "290304", "290203", century=1900) == [dt.date(1904, 3, 29), None]


def test_two_digits_without_a_century_are_not_read() -> None:
    assert read(read_date, "%d.%m.%y", "02.01.24") == [None]
    assert read(read_month, "%y%m", "2401") == [None]


@pytest.mark.parametrize(
    ("form", "century", "years"),
    [
        (None, None, "1000 to 2999"),
        ("%Y", 1930, "1000 to 2999"),
        ("%y", 1930, "1930 to 2029"),
        ("%y", None, "but which century the two digits mean is not declared (`century` in the contract)"),
    ],
)
def test_the_years_that_a_reject_names(form: str | None, century: int | None, years: str) -> None:
    assert DateForm(form, century).years() == years


@pytest.mark.parametrize(("file", "real"), [("xlsx", True), ("parquet", True), ("csv", False), ("json", False)])
def test_workbooks_and_parquet_have_real_dates(file: str, real: bool) -> None:
    take = FieldTake(column="day", format="%d%m%y", century=1930)
    form = Format.model_validate({"type": file, "rows": "r"})
    assert DateForm.of(take, form) == ("%d%m%y", 1930, real)


def test_local_times_are_converted_to_utc() -> None:
    times = pl.DataFrame(
        {"t": ["2024-01-01T12:00:00", "2024-07-01T12:00:00", "2024-10-27T02:30:00", "2024-03-31T02:30:00"]}
    )
    local = times.select(to_utc(read_datetime(pl.col("t"), DateForm(None)), "Europe/Oslo").alias("t"))["t"]
    assert local.to_list() == [
        dt.datetime(2024, 1, 1, 11), dt.datetime(2024, 7, 1, 10), dt.datetime(2024, 10, 27, 0, 30), None,
    ]  # fmt: skip
