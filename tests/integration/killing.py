"""Starts a process that does steps on command and is killed in the middle of them: `dying` and its like."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Told = dict[str, Any]
Do = Callable[..., Told]
"""Does a step in a home, in a child of its own, and returns what it gave and how it ended."""
KILLED = -signal.SIGKILL


@contextmanager
def started(script: str) -> Iterator[Do]:
    """Start a script that stands beside this file; give what asks it for a step."""
    command = [sys.executable, str(Path(__file__).parent / script)]
    calm = os.environ | {"POLARS_MAX_THREADS": "1", "TOKIO_WORKER_THREADS": "1"}  # a child lives a tenth of a second
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=calm) as process:
        assert process.stdin
        assert process.stdout

        def ask(home: Path, step: str, **told: Any) -> Told:
            print(json.dumps({"home": str(home), "step": step, **told}), file=process.stdin, flush=True)
            answer: Told = json.loads(process.stdout.readline())
            return answer

        yield ask
        process.stdin.close()


def look(do: Do, home: Path) -> Told:
    """Return what a reader sees."""
    seen = do(home, "look")
    assert seen["ended"] == 0
    told: Told = seen["done"]
    return told
