"""Python imports this first in a reading process of a test: a file that begins with `!` makes its parsing misbehave."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from flows.intake import reading

_parse = reading.parse
MIB = 2**20


def misbehave(order: bytes) -> None:
    if order == b"memory":
        held = [bytearray(os.urandom(1) * 32 * MIB) for _ in range(1_000)]
        time.sleep(len(held))
    elif order == b"seconds":
        while True:
            pass
    elif order == b"abort":
        os.abort()
    elif order.startswith(b"killed"):
        be_killed(order.removeprefix(b"killed-until ").decode() if b" " in order else None)
    elif order == b"exit":
        raise SystemExit(3)
    elif order == b"error":
        raise RuntimeError("0301 secret")
    elif order == b"no-memory":
        raise MemoryError


def be_killed(marker: str | None) -> None:
    """Be killed from outside: each time, or the first time only, which a file marks."""
    if marker is None or not Path(marker).exists():
        if marker is not None:
            Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def parse(data: bytes, *rest: Any) -> Any:
    if data.startswith(b"!"):
        misbehave(data[1:].split(b"\n")[0])
    return _parse(data, *rest)


reading.parse = parse  # type: ignore[assignment]
