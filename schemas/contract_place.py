"""The reporting unit and the period of a row: where their texts come from, and how they are written."""

import datetime as dt
import re
from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.contract_parts import Take
from schemas.unit_kinds import UnitKind

MONTH_DAY: Final = r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
PeriodType = Literal["year", "half_year", "quarter", "month", "week", "day", "school_year"]


class Unit(Take):
    """The reporting unit: the source of its code or name, and how it is resolved."""

    kind: UnitKind | Take
    """The kind of reporting unit, or where the row states it: municipality, county, electoral_district, nation,
    organisation, school, other, or the own kind of a code list."""
    by: Literal["code", "name", "organisation_number"] = "code"
    """What the cell holds."""
    system: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]+$")
    """The code system of the cell's codes, where the code list has several: its column `code:SYSTEM`."""
    provisional: bool = False
    """Whether a unit known only by name and in no register becomes a provisional unit."""
    valid_on: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    """The day whose codes or names all rows use, whatever their period, as tables do that are republished. By default
    a unit must be valid in the whole period."""
    ended: Literal["reject", "successor"] | None = None
    """What a code or name is that ended before the period: a reject (the default), or the one unit that follows it."""

    @field_validator("valid_on")
    @classmethod
    def _is_a_day(cls, day: str | None) -> str | None:
        if day is not None:
            dt.date.fromisoformat(day)
        return day

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.system and self.by != "code":
            raise ValueError("system is for `by: code`")
        return self


class Period(Take):
    """The period: how it is written, and the source of its end where two cells give it."""

    type: PeriodType
    """Length of the period. Written are a half-year 2024-H1, a quarter 2024-Q1 or 2024K1, a week by ISO 8601 2024-W05
    or 2024U05, a school year (from August) 2024/25 or 2024/2025."""
    format: str | None = None
    """strptime format for `month` and `day`; default %Y-%m and %Y-%m-%d."""
    century: int | None = Field(default=None, ge=1000, le=2900)
    """The first of the hundred years that years of two digits (`%y`) denote: 1930 for 1930 to 2029. Without it they are
    rejected."""
    until: Take | None = None
    """The source of the last period of a span (January to March); same type and format."""
    span: str | None = Field(default=None, min_length=1, max_length=5)
    """The text between the first and the last period, where one cell may hold both: `-` in 2017-21 or 2017-2021."""
    starts: str | None = Field(default=None, pattern=MONTH_DAY)
    """For `year`: the month and day on which it begins, `07-01`. It may also be written FY2024, 2024/25."""
    year_of: Literal["start", "end"] | None = None
    """With `starts`: whether a year of one number is that in which it begins (the default) or ends."""
    as_of: str | None = Field(default=None, pattern=MONTH_DAY)
    """For `year`: the figures are of this day of the year, `07-01`, and their period is the day."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if (self.starts or self.as_of) and self.type != "year":
            raise ValueError("starts and as_of are for periods of type year")
        if self.starts and self.as_of:
            raise ValueError("give starts or as_of, not both")
        if self.year_of and not self.starts:
            raise ValueError("year_of is for a year that `starts` on another day")
        if self.span and self.until:
            raise ValueError("give span or until, not both")
        self._check_days()
        return self

    def _check_days(self) -> None:
        for day in filter(None, (self.starts, self.as_of)):
            if re.fullmatch("02-29", day):
                raise ValueError(f"{day} is not a day of every year")
            dt.date.fromisoformat(f"2023-{day}")
