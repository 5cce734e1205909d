"""The process that runs a command: what must be set before Polars and pydantic are imported.

It imports nothing heavy itself, so that `engang --help` answers at once.
"""

from infra.settings import tune_allocator, tune_start


def tune_process() -> None:
    """Set the memory allocator and the garbage collector for one command; call it before anything heavy is imported."""
    tune_allocator()
    tune_start()
