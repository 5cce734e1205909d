"""The process that runs a command: what must be set before Polars and pydantic are imported.

It imports nothing heavy itself, so that `engang --help` answers at once.
"""

import os

from infra.settings import tune_allocator, tune_start


def tune_process() -> None:
    """Set the file modes, the memory allocator and the garbage collector for one command.

    Call it before anything heavy is imported.
    """
    close_to_others()
    tune_allocator()
    tune_start()


def close_to_others() -> None:
    """Let no other user of the machine read what this process creates: folders get mode 0700, files 0600.

    SQLite, Delta, Prefect and every child process create theirs under it too.
    """
    os.umask(0o077)
