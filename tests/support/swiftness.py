"""What makes a run of all tests take less time and changes nothing of what they test."""

import gc
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")
"""A file system in memory, where the system has one."""
LEAST_FREE: Final = 4 * 2**30
"""So many bytes must be free there, and twice as many in memory: a run of all tests keeps less than 1 GB of files."""
FRESH_OBJECTS: Final = 10_000
"""So many new objects before Python looks for cycles among them: 700 by default."""


def keep_files_in_memory() -> None:
    """Let temporary files be in memory, if there is room: a home is some hundred small files, written and removed.

    `TMPDIR`, where it is set, decides instead. No test needs a disk: processes die in them, machines do not.
    """
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and _room() >= LEAST_FREE:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # it is looked up again


def share_processors() -> None:
    """Let a worker, which is one of as many as there are processors, compute in one thread, and what it starts too.

    Frames of tests are small: that they pass from thread to thread takes longer than what is done with them. A run
    without workers has the product's own number of threads.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        for name in ("POLARS_MAX_THREADS", "TOKIO_WORKER_THREADS"):
            os.environ.setdefault(name, "1")


def _room() -> int:
    """Return how many bytes the file system in memory can take and leave the machine as many."""
    found = re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
    available = int(found[1]) * 1024 if found else 0
    return min(shutil.disk_usage(MEMORY).free, available // 2)


def import_without_collections() -> None:
    """Let Python look for no garbage while tests are imported: it would look through all modules, again and again."""
    gc.disable()


def spare_collections() -> None:
    """Let Python not look again and again for garbage among the modules and tests that a run has imported."""
    gc.enable()
    gc.freeze()
    gc.set_threshold(FRESH_OBJECTS, 10, 10)
