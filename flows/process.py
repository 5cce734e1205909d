"""The process that runs a command: what must be set before Polars and pydantic are imported.

It imports nothing heavy itself, so that `engang --help` answers at once.
"""

from infra.settings import close_to_others, tune_allocator, tune_start


def tune_process() -> None:
    """Set the file modes, the memory allocator and the garbage collector for one command.

    Call it before anything heavy is imported.
    """
    close_to_others()
    tune_allocator()
    tune_start()
