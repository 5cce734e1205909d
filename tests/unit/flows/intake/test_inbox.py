"""The inbox with and without a queue of dead letters, over a queue that only notes what it is asked."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

from flows.intake.inbox import list_inbox, open_dead_letter_queue, redrive_dead_letters
from infra.inbox import sqs, work_queue
from schemas.errors import UsageError

if TYPE_CHECKING:
    from flows.installation import Installation


class Letters(NamedTuple):
    """What a queue says of its dead letters."""

    count: int
    reasons: tuple[str, ...]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """Let queues be opened in words only; give what was opened: url, place, fail_fast."""
    calls: list[tuple[str, str, bool]] = []

    def open_queue(url: str, place: str, *, fail_fast: bool = False) -> Any:
        calls.append((url, place, fail_fast))
        return SimpleNamespace(dead_letters=lambda: Letters(2, ("no JSON",)), redrive=len)

    monkeypatch.setattr(sqs, "open_queue", open_queue)
    return calls


def installation(queue: str | None, letters: str | None) -> "Installation":
    settings = SimpleNamespace(queue=queue, dead_letters=letters, arrivals="arrivals")
    return cast("Installation", SimpleNamespace(settings=settings, engine=None))


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = SimpleNamespace(to_dicts=list)
    for name in ("count_open", "list_parked", "list_closed"):
        monkeypatch.setattr(work_queue, name, lambda *_: frame)
    monkeypatch.setattr(work_queue, "count_done", lambda _: 7)


def test_dead_letters_are_listed_where_there_is_a_queue_of_them(opened: list[tuple[str, str, bool]]) -> None:
    found = list_inbox(installation("q", "d"), 5)
    assert (found.done, found.open, found.dead_letters) == (7, [], {"count": 2, "reasons": ("no JSON",)})
    assert opened == [("d", "arrivals", False)]
    assert list_inbox(installation("q", None), 5).dead_letters is None
    assert len(opened) == 1


def test_who_cannot_wait_asks_for_an_answer_within_seconds(opened: list[tuple[str, str, bool]]) -> None:
    assert open_dead_letter_queue(installation("q", "d"), fail_fast=True) is not None
    assert open_dead_letter_queue(installation("q", None), fail_fast=True) is None
    assert opened == [("d", "arrivals", True)]


@pytest.mark.usefixtures("opened")
def test_dead_letters_move_back_where_there_are_both_queues() -> None:
    assert redrive_dead_letters(installation("queue", "d")) == len("queue")
    for queue, letters in ((None, "d"), ("q", None), (None, None)):
        with pytest.raises(UsageError, match="there is no queue: set ENGANG_QUEUE and ENGANG_DEAD_LETTERS"):
            redrive_dead_letters(installation(queue, letters))
