"""When an obligation's deliveries are due, and from whom."""

import datetime as dt
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from schemas.contract_parts import IDENTIFIER, Strict

PERIODIC: Final = ("daily", "weekly", "monthly", "quarterly", "yearly")
"""The rhythms with consecutive periods."""


class AfterPeriod(Strict):
    """How long after the period's last day: first whole months, each to the last day of a month, then days."""

    months: int = Field(default=0, ge=0, le=24)
    """Whole months."""
    days: int = Field(default=0, ge=0, le=366)
    """Days after those."""


class OnDay(Strict):
    """A day of the calendar: the first such day after the period, of a given month or of any."""

    day: int = Field(ge=1, le=31)
    """Day of the month; the last day if the month is shorter."""
    month: int | None = Field(default=None, ge=1, le=12)
    """The month; by default the next month that has the day."""


class Due(Strict):
    """The due date, moved to the next working day in Norway, and who is expected to deliver by it."""

    after_period: AfterPeriod | None = None
    """Due some months and days after the period ends."""
    on: OnDay | None = None
    """Due on a day of the calendar."""
    date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    """The one date of an obligation whose rhythm is `once`."""
    senders: tuple[Annotated[str, Field(pattern=IDENTIFIER)], ...] | None = None
    """Who must deliver; by default `sender.allowed`, else those who delivered for one of the two periods before."""
    since: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    """A day in the first period for which anyone is expected to deliver."""

    def problems(self, rhythm: str) -> list[str]:
        """Return what does not fit the obligation's rhythm."""
        if rhythm == "once":
            return [] if self.date else ["due: an obligation of rhythm once is due on a `date`"]
        if rhythm not in PERIODIC:
            return [f"due: rhythm {rhythm} has no periods, so nothing is due: leave it out"]
        return [f"due: `date` is for rhythm once: a {rhythm} one takes `after_period` or `on`"] if self.date else []

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if sum(x is not None for x in (self.after_period, self.on, self.date)) != 1:
            raise ValueError("give exactly one of after_period, on, date")
        for text in filter(None, (self.date, self.since)):
            dt.date.fromisoformat(text)
        return self
