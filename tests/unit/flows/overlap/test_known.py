"""The period for which one asks what is known."""

import datetime as dt

import pytest

from flows.overlap import known
from schemas.errors import UsageError


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2025", "2025-01-01", "2026-01-01"), ("2025-Q2", "2025-04-01", "2025-07-01"),
        ("2025-12", "2025-12-01", "2026-01-01"), ("2024-02-29", "2024-02-29", "2024-03-01"),
    ],
)  # fmt: skip
def test_a_period_is_its_days(text: str, start: str, end: str) -> None:
    assert known._period(text) == (dt.date.fromisoformat(start), dt.date.fromisoformat(end))  # noqa: SLF001


@pytest.mark.parametrize("text", ["2025-00", "2025-13", "2025-01-00", "2025-02-30", "2025-Q0", "25", "", "0000"])
def test_what_is_no_period_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=f"period '{text}'"):
        known._period(text)  # noqa: SLF001
