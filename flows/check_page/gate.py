"""How many checks wait or run at a time: one runs, for one process reads all files, and a few wait for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from schemas.errors import BusyError

RETRY_SECONDS: Final = 20
"""When somebody who was turned away is asked to try again."""
Result = TypeVar("Result")


class Gate:
    """Runs one check at a time in a thread, and turns away what is more than `most` at a time."""

    def __init__(self, most: int) -> None:
        """Take how many checks may wait or run at a time."""
        self._most = most
        self._inside = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="check")

    async def run(self, check: Callable[[], Result]) -> Result:
        """Return what a check returns; `BusyError` at once if too many wait. Called on the event loop only."""
        if self._inside >= self._most:
            raise BusyError("too many files are being checked")
        self._inside += 1
        future = self._pool.submit(check)
        loop = asyncio.get_running_loop()
        # A caller that gives up leaves the thread at work: its place is free when the thread is done, not before.
        future.add_done_callback(lambda done: _on_loop(loop, self._leave, done))
        return await asyncio.wrap_future(future)

    def _leave(self) -> None:
        self._inside -= 1


def _on_loop(loop: asyncio.AbstractEventLoop, step: Callable[[], None], _: Future[Result]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(step)
