"""A Dask cluster as the steps see it: a function and paths go to a worker, a small answer comes back.

Nothing delivered crosses it, and no secret: Dask shows arguments and answers in its logs and on its pages. A worker
opens the places of its own settings. Dask gives the task of a worker that was lost to another one; what the first had
written is named by no answer.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar
from uuid import uuid4

from schemas.errors import StoreAwayError, UsageError, WorkersLost

if TYPE_CHECKING:
    from distributed import Client, Future

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

SCHEDULER_SECONDS: Final = 30
"""How long the scheduler may take to answer."""
JOIN_SECONDS: Final = 120
"""How long a cluster may be without any worker, at the start or later."""
ANSWER_LOOK_SECONDS: Final = 5.0
"""How often a process that waits for an answer looks whether there is a worker at all."""
_HINT: Final = "start it, or run without ENGANG_CLUSTER: nothing is lost, one process does the same alone"


class Cluster:
    """A scheduler with at least one worker when it was opened. Several threads may call at once."""

    def __init__(self, client: "Client") -> None:
        """Take a connected client. Raises `StoreAwayError` if no worker joins within `JOIN_SECONDS`."""
        self._client = client
        self._address = client.scheduler.address if client.scheduler is not None else "?"
        with self._scheduler_errors():
            client.wait_for_workers(1, timeout=JOIN_SECONDS)
        self.width = self._threads()

    def call(self, function: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        """Return what a worker's call of a function of a module gives, or raise what it raises.

        Raises `WorkersLost` if the task ended as many workers as Dask allows, `StoreAwayError` if the cluster is away.
        """
        from distributed import CancelledError, KilledWorker

        key = f"{function.__name__}-{uuid4().hex}"
        with self._scheduler_errors():
            future: Future[Answer] = self._client.submit(function, *args, key=key, pure=False, **kwargs)
            error = self._ending(future)
            if isinstance(error, CancelledError):
                raise error  # the scheduler that knew of it is away
        if isinstance(error, KilledWorker):
            raise WorkersLost(f"{self._address}: the workers that ran {key} ended, one after the other")
        if error is not None:
            raise error
        return future.result()

    def ask_all(self, function: Callable[[], Answer]) -> dict[str, Answer]:
        """Return what each worker's call of a function of a module gives, by the worker's address."""
        with self._scheduler_errors():
            answers: dict[str, Answer] = self._client.run(function)
        return answers

    def _threads(self) -> int:
        with self._scheduler_errors():
            return sum(self._client.nthreads().values())

    def _ending(self, future: "Future[Any]") -> BaseException | None:
        """Wait until a task has ended; return what it raised. `TimeoutError` if long no worker was there."""
        seen = time.monotonic()
        while True:
            try:
                error: BaseException | None = future.exception(timeout=ANSWER_LOOK_SECONDS)
            except TimeoutError:
                if self._threads():
                    seen = time.monotonic()
                elif time.monotonic() - seen > JOIN_SECONDS:
                    raise
            else:
                return error

    @contextmanager
    def _scheduler_errors(self) -> Iterator[None]:
        """Turn errors of access to the scheduler into `StoreAwayError`."""
        from distributed import CancelledError

        try:
            yield
        except StoreAwayError:
            raise
        except TimeoutError as error:
            problem = f"{self._address}: no worker within {JOIN_SECONDS} seconds"
            raise StoreAwayError(f"{problem}; {_HINT}") from error
        except (OSError, CancelledError, RuntimeError) as error:
            problem = f"{self._address}: the scheduler does not answer any more ({type(error).__name__})"
            raise StoreAwayError(f"{problem}; {_HINT}") from error


@contextmanager
def connected_cluster(address: str) -> Iterator[Cluster]:
    """Connect to the scheduler at an address; `StoreAwayError` if it does not answer or has no worker."""
    with dask_needed():
        from distributed import Client
    with scheduler_needed(address):
        client = Client(address, timeout=SCHEDULER_SECONDS, set_as_default=False)
    with client:
        yield Cluster(client)


@contextmanager
def scheduler_needed(address: str) -> Iterator[None]:
    """Turn errors of connecting to a scheduler into a `StoreAwayError`."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        problem = f"ENGANG_CLUSTER: no scheduler answers at {address} ({type(error).__name__})"
        raise StoreAwayError(f"{problem}; {_HINT}") from error


@contextmanager
def dask_needed() -> Iterator[None]:
    """Turn a missing package into a `UsageError` that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        problem = f"several workers need the extra engang[dask] ({error.name} is not installed)"
        raise UsageError(f"{problem}: pip install 'engang[dask]'") from error
