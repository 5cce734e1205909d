"""One sentence for each thing that needs a person, at its limit and not before; and silence otherwise."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from flows.monitoring.obligations import Obligation
from flows.monitoring.problems import MAX_QUEUE_WAIT, MAX_RELEASE_WAIT, MAX_RUN_TIME, find_problems, one_sentence
from flows.monitoring.rejected import RejectedFiles
from flows.monitoring.report import Status

AT = datetime(2025, 4, 20, 12)
SECOND = timedelta(seconds=1)
WELL = Status(
    at=AT, today=AT.date(), obligations=[], undeclared=["c"],
    inbox={
        "waiting": 0, "leased": 0, "parked": 0, "oldest_waiting": None, "senders_waiting": {}, "parked_objects": [],
        "queue": 3, "dead_letters": 0,
    },
    release={
        "release": 1, "digest": "d", "published_at": AT, "age_hours": 0.0, "waiting": 0, "oldest_waiting": None,
    },
    nightly={
        "last": {"started_at": AT}, "last_done": AT, "message": None, "open": [], "refused_since": 0, "failed_since": 0,
    },
    outbox={"unsent": 0, "oldest": None, "problem": None},
    record_warnings=[{"kind": "k", "what": "block", "detail": "d", "count": 1}],
    rejected=[], person_numbers=[], storage=[], register=[], suspect_units=[], erasures=[], intake_seen=None,
)  # fmt: skip


def problems(**changed: Any) -> list[str]:
    """Return the problems of an installation that is well but for these parts of its status."""
    parts = {
        name: {**getattr(WELL, name), **part} if isinstance(part, dict) else part for name, part in changed.items()
    }
    return list(find_problems(replace(WELL, **parts)))


def test_where_all_is_well_nothing_is_said() -> None:
    assert problems() == []
    assert problems(inbox={"waiting": 9, "leased": 9, "oldest_waiting": AT, "queue": None, "dead_letters": None}) == []


@pytest.mark.parametrize(
    ("part", "limit", "at_limit", "sentence"),
    [
        (
            "inbox", MAX_QUEUE_WAIT, lambda since: {"oldest_waiting": since},
            "the inbox waits since 2025-04-20 10:59 UTC: is a worker running?",
        ),
        (
            "release", MAX_RELEASE_WAIT, lambda since: {"oldest_waiting": since, "waiting": 7},
            "7 submissions wait for a release, one for over 36 hours: did the nightly run?",
        ),
        (
            "outbox", MAX_QUEUE_WAIT, lambda since: {"oldest": since, "unsent": 4},
            "4 events are not sent: is their receiver set (ENGANG_WEBHOOK, ENGANG_OPENLINEAGE)?",
        ),
        (
            "outbox", MAX_QUEUE_WAIT, lambda since: {"oldest": since, "unsent": 4, "problem": "HTTP 500"},
            "4 events are not sent: HTTP 500",
        ),
        (
            "intake_seen", MAX_QUEUE_WAIT, lambda since: since,
            "nothing has looked for arrivals since 2025-04-20 10:59 UTC: ",
        ),
        (
            "nightly", MAX_RUN_TIME, lambda since: {"open": [{"started_at": since, "dead": False}]},
            "the nightly that began 2025-04-20 05:59 UTC still runs: over 6 hours",
        ),
        (
            "nightly", MAX_RELEASE_WAIT, lambda since: {"last": {"started_at": since}},
            "no nightly has run since 2025-04-18 23:59 UTC, for over 36 hours: is `engang serve`, ",
        ),
    ],
)  # fmt: skip
def test_what_waits_is_a_problem_once_it_waits_too_long(
    part: str, limit: timedelta, at_limit: Any, sentence: str
) -> None:
    assert problems(**{part: at_limit(AT - limit)}) == []
    (told,) = problems(**{part: at_limit(AT - limit - SECOND)})
    assert told.startswith(sentence)


@pytest.mark.parametrize(
    ("part", "changed", "sentence"),
    [
        ("inbox", {"parked": 2}, "2 objects are parked: `engang inbox` shows why, "),
        ("inbox", {"queue": "no such queue"}, "the queue cannot be read, so arrivals are found late, "),
        ("inbox", {"dead_letters": 5}, "dead letters: 5. `engang inbox` shows them"),
        ("inbox", {"dead_letters": "access denied"}, "dead letters: access denied. "),
        ("nightly", {"refused_since": 3, "message": "a\nb"}, "the nightly refused (3 times since the last success): "),
        ("nightly", {"failed_since": 1}, "the nightly failed (1 times since the last success)"),
        ("nightly", {"open": [{"started_at": AT, "dead": True}]}, "the nightly that began 2025-04-20 12:00 UTC was k"),
        ("storage", ["lake: a file is missing"], "lake: a file is missing"),
        ("register", ["7 rejected rows"], "7 rejected rows"),
        ("person_numbers", ["person numbers were delivered"], "person numbers were delivered"),
        ("erasures", ["f00"], "the erasure of submission f00 is not finished: "),
        ("suspect_units", ["Totalt", "I alt"], "units that look like a sum row are published: 'Totalt', 'I alt'; "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(part: str, changed: Any, sentence: str) -> None:
    (found,) = problems(**{part: changed})
    assert found.startswith(sentence)


def test_the_reason_is_told_once_of_a_night_that_was_refused_and_then_failed() -> None:
    told = problems(nightly={"refused_since": 1, "failed_since": 2, "message": "disk full"})
    assert told == [
        "the nightly refused (1 times since the last success): disk full",
        "the nightly failed (2 times since the last success)",
    ]


def test_a_night_that_runs_is_not_missing() -> None:
    old = AT - MAX_RELEASE_WAIT - SECOND
    running = {"open": [{"started_at": AT, "dead": False}], "last": {"started_at": old}}
    assert problems(nightly=running) == []
    assert problems(nightly={"last": None}) == []  # an installation that is new


def test_a_night_an_hour_ahead_of_now_tells_of_a_wrong_clock() -> None:
    ahead = AT + timedelta(hours=1)
    assert problems(nightly={"last": {"started_at": ahead}}) == []
    (found,) = problems(nightly={"last": {"started_at": ahead + SECOND}})
    assert found.startswith("the last nightly began 2025-04-20 13:00 UTC, which is in the future: a clock was wrong")


def test_senders_are_late_by_period_and_ten_of_them_are_named() -> None:
    senders = [f"s{n:02}" for n in range(13)]
    late = (("2025-02", "a"), *(("2025-03", s) for s in senders), ("2025-02", "b"))
    of = Obligation("c", "o", "monthly", late=late, due=date(2025, 4, 15))
    assert problems(obligations=[of, Obligation("d", "o", "monthly")]) == [
        "c for 2025-02 is late from a, b",
        f"c for 2025-03 is late from {', '.join(senders[:10])} and 3 more",
    ]
    ten = Obligation("c", "o", "monthly", late=tuple(("2025-03", s) for s in senders[:10]))
    assert problems(obligations=[ten]) == [f"c for 2025-03 is late from {', '.join(senders[:10])}"]


def test_the_problems_stand_in_one_order() -> None:
    group = RejectedFiles("c", "unknown-code", 1, (), ("s",), "id", AT)
    told = problems(
        obligations=[Obligation("c", "o", "monthly", late=(("2025-03", "a"),))], inbox={"parked": 1}, rejected=[group],
        nightly={"failed_since": 1}, release={"oldest_waiting": AT - 2 * MAX_RELEASE_WAIT}, storage=["lake"],
        register=["register"], suspect_units=["Sum"], person_numbers=["person"], erasures=["f00"],
    )  # fmt: skip
    begins = (
        "c for", "1 objects", "1 file ", "person", "the nightly", "0 submissions", "lake", "register", "the erasure",
        "units that",
    )  # fmt: skip
    assert [one.startswith(begin) for one, begin in zip(told, begins, strict=True)] == [True] * 10


@pytest.mark.parametrize(
    ("message", "shown"),
    [("a\n  b\tc ", "a b c"), ("", ""), ("x" * 400, "x" * 400), ("x" * 401, "x" * 400 + " ...")],
)
def test_a_message_is_one_line_cut_to_a_glance(message: str, shown: str) -> None:
    assert one_sentence(message) == shown


def test_how_long_things_may_take_is_stated() -> None:
    assert [found / timedelta(hours=1) for found in (MAX_QUEUE_WAIT, MAX_RELEASE_WAIT, MAX_RUN_TIME)] == [1, 36, 6]
