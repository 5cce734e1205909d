"""When deliveries are due: what fits an obligation's rhythm, and what is in error."""

import pytest
from pydantic import ValidationError

from schemas.contract_due import PERIODIC, Due


def due(**declared: object) -> Due:
    return Due.model_validate(declared)


@pytest.mark.parametrize(
    "declared",
    [{}, {"date": "2024-05-01", "on": {"day": 1}}, {"after_period": {}, "on": {"day": 1}}, {"since": "2024-01-01"}],
)
def test_it_has_exactly_one_form(declared: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="give exactly one of after_period, on, date"):
        due(**declared)


def test_each_form_alone_is_enough() -> None:
    after = due(after_period={}).after_period
    assert after is not None
    assert (after.months, after.days) == (0, 0)
    on = due(on={"day": 15}).on
    assert on is not None
    assert (on.day, on.month) == (15, None)
    assert due(date="2024-02-29").date == "2024-02-29"


@pytest.mark.parametrize(
    ("part", "name", "inside", "outside"),
    [
        ("after_period", "months", (0, 24), (-1, 25)),
        ("after_period", "days", (0, 366), (-1, 367)),
        ("on", "day", (1, 31), (0, 32)),
    ],
)
def test_limits(part: str, name: str, inside: tuple[int, ...], outside: tuple[int, ...]) -> None:
    assert [getattr(getattr(due(**{part: {name: n}}), part), name) for n in inside] == list(inside)
    for n in outside:
        with pytest.raises(ValidationError, match=f"{part}.{name}"):
            due(**{part: {name: n}})


def test_a_month_is_one_of_twelve() -> None:
    assert [due(on={"day": 1, "month": m}).model_dump()["on"]["month"] for m in (1, 12)] == [1, 12]
    for month in (0, 13):
        with pytest.raises(ValidationError, match=r"on\.month"):
            due(on={"day": 1, "month": month})


@pytest.mark.parametrize("text", ["2023-02-29", "2024-13-01", "2024-00-10"])
@pytest.mark.parametrize("name", ["date", "since"])
def test_a_date_that_does_not_exist_is_an_error(name: str, text: str) -> None:
    others = {} if name == "date" else {"on": {"day": 1}}
    with pytest.raises(ValidationError, match=r"(day|month) (is out of range|must be in)"):
        due(**{name: text}, **others)


@pytest.mark.parametrize("text", ["2024-1-01", "01.02.2024", "20240201", "2024-02-01T00:00"])
def test_a_date_is_written_in_one_way(text: str) -> None:
    with pytest.raises(ValidationError, match="String should match pattern"):
        due(date=text)


def test_senders_have_the_form_of_folders() -> None:
    assert due(on={"day": 1}, senders=["oslo", "a.b-c_1"]).senders == ("oslo", "a.b-c_1")
    for name in ("Oslo", "../oslo", "", "-oslo"):
        with pytest.raises(ValidationError, match="senders"):
            due(on={"day": 1}, senders=[name])


def test_an_obligation_of_rhythm_once_is_due_on_a_date() -> None:
    assert due(date="2024-05-01").problems("once") == []
    assert due(on={"day": 1}).problems("once") == ["due: an obligation of rhythm once is due on a `date`"]


@pytest.mark.parametrize("rhythm", PERIODIC)
def test_a_periodic_obligation_is_due_after_its_periods(rhythm: str) -> None:
    assert due(after_period={"months": 1}).problems(rhythm) == []
    assert due(on={"day": 1}).problems(rhythm) == []
    expected = f"due: `date` is for rhythm once: a {rhythm} one takes `after_period` or `on`"
    assert due(date="2024-05-01").problems(rhythm) == [expected]


def test_without_periods_nothing_is_due() -> None:
    expected = ["due: rhythm event has no periods, so nothing is due: leave it out"]
    assert due(on={"day": 1}).problems("event") == expected
    assert due(date="2024-05-01").problems("event") == expected
