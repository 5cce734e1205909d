"""A child process for tests of `infra.child_process`: each request names what it does."""

import json
import os
import signal
import threading
import time
from pathlib import Path

from infra.child_channel import ChildMessage, StepMark, answer_requests, nameless_file

MIB = 2**20


def answer(request: ChildMessage, mark: StepMark) -> ChildMessage:
    order = json.loads(request.body)
    time.sleep(order.get("late", 0))
    mark.begin(order.get("step", 0))
    match order["do"]:
        case "memory":
            held = [os.urandom(MIB) * 32 for _ in range(1_000)]
            time.sleep(len(held))
        case "half a second":
            _work(0.5)
        case "seconds":
            _work(1e6)
        case "abort":
            os.abort()
        case "wait":
            threading.Event().wait()
        case "leave":
            os._exit(7)
        case "environment":
            return ChildMessage(json.dumps({**os.environ, "cwd": str(Path.cwd())}).encode())
        case "ignored":
            return ChildMessage(str(signal.getsignal(signal.SIGINT) is signal.SIG_IGN).encode())
    parts = [os.pread(file, 100, 0) for file in request.files]
    reply = nameless_file()
    os.write(reply, b"+".join(parts))
    return ChildMessage(json.dumps(os.getpid()).encode(), [reply])


def _work(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


if __name__ == "__main__":
    answer_requests(answer)
