"""One process that receives and publishes a history, then a night on top: `worker.py FOLDER`, settings as for `engang`.

Prints JSON: seconds to start (imports), for the full run and for the night, each with its parts; and the peak memory.
"""

import json
import resource
import sys
import time
from pathlib import Path

STARTED = time.perf_counter()

from infra.settings import tune_allocator

tune_allocator()

import generate

from flows.installation import open_installation
from flows.intake.archives import read_files
from flows.intake.deliveries import make_delivery
from flows.intake.registration import receive
from flows.pipeline import nightly
from infra.checks import engine as checks


def publish(files: Path) -> dict[str, float]:
    """Submit every sender's files and run the nightly; return the seconds of each."""
    installation = open_installation()
    started = time.perf_counter()
    for sender in generate.SENDERS:
        found = read_files(files / sender, installation.settings)
        deliveries = (
            make_delivery(installation, name, data, "bench", sender=sender, period=None) for name, data in found
        )
        for _ in receive(installation, deliveries):
            pass
    submitted = time.perf_counter()
    done = nightly(installation, export="never")
    assert done.published
    ended = time.perf_counter()
    return {"submit": submitted - started, "nightly": ended - submitted, "all": ended - started}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    checks.preload()
    start = time.perf_counter() - STARTED
    figures = {"start": start, "full": publish(folder / "history"), "night": publish(folder / "night")}
    figures["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(figures))
