"""Deliveries that wait for a night, in an installation that has its settings from the environment, as a worker has."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from flows.installation import Installation
from flows.intake.batches import worker_task
from flows.intake.deliveries import land, make_delivery
from infra.cluster.cluster import Cluster
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER, open_small

T = TypeVar("T")
SENDERS = ("kommune", "fylke", "stat")


class CallingCluster(Cluster):
    """A cluster without a scheduler: this process is its worker."""

    def __init__(self, lost: Exception | None = None) -> None:
        """Take what every task ends with instead of an answer, if any."""
        self.width, self.lost, self.asked = 2, lost, 0
        self.crossed = b""

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call it here."""
        self.asked += 1
        if self.lost is not None:
            raise self.lost
        answer = function(*args, **kwargs)
        self.crossed += pickle.dumps((args, kwargs, answer))
        return answer

    def ask_all(self, function: Callable[[], T]) -> dict[str, T]:
        """Call it here."""
        return {"here": function()}


def delivered(home: Path, environment: pytest.MonkeyPatch) -> Installation:
    """Return an installation with three files that arrived, three that landed, and one that is no table."""
    environment.setenv("ENGANG_HOME", str(home))
    environment.setenv("ENGANG_CONTRACTS", str(CONTRACTS))
    worker_task.worker_installation.cache_clear()
    small = open_small(home)
    for number, sender in enumerate(SENDERS):
        arrived = Path(str(small.settings.arrivals)) / sender / "folketall" / f"{number}.csv"
        arrived.parent.mkdir(parents=True)
        arrived.write_bytes(_rows(number, "alle"))
        os.utime(arrived, (1.7e9, 1.7e9))
    late = [_rows(number, "menn") for number in range(3)] + [b"\xff\x00 no table"]
    land(
        small,
        [
            make_delivery(small, f"late-{number}.csv", content, "folketall", sender=SENDERS[number % 3], period=None)
            for number, content in enumerate(late)
        ],
    )
    return small


def _rows(number: int, group: str) -> bytes:
    values = "".join(f"0301;{day:02}.{1 + number:02}.2024;{group};{100 * number + day};\n" for day in range(1, 20))
    return f"{HEADER}{values}0301;40.01.2024;{group};1;\n".encode()
