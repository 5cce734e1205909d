"""A reading process whose parser misbehaves for files that ask for it: `!memory`, `!seconds`, `!abort`, ..."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.intake import isolation
from infra import child_process

HOOK = Path(__file__).with_name("reader_hook")


@contextmanager
def misbehaving_reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the readers that start from now on import the hook first."""
    real = child_process.child_environment

    def environment(root: Path) -> dict[str, str]:
        return {**real(root), "PYTHONPATH": f"{HOOK}:{root}"}

    isolation.stop_reader()
    monkeypatch.setattr(child_process, "child_environment", environment)
    yield
    monkeypatch.setattr(child_process, "child_environment", real)
    isolation.stop_reader()
