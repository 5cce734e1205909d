"""A sync of a mart that is killed with -9 in its middle: a process with arguments HOME, URL, RELEASE, STEP."""

import os
import signal
import sys
from pathlib import Path

from flows.mart import sync as syncing
from infra.mart.connection import MartAddress
from tests.support.small_installation import open_small


def main(home: str, url: str, release: str, step: str) -> None:
    """Sync until a step of `flows.mart.sync` is due, and die of it."""
    setattr(syncing, step, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    syncing.sync(open_small(Path(home)), MartAddress(url, "mart"), int(release))


if __name__ == "__main__":
    main(*sys.argv[1:])
