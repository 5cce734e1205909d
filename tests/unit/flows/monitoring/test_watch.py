"""What follows a night: each missed deadline is announced once, and one line for each kind of trouble."""

from datetime import date, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from flows import events
from flows.installation import OSLO
from flows.intake import arrivals
from flows.monitoring import watch

if TYPE_CHECKING:
    from flows.installation import Installation

HOME = cast("Any", SimpleNamespace())
FIRST, SECOND = ("2024", "a"), ("2025", "b")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let two senders be late under one contract; give what is asked and published. The second one is no news."""
    found: list[Any] = []

    def obligations(_: "Installation", today: date) -> list[SimpleNamespace]:
        found.append(today)
        return [SimpleNamespace(contract="c", obligation="o", late=[FIRST, SECOND]), SimpleNamespace(late=[])]

    def publish(_: "Installation", *given: Any, once: bool) -> bool:
        found.append((*given, once))
        return bool(given[2]["sender"] == "a")

    monkeypatch.setattr(watch, "obligations", obligations)
    monkeypatch.setattr(watch, "publish_event", publish)
    monkeypatch.setattr(watch, "page_note", lambda _, path: {"page": path})
    return found


def test_a_missed_deadline_is_announced_once(asked: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    day = date(2026, 3, 1)
    with caplog.at_level("INFO"):
        assert watch.announce_overdue(HOME, day) == [("c", "2024", "a")]
    assert [(line.message, vars(line)["sender"]) for line in caplog.records] == [("a delivery is overdue", "a")]
    data = {"contract": "c", "obligation": "o", "period": "2024", "sender": "a", "page": "coverage.html"}
    assert asked == [
        day,
        (events.SUBMISSION_OVERDUE, "c/2024/a", data, True),
        (events.SUBMISSION_OVERDUE, "c/2025/b", data | {"period": "2025", "sender": "b"}, True),
    ]


def test_the_day_is_that_of_oslo(asked: list[Any]) -> None:
    before = datetime.now(OSLO).date()
    watch.announce_overdue(HOME)
    assert before <= asked[0] <= datetime.now(OSLO).date()


@pytest.fixture
def after_night(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give what a night finds, to be set; `deleted` counts how often old events were deleted."""
    fake = SimpleNamespace(parked=0, rejected=0, late=[], sent=(0, 0), deleted=0)

    def delete(_: "Installation") -> None:
        fake.deleted += 1

    monkeypatch.setattr(arrivals, "announce_parked", lambda _: fake.parked)
    monkeypatch.setattr(watch, "announce_rejected", lambda _: fake.rejected)
    monkeypatch.setattr(watch, "announce_overdue", lambda _: fake.late)
    monkeypatch.setattr(watch, "deliver_outbox", lambda _: fake.sent)
    monkeypatch.setattr(watch, "delete_old_events", delete)
    return fake


@pytest.mark.parametrize(("found", "message"), [
    ({"parked": 1}, "1 arrived objects are parked: `engang inbox` shows why"),
    ({"rejected": 1}, "1 files were rejected whole within a week: `engang status` shows why"),
    ({"late": ["x", "y"]}, "2 deliveries are overdue: `engang status` lists them"),
    ({"sent": (3, 1)}, "3 events delivered, 1 failed: `engang events` shows why"),
    ({"sent": (3, 0)}, None), ({}, None),
])  # fmt: skip
def test_each_trouble_is_one_line(after_night: SimpleNamespace, found: dict[str, Any], message: str | None) -> None:
    for name, value in found.items():
        setattr(after_night, name, value)
    messages: list[str] = []
    watch.send_notifications(HOME, messages.append)
    assert messages == ([] if message is None else [message])
    assert after_night.deleted == 1
