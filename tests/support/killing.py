"""Starts a process that does steps on command and is killed in the middle of them: `killable_process` and its like."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import module_process

Message = dict[str, Any]
Do = Callable[..., Message]
"""Does a step in a home, in a child of its own, and returns what it gave and how it ended."""
KILLED = -signal.SIGKILL


@contextmanager
def started(module: str) -> Iterator[Do]:
    """Start a module of `tests.support` as a process; give the function that asks it for a step."""
    command = module_process.command(f"tests.support.{module}")
    # A child lives a tenth of a second.
    env = module_process.environment(POLARS_MAX_THREADS="1", TOKIO_WORKER_THREADS="1")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdin
        assert process.stdout

        def ask(home: Path, step: str, **arguments: Any) -> Message:
            print(json.dumps({"home": str(home), "step": step, **arguments}), file=process.stdin, flush=True)
            answer: Message = json.loads(process.stdout.readline())
            return answer

        yield ask
        process.stdin.close()


def look(do: Do, home: Path) -> Message:
    """Return what a reader sees."""
    seen = do(home, "look")
    assert seen["ended"] == 0
    view: Message = seen["done"]
    return view
