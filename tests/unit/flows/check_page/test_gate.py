"""Few checks at a time: one runs, some wait, the others are turned away."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

from flows.check_page.gate import Gate
from schemas.errors import BusyError

Result = TypeVar("Result")


def test_checks_run_one_at_a_time_and_more_are_turned_away() -> None:
    gate, running, most = Gate(2), 0, 0
    go = threading.Event()

    def check() -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        go.wait(10)
        running -= 1
        return "done"

    async def ask() -> list[str]:
        asked = [asyncio.create_task(gate.run(check)) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError):
            await gate.run(check)
        go.set()
        answers = await asyncio.gather(*asked)
        return [*answers, await gate.run(check)]

    assert asyncio.run(ask()) == ["done", "done", "done"]
    assert most == 1


def test_a_check_that_nobody_waits_for_holds_its_place_until_it_ends() -> None:
    gate, go = Gate(1), threading.Event()

    async def ask() -> str:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(gate.run(lambda: go.wait(10)), 0.05)
        with pytest.raises(BusyError):
            await gate.run(lambda: "early")
        go.set()
        return await _once_free(gate, lambda: "late")

    assert asyncio.run(ask()) == "late"


def test_the_error_of_a_check_is_raised_and_frees_its_place() -> None:
    gate = Gate(1)

    def check() -> None:
        raise ZeroDivisionError

    async def ask() -> None:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await _once_free(gate, check)

    asyncio.run(ask())


async def _once_free(gate: Gate, check: Callable[[], Result]) -> Result:
    """Run a check as soon as a place is free: it becomes so a moment after the thread has ended, not at once."""
    until = time.monotonic() + 60
    while True:
        try:
            return await gate.run(check)
        except BusyError:
            assert time.monotonic() < until, "its place is never free"
            await asyncio.sleep(0.01)
